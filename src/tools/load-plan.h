// SPDX-License-Identifier: MIT
// What the load generator sends: nodes, their topology, the metrics with their shapes, and the lines of one
// node at one time. Everything follows from the options and the seed alone: the same options give the same
// bytes, whichever part of the time is asked for first.
//
// A plan is immutable after load_plan_new; any thread may render.
//
// Shapes: the presets have values with three decimals in [0, 1000): one series in ten constant, five with
// slow steps of 15 to 60 samples, four of noise over the whole range. The simulated cluster computes its
// values from the jobs that run on a node (load-jobs.h).
#ifndef TOOLS_LOAD_PLAN_H
#define TOOLS_LOAD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/scope.h"
#include "tools/load-jobs.h"

enum load_preset {
    LOAD_CLUSTER,       // simulated cluster with jobs
    LOAD_W1,            // 64 nodes x (20 node metrics + 5 metrics x 64 hwthreads), 1440 steps of 60 s
    LOAD_SMALL_BATCHES, // 512 nodes x 30 node metrics, 1440 steps
    LOAD_FRESH          // 2048 nodes x 340 series, 10 steps
};

struct load_options {
    enum load_preset preset;
    const char *cluster;
    // 0: the preset's
    int64_t nodes, sockets, hwthreads, smt, accelerators;
    int64_t interval_s;
    int64_t job_window_s; // each group of nodes starts at most one job per window
    uint64_t seed;
};

struct load_metric {
    const char *name;
    enum scope scope;
    const char *aggregation; // "sum" or "avg"
    const char *unit_base, *unit_prefix;
    double peak, normal, caution, alert;
    const char *footprint, *energy; // "" for none
};

struct load_plan {
    struct load_options options; // with all defaults filled in
    struct load_metric *metrics;
    size_t metric_count;
    struct load_node *nodes;
    size_t node_count;
    size_t series_per_node;
    int64_t default_steps;
    struct load_jobs *jobs; // NULL for the presets
};

struct load_counts {
    uint64_t samples, bytes;
    uint64_t checksum; // sum over samples of a hash of (series, time, value): does not depend on the order
};

bool load_preset_from_name(const char *name, enum load_preset *ret);
// ERR_INVALID for a topology that does not divide evenly or is beyond the bounds.
int load_plan_new(const struct load_options *options, struct load_plan **ret_plan,
                  struct error *err) MUST_CHECK;
void load_plan_free(struct load_plan **plan);
const char *load_node_name(const struct load_plan *plan, size_t node);
// Appends the lines of one node at one time (Unix seconds, a multiple of the interval), none while the node
// is silent. shuffle: lines in random order (which follows from seed, node and time).
void load_render(const struct load_plan *plan, size_t node, int64_t ts, bool shuffle, struct buf *out,
                 struct load_counts *counts);
// The section "metrics" of a store's configuration.
void load_print_metrics(const struct load_plan *plan, struct buf *out);
// cluster.json of the simulated cluster (spec job-archive.md 3).
void load_print_cluster(const struct load_plan *plan, struct buf *out);

#endif
