// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "base/hashmap.h"
#include "base/intset.h"
#include "model/cluster-private.h"

void cluster_warn(const struct cluster_warner *warner, const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (!warner->warn)
        return;
    int len = warner->cluster ? snprintf(text, sizeof(text), "cluster '%.100s': ", warner->cluster) : 0;
    va_start(args, fmt);
    vsnprintf(text + len, sizeof(text) - (size_t)len, fmt, args);
    va_end(args);
    warner->warn(warner->ctx, text);
}

// Remembers the name; a second one is told.
static void check_name(struct hashmap *seen, struct slice name, const char *what,
                       const struct cluster_warner *warner)
{
    if (hashmap_has(seen, name))
        cluster_warn(warner, "%s '%.*s' is there twice", what, SLICE_FMT(name));
    hashmap_put(seen, name, NULL);
}

static void check_names(const struct cluster *cluster, const struct cluster_warner *warner)
{
    struct hashmap *metrics = hashmap_new(), *subclusters = hashmap_new();

    for (size_t i = 0; i < cluster->metric_count; i++)
        check_name(metrics, slice_from_cstr(cluster->metrics[i].name), "metric", warner);
    for (size_t i = 0; i < cluster->subcluster_count; i++)
        check_name(subclusters, slice_from_cstr(cluster->subclusters[i].name), "sub-cluster", warner);
    hashmap_free(&metrics);
    hashmap_free(&subclusters);
}

// ---- metrics ----------------------------------------------------------------------------------------------

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

static void check_unit(const char *what, const struct unit *unit, const struct cluster_warner *warner)
{
    // Those of the schema and those in use at sites.
    static const char *const bases[] = {"",  "B", "F", "B/s",  "F/s", "CPI",       "IPC",     "Hz",
                                        "W", "J", "%", "load", "°C",  "packets/s", "Flops/s", NULL};
    static const char *const prefixes[] = {"", "K", "M", "G", "T", "P", "E", NULL};

    if (!is_one_of(unit->base, bases))
        cluster_warn(warner, "%s: unknown unit '%s'", what, unit->base);
    if (!is_one_of(unit->prefix, prefixes))
        cluster_warn(warner, "%s: unknown unit prefix '%s'", what, unit->prefix);
}

// An override replaces all of these, also where it does not mention them (3.4).
static void check_override(const struct json_value *override, const struct metric_config *metric,
                           const struct cluster_warner *warner)
{
    const struct {
        const char *key;
        bool set;
    } members[] = {
        {"peak", metric->peak != 0},
        {"normal", metric->normal != 0},
        {"caution", metric->caution != 0},
        {"alert", metric->alert != 0},
        {"footprint", *metric->footprint},
        {"energy", *metric->energy},
        {"lowerIsBetter", metric->lower_is_better},
    };
    struct slice subcluster = json_string(json_get_fold(override, "name"));

    if (json_bool(json_get_fold(override, "remove"), false))
        return;
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (members[i].set && !json_get_fold(override, members[i].key))
            cluster_warn(
                warner,
                "metric '%s': the override for sub-cluster '%.*s' leaves out '%s', which is then 0 or empty",
                metric->name, SLICE_FMT(subcluster), members[i].key);
}

static void check_metric(const struct cluster *cluster, const struct metric_config *metric,
                         const struct json_value *source, const struct cluster_warner *warner)
{
    struct slice aggregation = json_string(json_get_fold(source, "aggregation"));
    const struct json_value *overrides = json_get_fold(source, "subClusters");
    bool known;

    check_unit(metric->name, &metric->unit, warner);
    ignore_result(aggregation_from_name(aggregation, &known)); // only whether it is known
    if (!known)
        cluster_warn(warner, "metric '%s': unknown aggregation '%.*s'", metric->name, SLICE_FMT(aggregation));
    for (size_t i = 0; i < json_count(overrides); i++) {
        struct slice name = json_string(json_get_fold(json_at(overrides, i), "name"));

        if (!subcluster_find(cluster, name))
            cluster_warn(warner, "metric '%s': override for unknown sub-cluster '%.*s'", metric->name,
                         SLICE_FMT(name));
        check_override(json_at(overrides, i), metric, warner);
    }
}

// ---- sub-clusters -----------------------------------------------------------------------------------------

// All threads of the groups must be threads of the node, and the other way round.
static void check_groups(const struct subcluster *subcluster, const char *list,
                         const struct topology_group *groups, size_t count, const struct intset *node,
                         const struct cluster_warner *warner)
{
    struct intset seen;

    intset_init(&seen);
    for (size_t g = 0; g < count; g++)
        for (size_t i = 0; i < groups[g].count; i++) {
            int thread = groups[g].threads[i];

            if (!intset_add(&seen, thread))
                cluster_warn(warner, "sub-cluster '%s': hardware thread %d is in '%s' twice",
                             subcluster->name, thread, list);
            else if (!intset_has(node, thread))
                cluster_warn(warner, "sub-cluster '%s': hardware thread %d is in '%s', but not in 'node'",
                             subcluster->name, thread, list);
        }
    for (size_t i = 0; count && i < node->count; i++)
        if (!intset_has(&seen, node->items[i]))
            cluster_warn(warner, "sub-cluster '%s': hardware thread %lld is in 'node', but not in '%s'",
                         subcluster->name, (long long)node->items[i], list);
    intset_release(&seen);
}

static void check_topology(const struct subcluster *subcluster, const struct cluster_warner *warner)
{
    const struct topology *t = &subcluster->topology;
    struct intset node;

    intset_init(&node);
    for (size_t i = 0; i < t->node.count; i++)
        if (!intset_add(&node, t->node.threads[i]))
            cluster_warn(warner, "sub-cluster '%s': hardware thread %d is in 'node' twice", subcluster->name,
                         t->node.threads[i]);
    check_groups(subcluster, "socket", t->sockets, t->socket_count, &node, warner);
    check_groups(subcluster, "memoryDomain", t->memory_domains, t->memory_domain_count, &node, warner);
    check_groups(subcluster, "die", t->dies, t->die_count, &node, warner);
    check_groups(subcluster, "core", t->cores, t->core_count, &node, warner);
    intset_release(&node);
}

void cluster_check(const struct cluster *cluster, const struct cluster_warner *warner)
{
    const struct json_value *metrics = json_get_fold(cluster->source, "metricConfig");

    if (!warner->warn)
        return;
    check_names(cluster, warner);
    for (size_t i = 0; i < cluster->metric_count; i++)
        check_metric(cluster, &cluster->metrics[i], json_at(metrics, i), warner);
    for (size_t i = 0; i < cluster->subcluster_count; i++) {
        const struct subcluster *subcluster = &cluster->subclusters[i];

        if (!*subcluster->name)
            cluster_warn(warner, "sub-cluster number %zu has no name", i + 1);
        if (subcluster->any_node && i > 0)
            cluster_warn(warner, "sub-cluster '%s': nodes '*' has a meaning in the first sub-cluster only",
                         subcluster->name);
        check_topology(subcluster, warner);
    }
}
