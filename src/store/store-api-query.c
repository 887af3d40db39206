// SPDX-License-Identifier: MIT
// The query endpoint: decode the request, then answer query by query. The first MiB is made before the head
// is sent, so that ordinary answers have a length and a refused range can still be a 400; the rest is
// streamed.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "codec/json-writer.h"
#include "codec/json.h"
#include "codec/number.h"
#include "store/store-api-private.h"

#define QUERY_BODY_MAX ((size_t)64 << 20)
#define QUERIES_MAX    ((size_t)1 << 20) // in one request, for-all-nodes included
#define FIRST_PIECE    ((size_t)1 << 20)
#define NEXT_PIECE     ((size_t)512 << 10)
#define BATCH_MAX      2048 // queries that are shared out at a time
#define SHARE_MAX      32
#define BATCH_WORTH    ((size_t)4 << 20) // scratch memory of the queries left, from which on helpers pay
#define ALONE_MIN      4                 // queries that are answered alone first
#define ARENA_MAX      ((size_t)1 << 40) // sizes are bounded by the limits above and by query_max_points

struct query_request {
    struct slice cluster;
    struct store_query_range range;
    struct store_query *queries;
    size_t query_count;
    struct slice *all_metrics; // for-all-nodes
    size_t all_metric_count;
};

enum answer_phase { PHASE_HEAD, PHASE_ECHO, PHASE_RESULTS, PHASE_DONE };

// What one thread needs for answering: memory for one query, and where its results go.
struct part {
    struct arena *scratch;
    struct buf out;
    struct error err; // of the query 'failed', where the thread stopped
    size_t failed;
};

// Queries [first, first + count) of an answer, shared out in their order, some at a time. So those taken are the first ones, and
// all of them are done in the end; what is left when 'limit' bytes are there is for the next batch.
struct batch {
    struct query_answer *answer;
    struct part *parts[HELPERS_MAX + 1]; // NULL: the thread has not been needed yet
    size_t first, count, limit;
    size_t share; // queries that a thread takes at once
    bool stop_on_error;
    atomic_size_t taken, bytes;
    struct {
        uint32_t part;
        size_t offset, len; // result of a query: in the 'out' of its part
    } made[BATCH_MAX];
};

// One answer under way; owned by the response once it streams. One thread at a time.
struct query_answer {
    struct store_api *api;
    struct arena *arena;  // request, hosts
    struct part *part;    // what the thread that answers needs
    struct batch *batch;  // NULL until the answer is large enough for helpers
    struct json_doc *doc; // lends the texts of the request
    struct query_request request;
    struct slice *hosts;
    size_t host_count;
    size_t total; // queries in all
    size_t next;
    enum answer_phase phase;
    size_t alone, alone_bytes; // queries answered without helpers, and the scratch memory that they took
    struct buf first;          // made before the head was sent
    struct mono_time begin;
};

// ---- decoding ------------------------------------------------------------------------------------

// Objects of the request, as messages name them.
#define REQUEST "APIQueryRequest"
#define QUERY   "APIQuery.queries"

static int mismatch(const struct json_value *value, const char *owner, const char *key, const char *type,
                    struct error *err)
{
    char place[64];

    (void)snprintf(place, sizeof(place), "struct field %s.%s", owner, key);
    return store_api_mismatch(value, place, type, err);
}

// The member 'key' in any case; *ret_value is NULL when it is absent or null, which both mean the default. 'name' is
// what messages call the wanted type.
static int get_member(const struct json_value *object, const char *owner, const char *key,
                      enum json_type type, const char *name, const struct json_value **ret_value,
                      struct error *err)
{
    const struct json_value *value = json_get_fold(object, key);

    *ret_value = NULL;
    if (!value || json_type(value) == JSON_NULL)
        return 0;
    if (json_type(value) != type)
        return mismatch(value, owner, key, name, err);
    *ret_value = value;
    return 0;
}

static int get_text(const struct json_value *object, const char *owner, const char *key, bool *ret_present,
                    struct slice *ret, struct error *err)
{
    const struct json_value *value;

    int rc = get_member(object, owner, key, JSON_STRING, "string", &value, err);
    if (rc < 0)
        return rc;
    *ret = value ? json_string(value) : SLICE_EMPTY;
    if (ret_present)
        *ret_present = value != NULL;
    return 0;
}

static int get_int(const struct json_value *object, const char *owner, const char *key, int64_t *ret,
                   struct error *err)
{
    const struct json_value *value;

    int rc = get_member(object, owner, key, JSON_INT, "int64", &value, err);
    if (rc == 0 && value)
        *ret = json_int(value, 0);
    return rc;
}

static int get_bool(const struct json_value *object, const char *owner, const char *key, bool *ret,
                    struct error *err)
{
    const struct json_value *value;

    int rc = get_member(object, owner, key, JSON_BOOL, "bool", &value, err);
    if (rc == 0 && value)
        *ret = json_bool(value, false);
    return rc;
}

static int get_texts(const struct json_value *object, const char *owner, const char *key, struct arena *arena,
                     struct slice **ret_texts, size_t *ret_count, struct error *err)
{
    const struct json_value *list;

    int rc = get_member(object, owner, key, JSON_ARRAY, "[]string", &list, err);
    if (rc < 0)
        return rc;
    size_t count = json_count(list);
    struct slice *texts = ARENA_ARRAY(arena, struct slice, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct json_value *text = json_at(list, i);
        if (json_type(text) != JSON_STRING && json_type(text) != JSON_NULL)
            return mismatch(text, owner, key, "string", err);
        texts[i] = json_string(text);
    }
    *ret_texts = texts;
    *ret_count = count;
    return 0;
}

// null is NaN here, unlike everywhere else (5.3).
static int get_scale(const struct json_value *object, double *ret, struct error *err)
{
    const struct json_value *value = json_get_fold(object, "scale-by");

    if (!value)
        return 0;
    switch (json_type(value)) {
    case JSON_INT:
    case JSON_REAL:
        *ret = json_double(value, 0);
        return 0;
    case JSON_NULL:
        *ret = NAN;
        return 0;
    case JSON_BOOL:
    case JSON_STRING:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    struct slice source = json_source(value);
    struct buf quoted;
    buf_init(&quoted, BUF_MAX_DEFAULT);
    store_api_append_quoted(&quoted, slice_of(source.ptr, MIN(source.len, (size_t)64)));
    int rc = error_set(err, ERR_INVALID, "strconv.ParseFloat: parsing %s: invalid syntax", buf_cstr(&quoted));
    buf_release(&quoted);
    return rc;
}

static int decode_query(const struct json_value *object, struct slice cluster, struct arena *arena,
                        struct store_query *ret, struct error *err)
{
    struct slice *ids;
    int rc;

    ret->cluster = cluster;
    ret->type = ret->subtype = ret->host = ret->metric = SLICE_EMPTY;
    if (json_type(object) == JSON_NULL)
        return 0;
    if (json_type(object) != JSON_OBJECT)
        return mismatch(object, REQUEST, "queries", "api.APIQuery", err);
    if ((rc = get_text(object, QUERY, "metric", NULL, &ret->metric, err)) < 0 ||
        (rc = get_text(object, QUERY, "host", NULL, &ret->host, err)) < 0 ||
        (rc = get_int(object, QUERY, "resolution", &ret->resolution_s, err)) < 0 ||
        (rc = get_text(object, QUERY, "type", &ret->has_type, &ret->type, err)) < 0 ||
        (rc = get_text(object, QUERY, "subtype", &ret->has_subtype, &ret->subtype, err)) < 0 ||
        (rc = get_bool(object, QUERY, "aggreg", &ret->aggregate, err)) < 0 ||
        (rc = get_scale(object, &ret->scale_by, err)) < 0)
        return rc;
    if ((rc = get_texts(object, QUERY, "type-ids", arena, &ids, &ret->type_id_count, err)) < 0)
        return rc;
    ret->type_ids = ids;
    if ((rc = get_texts(object, QUERY, "subtype-ids", arena, &ids, &ret->subtype_id_count, err)) < 0)
        return rc;
    ret->subtype_ids = ids;
    return 0;
}

static int decode_queries(const struct json_value *root, struct arena *arena, struct query_request *ret,
                          struct error *err)
{
    const struct json_value *list;

    int rc = get_member(root, REQUEST, "queries", JSON_ARRAY, "[]api.APIQuery", &list, err);
    if (rc < 0)
        return rc;
    ret->query_count = json_count(list);
    if (ret->query_count > QUERIES_MAX)
        return error_set(err, ERR_LIMIT, "%zu queries in one request, at most %zu are allowed",
                         ret->query_count, QUERIES_MAX);
    ret->queries = ARENA_ARRAY(arena, struct store_query, ret->query_count + 1);
    for (size_t i = 0; i < ret->query_count; i++)
        if ((rc = decode_query(json_at(list, i), ret->cluster, arena, &ret->queries[i], err)) < 0)
            return rc;
    return 0;
}

static int decode_request(const struct json_value *root, struct arena *arena, struct query_request *ret,
                          struct error *err)
{
    struct store_query_range *range = &ret->range;
    int rc;

    ret->cluster = SLICE_EMPTY;
    range->with_stats = range->with_data = range->with_padding = true;
    if (json_type(root) != JSON_OBJECT && json_type(root) != JSON_NULL)
        return store_api_mismatch(root, "value", "api.APIQueryRequest", err);
    if ((rc = get_text(root, REQUEST, "cluster", NULL, &ret->cluster, err)) < 0 ||
        (rc = get_int(root, REQUEST, "from", &range->from, err)) < 0 ||
        (rc = get_int(root, REQUEST, "to", &range->to, err)) < 0 ||
        (rc = get_bool(root, REQUEST, "with-stats", &range->with_stats, err)) < 0 ||
        (rc = get_bool(root, REQUEST, "with-data", &range->with_data, err)) < 0 ||
        (rc = get_bool(root, REQUEST, "with-padding", &range->with_padding, err)) < 0 ||
        (rc = get_texts(root, REQUEST, "for-all-nodes", arena, &ret->all_metrics, &ret->all_metric_count,
                        err)) < 0)
        return rc;
    return decode_queries(root, arena, ret, err);
}

// ---- answering -----------------------------------------------------------------------------------

// Query number 'index' of the request: the explicit ones first, then for each host all metrics of
// for-all-nodes.
static struct store_query query_at(const struct query_answer *answer, size_t index)
{
    const struct query_request *request = &answer->request;

    if (index < request->query_count)
        return request->queries[index];
    index -= request->query_count;
    return (struct store_query){.cluster = request->cluster,
                                .host = answer->hosts[index / request->all_metric_count],
                                .metric = request->all_metrics[index % request->all_metric_count],
                                .type = SLICE_EMPTY,
                                .subtype = SLICE_EMPTY};
}

static void write_texts(struct json_writer *w, const char *key, const struct slice *texts, size_t count)
{
    if (count == 0)
        return;
    json_write_key(w, key);
    json_write_array_begin(w);
    for (size_t i = 0; i < count; i++)
        json_write_string(w, texts[i]);
    json_write_array_end(w);
}

static void echo_query(const struct store_query *query, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_write_object_begin(&w);
    if (query->has_type) {
        json_write_key(&w, "type");
        json_write_string(&w, query->type);
    }
    if (query->has_subtype) {
        json_write_key(&w, "subtype");
        json_write_string(&w, query->subtype);
    }
    json_write_key(&w, "metric");
    json_write_string(&w, query->metric);
    json_write_key(&w, "host");
    json_write_string(&w, query->host);
    json_write_key(&w, "resolution");
    json_write_int(&w, query->resolution_s);
    write_texts(&w, "type-ids", query->type_ids, query->type_id_count);
    write_texts(&w, "subtype-ids", query->subtype_ids, query->subtype_id_count);
    if (query->scale_by < 0 || query->scale_by > 0 || isnan(query->scale_by)) {
        json_write_key(&w, "scale-by");
        json_write_fixed(&w, query->scale_by, 2);
    }
    json_write_key(&w, "aggreg");
    json_write_bool(&w, query->aggregate);
    json_write_object_end(&w);
}

static void append_entry(const struct store_api *api, struct buf *out, const struct store_series *series,
                         const struct store_query *query, bool with_stats)
{
    // Without statistics upstream scales a zero: -0.00 for a negative factor (5.3).
    double zero = !series->error && query->scale_by < 0 ? -0.0 : 0.0;
    bool computed = with_stats && !series->error;
    const double values[] = {computed ? series->avg : zero, computed ? series->min : zero,
                             computed ? series->max : zero};
    static const char *const keys[] = {",\"avg\":", ",\"min\":", ",\"max\":"};
    char text[NUMBER_TEXT_SIZE];

    buf_append_byte(out, '{');
    if (series->error) {
        buf_append_cstr(out, "\"error\":");
        json_append_quoted(out, slice_from_cstr(series->error));
        buf_append_byte(out, ',');
    }
    if (series->count > 0) {
        buf_append_cstr(out, "\"data\":[");
        value_text_append(&api->values, series->data, series->count, out);
        buf_append_cstr(out, "],");
    }
    buf_printf(out, "\"from\":%lld,\"to\":%lld,\"resolution\":%lld", (long long)series->from,
               (long long)series->to, (long long)series->resolution_s);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        buf_append_cstr(out, keys[i]);
        buf_append(out, text, number_format_fixed(values[i], 2, text));
    }
    buf_append_byte(out, '}');
}

static int append_result(const struct query_answer *answer, struct arena *scratch,
                         const struct store_query *query, struct buf *out, struct error *err)
{
    struct store_series *entries = NULL, failed = {0};
    const struct store_query_range *range = &answer->request.range;
    struct error query_err = ERROR_INIT;
    size_t count = 0;

    arena_clear(scratch);
    int rc = store_query_run(answer->api->store, query, range, scratch, &entries, &count, &query_err);
    if (rc < 0 && err) { // the head is not sent yet
        *err = query_err;
        return rc;
    }
    if (rc < 0) {
        failed.error = query_err.text;
        entries = &failed;
        count = 1;
    }
    buf_append_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_append_byte(out, ',');
        append_entry(answer->api, out, &entries[i], query, range->with_stats);
    }
    buf_append_byte(out, ']');
    return 0;
}

static void append_head(struct query_answer *answer, struct buf *out)
{
    bool echo = answer->total > answer->request.query_count;

    buf_append_cstr(out, echo ? "{\"queries\":[" : "{\"results\":[");
    answer->phase = echo ? PHASE_ECHO : PHASE_RESULTS;
}

// With explicit queries and for-all-nodes together all are echoed, so that the indices match (MS-23).
static void append_echo(struct query_answer *answer, struct buf *out)
{
    if (answer->next == answer->total) {
        buf_append_cstr(out, "],\"results\":[");
        answer->phase = PHASE_RESULTS;
        answer->next = 0;
        return;
    }
    if (answer->next)
        buf_append_byte(out, ',');
    struct store_query query = query_at(answer, answer->next++);
    echo_query(&query, out);
}

static int append_next_result(struct query_answer *answer, struct buf *out, struct error *err)
{
    if (answer->next == answer->total) {
        buf_append_cstr(out, "]}\n");
        answer->phase = PHASE_DONE;
        return 0;
    }
    if (answer->next)
        buf_append_byte(out, ',');
    struct store_query query = query_at(answer, answer->next++);
    int rc = append_result(answer, answer->part->scratch, &query, out, err);
    answer->alone_bytes += arena_used_bytes(answer->part->scratch);
    answer->alone++;
    return rc;
}

// ---- with helpers --------------------------------------------------------------------------------

static struct part *part_new(void)
{
    struct part *part = NEW(struct part);

    part->scratch = arena_new(ARENA_MAX);
    buf_init(&part->out, BUF_MAX_DEFAULT);
    part->failed = SIZE_MAX;
    return part;
}

static void part_free(struct part **part)
{
    if (!*part)
        return;
    arena_free(&(*part)->scratch);
    buf_release(&(*part)->out);
    mem_free(*part);
    *part = NULL;
}

static void batch_free(struct batch **batch)
{
    for (size_t i = 1; *batch && i <= HELPERS_MAX; i++) // the first is the answer's own
        part_free(&(*batch)->parts[i]);
    mem_free(*batch);
    *batch = NULL;
}

// Whether the queries left are so much work that threads pay. The memory that the ones before took tells: plans of many
// series that are summed, and values.
static bool is_worth_helpers(const struct query_answer *answer)
{
    size_t left = answer->total - answer->next;

    return left > 1 && answer->alone >= ALONE_MIN &&
           answer->alone_bytes / answer->alone >= BATCH_WORTH / left;
}

static int add_result(struct batch *batch, size_t i, struct part *part, size_t worker)
{
    size_t at = part->out.len;
    struct store_query query = query_at(batch->answer, batch->first + i);

    int rc = append_result(batch->answer, part->scratch, &query, &part->out,
                           batch->stop_on_error ? &part->err : NULL);
    batch->made[i].part = (uint32_t)worker;
    batch->made[i].offset = at;
    batch->made[i].len = part->out.len - at;
    atomic_fetch_add_explicit(&batch->bytes, part->out.len - at, memory_order_relaxed);
    return rc;
}

static void work_on_batch(void *ctx, size_t worker)
{
    struct batch *batch = ctx;

    if (!batch->parts[worker])
        batch->parts[worker] = part_new();
    struct part *part = batch->parts[worker];
    while (atomic_load_explicit(&batch->bytes, memory_order_relaxed) < batch->limit) {
        size_t first = atomic_fetch_add_explicit(&batch->taken, batch->share, memory_order_relaxed);
        for (size_t i = first; i < MIN(first + batch->share, batch->count); i++) {
            if (add_result(batch, i, part, worker) == 0)
                continue;
            part->failed = i;
            atomic_store_explicit(&batch->bytes, batch->limit, memory_order_relaxed);
            return;
        }
        if (first + batch->share >= batch->count)
            return;
    }
}

// Neighbours often ask for one host, whose lock threads would wait for. But a share of large queries must not be much more than
// what is to be made.
static size_t share_of(const struct query_answer *answer, size_t limit)
{
    size_t query_bytes = answer->alone_bytes / answer->alone + 1;

    return MAX(MIN(limit / query_bytes / 4, (size_t)SHARE_MAX), (size_t)1);
}

static void batch_prepare(struct query_answer *answer, size_t limit, bool stop_on_error)
{
    if (!answer->batch) {
        answer->batch = NEW(struct batch);
        answer->batch->answer = answer;
        answer->batch->parts[0] = answer->part;
    }
    struct batch *batch = answer->batch;
    for (size_t i = 0; i <= HELPERS_MAX && batch->parts[i]; i++)
        buf_clear(&batch->parts[i]->out);
    batch->first = answer->next;
    batch->count = MIN(answer->total - answer->next, (size_t)BATCH_MAX);
    batch->limit = limit;
    batch->share = share_of(answer, limit);
    batch->stop_on_error = stop_on_error;
    atomic_store_explicit(&batch->taken, 0, memory_order_relaxed);
    atomic_store_explicit(&batch->bytes, 0, memory_order_relaxed);
}

// The error that one thread alone would have met first.
static int batch_check(const struct batch *batch, struct error *err)
{
    const struct part *first = batch->parts[0];

    for (size_t i = 0; i <= HELPERS_MAX && batch->parts[i]; i++) {
        if (buf_failed(&batch->parts[i]->out))
            return error_set(err, ERR_LIMIT, "the answer is too large");
        if (batch->parts[i]->failed < first->failed)
            first = batch->parts[i];
    }
    if (first->failed == SIZE_MAX)
        return 0;
    *err = first->err;
    return first->err.code;
}

// At least one result, about 'limit' bytes of them.
static int append_batch(struct query_answer *answer, struct buf *out, size_t limit, struct error *err)
{
    batch_prepare(answer, MAX(limit, (size_t)1), err != NULL);
    struct batch *batch = answer->batch;
    helpers_run(&answer->api->helpers, work_on_batch, batch);
    int rc = batch_check(batch, err);
    if (rc < 0)
        return rc;
    size_t done = MIN(atomic_load_explicit(&batch->taken, memory_order_relaxed), batch->count);
    for (size_t i = 0; i < done; i++) {
        if (answer->next++)
            buf_append_byte(out, ',');
        buf_append(out, batch->parts[batch->made[i].part]->out.ptr + batch->made[i].offset,
                   batch->made[i].len);
    }
    return 0;
}

// Makes the answer until it is done or *out has 'limit' bytes. err: as append_result.
static int produce(struct query_answer *answer, struct buf *out, size_t limit, struct error *err)
{
    int rc = 0;

    while (rc == 0 && answer->phase != PHASE_DONE && out->len < limit && !buf_failed(out)) {
        if (answer->phase == PHASE_HEAD)
            append_head(answer, out);
        else if (answer->phase == PHASE_ECHO)
            append_echo(answer, out);
        else if (is_worth_helpers(answer))
            rc = append_batch(answer, out, limit - out->len, err);
        else
            rc = append_next_result(answer, out, err);
    }
    if (rc == 0 && buf_failed(out))
        return error_set(err, ERR_LIMIT, "the answer is too large");
    return rc;
}

// ---- life of an answer ---------------------------------------------------------------------------

static void answer_free(void *ctx)
{
    struct query_answer *answer = ctx;

    json_doc_free(&answer->doc);
    arena_free(&answer->arena);
    batch_free(&answer->batch);
    part_free(&answer->part);
    buf_release(&answer->first);
    mem_free(answer);
}

static int stream_next(void *ctx, struct buf *out)
{
    struct query_answer *answer = ctx;

    if (answer->first.len > 0) {
        buf_append(out, answer->first.ptr, answer->first.len);
        buf_release(&answer->first);
        return 1;
    }
    if (answer->phase == PHASE_DONE)
        return 0;
    return produce(answer, out, out->len + NEXT_PIECE, NULL) < 0 ? ERR_LIMIT : 1;
}

static void stream_free(void *ctx)
{
    struct query_answer *answer = ctx;

    store_api_record(&answer->api->endpoints[ENDPOINT_QUERY], 200, answer->begin);
    answer_free(answer);
}

static int answer_start(struct query_answer *answer, struct slice body, struct error *err)
{
    if (body.len > QUERY_BODY_MAX)
        return error_set(err, ERR_LIMIT, "the request body is too large");
    int rc = json_parse(body, &answer->doc, err);
    if (rc == 0)
        rc = decode_request(json_root(answer->doc), answer->arena, &answer->request, err);
    if (rc < 0)
        return rc;
    if (answer->request.all_metric_count > 0)
        store_hosts(answer->api->store, answer->request.cluster, answer->arena, &answer->hosts,
                    &answer->host_count);
    if (__builtin_mul_overflow(answer->host_count, answer->request.all_metric_count, &answer->total) ||
        answer->total > QUERIES_MAX)
        return error_set(err, ERR_LIMIT, "for-all-nodes asks for more than %zu queries", QUERIES_MAX);
    answer->total += answer->request.query_count;
    return produce(answer, &answer->first, FIRST_PIECE, err);
}

static struct query_answer *answer_new(struct store_api *api)
{
    struct query_answer *answer = NEW(struct query_answer);

    answer->api = api;
    answer->begin = clock_mono();
    answer->arena = arena_new(ARENA_MAX);
    answer->part = part_new();
    buf_init(&answer->first, BUF_MAX_DEFAULT);
    return answer;
}

void store_api_query(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct store_api *api = ctx;
    struct error err = ERROR_INIT;
    struct query_answer *answer = answer_new(api);

    int rc = answer_start(answer, req->body, &err);
    if (rc < 0) {
        store_api_error(api, ENDPOINT_QUERY, req, resp, 400, err.text);
        answer_free(answer);
        return;
    }
    resp->status = 200;
    http_set_header(resp, "Content-Type", "application/json");
    if (answer->phase == PHASE_DONE) {
        buf_release(&resp->body);
        resp->body = answer->first;
        buf_init(&answer->first, BUF_MAX_DEFAULT);
        answer_free(answer);
        return;
    }
    resp->stream = stream_next;
    resp->stream_ctx = answer;
    resp->stream_free = stream_free;
}
