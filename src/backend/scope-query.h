// SPDX-License-Identifier: MIT
// Which store queries give a metric of native scope N at scope R on one host (spec metric-store.md 10.3,
// backend.md 10.2). Pure. Ids are array indices of the topology (decimal), hardware thread numbers, or
// accelerator ids.
//
// Sound where upstream is not: threads are mapped to cores before cores are grouped by socket (MS-55), ids
// are in ascending order, and core and hardware thread metrics can be had per memory domain.
#ifndef BACKEND_SCOPE_QUERY_H
#define BACKEND_SCOPE_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "model/scope.h"
#include "model/topology.h"

struct scope_query {
    bool typed;      // false: node level, no type and no ids
    enum scope type; // of the ids
    struct slice *ids;
    size_t id_count;
    bool aggregate;
    int group; // index of the core, domain or socket that an aggregate stands for; -1: the node, or none
};

struct scope_host {
    const struct topology *topology;
    const int *threads; // of the job on this host; none: all of the node
    size_t thread_count;
    const struct slice *accelerators;
    size_t accelerator_count;
};

// The coarser of native and requested goes to *ret_effective. No query (count 0) is no error: accelerator
// metrics below node scope. ERR_UNSUPPORTED for a combination that cannot be had.
int scope_query_build(enum scope native, enum scope requested, const struct scope_host *host,
                      struct arena *arena, struct scope_query **ret_queries, size_t *ret_count,
                      enum scope *ret_effective, struct error *err) MUST_CHECK;

#endif
