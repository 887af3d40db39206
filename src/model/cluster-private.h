// SPDX-License-Identifier: MIT
// Shared by cluster.c (sets, look-up), cluster-read.c (JSON to structs) and cluster-check.c (warnings) only.
#ifndef MODEL_CLUSTER_PRIVATE_H
#define MODEL_CLUSTER_PRIVATE_H

#include "base/arena.h"
#include "model/cluster.h"

// Beyond these a description is refused: each sub-cluster gets a copy of every metric.
#define CLUSTER_METRICS_MAX     2048
#define CLUSTER_SUBCLUSTERS_MAX 1024

// Takes warnings about one cluster; 'warn' may be NULL.
struct cluster_warner {
    void (*warn)(void *ctx, const char *text);
    void *ctx;
    const char *cluster;
};
void cluster_warn(const struct cluster_warner *warner, const char *fmt, ...) PRINTF_LIKE(2, 3);

// Fills *ret from the document; memory and texts from the arena, host lists on the heap
// (cluster_release_hosts, also after a failure). Checks and error texts of job-archive.md 3.2 except those of
// the directory.
int cluster_read(const struct json_value *document, const char *directory, struct arena *arena,
                 struct cluster *ret, struct error *err) MUST_CHECK;
// Puts "failed to load cluster config for '<dir>'" in front of the error; returns its code.
int cluster_load_failure(const char *directory, struct error *err);
void cluster_release_hosts(struct cluster *cluster);

// The override of a sub-cluster in the document's metric configuration, or NULL.
const struct json_value *cluster_metric_override(const struct json_value *metric, const char *subcluster);

// Oddities that are no errors (3.2 "Not checked", 3.4).
void cluster_check(const struct cluster *cluster, const struct cluster_warner *warner);

#endif
