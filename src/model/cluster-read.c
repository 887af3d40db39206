// SPDX-License-Identifier: MIT
#include "model/cluster-private.h"

// What reading a document needs. The first problem is kept; later ones are not looked at.
struct reader {
    struct arena *arena;
    struct error *err;
    int rc;
};

static void fail(struct reader *r, const struct json_value *value, const char *member, const char *expected)
{
    if (r->rc == 0)
        r->rc = error_set_at(r->err, ERR_INVALID, json_line(value), json_column(value),
                             "line %d, column %d: '%s' must be %s, not %s", json_line(value),
                             json_column(value), member, expected, json_type_name(value));
}

// The member if it is there, not null, and of the type (JSON_REAL: any number); else NULL.
static const struct json_value *member(struct reader *r, const struct json_value *object, const char *key,
                                       enum json_type type)
{
    static const char *const names[] = {[JSON_BOOL] = "true or false",
                                        [JSON_REAL] = "a number",
                                        [JSON_STRING] = "text",
                                        [JSON_ARRAY] = "a list",
                                        [JSON_OBJECT] = "an object"};
    const struct json_value *value = json_get_fold(object, key);
    enum json_type have = json_type(value);

    if (have == JSON_NULL)
        return NULL;
    if (have == type || (type == JSON_REAL && have == JSON_INT))
        return value;
    fail(r, value, key, names[type]);
    return NULL;
}

static const char *text(struct reader *r, const struct json_value *object, const char *key)
{
    return arena_strdup(r->arena, json_string(member(r, object, key, JSON_STRING)));
}

static double number(struct reader *r, const struct json_value *object, const char *key)
{
    return json_double(member(r, object, key, JSON_REAL), 0);
}

static int64_t integer(struct reader *r, const struct json_value *object, const char *key)
{
    const struct json_value *value = member(r, object, key, JSON_REAL);
    int64_t v = json_int(value, INT64_MIN);

    if (value && v == INT64_MIN)
        fail(r, value, key, "a whole number");
    return value && v != INT64_MIN ? v : 0;
}

static bool truth(struct reader *r, const struct json_value *object, const char *key)
{
    return json_bool(member(r, object, key, JSON_BOOL), false);
}

static struct unit unit(struct reader *r, const struct json_value *object)
{
    const struct json_value *value = member(r, object, "unit", JSON_OBJECT);

    return (struct unit){.base = text(r, value, "base"), .prefix = text(r, value, "prefix")};
}

static struct metric_value metric_value(struct reader *r, const struct json_value *object, const char *key)
{
    const struct json_value *value = member(r, object, key, JSON_OBJECT);

    return (struct metric_value){.unit = unit(r, value), .value = number(r, value, "value")};
}

// Members that the cluster level and an override have in common.
static void read_thresholds(struct reader *r, const struct json_value *object, struct metric_config *ret)
{
    ret->peak = number(r, object, "peak");
    ret->normal = number(r, object, "normal");
    ret->caution = number(r, object, "caution");
    ret->alert = number(r, object, "alert");
    ret->footprint = text(r, object, "footprint");
    ret->energy = text(r, object, "energy");
    ret->lower_is_better = truth(r, object, "lowerIsBetter");
    ret->restricted = truth(r, object, "restrict");
}

static void read_metric(struct reader *r, const struct json_value *object, struct metric_config *ret)
{
    bool known;

    if (json_type(object) != JSON_OBJECT) {
        fail(r, object, "metricConfig", "a list of objects");
        return;
    }
    ret->name = text(r, object, "name");
    ret->unit = unit(r, object);
    ret->scope = scope_from_name(json_string(member(r, object, "scope", JSON_STRING)));
    ret->aggregation =
        aggregation_from_name(json_string(member(r, object, "aggregation", JSON_STRING)), &known);
    ret->timestep_s = integer(r, object, "timestep");
    read_thresholds(r, object, ret);
    // Overrides are read again per sub-cluster; here only their types matter, in order to fail early.
    const struct json_value *overrides = member(r, object, "subClusters", JSON_ARRAY);
    for (size_t i = 0; i < json_count(overrides); i++)
        if (json_type(json_at(overrides, i)) != JSON_OBJECT)
            fail(r, json_at(overrides, i), "subClusters", "a list of objects");
}

static void read_metrics(struct reader *r, const struct json_value *document, struct cluster *ret)
{
    const struct json_value *list = member(r, document, "metricConfig", JSON_ARRAY);

    ret->metric_count = json_count(list);
    if (r->rc == 0 && ret->metric_count > CLUSTER_METRICS_MAX)
        r->rc = error_set(r->err, ERR_LIMIT, "more than %d metrics", CLUSTER_METRICS_MAX);
    if (r->rc < 0)
        return;
    ret->metrics = ARENA_ARRAY(r->arena, struct metric_config, ret->metric_count);
    for (size_t i = 0; r->rc == 0 && i < ret->metric_count; i++)
        read_metric(r, json_at(list, i), &ret->metrics[i]);
}

static void read_subcluster(struct reader *r, const struct json_value *object, struct subcluster *ret)
{
    if (json_type(object) != JSON_OBJECT) {
        fail(r, object, "subClusters", "a list of objects");
        return;
    }
    ret->name = text(r, object, "name");
    ret->nodes = text(r, object, "nodes");
    ret->any_node = strcmp(ret->nodes, "*") == 0;
    ret->processor_type = text(r, object, "processorType");
    ret->sockets_per_node = integer(r, object, "socketsPerNode");
    ret->cores_per_socket = integer(r, object, "coresPerSocket");
    ret->threads_per_core = integer(r, object, "threadsPerCore");
    ret->flop_rate_scalar = metric_value(r, object, "flopRateScalar");
    ret->flop_rate_simd = metric_value(r, object, "flopRateSimd");
    ret->memory_bandwidth = metric_value(r, object, "memoryBandwidth");
    if (r->rc == 0)
        r->rc = topology_from_json(json_get_fold(object, "topology"), r->arena, &ret->topology, r->err);
}

static void read_subclusters(struct reader *r, const struct json_value *document, struct cluster *ret)
{
    const struct json_value *list = member(r, document, "subClusters", JSON_ARRAY);

    ret->subcluster_count = json_count(list);
    if (r->rc == 0 && ret->subcluster_count > CLUSTER_SUBCLUSTERS_MAX)
        r->rc = error_set(r->err, ERR_LIMIT, "more than %d sub-clusters", CLUSTER_SUBCLUSTERS_MAX);
    if (r->rc < 0)
        return;
    ret->subclusters = ARENA_ARRAY(r->arena, struct subcluster, ret->subcluster_count);
    for (size_t i = 0; r->rc == 0 && i < ret->subcluster_count; i++)
        read_subcluster(r, json_at(list, i), &ret->subclusters[i]);
}

// ---- checks that refuse (3.2) -----------------------------------------------------------------------------

static const struct json_value *metric_source(const struct cluster *cluster, size_t index)
{
    return json_at(json_get_fold(cluster->source, "metricConfig"), index);
}

static int check_metric(const struct cluster *cluster, size_t index, struct error *err)
{
    const struct metric_config *metric = &cluster->metrics[index];

    if (!*metric->name)
        return error_set(err, ERR_INVALID, "cluster '%s' has a metric config with empty name", cluster->name);
    if (metric->timestep_s < 1)
        return error_set(err, ERR_INVALID,
                         "metric '%s' in cluster '%s' has invalid timestep %lld (must be >= 1)", metric->name,
                         cluster->name, (long long)metric->timestep_s);
    if (metric->scope == SCOPE_INVALID) {
        struct slice scope = json_string(json_get_fold(metric_source(cluster, index), "scope"));

        return error_set(
            err, ERR_INVALID,
            "metric '%s' in cluster '%s' has invalid scope '%.*s' (must be 'node', 'socket', 'core', etc.)",
            metric->name, cluster->name, SLICE_FMT(scope));
    }
    return 0;
}

static int check_cluster(const struct cluster *cluster, const char *directory, struct error *err)
{
    int rc = 0;

    if (!*cluster->name)
        return error_set(err, ERR_INVALID, "cluster name is empty in config for '%s'",
                         directory ? directory : "");
    if (directory && strcmp(directory, cluster->name) != 0)
        return error_set(
            err, ERR_INVALID,
            "cluster name '%s' in config for '%s' is not that of its directory: its jobs would not be found",
            cluster->name, directory);
    if (cluster->metric_count == 0)
        return error_set(err, ERR_INVALID, "cluster '%s' has no metric configurations", cluster->name);
    if (cluster->subcluster_count == 0)
        return error_set(err, ERR_INVALID, "cluster '%s' has no subclusters defined", cluster->name);
    for (size_t i = 0; rc == 0 && i < cluster->metric_count; i++)
        rc = check_metric(cluster, i, err);
    return rc;
}

// ---- what is computed at load -----------------------------------------------------------------------------

static int read_hosts(const struct cluster *cluster, struct subcluster *subcluster, struct error *err)
{
    if (subcluster->any_node)
        return 0;
    if (hostlist_parse(slice_from_cstr(subcluster->nodes), &subcluster->hosts, err) < 0)
        return error_prefix(err, "ARCHIVE/CLUSTERCONFIG > in %s/cluster.json", cluster->name);
    return 0;
}

const struct json_value *cluster_metric_override(const struct json_value *metric, const char *subcluster)
{
    const struct json_value *list = json_get_fold(metric, "subClusters");

    for (size_t i = 0; i < json_count(list); i++)
        if (slice_eq_cstr(json_string(json_get_fold(json_at(list, i), "name")), subcluster))
            return json_at(list, i);
    return NULL;
}

// 3.4: what an override does not mention becomes 0, false or empty. Lists of the same names that a file
// written by another program already holds are not read, so nothing appears twice.
static void expand_metric(struct reader *r, const struct cluster *cluster, size_t index,
                          struct subcluster *to)
{
    const struct json_value *override = cluster_metric_override(metric_source(cluster, index), to->name);
    struct metric_config metric = cluster->metrics[index];

    if (override && truth(r, override, "remove"))
        return;
    if (override)
        read_thresholds(r, override, &metric);
    to->metrics[to->metric_count++] = metric;
    if (*metric.footprint)
        to->footprint[to->footprint_count++] = metric.name;
    if (*metric.energy)
        to->energy_footprint[to->energy_footprint_count++] = metric.name;
}

static void expand_subcluster(struct reader *r, const struct cluster *cluster, struct subcluster *to)
{
    to->metrics = ARENA_ARRAY(r->arena, struct metric_config, cluster->metric_count);
    to->footprint = ARENA_ARRAY(r->arena, const char *, cluster->metric_count);
    to->energy_footprint = ARENA_ARRAY(r->arena, const char *, cluster->metric_count);
    for (size_t i = 0; r->rc == 0 && i < cluster->metric_count; i++)
        expand_metric(r, cluster, i, to);
}

int cluster_load_failure(const char *directory, struct error *err)
{
    if (!directory)
        return error_prefix(err, "failed to load cluster config");
    return error_prefix(err, "failed to load cluster config for '%s'", directory);
}

int cluster_read(const struct json_value *document, const char *directory, struct arena *arena,
                 struct cluster *ret, struct error *err)
{
    struct error own = ERROR_INIT;
    struct reader r = {.arena = arena, .err = err ? err : &own};

    *ret = (struct cluster){.source = document};
    if (json_type(document) != JSON_OBJECT) {
        fail(&r, document, "cluster", "an object");
        return cluster_load_failure(directory, r.err);
    }
    ret->name = text(&r, document, "name");
    read_metrics(&r, document, ret);
    read_subclusters(&r, document, ret);
    if (r.rc < 0)
        return cluster_load_failure(directory, r.err);
    r.rc = check_cluster(ret, directory, r.err);
    for (size_t i = 0; r.rc == 0 && i < ret->subcluster_count; i++)
        r.rc = read_hosts(ret, &ret->subclusters[i], r.err);
    if (r.rc < 0)
        return r.rc;
    for (size_t i = 0; r.rc == 0 && i < ret->subcluster_count; i++)
        expand_subcluster(&r, ret, &ret->subclusters[i]);
    return r.rc < 0 ? cluster_load_failure(directory, r.err) : 0;
}

void cluster_release_hosts(struct cluster *cluster)
{
    for (size_t i = 0; cluster->subclusters && i < cluster->subcluster_count; i++)
        hostlist_free(&cluster->subclusters[i].hosts);
}
