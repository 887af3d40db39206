// SPDX-License-Identifier: MIT
#include "store/archive-rows.h"

#include <math.h>

#include "base/testing.h"

#define TEXT(text)                                                                                           \
    {                                                                                                        \
        .ptr = (text), .len = sizeof(text) - 1                                                               \
    }

static void test_scope_from_name(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"socket0", "socket", "0"},
        {"socket12", "socket", "12"},
        {"core0", "core", "0"},
        {"core127", "core", "127"},
        {"cpu0", "hwthread", "0"},
        {"hwthread5", "hwthread", "5"},
        {"accelerator0", "accelerator", "0"},
        {"memoryDomain0", "memoryDomain", "0"},
        {"unknown", "unknown", ""},
        {"socketX", "socketX", ""},
        {"die0", "die0", ""},
        {"acceleratorGPU-1", "acceleratorGPU-1", ""},
        {"socket", "socket", ""},
        {"core1:x", "core", "1:x"},
        {"", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice scope, id;
        archive_scope(slice_from_cstr(cases[i][0]), &scope, &id);
        EXPECT(slice_eq_cstr(scope, cases[i][1]) && slice_eq_cstr(id, cases[i][2]), "'%s' is '%.*s', '%.*s'",
               cases[i][0], SLICE_FMT(scope), SLICE_FMT(id));
    }
}

// Rows as text, one a line.
static void print_rows(struct archive_rows *rows, struct buf *out)
{
    struct archive_batch batch;
    archive_rows_sort(rows);
    while (archive_rows_next(rows, &batch))
        for (size_t i = 0; i < batch.count; i++)
            buf_printf(out, "%.*s %.*s '%.*s' %lld %lld %g\n", SLICE_FMT(batch.metric),
                       SLICE_FMT(batch.scope), SLICE_FMT(batch.scope_ids[i]), (long long)batch.timestamps[i],
                       (long long)batch.frequencies[i], (double)batch.values[i]);
}

static void expect_rows(const struct checkpoint *checkpoints, size_t count, const char *expected)
{
    struct archive_rows *rows = archive_rows_new();
    struct error err = ERROR_INIT;
    struct buf out;
    buf_init(&out, 1 << 20);
    for (int round = 0; round < 2; round++) { // it can be used again
        buf_clear(&out);
        archive_rows_clear(rows);
        for (size_t i = 0; i < count; i++)
            EXPECT(archive_rows_add(rows, &checkpoints[i], &err) == 0, "%s", err.text);
        print_rows(rows, &out);
        assert_string_equal(buf_cstr(&out), expected);
    }
    buf_release(&out);
    archive_rows_free(&rows);
}

static const double loads[] = {0.5, 0.7, NAN}, bandwidths[] = {100, NAN, 200};

static void test_rows_of_a_snapshot(void **state)
{
    (void)state;
    struct checkpoint_metric load = {TEXT("cpu_load"), 60, 1000, {.count = 3, .f64 = loads}};
    struct checkpoint_metric bandwidth = {TEXT("mem_bw"), 60, 1000, {.count = 3, .f64 = bandwidths}};
    struct checkpoint_level socket = {.name = TEXT("socket0"), .metrics = &bandwidth, .metric_count = 1};
    struct checkpoint checkpoint = {
        .from = 1000,
        .to = 1180,
        .root = {.metrics = &load, .metric_count = 1, .children = &socket, .child_count = 1}};
    expect_rows(&checkpoint, 1,
                "cpu_load node '' 1000 60 0.5\n"
                "cpu_load node '' 1060 60 0.7\n"
                "mem_bw socket '0' 1000 60 100\n"
                "mem_bw socket '0' 1120 60 200\n");
}

static void test_ms_44_rows_are_sorted(void **state)
{
    (void)state;
    static const double values[] = {1, 2, 3}, others[] = {10, 20, 30};
    struct checkpoint_metric metrics[2] = {{TEXT("b"), 10, 100, {.count = 3, .f64 = values}},
                                           {TEXT("a"), 10, 100, {.count = 1, .f64 = values}}};
    struct checkpoint_metric core_metrics[2] = {{TEXT("b"), 10, 100, {.count = 3, .f64 = values}},
                                                {TEXT("b"), 15, 95, {.count = 2, .f64 = others}}};
    struct checkpoint_level cores[3] = {
        {.name = TEXT("core2"), .metrics = &core_metrics[0], .metric_count = 1},
        {.name = TEXT("core10"), .metrics = &core_metrics[1], .metric_count = 1},
        {.name = TEXT("accelerator0"), .metrics = &core_metrics[0], .metric_count = 1}};
    struct checkpoint checkpoint = {
        .root = {.metrics = metrics, .metric_count = 2, .children = cores, .child_count = 3}};
    expect_rows(&checkpoint, 1,
                "a node '' 100 10 1\n"
                "b accelerator '0' 100 10 1\n"
                "b accelerator '0' 110 10 2\n"
                "b accelerator '0' 120 10 3\n"
                "b core '10' 95 15 10\n"
                "b core '2' 100 10 1\n"
                "b core '10' 110 15 20\n"
                "b core '2' 110 10 2\n"
                "b core '2' 120 10 3\n"
                "b node '' 100 10 1\n"
                "b node '' 110 10 2\n"
                "b node '' 120 10 3\n");
}

// Where snapshots overlap the later one counts, series by series: those of equal scope and id are not mixed up.
static void test_overlapping_snapshots(void **state)
{
    (void)state;
    static const double old[] = {1, 2, 3}, new[] = {20, NAN, 40}, other[] = {7};
    struct checkpoint_metric metrics[2] = {{TEXT("m"), 10, 100, {.count = 3, .f64 = old}},
                                           {TEXT("m"), 10, 110, {.count = 3, .f64 = new}}};
    struct checkpoint_metric below = {TEXT("m"), 10, 100, {.count = 1, .f64 = other}};
    struct checkpoint_level deep = {.name = TEXT("core0"), .metrics = &below, .metric_count = 1};
    struct checkpoint_level levels[3] = {{.name = TEXT("core0"), .metrics = &metrics[0], .metric_count = 1},
                                         {.name = TEXT("socket0"), .children = &deep, .child_count = 1},
                                         {.name = TEXT("core0"), .metrics = &metrics[1], .metric_count = 1}};
    struct checkpoint checkpoints[2] = {{.root = {.children = &levels[0], .child_count = 2}},
                                        {.root = {.children = &levels[2], .child_count = 1}}};
    expect_rows(checkpoints, 2,
                "m core '0' 100 10 1\n"
                "m core '0' 100 10 7\n"
                "m core '0' 110 10 20\n"
                "m core '0' 120 10 3\n"
                "m core '0' 130 10 40\n");
}

static void test_large_groups_come_in_batches(void **state)
{
    (void)state;
    enum { COUNT = 2 * ARCHIVE_BATCH_ROWS + 5 };
    static double values[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        values[i] = (double)i;
    struct checkpoint_metric metric = {TEXT("m"), 1, 50, {.count = COUNT, .f64 = values}};
    struct checkpoint checkpoint = {.root = {.metrics = &metric, .metric_count = 1}};
    struct archive_rows *rows = archive_rows_new();
    struct archive_batch batch;
    assert_int_equal(archive_rows_add(rows, &checkpoint, NULL), 0);
    archive_rows_sort(rows);
    size_t count = 0;
    for (; archive_rows_next(rows, &batch); count += batch.count)
        EXPECT(batch.timestamps[0] == 50 + (int64_t)count && batch.count <= ARCHIVE_BATCH_ROWS,
               "batch at %zu", count);
    assert_int_equal(count, COUNT);
    archive_rows_free(&rows);
}

static void test_damage_adds_nothing(void **state)
{
    (void)state;
    static const double values[] = {1, 2};
    static const struct {
        struct checkpoint_metric metric;
        int rc;
    } cases[] = {
        {{TEXT("m"), 1, INT64_MAX - 1, {.count = 2, .f64 = values}}, 0},
        {{TEXT("m"), 1, INT64_MAX, {.count = 2, .f64 = values}}, ERR_CORRUPT},
        {{TEXT("m"), INT64_MAX, 1, {.count = 2, .f64 = values}}, ERR_CORRUPT},
        {{TEXT("m"), INT64_MAX, 1, {.count = 0, .f64 = values}}, 0},
        {{TEXT("m\xff"), 1, 1, {.count = 2, .f64 = values}}, ERR_CORRUPT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct checkpoint_metric metrics[2] = {{TEXT("good"), 1, 1, {.count = 1, .f64 = values}},
                                               cases[i].metric};
        struct checkpoint checkpoint = {.root = {.metrics = metrics, .metric_count = 2}};
        struct archive_rows *rows = archive_rows_new();
        struct archive_batch batch;
        EXPECT(archive_rows_add(rows, &checkpoint, NULL) == cases[i].rc, "case %zu", i);
        archive_rows_sort(rows);
        EXPECT(archive_rows_next(rows, &batch) == (cases[i].rc == 0), "case %zu: rows", i);
        archive_rows_free(&rows);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scope_from_name),
        cmocka_unit_test(test_rows_of_a_snapshot),
        cmocka_unit_test(test_ms_44_rows_are_sorted),
        cmocka_unit_test(test_overlapping_snapshots),
        cmocka_unit_test(test_large_groups_come_in_batches),
        cmocka_unit_test(test_damage_adds_nothing),
    };
    return TEST_MAIN(argc, argv, tests);
}
