// SPDX-License-Identifier: MIT
#include "store/store-api.h"

#include <string.h>

#include "base/mem.h"
#include "base/strnum.h"
#include "codec/json-writer.h"
#include "codec/json.h"
#include "store/store-api-private.h"

// Bodies of free and healthcheck: lists of names, no data.
#define NAMES_BODY_MAX     ((size_t)64 << 20)
#define SELECTOR_DEPTH_MAX 64

int64_t store_api_now(const struct store_api *api)
{
    return api->options.now_s ? api->options.now_s() : wall_seconds(clock_wall());
}

static void set_json(struct http_response *resp, int status)
{
    resp->status = status;
    http_set_header(resp, "Content-Type", "application/json"); // once, also on errors (MS-27)
}

void store_api_error(struct store_api *api, enum endpoint_id id, const struct http_request *req,
                     struct http_response *resp, int status, const char *text)
{
    struct json_writer w;

    json_writer_init(&w, &resp->body);
    json_write_object_begin(&w);
    json_write_key(&w, "status");
    json_write_cstr(&w, http_status_text(status));
    json_write_key(&w, "error");
    json_write_cstr(&w, text);
    json_write_object_end(&w);
    buf_append_byte(&resp->body, '\n');
    set_json(resp, status);
    if (api->options.on_refused)
        api->options.on_refused(api->options.on_refused_ctx, api->endpoints[id].path,
                                req->peer ? req->peer : "", text);
}

int store_api_mismatch(const struct json_value *value, const char *place, const char *type, struct error *err)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "bool",   [JSON_INT] = "number",   [JSON_REAL] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "array", [JSON_OBJECT] = "object"};
    enum json_type got = json_type(value);
    struct slice digits = SLICE_EMPTY;

    if ((got == JSON_INT || got == JSON_REAL) && strcmp(type, "int64") == 0)
        digits = json_source(value);
    return error_set(err, ERR_INVALID, "json: cannot unmarshal %s%s%.*s into Go %s of type %s", names[got],
                     digits.len ? " " : "", (int)MIN(digits.len, (size_t)64), digits.ptr ? digits.ptr : "",
                     place, type);
}

void store_api_append_quoted(struct buf *out, struct slice text)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_append_byte(out, (char)c);
    }
    buf_append_byte(out, '"');
}

// ---- write ---------------------------------------------------------------------------------------

// One bad line does not drop the others (MS-13); the client still sees 400 with the first reason.
static void answer_bad_lines(struct store_api *api, struct http_request *req, struct http_response *resp,
                             const struct store_write_result *result)
{
    const char *text = result->first_error.text;

    if (result->error_count > 1)
        text = arena_printf(req->arena, "%s (and %lld more bad lines; %llu samples stored)", text,
                            (long long)result->error_count - 1, (unsigned long long)result->stored);
    store_api_error(api, ENDPOINT_WRITE, req, resp, 400, text);
}

static void answer_write(struct store_api *api, struct http_request *req, struct http_response *resp, int rc,
                         const struct store_write_result *result)
{
    if (rc == 0 && !req->body_truncated)
        set_json(resp, 200);
    else if (rc == 0)
        store_api_error(api, ENDPOINT_WRITE, req, resp, 400,
                        "the request body ended early: its last line was dropped");
    else if (rc == ERR_INVALID)
        answer_bad_lines(api, req, resp, result);
    else
        store_api_error(api, ENDPOINT_WRITE, req, resp, 503,
                        result->first_error.text[0] ? result->first_error.text
                                                    : "the store cannot take this batch now");
}

// A batch that is in memory and waits for the disk. In the arena of the request.
struct write_wait {
    struct store_api *api;
    struct store_write_result result;
    int rc;
    struct mono_time begin;
    struct http_waiting *waiting;
};

static void write_committed(void *ctx, int rc, const struct error *err)
{
    struct write_wait *w = ctx;

    if (rc < 0) { // whatever was wrong with some lines: nothing of it may be taken for stored
        w->rc = rc;
        w->result.first_error = *err;
    }
    http_resume(w->waiting);
}

static void start_commit(void *ctx, struct http_waiting *waiting)
{
    struct write_wait *w = ctx;

    w->waiting = waiting;
    store_commit_later(w->api->store, &w->result.span, write_committed, w);
}

static void finish_write(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct write_wait *w = ctx;

    answer_write(w->api, req, resp, w->rc, &w->result);
    store_api_record(&w->api->endpoints[ENDPOINT_WRITE], resp->status, w->begin);
}

static void write_handler(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct store_api *api = ctx;
    struct mono_time begin = clock_mono();
    struct store_write write = {.body = req->body,
                                .default_cluster = SLICE_EMPTY,
                                .now_s = store_api_now(api),
                                .truncated = req->body_truncated,
                                .defer_commit = req->can_wait};
    struct store_write_result result = {0};

    // Not percent-decoded: as upstream takes it from the raw query (5.5).
    if (!http_query_param_raw(req, "cluster", &write.default_cluster))
        write.default_cluster = SLICE_EMPTY;
    int rc = store_ingest(api->store, &write, &result);
    if (result.span.begin == result.span.end) {
        answer_write(api, req, resp, rc, &result);
        return;
    }
    struct write_wait *w = ARENA_NEW(req->arena, struct write_wait);
    *w = (struct write_wait){.api = api, .result = result, .rc = rc, .begin = begin};
    resp->start = start_commit;
    resp->finish = finish_write;
    resp->wait_ctx = w;
}

// ---- free ----------------------------------------------------------------------------------------

// A list of texts in the request's arena. null is the empty list, null in the list the empty text, as in Go.
// 'place': as for store_api_mismatch.
static int decode_names(const struct json_value *list, const char *place, struct arena *arena,
                        struct slice **ret_names, size_t *ret_count, struct error *err)
{
    if (json_type(list) != JSON_ARRAY && json_type(list) != JSON_NULL)
        return store_api_mismatch(list, place, "[]string", err);
    size_t count = json_count(list);
    struct slice *names = ARENA_ARRAY(arena, struct slice, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct json_value *name = json_at(list, i);
        if (json_type(name) != JSON_STRING && json_type(name) != JSON_NULL)
            return store_api_mismatch(name, place, "string", err);
        names[i] = json_string(name);
    }
    *ret_names = names;
    *ret_count = count;
    return 0;
}

static int free_selectors(struct store *store, const struct json_value *list, int64_t to, struct arena *arena,
                          uint64_t *ret_freed, struct error *err)
{
    struct slice *names = NULL;
    size_t count = 0;

    if (json_type(list) != JSON_ARRAY && json_type(list) != JSON_NULL)
        return store_api_mismatch(list, "value", "[][]string", err);
    for (size_t i = 0; i < json_count(list); i++) { // all of it must be right before anything is freed
        int rc = decode_names(json_at(list, i), "value", arena, &names, &count, err);
        if (rc < 0)
            return rc;
    }
    *ret_freed = 0;
    for (size_t i = 0; i < json_count(list); i++) {
        int rc = decode_names(json_at(list, i), "value", arena, &names, &count, err);
        if (rc < 0)
            return rc;
        *ret_freed += store_free_before(store, names, count, to);
    }
    return 0;
}

static void answer_freed(struct store_api *api, struct http_request *req, struct http_response *resp,
                         int64_t to)
{
    struct error err = ERROR_INIT;
    struct json_doc *doc = NULL;
    uint64_t freed = 0;

    int rc = req->body.len > NAMES_BODY_MAX ? error_set(&err, ERR_LIMIT, "the request body is too large")
                                            : json_parse(req->body, &doc, &err);
    if (rc == 0)
        rc = free_selectors(api->store, json_root(doc), to, req->arena, &freed, &err);
    if (rc < 0) {
        http_set_text(resp, rc == ERR_LIMIT ? 413 : 400, "%s", err.text);
    } else {
        buf_printf(&resp->body, "buffers freed: %llu\n", (unsigned long long)freed);
        http_set_header(resp, "Content-Type", "text/plain; charset=utf-8");
    }
    json_doc_free(&doc);
}

static const char *bad_integer_text(struct arena *arena, struct slice text, const struct error *err)
{
    struct buf quoted;

    buf_init(&quoted, BUF_MAX_DEFAULT);
    store_api_append_quoted(&quoted, text);
    const char *message = arena_printf(arena, "strconv.ParseInt: parsing %s: %s", buf_cstr(&quoted),
                                       strstr(err->text, "range") ? "value out of range" : "invalid syntax");
    buf_release(&quoted);
    return message;
}

static void free_handler(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct store_api *api = ctx;
    struct error err = ERROR_INIT;
    struct slice text;
    int64_t to = 0;

    if (!http_query_param(req, "to", &text) || text.len == 0) {
        store_api_error(api, ENDPOINT_FREE, req, resp, 400, "'to' is a required query parameter");
        return;
    }
    if (strnum_parse_i64(text, &to, &err) < 0) { // 500: as upstream answers it (5.6)
        store_api_error(api, ENDPOINT_FREE, req, resp, 500, bad_integer_text(req->arena, text, &err));
        return;
    }
    answer_freed(api, req, resp, to);
}

// ---- debug ---------------------------------------------------------------------------------------

// [METRICSTORE]> not found: []string{"a", "b"}
static const char *not_found_text(const struct slice *path, size_t count, struct arena *arena)
{
    struct buf text;

    buf_init(&text, BUF_MAX_DEFAULT);
    buf_append_cstr(&text, "[METRICSTORE]> not found: []string{");
    for (size_t i = 0; i < count; i++) {
        buf_append_cstr(&text, i ? ", " : "");
        store_api_append_quoted(&text, path[i]);
    }
    buf_append_byte(&text, '}');
    const char *copy = arena_strdup(arena, buf_slice(&text));
    buf_release(&text);
    return copy;
}

static void debug_handler(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct store_api *api = ctx;
    struct slice path[SELECTOR_DEPTH_MAX], selector;
    struct error err = ERROR_INIT;
    size_t count = 0;

    if (http_query_param(req, "selector", &selector) && selector.len > 0)
        for (struct slice rest = selector; rest.ptr && count < ARRAY_LEN(path);)
            path[count++] = slice_split(&rest, ':');
    int rc = store_debug(api->store, path, count, &resp->body, &err);
    if (rc == 0) {
        set_json(resp, 200);
        return;
    }
    buf_clear(&resp->body);
    if (rc == ERR_NOT_FOUND)
        store_api_error(api, ENDPOINT_DEBUG, req, resp, 400, not_found_text(path, count, req->arena));
    else
        store_api_error(api, ENDPOINT_DEBUG, req, resp, 500, err.text);
}

// ---- healthcheck ---------------------------------------------------------------------------------

struct health_request {
    struct slice cluster;
    struct slice *nodes, *metrics;
    size_t node_count, metric_count;
};

static int decode_health(const struct json_value *root, struct arena *arena, struct health_request *ret,
                         struct error *err)
{
    if (json_type(root) != JSON_OBJECT && json_type(root) != JSON_NULL)
        return store_api_mismatch(root, "value", "metricstore.HealthCheckReq", err);
    for (size_t i = 0; i < json_count(root); i++) {
        struct slice key;
        const struct json_value *value = json_member_at(root, i, &key);
        int rc = 0;
        if (slice_eq_ignore_case(key, SLICE_LITERAL("nodes")))
            rc = decode_names(value, "struct field HealthCheckReq.nodes", arena, &ret->nodes,
                              &ret->node_count, err);
        else if (slice_eq_ignore_case(key, SLICE_LITERAL("metric-names")))
            rc = decode_names(value, "struct field HealthCheckReq.metric-names", arena, &ret->metrics,
                              &ret->metric_count, err);
        else if (!slice_eq_ignore_case(key, SLICE_LITERAL("cluster")))
            rc = error_set(err, ERR_INVALID, "json: unknown field \"%.*s\"", SLICE_FMT(key));
        else if (json_type(value) == JSON_STRING)
            ret->cluster = json_string(value);
        else if (json_type(value) != JSON_NULL)
            rc = store_api_mismatch(value, "struct field HealthCheckReq.cluster", "string", err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void write_names_of(struct json_writer *w, const char *key, const struct health_request *health,
                           const enum store_metric_health *states, enum store_metric_health wanted)
{
    json_write_key(w, key);
    json_write_array_begin(w);
    for (size_t i = 0; i < health->metric_count; i++)
        if (states[i] == wanted)
            json_write_string(w, health->metrics[i]);
    json_write_array_end(w);
}

static void write_node_health(struct store_api *api, const struct health_request *health, struct slice node,
                              struct arena *arena, struct json_writer *w)
{
    static const char *const names[] = {
        [STORE_HEALTH_FULL] = "full", [STORE_HEALTH_PARTIAL] = "partial", [STORE_HEALTH_FAILED] = "failed"};
    enum store_metric_health *states = ARENA_ARRAY(arena, enum store_metric_health, health->metric_count + 1);
    bool known = false;
    struct buf detail; // JSON within a JSON string (5.8)
    struct json_writer inner;

    enum store_health state = store_health_check(api->store, health->cluster, node, health->metrics,
                                                 health->metric_count, store_api_now(api), states, &known);
    buf_init(&detail, BUF_MAX_DEFAULT);
    if (known) {
        json_writer_init(&inner, &detail);
        json_write_object_begin(&inner);
        write_names_of(&inner, "degraded", health, states, STORE_METRIC_DEGRADED);
        write_names_of(&inner, "missing", health, states, STORE_METRIC_MISSING);
        json_write_object_end(&inner);
    }
    json_write_key_slice(w, node);
    json_write_object_begin(w);
    json_write_key(w, "State");
    json_write_cstr(w, names[state]);
    json_write_key(w, "HealthMetrics");
    json_write_string(w, buf_slice(&detail));
    json_write_object_end(w);
    buf_release(&detail);
}

static int compare_names(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void answer_health(struct store_api *api, struct http_request *req, struct http_response *resp,
                          const struct health_request *health)
{
    struct json_writer w;

    if (health->node_count > 1)
        qsort(health->nodes, health->node_count, sizeof(*health->nodes), compare_names);
    json_writer_init(&w, &resp->body);
    json_write_object_begin(&w);
    for (size_t i = 0; i < health->node_count; i++)
        if (i == 0 ||
            !slice_eq(health->nodes[i], health->nodes[i - 1])) // a node asked for twice is one member
            write_node_health(api, health, health->nodes[i], req->arena, &w);
    json_write_object_end(&w);
    buf_append_byte(&resp->body, '\n');
    set_json(resp, 200);
}

static void healthcheck_handler(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct store_api *api = ctx;
    struct health_request health = {.cluster = SLICE_EMPTY};
    struct error err = ERROR_INIT;
    struct json_doc *doc = NULL;

    int rc = req->body.len > NAMES_BODY_MAX ? error_set(&err, ERR_LIMIT, "the request body is too large")
                                            : json_parse(req->body, &doc, &err);
    if (rc == 0)
        rc = decode_health(json_root(doc), req->arena, &health, &err);
    if (rc == 0)
        answer_health(api, req, resp, &health);
    else
        store_api_error(api, ENDPOINT_HEALTHCHECK, req, resp, rc == ERR_LIMIT ? 413 : 400,
                        arena_printf(req->arena, "parsing request body failed: %s", err.text));
    json_doc_free(&doc);
}

// ---- routes --------------------------------------------------------------------------------------

static void serve(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct endpoint *endpoint = ctx;
    struct mono_time begin = clock_mono();

    if (!endpoint->guard || endpoint->guard(endpoint->guard_ctx, req, resp))
        endpoint->handler(endpoint->api, req, resp);
    if (!resp->stream && !resp->start) // those are counted at their end
        store_api_record(endpoint, resp->status, begin);
}

static const struct {
    const char *path, *below, *methods[2];
    http_handler_fn *handler;
} endpoint_table[ENDPOINT_COUNT] = {
    // GET with a body is what upstream's clients send; POST is accepted as well (5.1)
    [ENDPOINT_QUERY] = {"/api/query", "/api/query/*", {"GET", "POST"}, store_api_query},
    [ENDPOINT_WRITE] = {"/api/write", "/api/write/*", {"POST"}, write_handler},
    [ENDPOINT_FREE] = {"/api/free", "/api/free/*", {"POST"}, free_handler},
    [ENDPOINT_DEBUG] = {"/api/debug", "/api/debug/*", {"GET", "POST"}, debug_handler},
    [ENDPOINT_HEALTHCHECK] = {"/api/healthcheck", "/api/healthcheck/*", {"GET", "POST"}, healthcheck_handler},
};

struct store_api *store_api_new(struct store *store, const struct store_api_options *options)
{
    struct store_api *api = NEW(struct store_api);

    api->store = store;
    api->options = *options;
    value_text_init(&api->values);
    helpers_init(&api->helpers);
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        api->endpoints[i].api = api;
        api->endpoints[i].path = endpoint_table[i].path;
        api->endpoints[i].handler = endpoint_table[i].handler;
    }
    return api;
}

void store_api_free(struct store_api **api)
{
    mem_free(*api);
    *api = NULL;
}

static bool is_mounted(const struct store_api *api, size_t id)
{
    return (id != ENDPOINT_QUERY || api->options.mount_query) &&
           (id != ENDPOINT_HEALTHCHECK || api->options.mount_healthcheck);
}

void store_api_mount(struct store_api *api, struct http_router *router, http_guard_fn *guard, void *guard_ctx)
{
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        struct endpoint *endpoint = &api->endpoints[i];
        endpoint->guard = guard;
        endpoint->guard_ctx = guard_ctx;
        if (!is_mounted(api, i))
            continue;
        for (size_t m = 0; m < ARRAY_LEN(endpoint_table[i].methods) && endpoint_table[i].methods[m]; m++) {
            http_router_add(router, endpoint_table[i].methods[m], endpoint_table[i].path, serve, endpoint);
            http_router_add(router, endpoint_table[i].methods[m], endpoint_table[i].below, serve, endpoint);
        }
    }
}
