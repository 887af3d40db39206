// SPDX-License-Identifier: MIT
// Reading a series as metric-store.md 4.4 says, by runs instead of by steps.
#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "store/series.h"

#define TIME_LIMIT (INT64_C(1) << 60) // beyond any sample; keeps sums of times from overflowing
#define RUNS_FIRST 8

struct walk {
    const struct series *series;
    int64_t f, to;
    struct arena *arena;
    struct series_plan *plan;
    size_t run_cap;
};

static size_t steps_until(int64_t from, int64_t until, int64_t f)
{
    return until <= from ? 0 : (size_t)(((uint64_t)(until - from) + (uint64_t)f - 1) / (uint64_t)f);
}

static void grow_runs(struct walk *w)
{
    struct series_plan *plan = w->plan;
    size_t cap = w->run_cap ? w->run_cap * 2 : RUNS_FIRST;
    struct series_run *grown = ARENA_ARRAY(w->arena, struct series_run, cap);
    if (plan->run_count)
        memcpy(grown, plan->runs, plan->run_count * sizeof(*grown));
    plan->runs = grown;
    w->run_cap = cap;
}

// A run of 'count' values, more than none, to be filled in.
static struct series_run *add_run(struct walk *w, enum run_kind kind, size_t count)
{
    struct series_plan *plan = w->plan;
    if (plan->run_count == w->run_cap)
        grow_runs(w);
    struct series_run *run = &plan->runs[plan->run_count++];
    run->kind = (uint8_t)kind;
    run->count = count;
    plan->count += count;
    return run;
}

static void add_gap(struct walk *w, size_t count)
{
    if (count > 0)
        add_run(w, RUN_GAP, count);
}

static void add_open(struct walk *w, size_t index, size_t count)
{
    const struct series *s = w->series;
    size_t item = s->open_wide ? sizeof(double) : sizeof(int32_t);
    void *copy = arena_alloc(w->arena, count * item);
    memcpy(copy, (const char *)s->open + index * item, count * item);
    struct series_run *run = add_run(w, s->open_wide ? RUN_WIDE : RUN_NARROW, count);
    run->scale = s->open_scale;
    run->values = copy;
}

// Bins [first, first + count) of a segment, all of which exist.
static void add_bins(struct walk *w, const struct segment *segment, size_t first, size_t count)
{
    size_t end = first + count;
    for (size_t i = segment->first_piece; i < segment->end_piece && first < end; i++) {
        const struct piece *piece = &w->series->pieces->items[i];
        size_t piece_end = piece->first_bin + (size_t)piece->bins;
        if (first >= piece_end)
            continue;
        size_t n = MIN(end, piece_end) - first;
        __builtin_prefetch(piece->block); // read when all series are planned
        struct series_run *run = add_run(w, RUN_BLOCK, n);
        run->block = piece->block;
        run->first = (uint16_t)(first - piece->first_bin);
        first += n;
    }
    if (first < end)
        add_open(w, first - w->series->open_first, end - first);
}

static int64_t first_write(const struct segment *segment, int64_t f)
{
    return segment->start + f / 2;
}

static int64_t cap_end(const struct segment *segment, int64_t f)
{
    return segment->start + (int64_t)segment->cap * f;
}

// Where reading goes on with the next segment: behind the capacity, as upstream does. Restored segments may begin within the
// capacity of the one before, though behind its values.
static int64_t reach(const struct segment *now, const struct segment *next, int64_t f)
{
    int64_t end = cap_end(now, f);
    return next->start + f <= end ? MAX(next->start, now->start + (int64_t)now->len * f) : end;
}

// The segment to begin with: the newest whose first value is not later than 'from', else the oldest.
static bool find_first(const struct series *s, int64_t f, int64_t from, struct segment *ret,
                       size_t *ret_position)
{
    struct segment segment;
    bool found = false;
    for (size_t i = 0; series_next_segment(s, &i, &segment);) {
        if (found && first_write(&segment, f) > from)
            break;
        *ret = segment;
        *ret_position = i;
        found = true;
    }
    return found;
}

// One stretch from t on: adds its run and returns its steps, 0 at the end of the data.
static size_t walk_stretch(struct walk *w, const struct segment *now, const struct segment *next, int64_t t)
{
    if (t < now->start) {
        size_t n = steps_until(t, MIN(now->start, w->to), w->f);
        add_gap(w, n);
        return n;
    }
    size_t bin = (size_t)((t - now->start) / w->f);
    if (bin < now->len) {
        size_t n = MIN(now->len - bin, steps_until(t, w->to, w->f));
        add_bins(w, now, bin, n);
        return n;
    }
    if (!next || w->to <= next->start)
        return 0;
    size_t n = steps_until(t, MIN(reach(now, next, w->f), w->to), w->f);
    add_gap(w, n);
    return n;
}

static void walk(struct walk *w, int64_t from)
{
    struct segment now, next;
    size_t position;
    w->plan->from = w->plan->to = from;
    if (from >= TIME_LIMIT || !find_first(w->series, w->f, from, &now, &position))
        return;
    int64_t t = MAX(from, first_write(&now, w->f));
    w->plan->from = t;
    bool has_next = series_next_segment(w->series, &position, &next);
    while (t < w->to) {
        while (has_next && t >= reach(&now, &next, w->f)) {
            now = next;
            has_next = series_next_segment(w->series, &position, &next);
        }
        size_t steps = walk_stretch(w, &now, has_next ? &next : NULL, t);
        if (steps == 0)
            break;
        t += (int64_t)steps * w->f;
    }
    w->plan->to = t;
}

void series_plan(const struct series *s, int64_t frequency_s, int64_t from, int64_t to, struct arena *arena,
                 struct series_plan *ret)
{
    struct walk w = {.series = s, .f = frequency_s, .to = MIN(to, TIME_LIMIT), .plan = ret, .arena = arena};
    *ret = (struct series_plan){.count = 0};
    walk(&w, from);
}

static void decode_narrow(const struct series_run *run, size_t count, double *out)
{
    const int32_t *m = run->values;
    double p = block_power_of_ten(run->scale);
    for (size_t i = 0; i < count; i++)
        out[i] = m[i] == INT32_MIN ? NAN : (double)m[i] / p;
}

static void decode_run(const struct series_run *run, size_t count, double *out)
{
    switch ((enum run_kind)run->kind) {
    case RUN_BLOCK:
        block_decode(run->block, run->first, count, out);
        break;
    case RUN_NARROW:
        decode_narrow(run, count, out);
        break;
    case RUN_WIDE:
        memcpy(out, run->values, count * sizeof(*out));
        break;
    case RUN_GAP:
        for (size_t i = 0; i < count; i++)
            out[i] = NAN;
        break;
    }
}

void series_decode(const struct series_plan *plan, size_t count, double *out)
{
    ASSERT(count <= plan->count);
    for (size_t i = 0; i < plan->run_count && count > 0; i++) {
        size_t n = MIN(plan->runs[i].count, count);
        decode_run(&plan->runs[i], n, out);
        out += n;
        count -= n;
    }
}

static void add_run_stats(const struct series_run *run, size_t count, struct block_stats *total)
{
    double values[SEGMENT_BINS];
    if (run->kind == RUN_GAP)
        return;
    if (run->kind == RUN_BLOCK && count == run->block->count) {
        struct block_stats stats;
        block_stats(run->block, &stats);
        block_stats_add(total, &stats);
        return;
    }
    decode_run(run, count, values); // runs other than gaps are not longer than a segment
    block_stats_add_values(total, values, count);
}

void series_stats(const struct series_plan *plan, size_t count, struct block_stats *ret)
{
    ASSERT(count <= plan->count);
    *ret = (struct block_stats){.valid = 0};
    for (size_t i = 0; i < plan->run_count && count > 0; i++) {
        size_t n = MIN(plan->runs[i].count, count);
        add_run_stats(&plan->runs[i], n, ret);
        count -= n;
    }
}
