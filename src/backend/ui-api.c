// SPDX-License-Identifier: MIT
#include "backend/ui-api.h"

#include <inttypes.h>
#include <math.h>

#include "backend/rest-jobs.h"
#include "base/hashmap.h"
#include "base/log.h"
#include "codec/json-writer.h"

#define RECENT_JOBS      200 // finished jobs whose nodes are listed too
#define MAX_PLOT_JOBS    200
#define MAX_PLOT_POINTS  2000
#define MAX_PLOT_METRICS 64

// ---- info -------------------------------------------------------------------------------------------------
struct node_list {
    struct arena *arena;
    const struct cluster *cluster;
    struct hashmap *seen;
    struct slice *hosts;
    size_t count, cap;
};

static void add_node(struct node_list *l, struct slice host)
{
    if (hashmap_has(l->seen, host))
        return;
    hashmap_put(l->seen, host, NULL);
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        struct slice *grown = ARENA_ARRAY(l->arena, struct slice, cap);
        for (size_t i = 0; i < l->count; i++)
            grown[i] = l->hosts[i];
        l->hosts = grown;
        l->cap = cap;
    }
    l->hosts[l->count++] = arena_copy(l->arena, host);
}

static void add_job_node(void *ctx, struct slice cluster, struct slice host)
{
    struct node_list *l = ctx;
    if (slice_eq_cstr(cluster, l->cluster->name))
        add_node(l, host);
}

static int compare_slices(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void write_node(const struct ui_api *ui, const struct cluster *cluster, struct slice host,
                       struct json_writer *w)
{
    const struct subcluster *sub = subcluster_of_host(cluster, host);
    int64_t seen = 0;
    bool known = store_last_sample(ui->jobs->store, slice_from_cstr(cluster->name), host, &seen);
    json_write_object_begin(w);
    json_write_key(w, "host");
    json_write_string(w, host);
    json_write_key(w, "subcluster");
    json_write_cstr(w, sub ? sub->name : "");
    json_write_key(w, "lastSeen");
    if (known)
        json_write_int(w, seen);
    else
        json_write_null(w);
    json_write_object_end(w);
}

static int write_cluster(const struct ui_api *ui, const struct cluster *cluster, struct arena *arena,
                         struct json_writer *w, struct error *err)
{
    struct node_list nodes = {.arena = arena, .cluster = cluster, .seen = hashmap_new()};
    struct slice *known = NULL;
    size_t known_count = 0;
    store_hosts(ui->jobs->store, slice_from_cstr(cluster->name), arena, &known, &known_count);
    for (size_t i = 0; i < known_count; i++)
        add_node(&nodes, known[i]);
    struct sql_conn *conn = sql_take_reader(ui->jobs->pool);
    int rc = sql_job_visit_hosts(conn, INT64_MAX, RECENT_JOBS, add_job_node, &nodes, err);
    sql_give_back(&conn);
    if (nodes.count)
        qsort(nodes.hosts, nodes.count, sizeof(*nodes.hosts), compare_slices);
    json_write_object_begin(w);
    json_write_key(w, "name");
    json_write_cstr(w, cluster->name);
    json_write_key(w, "simulated");
    json_write_bool(w, json_bool(json_get(cluster->source, "simulated"), false));
    json_write_key(w, "nodes");
    json_write_array_begin(w);
    for (size_t i = 0; rc == 0 && i < nodes.count; i++)
        write_node(ui, cluster, nodes.hosts[i], w);
    json_write_array_end(w);
    json_write_object_end(w);
    hashmap_free(&nodes.seen);
    return rc;
}

static void get_info(void *ctx, struct http_request *req, const struct user *user UNUSED,
                     struct http_response *resp)
{
    const struct ui_api *ui = ctx;
    struct json_writer w;
    struct error err = ERROR_INIT;
    int rc = 0;
    json_writer_init(&w, &resp->body);
    json_write_object_begin(&w);
    json_write_key(&w, "version");
    json_write_cstr(&w, CC_VERSION);
    json_write_key(&w, "demo");
    json_write_bool(&w, ui->demo);
    json_write_key(&w, "authentication");
    json_write_bool(&w, ui->authentication);
    json_write_key(&w, "now");
    json_write_int(&w, ui->jobs->now_s());
    json_write_key(&w, "clusters");
    json_write_array_begin(&w);
    for (size_t i = 0; rc == 0 && i < cluster_set_count(ui->jobs->clusters); i++)
        rc = write_cluster(ui, cluster_set_at(ui->jobs->clusters, i), req->arena, &w, &err);
    json_write_array_end(&w);
    json_write_object_end(&w);
    buf_append_byte(&resp->body, '\n');
    if (rc) {
        log_error("info: %s", err.text);
        rest_error(resp, 500, "%s", err.text);
    } else {
        rest_json(resp, 200);
    }
}

// ---- jobs -------------------------------------------------------------------------------------------------
static const char *const sort_names[] = {[JOB_SORT_START_TIME] = "startTime",
                                         [JOB_SORT_DURATION] = "duration",
                                         [JOB_SORT_NUM_NODES] = "numNodes",
                                         [JOB_SORT_JOB_ID] = "jobId"};

static bool more_parameters(struct job_filter *f, struct slice name, struct slice value,
                            const char **ret_error)
{
    if (slice_eq_cstr(name, "user")) {
        f->user = value;
    } else if (slice_eq_cstr(name, "host")) {
        f->host = value;
    } else if (slice_eq_cstr(name, "name")) {
        f->name = value;
    } else if (slice_eq_cstr(name, "order")) {
        f->ascending = slice_eq_cstr(value, "asc");
        if (!f->ascending && !slice_eq_cstr(value, "desc"))
            *ret_error = "order must be asc or desc";
    } else if (slice_eq_cstr(name, "sort")) {
        size_t i = 0;
        while (i < ARRAY_LEN(sort_names) && !slice_eq_cstr(value, sort_names[i]))
            i++;
        f->sort = i < ARRAY_LEN(sort_names) ? (enum job_sort)i : JOB_SORT_START_TIME;
        if (i == ARRAY_LEN(sort_names))
            *ret_error = "sort must be one of startTime, duration, numNodes, jobId";
    } else {
        return false;
    }
    return **ret_error == '\0';
}

static void get_jobs(void *ctx, struct http_request *req, const struct user *user UNUSED,
                     struct http_response *resp)
{
    const struct ui_api *ui = ctx;
    struct rest_list list;
    int64_t total = 0;
    struct error err = ERROR_INIT;
    if (!rest_parse_list(req, ui->jobs->now_s(), more_parameters, &list, resp))
        return;
    struct sql_conn *conn = sql_take_reader(ui->jobs->pool);
    int rc = sql_job_count(conn, &list.filter, &total, &err);
    sql_give_back(&conn);
    if (rc) {
        log_error("job list: %s", err.text);
        rest_error(resp, 500, "%s", err.text);
        return;
    }
    buf_append_byte(&resp->body, '{');
    if (!rest_write_jobs(ui->jobs, &list, &resp->body, resp))
        return;
    buf_printf(&resp->body, ",\"items\":%" PRId64 ",\"page\":%" PRId64 ",\"total\":%" PRId64 "}\n",
               list.items, list.page, total);
    rest_json(resp, 200);
}

// ---- small plots ------------------------------------------------------------------------------------------
struct plot {
    size_t points, width; // steps per point
    double *sum, *min, *max;
    size_t *n;
};

static void add_value(struct plot *p, size_t at, double v)
{
    if (isnan(v))
        return;
    p->min[at] = p->n[at] && p->min[at] < v ? p->min[at] : v;
    p->max[at] = p->n[at] && p->max[at] > v ? p->max[at] : v;
    p->sum[at] += v;
    p->n[at]++;
}

// Over all nodes of the job, and over as many steps as fall into one point.
static void fill_plot(const struct job_metric *m, size_t max_points, struct arena *arena, struct plot *p)
{
    size_t steps = 0;
    for (size_t i = 0; i < m->series_count; i++)
        steps = MAX(steps, m->series[i].count);
    p->width = MAX((steps + max_points - 1) / max_points, (size_t)1);
    p->points = (steps + p->width - 1) / p->width;
    p->sum = ARENA_ARRAY(arena, double, p->points + 1);
    p->min = ARENA_ARRAY(arena, double, p->points + 1);
    p->max = ARENA_ARRAY(arena, double, p->points + 1);
    p->n = ARENA_ARRAY(arena, size_t, p->points + 1);
    for (size_t i = 0; i < m->series_count; i++) {
        for (size_t t = 0; t < m->series[i].count; t++)
            add_value(p, t / p->width, m->series[i].data[t]);
    }
}

static void write_plot(const struct job_metric *m, const struct job *job, const struct plot *p,
                       struct json_writer *w)
{
    static const char *const names[] = {"mean", "min", "max"};
    json_write_object_begin(w);
    json_write_key(w, "from");
    json_write_int(w, job->start_time);
    json_write_key(w, "step");
    json_write_int(w, m->timestep_s * (int64_t)p->width);
    json_write_key(w, "unit");
    json_write_object_begin(w);
    json_write_key(w, "base");
    json_write_cstr(w, m->unit.base);
    json_write_key(w, "prefix");
    json_write_cstr(w, m->unit.prefix);
    json_write_object_end(w);
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        json_write_key(w, names[k]);
        json_write_array_begin(w);
        for (size_t i = 0; i < p->points; i++) {
            double v = k == 0 ? p->sum[i] / (double)p->n[i] : k == 1 ? p->min[i] : p->max[i];
            json_write_fixed(w, p->n[i] ? v : NAN, 2);
        }
        json_write_array_end(w);
    }
    json_write_object_end(w);
}

struct plot_request {
    int64_t ids[MAX_PLOT_JOBS];
    size_t id_count;
    struct slice metrics[MAX_PLOT_METRICS];
    size_t metric_count;
    int64_t points;
};

static void write_job_plots(const struct ui_api *ui, const struct plot_request *r, int64_t id,
                            struct json_writer *w)
{
    struct arena *arena = arena_new((size_t)8 << 30);
    struct job job;
    struct job_data data;
    struct error err = ERROR_INIT;
    enum scope scope = SCOPE_NODE;
    struct jobs_data_request request = {
        .metrics = r->metrics, .metric_count = r->metric_count, .scopes = &scope, .scope_count = 1};
    int rc = jobs_get(ui->jobs, id, arena, &job, &err);
    if (rc == 0)
        rc = jobs_load_data(ui->jobs, &job, &request, arena, &data, &err);
    if (rc && rc != ERR_NOT_FOUND)
        log_warn("plots of job %" PRId64 ": %s", id, err.text);
    json_write_object_begin(w);
    for (size_t i = 0; rc == 0 && i < data.count; i++) {
        const struct job_metric *m = &data.metrics[i];
        if (m->scope != SCOPE_NODE || m->series_count == 0)
            continue;
        struct plot plot;
        fill_plot(m, (size_t)r->points, arena, &plot);
        json_write_key(w, m->name);
        write_plot(m, &job, &plot, w);
    }
    json_write_object_end(w);
    arena_free(&arena);
}

static bool are_all(const struct json_value *list, enum json_type type)
{
    for (size_t i = 0; i < json_count(list); i++) {
        if (json_type(json_at(list, i)) != type)
            return false;
    }
    return true;
}

static int parse_plot_request(const struct json_value *root, struct arena *arena, struct plot_request *r,
                              struct error *err)
{
    const struct json_value *ids = json_get(root, "ids"), *metrics = json_get(root, "metrics");
    r->points = json_get(root, "points") ? json_int(json_get(root, "points"), 0) : 60;
    if (json_type(ids) != JSON_ARRAY || json_type(metrics) != JSON_ARRAY || json_count(metrics) == 0)
        return error_set(err, ERR_INVALID, "expected {\"ids\":[...],\"metrics\":[...],\"points\":60}");
    if (json_count(ids) > MAX_PLOT_JOBS || json_count(metrics) > MAX_PLOT_METRICS)
        return error_set(err, ERR_INVALID, "at most %d ids and %d metrics", MAX_PLOT_JOBS, MAX_PLOT_METRICS);
    if (r->points < 2 || r->points > MAX_PLOT_POINTS)
        return error_set(err, ERR_INVALID, "points must be between 2 and %d", MAX_PLOT_POINTS);
    if (!are_all(ids, JSON_INT) || !are_all(metrics, JSON_STRING))
        return error_set(err, ERR_INVALID, "ids must be integers and metrics names");
    for (; r->id_count < json_count(ids); r->id_count++)
        r->ids[r->id_count] = json_int(json_at(ids, r->id_count), 0);
    for (; r->metric_count < json_count(metrics); r->metric_count++)
        r->metrics[r->metric_count] = arena_copy(arena, json_string(json_at(metrics, r->metric_count)));
    return 0;
}

static void post_job_plots(void *ctx, struct http_request *req, const struct user *user UNUSED,
                           struct http_response *resp)
{
    const struct ui_api *ui = ctx;
    struct plot_request *r = ARENA_NEW(req->arena, struct plot_request);
    struct json_doc *doc = NULL;
    struct error err = ERROR_INIT;
    int rc = rest_parse_body(req, &doc, &err);
    if (rc == 0)
        rc = parse_plot_request(json_root(doc), req->arena, r, &err);
    json_doc_free(&doc);
    if (rc) {
        rest_error(resp, rc == ERR_LIMIT ? 413 : 400, "%s", err.text);
        return;
    }
    struct json_writer w;
    json_writer_init(&w, &resp->body);
    json_write_object_begin(&w);
    json_write_key(&w, "jobs");
    json_write_object_begin(&w);
    for (size_t i = 0; i < r->id_count; i++) {
        json_write_key(&w, arena_printf(req->arena, "%" PRId64, r->ids[i]));
        write_job_plots(ui, r, r->ids[i], &w);
    }
    json_write_object_end(&w);
    json_write_object_end(&w);
    buf_append_byte(&resp->body, '\n');
    rest_json(resp, 200);
}

const struct rest_route ui_api_routes[] = {{"GET", "/ui/api/info", ROUTE_API, get_info},
                                           {"GET", "/ui/api/jobs", ROUTE_API, get_jobs},
                                           {"POST", "/ui/api/job-plots", ROUTE_API, post_job_plots},
                                           {0}};
