// SPDX-License-Identifier: MIT
#include "backend/rest-clusters.h"

#include <stdlib.h>

#include "backend/sql-job.h"
#include "base/hashmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strnum.h"
#include "codec/json-writer.h"

// ---- the description --------------------------------------------------------------------------------------
static void put_text(struct json_writer *w, const char *key, const char *text)
{
    json_write_key(w, key);
    json_write_cstr(w, text ? text : "");
}

static void put_int(struct json_writer *w, const char *key, int64_t v)
{
    json_write_key(w, key);
    json_write_int(w, v);
}

static void put_double(struct json_writer *w, const char *key, double v)
{
    json_write_key(w, key);
    json_write_double(w, v);
}

static void put_bool(struct json_writer *w, const char *key, bool v)
{
    json_write_key(w, key);
    json_write_bool(w, v);
}

static void put_unit(struct json_writer *w, const char *key, struct unit unit)
{
    json_write_key(w, key);
    json_write_object_begin(w);
    put_text(w, "base", unit.base);
    if (unit.prefix && unit.prefix[0])
        put_text(w, "prefix", unit.prefix);
    json_write_object_end(w);
}

static void put_thresholds(struct json_writer *w, double peak, double normal, double caution, double alert)
{
    put_double(w, "peak", peak);
    put_double(w, "normal", normal);
    put_double(w, "caution", caution);
    put_double(w, "alert", alert);
}

// Text and number members of the source object, where the description has them.
static struct slice source_text(const struct json_value *object, const char *key)
{
    return json_string(json_get_fold(object, key));
}

static void write_override(struct json_writer *w, const struct json_value *o)
{
    json_write_object_begin(w);
    json_write_key(w, "name");
    json_write_string(w, source_text(o, "name"));
    put_unit(w, "unit", (struct unit){.base = "", .prefix = ""});
    put_thresholds(w, json_double(json_get_fold(o, "peak"), 0), json_double(json_get_fold(o, "normal"), 0),
                   json_double(json_get_fold(o, "caution"), 0), json_double(json_get_fold(o, "alert"), 0));
    if (source_text(o, "footprint").len) {
        json_write_key(w, "footprint");
        json_write_string(w, source_text(o, "footprint"));
    }
    json_write_key(w, "energy");
    json_write_string(w, source_text(o, "energy"));
    put_bool(w, "lowerIsBetter", json_bool(json_get_fold(o, "lowerIsBetter"), false));
    put_bool(w, "restrict", json_bool(json_get_fold(o, "restrict"), false));
    put_bool(w, "remove", json_bool(json_get_fold(o, "remove"), false));
    json_write_object_end(w);
}

static const struct json_value *source_metric(const struct cluster *cluster, const char *name)
{
    const struct json_value *list = json_get_fold(cluster->source, "metricConfig");
    for (size_t i = 0; i < json_count(list); i++) {
        if (slice_eq_cstr(source_text(json_at(list, i), "name"), name))
            return json_at(list, i);
    }
    return NULL;
}

static void write_overrides(struct json_writer *w, const struct cluster *cluster, const char *metric)
{
    const struct json_value *list = json_get_fold(source_metric(cluster, metric), "subClusters");
    if (json_count(list) == 0)
        return;
    json_write_key(w, "subClusters");
    json_write_array_begin(w);
    for (size_t i = 0; i < json_count(list); i++)
        write_override(w, json_at(list, i));
    json_write_array_end(w);
}

// 'cluster' only at cluster level, where overrides are listed.
static void write_metric(struct json_writer *w, const struct metric_config *m, const struct cluster *cluster)
{
    json_write_object_begin(w);
    put_text(w, "name", m->name);
    put_unit(w, "unit", m->unit);
    put_thresholds(w, m->peak, m->normal, m->caution, m->alert);
    put_text(w, "energy", m->energy);
    put_text(w, "scope", scope_name(m->scope));
    put_text(w, "aggregation", aggregation_name(m->aggregation));
    if (m->footprint && m->footprint[0])
        put_text(w, "footprint", m->footprint);
    if (cluster)
        write_overrides(w, cluster, m->name);
    put_int(w, "timestep", m->timestep_s);
    put_bool(w, "restrict", cluster && m->restricted);
    put_bool(w, "lowerIsBetter", m->lower_is_better);
    json_write_object_end(w);
}

static void write_group(struct json_writer *w, const struct topology_group *group)
{
    json_write_array_begin(w);
    for (size_t i = 0; i < group->count; i++)
        json_write_int(w, group->threads[i]);
    json_write_array_end(w);
}

static void put_groups(struct json_writer *w, const char *key, const struct topology_group *groups,
                       size_t count)
{
    json_write_key(w, key);
    json_write_array_begin(w);
    for (size_t i = 0; i < count; i++)
        write_group(w, &groups[i]);
    json_write_array_end(w);
}

static void write_topology(struct json_writer *w, const struct topology *t)
{
    json_write_object_begin(w);
    json_write_key(w, "node");
    write_group(w, &t->node);
    put_groups(w, "socket", t->sockets, t->socket_count);
    put_groups(w, "memoryDomain", t->memory_domains, t->memory_domain_count);
    if (t->die_count)
        put_groups(w, "die", t->dies, t->die_count);
    if (t->core_count)
        put_groups(w, "core", t->cores, t->core_count);
    if (t->accelerator_count) {
        json_write_key(w, "accelerators");
        json_write_array_begin(w);
        for (size_t i = 0; i < t->accelerator_count; i++) {
            json_write_object_begin(w);
            put_text(w, "id", t->accelerators[i].id);
            put_text(w, "type", t->accelerators[i].type);
            put_text(w, "model", t->accelerators[i].model);
            json_write_object_end(w);
        }
        json_write_array_end(w);
    }
    json_write_object_end(w);
}

static void put_value(struct json_writer *w, const char *key, struct metric_value v)
{
    json_write_key(w, key);
    json_write_object_begin(w);
    put_unit(w, "unit", v.unit);
    put_double(w, "value", v.value);
    json_write_object_end(w);
}

static void put_names(struct json_writer *w, const char *key, const char **names, size_t count)
{
    json_write_key(w, key);
    json_write_array_begin(w);
    for (size_t i = 0; i < count; i++)
        json_write_cstr(w, names[i]);
    json_write_array_end(w);
}

static void write_subcluster(struct json_writer *w, const struct subcluster *s)
{
    json_write_object_begin(w);
    put_text(w, "name", s->name);
    put_text(w, "nodes", s->nodes);
    put_text(w, "processorType", s->processor_type);
    json_write_key(w, "topology");
    write_topology(w, &s->topology);
    put_value(w, "flopRateScalar", s->flop_rate_scalar);
    put_value(w, "flopRateSimd", s->flop_rate_simd);
    put_value(w, "memoryBandwidth", s->memory_bandwidth);
    json_write_key(w, "metricConfig");
    json_write_array_begin(w);
    for (size_t i = 0; i < s->metric_count; i++)
        write_metric(w, &s->metrics[i], NULL);
    json_write_array_end(w);
    if (s->footprint_count)
        put_names(w, "footprint", s->footprint, s->footprint_count);
    if (s->energy_footprint_count)
        put_names(w, "energyFootprint", s->energy_footprint, s->energy_footprint_count);
    put_int(w, "socketsPerNode", s->sockets_per_node);
    put_int(w, "coresPerSocket", s->cores_per_socket);
    put_int(w, "threadsPerCore", s->threads_per_core);
    json_write_object_end(w);
}

void cluster_encode(const struct cluster *cluster, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_write_object_begin(&w);
    put_text(&w, "name", cluster->name);
    json_write_key(&w, "metricConfig");
    json_write_array_begin(&w);
    for (size_t i = 0; i < cluster->metric_count; i++)
        write_metric(&w, &cluster->metrics[i], cluster);
    json_write_array_end(&w);
    json_write_key(&w, "subClusters");
    json_write_array_begin(&w);
    for (size_t i = 0; i < cluster->subcluster_count; i++)
        write_subcluster(&w, &cluster->subclusters[i]);
    json_write_array_end(&w);
    json_write_object_end(&w);
}

static void get_clusters(void *ctx, struct http_request *req, const struct user *user,
                         struct http_response *resp)
{
    const struct rest_clusters *rest = ctx;
    struct slice wanted = SLICE_EMPTY;
    bool only_one = http_query_param(req, "cluster", &wanted);
    if (!user_has_role(user, "api")) {
        rest_error(resp, 403, "missing role: api");
        return;
    }
    if (only_one && !cluster_find(rest->clusters, wanted)) {
        rest_error(resp, 400, "unknown cluster: %.*s", SLICE_FMT(wanted));
        return;
    }
    buf_append_cstr(&resp->body, "{\"clusters\":[");
    bool first = true;
    for (size_t i = 0; i < cluster_set_count(rest->clusters); i++) {
        const struct cluster *cluster = cluster_set_at(rest->clusters, i);
        if (only_one && !slice_eq_cstr(wanted, cluster->name))
            continue;
        buf_append_cstr(&resp->body, first ? "" : ",");
        cluster_encode(cluster, &resp->body);
        first = false;
    }
    buf_append_cstr(&resp->body, "]}\n");
    rest_json(resp, 200);
}

// ---- used nodes -------------------------------------------------------------------------------------------
struct host_row {
    struct slice cluster, host;
};

struct host_rows {
    struct arena *arena;
    struct hashmap *seen;
    struct host_row *rows;
    size_t count, cap;
};

static void collect_host(void *ctx, struct slice cluster, struct slice host)
{
    struct host_rows *h = ctx;
    char *key = arena_printf(h->arena, "%.*s/%.*s", SLICE_FMT(cluster), SLICE_FMT(host));
    if (hashmap_has(h->seen, slice_from_cstr(key)))
        return;
    hashmap_put(h->seen, slice_from_cstr(key), NULL);
    ENSURE_CAPACITY(h->rows, h->cap, h->count + 1);
    h->rows[h->count++] =
        (struct host_row){.cluster = arena_copy(h->arena, cluster), .host = arena_copy(h->arena, host)};
}

static int compare_rows(const void *a, const void *b)
{
    const struct host_row *x = a, *y = b;
    int order = slice_cmp(x->cluster, y->cluster);
    return order ? order : slice_cmp(x->host, y->host);
}

static void write_used_nodes(struct host_rows *h, struct buf *out)
{
    struct json_writer w;
    if (h->count)
        qsort(h->rows, h->count, sizeof(*h->rows), compare_rows);
    json_writer_init(&w, out);
    json_write_object_begin(&w);
    json_write_key(&w, "usedNodes");
    json_write_object_begin(&w);
    for (size_t i = 0; i < h->count; i++) {
        if (i == 0 || !slice_eq(h->rows[i].cluster, h->rows[i - 1].cluster)) {
            if (i)
                json_write_array_end(&w);
            json_write_key_slice(&w, h->rows[i].cluster);
            json_write_array_begin(&w);
        }
        json_write_string(&w, h->rows[i].host);
    }
    if (h->count)
        json_write_array_end(&w);
    json_write_object_end(&w);
    json_write_object_end(&w);
    buf_append_byte(out, '\n');
}

static void get_used_nodes(void *ctx, struct http_request *req, const struct user *user,
                           struct http_response *resp)
{
    const struct rest_clusters *rest = ctx;
    struct slice text = SLICE_EMPTY;
    int64_t before = 0;
    struct error err = ERROR_INIT;
    if (!user_has_role(user, "api")) {
        rest_error(resp, 403, "missing role: api");
        return;
    }
    if (!http_query_param(req, "ts", &text) || text.len == 0) {
        rest_error(resp, 400, "missing required query parameter: ts");
        return;
    }
    if (strnum_parse_i64(text, &before, &err)) {
        rest_error(resp, 400, "invalid timestamp format: %s", err.text);
        return;
    }
    struct host_rows hosts = {.arena = req->arena, .seen = hashmap_new()};
    struct sql_conn *conn = sql_take_reader(rest->pool);
    int rc = sql_job_visit_hosts(conn, before, 0, collect_host, &hosts, &err);
    sql_give_back(&conn);
    if (rc) {
        log_error("used nodes: %s", err.text);
        rest_error(resp, 500, "%s", err.text);
    } else {
        write_used_nodes(&hosts, &resp->body);
        rest_json(resp, 200);
    }
    hashmap_free(&hosts.seen);
    mem_free(hosts.rows);
}

const struct rest_route rest_clusters_routes[] = {{"GET", "/api/clusters/", ROUTE_API, get_clusters},
                                                  {"GET", "/api/jobs/used_nodes", ROUTE_API, get_used_nodes},
                                                  {0}};
