// SPDX-License-Identifier: MIT
// What a program tells about itself, as OpenMetrics text (https://github.com/OpenObservability/OpenMetrics, version 1.0).
//
//     openmetrics_counter(out, "cc_http_requests", "Requests received.", stats.requests);
//     openmetrics_rows(out, rows, ARRAY_LEN(rows), &stats);
//     buf_append_cstr(out, OPENMETRICS_END);
//
// A family whose name ends in _bytes or _seconds has that unit. Names, labels and help are literals of ours: nothing is escaped.
#ifndef CODEC_OPENMETRICS_H
#define CODEC_OPENMETRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define OPENMETRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define OPENMETRICS_END          "# EOF\n"

enum openmetrics_type {
    OPENMETRICS_COUNTER, // _total is added to the names of its samples
    OPENMETRICS_GAUGE,
    OPENMETRICS_SUMMARY,
    OPENMETRICS_HISTOGRAM,
    OPENMETRICS_INFO,
};

// What stands before the samples of a family.
void openmetrics_family(struct buf *out, const char *name, enum openmetrics_type type, const char *help);
// Families of one sample.
void openmetrics_counter(struct buf *out, const char *name, const char *help, uint64_t value);
void openmetrics_gauge(struct buf *out, const char *name, const char *help, uint64_t value);

// A number of a struct with statistics.
struct openmetrics_row {
    const char *family;
    enum openmetrics_type type; // counter or gauge
    const char *labels;         // "", or with their braces
    size_t offset;              // of a uint64_t
    const char *help;           // NULL: one more sample of the family before
};

void openmetrics_rows(struct buf *out, const struct openmetrics_row *rows, size_t count, const void *stats);

#endif
