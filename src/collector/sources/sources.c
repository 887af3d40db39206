// SPDX-License-Identifier: MIT
#include "collector/sources/sources.h"

const struct source_ops *const source_kinds[] = {
    &source_cpufreq_ops, &source_cpustat_ops, &source_diskstat_ops, &source_iostat_ops,   &source_loadavg_ops,
    &source_memstat_ops, &source_netstat_ops, &source_self_ops,     &source_tempstat_ops, NULL,
};

const struct source_ops *source_kind_find(struct slice key)
{
    for (const struct source_ops *const *kind = source_kinds; *kind; kind++)
        if (slice_eq_cstr(key, (*kind)->key))
            return *kind;
    return NULL;
}
