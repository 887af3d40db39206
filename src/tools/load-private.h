// SPDX-License-Identifier: MIT
// Shared by the files of the load generator's plan.
#ifndef TOOLS_LOAD_PRIVATE_H
#define TOOLS_LOAD_PRIVATE_H

#include "tools/load-plan.h"

#define LOAD_ACCELERATOR_ID "00000000:%02X:00.0"

enum load_shape { SHAPE_CONSTANT, SHAPE_STEPS, SHAPE_NOISE, SHAPE_CLUSTER };

struct load_series {
    uint64_t seed;
    uint32_t head, head_len; // in the node's heads: the line up to "value="
    uint16_t metric, id;
    uint8_t shape; // enum load_shape
    uint8_t period;
};

struct load_node {
    char name[32];
    struct buf heads;
    struct load_series *series;
};

// What a node of the simulated cluster does at one time, in fractions of the peaks.
struct load_levels {
    double user, flops, bandwidth, memory, ipc, network, files, accelerator;
    double unbalance;
};

size_t load_cluster_metric_count(void);
struct load_metric load_cluster_metric(size_t index, const struct load_options *options);
size_t load_scope_count(const struct load_options *options, enum scope scope);
// False while the node is silent (a gap in its data).
bool load_levels_at(const struct load_plan *plan, size_t node, int64_t ts, struct load_levels *ret);
// Thousandths of the metric's unit.
int64_t load_cluster_value(const struct load_plan *plan, const struct load_levels *levels,
                           const struct load_series *series, int64_t ts);

#endif
