// SPDX-License-Identifier: MIT
// Command line of cc-metric-store: upstream's flags (spec metric-store.md 1.1) and three of ours, -check-config,
// -print-config and -document-config.
#ifndef METRICSTORE_OPTIONS_H
#define METRICSTORE_OPTIONS_H

#include <stdbool.h>

#include "base/cmdline.h"

struct metricstore_options {
    const char *config;
    const char *loglevel;
    bool logdate, version, dev, gops, cleanup_checkpoints;
    bool check_config;    // read and validate the configuration, then exit 0 or 1
    bool print_config;    // print the effective configuration, then exit
    bool document_config; // describe all keys as Markdown, then exit
};

extern const struct cmdline_flag metricstore_flags[];

#endif
