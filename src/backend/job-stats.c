// SPDX-License-Identifier: MIT
#include "backend/job-stats.h"

#include <stdlib.h>

static bool summarise_metric(const struct job_metric *m, struct job_statistic *s)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < m->series_count; i++) {
        const struct job_series *series = &m->series[i];
        if (!series->has_values)
            continue;
        s->min = n && s->min < series->min ? s->min : series->min;
        s->max = n && s->max > series->max ? s->max : series->max;
        sum += series->avg;
        n++;
    }
    if (n == 0)
        return false;
    s->avg = job_round2(sum / (double)n);
    s->min = job_round2(s->min);
    s->max = job_round2(s->max);
    return true;
}

static int compare_statistics(const void *a, const void *b)
{
    return slice_cmp(((const struct job_statistic *)a)->metric, ((const struct job_statistic *)b)->metric);
}

void job_stats_compute(const struct job_data *data, const struct subcluster *sub, struct arena *arena,
                       struct job *job)
{
    job->has_statistics = true;
    job->statistics = ARENA_ARRAY(arena, struct job_statistic, data->count + 1);
    job->statistic_count = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct job_metric *m = &data->metrics[i];
        struct job_statistic *s = &job->statistics[job->statistic_count];
        if (m->scope != SCOPE_NODE || !summarise_metric(m, s))
            continue;
        const struct metric_config *mc =
            metric_find(sub->metrics, sub->metric_count, slice_from_cstr(m->name));
        struct unit unit = mc ? mc->unit : m->unit;
        s->metric = slice_from_cstr(m->name);
        s->unit_base = slice_from_cstr(unit.base);
        s->unit_prefix = slice_from_cstr(unit.prefix);
        job->statistic_count++;
    }
    if (job->statistic_count)
        qsort(job->statistics, job->statistic_count, sizeof(*job->statistics), compare_statistics);
}

static const struct job_statistic *find_statistic(const struct job *job, const char *metric)
{
    for (size_t i = 0; i < job->statistic_count; i++) {
        if (slice_eq_cstr(job->statistics[i].metric, metric))
            return &job->statistics[i];
    }
    return NULL;
}

static double pick(const struct job_statistic *s, const char *which)
{
    if (!s)
        return 0;
    if (strcmp(which, "min") == 0)
        return s->min;
    return strcmp(which, "max") == 0 ? s->max : s->avg;
}

static int compare_numbers(const void *a, const void *b)
{
    return slice_cmp(((const struct job_number *)a)->name, ((const struct job_number *)b)->name);
}

void job_stats_footprint(const struct subcluster *sub, struct arena *arena, struct job *job)
{
    job->has_footprint = true;
    job->footprint = ARENA_ARRAY(arena, struct job_number, sub->footprint_count + 1);
    job->footprint_count = 0;
    for (size_t i = 0; i < sub->footprint_count; i++) {
        const struct metric_config *mc =
            metric_find(sub->metrics, sub->metric_count, slice_from_cstr(sub->footprint[i]));
        if (!mc)
            continue;
        job->footprint[job->footprint_count++] = (struct job_number){
            .name = slice_from_cstr(arena_printf(arena, "%s_%s", mc->name, mc->footprint)),
            .value = pick(find_statistic(job, mc->name), mc->footprint)};
    }
    if (job->footprint_count)
        qsort(job->footprint, job->footprint_count, sizeof(*job->footprint), compare_numbers);
}

void job_stats_energy(const struct subcluster *sub, struct arena *arena, struct job *job)
{
    double total = 0;
    job->has_energy_footprint = true;
    job->energy_footprint = ARENA_ARRAY(arena, struct job_number, sub->energy_footprint_count + 1);
    job->energy_footprint_count = 0;
    for (size_t i = 0; i < sub->energy_footprint_count; i++) {
        const struct metric_config *mc =
            metric_find(sub->metrics, sub->metric_count, slice_from_cstr(sub->energy_footprint[i]));
        if (!mc)
            continue;
        double kwh = 0;
        const struct job_statistic *s = find_statistic(job, mc->name);
        if (s && strcmp(mc->energy, "power") == 0)
            kwh = job_round2(s->avg * (double)job->num_nodes * ((double)job->duration_s / 3600) / 1000);
        job->energy_footprint[job->energy_footprint_count++] =
            (struct job_number){.name = slice_from_cstr(mc->name), .value = kwh};
        total += kwh;
    }
    job->energy_kwh = job_round2(total);
    if (job->energy_footprint_count)
        qsort(job->energy_footprint, job->energy_footprint_count, sizeof(*job->energy_footprint),
              compare_numbers);
}
