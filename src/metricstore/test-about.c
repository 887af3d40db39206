// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "metricstore/status.h"
#include "store/persist-metrics.h"

static const struct persist_stats sample = {
    .wal = {.segments = 3,
            .bytes = 12500000,
            .records = 1000,
            .written_bytes = 12600000,
            .commits = 90,
            .failed_commits = 1,
            .sync_ns_sum = 450000000,
            .sync_ns_max = 20000000},
    .snapshots = 7,
    .dirty_hosts = 40,
    .oldest_dirty_s = 1763000000,
    .replay_s = 1.5,
};

static void test_families_of_the_log(void **state)
{
    static const char *const parts[] = {
        "# TYPE cc_wal_size_bytes gauge\n# UNIT cc_wal_size_bytes bytes\n# HELP cc_wal_size_bytes Size of "
        "all "
        "segments of the log.\ncc_wal_size_bytes 12500000\n",
        "cc_wal_segments 3\n",
        "# TYPE cc_wal_records counter\n# HELP cc_wal_records Records written to the "
        "log.\ncc_wal_records_total 1000\n",
        "cc_wal_failed_commits_total 1\n",
        "cc_snapshots_total 7\n",
        "cc_snapshot_dirty_hosts 40\n",
        "# TYPE cc_wal_commit_seconds summary\n# UNIT cc_wal_commit_seconds seconds\n",
        "cc_wal_commit_seconds_count 90\ncc_wal_commit_seconds_sum 0.450000000\n",
        "cc_wal_longest_commit_seconds 0.020000000\n",
        "cc_wal_oldest_data_timestamp_seconds 1763000000\n",
        "cc_wal_replay_seconds 1.500000\n",
    };
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    persist_metrics(&sample, &text);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!strstr(buf_cstr(&text), parts[i]))
            fail_msg("missing: %s\nin\n%s", parts[i], buf_cstr(&text));
    buf_release(&text);
}

// Every line is a comment of a family or a sample of the family above it; no family comes twice.
static void test_families_are_whole(void **state)
{
    struct buf text, seen;
    char family[128] = "";

    (void)state;
    buf_init(&text, 1 << 20);
    buf_init(&seen, 1 << 20);
    buf_append_byte(&seen, ' ');
    persist_metrics(&sample, &text);
    struct slice rest = buf_slice(&text);
    assert_true(slice_ends_with(rest, SLICE_LITERAL("\n")));
    rest.len--;
    while (rest.ptr) {
        struct slice line = slice_split(&rest, '\n');

        if (slice_starts_with(line, SLICE_LITERAL("# TYPE "))) {
            struct slice name = slice_skip(line, 7);
            char padded[140];

            name = slice_split(&name, ' ');
            (void)snprintf(family, sizeof(family), "%.*s", SLICE_FMT(name));
            (void)snprintf(padded, sizeof(padded), " %s ", family);
            assert_null(strstr(buf_cstr(&seen), padded));
            buf_append_cstr(&seen, padded + 1);
        } else {
            struct slice name = line.ptr[0] == '#' ? slice_skip(line, 7) : line; // "# UNIT ", "# HELP "
            if (!slice_starts_with(name, slice_from_cstr(family)))
                fail_msg("'%.*s' does not belong to '%s'", SLICE_FMT(line), family);
        }
    }
    buf_release(&seen);
    buf_release(&text);
}

static void test_status(void **state)
{
    static const struct store_stats store = {.hosts = 1000,
                                             .series = 21760,
                                             .bytes_open = 2000000,
                                             .bytes_sealed = 500000000,
                                             .bytes_index = 10000000};
    static const struct persist_stats calm = {.wal = {.bytes = 12000000}}, loading = {.unloaded_hosts = 5};
    static const struct {
        const struct persist_stats *persist;
        const char *text;
    } cases[] = {
        {NULL, "1000 hosts, 21760 series, 512 MB of data"},
        {&calm, "1000 hosts, 21760 series, 512 MB of data; log 12 MB, 0 hosts to snapshot"},
        {&loading,
         "1000 hosts, 21760 series, 512 MB of data; log 0 MB, 0 hosts to snapshot, 5 hosts not read from "
         "disk yet"},
        {&sample,
         "1000 hosts, 21760 series, 512 MB of data; log 12 MB, 40 hosts to snapshot, oldest data 3 min; "
         "FAILED "
         "since the start (see the journal): 1 writes to the log, 0 snapshots, 0 reads; 0 corrupt files"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf text;

        buf_init(&text, 4096);
        status_text(&store, cases[i].persist, 1763000200, &text);
        assert_string_equal(buf_cstr(&text), cases[i].text);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families_of_the_log),
        cmocka_unit_test(test_families_are_whole),
        cmocka_unit_test(test_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
