// SPDX-License-Identifier: MIT
#include "store/aggregate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "store/bitpack.h"

#define NARROW_GAP INT32_MIN
#define PADDING    4      // values that vector stores may touch behind the last point
#define LEVEL_MAX  0x1p62 // of the sum of all levels: far from an overflow

// The sum at point i is the sum of steps[0 .. i] + codes[i], in units of 10^-scale.
struct sums {
    size_t points;
    unsigned scale;
    int64_t *steps;
    uint32_t *codes;
    uint8_t *gaps; // 1: a contributor has no value
};

// ---- can it be done in integers? --------------------------------------------------------------------------------

struct bounds {
    unsigned scale;
    bool suited; // all runs are integers whose codes are known to be small
};

static bool is_integer_run(const struct series_run *run)
{
    if (run->kind == RUN_BLOCK) // the range of DELTA is not known
        return block_is_decimal(run->block) && run->block->kind != BLOCK_DELTA;
    return run->kind != RUN_WIDE;
}

static unsigned run_scale(const struct series_run *run)
{
    return run->kind == RUN_BLOCK ? run->block->scale : run->kind == RUN_NARROW ? run->scale : 0;
}

// Largest code of a run in units of 10^-scale.
static double run_range(const struct series_run *run, unsigned scale)
{
    if (run->kind != RUN_BLOCK)
        return 0;
    double unit = block_power_of_ten(scale - run_scale(run));
    return (double)run->block->range * (double)(UINT64_C(1) << run->block->shift) * unit;
}

static int64_t narrow_magnitude(const struct series_run *run)
{
    const int32_t *m = run->values;
    int64_t largest = 0;
    for (size_t i = 0; i < run->count; i++)
        largest = MAX(largest, m[i] == NARROW_GAP ? 0 : llabs(m[i]));
    return largest;
}

// Not below the largest magnitude of a run in the same units, codes not counted. The values of an open part are looked at
// only where it matters.
#define UNIT_SMALL 1e5
static double run_level(const struct series_run *run, unsigned scale)
{
    double unit = block_power_of_ten(scale - run_scale(run));
    if (run->kind == RUN_BLOCK)
        return fabs((double)run->block->base) * unit;
    if (run->kind != RUN_NARROW)
        return 0;
    return (unit <= UNIT_SMALL ? 0x1p31 : (double)narrow_magnitude(run)) * unit;
}

// The blocks of many series lie all over memory: they are asked for some series ahead.
#define PREFETCH_PLANS 4
static void prefetch_blocks(const struct series_plan *plans, size_t count, size_t k)
{
    if (k + PREFETCH_PLANS >= count)
        return;
    const struct series_plan *plan = &plans[k + PREFETCH_PLANS];
    for (size_t i = 0; i < plan->run_count; i++) {
        if (plan->runs[i].kind != RUN_BLOCK)
            continue;
        __builtin_prefetch(plan->runs[i].block);
        __builtin_prefetch(plan->runs[i].block->payload + 64);
    }
}

// The packed codes of the series that comes next.
#define CACHE_LINE 64
static void prefetch_payload(const struct series_plan *plan)
{
    for (size_t i = 0; i < plan->run_count; i++) {
        const struct block *b = plan->runs[i].kind == RUN_BLOCK ? plan->runs[i].block : NULL;
        for (size_t at = 0; b && at < b->size_bytes; at += CACHE_LINE)
            __builtin_prefetch(b->payload + at);
    }
}

static struct bounds find_bounds(const struct series_plan *plans, size_t count)
{
    struct bounds b = {.suited = true};
    for (size_t k = 0; k < count; k++) {
        prefetch_blocks(plans, count, k);
        for (size_t i = 0; i < plans[k].run_count; i++) {
            b.suited = b.suited && is_integer_run(&plans[k].runs[i]);
            b.scale = MAX(b.scale, run_scale(&plans[k].runs[i]));
        }
    }
    double codes = 0, levels = 0;
    for (size_t k = 0; k < count && b.suited; k++) {
        double code = 0, level = 0;
        for (size_t i = 0; i < plans[k].run_count; i++) {
            code = MAX(code, run_range(&plans[k].runs[i], b.scale));
            level = MAX(level, run_level(&plans[k].runs[i], b.scale));
        }
        codes += code;
        levels += level;
    }
    b.suited = b.suited && codes <= UINT32_MAX && levels <= LEVEL_MAX;
    return b;
}

// ---- adding runs ------------------------------------------------------------------------------------------------

// A value that all of [at, at + count) have in common.
static void add_level(struct sums *s, size_t at, size_t count, int64_t m)
{
    s->steps[at] += m;
    s->steps[at + count] -= m;
}

static void add_codes(struct sums *s, size_t at, size_t count, const uint32_t *codes, uint32_t unit)
{
    uint32_t *sum = s->codes + at;
    for (size_t i = 0; i < count; i++)
        sum[i] += codes[i] * unit;
}

// Code 0 is a gap, the others count from 1.
static void add_codes_with_gaps(struct sums *s, size_t at, size_t count, const uint32_t *codes, uint32_t unit)
{
    for (size_t i = 0; i < count; i++) {
        s->gaps[at + i] |= codes[i] == 0;
        s->codes[at + i] += (codes[i] - (codes[i] > 0)) * unit;
    }
}

static void add_code_block(struct sums *s, size_t at, const struct series_run *run, size_t count,
                           uint32_t unit)
{
    const struct block *b = run->block;
    uint32_t codes[BLOCK_MAX_VALUES];
    if (b->kind == BLOCK_FRAME && unit == 1 && b->valid == b->count && count == b->count) {
        bitpack_add(b->payload, count, b->width, s->codes + at);
        return;
    }
    block_codes(b, codes);
    if (b->valid < b->count)
        add_codes_with_gaps(s, at, count, codes + run->first, unit);
    else
        add_codes(s, at, count, codes + run->first, unit);
}

// Steps of a full block cost one addition each, whatever their length.
static void add_runs(struct sums *s, size_t at, const struct block *b, int64_t unit)
{
    const uint8_t *codes = b->payload + b->items * sizeof(uint16_t);
    int64_t before = 0;
    for (size_t r = 0; r < b->items; r++) {
        uint16_t length;
        uint32_t code = 0;
        memcpy(&length, b->payload + r * sizeof(length), sizeof(length));
        memcpy(&code, codes + r * b->width, b->width);
        int64_t level = (int64_t)code * unit;
        s->steps[at] += level - before;
        before = level;
        at += length;
    }
    s->steps[at] -= before;
}

static void add_block(struct sums *s, size_t at, const struct series_run *run, size_t count)
{
    const struct block *b = run->block;
    int64_t decimals = (int64_t)block_power_of_ten(s->scale - b->scale);
    uint32_t unit = (uint32_t)(decimals << b->shift); // small enough: the bounds have been checked
    if (b->valid == 0) {
        memset(s->gaps + at, 1, count);
        return;
    }
    add_level(s, at, count, (int64_t)b->base * decimals);
    if (b->kind == BLOCK_RUNS && b->valid == b->count && count == b->count)
        add_runs(s, at, b, unit);
    else if (b->kind != BLOCK_CONST)
        add_code_block(s, at, run, count, unit);
}

// Each value is a step from the one before: nothing need be known of their range.
static void add_narrow(struct sums *s, size_t at, const struct series_run *run, size_t count)
{
    const int32_t *m = run->values;
    int64_t decimals = (int64_t)block_power_of_ten(s->scale - run->scale), before = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t level = m[i] == NARROW_GAP ? before : m[i] * decimals;
        s->gaps[at + i] |= m[i] == NARROW_GAP;
        s->steps[at + i] += level - before;
        before = level;
    }
    s->steps[at + count] -= before;
}

static void add_plan(struct sums *s, const struct series_plan *plan)
{
    size_t at = 0;
    for (size_t i = 0; i < plan->run_count && at < s->points; i++) {
        const struct series_run *run = &plan->runs[i];
        size_t n = MIN(run->count, s->points - at);
        if (run->kind == RUN_BLOCK)
            add_block(s, at, run, n);
        else if (run->kind == RUN_NARROW)
            add_narrow(s, at, run, n);
        else
            memset(s->gaps + at, 1, n);
        at += n;
    }
}

static void finish(const struct sums *s, double factor, double *out)
{
    double p = block_power_of_ten(s->scale);
    int64_t level = 0;
    for (size_t i = 0; i < s->points; i++) {
        level += s->steps[i];
        out[i] = (double)(level + s->codes[i]);
    }
    for (size_t i = 0; i < s->points; i++) // apart, so that it is done in vectors
        out[i] = out[i] / p * factor;
    if (memchr(s->gaps, 1, s->points) == NULL)
        return;
    for (size_t i = 0; i < s->points; i++)
        out[i] = s->gaps[i] ? NAN : out[i];
}

static bool sum_integers(const struct series_plan *plans, size_t count, size_t points, unsigned scale,
                         double factor, struct arena *arena, double *out)
{
    struct sums s = {.points = points,
                     .scale = scale,
                     .steps = arena_try_alloc(arena, (points + 1) * sizeof(int64_t)),
                     .codes = arena_try_alloc(arena, (points + PADDING) * sizeof(uint32_t)),
                     .gaps = arena_try_alloc(arena, points + 1)};
    if (!s.steps || !s.codes || !s.gaps)
        return false;
    for (size_t k = 0; k < count; k++) {
        if (k + 1 < count)
            prefetch_payload(&plans[k + 1]);
        add_plan(&s, &plans[k]);
    }
    finish(&s, factor, out);
    return true;
}

// ---- otherwise --------------------------------------------------------------------------------------------------

static bool sum_doubles(const struct series_plan *plans, size_t count, size_t points, double factor,
                        struct arena *arena, double *out)
{
    double *values = arena_try_alloc(arena, points * sizeof(*values));
    if (!values)
        return false;
    series_decode(&plans[0], points, out);
    for (size_t k = 1; k < count; k++) {
        series_decode(&plans[k], points, values);
        for (size_t i = 0; i < points; i++)
            out[i] += values[i];
    }
    for (size_t i = 0; i < points; i++)
        out[i] *= factor;
    return true;
}

bool aggregate_sum(const struct series_plan *plans, size_t count, size_t points, double factor,
                   struct arena *arena, double *out)
{
    struct bounds b = find_bounds(plans, count);
    if (points == 0)
        return true;
    if (b.suited)
        return sum_integers(plans, count, points, b.scale, factor, arena, out);
    return sum_doubles(plans, count, points, factor, arena, out);
}
