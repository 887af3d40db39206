// SPDX-License-Identifier: MIT
#include "backend/workers.h"

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

static void test_retention_spares_running_jobs(void **state)
{
    struct test_site s;
    (void)state;
    test_site_open(&s);
    start_job(&s, 1, 10800, "n1");
    put(&s, "n1", 5400);
    put(&s, "n2", 5400);
    put(&s, "n3", 60);
    assert_int_equal(workers_retain(&s.jobs, 3600), 1);
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
    assert_int_equal(workers_retain(&s.jobs, 3600), 1);
    EXPECT(has_data(&s, "n1"), "data younger than twice the retention is gone");
    EXPECT(!has_data(&s, "n2"), "data older than twice the retention stayed");
    test_site_close(&s);
}

static void test_thread_ends(void **state)
{
    struct test_site s;
    struct config config = {.cron = {.duration_ns = NS_PER_MS, .footprint_ns = NS_PER_MS},
                            .store = {.retention_ns = 3600 * NS_PER_S}};
    (void)state;
    test_site_open(&s);
    struct workers *workers = workers_new(&s.jobs, &config);
    workers_free(&workers);
    assert_null(workers);
    workers_free(&workers); // again does nothing
    test_site_close(&s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_durations), cmocka_unit_test(test_footprints),
                                       cmocka_unit_test(test_retention_spares_running_jobs),
                                       cmocka_unit_test(test_ms_03_retention_without_the_list_of_jobs),
                                       cmocka_unit_test(test_thread_ends)};
    return TEST_MAIN(argc, argv, tests);
}
