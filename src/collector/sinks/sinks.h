// SPDX-License-Identifier: MIT
// The kinds of sinks there are. A new kind is one file here and one line in sinks.c.
#ifndef COLLECTOR_SINKS_SINKS_H
#define COLLECTOR_SINKS_SINKS_H

#include "collector/sink.h"

extern const struct sink_ops sink_http_ops;
extern const struct sink_ops sink_stdout_ops;

// All kinds, ends with NULL.
extern const struct sink_ops *const sink_kinds[];

const struct sink_ops *sink_kind_find(struct slice type); // NULL: no such kind

#endif
