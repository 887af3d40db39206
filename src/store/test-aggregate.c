// SPDX-License-Identifier: MIT
// Sums of series whose blocks are of every kind, against the sums of their decoded values.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/aggregate.h"
#include "store/block.h"

#define BINS   BLOCK_MAX_VALUES
#define SERIES 3
#define RUNS   2 // blocks of a series

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 20;
}

typedef double make_value_fn(size_t i, uint64_t *random);

static double constant(size_t i, uint64_t *random)
{
    (void)i, (void)random;
    return -42.125;
}
static double noise(size_t i, uint64_t *random)
{
    (void)i;
    return (double)(next_random(random) % 100000) / 1000;
}
static double steps(size_t i, uint64_t *random)
{
    (void)random;
    return (double)(i / 37) * 12.5;
}
static double counter(size_t i, uint64_t *random)
{
    return (double)i * 5000 + (double)(next_random(random) % 100);
}
static double few(size_t i, uint64_t *random) // distinct values, in no order
{
    static const double values[] = {0.5, 98765.432, 17, 1234.567};
    (void)i;
    return values[next_random(random) % ARRAY_LEN(values)];
}
static double outliers(size_t i, uint64_t *random)
{
    return i % 100 == 42 ? 90000.125 : 500 + (double)(next_random(random) % 4000) / 1000;
}
static double fractions(size_t i, uint64_t *random)
{
    (void)i;
    return (double)next_random(random) / 3e9;
}
static double noise_with_gaps(size_t i, uint64_t *random)
{
    return i % 50 == 7 ? NAN : noise(i, random);
}
static double outliers_with_gaps(size_t i, uint64_t *random)
{
    return i % 50 == 7 ? NAN : outliers(i, random);
}
static double nothing(size_t i, uint64_t *random)
{
    (void)i, (void)random;
    return NAN;
}

static const struct {
    const char *name;
    make_value_fn *make;
    enum block_kind kind;
} shapes[] = {
    {"constant", constant, BLOCK_CONST},
    {"noise", noise, BLOCK_FRAME},
    {"steps", steps, BLOCK_RUNS},
    {"counter", counter, BLOCK_DELTA},
    {"few", few, BLOCK_DICT},
    {"outliers", outliers, BLOCK_PATCHED},
    {"fractions", fractions, BLOCK_RAW64},
    {"noise with gaps", noise_with_gaps, BLOCK_FRAME},
    {"outliers with gaps", outliers_with_gaps, BLOCK_PATCHED},
    {"nothing", nothing, BLOCK_CONST},
};

static struct block *make_block(size_t shape, uint64_t seed)
{
    double values[BINS];
    for (size_t i = 0; i < BINS; i++)
        values[i] = shapes[shape].make(i, &seed);
    struct block *block = block_encode(values, BINS);
    if (block->kind != shapes[shape].kind)
        fail_msg("%s: kind %u", shapes[shape].name, block->kind);
    return block;
}

static void expect_sum(const struct series_plan *plans, size_t points, double factor, const char *what)
{
    double got[RUNS * BINS], want[RUNS * BINS] = {0}, values[RUNS * BINS];
    struct arena *arena = arena_new((size_t)1 << 20);
    assert_true(aggregate_sum(plans, SERIES, points, factor, arena, got));
    for (size_t k = 0; k < SERIES; k++) {
        series_decode(&plans[k], points, values);
        for (size_t i = 0; i < points; i++)
            want[i] += values[i];
    }
    for (size_t i = 0; i < points; i++) {
        double w = want[i] * factor;
        if (isnan(w) ? !isnan(got[i]) : !(fabs(got[i] - w) <= 1e-12 * (1e6 + fabs(w))))
            fail_msg("%s, %zu points: value %zu is %.17g, wanted %.17g", what, points, i, got[i], w);
    }
    arena_free(&arena);
}

// One series of each shape after another, beside two of shape 'other'; whole blocks and parts of them.
static void expect_sums_of(size_t shape, size_t other)
{
    struct block *blocks[SERIES][RUNS];
    struct series_run runs[SERIES][RUNS];
    struct series_plan plans[SERIES];
    char what[80];
    snprintf(what, sizeof(what), "%s beside %s", shapes[shape].name, shapes[other].name);
    for (size_t first = 0; first <= 5; first += 5) { // within the first block
        for (size_t k = 0; k < SERIES; k++) {
            for (size_t r = 0; r < RUNS; r++) {
                size_t begin = r == 0 ? first : 0;
                blocks[k][r] = make_block(k == 0 ? shape : other, k * 100 + r);
                runs[k][r] = (struct series_run){.kind = RUN_BLOCK,
                                                 .block = blocks[k][r],
                                                 .first = (uint16_t)begin,
                                                 .count = BINS - begin};
            }
            plans[k] = (struct series_plan){.count = RUNS * BINS - first, .runs = runs[k], .run_count = RUNS};
        }
        static const size_t fewer[] = {0, 1, 100, 600};
        for (size_t i = 0; i < ARRAY_LEN(fewer); i++)
            expect_sum(plans, RUNS * BINS - first - fewer[i], i % 2 ? 1.0 / SERIES : 1, what);
        for (size_t k = 0; k < SERIES; k++)
            for (size_t r = 0; r < RUNS; r++)
                mem_free(blocks[k][r]);
    }
}

static void test_every_kind_beside_every_other(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < ARRAY_LEN(shapes); shape++)
        for (size_t other = 0; other < ARRAY_LEN(shapes); other++)
            expect_sums_of(shape, other);
}

static void test_values_of_open_arrays(void **state)
{
    static const int32_t open[] = {5, -7, INT32_MIN, 1000000}; // INT32_MIN: a gap
    struct block *block = make_block(1, 7);
    struct series_run runs[SERIES] = {
        {.kind = RUN_NARROW, .values = open, .count = 4, .scale = 2},
        {.kind = RUN_BLOCK, .block = block, .count = 4, .first = 9},
        {.kind = RUN_GAP, .count = 4},
    };
    struct series_plan plans[SERIES];
    (void)state;
    for (size_t k = 0; k < SERIES; k++)
        plans[k] = (struct series_plan){.count = 4, .runs = &runs[k], .run_count = 1};
    expect_sum(plans, 4, 1, "with a gap");
    plans[2] = plans[0];
    expect_sum(plans, 4, 1, "open arrays");
    expect_sum(plans, 0, 1, "no points");
    mem_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_beside_every_other),
        cmocka_unit_test(test_values_of_open_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
