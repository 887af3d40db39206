// SPDX-License-Identifier: MIT
// Scopes of a metric and of a query, coarse to fine, and how finer ones combine. Spec: metric-store.md 10.3.
#ifndef MODEL_SCOPE_H
#define MODEL_SCOPE_H

#include <stdbool.h>

#include "base/slice.h"

enum scope {
    SCOPE_INVALID = 0,
    SCOPE_NODE,
    SCOPE_SOCKET,
    SCOPE_MEMORY_DOMAIN,
    SCOPE_CORE,
    SCOPE_HWTHREAD,
    SCOPE_ACCELERATOR,
};

enum scope scope_from_name(struct slice name); // "" gives SCOPE_NODE, unknown SCOPE_INVALID
const char *
scope_name(enum scope scope); // "node", "socket", "memoryDomain", "core", "hwthread", "accelerator"
int scope_rank(
    enum scope scope); // granularity: node 10, socket 5, memoryDomain 4, core 3, hwthread 2, accelerator 1
enum scope scope_coarser(enum scope a, enum scope b);

enum aggregation { AGGREGATION_NONE, AGGREGATION_SUM, AGGREGATION_AVG };
// "" and "none"-like text give AGGREGATION_NONE; *ret_known tells whether the name is one of "", "sum", "avg".
enum aggregation aggregation_from_name(struct slice name, bool *ret_known);
const char *aggregation_name(enum aggregation aggregation);

#endif
