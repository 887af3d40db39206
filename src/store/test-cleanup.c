// SPDX-License-Identifier: MIT
#include "store/cleanup.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file-fault.h"
#include "base/mem.h"
#include "base/testing.h"
#include "store/archive.h"
#include "store/checkpoint.h"

#define CUTOFF 2000

struct fixture {
    char root[64];
    char checkpoints[80], archive[80];
    struct cleanup_options options;
    struct cleanup_result result;
    struct error err;
    const char *kept, *busy; // hosts
    const char *change;      // file that grows when the archive is written and its host is entered again
    int entered, left, removed;
    struct buf reports;
};

static bool keep(void *ctx, UNUSED struct slice cluster, struct slice host)
{
    struct fixture *f = ctx;
    return f->kept && slice_eq_cstr(host, f->kept);
}

static void put_file(struct fixture *f, const char *name, struct slice bytes);

static bool begin_host(void *ctx, UNUSED struct slice cluster, struct slice host)
{
    struct fixture *f = ctx;
    if (f->busy && slice_eq_cstr(host, f->busy))
        return false;
    if (++f->entered == 2 && f->change)
        put_file(f, f->change, SLICE_LITERAL("other bytes"));
    return true;
}

static void end_host(void *ctx, UNUSED struct slice cluster, UNUSED struct slice host, bool removed)
{
    struct fixture *f = ctx;
    f->left++;
    f->removed += removed;
}

static void report(void *ctx, const char *text)
{
    struct fixture *f = ctx;
    buf_printf(&f->reports, "%s\n", text);
}

static struct fixture *fixture_new(bool archive)
{
    struct fixture *f = NEW(struct fixture);
    // Thousands of syncs: in memory where that is to be had.
    snprintf(f->root, sizeof(f->root), "%s/test-cleanup-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(f->root));
    snprintf(f->checkpoints, sizeof(f->checkpoints), "%s/cp", f->root);
    snprintf(f->archive, sizeof(f->archive), "%s/ar", f->root);
    assert_int_equal(mkdir(f->checkpoints, 0755), 0);
    buf_init(&f->reports, 1 << 20);
    f->options = (struct cleanup_options){.directory = f->checkpoints,
                                          .archive_directory = archive ? f->archive : NULL,
                                          .cutoff_s = CUTOFF,
                                          .keep = keep,
                                          .begin_host = begin_host,
                                          .end_host = end_host,
                                          .report = report,
                                          .ctx = f};
    return f;
}

static void fixture_free(struct fixture *f)
{
    assert_int_equal(file_remove_tree(f->root, NULL), 0);
    buf_release(&f->reports);
    mem_free(f);
}

static void put_file(struct fixture *f, const char *name, struct slice bytes)
{
    char *path = file_join(f->checkpoints, name);
    char *parent = mem_strdup(path);
    *strrchr(parent, '/') = '\0';
    assert_int_equal(io_make_dirs(&io_system, parent, 0755, NULL), 0);
    assert_int_equal(io_replace_file(&io_system, path, bytes, 0644, &f->err), 0);
    mem_free(parent);
    mem_free(path);
}

// Three values at host level, three of a socket; 'first' NaN: no values at all.
static void put_snapshot(struct fixture *f, const char *name, enum checkpoint_format format, int64_t from,
                         int64_t to, double first)
{
    double values[3] = {first, first + 1, first + 2};
    struct checkpoint_metric load = {SLICE_LITERAL("cpu_load"), 60, from, {.count = 3, .f64 = values}};
    struct checkpoint_metric bandwidth = {SLICE_LITERAL("mem_bw"), 60, from, {.count = 3, .f64 = values}};
    struct checkpoint_level socket = {
        .name = SLICE_LITERAL("socket0"), .metrics = &bandwidth, .metric_count = 1};
    struct checkpoint checkpoint = {
        .from = from,
        .to = to,
        .root = {.metrics = &load, .metric_count = 1, .children = &socket, .child_count = 1}};
    struct buf out;
    buf_init(&out, 1 << 20);
    checkpoint_format_bytes(format, &checkpoint, &out);
    put_file(f, name, buf_slice(&out));
    buf_release(&out);
}

static bool exists(const char *directory, const char *name)
{
    char *path = file_join(directory, name);
    bool there = file_exists(path);
    mem_free(path);
    return there;
}

static int run(struct fixture *f)
{
    f->err = (struct error)ERROR_INIT;
    int rc = cleanup_run(&f->options, &f->result, &f->err);
    assert_int_equal(f->entered, f->left);
    return rc;
}

static void expect_done(struct fixture *f, uint64_t files)
{
    int rc = run(f);
    EXPECT(rc == 0, "%s", f->err.text);
    assert_int_equal(f->result.files, files);
    assert_int_equal(f->result.failed_files, 0);
    assert_int_equal(f->result.failed_clusters, 0);
}

// ---- which files go ---------------------------------------------------------------------------------------

static void test_ms_39_snapshots_go_by_their_end(void **state)
{
    for (int archive = 0; archive < 2; archive++) {
        (void)state;
        struct fixture *f = fixture_new(archive);
        put_snapshot(f, "c/h/1000.bin", CHECKPOINT_BIN, 1000, CUTOFF - 1, 1);
        put_snapshot(f, "c/h/1001.bin", CHECKPOINT_BIN, 1001, CUTOFF, 2);
        put_snapshot(f, "c/h/1002.json", CHECKPOINT_JSON, 1002, CUTOFF - 1, 3);
        put_snapshot(f, "c/h/1003.json", CHECKPOINT_JSON, 1003, CUTOFF + 5000, 4);
        put_snapshot(f, "c/h/2000.bin", CHECKPOINT_BIN, 2000, 9000, 5);
        expect_done(f, 2);
        assert_false(exists(f->checkpoints, "c/h/1000.bin"));
        assert_true(exists(f->checkpoints, "c/h/1001.bin"));
        assert_false(exists(f->checkpoints, "c/h/1002.json"));
        assert_true(exists(f->checkpoints, "c/h/1003.json"));
        assert_true(exists(f->checkpoints, "c/h/2000.bin"));
        fixture_free(f);
    }
}

// Without 'to' the data tell.
static void test_snapshots_without_end(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(false);
    put_file(f, "c/h/1000.json",
             SLICE_LITERAL("{\"metrics\":{\"m\":{\"frequency\":60,\"start\":1000,"
                           "\"data\":[1,2]}},\"children\":{},\"from\":1000}"));
    put_file(f, "c/h/1900.json",
             SLICE_LITERAL("{\"metrics\":{\"m\":{\"frequency\":60,\"start\":1900,"
                           "\"data\":[1,2]}},\"children\":{},\"from\":1900}"));
    put_snapshot(f, "c/h/1200.bin", CHECKPOINT_BIN, 1200, 0, 1);
    put_snapshot(f, "c/h/1850.bin", CHECKPOINT_BIN, 1850, 0, 1);
    expect_done(f, 2);
    assert_true(exists(f->checkpoints, "c/h/1900.json"));
    assert_true(exists(f->checkpoints, "c/h/1850.bin"));
    fixture_free(f);
}

static void test_other_files_are_not_touched(void **state)
{
    (void)state;
    static const char *const names[] = {"c/h/current.wal",
                                        "c/h/note.txt",
                                        "c/h/0.json",
                                        "c/h/0.bin",
                                        "c/h/1000.bin.tmp",
                                        "c/h/1000.bin.corrupt",
                                        "c/h/x.bin",
                                        "c/h/sub/1000.json",
                                        "file",
                                        "c/file",
                                        WAL_DIRECTORY_NAME "/h/1000.bin"};
    for (int archive = 0; archive < 2; archive++) {
        struct fixture *f = fixture_new(archive);
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            put_file(f, names[i], SLICE_LITERAL("{}"));
        expect_done(f, 0);
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            EXPECT(exists(f->checkpoints, names[i]), "'%s' is gone", names[i]);
        assert_false(exists(f->root, "ar"));
        fixture_free(f);
    }
}

static void test_ms_49_empty_directories_go(void **state)
{
    (void)state;
    for (int archive = 0; archive < 2; archive++) {
        struct fixture *f = fixture_new(archive);
        put_snapshot(f, "c/h/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
        put_snapshot(f, "c/stays/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
        put_file(f, "c/stays/current.wal", SLICE_LITERAL("x"));
        put_snapshot(f, "d/h/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
        char *empty = file_join(f->checkpoints, "e/h");
        assert_int_equal(io_make_dirs(&io_system, empty, 0755, NULL), 0);
        mem_free(empty);
        expect_done(f, 3);
        assert_false(exists(f->checkpoints, "c/h"));
        assert_true(exists(f->checkpoints, "c/stays/current.wal"));
        assert_false(exists(f->checkpoints, "c/stays/1000.bin"));
        assert_false(exists(f->checkpoints, "d"));
        assert_false(exists(f->checkpoints, "e"));
        assert_int_equal(f->result.removed_hosts, 3);
        assert_int_equal(f->removed, 3);
        fixture_free(f);
    }
}

static void test_kept_and_busy_hosts(void **state)
{
    (void)state;
    for (int archive = 0; archive < 2; archive++) {
        struct fixture *f = fixture_new(archive);
        put_snapshot(f, "c/a/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
        put_snapshot(f, "c/b/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
        put_snapshot(f, "c/d/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
        f->kept = "a";
        f->busy = "b";
        expect_done(f, 1);
        assert_true(exists(f->checkpoints, "c/a/1000.bin"));
        assert_true(exists(f->checkpoints, "c/b/1000.bin"));
        assert_false(exists(f->checkpoints, "c/d"));
        fixture_free(f);
    }
}

static void test_damaged_snapshots_stay(void **state)
{
    (void)state;
    for (int archive = 0; archive < 2; archive++) {
        struct fixture *f = fixture_new(archive);
        put_snapshot(f, "c/h/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
        put_file(f, "c/h/1100.bin", SLICE_LITERAL("no snapshot"));
        put_file(f, "c/h/1101.bin", SLICE_LITERAL(""));
        put_file(f, "c/h/1102.json", SLICE_LITERAL("{\"from\":1102,"));
        put_snapshot(f, "c/i/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
        assert_int_equal(run(f), ERR_IO);
        assert_int_equal(f->result.files, 2);
        assert_int_equal(f->result.failed_files, 3);
        assert_int_equal(f->result.failed_clusters, 0);
        assert_true(exists(f->checkpoints, "c/h/1100.bin"));
        assert_true(exists(f->checkpoints, "c/h/1101.bin"));
        assert_true(exists(f->checkpoints, "c/h/1102.json"));
        EXPECT(slice_contains(buf_slice(&f->reports), SLICE_LITERAL("1100.bin'")), "reports: %s",
               buf_cstr(&f->reports));
        EXPECT(slice_contains(slice_from_cstr(f->err.text), SLICE_LITERAL("1100.bin'")), "%s", f->err.text);
        fixture_free(f);
    }
}

static void test_missing_directory(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(false);
    f->options.directory = "/nonexistent/x";
    assert_int_equal(run(f), ERR_NOT_FOUND);
    fixture_free(f);
}

// ---- archive ----------------------------------------------------------------------------------------------

static void put_two_hosts(struct fixture *f)
{
    put_snapshot(f, "c/h1/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
    put_snapshot(f, "c/h1/1200.json", CHECKPOINT_JSON, 1200, 1400, 5);
    put_snapshot(f, "c/h2/1000.bin", CHECKPOINT_BIN, 1000, 1200, 9);
    put_file(f, "c/h2/current.wal", SLICE_LITERAL("x"));
}

static size_t count_sources(struct fixture *f)
{
    return (size_t)exists(f->checkpoints, "c/h1/1000.bin") +
           (size_t)exists(f->checkpoints, "c/h1/1200.json") + (size_t)exists(f->checkpoints, "c/h2/1000.bin");
}

static void read_archive(struct fixture *f, const char *name, struct buf *out)
{
    char *path = file_join(f->archive, name);
    buf_init(out, 1 << 20);
    EXPECT(file_read(path, 1 << 20, out, &f->err) == 0, "%s", f->err.text);
    assert_true(slice_starts_with(buf_slice(out), SLICE_LITERAL("PAR1")));
    assert_true(slice_ends_with(buf_slice(out), SLICE_LITERAL("PAR1")));
    mem_free(path);
}

static void test_archive(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(true);
    put_two_hosts(f);
    expect_done(f, 3);
    assert_int_equal(f->result.rows, 18);
    assert_int_equal(count_sources(f), 0);
    struct buf bytes;
    read_archive(f, "c/2000.parquet", &bytes);
    assert_int_equal(f->result.bytes, bytes.len);
    buf_release(&bytes);
    assert_false(exists(f->archive, "c/2000.parquet.tmp"));
    expect_done(f, 0);
    fixture_free(f);
}

static void test_archive_is_never_overwritten(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(true);
    struct buf first, again;
    put_snapshot(f, "c/h/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
    expect_done(f, 1);
    read_archive(f, "c/2000.parquet", &first);
    for (int i = 0; i < 2; i++) {
        put_snapshot(f, "c/h/1300.bin", CHECKPOINT_BIN, 1300, 1500, i);
        expect_done(f, 1);
    }
    read_archive(f, "c/2000.parquet", &again);
    assert_true(slice_eq(buf_slice(&first), buf_slice(&again)));
    assert_true(exists(f->archive, "c/2000-1.parquet"));
    assert_true(exists(f->archive, "c/2000-2.parquet"));
    buf_release(&first);
    buf_release(&again);
    fixture_free(f);
}

// What holds no value has nothing to archive; it goes all the same, and no empty file comes of it.
static void test_snapshots_without_values(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(true);
    put_snapshot(f, "c/h/1000.bin", CHECKPOINT_BIN, 1000, 1200, (double)NAN);
    expect_done(f, 1);
    assert_int_equal(f->result.rows, 0);
    assert_false(exists(f->root, "ar"));
    fixture_free(f);
}

static void test_leftovers_of_a_crash_go(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(true);
    put_two_hosts(f);
    f->options.directory = f->archive; // put_file puts below checkpoints
    char *saved = mem_strdup(f->checkpoints);
    snprintf(f->checkpoints, sizeof(f->checkpoints), "%s", f->archive);
    put_file(f, "c/1500.parquet.tmp", SLICE_LITERAL("torn"));
    put_file(f, "c/1500-1.parquet.tmp", SLICE_LITERAL("torn"));
    put_file(f, "c/2000.parquet.tmp", SLICE_LITERAL("torn"));
    put_file(f, "c/mine.parquet.tmp", SLICE_LITERAL("not ours"));
    snprintf(f->checkpoints, sizeof(f->checkpoints), "%s", saved);
    mem_free(saved);
    f->options.directory = f->checkpoints;
    expect_done(f, 3);
    assert_false(exists(f->archive, "c/1500.parquet.tmp"));
    assert_false(exists(f->archive, "c/1500-1.parquet.tmp"));
    assert_false(exists(f->archive, "c/2000.parquet.tmp"));
    assert_true(exists(f->archive, "c/mine.parquet.tmp"));
    fixture_free(f);
}

// The engine wrote a snapshot anew between reading and removing: the new one stays.
static void test_changed_snapshots_stay(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(true);
    put_snapshot(f, "c/h/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
    put_snapshot(f, "c/h/1200.bin", CHECKPOINT_BIN, 1200, 1400, 1);
    f->change = "c/h/1200.bin";
    assert_int_equal(run(f), ERR_IO);
    assert_int_equal(f->result.files, 1);
    assert_int_equal(f->result.failed_files, 1);
    assert_true(exists(f->checkpoints, "c/h/1200.bin"));
    EXPECT(slice_contains(slice_from_cstr(f->err.text), SLICE_LITERAL("changed meanwhile")), "%s",
           f->err.text);
    fixture_free(f);
}

// A cluster that fails leaves nothing behind and keeps its files; the others go on.
static void test_clusters_fail_alone(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(true);
    put_snapshot(f, "a/h/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
    put_snapshot(f, "c/h/1000.bin", CHECKPOINT_BIN, 1000, 1200, 1);
    assert_int_equal(mkdir(f->archive, 0755), 0);
    char *blocked = file_join(f->archive, "a");
    assert_int_equal(io_replace_file(&io_system, blocked, SLICE_LITERAL("a file"), 0644, NULL), 0);
    mem_free(blocked);
    assert_int_equal(run(f), ERR_IO);
    assert_int_equal(f->result.failed_clusters, 1);
    assert_int_equal(f->result.files, 1);
    assert_true(exists(f->checkpoints, "a/h/1000.bin"));
    assert_false(exists(f->checkpoints, "c"));
    EXPECT(slice_starts_with(slice_from_cstr(f->err.text), SLICE_LITERAL("cluster 'a' is not archived: ")),
           "%s", f->err.text);
    fixture_free(f);
}

// ---- failing disks ----------------------------------------------------------------------------------------

// What must hold at any moment: no value is lost, and what stands under a final name is complete.
static void expect_nothing_lost(struct fixture *f, struct slice whole, uint64_t call)
{
    bool archived = exists(f->archive, "c/2000.parquet");
    EXPECT(count_sources(f) == 3 || archived, "call %d: sources are gone without an archive", (int)call);
    if (!archived)
        return;
    struct buf bytes;
    read_archive(f, "c/2000.parquet", &bytes);
    EXPECT(slice_eq(buf_slice(&bytes), whole), "call %d: the archive is not complete", (int)call);
    buf_release(&bytes);
}

// Runs with one failing call, then again without; gives the number of calls.
static uint64_t run_with_fault(struct io_fault_plan plan, struct slice whole, bool power_loss)
{
    struct fixture *f = fixture_new(true);
    struct io_fault *fault = io_fault_new(&plan);
    struct io io = io_fault_io(fault);
    put_two_hosts(f);
    f->options.io = &io;
    int rc = run(f);
    uint64_t calls = io_fault_calls(fault);
    if (plan.kind == IO_FAULT_ERRNO && plan.at_call > 0 && plan.at_call <= calls && !plan.sticky)
        assert_false(exists(f->archive, "c/2000.parquet.tmp"));
    if (power_loss)
        io_fault_power_loss(fault, plan.at_call);
    // A source that could not be read is missing in the archive, and stays.
    if (plan.kind != IO_FAULT_ERRNO || f->result.failed_files == 0)
        expect_nothing_lost(f, whole, plan.at_call);
    EXPECT(rc == ERR_IO || f->result.failed_files + f->result.failed_clusters == 0, "call %d: %d",
           (int)plan.at_call, rc);
    if (f->result.failed_files + f->result.failed_clusters)
        assert_true(count_sources(f) > 0);
    f->options.io = NULL;
    expect_done(f, count_sources(f)); // what stayed goes next time
    assert_int_equal(count_sources(f), 0);
    assert_true(exists(f->archive, "c/2000.parquet"));
    assert_false(exists(f->archive, "c/2000.parquet.tmp"));
    io_fault_free(&fault);
    fixture_free(f);
    return calls;
}

static void test_ms_44_failing_disks_lose_nothing(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(true);
    struct buf whole;
    put_two_hosts(f);
    expect_done(f, 3);
    read_archive(f, "c/2000.parquet", &whole);
    fixture_free(f);
    uint64_t calls = run_with_fault((struct io_fault_plan){.kind = IO_FAULT_NONE}, buf_slice(&whole), false);
    EXPECT(calls > 30, "%d calls", (int)calls);
    for (uint64_t n = 1; n <= calls; n++) {
        struct io_fault_plan plans[] = {
            {.kind = IO_FAULT_ERRNO, .at_call = n, .error_number = EIO},
            {.kind = IO_FAULT_ERRNO, .at_call = n, .error_number = ENOSPC, .sticky = true},
            {.kind = IO_FAULT_SHORT_WRITE, .at_call = n},
            {.kind = IO_FAULT_CRASH, .at_call = n},
        };
        for (size_t i = 0; i < ARRAY_LEN(plans); i++)
            run_with_fault(plans[i], buf_slice(&whole), false);
        run_with_fault(plans[3], buf_slice(&whole), true);
    }
    buf_release(&whole);
}

// Files vanish between listing and reading: gone, and no failure.
static void test_vanished_files_are_gone(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 30; n++) {
        struct fixture *f = fixture_new(false);
        struct io_fault *fault = io_fault_new(
            &(struct io_fault_plan){.kind = IO_FAULT_ERRNO, .at_call = n, .error_number = ENOENT});
        struct io io = io_fault_io(fault);
        put_two_hosts(f);
        f->options.io = &io;
        int rc = run(f);
        EXPECT(rc == 0, "call %d: %s", (int)n, f->err.text);
        io_fault_free(&fault);
        fixture_free(f);
    }
}

// ---- several files ----------------------------------------------------------------------------------------

static void add_host(struct archive *archive, const char *name)
{
    static const double values[] = {1, 2};
    struct checkpoint_metric metric = {SLICE_LITERAL("m"), 60, 1000, {.count = 2, .f64 = values}};
    struct checkpoint checkpoint = {.root = {.metrics = &metric, .metric_count = 1}};
    struct archive_rows *rows = archive_rows_new();
    assert_int_equal(archive_rows_add(rows, &checkpoint, NULL), 0);
    archive_rows_sort(rows);
    assert_int_equal(store_archive_add(archive, name, rows, true, NULL), 0);
    archive_rows_free(&rows);
}

// Above the number of row groups hosts share them; above the size, or when hosts in parts need more, another file begins.
static void test_large_archives(void **state)
{
    (void)state;
    static const struct {
        size_t host_count, max_row_groups;
        uint64_t max_file_bytes;
        size_t files;
    } cases[] = {{5, 10, 0, 1}, {5, 2, 0, 1}, {1, 2, 0, 3}, {5, 10, 1, 5}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture *f = fixture_new(true);
        struct archive_options options = {.directory = f->archive,
                                          .cluster = "c",
                                          .cutoff_s = 7,
                                          .io = &io_system,
                                          .host_count = cases[i].host_count,
                                          .max_row_groups = cases[i].max_row_groups,
                                          .max_file_bytes = cases[i].max_file_bytes};
        struct archive *archive = store_archive_new(&options);
        for (int host = 0; host < 5; host++)
            add_host(archive, (const char *[]){"a", "b", "c", "d", "e"}[host]);
        assert_int_equal(store_archive_commit(archive, NULL), 0);
        assert_int_equal(store_archive_row_count(archive), 10);
        store_archive_free(&archive);
        char *path = file_join(f->archive, "c");
        char **names = NULL;
        size_t count = 0;
        assert_int_equal(file_list(path, &names, &count, NULL), 0);
        EXPECT(count == cases[i].files, "case %zu: %zu files", i, count);
        assert_true(exists(f->archive, "c/7.parquet"));
        file_list_free(&names, count);
        mem_free(path);
        fixture_free(f);
    }
}

static void test_without_commit_nothing_remains(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(true);
    struct archive_options options = {
        .directory = f->archive, .cluster = "c", .cutoff_s = 7, .io = &io_system, .max_row_groups = 1};
    struct archive *archive = store_archive_new(&options);
    add_host(archive, "a");
    add_host(archive, "b");
    assert_true(exists(f->archive, "c/7.parquet.tmp"));
    store_archive_free(&archive);
    char *path = file_join(f->archive, "c");
    assert_int_equal(rmdir(path), 0); // empty
    mem_free(path);
    fixture_free(f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ms_39_snapshots_go_by_their_end),
        cmocka_unit_test(test_snapshots_without_end),
        cmocka_unit_test(test_other_files_are_not_touched),
        cmocka_unit_test(test_ms_49_empty_directories_go),
        cmocka_unit_test(test_kept_and_busy_hosts),
        cmocka_unit_test(test_damaged_snapshots_stay),
        cmocka_unit_test(test_missing_directory),
        cmocka_unit_test(test_archive),
        cmocka_unit_test(test_archive_is_never_overwritten),
        cmocka_unit_test(test_snapshots_without_values),
        cmocka_unit_test(test_leftovers_of_a_crash_go),
        cmocka_unit_test(test_changed_snapshots_stay),
        cmocka_unit_test(test_clusters_fail_alone),
        cmocka_unit_test(test_ms_44_failing_disks_lose_nothing),
        cmocka_unit_test(test_vanished_files_are_gone),
        cmocka_unit_test(test_large_archives),
        cmocka_unit_test(test_without_commit_nothing_remains),
    };
    return TEST_MAIN(argc, argv, tests);
}
