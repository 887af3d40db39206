// SPDX-License-Identifier: MIT
#include "codec/openmetrics.h"

#include "base/testing.h"

struct stats {
    uint64_t drops_syntax, drops_name, bytes;
};

static const struct openmetrics_row rows[] = {
    {"cc_drops", OPENMETRICS_COUNTER, "{reason=\"syntax\"}", offsetof(struct stats, drops_syntax), "Lost."},
    {"cc_drops", OPENMETRICS_COUNTER, "{reason=\"name\"}", offsetof(struct stats, drops_name), NULL},
    {"cc_size_bytes", OPENMETRICS_GAUGE, "", offsetof(struct stats, bytes), "Size."},
};

static void expect_text(const struct buf *out, const char *text)
{
    EXPECT(slice_eq_cstr(buf_slice(out), text), "'%.*s', wanted '%s'", SLICE_FMT(buf_slice(out)), text);
}

static void test_rows(void **state)
{
    struct stats stats = {.drops_syntax = 1, .drops_name = UINT64_MAX, .bytes = 3};
    struct buf out;
    (void)state;

    buf_init(&out, BUF_MAX_DEFAULT);
    openmetrics_rows(&out, rows, ARRAY_LEN(rows), &stats);
    expect_text(&out, "# TYPE cc_drops counter\n# HELP cc_drops Lost.\n"
                      "cc_drops_total{reason=\"syntax\"} 1\n"
                      "cc_drops_total{reason=\"name\"} 18446744073709551615\n"
                      "# TYPE cc_size_bytes gauge\n# UNIT cc_size_bytes bytes\n# HELP cc_size_bytes Size.\n"
                      "cc_size_bytes 3\n");
    buf_release(&out);
}

static void test_families(void **state)
{
    struct buf out;
    (void)state;

    buf_init(&out, BUF_MAX_DEFAULT);
    openmetrics_counter(&out, "cc_requests", "Answered.", 7);
    openmetrics_gauge(&out, "cc_hosts", "Known.", 0);
    openmetrics_family(&out, "cc_wait_seconds", OPENMETRICS_HISTOGRAM, "Waits.");
    openmetrics_family(&out, "cc_build", OPENMETRICS_INFO, "Version.");
    openmetrics_family(&out, "cc_sync_seconds", OPENMETRICS_SUMMARY, "Syncs.");
    expect_text(
        &out,
        "# TYPE cc_requests counter\n# HELP cc_requests Answered.\ncc_requests_total 7\n"
        "# TYPE cc_hosts gauge\n# HELP cc_hosts Known.\ncc_hosts 0\n"
        "# TYPE cc_wait_seconds histogram\n# UNIT cc_wait_seconds seconds\n# HELP cc_wait_seconds Waits.\n"
        "# TYPE cc_build info\n# HELP cc_build Version.\n"
        "# TYPE cc_sync_seconds summary\n# UNIT cc_sync_seconds seconds\n# HELP cc_sync_seconds Syncs.\n");
    buf_release(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_families)};

    return TEST_MAIN(argc, argv, tests);
}
