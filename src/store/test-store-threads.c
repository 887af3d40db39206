// SPDX-License-Identifier: MIT
// Many threads at once on one store: writers, queries, free, retention, maintenance, debug, health. For
// ThreadSanitizer and AddressSanitizer; the answers are checked as far as they do not depend on the order: values are
// those that were written, sums are whole. MS-52: nothing is written to a host that was taken out of the tree.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/store.h"

#define T       INT64_C(1700000000)
#define HOSTS   4
#define THREADS 8
#define STEPS   1000

struct shared {
    struct store *store;
    atomic_bool stop;
    atomic_uint failures;
    atomic_uint_fast64_t stored;
};

static void write_step(struct shared *s, struct buf *lines, int host, int step)
{
    buf_clear(lines);
    for (int i = 0; i < THREADS; i++)
        buf_printf(lines, "m,cluster=c,hostname=h%d,type=hwthread,type-id=%d value=%d.5 %lld\n", host, i,
                   step % 100, (long long)T + step);
    struct store_write write = {.body = buf_slice(lines), .now_s = T + step};
    struct store_write_result result;
    if (store_ingest(s->store, &write, &result))
        atomic_fetch_add(&s->failures, 1);
    atomic_fetch_add(&s->stored, result.stored);
}

static void *writer(void *ctx)
{
    struct shared *s = ctx;
    struct buf lines;
    buf_init(&lines, 1 << 20);
    for (int step = 0; step < STEPS; step++) {
        for (int host = 0; host < HOSTS; host++)
            write_step(s, &lines, host, step);
    }
    buf_release(&lines);
    return NULL;
}

// All threads of a step have the same value, so a sum is 8 times a value that was written, or a gap.
static void check_sum(struct shared *s, const struct store_series *entry)
{
    for (size_t i = 0; i < entry->count; i++) {
        double v = entry->data[i] / THREADS - 0.5;
        if (!isnan(v) && (v != floor(v) || v < 0 || v > 99))
            atomic_fetch_add(&s->failures, 1);
    }
}

static void *reader(void *ctx)
{
    struct shared *s = ctx;
    struct arena *arena = arena_new((size_t)64 << 20);
    for (int round = 0; !atomic_load(&s->stop); round++) {
        char name[8];
        snprintf(name, sizeof(name), "h%d", round % HOSTS);
        struct store_query query = {
            .cluster = SLICE_LITERAL("c"), .host = slice_from_cstr(name), .metric = SLICE_LITERAL("m")};
        struct store_query_range range = {
            .from = T, .to = T + STEPS, .with_stats = true, .with_data = round % 3 != 0};
        struct store_series *entries;
        size_t count;
        struct error err = ERROR_INIT;
        arena_clear(arena);
        if (store_query_run(s->store, &query, &range, arena, &entries, &count, &err))
            atomic_fetch_add(&s->failures, 1);
        for (size_t i = 0; i < count; i++)
            check_sum(s, &entries[i]);
    }
    arena_free(&arena);
    return NULL;
}

static void *janitor(void *ctx)
{
    struct shared *s = ctx;
    const struct slice paths[][2] = {{SLICE_LITERAL("c"), SLICE_LITERAL("h0")},
                                     {SLICE_LITERAL("c"), SLICE_LITERAL("h1")}};
    for (int round = 0; !atomic_load(&s->stop); round++) {
        struct store_stats stats;
        struct buf out;
        struct error err = ERROR_INIT;
        store_free_before(s->store, paths[round % 2], (size_t)(round / 2 % 3), T + 100 + round % 1000);
        store_retain(s->store, T + round % 1500, NULL, NULL);
        store_maintain(s->store, T + STEPS / 2);
        store_stats(s->store, &stats);
        buf_init(&out, 16 << 20);
        if (store_debug(s->store, NULL, 0, &out, &err))
            atomic_fetch_add(&s->failures, 1);
        buf_release(&out);
    }
    return NULL;
}

static void *doctor(void *ctx)
{
    struct shared *s = ctx;
    struct slice metric = SLICE_LITERAL("m");
    while (!atomic_load(&s->stop)) {
        enum store_metric_health health;
        bool known;
        store_health_check(s->store, SLICE_LITERAL("c"), SLICE_LITERAL("h1"), &metric, 1, T, &health, &known);
    }
    return NULL;
}

static void test_ms_52_all_at_once(void **state)
{
    (void)state;
    static const struct store_metric metric = {NULL, "m", 1, AGGREGATION_SUM};
    static void *(*const others[])(void *) = {reader, reader, janitor, doctor};
    struct store_options options = {.metrics = &metric, .metric_count = 1};
    struct shared s = {.stop = false};
    struct error err = ERROR_INIT;
    pthread_t writers[2], threads[4];
    assert_int_equal(store_new(&options, &s.store, &err), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, writer, &s), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, others[i], &s), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&s.stop, true);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(s.failures, 0);
    assert_int_equal(s.stored, 2 * HOSTS * THREADS * STEPS);
    store_retain(s.store, T + 10 * STEPS, NULL, NULL);
    struct store_stats stats;
    store_stats(s.store, &stats);
    assert_int_equal(stats.samples_stored, s.stored);
    assert_int_equal(
        stats.hosts + stats.bytes_open + stats.bytes_sealed + stats.open_chunks + stats.sealed_chunks, 0);
    store_free(&s.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ms_52_all_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
