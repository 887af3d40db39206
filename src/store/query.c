// SPDX-License-Identifier: MIT
// Queries (metric-store.md 4.4 to 4.6, 5.3). Under the lock of the host the series are found and what is to
// be read is noted; decoding, sums and resampling happen without it.
#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/aggregate.h"
#include "store/resample.h"
#include "store/store-private.h"

#define PREFIX     "[METRICSTORE]> "
#define TIME_LIMIT (INT64_C(1) << 60) // beyond any sample; keeps differences of times from overflowing

// All series that contribute to one entry, and their common grid.
struct selection {
    struct series_plan *plans;
    size_t count;
    int64_t from, to;
    size_t points;
    const char *error;
};

struct job {
    struct store *store;
    const struct store_query *query;
    const struct store_query_range *range;
    struct arena *arena;
    const struct metric *metric;
    struct host *host;
    struct group *group;              // of the host, while it is locked
    struct series **found;            // series of the selector at work
    size_t found_count, found_cap;    // cap of 'found'
    uint32_t level_hint, member_hint; // ids are mostly asked for in order
    struct store_series *entries;
    size_t entry_count;
};

// ---- selectors --------------------------------------------------------------------------------------------

static size_t selector_count(const struct store_query *q)
{
    if (!q->has_type || q->aggregate)
        return 1;
    return q->type_id_count * (q->has_subtype ? q->subtype_id_count : 1);
}

static void add_found(struct job *job, struct series *series)
{
    if (job->found_count == job->found_cap) {
        size_t cap = mem_next_capacity(job->found_cap, job->found_count + 1);
        struct series **grown = ARENA_ARRAY(job->arena, struct series *, cap);
        if (job->found_count)
            memcpy(grown, job->found, job->found_count * sizeof(*grown));
        job->found = grown;
        job->found_cap = cap;
    }
    job->found[job->found_count++] = series;
}

static struct series *series_at(struct job *job, uint32_t level)
{
    struct series *series = group_find(job->group, level, &job->member_hint);
    return series && !series_is_empty(series) ? series : NULL;
}

// Whether the series is the first on its way from 'level' down: a level with data hides its children (4.5).
static bool is_visible_below(struct job *job, const struct series *series, uint32_t level)
{
    uint32_t at = job->host->levels[series->level].parent;
    while (at != level) {
        if (at == LEVEL_NONE || series_at(job, at))
            return false;
        at = job->host->levels[at].parent;
    }
    return !series_is_empty(series);
}

static void select_level(struct job *job, uint32_t level)
{
    struct series *own = series_at(job, level);
    if (own) {
        add_found(job, own);
        return;
    }
    for (uint32_t i = 0; i < job->group->count; i++) {
        if (is_visible_below(job, &job->group->members[i], level))
            add_found(job, &job->group->members[i]);
    }
}

static uint32_t find_level(struct job *job, uint32_t parent, struct slice type, struct slice id)
{
    char text[NAME_MAX_BYTES];
    if (type.len + id.len > sizeof(text))
        return LEVEL_NONE;
    memcpy(text, type.ptr, type.len);
    memcpy(text + type.len, id.ptr, id.len);
    uint32_t name = intern_find(job->store->names, slice_of(text, type.len + id.len));
    return name == INTERN_NONE ? LEVEL_NONE : host_find_level(job->host, parent, name, &job->level_hint);
}

// The selector of one pair of ids; without subtype sub is ignored.
static void select_component(struct job *job, size_t id, size_t sub)
{
    const struct store_query *q = job->query;
    uint32_t level = find_level(job, LEVEL_HOST, q->type, q->type_ids[id]);
    if (level != LEVEL_NONE && q->has_subtype)
        level = find_level(job, level, q->subtype, q->subtype_ids[sub]);
    if (level != LEVEL_NONE)
        select_level(job, level);
}

static void select_all_components(struct job *job)
{
    const struct store_query *q = job->query;
    for (size_t id = 0; id < q->type_id_count; id++) {
        for (size_t sub = 0; sub < (q->has_subtype ? q->subtype_id_count : 1); sub++)
            select_component(job, id, sub);
    }
}

static void select_series(struct job *job, size_t selector)
{
    const struct store_query *q = job->query;
    size_t subs = q->has_subtype ? q->subtype_id_count : 1;
    job->found_count = 0;
    if (!q->has_type)
        select_level(job, LEVEL_HOST);
    else if (q->aggregate)
        select_all_components(job);
    else
        select_component(job, selector / subs, selector % subs);
}

// ---- common grid ------------------------------------------------------------------------------------------

// What planning reads of a series lies all over memory: it is asked for some series ahead.
#define PREFETCH_SERIES 8
static void prefetch_series(const struct job *job, size_t i)
{
    if (i + PREFETCH_SERIES >= job->found_count)
        return;
    const struct series *s = job->found[i + PREFETCH_SERIES];
    if (s->pieces) {
        __builtin_prefetch(s->pieces);
        __builtin_prefetch((const char *)s->pieces + 64);
        __builtin_prefetch((const char *)s->pieces + 128);
    }
    if (s->open) {
        __builtin_prefetch(s->open);
        __builtin_prefetch((const char *)s->open + 64);
    }
}

// Contributors that have nothing in the range are left out; the others are read from the latest start to the earliest
// end, whatever their order (MS-18).
static void plan_aggregate(struct job *job, struct selection *sel)
{
    int64_t f = job->metric->frequency_s, start = INT64_MIN, to = job->range->to;
    sel->plans = ARENA_ARRAY(job->arena, struct series_plan, job->found_count);
    for (size_t i = 0; i < job->found_count; i++) {
        struct series_plan *plan = &sel->plans[sel->count];
        prefetch_series(job, i);
        series_plan(job->found[i], f, job->range->from, to, job->arena, plan);
        if (i == 0)
            sel->from = sel->to = plan->from;
        if (plan->count == 0)
            continue;
        job->found[sel->count++] = job->found[i];
        start = MAX(start, plan->from);
    }
    if (sel->count == 0)
        return;
    sel->points = SIZE_MAX;
    for (size_t i = 0; i < sel->count; i++) {
        if (sel->plans[i].from != start)
            series_plan(job->found[i], f, start, to, job->arena, &sel->plans[i]);
        sel->points = MIN(sel->points, sel->plans[i].count);
    }
    sel->from = start;
    sel->to = start + (int64_t)sel->points * f;
}

static void plan_single(struct job *job, struct selection *sel)
{
    struct series_plan *plan = ARENA_NEW(job->arena, struct series_plan);
    series_plan(job->found[0], job->metric->frequency_s, job->range->from, job->range->to, job->arena, plan);
    *sel = (struct selection){
        .plans = plan, .count = 1, .from = plan->from, .to = plan->to, .points = plan->count};
}

static bool plan_selection(struct job *job, size_t selector, struct selection *sel)
{
    *sel = (struct selection){.count = 0};
    select_series(job, selector);
    if (job->found_count == 0)
        return false;
    if (job->found_count == 1)
        plan_single(job, sel);
    else if (job->metric->aggregation == AGGREGATION_NONE)
        sel->error = PREFIX "invalid aggregation";
    else
        plan_aggregate(job, sel);
    return true;
}

// ---- values -----------------------------------------------------------------------------------------------

static int decode_selection(struct job *job, const struct selection *sel, double *out, struct error *err)
{
    if (sel->count == 0)
        return 0;
    if (sel->count == 1) {
        series_decode(&sel->plans[0], sel->points, out);
        return 0;
    }
    double factor = job->metric->aggregation == AGGREGATION_AVG ? 1 / (double)sel->count : 1;
    if (!aggregate_sum(sel->plans, sel->count, sel->points, factor, job->arena, out))
        return error_set(err, ERR_LIMIT, "the answer needs too much memory");
    return 0;
}

// Values to put in front so that the answer begins where the request does: never more than the window has
// (MS-21), and in steps of the answer (MS-20).
static size_t padding(const struct job *job, int64_t from, int64_t step_s)
{
    const struct store_query_range *range = job->range;
    int64_t f = job->metric->frequency_s;
    if (!range->with_padding || !range->with_data || from <= range->from)
        return 0;
    int64_t begin = MAX(range->from, -TIME_LIMIT), end = MIN(range->to, TIME_LIMIT);
    int64_t window = (end - begin + f - 1) / f;
    int64_t count = from / f - begin / f;
    return (size_t)(MAX(MIN(count, window), INT64_C(0)) * f / step_s);
}

static void set_stats(struct store_series *entry, const struct block_stats *stats)
{
    entry->avg = stats->valid ? stats->sum / stats->valid : NAN;
    entry->min = stats->valid ? stats->min : NAN;
    entry->max = stats->valid ? stats->max : NAN;
}

static void scale_entry(struct store_series *entry, double *data, double factor)
{
    if (factor == 0 || factor == 1)
        return;
    entry->avg *= factor;
    entry->min *= factor;
    entry->max *= factor;
    if (factor < 0) { // MS-19
        double min = entry->min;
        entry->min = entry->max;
        entry->max = min;
    }
    for (size_t i = 0; i < entry->count; i++)
        data[i] *= factor;
}

// Data of the entry, padded and resampled, and its statistics, which are those of the native data (MS-19).
static int fill_values(struct job *job, const struct selection *sel, struct store_series *entry,
                       size_t out_count, struct block_stats *stats, double **ret_data, struct error *err)
{
    bool resampled = out_count != sel->points;
    size_t pad = padding(job, sel->from, entry->resolution_s);
    if (pad + sel->points > job->store->options.query_max_points)
        return error_set(err, ERR_LIMIT, "%zu values with padding, at most %zu", pad + sel->points,
                         job->store->options.query_max_points);
    double *data = arena_try_alloc(job->arena, (pad + sel->points + 1) * sizeof(*data));
    double *native =
        resampled ? arena_try_alloc(job->arena, (sel->points + 1) * sizeof(*native)) : data + pad;
    if (!data || !native)
        return error_set(err, ERR_LIMIT, "the answer needs too much memory");
    int rc = decode_selection(job, sel, native, err);
    if (rc)
        return rc;
    if (job->range->with_stats && sel->count > 1)
        block_stats_add_values(stats, native, sel->points);
    if (resampled)
        resample_pick(native, sel->points, out_count, data + pad);
    for (size_t i = 0; i < pad; i++)
        data[i] = NAN;
    entry->count = pad + out_count;
    *ret_data = data;
    return 0;
}

static int make_entry(struct job *job, const struct selection *sel, struct store_series *entry,
                      struct error *err)
{
    struct block_stats stats = {.valid = 0};
    struct error resample_error = ERROR_INIT;
    size_t out_count;
    double *data = NULL;
    *entry = (struct store_series){.error = sel->error, .from = sel->from, .to = sel->to};
    if (sel->error)
        return 0;
    if (sel->points > job->store->options.query_max_points)
        return error_set(err, ERR_LIMIT, "%zu values in the range, at most %zu", sel->points,
                         job->store->options.query_max_points);
    if (resample_size(sel->points, job->metric->frequency_s, job->query->resolution_s,
                      job->store->options.resample_minimum_points, &out_count, &entry->resolution_s,
                      &resample_error)) {
        *entry =
            (struct store_series){.error = arena_strdup(job->arena, slice_from_cstr(resample_error.text))};
        return 0;
    }
    int rc = 0;
    if (job->range->with_data || (job->range->with_stats && sel->count > 1))
        rc = fill_values(job, sel, entry, out_count, &stats, &data, err);
    if (rc)
        return rc;
    if (job->range->with_stats && sel->count == 1)
        series_stats(&sel->plans[0], sel->points, &stats);
    if (job->range->with_stats)
        set_stats(entry, &stats);
    if (!job->range->with_data)
        entry->count = 0;
    scale_entry(entry, data, job->query->scale_by);
    entry->data = job->range->with_data ? data : NULL;
    return 0;
}

// ---- a query ----------------------------------------------------------------------------------------------

static void all_errors(struct job *job, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        job->entries[i] = (struct store_series){.error = text};
    job->entry_count = count;
}

static int run_on_host(struct job *job, size_t selectors, struct error *err)
{
    struct host *host = job->host;
    struct selection *selections = ARENA_ARRAY(job->arena, struct selection, selectors);
    size_t count = 0;
    pthread_mutex_lock(&host->lock);
    job->group = host_find_group(host, job->metric);
    for (size_t i = 0; job->group && i < selectors; i++)
        count += plan_selection(job, i, &selections[count]);
    unsigned generation = reclaim_pin(&host->reclaim);
    pthread_mutex_unlock(&host->lock);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = make_entry(job, &selections[i], &job->entries[job->entry_count++], err);
    pthread_mutex_lock(&host->lock);
    reclaim_unpin(&host->reclaim, generation);
    pthread_mutex_unlock(&host->lock);
    return rc;
}

int store_query_run(struct store *store, const struct store_query *query,
                    const struct store_query_range *range, struct arena *arena,
                    struct store_series **ret_entries, size_t *ret_count, struct error *err)
{
    struct job job = {.store = store, .query = query, .range = range, .arena = arena};
    size_t selectors = selector_count(query);
    int rc = 0;
    store_count(&store->counters.queries, 1);
    job.entries = ARENA_ARRAY(arena, struct store_series, selectors);
    job.metric = store_find_metric(store, query->cluster, query->metric);
    if (range->from > range->to)
        all_errors(&job, selectors, PREFIX "invalid time range");
    else if (!job.metric)
        all_errors(&job, selectors,
                   arena_printf(arena, PREFIX "unknown metric: %.*s", SLICE_FMT(query->metric)));
    else
        job.host = store_find_host(store, query->cluster, query->host);
    if (job.host)
        store_need_host(store, job.host);
    if (job.host)
        rc = run_on_host(&job, selectors, err);
    host_unref(job.host);
    if (rc)
        return rc;
    *ret_entries = job.entries;
    *ret_count = job.entry_count;
    return 0;
}
