// SPDX-License-Identifier: MIT
// Configuration of the agent: sections main, router, sinks, collectors, receivers of the main file or of
// files of their own (spec collector.md 1.2). Read and checked once, before anything starts.
#ifndef COLLECTOR_CONFIG_H
#define COLLECTOR_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/settings.h"
#include "collector/router.h"

struct config {
    struct arena *arena;
    struct settings_file *file;
    int64_t interval_ns; // between two ticks, > 0
    int64_t duration_ns; // handed to collectors that measure over a time of their own
    struct router_settings router;
    const struct json_value *sinks, *collectors; // objects; "type" of a sink may be wrong or missing
    const char *sinks_origin, *collectors_origin, *router_origin;
};

// Logs every fault itself, in upstream's words where it has some. Negative: the program must not start.
int config_load(const char *path, struct config *ret) MUST_CHECK;
void config_release(struct config *config);

// For -check-config and -print-config: goes into the options of every sink and collector, logs all faults,
// and appends the effective values as JSON when 'print' is not NULL. Returns the number of faults.
size_t config_check(const struct config *config, struct buf *print);

// The keys of all sections, sinks and collectors as Markdown tables (-document-config, docs/configuration/).
void config_document(struct buf *out);

#endif
