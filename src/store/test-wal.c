// SPDX-License-Identifier: MIT
#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/file-fault.h"
#include "base/mem.h"
#include "base/testing.h"
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_written_is_replayed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_segments_end_and_are_dropped, set_up, tear_down),
    };
    return TEST_MAIN(argc, argv, tests);
}
