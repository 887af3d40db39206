// SPDX-License-Identifier: MIT
#include "backend/job-data.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/store.h"

void job_data_init(struct job_data *data, struct arena *arena)
{
    *data = (struct job_data){.arena = arena};
}

struct job_metric *job_data_add(struct job_data *data, struct slice name, enum scope scope)
{
    if (data->count == data->cap) {
        size_t cap = mem_next_capacity(data->cap, data->count + 1);
        struct job_metric *grown = ARENA_ARRAY(data->arena, struct job_metric, cap);
        for (size_t i = 0; i < data->count; i++)
            grown[i] = data->metrics[i];
        data->metrics = grown;
        data->cap = cap;
    }
    struct job_metric *m = &data->metrics[data->count++];
    *m = (struct job_metric){
        .name = arena_strdup(data->arena, name), .scope = scope, .unit = {.base = "", .prefix = ""}};
    return m;
}

struct job_metric *job_data_find(const struct job_data *data, struct slice name, enum scope scope)
{
    for (size_t i = 0; i < data->count; i++) {
        if (data->metrics[i].scope == scope && slice_eq_cstr(name, data->metrics[i].name))
            return &data->metrics[i];
    }
    return NULL;
}

static int compare_metrics(const void *a, const void *b)
{
    const struct job_metric *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(scope_name(x->scope), scope_name(y->scope));
}

void job_data_sort(struct job_data *data)
{
    if (data->count)
        qsort(data->metrics, data->count, sizeof(*data->metrics), compare_metrics);
}

double job_round2(double v)
{
    double scaled = round(v * 100) / 100;
    return isfinite(scaled) ? scaled : v;
}

// ---- bands ------------------------------------------------------------------------------------------------
static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Minimum, median and maximum of n values that are there; NaN for fewer than three.
static void summarise(double *values, size_t n, double *ret_min, double *ret_median, double *ret_max)
{
    *ret_min = *ret_median = *ret_max = NAN;
    if (n < 3)
        return;
    qsort(values, n, sizeof(*values), compare_doubles);
    *ret_min = values[0];
    *ret_max = values[n - 1];
    *ret_median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static size_t longest(const struct job_metric *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->series_count; i++)
        n = MAX(n, m->series[i].count);
    return n;
}

static void make_bands(struct job_metric *m, struct arena *arena)
{
    size_t steps = longest(m);
    double *values = NEW_ARRAY(double, m->series_count + 1);
    m->bands = ARENA_ARRAY(arena, struct job_band, 4);
    m->band_count = 4;
    static const char *const names[] = {"mean", "median", "min", "max"};
    for (size_t i = 0; i < 4; i++)
        m->bands[i] = (struct job_band){.name = slice_from_cstr(names[i]),
                                        .data = i ? ARENA_ARRAY(arena, double, steps + 1) : NULL,
                                        .count = i ? steps : 0};
    for (size_t t = 0; t < steps; t++) {
        size_t n = 0;
        bool all = true;
        for (size_t i = 0; i < m->series_count; i++) {
            all = all && t < m->series[i].count;
            if (t < m->series[i].count && !isnan(m->series[i].data[t]))
                values[n++] = m->series[i].data[t];
        }
        // Behind the shortest series nothing is comparable any more.
        summarise(values, all ? n : 0, &m->bands[2].data[t], &m->bands[1].data[t], &m->bands[3].data[t]);
    }
    mem_free(values);
}

void job_data_finish(struct job_data *data, size_t min_series)
{
    for (size_t i = 0; i < data->count; i++) {
        struct job_metric *m = &data->metrics[i];
        if (m->band_count == 0 && m->series_count >= min_series)
            make_bands(m, data->arena);
        for (size_t k = 0; k < m->series_count; k++) {
            struct job_series *s = &m->series[k];
            s->min = job_round2(s->min);
            s->avg = job_round2(s->avg);
            s->max = job_round2(s->max);
        }
    }
}

// ---- resampling -------------------------------------------------------------------------------------------
static int resample_metric(struct job_metric *m, int64_t step_s, size_t minimum_points, struct arena *arena,
                           struct error *err)
{
    int64_t result_step = m->timestep_s;
    for (size_t i = 0; i < m->series_count; i++) {
        struct job_series *s = &m->series[i];
        double *out = ARENA_ARRAY(arena, double, s->count + 1);
        size_t count = 0;
        int rc = store_resample(s->data, s->count, m->timestep_s, step_s, minimum_points, out, &count,
                                &result_step, err);
        if (rc)
            return rc;
        s->data = out;
        s->count = count;
    }
    m->timestep_s = result_step;
    return 0;
}

int job_data_resample(struct job_data *data, int64_t step_s, size_t minimum_points, struct error *err)
{
    for (size_t i = 0; i < data->count; i++) {
        struct job_metric *m = &data->metrics[i];
        if (step_s <= 0 || m->timestep_s <= 0 || step_s <= m->timestep_s || step_s % m->timestep_s != 0)
            continue;
        int64_t before = m->timestep_s;
        int rc = resample_metric(m, step_s, minimum_points, data->arena, err);
        if (rc)
            return error_prefix(err, "metric '%s'", m->name);
        if (m->band_count && m->timestep_s != before)
            make_bands(m, data->arena);
    }
    return 0;
}

// ---- JSON -------------------------------------------------------------------------------------------------
static void write_values(struct json_writer *w, const double *data, size_t count, bool single)
{
    if (!data && count == 0 && !single) {
        json_write_null(w);
        return;
    }
    json_write_array_begin(w);
    for (size_t i = 0; i < count; i++)
        json_write_fixed(w, single ? (double)(float)data[i] : data[i], 2);
    json_write_array_end(w);
}

static void write_bands(const struct job_metric *m, struct json_writer *w)
{
    bool any_percentile = false;
    json_write_object_begin(w);
    for (size_t i = 0; i < m->band_count; i++)
        any_percentile |= m->bands[i].percentile;
    if (any_percentile) {
        json_write_key(w, "percentiles");
        json_write_object_begin(w);
        for (size_t i = 0; i < m->band_count; i++) {
            if (!m->bands[i].percentile)
                continue;
            json_write_key_slice(w, m->bands[i].name);
            write_values(w, m->bands[i].data, m->bands[i].count, false);
        }
        json_write_object_end(w);
    }
    for (size_t i = 0; i < m->band_count; i++) {
        if (m->bands[i].percentile)
            continue;
        json_write_key_slice(w, m->bands[i].name);
        write_values(w, m->bands[i].data, m->bands[i].count, false);
    }
    json_write_object_end(w);
}

static void write_series(const struct job_series *s, struct json_writer *w)
{
    json_write_object_begin(w);
    json_write_key(w, "hostname");
    json_write_string(w, s->hostname);
    if (s->id.len) {
        json_write_key(w, "id");
        json_write_string(w, s->id);
    }
    json_write_key(w, "statistics");
    json_write_object_begin(w);
    json_write_key(w, "min");
    json_write_fixed(w, s->min, 2);
    json_write_key(w, "avg");
    json_write_fixed(w, s->avg, 2);
    json_write_key(w, "max");
    json_write_fixed(w, s->max, 2);
    json_write_object_end(w);
    json_write_key(w, "data");
    write_values(w, s->data, s->count, true);
    json_write_object_end(w);
}

void job_metric_encode(const struct job_metric *m, struct json_writer *w)
{
    json_write_object_begin(w);
    if (m->band_count) {
        json_write_key(w, "statisticsSeries");
        write_bands(m, w);
    }
    json_write_key(w, "unit");
    json_write_object_begin(w);
    json_write_key(w, "base");
    json_write_cstr(w, m->unit.base);
    if (m->unit.prefix[0]) {
        json_write_key(w, "prefix");
        json_write_cstr(w, m->unit.prefix);
    }
    json_write_object_end(w);
    json_write_key(w, "series");
    json_write_array_begin(w);
    for (size_t i = 0; i < m->series_count; i++)
        write_series(&m->series[i], w);
    json_write_array_end(w);
    json_write_key(w, "timestep");
    json_write_int(w, m->timestep_s);
    json_write_object_end(w);
}

void job_data_encode(const struct job_data *data, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_write_object_begin(&w);
    for (size_t i = 0; i < data->count; i++) {
        const struct job_metric *m = &data->metrics[i];
        if (i == 0 || strcmp(data->metrics[i - 1].name, m->name) != 0) {
            if (i)
                json_write_object_end(&w);
            json_write_key(&w, m->name);
            json_write_object_begin(&w);
        }
        json_write_key(&w, scope_name(m->scope));
        job_metric_encode(m, &w);
    }
    if (data->count)
        json_write_object_end(&w);
    json_write_object_end(&w);
}
