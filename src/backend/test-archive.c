// SPDX-License-Identifier: MIT
#include "backend/archive.h"

#include <errno.h>
#include <stdlib.h>

#include "base/file-fault.h"
#include "base/mem.h"
#include "base/testing.h"

static char *make_folder(char *text)
{
    EXPECT(mkdtemp(text) != NULL, "mkdtemp failed");
    return text;
}

static void put(const char *folder, const char *name, const char *text)
{
    struct error err = ERROR_INIT;
    char *path = file_join(folder, name);
    EXPECT(io_replace_file(&io_system, path, slice_from_cstr(text), 0666, &err) == 0, "%s", err.text);
    mem_free(path);
}

static void clean_up(const char *folder)
{
    ignore_result(file_remove_tree(folder, NULL)); // a temporary folder: nothing depends on it
}

static void test_version(void **state)
{
    static const struct {
        const char *text; // NULL: no file
        const char *other;
        int rc;
    } cases[] = {
        {"3\n", NULL, 0}, {"3", NULL, 0},       {"2\n", NULL, ERR_UNSUPPORTED},  {"x", NULL, ERR_CORRUPT},
        {NULL, NULL, 0},  {NULL, ".hidden", 0}, {NULL, "cluster", ERR_NOT_FOUND}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char folder[] = "/tmp/cc-archive-test-XXXXXX";
        struct archive *archive = NULL;
        struct error err = ERROR_INIT;
        make_folder(folder);
        if (cases[i].text)
            put(folder, "version.txt", cases[i].text);
        if (cases[i].other)
            put(folder, cases[i].other, "");
        int rc = archive_open(folder, &io_system, &archive, &err);
        EXPECT(rc == cases[i].rc, "case %zu: got %d '%s', expected %d", i, rc, err.text, cases[i].rc);
        archive_free(&archive);
        clean_up(folder);
    }
    struct archive *none = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(ERR_INVALID, archive_open("", &io_system, &none, &err));
    assert_int_equal(ERR_NOT_FOUND, archive_open("/nonexistent/archive", &io_system, &none, &err));
}

static void make_data(struct job_data *data, struct arena *arena, size_t values)
{
    job_data_init(data, arena);
    struct job_metric *m = job_data_add(data, SLICE_LITERAL("load_one"), SCOPE_NODE);
    m->unit.base = "load";
    m->timestep_s = 60;
    m->series = ARENA_NEW(arena, struct job_series);
    m->series_count = 1;
    m->series[0] = (struct job_series){.hostname = SLICE_LITERAL("host123"),
                                       .id = SLICE_EMPTY,
                                       .data = ARENA_ARRAY(arena, double, values),
                                       .count = values};
}

struct site {
    char folder[40];
    struct arena *arena;
    struct archive *archive;
    struct job job;
    struct job_data data;
};

static void open_site(struct site *s, const struct io *io, size_t values)
{
    struct error err = ERROR_INIT;
    *s = (struct site){.folder = "/tmp/cc-archive-test-XXXXXX", .arena = arena_new(1 << 24)};
    make_folder(s->folder);
    put(s->folder, "version.txt", "3\n");
    EXPECT(archive_open(s->folder, io, &s->archive, &err) == 0, "%s", err.text);
    s->job = (struct job){
        .cluster = SLICE_LITERAL("c"), .job_id = 1403244, .start_time = 1608923076, .state = JOB_COMPLETED};
    make_data(&s->data, s->arena, values);
}

static void close_site(struct site *s)
{
    archive_free(&s->archive);
    arena_free(&s->arena);
    clean_up(s->folder);
}

static bool exists(const struct site *s, const char *name)
{
    char *path = file_join(s->folder, name);
    bool there = file_exists(path);
    mem_free(path);
    return there;
}

// Spec job-archive.md 2.3: with 369 points 1997 bytes -> plain, with 370 points 2002 bytes -> compressed.
static void test_threshold_and_stale_variant(void **state)
{
    struct site s;
    struct job_data read;
    struct error err = ERROR_INIT;
    (void)state;
    open_site(&s, &io_system, 369);
    EXPECT(archive_write_job(s.archive, &s.job, &s.data, &err) == 0, "%s", err.text);
    assert_true(exists(&s, "c/1403/244/1608923076/meta.json"));
    assert_true(exists(&s, "c/1403/244/1608923076/data.json"));
    make_data(&s.data, s.arena, 1000);
    EXPECT(archive_write_job(s.archive, &s.job, &s.data, &err) == 0, "%s", err.text);
    assert_true(exists(&s, "c/1403/244/1608923076/data.json.gz"));
    assert_false(exists(&s, "c/1403/244/1608923076/data.json")); // the other variant would be stale
    EXPECT(archive_read_data(s.archive, &s.job, s.arena, &read, &err) == 0, "%s", err.text);
    assert_int_equal(1000, read.metrics[0].series[0].count);
    close_site(&s);
}

static void test_paths(void **state)
{
    static const struct {
        const char *cluster;
        int64_t job_id, start;
        const char *path; // NULL: refused
    } cases[] = {{"fritz", 7, 1700000000, "fritz/0/007/1700000000/meta.json"},
                 {"fritz", 1000, 1700000000, "fritz/1/000/1700000000/meta.json"},
                 {"fritz", 398955, -100, "fritz/398/955/-100/meta.json"},
                 {"fritz", -5, 1, NULL},
                 {"..", 1, 1, NULL},
                 {"a/b", 1, 1, NULL},
                 {"", 1, 1, NULL}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct site s;
        struct error err = ERROR_INIT;
        open_site(&s, &io_system, 1);
        s.job.cluster = slice_from_cstr(cases[i].cluster);
        s.job.job_id = cases[i].job_id;
        s.job.start_time = cases[i].start;
        int rc = archive_write_job(s.archive, &s.job, &s.data, &err);
        EXPECT(rc == (cases[i].path ? 0 : ERR_INVALID), "case %zu: got %d '%s'", i, rc, err.text);
        EXPECT(!cases[i].path || exists(&s, cases[i].path), "case %zu: %s is missing", i, cases[i].path);
        close_site(&s);
    }
}

// Whatever call fails, meta.json is there only when the data is, and what is there reads back whole.
static void test_every_failing_call(void **state)
{
    static const enum io_fault_kind kinds[] = {IO_FAULT_ERRNO, IO_FAULT_CRASH};
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        bool done = false;
        for (uint64_t at = 1; !done && at < 200; at++) {
            struct io_fault_plan plan = {
                .kind = kinds[k], .at_call = at, .error_number = ENOSPC, .sticky = k == 1};
            struct io_fault *fault = io_fault_new(&plan);
            struct io io = io_fault_io(fault);
            struct site s;
            struct archive *failing = NULL;
            struct job read;
            struct job_data data;
            struct error err = ERROR_INIT;
            open_site(&s, &io_system, 1000);
            int rc = archive_open(s.folder, &io, &failing, &err);
            if (rc == 0)
                rc = archive_write_job(failing, &s.job, &s.data, &err);
            done = rc == 0 && io_fault_calls(fault) < at;
            if (archive_read_meta(s.archive, &s.job, s.arena, &read, &err) == 0)
                EXPECT(archive_read_data(s.archive, &s.job, s.arena, &data, &err) == 0,
                       "call %d: meta without data: %s", (int)at, err.text);
            else
                EXPECT(rc != 0, "call %d: said to be written, but is not there", (int)at);
            archive_free(&failing);
            io_fault_free(&fault);
            close_site(&s);
        }
        assert_true(done);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version), cmocka_unit_test(test_threshold_and_stale_variant),
        cmocka_unit_test(test_paths), cmocka_unit_test(test_every_failing_call)};
    return TEST_MAIN(argc, argv, tests);
}
