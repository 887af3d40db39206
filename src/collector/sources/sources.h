// SPDX-License-Identifier: MIT
// The metric sources there are. A new source is one file here and one line in sources.c.
#ifndef COLLECTOR_SOURCES_SOURCES_H
#define COLLECTOR_SOURCES_SOURCES_H

#include "collector/source.h"

extern const struct source_ops source_cpufreq_ops;
extern const struct source_ops source_cpustat_ops;
extern const struct source_ops source_diskstat_ops;
extern const struct source_ops source_iostat_ops;
extern const struct source_ops source_loadavg_ops;
extern const struct source_ops source_memstat_ops;
extern const struct source_ops source_netstat_ops;
extern const struct source_ops source_self_ops;
extern const struct source_ops source_tempstat_ops;

// All sources, ends with NULL.
extern const struct source_ops *const source_kinds[];

const struct source_ops *source_kind_find(struct slice key); // NULL: no such source

#endif
