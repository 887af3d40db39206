// SPDX-License-Identifier: MIT
#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/file-fault.h"
#include "base/mem.h"
#include "base/testing.h"
#include "codec/gzip.h"
#include "store/wal-record.h"
#include "store/wal-segment.h"

static int set_up(void **state)
{
    char *dir = mem_strdup("/tmp/test-wal-XXXXXX");
    *state = dir;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    int rc = file_remove_tree(*state, NULL);
    mem_free(*state);
    return rc;
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 20;
}

// The file system without syncs: most tests do not need to wait for the disk.
static int skip_sync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return 0;
}

static int skip_sync_dir(void *ctx, const char *path)
{
    (void)ctx, (void)path;
    return 0;
}

static struct io_ops hasty_ops(void)
{
    struct io_ops ops = *io_system.ops;
    ops.fdatasync = ops.fsync = skip_sync;
    ops.fsync_dir = skip_sync_dir;
    return ops;
}

// ---- records of the tests: a number, then bytes that follow from it ---------------------------------------

#define RECORD_MAX 600

static struct slice make_record(uint64_t number, char *bytes)
{
    uint64_t random = number;
    size_t len = 8 + next_random(&random) % (number % 16 == 0 ? RECORD_MAX - 8 : 40);
    memcpy(bytes, &number, 8);
    for (size_t i = 8; i < len; i++)
        bytes[i] = (char)next_random(&random);
    return slice_of(bytes, len);
}

// Records as they come from a replay.
struct seen {
    uint64_t *numbers;
    size_t count, cap;
    uint64_t last_epoch;
    size_t fail_after; // 0: never
};

static void seen_release(struct seen *seen)
{
    mem_free(seen->numbers);
    *seen = (struct seen){.count = 0};
}

static int take(void *ctx, uint64_t epoch, struct slice record, struct error *err)
{
    struct seen *seen = ctx;
    char bytes[RECORD_MAX];
    uint64_t number;
    EXPECT(epoch >= seen->last_epoch, "epoch %llu behind %llu", (unsigned long long)epoch,
           (unsigned long long)seen->last_epoch);
    seen->last_epoch = epoch;
    assert_true(record.len >= sizeof(number));
    memcpy(&number, record.ptr, sizeof(number));
    EXPECT(slice_eq(record, make_record(number, bytes)), "a record that nobody wrote");
    ENSURE_CAPACITY(seen->numbers, seen->cap, seen->count + 1);
    seen->numbers[seen->count++] = number;
    if (seen->fail_after && seen->count >= seen->fail_after)
        return error_set(err, ERR_LIMIT, "enough");
    return 0;
}

static struct wal *open_wal(const char *directory, const struct io *io, size_t segment_bytes)
{
    struct wal_options options = {.directory = directory, .io = io, .segment_bytes = segment_bytes};
    struct error err = ERROR_INIT;
    struct wal *wal = NULL;
    EXPECT(wal_open(&options, &wal, &err) == 0, "%s", err.text);
    return wal;
}

static void close_wal(struct wal **wal)
{
    struct error err = ERROR_INIT;
    EXPECT(wal_close(wal, &err) == 0, "%s", err.text);
    assert_null(*wal);
}

static void append(struct wal *wal, uint64_t number, struct wal_span *span)
{
    char bytes[RECORD_MAX];
    struct slice record = make_record(number, bytes);
    int rc;
    do
        rc = wal_append(wal, wal_epoch(wal), record, span);
    while (rc == ERR_BUSY);
    assert_int_equal(rc, 0);
}

static int append_and_wait(struct wal *wal, uint64_t number, struct error *err)
{
    struct wal_span span = {0, 0};
    append(wal, number, &span);
    return wal_wait(wal, &span, err);
}

static void expect_numbers(const struct seen *seen, uint64_t first, size_t count)
{
    EXPECT(seen->count == count, "%zu records instead of %zu", seen->count, count);
    for (size_t i = 0; i < count; i++)
        EXPECT(seen->numbers[i] == first + i, "record %zu is %llu", i, (unsigned long long)seen->numbers[i]);
}

static struct wal_stats stats_of(const struct wal *wal)
{
    struct wal_stats stats;
    wal_stats(wal, &stats);
    return stats;
}

// ---- the ordinary course ----------------------------------------------------------------------------------

static void test_what_was_written_is_replayed(void **state)
{
    char *dir = file_join(*state, "a/b/log");
    struct error err = ERROR_INIT;
    struct seen seen = {.count = 0};
    struct wal *wal = open_wal(dir, NULL, 0);
    assert_int_equal(wal_epoch(wal), 1);
    EXPECT(wal_replay(wal, take, &seen, &err) == 0 && seen.count == 0, "a new log is empty");
    for (uint64_t i = 0; i < 100; i++)
        EXPECT(append_and_wait(wal, i, &err) == 0, "%s", err.text);
    struct wal_stats stats = stats_of(wal);
    assert_int_equal(stats.records, 100);
    assert_int_equal(stats.commits, 100);
    assert_int_equal(stats.segments, 1);
    assert_int_equal(stats.pending_bytes, 0);
    assert_int_equal(stats.bytes, stats.written_bytes + WAL_SEGMENT_HEADER_BYTES);
    close_wal(&wal);

    wal = open_wal(dir, NULL, 0);
    assert_int_equal(wal_epoch(wal), 2);
    EXPECT(append_and_wait(wal, 100, &err) == 0, "%s", err.text); // not part of the replay
    EXPECT(wal_replay(wal, take, &seen, &err) == 0, "%s", err.text);
    expect_numbers(&seen, 0, 100);
    stats = stats_of(wal);
    assert_int_equal(stats.replayed_records, 100);
    assert_int_equal(stats.torn_bytes + stats.damaged_regions + stats.missing_segments, 0);
    assert_int_equal(stats.oldest_epoch, 1);
    close_wal(&wal);
    seen_release(&seen);
    EXPECT(wal_read_directory(dir, take, &seen, &stats, &err) == 0, "%s", err.text);
    expect_numbers(&seen, 0, 101);
    seen_release(&seen);
    mem_free(dir);
}

static void test_segments_end_and_are_dropped(void **state)
{
    struct error err = ERROR_INIT;
    struct seen seen = {.count = 0};
    struct wal *wal = open_wal(*state, NULL, 1000);
    struct wal_span none = {0, 0};
    char bytes[RECORD_MAX];
    for (uint64_t i = 0; i < 200; i++)
        EXPECT(append_and_wait(wal, i, &err) == 0, "%s", err.text);
    struct wal_stats stats = stats_of(wal);
    EXPECT(stats.segments > 5 && stats.epoch >= stats.segments, "%llu segments at epoch %llu",
           (unsigned long long)stats.segments, (unsigned long long)stats.epoch);
    assert_int_equal(wal_append(wal, stats.epoch - 1, make_record(7, bytes), &none), ERR_BUSY);
    assert_int_equal(none.end, 0);

    uint64_t epoch = wal_rotate(wal);
    assert_int_equal(wal_rotate(wal), epoch); // nothing in it: the same
    assert_int_equal(wal_drop_before(wal, 3, &err), 0);
    stats = stats_of(wal);
    assert_int_equal(stats.oldest_epoch, 3);
    EXPECT(append_and_wait(wal, 200, &err) == 0, "%s", err.text);
    assert_int_equal(wal_drop_before(wal, UINT64_MAX, &err), 0); // all but the present one
    stats = stats_of(wal);
    assert_int_equal(stats.segments, 1);
    assert_int_equal(stats.oldest_epoch, epoch);
    close_wal(&wal);

    wal = open_wal(*state, NULL, 1000);
    assert_int_equal(wal_epoch(wal), epoch + 1);
    EXPECT(wal_replay(wal, take, &seen, &err) == 0, "%s", err.text);
    expect_numbers(&seen, 200, 1);
    assert_int_equal(stats_of(wal).missing_segments, 0);
    assert_int_equal(wal_drop_before(wal, epoch + 1, &err), 0);
    assert_int_equal(stats_of(wal).segments, 0);
    close_wal(&wal);
    seen_release(&seen);
}

// Small segments, changes in any order: what a replay gives is what a list of the same changes has.
static void test_replay_equals_a_model(void **state)
{
    uint64_t random = 7, number = 0;
    struct error err = ERROR_INIT;
    uint64_t numbers[4000], epochs[4000];
    size_t count = 0, first = 0;
    struct io_ops ops = hasty_ops();
    struct io io = {.ops = &ops};
    for (int round = 0; round < 12; round++) {
        struct wal *wal = open_wal(*state, &io, 600);
        struct seen seen = {.count = 0};
        EXPECT(wal_replay(wal, take, &seen, &err) == 0, "%s", err.text);
        EXPECT(seen.count == count - first, "round %d: %zu records instead of %zu", round, seen.count,
               count - first);
        for (size_t i = 0; i < seen.count; i++)
            EXPECT(seen.numbers[i] == numbers[first + i], "round %d: record %zu", round, i);
        seen_release(&seen);
        for (uint64_t step = next_random(&random) % 200; step > 0; step--) {
            struct wal_span span = {0, 0};
            char bytes[RECORD_MAX];
            uint64_t epoch = wal_epoch(wal), choice = next_random(&random) % 100;
            if (wal_append(wal, epoch, make_record(number, bytes), &span) == 0) {
                epochs[count] = epoch;
                numbers[count++] = number++;
            }
            if (choice < 20)
                EXPECT(wal_wait(wal, &span, &err) == 0, "%s", err.text);
            if (choice < 5)
                wal_rotate(wal);
            if (choice == 0 && epoch > 3) {
                EXPECT(wal_wait(wal, &span, &err) == 0, "%s", err.text); // nothing is pending
                EXPECT(wal_drop_before(wal, epoch - 2, &err) == 0, "%s", err.text);
                while (first < count && epochs[first] < epoch - 2)
                    first++;
            }
        }
        close_wal(&wal);
    }
    EXPECT(count > 500 && first > 0, "%zu records, %zu dropped", count, first);
}

// ---- several writers --------------------------------------------------------------------------------------

// An io table with a gate in front of fdatasync, that counts and can fail.
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;
    int waiting;
    int fail_syncs;  // so many of the next fail
    int last_bad_fd; // of a failed sync, until it is closed; -1: none
    bool full;       // writes of records fail with ENOSPC, headers find room
    unsigned writes_after_failure, syncs;
};

static int gate_fdatasync(void *ctx, int fd)
{
    struct gate *g = ctx;
    pthread_mutex_lock(&g->lock);
    g->syncs++;
    g->waiting++;
    pthread_cond_broadcast(&g->changed);
    while (g->closed)
        pthread_cond_wait(&g->changed, &g->lock);
    g->waiting--;
    bool fail = g->fail_syncs > 0;
    g->fail_syncs -= fail;
    if (fail)
        g->last_bad_fd = fd;
    pthread_mutex_unlock(&g->lock);
    errno = EIO;
    return fail ? -1 : 0;
}

static ssize_t gate_pwrite(void *ctx, int fd, const void *bytes, size_t len, off_t offset)
{
    struct gate *g = ctx;
    pthread_mutex_lock(&g->lock);
    g->writes_after_failure += fd == g->last_bad_fd;
    bool full = g->full && offset > 0;
    pthread_mutex_unlock(&g->lock);
    errno = ENOSPC;
    if (full)
        return -1;
    return pwrite(fd, bytes, len, offset);
}

static int gate_close(void *ctx, int fd)
{
    struct gate *g = ctx;
    pthread_mutex_lock(&g->lock);
    g->last_bad_fd = fd == g->last_bad_fd ? -1 : g->last_bad_fd;
    pthread_mutex_unlock(&g->lock);
    return close(fd);
}

static void gate_init(struct gate *g, struct io_ops *ops, struct io *ret_io)
{
    *g = (struct gate){.last_bad_fd = -1};
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, NULL);
    *ops = *io_system.ops; // these take no notice of ctx
    ops->fdatasync = gate_fdatasync;
    ops->pwrite = gate_pwrite;
    ops->close = gate_close;
    *ret_io = (struct io){.ops = ops, .ctx = g};
}

static void gate_release(struct gate *g)
{
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->changed);
}

static void gate_set(struct gate *g, bool closed)
{
    pthread_mutex_lock(&g->lock);
    g->closed = closed;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void gate_await_waiting(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    while (g->waiting == 0)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

// What came in during a sync goes with the next one.
static void test_commits_are_batched(void **state)
{
    struct gate gate;
    struct io_ops ops;
    struct io io;
    struct error err = ERROR_INIT;
    struct wal_span first = {0, 0}, rest = {0, 0};
    gate_init(&gate, &ops, &io);
    struct wal *wal = open_wal(*state, &io, 0);
    gate_set(&gate, true);
    append(wal, 0, &first);
    gate_await_waiting(&gate);
    for (uint64_t i = 1; i <= 50; i++)
        append(wal, i, &rest);
    assert_true(stats_of(wal).pending_bytes > 0);
    assert_int_equal(stats_of(wal).commits, 0);
    gate_set(&gate, false);
    EXPECT(wal_wait(wal, &first, &err) == 0 && wal_wait(wal, &rest, &err) == 0, "%s", err.text);
    assert_int_equal(stats_of(wal).commits, 2);
    assert_int_equal(stats_of(wal).records, 51);
    close_wal(&wal);
    gate_release(&gate);
}

struct admission {
    struct wal *wal;
    atomic_bool done;
};

static void *admit(void *arg)
{
    struct admission *a = arg;
    wal_admit(a->wal);
    atomic_store(&a->done, true);
    return NULL;
}

static void test_ms_48_a_full_log_makes_writers_wait(void **state)
{
    struct gate gate;
    struct io_ops ops;
    struct io io;
    struct error err = ERROR_INIT;
    struct admission a = {.wal = NULL};
    pthread_t thread;
    gate_init(&gate, &ops, &io);
    struct wal_options options = {.directory = *state, .io = &io, .pending_max_bytes = 1000};
    assert_int_equal(wal_open(&options, &a.wal, &err), 0);
    struct wal_span span = {0, 0};
    wal_admit(a.wal); // nothing to wait for
    gate_set(&gate, true);
    for (uint64_t i = 0; stats_of(a.wal).pending_bytes <= 1000; i++)
        append(a.wal, i, &span);
    assert_int_equal(pthread_create(&thread, NULL, admit, &a), 0);
    while (stats_of(a.wal).waits == 0)
        sched_yield();
    assert_false(atomic_load(&a.done));
    gate_set(&gate, false);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&a.done));
    EXPECT(wal_wait(a.wal, &span, &err) == 0, "%s", err.text);
    close_wal(&a.wal);
    gate_release(&gate);
}

#define WRITERS        8
#define WRITER_RECORDS 200
#define WRITER_STEP    UINT64_C(1000000)

struct writer {
    struct wal *wal;
    uint64_t first;
    uint64_t acknowledged; // so many, from the first
};

static void *write_records(void *arg)
{
    struct writer *w = arg;
    for (uint64_t i = 0; i < WRITER_RECORDS; i++) {
        struct wal_span span = {0, 0};
        char bytes[RECORD_MAX];
        struct slice record = make_record(w->first + i, bytes);
        wal_admit(w->wal);
        while (wal_append(w->wal, wal_epoch(w->wal), record, &span) == ERR_BUSY) {
        }
        if (wal_wait(w->wal, &span, NULL) != 0)
            break;
        w->acknowledged++;
        if (w->first == 0 && i % 50 == 49)
            wal_rotate(w->wal);
        struct wal_stats stats;
        wal_stats(w->wal, &stats);
    }
    return NULL;
}

static void test_many_writers(void **state)
{
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    struct error err = ERROR_INIT;
    struct seen seen = {.count = 0};
    uint64_t next[WRITERS];
    struct wal *wal = open_wal(*state, NULL, 4000);
    for (uint64_t t = 0; t < WRITERS; t++) {
        writers[t] = (struct writer){.wal = wal, .first = next[t] = t * WRITER_STEP};
        assert_int_equal(pthread_create(&threads[t], NULL, write_records, &writers[t]), 0);
    }
    for (size_t t = 0; t < WRITERS; t++) {
        pthread_join(threads[t], NULL);
        assert_int_equal(writers[t].acknowledged, WRITER_RECORDS);
    }
    struct wal_stats stats = stats_of(wal);
    print_message("%d records in %llu commits, %llu segments\n", WRITERS * WRITER_RECORDS,
                  (unsigned long long)stats.commits, (unsigned long long)stats.segments);
    assert_int_equal(stats.records, WRITERS * WRITER_RECORDS);
    close_wal(&wal);
    EXPECT(wal_read_directory(*state, take, &seen, &stats, &err) == 0, "%s", err.text);
    assert_int_equal(seen.count, WRITERS * WRITER_RECORDS);
    for (size_t i = 0; i < seen.count; i++) // each writer's in its order
        assert_int_equal(seen.numbers[i], next[seen.numbers[i] / WRITER_STEP]++);
    seen_release(&seen);
}

// ---- failures ---------------------------------------------------------------------------------------------

static void test_waiters_of_a_failed_commit_get_the_error(void **state)
{
    struct gate gate;
    struct io_ops ops;
    struct io io;
    struct error err = ERROR_INIT;
    struct wal_span one = {0, 0}, two = {0, 0}, three = {0, 0}, both = {0, 0};
    gate_init(&gate, &ops, &io);
    struct wal *wal = open_wal(*state, &io, 0);
    assert_int_equal(append_and_wait(wal, 0, &err), 0);
    uint64_t epoch = wal_epoch(wal);
    gate_set(&gate, true);
    gate.fail_syncs = 1; // nobody syncs now
    append(wal, 1, &one);
    gate_await_waiting(&gate);
    append(wal, 2, &two); // pending when it fails: leans on the same segment
    gate_set(&gate, false);
    assert_int_equal(wal_wait(wal, &one, &err), ERR_IO);
    EXPECT(strstr(err.text, "cannot sync") && strstr(err.text, "00000000000000000001.log"), "%s", err.text);
    assert_int_equal(wal_wait(wal, &two, &err), ERR_IO);
    assert_int_equal(wal_epoch(wal), epoch + 1);
    append(wal, 3, &three);
    assert_int_equal(wal_wait(wal, &three, &err), 0);
    both = (struct wal_span){one.begin, three.end};
    assert_int_equal(wal_wait(wal, &both, &err), ERR_IO); // its last record is on disk, its first is not
    struct wal_stats stats = stats_of(wal);
    assert_int_equal(stats.failed_commits, 1);
    assert_int_equal(stats.failed_records, 2);
    assert_int_equal(stats.pending_bytes, 0);
    assert_int_equal(gate.writes_after_failure, 0);
    close_wal(&wal);
    struct seen seen = {.count = 0};
    EXPECT(wal_read_directory(*state, take, &seen, &stats, &err) == 0, "%s", err.text);
    assert_int_equal(seen.count, 2);
    assert_true(seen.numbers[0] == 0 && seen.numbers[1] == 3);
    assert_int_equal(stats.damaged_regions + stats.torn_bytes + stats.missing_segments, 0);
    seen_release(&seen);
    gate_release(&gate);
}

static size_t count_files(const char *directory)
{
    char **names = NULL;
    size_t count = 0;
    assert_int_equal(file_list(directory, &names, &count, NULL), 0);
    file_list_free(&names, count);
    return count;
}

// Each batch tries again, and none leaves a file.
static void test_a_full_disk_is_not_littered(void **state)
{
    struct gate gate;
    struct io_ops ops;
    struct io io;
    struct error err = ERROR_INIT;
    struct seen seen = {.count = 0};
    struct wal_stats stats;
    gate_init(&gate, &ops, &io);
    struct wal *wal = open_wal(*state, &io, 0);
    assert_int_equal(append_and_wait(wal, 0, &err), 0);
    for (int full = 1; full >= 0; full--) {
        pthread_mutex_lock(&gate.lock);
        gate.full = full;
        pthread_mutex_unlock(&gate.lock);
        for (uint64_t i = 0; full && i < 50; i++) {
            assert_int_equal(append_and_wait(wal, 2 + i, &err), ERR_NO_SPACE);
            EXPECT(strstr(err.text, "cannot write") && strstr(err.text, ".log"), "%s", err.text);
        }
        assert_int_equal(stats_of(wal).segments, 1);
        assert_int_equal(count_files(*state), 2); // and the lock
    }
    assert_int_equal(append_and_wait(wal, 1, &err), 0);
    assert_int_equal(stats_of(wal).segments, 2);
    assert_int_equal(stats_of(wal).failed_commits, 50);
    close_wal(&wal);
    EXPECT(wal_read_directory(*state, take, &seen, &stats, &err) == 0, "%s", err.text);
    expect_numbers(&seen, 0, 2);
    assert_int_equal(stats.missing_segments + stats.damaged_regions, 0);
    seen_release(&seen);
    gate_release(&gate);
}

// More failures than are remembered one by one: late waiters are told that theirs failed rather than that it did not.
static void test_forgotten_failures_are_still_failures(void **state)
{
    struct gate gate;
    struct io_ops ops;
    struct io io;
    struct error err = ERROR_INIT;
    struct wal_span good[60], bad[60];
    gate_init(&gate, &ops, &io);
    struct wal *wal = open_wal(*state, &io, 0);
    for (uint64_t i = 0; i < ARRAY_LEN(good); i++) {
        good[i] = bad[i] = (struct wal_span){0, 0};
        pthread_mutex_lock(&gate.lock);
        gate.fail_syncs = 1;
        pthread_mutex_unlock(&gate.lock);
        append(wal, 2 * i, &bad[i]);
        assert_int_equal(wal_wait(wal, &bad[i], &err), ERR_IO);
        append(wal, 2 * i + 1, &good[i]);
        EXPECT(wal_wait(wal, &good[i], &err) == 0, "%s", err.text);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(wal_wait(wal, &bad[i], &err), ERR_IO);
    assert_int_equal(wal_wait(wal, &good[59], &err), 0);
    assert_int_equal(wal_wait(wal, &good[50], &err), 0);
    assert_int_equal(gate.writes_after_failure, 0);
    assert_int_equal(stats_of(wal).failed_commits, 60);
    close_wal(&wal);
    gate_release(&gate);
}

// What a workload was told, record by record.
struct told {
    bool acknowledged[200];
    uint64_t dropped_epoch; // segments below may be gone
    uint64_t epochs[200];
    size_t count;
    bool opened;
};

// Two, then three records a batch, small segments, a rotation and a drop.
static void work(const char *directory, const struct io *io, struct told *told)
{
    struct wal_options options = {.directory = directory, .io = io, .segment_bytes = 500};
    struct wal *wal = NULL;
    struct seen seen = {.count = 0};
    if (wal_open(&options, &wal, NULL) != 0)
        return;
    told->opened = true;
    if (wal_replay(wal, take, &seen, NULL) != 0) { // as a program would
        seen_release(&seen);
        ignore_result(wal_close(&wal, NULL)); // nothing was written
        return;
    }
    seen_release(&seen);
    for (size_t batch = 0; batch < 14; batch++) {
        struct wal_span span = {0, 0};
        size_t first = told->count;
        for (size_t i = 0; i < 2 + batch % 2; i++) {
            char bytes[RECORD_MAX];
            uint64_t epoch;
            do
                epoch = wal_epoch(wal);
            while (wal_append(wal, epoch, make_record(told->count, bytes), &span) == ERR_BUSY);
            told->epochs[told->count++] = epoch;
        }
        bool good = wal_wait(wal, &span, NULL) == 0;
        for (size_t i = first; i < told->count; i++)
            told->acknowledged[i] = good;
        if (batch == 6)
            wal_rotate(wal);
        if (batch == 9) {
            told->dropped_epoch = told->epochs[told->count - 1] - 1;
            ignore_result(wal_drop_before(wal, told->dropped_epoch, NULL)); // what stays does no harm
        }
    }
    ignore_result(wal_close(&wal, NULL)); // the answers of wal_wait count
}

// Every acknowledged record is there, once, and in order; others may be.
static void expect_acknowledged(const char *directory, const struct told *told, const char *what, uint64_t at)
{
    struct error err = ERROR_INIT;
    struct seen seen = {.count = 0};
    uint64_t times[200] = {0};
    struct io_ops ops = hasty_ops();
    struct io io = {.ops = &ops};
    struct wal *wal = open_wal(directory, &io, 500);
    EXPECT(wal_replay(wal, take, &seen, &err) == 0, "%s at %llu: %s", what, (unsigned long long)at, err.text);
    for (size_t i = 0; i < seen.count; i++) {
        assert_true(seen.numbers[i] < told->count);
        times[seen.numbers[i]]++;
        EXPECT(i == 0 || seen.numbers[i] > seen.numbers[i - 1], "%s at %llu: order", what,
               (unsigned long long)at);
    }
    for (size_t i = 0; i < told->count; i++) {
        bool may_be_gone = !told->acknowledged[i] || told->epochs[i] < told->dropped_epoch;
        EXPECT(times[i] == 1 || (times[i] == 0 && may_be_gone), "%s at call %llu: record %zu came %llu times",
               what, (unsigned long long)at, i, (unsigned long long)times[i]);
    }
    EXPECT(append_and_wait(wal, told->count, &err) == 0, "%s", err.text); // and it goes on
    close_wal(&wal);
    seen_release(&seen);
}

static void clear_directory(const char *directory)
{
    if (file_exists(directory))
        assert_int_equal(file_remove_tree(directory, NULL), 0);
}

static size_t acknowledged_count(const struct told *told)
{
    size_t count = 0;
    for (size_t i = 0; i < told->count; i++)
        count += told->acknowledged[i];
    return count;
}

static void test_failures_at_every_call(void **state)
{
    static const struct {
        const char *name;
        struct io_fault_plan plan;
    } cases[] = {
        {"EIO once", {.kind = IO_FAULT_ERRNO, .error_number = EIO}},
        {"EIO from there on", {.kind = IO_FAULT_ERRNO, .error_number = EIO, .sticky = true}},
        {"ENOSPC once", {.kind = IO_FAULT_ERRNO, .error_number = ENOSPC}},
        {"ENOSPC from there on", {.kind = IO_FAULT_ERRNO, .error_number = ENOSPC, .sticky = true}},
        {"short write", {.kind = IO_FAULT_SHORT_WRITE}},
        {"short writes from there on", {.kind = IO_FAULT_SHORT_WRITE, .sticky = true}},
    };
    char *dir = file_join(*state, "log");
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        uint64_t runs = 0, acknowledged = 0, refused = 0;
        bool hit = true;
        for (uint64_t at = 1; hit; at++) {
            struct io_fault_plan plan = cases[c].plan;
            struct told told = {.count = 0};
            plan.at_call = at;
            struct io_fault *fault = io_fault_new(&plan);
            struct io io = io_fault_io(fault);
            work(dir, &io, &told);
            hit = io_fault_calls(fault) >= at;
            io_fault_free(&fault);
            if (told.opened)
                expect_acknowledged(dir, &told, cases[c].name, at);
            size_t good = acknowledged_count(&told);
            acknowledged += good;
            refused += told.count - good;
            runs++;
            clear_directory(dir);
        }
        print_message("%s: %llu runs, %llu records acknowledged, %llu not\n", cases[c].name,
                      (unsigned long long)runs, (unsigned long long)acknowledged,
                      (unsigned long long)refused);
        assert_true(runs > 50 && acknowledged > 0);
        bool harmless = cases[c].plan.kind == IO_FAULT_SHORT_WRITE;
        EXPECT(harmless == (refused == 0), "%s: %llu refused", cases[c].name, (unsigned long long)refused);
    }
    mem_free(dir);
}

// The same with a power failure: at each call, what was never synced is lost in part, names too. Then a second life on what
// was left, with a crash of its own.
static void test_ms_34_acknowledged_records_survive_power_failures(void **state)
{
    char *dir = file_join(*state, "log");
    uint64_t runs = 0, acknowledged = 0, unacknowledged = 0;
    bool hit = true;
    for (uint64_t at = 1; hit; at++) {
        for (uint64_t seed = 0; seed < 6; seed++) {
            struct told told = {.count = 0};
            struct io_fault *fault =
                io_fault_new(&(struct io_fault_plan){.kind = IO_FAULT_CRASH, .at_call = at});
            struct io io = io_fault_io(fault);
            work(dir, &io, &told);
            hit = io_fault_calls(fault) >= at;
            io_fault_power_loss(fault, at * 100 + seed);
            io_fault_free(&fault);
            expect_acknowledged(dir, &told, "power failure", at);
            size_t good = acknowledged_count(&told);
            acknowledged += good;
            unacknowledged += told.count - good;
            runs++;
            clear_directory(dir);
        }
    }
    print_message("%llu runs, %llu records acknowledged, %llu not\n", (unsigned long long)runs,
                  (unsigned long long)acknowledged, (unsigned long long)unacknowledged);
    assert_true(runs > 300 && acknowledged > runs && unacknowledged > runs);
    mem_free(dir);
}

// Nothing is synced before the failure is over: a failure of the disk, work that goes on, then a power failure.
static void test_errors_and_then_a_power_failure(void **state)
{
    char *dir = file_join(*state, "log");
    uint64_t runs = 0;
    bool hit = true;
    for (uint64_t at = 1; hit; at++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            struct told told = {.count = 0};
            struct io_fault_plan plan = {.kind = IO_FAULT_ERRNO, .at_call = at, .error_number = EIO};
            struct io_fault *fault = io_fault_new(&plan);
            struct io io = io_fault_io(fault);
            work(dir, &io, &told);
            hit = io_fault_calls(fault) >= at;
            io_fault_power_loss(fault, at * 100 + seed);
            io_fault_free(&fault);
            expect_acknowledged(dir, &told, "error and power failure", at);
            runs++;
            clear_directory(dir);
        }
    }
    print_message("%llu runs\n", (unsigned long long)runs);
    assert_true(runs > 200);
    mem_free(dir);
}

// Writers that share commits, and a power failure: each one's acknowledged records are there.
static void test_many_writers_and_a_power_failure(void **state)
{
    char *dir = file_join(*state, "log");
    uint64_t acknowledged = 0;
    for (uint64_t at = 5; at < 300; at += 7) {
        struct io_fault *fault = io_fault_new(&(struct io_fault_plan){.kind = IO_FAULT_CRASH, .at_call = at});
        struct io io = io_fault_io(fault);
        struct writer writers[WRITERS];
        pthread_t threads[WRITERS];
        struct seen seen = {.count = 0};
        struct wal_stats stats;
        struct error err = ERROR_INIT;
        uint64_t seen_of[WRITERS] = {0};
        struct wal *wal = open_wal(dir, &io, 4000);
        for (uint64_t t = 0; t < WRITERS; t++) {
            writers[t] = (struct writer){.wal = wal, .first = t * WRITER_STEP};
            assert_int_equal(pthread_create(&threads[t], NULL, write_records, &writers[t]), 0);
        }
        for (size_t t = 0; t < WRITERS; t++)
            pthread_join(threads[t], NULL);
        ignore_result(wal_close(&wal, NULL)); // the answers of wal_wait count
        io_fault_power_loss(fault, at);
        io_fault_free(&fault);
        EXPECT(wal_read_directory(dir, take, &seen, &stats, &err) == 0, "%s", err.text);
        for (size_t i = 0; i < seen.count; i++) {
            uint64_t t = seen.numbers[i] / WRITER_STEP, number = seen.numbers[i] % WRITER_STEP;
            EXPECT(t < WRITERS && number == seen_of[t], "at %llu: writer %llu: record %llu instead of %llu",
                   (unsigned long long)at, (unsigned long long)t, (unsigned long long)number,
                   (unsigned long long)seen_of[t]);
            seen_of[t]++;
        }
        for (size_t t = 0; t < WRITERS; t++) {
            EXPECT(seen_of[t] >= writers[t].acknowledged, "at %llu: writer %zu: %llu of %llu records",
                   (unsigned long long)at, t, (unsigned long long)seen_of[t],
                   (unsigned long long)writers[t].acknowledged);
            acknowledged += writers[t].acknowledged;
        }
        seen_release(&seen);
        clear_directory(dir);
    }
    print_message("%llu records acknowledged\n", (unsigned long long)acknowledged);
    assert_true(acknowledged > 1000);
    mem_free(dir);
}

static void test_a_failed_removal_is_tried_again(void **state)
{
    struct error err = ERROR_INIT;
    struct wal *wal = open_wal(*state, NULL, 300);
    for (uint64_t i = 0; i < 60; i++)
        assert_int_equal(append_and_wait(wal, i, &err), 0);
    close_wal(&wal);
    // Each removal is two calls, the second is that of the directory: the second removal is the third call after it was opened.
    struct io_fault *fault =
        io_fault_new(&(struct io_fault_plan){.kind = IO_FAULT_ERRNO, .at_call = 4, .error_number = EACCES});
    struct io io = io_fault_io(fault);
    wal = open_wal(*state, &io, 300);
    assert_int_equal(io_fault_calls(fault), 1); // the sync of the directory's name
    uint64_t before = stats_of(wal).segments;
    assert_true(before > 4);
    assert_int_equal(wal_drop_before(wal, UINT64_MAX, &err), ERR_IO);
    EXPECT(strstr(err.text, "cannot remove") && strstr(err.text, ".log"), "%s", err.text);
    assert_int_equal(stats_of(wal).segments, before - 1);
    assert_int_equal(stats_of(wal).failed_drops, 1);
    assert_int_equal(wal_drop_before(wal, UINT64_MAX, &err), 0);
    assert_int_equal(stats_of(wal).segments, 0);
    close_wal(&wal);
    io_fault_free(&fault);
}

// ---- modes and limits -------------------------------------------------------------------------------------

static void test_sync_modes(void **state)
{
    static const enum wal_sync modes[] = {WAL_SYNC_INTERVAL, WAL_SYNC_NONE};
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        struct gate gate;
        struct io_ops ops;
        struct io io;
        struct error err = ERROR_INIT;
        struct wal *wal = NULL;
        gate_init(&gate, &ops, &io);
        struct wal_options options = {
            .directory = *state, .io = &io, .sync = modes[m], .sync_interval_ms = 1, .segment_bytes = 2000};
        assert_int_equal(wal_open(&options, &wal, &err), 0);
        for (uint64_t i = 0; i < 300; i++)
            EXPECT(append_and_wait(wal, m * 300 + i, &err) == 0, "%s", err.text); // waits for nothing
        while (modes[m] == WAL_SYNC_INTERVAL && stats_of(wal).sync_ns_sum == 0)
            sched_yield();
        close_wal(&wal);
        EXPECT((modes[m] == WAL_SYNC_NONE) == (gate.syncs == 0), "%u syncs", gate.syncs);
        gate_release(&gate);
    }
    struct wal_stats stats;
    struct seen seen = {.count = 0};
    assert_int_equal(wal_read_directory(*state, take, &seen, &stats, NULL), 0);
    expect_numbers(&seen, 0, 600);
    seen_release(&seen);
}

static void test_a_directory_has_one_wal(void **state)
{
    struct wal_options options = {.directory = *state};
    struct error err = ERROR_INIT;
    struct wal *wal = open_wal(*state, NULL, 0), *second = NULL;
    struct wal_stats stats;
    struct seen seen = {.count = 0};
    assert_int_equal(wal_open(&options, &second, &err), ERR_BUSY);
    EXPECT(strstr(err.text, "in use by another process") && strstr(err.text, *state), "%s", err.text);
    assert_null(second);
    assert_int_equal(wal_read_directory(*state, take, &seen, &stats, &err), ERR_BUSY);
    close_wal(&wal);
    wal = open_wal(*state, NULL, 0);
    close_wal(&wal);
}

static void test_an_oversized_record_is_refused(void **state)
{
    struct wal *wal = open_wal(*state, NULL, 0);
    struct wal_span span = {0, 0};
    struct slice huge = slice_of("", WAL_RECORD_MAX_BYTES + 1);
    assert_int_equal(wal_append(wal, wal_epoch(wal), huge, &span), ERR_LIMIT);
    assert_int_equal(wal_append(wal, wal_epoch(wal), SLICE_EMPTY, &span), 0);
    assert_int_equal(span.end, 0);
    assert_int_equal(wal_wait(wal, &span, NULL), 0);
    assert_int_equal(append_and_wait(wal, 0, NULL), 0);
    close_wal(&wal);
}

static void test_open_reports_what_is_wrong(void **state)
{
    char *file = file_join(*state, "file");
    char *below = file_join(file, "log");
    struct error err = ERROR_INIT;
    struct wal *wal = NULL;
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    close(fd);
    assert_int_equal(wal_open(&(struct wal_options){.directory = file}, &wal, &err), ERR_EXISTS);
    EXPECT(strstr(err.text, file), "%s", err.text);
    assert_true(wal_open(&(struct wal_options){.directory = below}, &wal, &err) < 0);
    EXPECT(strstr(err.text, file), "%s", err.text);
    assert_null(wal);
    assert_int_equal(wal_close(&wal, &err), 0); // none
    mem_free(below);
    mem_free(file);
}

// ---- damage on disk ---------------------------------------------------------------------------------------

static char *segment_file(const char *directory, uint64_t epoch)
{
    char name[WAL_SEGMENT_NAME_SIZE];
    wal_segment_name(name, epoch);
    return file_join(directory, name);
}

static void write_segment(const char *directory, uint64_t epoch, struct slice bytes)
{
    char *path = segment_file(directory, epoch);
    struct error err = ERROR_INIT;
    struct io_ops ops = hasty_ops();
    EXPECT(io_replace_file(&(struct io){.ops = &ops}, path, bytes, 0644, &err) == 0, "%s", err.text);
    mem_free(path);
}

// A segment with records first, first + 1, ...; ends[i]: where record i ends.
static void build_segment(struct buf *out, uint64_t epoch, uint64_t previous, uint64_t first, size_t count,
                          size_t *ends)
{
    char header[WAL_SEGMENT_HEADER_BYTES], head[WAL_FRAME_HEAD_BYTES], bytes[RECORD_MAX];
    buf_init(out, 1 << 20);
    wal_segment_header(header, epoch, previous);
    buf_append(out, header, sizeof(header));
    for (size_t i = 0; i < count; i++) {
        struct slice record = make_record(first + i, bytes);
        wal_segment_frame_head(head, epoch, record);
        buf_append(out, head, sizeof(head));
        buf_append_slice(out, record);
        if (ends)
            ends[i] = out->len;
    }
}

// The newest segment cut at every byte: the whole records before are there, the rest is torn, and the next start sees neither
// tear nor damage.
static void test_ms_29_torn_tails_are_cut_at_every_byte(void **state)
{
    struct buf older, newest;
    size_t ends[10];
    char *dir = file_join(*state, "log");
    struct io_ops ops = hasty_ops();
    struct io io = {.ops = &ops};
    build_segment(&older, 1, 0, 0, 10, NULL);
    build_segment(&newest, 2, 1, 10, 10, ends);
    assert_int_equal(io_make_dirs(&io_system, dir, 0755, NULL), 0);
    for (size_t len = 0; len <= newest.len; len++) {
        struct error err = ERROR_INIT;
        struct seen seen = {.count = 0};
        size_t whole = 0;
        while (whole < 10 && ends[whole] <= len)
            whole++;
        write_segment(dir, 1, buf_slice(&older));
        write_segment(dir, 2, slice_of(newest.ptr, len));
        struct wal *wal = open_wal(dir, &io, 0);
        EXPECT(wal_replay(wal, take, &seen, &err) == 0, "%zu bytes: %s", len, err.text);
        expect_numbers(&seen, 0, 10 + whole);
        size_t good = whole                             ? ends[whole - 1]
                      : len >= WAL_SEGMENT_HEADER_BYTES ? WAL_SEGMENT_HEADER_BYTES
                                                        : 0;
        struct wal_stats stats = stats_of(wal);
        assert_int_equal(stats.torn_bytes, len - good);
        assert_int_equal(stats.damaged_regions + stats.missing_segments, 0);
        EXPECT(append_and_wait(wal, 10 + whole, &err) == 0, "%s", err.text);
        close_wal(&wal);
        seen_release(&seen);
        EXPECT(wal_read_directory(dir, take, &seen, &stats, &err) == 0, "%zu bytes: %s", len, err.text);
        expect_numbers(&seen, 0, 11 + whole);
        assert_int_equal(stats.torn_bytes + stats.damaged_regions + stats.missing_segments, 0);
        seen_release(&seen);
        char *third = segment_file(dir, 3);
        assert_int_equal(unlink(third), 0);
        mem_free(third);
    }
    buf_release(&older);
    buf_release(&newest);
    mem_free(dir);
}

// A replay that cannot read says so; what it could not cut is no loss either.
static void test_replay_fails_or_is_whole(void **state)
{
    static const enum io_fault_kind kinds[] = {IO_FAULT_ERRNO, IO_FAULT_CRASH};
    struct buf older, newest;
    char *dir = file_join(*state, "log");
    build_segment(&older, 1, 0, 0, 10, NULL);
    build_segment(&newest, 2, 1, 10, 10, NULL);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        size_t failed = 0, whole = 0;
        bool hit = true;
        for (uint64_t at = 1; hit; at++) {
            struct io_fault_plan plan = {.kind = kinds[k], .at_call = at, .error_number = EIO};
            struct wal_options options = {.directory = dir};
            struct seen seen = {.count = 0};
            struct error err = ERROR_INIT;
            struct wal *wal = NULL;
            struct wal_stats stats;
            clear_directory(dir);
            assert_int_equal(io_make_dirs(&io_system, dir, 0755, NULL), 0);
            write_segment(dir, 1, buf_slice(&older));
            write_segment(dir, 2, slice_of(newest.ptr, newest.len - 5));
            struct io_fault *fault = io_fault_new(&plan);
            struct io io = io_fault_io(fault);
            options.io = &io;
            int rc = wal_open(&options, &wal, &err);
            if (rc == 0)
                rc = wal_replay(wal, take, &seen, &err);
            EXPECT(rc == 0 || (rc == ERR_IO && strstr(err.text, *state)), "call %llu: %s",
                   (unsigned long long)at, err.text);
            if (rc == 0)
                expect_numbers(&seen, 0, 19);
            *(rc ? &failed : &whole) += 1;
            close_wal(&wal);
            hit = io_fault_calls(fault) >= at;
            io_fault_power_loss(fault, at);
            io_fault_free(&fault);
            seen_release(&seen);
            EXPECT(wal_read_directory(dir, take, &seen, &stats, &err) == 0, "%s", err.text);
            expect_numbers(&seen, 0, 19);
            seen_release(&seen);
        }
        assert_true(failed > 3 && whole > 3);
    }
    buf_release(&older);
    buf_release(&newest);
    mem_free(dir);
}

// Each bit of a segment turned, once as the newest and once as an older one: all other records come back.
static void test_flipped_bits(void **state)
{
    struct buf segment, next;
    size_t ends[6];
    char *dir = file_join(*state, "log");
    struct seen seen = {.count = 0};
    build_segment(&segment, 1, 0, 0, 6, ends);
    build_segment(&next, 2, 1, 6, 2, NULL);
    assert_int_equal(io_make_dirs(&io_system, dir, 0755, NULL), 0);
    for (int is_newest = 0; is_newest < 2; is_newest++) {
        if (!is_newest)
            write_segment(dir, 2, buf_slice(&next));
        for (size_t bit = 0; bit < segment.len * 8; bit++) {
            struct error err = ERROR_INIT;
            struct wal_stats stats;
            size_t hit = 0; // this record
            char *path = segment_file(dir, 1);
            segment.ptr[bit / 8] = (char)(segment.ptr[bit / 8] ^ 1 << bit % 8);
            int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644); // always of the same length
            assert_int_equal(write(fd, segment.ptr, segment.len), segment.len);
            close(fd);
            mem_free(path);
            segment.ptr[bit / 8] = (char)(segment.ptr[bit / 8] ^ 1 << bit % 8);
            EXPECT(wal_read_directory(dir, take, &seen, &stats, &err) == 0, "bit %zu: %s", bit, err.text);
            bool in_header = bit / 8 < WAL_SEGMENT_HEADER_BYTES;
            while (ends[hit] <= bit / 8)
                hit++;
            size_t wanted = (is_newest ? 6 : 8) - !in_header;
            EXPECT(seen.count == wanted, "bit %zu: %zu records instead of %zu", bit, seen.count, wanted);
            for (size_t i = 0; i < wanted; i++)
                assert_int_equal(seen.numbers[i], i + (!in_header && i >= hit));
            bool torn = is_newest && !in_header && hit == 5;
            EXPECT((stats.torn_bytes > 0) == torn && stats.damaged_regions == !torn,
                   "bit %zu: %llu torn bytes", bit, (unsigned long long)stats.torn_bytes);
            seen_release(&seen);
        }
        char *path = segment_file(dir, 2);
        if (!is_newest)
            assert_int_equal(unlink(path), 0);
        mem_free(path);
    }
    buf_release(&segment);
    buf_release(&next);
    mem_free(dir);
}

// Frames of another segment, as a file system may leave them behind the end, are not taken.
static void test_stale_frames_are_not_taken(void **state)
{
    struct buf stale, segment;
    struct seen seen = {.count = 0};
    struct wal_stats stats;
    build_segment(&stale, 1, 0, 0, 20, NULL);
    build_segment(&segment, 2, 0, 100, 3, NULL);
    buf_append(&segment, stale.ptr + segment.len, stale.len - segment.len);
    write_segment(*state, 2, buf_slice(&segment));
    assert_int_equal(wal_read_directory(*state, take, &seen, &stats, NULL), 0);
    expect_numbers(&seen, 100, 3);
    assert_true(stats.torn_bytes > 0);
    seen_release(&seen);
    buf_release(&stale);
    buf_release(&segment);
}

static void test_damaged_segments_are_set_aside(void **state)
{
    struct buf segment;
    struct error err = ERROR_INIT;
    struct seen seen = {.count = 0};
    for (uint64_t epoch = 1; epoch <= 3; epoch++) {
        build_segment(&segment, epoch, epoch - 1, epoch * 10, 5, NULL);
        if (epoch == 2)
            segment.ptr[segment.len / 2] ^= 1;
        write_segment(*state, epoch, buf_slice(&segment));
        buf_release(&segment);
    }
    struct wal *wal = open_wal(*state, NULL, 0);
    EXPECT(wal_replay(wal, take, &seen, &err) == 0, "%s", err.text);
    assert_int_equal(seen.count, 14);
    assert_int_equal(stats_of(wal).damaged_regions, 1);
    EXPECT(wal_drop_before(wal, wal_epoch(wal), &err) == 0, "%s", err.text);
    assert_int_equal(stats_of(wal).segments, 0);
    close_wal(&wal);
    char *aside = file_join(*state, "00000000000000000002.log.corrupt");
    assert_true(file_exists(aside));
    mem_free(aside);
    // It is no part of the log any more, but its number is not given again.
    wal = open_wal(*state, NULL, 0);
    assert_int_equal(wal_epoch(wal), 3);
    seen_release(&seen);
    EXPECT(wal_replay(wal, take, &seen, &err) == 0 && seen.count == 0, "%s", err.text);
    close_wal(&wal);
}

static void test_missing_segments_are_noticed(void **state)
{
    struct buf segment;
    struct seen seen = {.count = 0};
    struct wal_stats stats;
    // 3 and 5: epoch 4 never had a file. 7 and 10: 8 had one. What is before the first was dropped.
    static const struct {
        uint64_t epoch, previous;
    } files[] = {{3, 2}, {5, 3}, {7, 5}, {10, 8}};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        build_segment(&segment, files[i].epoch, files[i].previous, i, 1, NULL);
        write_segment(*state, files[i].epoch, buf_slice(&segment));
        buf_release(&segment);
    }
    assert_int_equal(wal_read_directory(*state, take, &seen, &stats, NULL), 0);
    expect_numbers(&seen, 0, 4);
    assert_int_equal(stats.missing_segments, 1);
    assert_int_equal(stats.segments, 4);
    assert_int_equal(stats.oldest_epoch, 3);
    seen_release(&seen);
}

static void test_other_files_are_left_alone(void **state)
{
    static const char *const names[] = {"1.log",
                                        "00000000000000000001.lo",
                                        "00000000000000000000.log",
                                        "0000000000000000000a.log",
                                        "99999999999999999999.log",
                                        "x.corrupt"};
    struct wal_stats stats;
    struct seen seen = {.count = 0};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path = file_join(*state, names[i]);
        assert_int_equal(io_replace_file(&io_system, path, SLICE_LITERAL("x"), 0644, NULL), 0);
        mem_free(path);
    }
    struct wal *wal = open_wal(*state, NULL, 0);
    assert_int_equal(wal_epoch(wal), 1);
    assert_int_equal(wal_drop_before(wal, UINT64_MAX, NULL), 0);
    close_wal(&wal);
    assert_int_equal(wal_read_directory(*state, take, &seen, &stats, NULL), 0);
    assert_int_equal(stats.segments, 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path = file_join(*state, names[i]);
        assert_true(file_exists(path));
        mem_free(path);
    }
}

// The bytes of docs/formats/store-log.md: a format that changes needs a new version.
static void test_the_format_is_the_documented_one(void **state)
{
    static const char bytes[] = "CC-LOG\r\n\1\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0\054\372\337\250"
                                "\3\0\0\0\277\074\331\210\277\203\064\104abc";
    struct wal_segment_reader reader;
    struct slice record;
    char header[WAL_SEGMENT_HEADER_BYTES], head[WAL_FRAME_HEAD_BYTES];
    (void)state;
    wal_segment_header(header, 7, 6);
    assert_memory_equal(header, bytes, sizeof(header));
    wal_segment_frame_head(head, 7, SLICE_LITERAL("abc"));
    assert_memory_equal(head, bytes + sizeof(header), sizeof(head));
    assert_int_equal(wal_segment_reader_init(&reader, slice_of(bytes, sizeof(bytes) - 1), 7, NULL), 0);
    assert_true(reader.has_header && reader.previous == 6);
    assert_true(wal_segment_next(&reader, &record));
    assert_true(slice_eq_cstr(record, "abc"));
    assert_false(wal_segment_next(&reader, &record));
    assert_int_equal(reader.good_end, sizeof(bytes) - 1);
}

// Changes the version in a header, with the checksum.
static void set_version(struct buf *segment, char version)
{
    segment->ptr[8] = version;
    uint32_t crc = crc32_ieee(0, segment->ptr, WAL_SEGMENT_HEADER_BYTES - 4);
    for (int i = 0; i < 4; i++)
        segment->ptr[WAL_SEGMENT_HEADER_BYTES - 4 + i] = (char)(crc >> 8 * i & 0xFF);
}

static void test_a_later_version_is_refused(void **state)
{
    struct buf segment;
    struct error err = ERROR_INIT;
    struct seen seen = {.count = 0};
    struct wal *wal;
    build_segment(&segment, 1, 0, 0, 2, NULL);
    set_version(&segment, 2);
    write_segment(*state, 1, buf_slice(&segment));
    wal = open_wal(*state, NULL, 0);
    assert_int_equal(wal_replay(wal, take, &seen, &err), ERR_UNSUPPORTED);
    EXPECT(strstr(err.text, "version 2") && strstr(err.text, "00000000000000000001.log"), "%s", err.text);
    close_wal(&wal);
    buf_release(&segment);
}

static void test_an_error_of_the_receiver_ends_the_replay(void **state)
{
    struct error err = ERROR_INIT;
    struct seen seen = {.fail_after = 3};
    struct wal *wal = open_wal(*state, NULL, 0);
    for (uint64_t i = 0; i < 6; i++)
        assert_int_equal(append_and_wait(wal, i, &err), 0);
    close_wal(&wal);
    wal = open_wal(*state, NULL, 0);
    assert_int_equal(wal_replay(wal, take, &seen, &err), ERR_LIMIT);
    EXPECT(strstr(err.text, "enough") && strstr(err.text, ".log"), "%s", err.text);
    assert_int_equal(seen.count, 3);
    close_wal(&wal);
    seen_release(&seen);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_written_is_replayed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_segments_end_and_are_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replay_equals_a_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_commits_are_batched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ms_48_a_full_log_makes_writers_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_writers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiters_of_a_failed_commit_get_the_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk_is_not_littered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forgotten_failures_are_still_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures_at_every_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ms_34_acknowledged_records_survive_power_failures, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_errors_and_then_a_power_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_writers_and_a_power_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_removal_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sync_modes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_directory_has_one_wal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_oversized_record_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_reports_what_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ms_29_torn_tails_are_cut_at_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replay_fails_or_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flipped_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stale_frames_are_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_segments_are_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_segments_are_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_files_are_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_format_is_the_documented_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_later_version_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_error_of_the_receiver_ends_the_replay, set_up, tear_down),
    };
    return TEST_MAIN(argc, argv, tests);
}
