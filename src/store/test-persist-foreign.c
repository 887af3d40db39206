// SPDX-License-Identifier: MIT
// What was found with the fuzzers of checkpoint directories, or while they were written, each as a plain case.
#include <errno.h>
#include <stdio.h>

#include "base/testing.h"
#include "codec/gzip.h"
#include "store/fuzz-persist.h"
#include "store/host-wal.h"
#include "store/wal-export.h"
#include "store/wal-record.h"
#include "store/wal-segment.h"

static int set_up(void **state)
{
    char *directory = mem_alloc(FUZZ_PATH_SIZE);
    fuzz_scratch(directory);
    *state = directory;
    return 0;
}

static int tear_down(void **state)
{
    fuzz_remove(*state);
    mem_free(*state);
    return 0;
}

static void write_json(const char *directory, const char *name, const char *text)
{
    fuzz_make_directory(directory, "c/h");
    fuzz_write_file(directory, name, slice_from_cstr(text));
}

static void send(struct store *store, const char *lines)
{
    struct store_write write = {.body = slice_from_cstr(lines), .now_s = FUZZ_NOW};
    struct store_write_result result;
    assert_int_equal(store_ingest(store, &write, &result), 0);
}

static size_t count_files(const char *directory, const char *ending)
{
    char **names = NULL, *path = file_join(directory, "c/h");
    size_t count = 0, found = 0;
    assert_int_equal(file_list(path, &names, &count, NULL), 0);
    for (size_t i = 0; i < count; i++)
        found += slice_ends_with(slice_from_cstr(names[i]), slice_from_cstr(ending));
    file_list_free(&names, count);
    mem_free(path);
    return found;
}

static struct fuzz_store open_loaded(const char *directory)
{
    struct fuzz_store x = fuzz_open(directory, 0, CHECKPOINT_JSON);
    assert_non_null(x.persist);
    persist_load_all(x.persist);
    return x;
}

static void expect_values(const char *directory, const struct fuzz_values *wanted)
{
    struct fuzz_store x = open_loaded(directory);
    struct fuzz_values found;
    fuzz_collect(x.store, &found);
    fuzz_check_same(wanted, &found);
    mem_free(found.items);
    assert_int_equal(fuzz_close(&x, NULL), 0);
}

// The file has one value at its begin; ten years later, within its time, comes a late one. All of it as one row of values had
// taken 2.5 GB.
static void test_late_sample_far_from_the_values_of_its_snapshot(void **state)
{
    struct fuzz_values values;
    write_json(*state, "c/h/1384000000.json",
               "{\"metrics\":{\"n\":{\"frequency\":1,\"start\":1384000000,\"data\":[1.5]},"
               "\"m\":{\"frequency\":60,\"start\":1699999000,\"data\":[7]}},"
               "\"children\":{},\"from\":1384000000,\"to\":1700000000}");
    struct fuzz_store x = open_loaded(*state);
    send(x.store, "n,cluster=c,hostname=h value=2 1699999990\n");
    fuzz_collect(x.store, &values);
    assert_int_equal(values.count, 3);
    assert_int_equal(fuzz_close(&x, NULL), 0);
    assert_int_equal(count_files(*state, ".json"), 2);
    assert_int_equal(count_files(*state, ".corrupt"), 0);
    expect_values(*state, &values);
    mem_free(values.items);
}

// Values that have nothing to do with the time that the file is of: it is set aside when it would be written again.
static void test_values_far_from_the_time_of_their_snapshot(void **state)
{
    write_json(*state, "c/h/1700000000.json",
               "{\"metrics\":{\"n\":{\"frequency\":1,\"start\":1000,\"data\":[1.5]},"
               "\"m\":{\"frequency\":60,\"start\":1700000030,\"data\":[7]}},"
               "\"children\":{},\"from\":1700000000,\"to\":1700000600}");
    struct fuzz_store x = open_loaded(*state);
    send(x.store, "n,cluster=c,hostname=h value=2 1700000100\n");
    assert_int_equal(fuzz_close(&x, NULL), 0);
    assert_int_equal(count_files(*state, ".corrupt"), 1);
    assert_int_equal(count_files(*state, ".json"), 1);
}

static void test_impossible_times_in_the_log_of_a_host(void **state)
{
    static const int64_t times[] = {INT64_MIN, INT64_MAX, PERSIST_TIME_MAX + 1, 1700000000};
    struct fuzz_values values;
    struct buf file;
    fuzz_make_directory(*state, "c/h");
    buf_init(&file, 1 << 20);
    host_wal_append_header(&file);
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct host_wal_record record = {.ts = times[i], .metric = SLICE_LITERAL("n"), .value = 1};
        assert_true(host_wal_append_record(&file, &record));
    }
    fuzz_write_file(*state, "c/h/" HOST_WAL_NAME, buf_slice(&file));
    buf_release(&file);
    struct fuzz_store x = open_loaded(*state);
    fuzz_collect(x.store, &values);
    assert_int_equal(values.count, 1);
    assert_int_equal(values.items[0].ts, 1700000000);
    assert_int_equal(fuzz_close(&x, NULL), 0);
    expect_values(*state, &values);
    mem_free(values.items);
}

static int cannot_unlink(void *ctx, const char *path)
{
    (void)ctx, (void)path;
    errno = EIO;
    return -1;
}

static struct fuzz_store open_with_host_wal(const char *directory)
{
    struct host_wal_record record = {.ts = 1700000000, .metric = SLICE_LITERAL("n"), .value = 1};
    struct buf file;
    fuzz_make_directory(directory, "c/h");
    buf_init(&file, 1 << 20);
    host_wal_append_header(&file);
    assert_true(host_wal_append_record(&file, &record));
    fuzz_write_file(directory, "c/h/" HOST_WAL_NAME, buf_slice(&file));
    buf_release(&file);
    return open_loaded(directory);
}

// While the file is there, the next start would put its values over newer ones: the host is not done.
static void test_log_of_a_host_that_cannot_be_removed(void **state)
{
    struct fuzz_values values;
    struct error err = ERROR_INIT;
    struct fuzz_store x = open_with_host_wal(*state);
    struct io_ops *ops = (struct io_ops *)x.persist->io->ops;
    ops->unlink = cannot_unlink;
    assert_true(persist_snapshot_before(x.persist, INT64_MAX, FUZZ_NOW, &err) < 0);
    assert_non_null(strstr(err.text, HOST_WAL_NAME));
    ops->unlink = io_system.ops->unlink;
    send(x.store, "n,cluster=c,hostname=h value=2 1700000000\n");
    fuzz_collect(x.store, &values);
    assert_int_equal(fuzz_close(&x, &err), 0);
    assert_int_equal(count_files(*state, HOST_WAL_NAME), 0);
    expect_values(*state, &values);
    mem_free(values.items);
}

// Nothing new comes in after the failure: the file goes with the next snapshot all the same.
static void test_log_of_a_host_is_removed_when_it_can_be(void **state)
{
    struct fuzz_store x = open_with_host_wal(*state);
    struct io_ops *ops = (struct io_ops *)x.persist->io->ops;
    ops->unlink = cannot_unlink;
    assert_true(persist_snapshot_before(x.persist, INT64_MAX, FUZZ_NOW, NULL) < 0);
    ops->unlink = io_system.ops->unlink;
    assert_int_equal(fuzz_close(&x, NULL), 0);
    assert_int_equal(count_files(*state, HOST_WAL_NAME), 0);
}

// ---- a log with names that no batch has -------------------------------------------------------------------

static void put_host(struct wal_encoder *e, struct buf *segment, uint32_t number, struct slice cluster,
                     struct slice host)
{
    char head[WAL_FRAME_HEAD_BYTES];
    struct series_value value = series_value_of(1.5);
    wal_encoder_begin(e, number);
    wal_encoder_define_host(e, cluster, host);
    wal_encoder_define_series(e, 0, SLICE_LITERAL("n"), NULL, 0);
    wal_encoder_sample(e, 0, 1700000000 + number, &value);
    struct slice record = wal_encoder_end(e);
    wal_segment_frame_head(head, 1, record);
    buf_append(segment, head, sizeof(head));
    buf_append_slice(segment, record);
}

#define BAD_NAMES 7

static struct slice bad_name(size_t i)
{
    const struct slice names[BAD_NAMES] = {SLICE_LITERAL(".."),
                                           SLICE_LITERAL("../../x"),
                                           SLICE_LITERAL("."),
                                           SLICE_LITERAL("a/b"),
                                           SLICE_LITERAL("a\0b"),
                                           SLICE_LITERAL("a\\b"),
                                           SLICE_LITERAL(WAL_DIRECTORY_NAME)};
    return names[i];
}

static void write_log(const char *directory)
{
    struct wal_encoder e;
    struct buf segment;
    char header[WAL_SEGMENT_HEADER_BYTES], name[WAL_SEGMENT_NAME_SIZE];
    wal_encoder_init(&e);
    buf_init(&segment, 1 << 20);
    wal_segment_header(header, 1, 0);
    buf_append(&segment, header, sizeof(header));
    put_host(&e, &segment, 0, SLICE_LITERAL("c"), SLICE_LITERAL("h"));
    for (uint32_t i = 0; i < BAD_NAMES; i++) {
        put_host(&e, &segment, 1, bad_name(i), SLICE_LITERAL("h"));
        put_host(&e, &segment, 2, SLICE_LITERAL("c"), bad_name(i));
    }
    wal_segment_name(name, 1);
    char *log = file_join(directory, WAL_DIRECTORY_NAME);
    assert_int_equal(io_make_dirs(&io_system, log, 0755, NULL), 0);
    fuzz_write_file(log, name, buf_slice(&segment));
    mem_free(log);
    buf_release(&segment);
    wal_encoder_release(&e);
}

static void expect_entries(const char *directory, const char *wanted)
{
    char **names = NULL;
    size_t count = 0;
    assert_int_equal(file_list(directory, &names, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_string_equal(names[0], wanted);
    file_list_free(&names, count);
}

static void test_names_in_the_log_do_not_leave_the_directory(void **state)
{
    struct wal_export_result result;
    struct persist_stats stats;
    char *store = file_join(*state, "store");
    for (int exported = 0; exported < 2; exported++) {
        write_log(store);
        if (exported) {
            assert_int_equal(wal_export(store, &result, NULL), 0);
            assert_int_equal(result.samples, 1);
            assert_int_equal(result.left_out, 2 * BAD_NAMES);
        }
        struct fuzz_store x = open_loaded(store);
        persist_stats(x.persist, &stats);
        assert_int_equal(stats.replayed_samples, exported ? 0 : 1);
        assert_int_equal(stats.unknown_samples, exported ? 0 : 2 * BAD_NAMES);
        assert_int_equal(fuzz_close(&x, NULL), 0);
        expect_entries(*state, "store");
        expect_entries(store, "c");
        char *cluster = file_join(store, "c");
        expect_entries(cluster, "h");
        mem_free(cluster);
        fuzz_remove(store);
    }
    mem_free(store);
}

// The log's directory goes with a clean stop; what could not be read is for the administrator to look at.
static void test_damaged_segment_is_kept_beside_the_directory(void **state)
{
    char name[WAL_SEGMENT_NAME_SIZE];
    char *store = file_join(*state, "store"), *log = file_join(store, WAL_DIRECTORY_NAME);
    struct buf bytes, kept;
    write_log(store);
    wal_segment_name(name, 1);
    char *segment = file_join(log, name);
    buf_init(&bytes, 1 << 20);
    assert_int_equal(file_read(segment, 1 << 20, &bytes, NULL), 0);
    bytes.ptr[WAL_SEGMENT_HEADER_BYTES + WAL_FRAME_HEAD_BYTES + 1] ^= 1;
    fuzz_write_file(log, name, buf_slice(&bytes));
    struct fuzz_store x = open_loaded(store);
    assert_int_equal(fuzz_close(&x, NULL), 0);
    assert_false(file_exists(log));
    char where[FUZZ_PATH_SIZE + 64];
    snprintf(where, sizeof(where), "%s.%s.corrupt", store, name);
    buf_init(&kept, 1 << 20);
    assert_int_equal(file_read(where, 1 << 20, &kept, NULL), 0);
    assert_true(slice_eq(buf_slice(&kept), buf_slice(&bytes)));
    buf_release(&kept);
    buf_release(&bytes);
    mem_free(segment);
    mem_free(log);
    mem_free(store);
}

// A running job or the archive may need them, and they were acknowledged: what frees them snapshots them first.
static void test_replay_takes_what_is_older_than_the_retention(void **state)
{
    char line[128];
    struct persist_stats stats;
    struct fuzz_store x = fuzz_open(*state, 0, CHECKPOINT_JSON);
    ignore_result(snprintf(line, sizeof(line), "n,cluster=c,hostname=h value=2 %lld\n",
                           (long long)FUZZ_NOW - 90000) < 0);
    send(x.store, line);
    fuzz_crash(&x);
    x = fuzz_open(*state, 86400, CHECKPOINT_JSON);
    persist_stats(x.persist, &stats);
    assert_int_equal(stats.replayed_samples, 1);
    assert_int_equal(count_files(*state, ".json"), 1); // at once: the retention holds from the start
    struct host *host = store_find_host(x.store, SLICE_LITERAL("c"), SLICE_LITERAL("h"));
    assert_non_null(host);
    assert_int_equal(host->group_count, 0);
    host_unref(host);
    assert_int_equal(fuzz_close(&x, NULL), 0);
    assert_int_equal(count_files(*state, ".json"), 1);
}

// ---- what the administrator is told ------------------------------------------------------------------------

struct told {
    const char *what;
    int count;
    enum log_level level;
};

static void note_report(void *ctx, enum log_level level, const char *text)
{
    struct told *told = ctx;
    if (!strstr(text, told->what))
        return;
    told->count++;
    told->level = level;
}

static struct fuzz_store open_told(const char *directory, struct told *told)
{
    struct fuzz_store x = fuzz_open(directory, 0, CHECKPOINT_JSON);
    assert_non_null(x.persist);
    x.persist->options.report_ctx = told;
    x.persist->options.report = note_report;
    return x;
}

static void test_snapshot_with_an_odd_name_is_told_and_left_alone(void **state)
{
    struct told told = {.what = "1 files have a number in another form"};
    write_json(*state, "c/h/01700000000.json",
               "{\"metrics\":{\"n\":{\"frequency\":1,\"start\":1700000000,\"data\":[1.5]}},"
               "\"children\":{},\"from\":1700000000,\"to\":1700000600}");
    struct fuzz_store x = open_told(*state, &told);
    persist_load_all(x.persist);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.level, LOG_LEVEL_WARN);
    assert_int_equal(fuzz_close(&x, NULL), 0);
    assert_int_equal(count_files(*state, "01700000000.json"), 1);
}

static ssize_t cannot_read(void *ctx, int fd, void *bytes, size_t len)
{
    (void)ctx, (void)fd, (void)bytes, (void)len;
    errno = ETIMEDOUT; // of a file system on the network
    return -1;
}

// It may be readable the next time, so it stays; answers without its data do not come silently.
static void test_snapshot_that_cannot_be_read_stays(void **state)
{
    struct told told = {.what = "a snapshot cannot be read"};
    struct persist_stats stats;
    write_json(*state, "c/h/1700000000.json",
               "{\"metrics\":{\"n\":{\"frequency\":1,\"start\":1700000000,\"data\":[1.5]}},"
               "\"children\":{},\"from\":1700000000,\"to\":1700000600}");
    struct fuzz_store x = open_told(*state, &told);
    struct io_ops *ops = (struct io_ops *)x.persist->io->ops;
    ops->read = cannot_read;
    persist_load_all(x.persist);
    ops->read = io_system.ops->read;
    persist_stats(x.persist, &stats);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.level, LOG_LEVEL_ERROR);
    assert_int_equal(stats.failed_loads, 1);
    assert_int_equal(stats.corrupt_files, 0);
    assert_int_equal(fuzz_close(&x, NULL), 0);
    assert_int_equal(count_files(*state, "1700000000.json"), 1);
}

static ssize_t cannot_pwrite(void *ctx, int fd, const void *bytes, size_t len, off_t offset)
{
    (void)ctx, (void)fd, (void)bytes, (void)len, (void)offset;
    errno = ENOSPC;
    return -1;
}

// Once, with their number. Where no sender waits for the disk (WAL_SYNC_NONE, WAL_SYNC_INTERVAL) nobody else tells.
static void test_failed_commits_are_told(void **state)
{
    static const char lines[] = "n,cluster=c,hostname=h value=2 1700000000\n";
    struct store_write write = {.body = SLICE_LITERAL(lines), .now_s = FUZZ_NOW, .defer_commit = true};
    struct store_write_result result;
    struct told told = {.what = "could not be written "};
    struct fuzz_store x = open_told(*state, &told);
    struct io_ops *ops = (struct io_ops *)x.persist->io->ops;
    ops->pwrite = cannot_pwrite;
    assert_int_equal(store_ingest(x.store, &write, &result), 0);
    assert_true(store_commit(x.store, &result.span, NULL) < 0);
    persist_work(x.persist, FUZZ_NOW);
    persist_work(x.persist, FUZZ_NOW);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.level, LOG_LEVEL_ERROR);
    ops->pwrite = io_system.ops->pwrite;
    assert_int_equal(fuzz_close(&x, NULL), 0);
    assert_int_equal(count_files(*state, ".json"), 1); // the snapshot has it, so the log may go
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_late_sample_far_from_the_values_of_its_snapshot, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_values_far_from_the_time_of_their_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_impossible_times_in_the_log_of_a_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_of_a_host_that_cannot_be_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_of_a_host_is_removed_when_it_can_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_in_the_log_do_not_leave_the_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_snapshot_with_an_odd_name_is_told_and_left_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_snapshot_that_cannot_be_read_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replay_takes_what_is_older_than_the_retention, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_failed_commits_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_segment_is_kept_beside_the_directory, set_up, tear_down),
    };
    return TEST_MAIN(argc, argv, tests);
}
