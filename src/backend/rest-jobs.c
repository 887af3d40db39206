// SPDX-License-Identifier: MIT
#include "backend/rest-jobs.h"

#include <inttypes.h>

#include "base/log.h"
#include "base/strnum.h"
#include "codec/json-writer.h"

#define DEFAULT_ITEMS 25

static int status_of(int rc)
{
    switch (rc) {
    case ERR_INVALID:
        return 400;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_EXISTS:
        return 422;
    default:
        return 500;
    }
}

// Failures of ours go to the log too: the client can do nothing about them.
static void answer_failure(struct http_response *resp, int rc, const struct error *err)
{
    int status = status_of(rc);
    if (status == 500)
        log_error("%s", err->text);
    rest_error(resp, status, "%s", err->text);
}

// ---- start and stop ---------------------------------------------------------------------------------------
static void answer_bad_body(struct http_response *resp, const char *what, int rc, const struct error *err)
{
    rest_error(resp, rc == ERR_LIMIT ? 413 : 400, "%s failed: %s", what, err->text);
}

static void start_job(void *ctx, struct http_request *req, const struct user *user UNUSED,
                      struct http_response *resp)
{
    const struct rest_jobs *rest = ctx;
    struct json_doc *doc = NULL;
    struct job job;
    struct error err = ERROR_INIT;
    int rc = rest_parse_body(req, &doc, &err);
    if (rc == 0)
        rc = job_decode(json_root(doc), true, req->arena, &job, &err);
    json_doc_free(&doc);
    if (rc) {
        answer_bad_body(resp, "parsing request body", rc, &err);
        return;
    }
    rc = jobs_start(rest->jobs, &job, &err);
    if (rc)
        answer_failure(resp, rc, &err);
    else
        rest_message(resp, 201, "success");
}

static int stop_member(const struct json_value *v, const char *name, enum json_type wanted, struct error *err)
{
    static const char *const go_types[] = {[JSON_INT] = "int64", [JSON_STRING] = "string"};
    enum json_type type = json_type(v);
    if (type == wanted || type == JSON_NULL)
        return 0;
    struct slice source = json_source(v);
    if (type == JSON_REAL && wanted == JSON_INT)
        return error_set(
            err, ERR_INVALID,
            "json: cannot unmarshal number %.*s into Go struct field StopJobAPIRequest.%s of type int64",
            (int)MIN(source.len, (size_t)64), source.ptr, name);
    const char *kind = json_type_name(v);
    return error_set(err, ERR_INVALID,
                     "json: cannot unmarshal %s into Go struct field StopJobAPIRequest.%s of type %s",
                     type == JSON_INT               ? "number"
                     : strcmp(kind, "boolean") == 0 ? "bool"
                                                    : kind,
                     name, go_types[wanted]);
}

struct stop_request {
    struct job_stop stop;
    bool has_job_id;
};

static int take_stop_member(struct stop_request *r, struct slice key, const struct json_value *v,
                            struct arena *arena, struct error *err)
{
    static const struct {
        const char *name;
        enum json_type type;
    } members[] = {{"jobId", JSON_INT},
                   {"cluster", JSON_STRING},
                   {"startTime", JSON_INT},
                   {"jobState", JSON_STRING},
                   {"stopTime", JSON_INT}};
    size_t i = 0;
    while (i < ARRAY_LEN(members) && !slice_eq_ignore_case(key, slice_from_cstr(members[i].name)))
        i++;
    if (i == ARRAY_LEN(members))
        return error_set(err, ERR_INVALID, "json: unknown field \"%.*s\"", (int)MIN(key.len, (size_t)100),
                         key.ptr);
    int rc = stop_member(v, members[i].name, members[i].type, err);
    if (rc || json_type(v) == JSON_NULL)
        return rc;
    struct slice text = arena_copy(arena, json_string(v));
    int64_t number = json_int(v, 0);
    switch (i) {
    case 0:
        r->has_job_id = true;
        r->stop.key.job_id = number;
        break;
    case 1:
        r->stop.key.cluster = text;
        break;
    case 2:
        r->stop.key.has_start_time = true;
        r->stop.key.start_time = number;
        break;
    case 3:
        r->stop.state = text;
        break;
    default:
        r->stop.stop_time = number;
    }
    return 0;
}

static int decode_stop(const struct json_value *root, struct arena *arena, struct stop_request *ret,
                       struct error *err)
{
    *ret = (struct stop_request){.stop = {.key = {.cluster = SLICE_EMPTY}, .state = SLICE_EMPTY}};
    if (json_type(root) == JSON_NULL)
        return 0;
    if (json_type(root) != JSON_OBJECT)
        return error_set(
            err, ERR_INVALID, "json: cannot unmarshal %s into Go value of type api.StopJobAPIRequest",
            json_type(root) == JSON_INT || json_type(root) == JSON_REAL ? "number" : json_type_name(root));
    for (size_t i = 0; i < json_count(root); i++) {
        struct slice key;
        const struct json_value *v = json_member_at(root, i, &key);
        int rc = take_stop_member(ret, key, v, arena, err);
        if (rc)
            return rc;
    }
    return 0;
}

static void stop_job(void *ctx, struct http_request *req, const struct user *user UNUSED,
                     struct http_response *resp)
{
    const struct rest_jobs *rest = ctx;
    struct json_doc *doc = NULL;
    struct stop_request request;
    struct job job;
    struct error err = ERROR_INIT;
    int rc = rest_parse_body(req, &doc, &err);
    if (rc == 0)
        rc = decode_stop(json_root(doc), req->arena, &request, &err);
    json_doc_free(&doc);
    if (rc) {
        answer_bad_body(resp, "parsing request body", rc, &err);
        return;
    }
    if (!request.has_job_id) {
        rest_error(resp, 400, "the field 'jobId' is required");
        return;
    }
    rc = jobs_stop(rest->jobs, &request.stop, req->arena, &job, &err);
    if (rc) {
        answer_failure(resp, rc, &err);
        return;
    }
    job.has_meta_data = job.has_statistics = job.has_energy_footprint = false;
    job_encode(&job, &resp->body);
    buf_append_byte(&resp->body, '\n');
    rest_json(resp, 200);
}

// ---- list -------------------------------------------------------------------------------------------------
static const char *take_start_time(struct job_filter *f, struct slice value)
{
    struct slice rest = value, from = slice_split(&rest, '-');
    int64_t a = 0, b = 0;
    if (!rest.ptr || strnum_parse_i64(from, &a, NULL) || strnum_parse_i64(rest, &b, NULL))
        return "invalid query parameter value: startTime";
    f->start_from = a;
    f->start_to = b;
    return NULL;
}

static const char *take_count(struct slice value, const char *too_small, int64_t *ret)
{
    if (strnum_parse_i64(value, ret, NULL))
        return "strconv.Atoi: parsing failed: invalid syntax";
    return *ret < 1 ? too_small : NULL;
}

static const char *take_state(struct job_filter *f, struct slice value)
{
    enum job_state state = job_state_from_name(value);
    if (state == JOB_STATE_INVALID)
        return "invalid query parameter value: state";
    for (size_t i = 0; i < f->state_count; i++) {
        if (f->states[i] == state)
            return NULL;
    }
    f->states[f->state_count++] = state;
    return NULL;
}

// NULL: taken; "": not a parameter of ours; else why it is refused.
static const char *take_parameter(struct rest_list *list, struct slice name, struct slice value)
{
    struct job_filter *f = &list->filter;
    if (slice_eq_cstr(name, "state"))
        return take_state(f, value);
    if (slice_eq_cstr(name, "cluster"))
        f->cluster = value;
    else if (slice_eq_cstr(name, "project"))
        f->project = value;
    else if (slice_eq_cstr(name, "start-time"))
        return take_start_time(f, value);
    else if (slice_eq_cstr(name, "page"))
        return take_count(value, "page must be >= 1", &list->page);
    else if (slice_eq_cstr(name, "items-per-page"))
        return take_count(value, "items-per-page must be >= 1", &list->items);
    else if (slice_eq_cstr(name, "with-metadata")) // sound: its value counts (4.5.1)
        f->with_meta_data = value.len == 0 || slice_eq_cstr(value, "true") || slice_eq_cstr(value, "1");
    else
        return "";
    return NULL;
}

bool rest_parse_list(struct http_request *req, int64_t now_s, rest_more_fn *more, struct rest_list *ret,
                     struct http_response *resp)
{
    *ret = (struct rest_list){.items = DEFAULT_ITEMS, .page = 1, .filter = {.now_s = now_s}};
    struct slice name, value;
    for (size_t position = 0; http_query_next(req, &position, &name, &value);) {
        const char *problem = take_parameter(ret, name, value);
        if (problem && !problem[0] && more && more(&ret->filter, name, value, &problem))
            continue;
        if (problem && !problem[0])
            rest_error(resp, 400, "invalid query parameter: %.*s", SLICE_FMT(name));
        else if (problem)
            rest_error(resp, 400, "%s", problem);
        if (problem)
            return false;
    }
    if (ret->page > INT64_MAX / ret->items) {
        rest_error(resp, 400, "page is too large");
        return false;
    }
    ret->filter.limit = ret->items;
    ret->filter.offset = (ret->page - 1) * ret->items;
    return true;
}

bool rest_write_jobs(const struct jobs *jobs, const struct rest_list *list, struct buf *out,
                     struct http_response *resp)
{
    struct job *rows = NULL;
    size_t count = 0;
    struct error err = ERROR_INIT;
    struct arena *arena = arena_new((size_t)4 << 30);
    struct sql_conn *conn = sql_take_reader(jobs->pool);
    int rc = sql_job_list(conn, &list->filter, arena, &rows, &count, &err);
    sql_give_back(&conn);
    if (rc) {
        answer_failure(resp, rc, &err);
    } else {
        buf_append_cstr(out, "\"jobs\":[");
        for (size_t i = 0; i < count; i++) {
            rows[i].has_energy_footprint = false;
            jobs_add_statistics(jobs, arena, &rows[i]);
            buf_append_cstr(out, i ? "," : "");
            job_encode(&rows[i], out);
        }
        buf_append_byte(out, ']');
    }
    arena_free(&arena);
    return rc == 0;
}

static void list_jobs(void *ctx, struct http_request *req, const struct user *user UNUSED,
                      struct http_response *resp)
{
    const struct rest_jobs *rest = ctx;
    struct rest_list list;
    if (!rest_parse_list(req, rest->jobs->now_s(), NULL, &list, resp))
        return;
    buf_append_byte(&resp->body, '{');
    if (!rest_write_jobs(rest->jobs, &list, &resp->body, resp))
        return;
    buf_printf(&resp->body, ",\"items\":%" PRId64 ",\"page\":%" PRId64 "}\n", list.items, list.page);
    rest_json(resp, 200);
}

// ---- one job ----------------------------------------------------------------------------------------------
static bool find_job(const struct rest_jobs *rest, struct http_request *req, struct job *ret,
                     struct http_response *resp)
{
    struct slice text = http_path_param(req, "id");
    int64_t id = 0;
    struct error err = ERROR_INIT;
    if (strnum_parse_i64(text, &id, &err)) {
        rest_error(resp, 400, "integer expected in path for id: %s", err.text);
        return false;
    }
    int rc = jobs_get(rest->jobs, id, req->arena, ret, &err);
    if (rc == ERR_NOT_FOUND)
        rest_error(resp, 422, "finding job with db id %.*s failed: %s", SLICE_FMT(text), err.text);
    else if (rc)
        answer_failure(resp, rc, &err);
    if (rc)
        return false;
    ret->has_energy_footprint = false;
    return true;
}

// The largest time step of the cluster's metrics: what the job page of upstream asks for (4.5.2).
static int64_t largest_step(const struct cluster *cluster)
{
    int64_t step = 0;
    for (size_t i = 0; i < cluster->metric_count; i++)
        step = MAX(step, cluster->metrics[i].timestep_s);
    return step;
}

static int load_page_data(const struct rest_jobs *rest, const struct job *job, const struct slice *metrics,
                          size_t count, struct arena *arena, struct job_data *ret, struct error *err)
{
    const struct cluster *cluster = cluster_find(rest->jobs->clusters, job->cluster);
    if (!cluster)
        return error_set(err, ERR_NOT_FOUND, "cluster '%.*s' of the job is not configured",
                         SLICE_FMT(job->cluster));
    enum scope scope = job->num_nodes == 1 ? SCOPE_CORE : SCOPE_NODE;
    struct jobs_data_request request = {.metrics = metrics,
                                        .metric_count = count,
                                        .scopes = &scope,
                                        .scope_count = 1,
                                        .resolution_s = largest_step(cluster)};
    return jobs_load_data(rest->jobs, job, &request, arena, ret, err);
}

static void write_meta(struct buf *out, const struct job *job)
{
    buf_append_cstr(out, "{\"Meta\":");
    job_encode(job, out);
    buf_append_cstr(out, ",\"Data\":");
}

static void get_job(void *ctx, struct http_request *req, const struct user *user UNUSED,
                    struct http_response *resp)
{
    const struct rest_jobs *rest = ctx;
    struct job job;
    struct slice all = SLICE_EMPTY;
    struct error err = ERROR_INIT;
    if (!find_job(rest, req, &job, resp))
        return;
    bool with_data = http_query_param(req, "all-metrics", &all) && slice_eq_cstr(all, "true");
    struct arena *arena = arena_new((size_t)8 << 30);
    struct job_data data;
    int rc = with_data ? load_page_data(rest, &job, NULL, 0, arena, &data, &err) : 0;
    if (rc) {
        rest_error(resp, rc == ERR_NOT_FOUND ? 422 : 500, "loading metric data of job %" PRId64 " failed: %s",
                   job.id, err.text);
    } else {
        write_meta(&resp->body, &job);
        if (with_data)
            job_data_encode(&data, &resp->body);
        else
            buf_append_cstr(&resp->body, "null");
        buf_append_cstr(&resp->body, "}\n");
        rest_json(resp, 200);
    }
    arena_free(&arena);
}

static void write_metric_list(const struct job_data *data, const char *order, struct json_writer *w)
{
    bool name_first = strcmp(order, "name") == 0;
    json_write_array_begin(w);
    for (size_t i = 0; i < data->count; i++) {
        const struct job_metric *m = &data->metrics[i];
        json_write_object_begin(w);
        if (!name_first) {
            json_write_key(w, "metric");
            job_metric_encode(m, w);
        }
        json_write_key(w, "name");
        json_write_cstr(w, m->name);
        json_write_key(w, "scope");
        json_write_cstr(w, scope_name(m->scope));
        if (name_first) {
            json_write_key(w, "metric");
            job_metric_encode(m, w);
        }
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

// The body of POST: a list of metric names.
static int decode_names(struct http_request *req, struct slice **ret_names, size_t *ret_count,
                        struct error *err)
{
    struct json_doc *doc = NULL;
    int rc = rest_parse_body(req, &doc, err);
    if (rc)
        return rc;
    const struct json_value *root = json_root(doc);
    if (json_type(root) != JSON_ARRAY && json_type(root) != JSON_NULL)
        rc = error_set(
            err, ERR_INVALID, "json: cannot unmarshal %s into Go value of type api.GetJobAPIRequest",
            json_type(root) == JSON_INT || json_type(root) == JSON_REAL ? "number" : json_type_name(root));
    *ret_count = json_count(root);
    *ret_names = ARENA_ARRAY(req->arena, struct slice, *ret_count + 1);
    for (size_t i = 0; rc == 0 && json_type(root) == JSON_ARRAY && i < *ret_count; i++) {
        const struct json_value *v = json_at(root, i);
        if (json_type(v) != JSON_STRING && json_type(v) != JSON_NULL)
            rc = error_set(err, ERR_INVALID, "json: cannot unmarshal %s into Go value of type string",
                           json_type(v) == JSON_INT || json_type(v) == JSON_REAL ? "number"
                                                                                 : json_type_name(v));
        (*ret_names)[i] = arena_copy(req->arena, json_string(v));
    }
    json_doc_free(&doc);
    return rc;
}

static void post_job(void *ctx, struct http_request *req, const struct user *user UNUSED,
                     struct http_response *resp)
{
    const struct rest_jobs *rest = ctx;
    struct job job;
    struct slice *names = NULL;
    size_t count = 0;
    struct error err = ERROR_INIT;
    if (!find_job(rest, req, &job, resp))
        return;
    int rc = decode_names(req, &names, &count, &err);
    if (rc) {
        answer_bad_body(resp, "decoding request", rc, &err);
        return;
    }
    struct arena *arena = arena_new((size_t)8 << 30);
    struct job_data data;
    job_data_init(&data, arena);
    if (count > 0) // no name asks for nothing, not for everything
        rc = load_page_data(rest, &job, names, count, arena, &data, &err);
    if (rc) {
        rest_error(resp, rc == ERR_NOT_FOUND ? 422 : 500, "loading metric data of job %" PRId64 " failed: %s",
                   job.id, err.text);
    } else {
        struct json_writer w;
        write_meta(&resp->body, &job);
        json_writer_init(&w, &resp->body);
        write_metric_list(&data, "metric", &w);
        buf_append_cstr(&resp->body, "}\n");
        rest_json(resp, 200);
    }
    arena_free(&arena);
}

// ---- metrics of a job -------------------------------------------------------------------------------------
#define MAX_SCOPES  16
#define MAX_METRICS 512

struct metric_query {
    struct slice metrics[MAX_METRICS];
    size_t metric_count;
    enum scope scopes[MAX_SCOPES];
    size_t scope_count;
};

static bool parse_metric_query(struct http_request *req, struct metric_query *q, struct http_response *resp)
{
    struct slice name, value;
    for (size_t position = 0; http_query_next(req, &position, &name, &value);) {
        if (slice_eq_cstr(name, "metric") && q->metric_count < MAX_METRICS)
            q->metrics[q->metric_count++] = value;
        if (!slice_eq_cstr(name, "scope"))
            continue;
        enum scope scope = value.len ? scope_from_name(value) : SCOPE_INVALID;
        if (scope == SCOPE_INVALID) {
            rest_error(resp, 400,
                       "unmarshaling scope failed: SCHEMA/METRICS > %.*s is not a valid MetricScope",
                       SLICE_FMT(value));
            return false;
        }
        if (q->scope_count < MAX_SCOPES)
            q->scopes[q->scope_count++] = scope;
    }
    if (q->scope_count == 0)
        q->scopes[q->scope_count++] = SCOPE_NODE;
    return true;
}

static void get_metrics(void *ctx, struct http_request *req, const struct user *user UNUSED,
                        struct http_response *resp)
{
    const struct rest_jobs *rest = ctx;
    struct metric_query *q = ARENA_NEW(req->arena, struct metric_query);
    struct job job;
    struct error err = ERROR_INIT;
    if (!parse_metric_query(req, q, resp) || !find_job(rest, req, &job, resp))
        return;
    struct jobs_data_request request = {.metrics = q->metrics,
                                        .metric_count = q->metric_count,
                                        .scopes = q->scopes,
                                        .scope_count = q->scope_count,
                                        .resolution_s = rest->default_resolution_s};
    struct arena *arena = arena_new((size_t)8 << 30);
    struct job_data data;
    int rc = jobs_load_data(rest->jobs, &job, &request, arena, &data, &err);
    if (rc) {
        buf_append_cstr(&resp->body, "{\"data\":null,\"error\":{\"message\":");
        json_append_quoted(&resp->body, slice_from_cstr(err.text));
        buf_append_cstr(&resp->body, "}}\n");
    } else {
        struct json_writer w;
        buf_append_cstr(&resp->body, "{\"data\":{\"jobMetrics\":");
        json_writer_init(&w, &resp->body);
        write_metric_list(&data, "name", &w);
        buf_append_cstr(&resp->body, "},\"error\":null}\n");
    }
    rest_json(resp, 200);
    arena_free(&arena);
}

const struct rest_route rest_jobs_routes[] = {{"POST", "/api/jobs/start_job/", ROUTE_API, start_job},
                                              {"PUT", "/api/jobs/start_job/", ROUTE_API, start_job},
                                              {"POST", "/api/jobs/stop_job/", ROUTE_API, stop_job},
                                              {"PUT", "/api/jobs/stop_job/", ROUTE_API, stop_job},
                                              {"GET", "/api/jobs/", ROUTE_API, list_jobs},
                                              {"GET", "/api/jobs/metrics/{id}", ROUTE_API, get_metrics},
                                              {"GET", "/api/jobs/{id}", ROUTE_API, get_job},
                                              {"POST", "/api/jobs/{id}", ROUTE_API, post_job},
                                              {0}};
