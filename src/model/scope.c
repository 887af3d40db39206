// SPDX-License-Identifier: MIT
#include "model/scope.h"

static const struct {
    const char *name;
    int rank;
} scopes[] = {
    [SCOPE_INVALID] = {"", 0},
    [SCOPE_NODE] = {"node", 10},
    [SCOPE_SOCKET] = {"socket", 5},
    [SCOPE_MEMORY_DOMAIN] = {"memoryDomain", 4},
    [SCOPE_CORE] = {"core", 3},
    [SCOPE_HWTHREAD] = {"hwthread", 2},
    [SCOPE_ACCELERATOR] = {"accelerator", 1},
};

enum scope scope_from_name(struct slice name)
{
    if (name.len == 0)
        return SCOPE_NODE;
    for (size_t i = SCOPE_NODE; i < ARRAY_LEN(scopes); i++)
        if (slice_eq_cstr(name, scopes[i].name))
            return (enum scope)i;
    return SCOPE_INVALID;
}

const char *scope_name(enum scope scope)
{
    return scopes[scope].name;
}

int scope_rank(enum scope scope)
{
    return scopes[scope].rank;
}

enum scope scope_coarser(enum scope a, enum scope b)
{
    return scopes[a].rank >= scopes[b].rank ? a : b;
}

enum aggregation aggregation_from_name(struct slice name, bool *ret_known)
{
    bool sum = slice_eq_cstr(name, "sum"), avg = slice_eq_cstr(name, "avg");

    *ret_known = sum || avg || name.len == 0;
    return sum ? AGGREGATION_SUM : avg ? AGGREGATION_AVG : AGGREGATION_NONE;
}

const char *aggregation_name(enum aggregation aggregation)
{
    static const char *const names[] = {
        [AGGREGATION_NONE] = "", [AGGREGATION_SUM] = "sum", [AGGREGATION_AVG] = "avg"};

    return names[aggregation];
}
