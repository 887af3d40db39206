// SPDX-License-Identifier: MIT
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/bitpack.h"
#include "store/block.h"

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 20;
}

typedef double make_value_fn(size_t i, uint64_t *random);

static double constant(size_t i, uint64_t *random)
{
    (void)i, (void)random;
    return 42.125;
}
static double steps(size_t i, uint64_t *random)
{
    (void)random;
    return (double)(i / 37) * 1234.5;
}
static double noise(size_t i, uint64_t *random)
{
    (void)i;
    return (double)(next_random(random) % 1000000) / 1000;
}
static double negative(size_t i, uint64_t *random)
{
    (void)i;
    return (double)((int64_t)(next_random(random) % 2000) - 1000) / 100;
}
static double counter(size_t i, uint64_t *random)
{
    return 123456789012.0 + (double)i * 5000 + (double)(next_random(random) % 100);
}
static double wide_counter(size_t i, uint64_t *random)
{
    return 4e14 + (double)i * 2e9 + (double)(next_random(random) % 100);
}
static double two_values(size_t i, uint64_t *random)
{
    (void)i;
    return next_random(random) % 2 ? 0.5 : 987654.321;
}
static double gaps(size_t i, uint64_t *random)
{
    return i % 5 == 1 ? NAN : noise(i, random);
}
static double runs_with_gaps(size_t i, uint64_t *random)
{
    (void)random;
    return i / 50 % 2 ? NAN : 7;
}
static double nothing(size_t i, uint64_t *random)
{
    (void)i, (void)random;
    return NAN;
}
static double float32(size_t i, uint64_t *random)
{
    (void)i;
    return (double)((float)next_random(random) * 1.2345e-7f);
}
static double float64(size_t i, uint64_t *random)
{
    (void)i;
    return (double)next_random(random) / 3;
}
static double large(size_t i, uint64_t *random)
{
    (void)random;
    return i % 2 ? 1e300 : -1e-300;
}
static double infinite(size_t i, uint64_t *random)
{
    (void)random;
    return i % 2 ? INFINITY : 1;
}
static double quotients(size_t i, uint64_t *random)
{
    return i % 9 == 4 ? NAN : 100.0 / (double)(60 + next_random(random) % 50);
}
static double pages(size_t i, uint64_t *random) // bytes in use: multiples of 4096 above 32 bits
{
    (void)i;
    return 64e9 + (double)(next_random(random) % 100000) * 4096;
}
static double outliers(size_t i, uint64_t *random)
{
    return i % 100 == 42 ? 900000.125 - (double)i : (double)(500000000 + next_random(random) % 4000) / 1000;
}
static double outliers_below(size_t i, uint64_t *random)
{
    return i == 7 ? NAN : (double)(i % 90 == 3 ? i % 7 : 10000 + next_random(random) % 1000) / 100;
}
static double spikes(size_t i, uint64_t *random) // at rest otherwise
{
    return i % 16 == 5 ? (double)(1 + next_random(random) % 1000000) : 0;
}
static double negative_zero(size_t i, uint64_t *random)
{
    (void)i, (void)random;
    return -0.0;
}

static const struct {
    const char *name;
    make_value_fn *make;
    enum block_kind kind; // of a full block
    size_t most_bytes;    // of its payload
} shapes[] = {
    {"constant", constant, BLOCK_CONST, 0},
    {"steps", steps, BLOCK_RUNS, 100},
    {"noise of 1000000 values", noise, BLOCK_FRAME, 1280},
    {"negative", negative, BLOCK_FRAME, 704},
    {"counter", counter, BLOCK_DELTA, 600},
    {"wide counter", wide_counter, BLOCK_DELTA, 600},
    {"two values", two_values, BLOCK_DICT, 72},
    {"gaps", gaps, BLOCK_FRAME, 1280},
    {"runs with gaps", runs_with_gaps, BLOCK_RUNS, 40},
    {"nothing", nothing, BLOCK_CONST, 0},
    {"float32", float32, BLOCK_RAW32, 2072},
    {"float64", float64, BLOCK_RAW64, 4120},
    {"large", large, BLOCK_DICT64, 112},
    {"infinite", infinite, BLOCK_DICT64, 112},
    {"quotients", quotients, BLOCK_DICT64, 900},
    {"pages", pages, BLOCK_FRAME, 1088},
    {"outliers", outliers, BLOCK_PATCHED, 802},
    {"outliers below", outliers_below, BLOCK_PATCHED, 700},
    {"spikes", spikes, BLOCK_PATCHED, 200},
    {"negative zero", negative_zero, BLOCK_CONST, 0},
};

static void expect_same(const char *name, const double *want, const double *got, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double w = want[i] + 0.0;
        bool same = isnan(w) ? isnan(got[i]) : memcmp(&w, &got[i], sizeof(w)) == 0;
        if (!same)
            fail_msg("%s: value %zu of %zu is %.17g, wanted %.17g", name, i, count, got[i], w);
    }
}

static void expect_stats(const char *name, const struct block *block, const double *values, size_t count)
{
    struct block_stats want = {.valid = 0}, got;
    block_stats_add_values(&want, values, count);
    block_stats(block, &got);
    if (got.valid != want.valid || got.min != want.min || got.max != want.max ||
        fabs(got.sum - want.sum) > 1e-12 * fabs(want.sum))
        fail_msg("%s: statistics %u %.17g %.17g %.17g, wanted %u %.17g %.17g %.17g", name, got.valid, got.min,
                 got.max, got.sum, want.valid, want.min, want.max, want.sum);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 3, 4, 5, 31, 32, 33, 127, 128, 129, 511, 512};
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            double values[BLOCK_MAX_VALUES], out[BLOCK_MAX_VALUES];
            uint64_t random = 7;
            for (size_t i = 0; i < counts[c]; i++)
                values[i] = shapes[s].make(i, &random);
            struct block *block = block_encode(values, counts[c]);
            block_decode(block, 0, counts[c], out);
            expect_same(shapes[s].name, values, out, counts[c]);
            size_t first = counts[c] / 3, part = counts[c] - first - counts[c] / 4;
            block_decode(block, first, part, out);
            expect_same(shapes[s].name, values + first, out, part);
            expect_stats(shapes[s].name, block, values, counts[c]);
            mem_free(block);
        }
    }
}

static void test_smallest_coding_is_taken(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        double values[BLOCK_MAX_VALUES];
        uint64_t random = 7;
        for (size_t i = 0; i < BLOCK_MAX_VALUES; i++)
            values[i] = shapes[s].make(i, &random);
        struct block *block = block_encode(values, BLOCK_MAX_VALUES);
        if (block->kind != shapes[s].kind || block->size_bytes > shapes[s].most_bytes)
            fail_msg("%s: kind %u, %u bytes; wanted kind %u, at most %zu", shapes[s].name, block->kind,
                     block->size_bytes, shapes[s].kind, shapes[s].most_bytes);
        mem_free(block);
    }
}

static void test_bitpack(void **state)
{
    (void)state;
    for (unsigned width = 0; width <= 32; width++) {
        for (size_t count = 1; count <= 300; count += 13) {
            uint32_t codes[304] = {0}, out[304];
            uint8_t bytes[304 * 4 + 64];
            uint64_t random = width * 1000 + count;
            for (size_t i = 0; i < count; i++)
                codes[i] = (uint32_t)(next_random(&random) & ((UINT64_C(1) << width) - 1));
            memset(bytes, 0xEE, sizeof(bytes));
            bitpack_pack(codes, count, width, bytes);
            size_t size = bitpack_bytes(count, width);
            if (bytes[size] != 0xEE)
                fail_msg("width %u, %zu codes: more than %zu bytes written", width, count, size);
            bitpack_unpack(bytes, count, width, out);
            for (size_t i = 0; i < count; i++) {
                if (out[i] != codes[i])
                    fail_msg("width %u: code %zu of %zu is %u, wanted %u", width, i, count, out[i], codes[i]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bitpack),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_smallest_coding_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
