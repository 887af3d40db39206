// SPDX-License-Identifier: MIT
#include "codec/openmetrics.h"

#include <string.h>

static bool ends_with(const char *name, const char *suffix)
{
    return slice_ends_with(slice_from_cstr(name), slice_from_cstr(suffix));
}

void openmetrics_family(struct buf *out, const char *name, enum openmetrics_type type, const char *help)
{
    static const char *const types[] = {[OPENMETRICS_COUNTER] = "counter",
                                        [OPENMETRICS_GAUGE] = "gauge",
                                        [OPENMETRICS_SUMMARY] = "summary",
                                        [OPENMETRICS_HISTOGRAM] = "histogram",
                                        [OPENMETRICS_INFO] = "info"};

    buf_printf(out, "# TYPE %s %s\n", name, types[type]);
    if (ends_with(name, "_bytes"))
        buf_printf(out, "# UNIT %s bytes\n", name);
    else if (ends_with(name, "_seconds"))
        buf_printf(out, "# UNIT %s seconds\n", name);
    buf_printf(out, "# HELP %s %s\n", name, help);
}

static void sample(struct buf *out, const char *family, enum openmetrics_type type, const char *labels,
                   uint64_t value)
{
    buf_printf(out, "%s%s%s %llu\n", family, type == OPENMETRICS_COUNTER ? "_total" : "", labels,
               (unsigned long long)value);
}

void openmetrics_counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
    openmetrics_family(out, name, OPENMETRICS_COUNTER, help);
    sample(out, name, OPENMETRICS_COUNTER, "", value);
}

void openmetrics_gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
    openmetrics_family(out, name, OPENMETRICS_GAUGE, help);
    sample(out, name, OPENMETRICS_GAUGE, "", value);
}

void openmetrics_rows(struct buf *out, const struct openmetrics_row *rows, size_t count, const void *stats)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value;

        memcpy(&value, (const char *)stats + rows[i].offset, sizeof(value));
        if (rows[i].help)
            openmetrics_family(out, rows[i].family, rows[i].type, rows[i].help);
        sample(out, rows[i].family, rows[i].type, rows[i].labels, value);
    }
}
