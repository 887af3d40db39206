// SPDX-License-Identifier: MIT
// The memory cap (metric-store.md 4.8): small steps, room for a while, batches that wait, nothing lost on disk.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/mem.h"
#include "store/cap-worker.h"
#include "store/persist.h"
#include "store/store-private.h"

#define NOW       INT64_C(1700000000)
#define DAY       INT64_C(86400)
#define RETENTION (4 * DAY)

static int64_t clock_now(void)
{
    return NOW;
}

static struct store *make_store(uint64_t cap)
{
    static const struct store_metric metrics[] = {
        {.name = "m", .frequency_s = 60, .aggregation = AGGREGATION_SUM}};
    struct store_options options = {
        .metrics = metrics, .metric_count = 1, .retention_s = RETENTION, .memory_cap_bytes = cap};
    struct store *store = NULL;
    struct error err = ERROR_INIT;
    if (store_new(&options, &store, &err) < 0)
        fail_msg("store_new: %s", err.text);
    return store;
}

// Noise that does not compress, of [from, to), in one batch.
static void put(struct store *store, int host, int64_t from, int64_t to)
{
    struct buf body;
    buf_init(&body, BUF_MAX_DEFAULT);
    for (int64_t ts = from; ts < to; ts += 60)
        buf_printf(&body, "m,cluster=c,hostname=h%02d value=%.9f %lld\n", host, sin((double)(ts + host)),
                   (long long)ts);
    struct store_write write = {.body = buf_slice(&body), .default_cluster = SLICE_EMPTY, .now_s = NOW};
    struct store_write_result result = {0};
    assert_int_equal(store_ingest(store, &write, &result), 0);
    assert_int_equal(result.stored, (uint64_t)(to - from) / 60);
    buf_release(&body);
}

static void fill(struct store *store, int hosts, int64_t from, int64_t to)
{
    for (int host = 0; host < hosts; host++)
        put(store, host, from, to);
}

// Values of a host in [from, to), and the oldest time that has one.
static size_t count_values(struct store *store, int host, int64_t from, int64_t to, int64_t *ret_oldest)
{
    char name[16];
    size_t count = 0, found = 0;
    struct store_series *entries = NULL;
    struct error err = ERROR_INIT;
    struct arena *arena = arena_new((size_t)1 << 30);
    (void)snprintf(name, sizeof(name), "h%02d", host);
    struct store_query query = {
        .cluster = SLICE_LITERAL("c"), .host = slice_from_cstr(name), .metric = SLICE_LITERAL("m")};
    struct store_query_range range = {.from = from, .to = to, .with_data = true};
    if (store_query_run(store, &query, &range, arena, &entries, &count, &err) < 0)
        fail_msg("store_query_run: %s", err.text);
    *ret_oldest = INT64_MAX;
    for (size_t i = 0; count > 0 && i < entries[0].count; i++) {
        if (isnan(entries[0].data[i]))
            continue;
        found++;
        *ret_oldest = MIN(*ret_oldest, entries[0].from + (int64_t)i * entries[0].resolution_s);
    }
    arena_free(&arena);
    return found;
}

static uint64_t walked_bytes(const struct store *store)
{
    struct store_stats stats;
    store_stats(store, &stats);
    return stats.bytes_open + stats.bytes_sealed + stats.bytes_index;
}

// What ingest adds up is what a look at each host gives, whatever happened to the hosts.
static void test_total_is_kept(void **state)
{
    struct store *store = make_store(0);
    const struct slice path[] = {SLICE_LITERAL("c"), SLICE_LITERAL("h01")};
    (void)state;
    fill(store, 5, NOW - 3 * DAY, NOW);
    assert_int_equal(store_accounted(store), walked_bytes(store));
    store_free_before(store, path, 2, NOW - DAY);
    assert_int_equal(store_accounted(store), walked_bytes(store));
    store_free_before(store, path, 2, NOW + DAY); // the host goes
    store_free_before(store, path, 1, NOW - DAY);
    assert_int_equal(store_accounted(store), walked_bytes(store));
    store_maintain(store, NOW + DAY);
    store_retain(store, NOW - DAY / 2, NULL, NULL);
    put(store, 1, NOW - 120, NOW);
    put(store, 2, NOW - 2 * DAY, NOW - DAY); // late
    assert_int_equal(store_accounted(store), walked_bytes(store));
    store_free_before(store, NULL, 0, NOW + DAY);
    assert_int_equal(store_accounted(store), walked_bytes(store));
    store_free(&store);
}

static uint64_t bytes_of_full_store(int hosts)
{
    struct store *store = make_store(0);
    fill(store, hosts, NOW - 3 * DAY, NOW);
    uint64_t bytes = store_accounted(store);
    store_free(&store);
    return bytes;
}

// A store a little above its cap loses a little, and the oldest.
static void test_frees_in_small_steps(void **state)
{
    uint64_t full = bytes_of_full_store(20), cap = full * 98 / 100;
    struct store *store = make_store(cap);
    struct store_cap_report report;
    int64_t oldest, least = INT64_MAX, most = 0;
    (void)state;
    fill(store, 20, NOW - 3 * DAY, NOW);
    assert_true(store_hold_cap(store, NOW, &report));
    assert_true(report.bytes_before >= full && report.freed_chunks > 0);
    assert_int_equal(report.bytes_after, store_accounted(store));
    if (report.bytes_after > cap * 94 / 100 || report.bytes_after < cap * 88 / 100)
        fail_msg("%llu bytes are left of a cap of %llu", (unsigned long long)report.bytes_after,
                 (unsigned long long)cap);
    for (int host = 0; host < 20; host++) { // one segment of 512 values of some hosts
        size_t found = count_values(store, host, NOW - 4 * DAY, NOW, &oldest);
        assert_int_equal((NOW - oldest) / 60, found); // without holes
        assert_true(oldest <= NOW - 3 * DAY + 512 * 60);
        least = MIN(least, oldest);
        most = MAX(most, oldest);
    }
    assert_true(least < most);
    store_free(&store);
}

static void test_text_of_a_run(void **state)
{
    struct store_cap_report freed = {
        .bytes_before = 1000, .bytes_after = 900, .freed_chunks = 7, .kept_s = 3600};
    struct store_cap_report helpless = {.bytes_before = 1000, .bytes_after = 1000};
    char text[ERROR_TEXT_SIZE];
    (void)state;
    assert_int_equal(store_cap_text(&freed, text, sizeof(text)), LOG_LEVEL_WARN);
    assert_string_equal(
        text, "memory cap: bytes=1000 freed=7 chunks, left=900: of data older than 3600 s not all is "
              "in memory any more; raise metric-store.memory-cap or shorten retention-in-memory");
    assert_int_equal(store_cap_text(&helpless, text, sizeof(text)), LOG_LEVEL_ERROR);
    assert_string_equal(
        text, "memory cap: bytes=1000, and all of it is too young or not yet safe to be freed; raise "
              "metric-store.memory-cap");
}

// After a run there is room: the next few batches need none.
static void test_leaves_room_for_a_while(void **state)
{
    uint64_t cap = bytes_of_full_store(20) * 9 / 10;
    struct store *store = make_store(cap);
    struct store_cap_report report;
    (void)state;
    fill(store, 20, NOW - 3 * DAY, NOW);
    assert_true(store_hold_cap(store, NOW, &report));
    assert_false(store_hold_cap(store, NOW, &report));
    put(store, 1, NOW, NOW + 10 * 60);
    assert_false(store_hold_cap(store, NOW, &report));
    for (int64_t ts = NOW - 4 * DAY + 60; store_accounted(store) <= cap * 965 / 1000; ts += 60)
        put(store, 20 + (int)((ts - NOW + 4 * DAY) / 60) % 50, ts, ts + 60);
    assert_true(store_hold_cap(store, NOW, &report));
    store_free(&store);
}

// All series are in their first segment: its oldest pieces go, and what is left is right.
static void test_trims_segments_that_are_written(void **state)
{
    struct store *store = make_store(0);
    int64_t begin = NOW - 400 * 60, oldest;
    (void)state;
    fill(store, 20, begin, NOW);
    uint64_t full = store_accounted(store);
    store_free(&store);
    store = make_store(full);
    fill(store, 20, begin, NOW);
    struct store_cap_report report;
    assert_true(store_hold_cap(store, NOW, &report));
    assert_true(report.bytes_after <= full * 95 / 100);
    size_t found = count_values(store, 0, NOW - DAY, NOW + DAY, &oldest);
    assert_int_equal(oldest, begin + 128 * 60);
    assert_int_equal(found, 400 - 128);
    put(store, 0, NOW, NOW + 60 * 10);
    put(store, 0, begin, begin + 60); // a late one, in front
    assert_int_equal(count_values(store, 0, NOW - DAY, NOW + DAY, &oldest), found + 11);
    assert_int_equal(oldest, begin);
    assert_int_equal(store_accounted(store), walked_bytes(store));
    store_free(&store);
}

// What is resident beyond the accounted bytes lowers the marks, but not without bound.
static void test_what_the_process_has_on_top_counts(void **state)
{
    uint64_t full = bytes_of_full_store(20), cap = full * 108 / 100;
    struct store *store = make_store(cap);
    struct store_cap_report report;
    (void)state;
    fill(store, 20, NOW - 3 * DAY, NOW);
    assert_false(store_hold_cap(store, NOW, &report));
    store_note_overhead(store, cap * 5 / 100);
    assert_true(store_hold_cap(store, NOW, &report));
    assert_true(report.bytes_after <= cap * 89 / 100);
    store_note_overhead(store, 100 * cap);
    assert_true(store_hold_cap(store, NOW, &report));
    assert_true(report.bytes_after > cap * 75 / 100);
    store_free(&store);
}

struct sender {
    struct store *store;
    int first;
    uint64_t highest;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;
    for (int64_t ts = NOW - 3 * DAY; ts < NOW; ts += 60 * 64) {
        for (int host = s->first; host < s->first + 5; host++)
            put(s->store, host, ts, MIN(ts + 60 * 64, NOW));
        s->highest = MAX(s->highest, store_accounted(s->store));
    }
    return NULL;
}

// Several senders against the worker: the cap holds all the time, since batches wait above it.
static void test_batches_wait_for_the_worker(void **state)
{
    uint64_t cap = bytes_of_full_store(20) / 2;
    struct store *store = make_store(cap);
    struct cap_worker_options options = {.store = store, .clock_s = clock_now};
    struct cap_worker *worker = NULL;
    struct error err = ERROR_INIT;
    struct sender senders[4];
    pthread_t threads[4];
    (void)state;
    assert_int_equal(cap_worker_start(&options, &worker, &err), 0);
    for (int i = 0; i < 4; i++) {
        senders[i] = (struct sender){.store = store, .first = 5 * i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        if (senders[i].highest > cap * 103 / 100)
            fail_msg("%llu bytes, cap %llu", (unsigned long long)senders[i].highest, (unsigned long long)cap);
    }
    assert_int_equal(store_accounted(store), walked_bytes(store));
    cap_worker_stop(&worker);
    store_free(&store);
}

// Where nothing is old enough, batches go on at once.
static void test_nobody_waits_in_vain(void **state)
{
    struct store *store = make_store(1000);
    struct cap_worker_options options = {.store = store, .clock_s = clock_now};
    struct cap_worker *worker = NULL;
    struct error err = ERROR_INIT;
    (void)state;
    assert_int_equal(cap_worker_start(&options, &worker, &err), 0);
    put(store, 0, NOW - 600, NOW);
    struct mono_time begin = clock_mono();
    for (int i = 0; i < 100; i++)
        put(store, 1, NOW + 60 * i - 6000, NOW + 60 * i - 5940);
    assert_true(mono_diff_ns(clock_mono(), begin) < 3 * NS_PER_S);
    cap_worker_stop(&worker);
    store_free(&store);
}

// ---- with files -------------------------------------------------------------------------------------------

struct disk {
    char path[64];
    struct store *store;
    struct persist *persist;
};

static void open_disk(struct disk *d, uint64_t cap)
{
    struct persist_options options = {.directory = d->path,
                                      .format = CHECKPOINT_BIN,
                                      .checkpoint_interval_s = 3600,
                                      .now_s = NOW,
                                      .clock_s = clock_now};
    struct error err = ERROR_INIT;
    d->store = make_store(cap);
    if (persist_open(d->store, &options, &d->persist, &err) < 0)
        fail_msg("persist_open: %s", err.text);
}

static void disk_init(struct disk *d)
{
    *d = (struct disk){.path = "/tmp/test-memory-cap-XXXXXX"};
    assert_non_null(mkdtemp(d->path));
}

static void disk_release(struct disk *d)
{
    struct error err = ERROR_INIT;
    persist_abandon(&d->persist);
    store_free(&d->store);
    assert_int_equal(file_remove_tree(d->path, &err), 0);
}

static size_t count_all(struct store *store, int hosts)
{
    int64_t oldest;
    size_t count = 0;
    for (int host = 0; host < hosts; host++)
        count += count_values(store, host, NOW - 4 * DAY, NOW, &oldest);
    return count;
}

// What only the log has is written before it goes; with a larger cap all is there again, after a crash too.
static void test_nothing_is_lost_on_disk(void **state)
{
    size_t all = 20 * 3 * DAY / 60;
    uint64_t cap = bytes_of_full_store(20) / 2;
    struct store_cap_report report;
    struct disk d;
    (void)state;
    disk_init(&d);
    open_disk(&d, cap);
    fill(d.store, 20, NOW - 3 * DAY, NOW);
    assert_int_equal(count_all(d.store, 20), all);
    assert_true(store_hold_cap(d.store, NOW, &report));
    assert_true(report.bytes_after <= cap);
    assert_true(count_all(d.store, 20) < all * 6 / 10);
    persist_abandon(&d.persist); // a crash
    store_free(&d.store);
    open_disk(&d, 0);
    persist_load_all(d.persist);
    assert_int_equal(count_all(d.store, 20), all);
    disk_release(&d);
}

// Late samples come in between what was made safe and what is freed.
static void test_what_only_the_log_has_stays(void **state)
{
    struct disk d;
    int64_t oldest;
    (void)state;
    disk_init(&d);
    open_disk(&d, 0);
    fill(d.store, 1, NOW - 3 * DAY, NOW);
    assert_int_equal(store_free_oldest(d.store, NOW - DAY, 0, true), 0);
    assert_int_equal(count_values(d.store, 0, NOW - 4 * DAY, NOW, &oldest), 3 * DAY / 60);
    assert_true(store_secure_before(d.store, NOW - DAY));
    put(d.store, 0, NOW - 2 * DAY, NOW - 2 * DAY + 60);
    assert_true(store_free_oldest(d.store, NOW - DAY, 0, true) > 0);
    count_values(d.store, 0, NOW - 4 * DAY, NOW, &oldest);
    assert_true(oldest > NOW - 3 * DAY && oldest <= NOW - 2 * DAY);
    disk_release(&d);
}

// The start reads no more than the cap allows, and keeps the newest.
static void test_loading_holds_the_cap(void **state)
{
    uint64_t cap = bytes_of_full_store(40) / 2;
    struct disk d;
    struct error err = ERROR_INIT;
    int64_t oldest;
    (void)state;
    disk_init(&d);
    open_disk(&d, 0);
    for (int64_t day = 3; day > 0; day--) { // a file a day
        fill(d.store, 40, NOW - day * DAY, NOW - (day - 1) * DAY);
        assert_int_equal(persist_snapshot_before(d.persist, INT64_MAX, NOW - (day - 1) * DAY, &err), 0);
    }
    assert_int_equal(persist_close(&d.persist, NOW, &err), 0);
    store_free(&d.store);
    open_disk(&d, cap);
    persist_load_all(d.persist);
    uint64_t bytes = store_accounted(d.store);
    if (bytes > cap || bytes < cap / 3)
        fail_msg("%llu bytes, cap %llu", (unsigned long long)bytes, (unsigned long long)cap);
    assert_int_equal(bytes, walked_bytes(d.store));
    for (int host = 0; host < 40; host++) {
        assert_true(count_values(d.store, host, NOW - DAY / 2, NOW, &oldest) == DAY / 2 / 60);
    }
    persist_abandon(&d.persist);
    store_free(&d.store);
    open_disk(&d, 0); // and the files are still there
    persist_load_all(d.persist);
    assert_int_equal(count_all(d.store, 40), 40 * 3 * DAY / 60);
    disk_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_total_is_kept),
        cmocka_unit_test(test_frees_in_small_steps),
        cmocka_unit_test(test_text_of_a_run),
        cmocka_unit_test(test_leaves_room_for_a_while),
        cmocka_unit_test(test_trims_segments_that_are_written),
        cmocka_unit_test(test_what_the_process_has_on_top_counts),
        cmocka_unit_test(test_batches_wait_for_the_worker),
        cmocka_unit_test(test_nobody_waits_in_vain),
        cmocka_unit_test(test_nothing_is_lost_on_disk),
        cmocka_unit_test(test_what_only_the_log_has_stays),
        cmocka_unit_test(test_loading_holds_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
