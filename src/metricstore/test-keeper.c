// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "base/log.h"
#include "metricstore/keeper.h"

#define NOW INT64_C(1700000000)
#define DAY INT64_C(86400)

static struct store *make_store(int64_t retention_s, uint64_t cap)
{
    static const struct store_metric metrics[] = {
        {.name = "m", .frequency_s = 60, .aggregation = AGGREGATION_SUM}};
    struct store_options options = {
        .metrics = metrics, .metric_count = 1, .retention_s = retention_s, .memory_cap_bytes = cap};
    struct store *store = NULL;
    struct error err = ERROR_INIT;

    if (store_new(&options, &store, &err) < 0)
        fail_msg("store_new: %s", err.text);
    return store;
}

// One sample a minute for two days on some hosts, of noise that does not compress well.
static void fill(struct store *store, int hosts)
{
    struct buf body;

    buf_init(&body, BUF_MAX_DEFAULT);
    for (int host = 0; host < hosts; host++) {
        buf_clear(&body);
        for (int64_t ts = NOW - 2 * DAY; ts < NOW; ts += 60)
            buf_printf(&body, "m,cluster=c,hostname=h%d value=%.9f %lld\n", host, sin((double)(ts + host)),
                       (long long)ts);
        struct store_write write = {.body = buf_slice(&body), .default_cluster = SLICE_EMPTY, .now_s = NOW};
        struct store_write_result result = {0};
        assert_int_equal(store_ingest(store, &write, &result), 0);
    }
    buf_release(&body);
}

static uint64_t bytes_of(const struct store *store)
{
    struct store_stats stats = {0};

    store_stats(store, &stats);
    return stats.bytes_open + stats.bytes_sealed + stats.bytes_index;
}

// The oldest time that is left on a host, NOW when there is nothing.
static int64_t oldest(struct store *store, struct slice host)
{
    struct store_query query = {.cluster = SLICE_LITERAL("c"), .host = host, .metric = SLICE_LITERAL("m")};
    struct store_query_range range = {.from = NOW - 3 * DAY, .to = NOW};
    struct arena *arena = arena_new((size_t)1 << 30);
    struct store_series *entries = NULL;
    struct error err = ERROR_INIT;
    size_t count = 0;

    if (store_query_run(store, &query, &range, arena, &entries, &count, &err) < 0)
        fail_msg("store_query_run: %s", err.text);
    int64_t from = count ? entries[0].from : NOW;
    arena_free(&arena);
    return from;
}

static int64_t clock_now(void)
{
    return NOW;
}

static struct keeper *start(struct store *store, int64_t retention_s)
{
    struct keeper_options options = {
        .retention_s = retention_s, .backend_url = "", .backend_token = "", .cap_clock_s = clock_now};
    struct keeper *keeper = NULL;
    struct error err = ERROR_INIT;

    if (keeper_start(store, &options, &keeper, &err) < 0)
        fail_msg("keeper_start: %s", err.text);
    return keeper;
}

static void test_retention(void **state)
{
    struct store *store = make_store(0, 0);
    struct keeper *keeper = start(store, DAY);
    struct keeper_stats stats;

    (void)state;
    fill(store, 2);
    keeper_retain(keeper, NOW);
    int64_t from = oldest(store, SLICE_LITERAL("h1"));
    assert_true(from <= NOW - DAY);           // nothing younger goes
    assert_true(from > NOW - DAY - 512 * 60); // and at most a chunk of older values stays
    keeper_stats(keeper, &stats);
    assert_int_equal(stats.runs, 1);
    assert_int_equal(stats.cap_runs, 0);
    keeper_stop(&keeper);
    store_free(&store);
}

// Whether the given cap made the oldest data go; *ret_bytes: accounted at the end.
static bool cap_frees(uint64_t cap, uint64_t *ret_bytes)
{
    struct store *store = make_store(3 * DAY, cap);
    struct keeper *keeper = start(store, 3 * DAY);
    struct keeper_stats stats;

    fill(store, 20);
    keeper_hold_cap(keeper, NOW);
    store_maintain(store, NOW);
    *ret_bytes = bytes_of(store);
    bool freed = oldest(store, SLICE_LITERAL("h7")) > NOW - 2 * DAY;
    keeper_stats(keeper, &stats);
    assert_int_equal(stats.cap_runs > 0, freed); // by the thread that the batches woke, or by the call
    assert_int_equal(stats.cap_freed_chunks > 0, freed);
    keeper_stop(&keeper);
    store_free(&store);
    return freed;
}

// Nothing goes at or below the cap; above it the oldest goes until it holds.
static void test_ms_04_cap_is_held_and_only_then(void **state)
{
    uint64_t full, left;

    (void)state;
    assert_false(cap_frees(UINT64_C(1) << 40, &full));
    assert_false(cap_frees(full * 2, &left));
    assert_true(cap_frees(full * 6 / 10, &left));
    if (left > full * 6 / 10 || left < full / 10)
        fail_msg("%llu of %llu bytes are left", (unsigned long long)left, (unsigned long long)full);
}

static void test_ms_05_no_cap_frees_nothing(void **state)
{
    uint64_t left;

    (void)state;
    assert_false(cap_frees(0, &left));
}

// The clock jumps: nothing crashes, and a jump back frees nothing.
static void test_clock_jumps(void **state)
{
    struct store *store = make_store(0, 0);
    struct keeper *keeper = start(store, DAY);

    (void)state;
    fill(store, 1);
    keeper_retain(keeper, NOW - 1000 * DAY);
    keeper_retain(keeper, 0);
    assert_true(oldest(store, SLICE_LITERAL("h0")) <= NOW - 2 * DAY);
    keeper_retain(keeper, NOW + 1000 * DAY);
    assert_int_equal(oldest(store, SLICE_LITERAL("h0")), NOW);
    keeper_stop(&keeper);
    store_free(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_ms_04_cap_is_held_and_only_then),
        cmocka_unit_test(test_ms_05_no_cap_frees_nothing),
        cmocka_unit_test(test_clock_jumps),
    };
    log_init("crit", false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
