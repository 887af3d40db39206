// SPDX-License-Identifier: MIT
#include "backend/workers.h"

#include <sys/stat.h>
#include <time.h>

#include "backend/testing.h"
#include "base/clock.h"

static void start_job(struct test_site *s, int64_t job_id, int64_t ago_s, const char *host)
{
    struct job_resource resource;
    struct error err = ERROR_INIT;
    struct job job = test_job(job_id, ago_s, &resource);
    resource.hostname = slice_from_cstr(host);
    MUST(jobs_start(&s->jobs, &job, &err), err);
}

static void put(struct test_site *s, const char *host, int64_t ago_s)
{
    char line[128];
    snprintf(line, sizeof(line), "load,hostname=%s,type=node value=1 %" PRId64 "\n", host, TEST_NOW - ago_s);
    test_ingest(s, line);
}

static bool has_data(struct test_site *s, const char *host)
{
    int64_t ts = 0;
    return store_last_sample(s->store, SLICE_LITERAL("c"), slice_from_cstr(host), &ts);
}

static void test_durations(void **state)
{
    struct test_site s;
    struct error err = ERROR_INIT;
    (void)state;
    test_site_open(&s);
    start_job(&s, 1, 700, "n1");
    start_job(&s, 2, 50, "n2");
    test_exec(&s, "UPDATE job SET job_state = 'failed', duration = 7 WHERE job_id = 2");
    MUST(workers_update_durations(&s.jobs, &err), err);
    assert_int_equal(test_query(&s, "SELECT duration FROM job WHERE job_id = 1"), 700);
    assert_int_equal(test_query(&s, "SELECT duration FROM job WHERE job_id = 2"), 7);
    test_site_close(&s);
}

static void test_footprints(void **state)
{
    struct test_site s;
    struct error err = ERROR_INIT;
    int64_t updated = 0;
    (void)state;
    test_site_open(&s);
    start_job(&s, 1, 3600, "n1");
    start_job(&s, 2, 300, "n2"); // too short to say anything
    put(&s, "n1", 1200);
    put(&s, "n2", 120);
    MUST(workers_update_footprints(&s.jobs, &updated, &err), err);
    assert_int_equal(updated, 1);
    assert_int_equal(test_query(&s, "SELECT json_extract(footprint, '$.load_max') FROM job WHERE job_id = 1"),
                     1);
    assert_int_equal(test_query(&s, "SELECT footprint LIKE '%load%' FROM job WHERE job_id = 2"), 0);
    test_site_close(&s);
}

// Stopped, but not yet archived.
static void stop_job(struct test_site *s, int64_t job_id)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "UPDATE job SET job_state = 'completed' WHERE job_id = %" PRId64, job_id);
    test_exec(s, sql);
}

static uint64_t retain(struct test_site *s, bool want_known)
{
    struct workers_duty duty = {.jobs = &s->jobs, .retention_s = 3600};
    bool known = !want_known;
    uint64_t freed = workers_retain(&duty, &known);
    assert_int_equal(known, want_known);
    return freed;
}

static void test_retention_spares_running_jobs(void **state)
{
    struct test_site s;
    (void)state;
    test_site_open(&s);
    start_job(&s, 1, 10800, "n1");
    start_job(&s, 2, 10800, "n4");
    put(&s, "n1", 5400);
    put(&s, "n2", 5400);
    put(&s, "n3", 60);
    put(&s, "n4", 5400);
    stop_job(&s, 2);
    assert_int_equal(retain(&s, true), 1);
    EXPECT(has_data(&s, "n4"), "the host of a job that waits for the archiver lost its data");
    EXPECT(has_data(&s, "n1"), "the host of a running job lost its data");
    EXPECT(!has_data(&s, "n2"), "old data of an idle host stayed");
    EXPECT(has_data(&s, "n3"), "fresh data is gone");
    test_site_close(&s);
}

// UPSTREAM DEFECT metric-store.md MS-03: without the list of hosts nothing was freed, for ever.
static void test_ms_03_retention_without_the_list_of_jobs(void **state)
{
    struct test_site s;
    (void)state;
    test_site_open(&s);
    put(&s, "n1", 5400);
    put(&s, "n2", 9000);
    test_exec(&s, "ALTER TABLE job RENAME TO away");
    assert_int_equal(retain(&s, false), 1);
    EXPECT(has_data(&s, "n1"), "data younger than twice the retention is gone");
    EXPECT(!has_data(&s, "n2"), "data older than twice the retention stayed");
    test_site_close(&s);
}

// ---- cleanup ----------------------------------------------------------------------------------------------
// A store with a log whose hosts n1, n2, n3 have snapshots that end an hour and a half ago.
static struct persist *open_persist(struct test_site *s)
{
    struct persist *persist = NULL;
    struct error err = ERROR_INIT;
    char *path = file_join(s->folder, "checkpoints");
    struct persist_options options = {
        .directory = path, .checkpoint_interval_s = 3600, .now_s = TEST_NOW - 5400};
    MUST(persist_open(s->store, &options, &persist, &err), err);
    put(s, "n1", 5460);
    put(s, "n2", 5460);
    put(s, "n3", 5460);
    MUST(persist_snapshot_before(persist, INT64_MAX, TEST_NOW - 5400, &err), err);
    mem_free(path);
    return persist;
}

static bool has_files(struct test_site *s, const char *host)
{
    char path[256];
    struct stat st;
    snprintf(path, sizeof(path), "%s/checkpoints/c/%s", s->folder, host);
    return stat(path, &st) == 0;
}

static void clean_up(struct test_site *s, struct persist *persist, int64_t retention_s, bool want_known,
                     uint64_t want_files)
{
    struct workers_duty duty = {.jobs = &s->jobs, .persist = persist, .retention_s = retention_s};
    struct cleanup_result result = {0};
    struct error err = ERROR_INIT;
    bool known = !want_known;
    MUST(workers_clean_up(&duty, &known, &result, &err), err);
    assert_int_equal(known, want_known);
    assert_int_equal(result.files, want_files);
}

static void test_cleanup_spares_needed_files(void **state)
{
    struct test_site s;
    (void)state;
    test_site_open(&s);
    start_job(&s, 1, 10800, "n1");
    start_job(&s, 2, 10800, "n3");
    stop_job(&s, 2);
    struct persist *persist = open_persist(&s);
    clean_up(&s, persist, 7200, true, 0); // all within the retention
    clean_up(&s, persist, 3600, true, 1);
    EXPECT(has_files(&s, "n1"), "the host of a running job lost its files");
    EXPECT(!has_files(&s, "n2"), "old files of an idle host stayed");
    EXPECT(has_files(&s, "n3"), "the host of a job that waits for the archiver lost its files");
    persist_abandon(&persist);
    test_site_close(&s);
}

// MS-03 for files.
static void test_ms_03_cleanup_without_the_list_of_jobs(void **state)
{
    struct test_site s;
    (void)state;
    test_site_open(&s);
    struct persist *persist = open_persist(&s);
    test_exec(&s, "ALTER TABLE job RENAME TO away");
    clean_up(&s, persist, 3600, false, 0);
    EXPECT(has_files(&s, "n2"), "files younger than twice the retention are gone");
    clean_up(&s, persist, 1800, false, 3);
    EXPECT(!has_files(&s, "n2"), "files older than twice the retention stayed");
    persist_abandon(&persist);
    test_site_close(&s);
}

// ---- the threads ------------------------------------------------------------------------------------------
static void test_threads_end(void **state)
{
    struct test_site s;
    struct config config = {.cron = {.duration_ns = NS_PER_MS, .footprint_ns = NS_PER_MS},
                            .store = {.retention_ns = 3600 * NS_PER_S, .cleanup = {.mode = "delete"}}};
    (void)state;
    test_site_open(&s);
    struct workers *workers = workers_new(&s.jobs, &config, NULL);
    workers_free(&workers);
    assert_null(workers);
    workers_free(&workers); // again does nothing
    test_site_close(&s);
}

// UPSTREAM DEFECT metric-store.md MS-41: the first cleanup comes soon after the start, not one retention later.
static void test_ms_41_first_cleanup(void **state)
{
    struct test_site s;
    struct config config = {.cron = {.duration_ns = 3600 * NS_PER_S, .footprint_ns = 3600 * NS_PER_S},
                            .store = {.retention_ns = NS_PER_S, .cleanup = {.mode = "delete"}}};
    struct workers_stats stats = {0};
    (void)state;
    test_site_open(&s);
    struct persist *persist = open_persist(&s);
    struct workers *workers = workers_new(&s.jobs, &config, persist);
    struct mono_time start = clock_mono();
    while (stats.cleaned_files < 3 && mono_diff_ns(clock_mono(), start) < 30 * NS_PER_S) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        workers_stats(workers, &stats);
    }
    assert_int_equal(stats.cleaned_files, 3);
    EXPECT(stats.cleanup_runs >= 1 && stats.failed_cleanups == 0 && stats.failed_queries == 0, "bad counts");
    workers_free(&workers);
    persist_abandon(&persist);
    test_site_close(&s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_durations),
                                       cmocka_unit_test(test_footprints),
                                       cmocka_unit_test(test_retention_spares_running_jobs),
                                       cmocka_unit_test(test_ms_03_retention_without_the_list_of_jobs),
                                       cmocka_unit_test(test_cleanup_spares_needed_files),
                                       cmocka_unit_test(test_ms_03_cleanup_without_the_list_of_jobs),
                                       cmocka_unit_test(test_ms_41_first_cleanup),
                                       cmocka_unit_test(test_threads_end)};
    return TEST_MAIN(argc, argv, tests);
}
