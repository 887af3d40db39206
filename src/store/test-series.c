// SPDX-License-Identifier: MIT
// Segments, late samples and reads. Vectors of metric-store.md 4.3 and 4.4, and upstream's own test cases (11.1) as far
// as they speak of what can be observed.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/series.h"

struct fixture {
    struct series series;
    struct series_env env;
    struct reclaim reclaim;
    struct series_memory memory;
    struct arena *arena;
};

static struct fixture *fixture_new(int64_t frequency_s)
{
    struct fixture *f = NEW(struct fixture);
    f->env = (struct series_env){.frequency_s = frequency_s, .reclaim = &f->reclaim, .memory = &f->memory};
    f->arena = arena_new((size_t)64 << 20);
    return f;
}

static void fixture_free(struct fixture *f)
{
    series_release(&f->series, &f->env);
    reclaim_release(&f->reclaim);
    arena_free(&f->arena);
    assert_int_equal(f->memory.open_bytes, 0);
    assert_int_equal(f->memory.sealed_bytes, 0);
    assert_int_equal(f->memory.index_bytes, 0);
    assert_int_equal(f->memory.open_chunks, 0);
    assert_int_equal(f->memory.sealed_chunks, 0);
    mem_free(f);
}

// Returns the time of the slot.
static int64_t put(struct fixture *f, int64_t ts, double v)
{
    struct series_value value = series_value_of(v);
    return series_write(&f->series, &f->env, ts, &value);
}

static void expect_read(struct fixture *f, const char *what, int64_t from, int64_t to, int64_t want_from,
                        int64_t want_to, const double *want, size_t count)
{
    struct series_plan plan;
    double out[4096];
    series_plan(&f->series, f->env.frequency_s, from, to, f->arena, &plan);
    if (plan.from != want_from || plan.to != want_to || plan.count != count)
        fail_msg("%s: read [%lld, %lld): from %lld to %lld, %zu values; wanted %lld, %lld, %zu", what,
                 (long long)from, (long long)to, (long long)plan.from, (long long)plan.to, plan.count,
                 (long long)want_from, (long long)want_to, count);
    series_decode(&plan, plan.count, out);
    for (size_t i = 0; i < count; i++) {
        if (isnan(want[i]) ? !isnan(out[i]) : out[i] != want[i])
            fail_msg("%s: read [%lld, %lld): value %zu is %g, wanted %g", what, (long long)from,
                     (long long)to, i, out[i], want[i]);
    }
}

#define VALUES(...) (const double[]){__VA_ARGS__}, sizeof((const double[]){__VA_ARGS__}) / sizeof(double)
#define NO_VALUES   NULL, 0

static void expect_segments(struct fixture *f, const char *what, const int64_t *starts, const size_t *lens,
                            size_t count)
{
    struct segment segment;
    size_t seen = 0;
    for (size_t i = 0; series_next_segment(&f->series, &i, &segment); seen++) {
        if (seen >= count || segment.start != starts[seen] || segment.len != lens[seen])
            fail_msg("%s: segment %zu starts at %lld with %zu values", what, seen, (long long)segment.start,
                     segment.len);
    }
    if (seen != count)
        fail_msg("%s: %zu segments, wanted %zu", what, seen, count);
}

#define SEGMENTS(what, count, starts, lens)                                                                  \
    expect_segments(f, what, (const int64_t[])starts, (const size_t[])lens, count)
#define LIST(...)                                                                                            \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

// ---- the worked example of 4.3 and the table of 4.4 -------------------------------------------------------------

static void test_worked_example(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(60);
    put(f, 1700000010, 1);
    put(f, 1700000071, 2);
    put(f, 1700000185, 3);
    put(f, 1700000310, 5);
    SEGMENTS("4.3", 1, LIST(1699999980), LIST(6));
    expect_read(f, "4.4", 1700000000, 1700000300, 1700000010, 1700000310, VALUES(1, 2, NAN, 3, NAN));
    expect_read(f, "4.4", 1700000100, 1700000300, 1700000100, 1700000340, VALUES(NAN, 3, NAN, 5));
    expect_read(f, "4.4", 1700000000, 1700000400, 1700000010, 1700000370, VALUES(1, 2, NAN, 3, NAN, 5));
    expect_read(f, "4.4", 1700000000, 1700000011, 1700000010, 1700000070, VALUES(1));
    expect_read(f, "4.4", 1700000000, 1700000010, 1700000010, 1700000010, NO_VALUES);
    expect_read(f, "4.4", 1700009000, 1700009300, 1700009000, 1700009000, NO_VALUES);
    expect_read(f, "4.4", 1699990000, 1699995000, 1700000010, 1700000010, NO_VALUES);
    expect_read(f, "extremes", INT64_MIN, INT64_MAX, 1700000010, 1700000370, VALUES(1, 2, NAN, 3, NAN, 5));
    expect_read(f, "extremes", INT64_MAX - 5, INT64_MAX, INT64_MAX - 5, INT64_MAX - 5, NO_VALUES);
    fixture_free(f);
}

// ---- upstream's cases -------------------------------------------------------------------------------------------

static void test_buffer_end_first_write(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    const double values[] = {1, 2, 3, 4};
    series_add_segment(&f->series, &f->env, 90, values, 4, 512);
    expect_read(f, "first write 95, end 135", 0, 1000, 95, 135, values, 4);
    fixture_free(f);
}

static void test_buffer_write_nan_fill(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    put(f, 100, 1);
    put(f, 130, 4);
    expect_read(f, "filled", 0, 1000, 100, 140, VALUES(1, NAN, NAN, 4));
    fixture_free(f);
}

static void test_buffer_write_capacity_overflow(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    const double values[] = {1, 2};
    series_add_segment(&f->series, &f->env, 95, values, 2, 2);
    put(f, 120, 3);
    SEGMENTS("a new one", 2, LIST(95, 115), LIST(2, 1));
    expect_read(f, "all", 0, 1000, 100, 130, VALUES(1, 2, 3));
    fixture_free(f);
}

static void test_buffer_write_overwrite(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    put(f, 100, 1);
    put(f, 110, 2);
    put(f, 100, 99);
    expect_read(f, "overwritten", 0, 1000, 100, 120, VALUES(99, 2));
    fixture_free(f);
}

static void test_buffer_read_before_first_write(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    put(f, 100, 1);
    put(f, 110, 2);
    expect_read(f, "from before", 50, 120, 100, 120, VALUES(1, 2));
    fixture_free(f);
}

static void test_buffer_read_chain(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    const double a[] = {1, 2, 3}, b[] = {4, 5, 6};
    series_add_segment(&f->series, &f->env, 95, a, 3, 3);
    series_add_segment(&f->series, &f->env, 125, b, 3, 3);
    expect_read(f, "across", 100, 160, 100, 160, VALUES(1, 2, 3, 4, 5, 6));
    fixture_free(f);
}

static void test_buffer_read_idx_after_switch(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    const double a[] = {1, 2}, b[] = {10, 20, 30, 40};
    series_add_segment(&f->series, &f->env, 0, a, 2, 2);
    series_add_segment(&f->series, &f->env, 1, b, 4, 10); // upstream's case has both at 0; starts differ here
    expect_read(f, "index anew", 0, 36, 5, 45, VALUES(1, 2, 30, 40));
    fixture_free(f);
}

static void test_buffer_read_nan_values(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    put(f, 100, 1);
    put(f, 110, NAN);
    put(f, 120, 3);
    expect_read(f, "NaN", 100, 130, 100, 130, VALUES(1, NAN, 3));
    fixture_free(f);
}

static void fill_three(struct fixture *f)
{
    const double a[] = {1, 2}, b[] = {3, 4}, c[] = {5, 6};
    series_add_segment(&f->series, &f->env, 0, a, 2, 2);
    series_add_segment(&f->series, &f->env, 20, b, 2, 2);
    series_add_segment(&f->series, &f->env, 40, c, 2, 2);
}

static void test_buffer_free_retention(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    fill_three(f);
    assert_int_equal(series_free_before(&f->series, &f->env, 30), 1);
    SEGMENTS("two are left", 2, LIST(20, 40), LIST(2, 2));
    fixture_free(f);
}

static void test_buffer_free_all(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    fill_three(f);
    put(f, 70, 7);
    assert_int_equal(series_free_before(&f->series, &f->env, 100), 4);
    assert_true(series_is_empty(&f->series));
    fixture_free(f);
}

static void test_buffer_write(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    put(f, 100, 42);
    expect_read(f, "one", 0, 200, 100, 110, VALUES(42));
    SEGMENTS("one", 1, LIST(95), LIST(1));
    put(f, 50, 7); // an error upstream; here it has a place (MS-17)
    expect_read(f, "late", 0, 200, 50, 110, VALUES(7, NAN, NAN, NAN, NAN, 42));
    fixture_free(f);
}

static void test_buffer_read(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    put(f, 100, 1);
    put(f, 110, 2);
    put(f, 120, 3);
    expect_read(f, "three", 100, 130, 100, 130, VALUES(1, 2, 3));
    fixture_free(f);
}

// The oldest segment alone goes, as upstream's "force free": there is no function for it here, a threshold behind its end
// does the same.
static void test_force_free_oldest(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    const double value[] = {1};
    for (int64_t start = 0; start <= 40; start += 20)
        series_add_segment(&f->series, &f->env, start, value, 1, 1);
    assert_int_equal(series_free_before(&f->series, &f->env, 16), 1);
    SEGMENTS("two are left", 2, LIST(20, 40), LIST(1, 1));
    fixture_free(f);
}

static void test_force_free_oldest_single(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    const double value[] = {1};
    series_add_segment(&f->series, &f->env, 0, value, 1, 1);
    assert_int_equal(series_free_before(&f->series, &f->env, 16), 1);
    assert_true(series_is_empty(&f->series));
    fixture_free(f);
}

static void test_buffer_iter_order(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    struct segment segment;
    fill_three(f);
    SEGMENTS("oldest to newest", 3, LIST(0, 20, 40), LIST(2, 2, 2));
    fixture_free(f);
    f = fixture_new(10);
    size_t position = 0;
    assert_false(series_next_segment(&f->series, &position, &segment)); // no buffer: nothing is visited
    expect_read(f, "nothing there", 0, 100, 0, 0, NO_VALUES);
    fixture_free(f);
}

// What ends before the range begins is not visited: [30, 50] takes from the second (to 45) and the third on.
static void test_buffer_iter_filtered(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    struct series_plan plan;
    fill_three(f);
    series_plan(&f->series, 10, 30, 50, f->arena, &plan);
    assert_int_equal(plan.run_count, 2);
    expect_read(f, "second and third", 30, 50, 30, 50, VALUES(4, 5));
    fixture_free(f);
}

static size_t count_values(struct fixture *f)
{
    struct segment segment;
    size_t count = 0;
    for (size_t i = 0; series_next_segment(&f->series, &i, &segment);)
        count += segment.len;
    return count;
}

static void test_buffer_count(void **state)
{
    (void)state;
    const double values[] = {1, 2, 3, 4, 5, 6, 7};
    struct fixture *f = fixture_new(10);
    series_add_segment(&f->series, &f->env, 0, values, 3, 3);
    series_add_segment(&f->series, &f->env, 30, values, 2, 2);
    series_add_segment(&f->series, &f->env, 50, values, 5, 5);
    assert_int_equal(count_values(f), 10);
    fixture_free(f);
    f = fixture_new(10);
    series_add_segment(&f->series, &f->env, 0, values, 7, 512);
    assert_int_equal(count_values(f), 7);
    fixture_free(f);
}

// ---- segments and gaps ------------------------------------------------------------------------------------------

static void test_segments_of_512(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    for (int64_t t = 0; t < 1030; t++)
        put(f, 1700000000 + t, (double)(t % 97) / 8);
    SEGMENTS("512 each", 3, LIST(1700000000, 1700000512, 1700001024), LIST(512, 512, 6));
    double want[1030];
    for (int t = 0; t < 1030; t++)
        want[t] = (double)(t % 97) / 8;
    expect_read(f, "all", 1700000000, 1700001030, 1700000000, 1700001030, want, 1030);
    expect_read(f, "inner", 1700000500, 1700000530, 1700000500, 1700000530, want + 500, 30);
    put(f, 1700003000, 1);
    expect_read(f, "to the gap", 1700001028, 1700002000, 1700001028, 1700001030, want + 1028, 2);
    expect_read(f, "across the gap", 1700002998, 1700003001, 1700002998, 1700003001, VALUES(NAN, NAN, 1));
    expect_read(f, "in the gap", 1700001500, 1700001510, 1700001500, 1700001500, NO_VALUES);
    fixture_free(f);
}

// Values that do not fit in four bytes, or have more decimals than the ones before.
static void test_open_part_changes_form(void **state)
{
    (void)state;
    static const double values[] = {
        1,     0.5,        1234567.125, -0.001,    16777217, 123456789.123, 3e9,
        1e300, 2147483648, -1e-300,     0.1 + 0.2, NAN,      1.0 / 3.0,     9007199254740993.0};
    size_t count = sizeof(values) / sizeof(values[0]);
    for (size_t first = 0; first < count; first++) {
        struct fixture *f = fixture_new(10);
        double want[2 * 14];
        for (size_t i = 0; i < count; i++) {
            want[i] = values[(first + i) % count];
            put(f, 100 + 10 * (int64_t)i, want[i]);
        }
        expect_read(f, "as written", 100, 240, 100, 240, want, count);
        fixture_free(f);
    }
}

static void test_ms_17_late_samples(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    double want[700];
    for (int i = 0; i < 700; i++) {
        want[i] = i;
        if (i != 100 && i != 300 && i != 511)
            put(f, 10000 + 10 * i, i);
    }
    static const int late[] = {511, 100, 300};
    for (size_t i = 0; i < 3; i++)
        put(f, 10000 + 10 * late[i], late[i]);
    want[300] = -5.25;
    put(f, 13004, -5.25); // same bin, an overwrite of a sealed value
    expect_read(f, "late", 0, 20000, 10000, 17000, want, 700);
    fixture_free(f);
}

static void restore(struct fixture *f, int64_t first_time, double v)
{
    series_add_restored(&f->series, &f->env, first_time - f->env.frequency_s / 2, block_encode(&v, 1));
}

// A value of a snapshot that overlaps the one before by some seconds opens a segment; the next ones are restored behind it, within
// its capacity. All are read.
static void test_restored_segments_within_a_capacity(void **state)
{
    struct fixture *f = fixture_new(10);
    restore(f, 100, 1);
    put(f, 108, 2); // left end 103, the one before covers up to 105
    restore(f, 118, 3);
    restore(f, 128, 4);
    put(f, 158, 5);
    expect_read(f, "restored", 0, 1000, 100, 170, VALUES(1, 2, 3, 4, NAN, NAN, 5));
    expect_read(f, "restored, from the middle", 120, 150, 120, 150, VALUES(3, 4, NAN));
    fixture_free(f);
    (void)state;
}

static void test_overlay_tells_where_values_went(void **state)
{
    struct fixture *f = fixture_new(10), *newer = fixture_new(10);
    for (int64_t i = 0; i < 20; i++)
        put(f, 100 + 10 * i, 1);
    put(newer, 124, 2); // on another grid: slot 120 there
    put(newer, 134, 3);
    assert_int_equal(series_overlay(&f->series, &f->env, &newer->series, 134), 130);
    assert_int_equal(series_overlay(&f->series, &f->env, &newer->series, 124), 120);
    assert_int_equal(series_overlay(&f->series, &f->env, &newer->series, 135), INT64_MAX);
    expect_read(f, "overlay", 110, 150, 110, 150, VALUES(1, 2, 3, 1));
    fixture_free(f);
    fixture_free(newer);
    (void)state;
}

static void test_samples_before_the_first(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(60);
    put(f, 1700000000, 1);
    put(f, 1699999969, 2);
    put(f, 1699999400, 3);
    put(f, 1700000060, 4);
    double want[12] = {3, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 2, 1, 4};
    want[9] = 2;
    expect_read(f, "in front", 0, 1700000120, 1699999400, 1700000120, want, 12);
    fixture_free(f);
}

// Backwards in time, sample by sample: no segment of its own for each.
static void test_backfill_in_descending_order(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    double want[600];
    for (int i = 599; i >= 0; i--) {
        want[i] = i;
        put(f, 10000 + 10 * i, i);
    }
    expect_read(f, "all", 0, 20000, 10000, 16000, want, 600);
    struct segment segment;
    size_t segments = 0;
    for (size_t i = 0; series_next_segment(&f->series, &i, &segment);)
        segments++;
    assert_in_range(segments, 2, 4);
    fixture_free(f);
}

// Pieces of a segment that is being written go from its front; what is left reads and grows as before.
static void test_trim_of_the_newest_segment(void **state)
{
    struct fixture *f = fixture_new(10);
    double want[200];
    (void)state;
    for (int i = 0; i < 300; i++)
        put(f, 1000 + 10 * i, i);
    assert_int_equal(series_trim_before(&f->series, &f->env, 1000 + 10 * 128),
                     0); // it ends there, not before
    assert_int_equal(series_trim_before(&f->series, &f->env, 1000 + 10 * 200), 1);
    expect_segments(f, "trimmed", (const int64_t[]){995 + 1280}, (const size_t[]){172}, 1);
    for (int i = 300; i < 328; i++)
        put(f, 1000 + 10 * i, i);
    put(f, 1000 + 10 * 130, -1); // into the piece that moved to the front
    for (int i = 0; i < 200; i++)
        want[i] = i == 2 ? -1 : 128 + i;
    expect_read(f, "trimmed", 2280, 4280, 2280, 4280, want, 200);
    assert_int_equal(series_trim_before(&f->series, &f->env, INT64_MAX), 1); // the open part stays
    expect_segments(f, "open part", (const int64_t[]){995 + 2560}, (const size_t[]){72}, 1);
    assert_int_equal(series_trim_before(&f->series, &f->env, INT64_MAX), 0);
    fixture_free(f);
}

static void test_idle_series_are_sealed(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    put(f, 100, 1);
    put(f, 110, 2);
    series_seal_idle(&f->series, &f->env, 115);
    assert_int_equal(f->memory.open_chunks, 1);
    series_seal_idle(&f->series, &f->env, 1000);
    assert_int_equal(f->memory.open_chunks, 0);
    put(f, 120, 3);
    put(f, 110, 5);
    SEGMENTS("goes on", 1, LIST(95), LIST(3));
    expect_read(f, "goes on", 0, 200, 100, 130, VALUES(1, 5, 3));
    fixture_free(f);
}

static void test_statistics_of_sealed_and_open(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(1);
    double sum = 0;
    for (int i = 0; i < 1000; i++) {
        put(f, 5000 + i, (double)((i * 7919) % 1009) / 10);
        sum += (double)((i * 7919) % 1009) / 10;
    }
    struct series_plan plan;
    struct block_stats stats;
    series_plan(&f->series, 1, 0, 10000, f->arena, &plan);
    series_stats(&plan, plan.count, &stats);
    assert_int_equal(stats.valid, 1000);
    assert_true(stats.min == 0 && stats.max == 100.8 && fabs(stats.sum - sum) < 1e-9);
    series_plan(&f->series, 1, 5100, 5900, f->arena, &plan);
    series_stats(&plan, 100, &stats);
    assert_int_equal(stats.valid, 100);
    fixture_free(f);
}

// A block whose header says something else than its values shows where statistics come from.
static void test_statistics_come_from_the_headers(void **state)
{
    (void)state;
    double values[512];
    for (int i = 0; i < 512; i++)
        values[i] = (i * 7919) % 1009;
    struct block *block = block_encode(values, 512);
    struct series_run run = {.kind = RUN_BLOCK, .count = 512, .block = block};
    struct series_plan plan = {.count = 512, .runs = &run, .run_count = 1};
    struct block_stats stats;
    assert_true(block_is_decimal(block));
    block->code_sum += 1000000;
    double sum = (double)block->code_sum; // the least value is 0
    series_stats(&plan, 512, &stats);
    assert_true(stats.sum == sum);
    series_stats(&plan, 511, &stats); // part of a block has to be looked at
    assert_true(stats.sum < sum - 900000);
    mem_free(block);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

// Snapshots below what came in meanwhile: the same as writing one value after the other.
static void test_overlay_equals_single_writes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct fixture *a = fixture_new(10), *b = fixture_new(10), *newer = fixture_new(10);
        uint64_t random = seed;
        for (int64_t segment = 0; segment < 3; segment++) {
            double values[200];
            size_t count = 1 + next_random(&random) % 200;
            for (size_t i = 0; i < count; i++)
                values[i] = next_random(&random) % 4 ? (double)(next_random(&random) % 1000) / 10 : NAN;
            series_add_restored(&a->series, &a->env, segment * 3000, block_encode(values, count));
            series_add_restored(&b->series, &b->env, segment * 3000, block_encode(values, count));
        }
        int64_t at = (int64_t)(next_random(&random) % 8000);
        for (size_t i = 0; i < 400; i++, at += 10 * (int64_t)(1 + next_random(&random) % 3))
            put(newer, at / 10 * 10 + 5, (double)i + 0.25);
        struct segment segment;
        double values[SEGMENT_BINS];
        int64_t oldest = INT64_MAX;
        for (size_t i = 0; series_next_segment(&newer->series, &i, &segment);) {
            series_segment_values(&newer->series, &segment, values);
            for (size_t k = 0; k < segment.len; k++) {
                int64_t ts = segment_first_time(&segment, 10) + (int64_t)k * 10;
                int64_t slot = isnan(values[k]) ? INT64_MAX : put(b, ts, values[k]);
                oldest = MIN(oldest, slot);
            }
        }
        assert_int_equal(series_overlay(&a->series, &a->env, &newer->series, INT64_MIN), oldest);
        struct series_plan plan_a, plan_b;
        series_plan(&a->series, 10, 0, 100000, a->arena, &plan_a);
        series_plan(&b->series, 10, 0, 100000, b->arena, &plan_b);
        assert_int_equal(plan_a.count, plan_b.count);
        double *out_a = NEW_ARRAY(double, plan_a.count), *out_b = NEW_ARRAY(double, plan_b.count);
        series_decode(&plan_a, plan_a.count, out_a);
        series_decode(&plan_b, plan_b.count, out_b);
        for (size_t i = 0; i < plan_a.count; i++)
            if (isnan(out_a[i]) ? !isnan(out_b[i]) : out_a[i] != out_b[i])
                fail_msg("seed %llu: value %zu is %g, wanted %g", (unsigned long long)seed, i, out_a[i],
                         out_b[i]);
        mem_free(out_a);
        mem_free(out_b);
        fixture_free(a);
        fixture_free(b);
        fixture_free(newer);
    }
}

// A snapshot without values: the series is there, without any; the first sample makes it one like others.
static void test_hollow(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(10);
    struct segment segment;
    series_add_hollow(&f->series, 95);
    assert_false(series_is_empty(&f->series));
    assert_true(series_newest_segment(&f->series, &segment));
    assert_int_equal(segment.start, 95);
    assert_int_equal(segment.len, 0);
    assert_true(segment.restored);
    expect_read(f, "hollow", 50, 200, 100, 100, NULL, 0);
    put(f, 120, 1);
    expect_read(f, "after a sample", 50, 200, 120, 130, (double[]){1}, 1);
    series_release(&f->series, &f->env);
    series_add_hollow(&f->series, 95);
    assert_int_equal(series_free_before(&f->series, &f->env, 100), 0);
    assert_int_equal(series_free_before(&f->series, &f->env, 101), 1);
    assert_true(series_is_empty(&f->series));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlay_equals_single_writes),
        cmocka_unit_test(test_hollow),
        cmocka_unit_test(test_worked_example),
        cmocka_unit_test(test_buffer_end_first_write),
        cmocka_unit_test(test_buffer_write_nan_fill),
        cmocka_unit_test(test_buffer_write_capacity_overflow),
        cmocka_unit_test(test_buffer_write_overwrite),
        cmocka_unit_test(test_buffer_read_before_first_write),
        cmocka_unit_test(test_buffer_read_chain),
        cmocka_unit_test(test_buffer_read_idx_after_switch),
        cmocka_unit_test(test_buffer_read_nan_values),
        cmocka_unit_test(test_buffer_free_retention),
        cmocka_unit_test(test_buffer_free_all),
        cmocka_unit_test(test_buffer_write),
        cmocka_unit_test(test_buffer_read),
        cmocka_unit_test(test_force_free_oldest),
        cmocka_unit_test(test_force_free_oldest_single),
        cmocka_unit_test(test_buffer_iter_order),
        cmocka_unit_test(test_buffer_iter_filtered),
        cmocka_unit_test(test_buffer_count),
        cmocka_unit_test(test_segments_of_512),
        cmocka_unit_test(test_open_part_changes_form),
        cmocka_unit_test(test_ms_17_late_samples),
        cmocka_unit_test(test_restored_segments_within_a_capacity),
        cmocka_unit_test(test_overlay_tells_where_values_went),
        cmocka_unit_test(test_samples_before_the_first),
        cmocka_unit_test(test_backfill_in_descending_order),
        cmocka_unit_test(test_trim_of_the_newest_segment),
        cmocka_unit_test(test_idle_series_are_sealed),
        cmocka_unit_test(test_statistics_of_sealed_and_open),
        cmocka_unit_test(test_statistics_come_from_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
