// SPDX-License-Identifier: MIT
// Metric data of one job: metric -> scope -> series (spec backend.md 3.4). Comes from the engine (job-load.h)
// or from an archived data.json (job-data-read.h); all memory lies in the arena that it was made with. Pure
// functions, no I/O.
#ifndef BACKEND_JOB_DATA_H
#define BACKEND_JOB_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "codec/json-writer.h"
#include "model/cluster.h"
#include "model/scope.h"

struct job_series {
    struct slice hostname;
    struct slice id; // index of core, socket or domain, hardware thread, accelerator; empty: none
    bool has_values; // false: nothing but gaps; the statistics are then 0 (compatible), and count for nothing
    double min, avg, max;
    const double *data; // NaN: no value
    size_t count;
};

// Minimum, median and maximum over the series of a metric, per time step. mean is never computed (as
// upstream) but kept when an archive has it.
struct job_band {
    struct slice name; // "mean", "median", "min", "max", or a percentile such as "10"
    bool percentile;
    double *data; // NULL: JSON null
    size_t count;
};

struct job_metric {
    const char *name;
    enum scope scope;
    struct unit unit;
    int64_t timestep_s;
    struct job_series *series;
    size_t series_count;
    struct job_band *bands; // statisticsSeries
    size_t band_count;
};

struct job_data {
    struct arena *arena;
    struct job_metric *metrics;
    size_t count, cap;
};

void job_data_init(struct job_data *data, struct arena *arena);
// Adds an empty metric and returns it; valid until the next one is added. 'name' is copied.
struct job_metric *job_data_add(struct job_data *data, struct slice name, enum scope scope);
struct job_metric *job_data_find(const struct job_data *data, struct slice name, enum scope scope);
// Order of data.json: metric name, then scope name, bytewise.
void job_data_sort(struct job_data *data);
// Half away from zero to two decimals: what statistics are rounded with.
double job_round2(double v);
// Bands for metrics with at least 'min_series' series that have none (3.4.1), and rounding of series
// statistics.
void job_data_finish(struct job_data *data, size_t min_series);
// LTTB to step_s (3.4.2); 0: nothing to do. A metric whose step does not divide it keeps its own. Bands are
// made again.
int job_data_resample(struct job_data *data, int64_t step_s, size_t minimum_points,
                      struct error *err) MUST_CHECK;
// {"metric":{"scope":JobMetric}}; must be sorted.
void job_data_encode(const struct job_data *data, struct buf *out);
void job_metric_encode(const struct job_metric *metric, struct json_writer *w);

#endif
