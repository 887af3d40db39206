// SPDX-License-Identifier: MIT
// Cluster descriptions: cluster.json (job-archive.md 3). Immutable after loading; owned by struct
// cluster_set.
#ifndef MODEL_CLUSTER_H
#define MODEL_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "model/hostlist.h"
#include "model/scope.h"
#include "model/topology.h"

struct unit {
    const char *base, *prefix; // "" when absent
};

// Effective configuration of a metric on a sub-cluster (3.4), or the cluster level one.
struct metric_config {
    const char *name;
    struct unit unit;
    enum scope scope;
    enum aggregation aggregation;
    int64_t timestep_s;
    double peak, normal, caution, alert;
    const char *energy;    // "power", "energy" or ""
    const char *footprint; // "avg", "min", "max" or ""
    bool restricted;       // on a sub-cluster: the override's if there is one, else the cluster's
    bool lower_is_better;
};

struct metric_value {
    struct unit unit;
    double value;
};

struct subcluster {
    const char *name;
    const char *nodes; // as written
    bool any_node;     // nodes is "*"
    struct hostlist *hosts;
    const char *processor_type;
    int64_t sockets_per_node, cores_per_socket, threads_per_core;
    struct metric_value flop_rate_scalar, flop_rate_simd, memory_bandwidth;
    struct topology topology;
    struct metric_config *metrics; // effective ones, in file order
    size_t metric_count;
    const char **footprint; // names of metrics in the footprint
    size_t footprint_count;
    const char **energy_footprint;
    size_t energy_footprint_count;
};

struct cluster {
    const char *name;
    struct metric_config *metrics; // cluster level
    size_t metric_count;
    struct subcluster *subclusters;
    size_t subcluster_count;
    const struct json_value *source; // the whole document
};

struct cluster_set; // all clusters of a configuration epoch, ascending by name

// Reads <root>/<name>/cluster.json for every directory below root (job-archive.md 2.1: those starting with
// '.' and those without cluster.json are skipped). Error texts of 3.2. 'warn' gets one line per oddity (3.2
// "not checked", and 3.4); may be NULL.
int cluster_set_load(const char *root, void (*warn)(void *ctx, const char *text), void *ctx,
                     struct cluster_set **ret_set, struct error *err) MUST_CHECK;
// One description from text (tests, tools); directory_name NULL: any name is right.
int cluster_set_load_text(struct slice text, const char *directory_name, struct cluster_set **ret_set,
                          struct error *err) MUST_CHECK;
void cluster_set_free(struct cluster_set **set);
size_t cluster_set_count(const struct cluster_set *set);
const struct cluster *cluster_set_at(const struct cluster_set *set, size_t index);
const struct cluster *cluster_find(const struct cluster_set *set, struct slice name); // NULL when unknown
const struct subcluster *subcluster_find(const struct cluster *cluster, struct slice name);
const struct subcluster *subcluster_of_host(const struct cluster *cluster,
                                            struct slice host); // 3.5; NULL when none
const struct metric_config *metric_find(const struct metric_config *metrics, size_t count, struct slice name);
// 3.6: sub-cluster of a job; error texts of that section. 'given' may be empty.
int subcluster_assign(const struct cluster_set *set, struct slice cluster, struct slice given,
                      struct slice first_host, const struct subcluster **ret, struct error *err) MUST_CHECK;

#endif
