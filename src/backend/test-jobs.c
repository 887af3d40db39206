// SPDX-License-Identifier: MIT
#include "backend/jobs.h"

#include <math.h>
#include <pthread.h>

#include "backend/testing.h"
#include "base/clock.h"

static int start_simple(struct test_site *s, int64_t job_id, int64_t ago_s, int64_t *ret_id,
                        struct error *err)
{
    struct job_resource resource;
    struct job job = test_job(job_id, ago_s, &resource);
    int rc = jobs_start(&s->jobs, &job, err);
    if (ret_id)
        *ret_id = job.id;
    return rc;
}

static int stop_simple(struct test_site *s, int64_t job_id, int64_t stop_time, const char *state,
                       struct job *ret, struct error *err)
{
    struct job_stop stop = {.key = {.job_id = job_id, .cluster = SLICE_EMPTY},
                            .state = slice_from_cstr(state),
                            .stop_time = stop_time};
    return jobs_stop(&s->jobs, &stop, s->arena, ret, err);
}

static void expect_error(const char *what, int rc, int wanted, const struct error *err, const char *text)
{
    EXPECT(rc == wanted && strcmp(err->text, text) == 0, "%s: got %d '%s', expected %d '%s'", what, rc,
           err->text, wanted, text);
}

static void test_start_checks(void **state)
{
    static const struct {
        const char *what, *text, *cluster, *sub, *user, *shared;
        int64_t nodes, acc, status, smt;
        size_t resources;
    } cases[] = {
        {"cluster", "no such cluster: x", "x", NULL, NULL, NULL, 1, 0, 1, 0, 1},
        {"sub-cluster", "ARCHIVE/CLUSTERCONFIG > already assigned subcluster q unkown (cluster: c)", NULL,
         "q", NULL, NULL, 1, 0, 1, 0, 1},
        {"no host", "ARCHIVE/CLUSTERCONFIG > job without any resources/hosts", NULL, NULL, NULL, NULL, 1, 0,
         1, 0, 0},
        {"no host, sub-cluster given", "'resources' and 'user' should not be empty", NULL, "s", NULL, NULL, 1,
         0, 1, 0, 0},
        {"user", "'resources' and 'user' should not be empty", NULL, NULL, "", NULL, 1, 0, 1, 0, 1},
        {"nodes", "'numNodes', 'numAcc' or 'numHWThreads' invalid", NULL, NULL, NULL, NULL, 0, 0, 1, 0, 1},
        {"accelerators", "'numNodes', 'numAcc' or 'numHWThreads' invalid", NULL, NULL, NULL, NULL, 1, -1, 1,
         0, 1},
        {"count", "len(resources) does not equal numNodes (1 vs 2)", NULL, NULL, NULL, NULL, 2, 0, 1, 0, 1},
        {"shared", "'shared' must be one of none, single_user, multi_user, not 'all'", NULL, NULL, NULL,
         "all", 1, 0, 1, 0, 1},
        {"status", "invalid monitoringStatus: 7", NULL, NULL, NULL, NULL, 1, 0, 7, 0, 1},
        {"smt", "'smt' must not be negative: -1", NULL, NULL, NULL, NULL, 1, 0, 1, -1, 1},
    };
    struct test_site s;
    (void)state;
    test_site_open(&s);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct job_resource resource;
        struct error err = ERROR_INIT;
        struct job job = test_job(1, 0, &resource);
        job.cluster = cases[i].cluster ? slice_from_cstr(cases[i].cluster) : job.cluster;
        job.subcluster = cases[i].sub ? slice_from_cstr(cases[i].sub) : job.subcluster;
        job.user = cases[i].user ? slice_from_cstr(cases[i].user) : job.user;
        job.shared = cases[i].shared ? slice_from_cstr(cases[i].shared) : job.shared;
        job.num_nodes = cases[i].nodes;
        job.num_acc = cases[i].acc;
        job.monitoring_status = cases[i].status;
        job.smt = cases[i].smt;
        job.resource_count = cases[i].resources;
        expect_error(cases[i].what, jobs_start(&s.jobs, &job, &err), ERR_INVALID, &err, cases[i].text);
    }
    assert_int_equal(0, test_query(&s, "SELECT count(*) FROM job"));
    test_site_close(&s);
}

// The same job again: 422 whatever the time between, as long as the window of a day is not over. smt above 1 is fine.
static void test_backend_4_4_1_duplicates(void **state)
{
    static const char text[] =
        "a job with that jobId, cluster and startTime already exists: dbid: 1, jobid: 7";
    struct test_site s;
    struct error err = ERROR_INIT;
    (void)state;
    test_site_open(&s);
    MUST(start_simple(&s, 7, 90000, NULL, &err), err);
    expect_error("again", start_simple(&s, 7, 90000, NULL, &err), ERR_EXISTS, &err, text);
    expect_error("one second later", start_simple(&s, 7, 89999, NULL, &err), ERR_EXISTS, &err, text);
    expect_error("earlier", start_simple(&s, 7, 900000, NULL, &err), ERR_EXISTS, &err, text);
    MUST(start_simple(&s, 7, 90000 - 86400, NULL, &err), err);
    struct job_resource resource;
    struct job smt = test_job(8, 0, &resource);
    smt.smt = 4;
    MUST(jobs_start(&s.jobs, &smt, &err), err);
    assert_int_equal(3, test_query(&s, "SELECT count(*) FROM job"));
    test_site_close(&s);
}

// Spec 2.6: what upstream loses is stored and comes back.
static void test_backend_2_6_submit_time_and_memory(void **state)
{
    struct test_site s;
    struct job_resource resource;
    struct job read, job = test_job(7, 0, &resource);
    struct error err = ERROR_INIT;
    (void)state;
    test_site_open(&s);
    job.submit_time = 5;
    job.requested_memory_mb = 64;
    MUST(jobs_start(&s.jobs, &job, &err), err);
    MUST(jobs_get(&s.jobs, job.id, s.arena, &read, &err), err);
    assert_int_equal(5, read.submit_time);
    assert_int_equal(64, read.requested_memory_mb);
    test_site_close(&s);
}

// Spec 2.6: the number of a deleted job is not given to the next one, as addresses and caches would then show another.
static void test_backend_2_6_ids_are_not_used_again(void **state)
{
    struct test_site s;
    int64_t first, second;
    struct error err = ERROR_INIT;
    (void)state;
    test_site_open(&s);
    MUST(start_simple(&s, 1, 0, &first, &err), err);
    test_exec(&s, "DELETE FROM job");
    MUST(start_simple(&s, 1, 0, &second, &err), err);
    assert_true(second > first);
    test_site_close(&s);
}

static void test_stop_checks(void **state)
{
    struct test_site s;
    struct job job;
    struct error err = ERROR_INIT;
    (void)state;
    test_site_open(&s);
    expect_error("never started", stop_simple(&s, 1, TEST_NOW, "", &job, &err), ERR_NOT_FOUND, &err,
                 "finding job failed: sql: no rows in result set");
    MUST(start_simple(&s, 1, 100, NULL, &err), err);
    expect_error("too early", stop_simple(&s, 1, 0, "", &job, &err), ERR_INVALID, &err,
                 "jobId 1 (id 1) on c : stopTime 0 must be larger/equal than startTime 1760099900");
    expect_error("unknown state", stop_simple(&s, 1, TEST_NOW, "stopped", &job, &err), ERR_INVALID, &err,
                 "jobId 1 (id 1) on c : invalid requested job state: \"stopped\"");
    MUST(stop_simple(&s, 1, TEST_NOW, "failed", &job, &err), err);
    assert_int_equal(100, job.duration_s);
    expect_error("twice", stop_simple(&s, 1, TEST_NOW, "", &job, &err), ERR_EXISTS, &err,
                 "jobId 1 (id 1) on c : job has already been stopped (state is: failed)");
    test_site_close(&s);
}

// Spec 4.4.2: 'running' as final state leaves the job untouched.
static void test_backend_4_4_2_stop_as_running(void **state)
{
    struct test_site s;
    struct job job;
    struct error err = ERROR_INIT;
    (void)state;
    test_site_open(&s);
    MUST(start_simple(&s, 1, 100, NULL, &err), err);
    expect_error("running", stop_simple(&s, 1, TEST_NOW, "running", &job, &err), ERR_INVALID, &err,
                 "jobId 1 (id 1) on c : invalid requested job state: \"running\"");
    assert_int_equal(
        1, test_query(&s, "SELECT count(*) FROM job WHERE job_state = 'running' AND monitoring_status = 1"));
    test_site_close(&s);
}

// Spec 4.4.2: without start time a running row wins against a newer finished one.
static void test_backend_4_4_2_stop_prefers_running(void **state)
{
    struct test_site s;
    struct job job;
    struct error err = ERROR_INIT;
    (void)state;
    test_site_open(&s);
    MUST(start_simple(&s, 1, 200000, NULL, &err), err);
    MUST(start_simple(&s, 1, 100, NULL, &err), err);
    struct job_stop second = {
        .key = {.job_id = 1, .cluster = SLICE_EMPTY, .has_start_time = true, .start_time = TEST_NOW - 100},
        .state = SLICE_EMPTY,
        .stop_time = TEST_NOW};
    MUST(jobs_stop(&s.jobs, &second, s.arena, &job, &err), err);
    assert_int_equal(2, job.id);
    MUST(stop_simple(&s, 1, TEST_NOW, "", &job, &err), err);
    assert_int_equal(1, job.id);
    test_site_close(&s);
}

// ---- the archiver -----------------------------------------------------------------------------------------------
static void wait_for(struct test_site *s, const char *sql)
{
    for (int i = 0; i < 2000; i++) {
        if (test_query(s, sql))
            return;
        clock_sleep_ns(5 * NS_PER_MS);
    }
    fail_msg("never became true: %s", sql);
}

static const char samples[] = "load,hostname=n1 value=2 1760099400\nload,hostname=n1 value=4 1760099460\n"
                              "power,hostname=n1 value=6000 1760099400\n"
                              "flops,hostname=n1,type=hwthread,type-id=0 value=1 1760099400\n"
                              "flops,hostname=n1,type=hwthread,type-id=1 value=2 1760099400\n";

static void run_to_archive(struct test_site *s, struct job *job)
{
    struct error err = ERROR_INIT;
    test_ingest(s, samples);
    MUST(start_simple(s, 1, 600, NULL, &err), err);
    MUST(stop_simple(s, 1, TEST_NOW - 300, "", job, &err), err);
    wait_for(s, "SELECT monitoring_status = 3 FROM job");
    MUST(jobs_get(&s->jobs, job->id, s->arena, job, &err), err);
}

// Statistics, footprint and energy in the row and in meta.json; the series in data.json.
static void test_archive(void **state)
{
    struct test_site s;
    struct job job, meta;
    struct job_data data;
    struct error err = ERROR_INIT;
    (void)state;
    test_site_open(&s);
    run_to_archive(&s, &job);
    assert_true(job.footprint_count == 1 && job.footprint[0].value == 4);
    assert_true(job.energy_kwh == 0.5);
    MUST(archive_read_meta(s.archive, &job, s.arena, &meta, &err), err);
    assert_int_equal(3, meta.statistic_count);
    assert_true(meta.energy_kwh == 0.5 && meta.has_footprint); // spec 6.4: before writing
    MUST(archive_read_data(s.archive, &job, s.arena, &data, &err), err);
    const struct job_metric *flops = job_data_find(&data, SLICE_LITERAL("flops"), SCOPE_CORE);
    assert_non_null(flops);
    assert_int_equal(2, flops->series_count);
    assert_string_equal("1", arena_strdup(s.arena, flops->series[1].id));
    assert_true(job_data_find(&data, SLICE_LITERAL("flops"), SCOPE_NODE)->series[0].data[0] == 3);
    assert_null(job_data_find(&data, SLICE_LITERAL("flops"), SCOPE_HWTHREAD));
    test_site_close(&s);
}

// Spec 6.4: rows that wait when the program starts are archived then.
static void test_backend_6_4_queue_survives_restart(void **state)
{
    struct test_site s;
    struct job job;
    struct error err = ERROR_INIT;
    (void)state;
    test_site_open(&s);
    MUST(start_simple(&s, 1, 600, NULL, &err), err);
    archiver_free(&s.archiver, 0);
    test_exec(&s, "UPDATE job SET job_state = 'completed', duration = 10");
    test_site_open_archiver(&s);
    wait_for(&s, "SELECT monitoring_status = 3 FROM job");
    MUST(jobs_get(&s.jobs, 1, s.arena, &job, &err), err);
    test_site_close(&s);
}

// A folder that cannot be written is tried again; when it can, the job gets in.
static void test_backend_6_4_retry(void **state)
{
    struct test_site s;
    struct job job;
    struct error err = ERROR_INIT;
    struct archiver_stats stats = {0};
    (void)state;
    test_site_open(&s);
    char *blocker = file_join(s.archive_path, "c");
    MUST(io_replace_file(&io_system, blocker, SLICE_LITERAL("no folder"), 0666, &err), err);
    MUST(start_simple(&s, 1, 600, NULL, &err), err);
    MUST(stop_simple(&s, 1, TEST_NOW - 300, "", &job, &err), err);
    for (int i = 0; i < 2000 && stats.retries == 0; i++) {
        clock_sleep_ns(NS_PER_MS);
        archiver_stats(s.archiver, &stats);
    }
    assert_true(stats.retries > 0);
    assert_int_equal(1, test_query(&s, "SELECT monitoring_status FROM job"));
    MUST(file_remove_tree(blocker, &err), err);
    wait_for(&s, "SELECT monitoring_status = 3 FROM job");
    mem_free(blocker);
    test_site_close(&s);
}

// A negative job id is accepted as upstream does, but has no place in the archive.
static void test_no_place_in_archive(void **state)
{
    struct test_site s;
    struct job job;
    struct error err = ERROR_INIT;
    (void)state;
    test_site_open(&s);
    MUST(start_simple(&s, -5, 600, NULL, &err), err);
    MUST(stop_simple(&s, -5, TEST_NOW - 300, "", &job, &err), err);
    wait_for(&s, "SELECT monitoring_status = 2 FROM job");
    test_site_close(&s);
}

// ---- reading ------------------------------------------------------------------------------------------------------
static void test_load_data_live_and_archived(void **state)
{
    struct test_site s;
    struct job job;
    struct job_data data;
    struct error err = ERROR_INIT;
    enum scope node = SCOPE_NODE, socket = SCOPE_SOCKET;
    struct slice flops = SLICE_LITERAL("flops");
    struct jobs_data_request request = {
        .metrics = &flops, .metric_count = 1, .scopes = &node, .scope_count = 1};
    (void)state;
    test_site_open(&s);
    test_ingest(&s, samples);
    MUST(start_simple(&s, 1, 600, NULL, &err), err);
    MUST(jobs_get(&s.jobs, 1, s.arena, &job, &err), err);
    assert_int_equal(600, job.duration_s);
    MUST(jobs_load_data(&s.jobs, &job, &request, s.arena, &data, &err), err);
    assert_true(data.count == 1 && data.metrics[0].series[0].avg == 3);
    MUST(stop_simple(&s, 1, TEST_NOW - 300, "", &job, &err), err);
    wait_for(&s, "SELECT monitoring_status = 3 FROM job");
    MUST(jobs_get(&s.jobs, 1, s.arena, &job, &err), err);
    MUST(jobs_load_data(&s.jobs, &job, &request, s.arena, &data, &err), err);
    assert_true(data.count == 1 && data.metrics[0].scope == SCOPE_NODE && data.metrics[0].series[0].avg == 3);
    request.scopes = &socket; // not in the archive: then all that are (10.6)
    MUST(jobs_load_data(&s.jobs, &job, &request, s.arena, &data, &err), err);
    assert_int_equal(2, data.count);
    test_site_close(&s);
}

// The engine is asked with padding: a job is drawn from its start, whenever its first sample came.
static void test_ms_53_drawn_from_the_start(void **state)
{
    struct test_site s;
    struct job job;
    struct job_data data;
    struct error err = ERROR_INIT;
    enum scope node = SCOPE_NODE;
    struct slice load = SLICE_LITERAL("load");
    struct jobs_data_request request = {
        .metrics = &load, .metric_count = 1, .scopes = &node, .scope_count = 1};
    (void)state;
    test_site_open(&s);
    test_ingest(&s, "load,hostname=n1 value=2 1760099580\nload,hostname=n1 value=4 1760099640\n");
    MUST(start_simple(&s, 1, 600, NULL, &err), err);
    MUST(jobs_get(&s.jobs, 1, s.arena, &job, &err), err);
    MUST(jobs_load_data(&s.jobs, &job, &request, s.arena, &data, &err), err);
    assert_int_equal(1, data.count);
    const struct job_series *series = &data.metrics[0].series[0];
    assert_true(series->count > 4);
    for (int i = 0; i < 3; i++)
        assert_true(isnan(series->data[i]));
    assert_true(series->data[3] == 2 && series->data[4] == 4 && series->avg == 3);
    test_site_close(&s);
}

// Spec 4.5.1: a damaged meta.json costs its own statistics only; damaged data is an error that names the job.
static void test_backend_4_5_1_damaged_archive(void **state)
{
    struct test_site s;
    struct job job;
    struct job_data data;
    struct error err = ERROR_INIT;
    struct jobs_data_request request = {0};
    (void)state;
    test_site_open(&s);
    run_to_archive(&s, &job);
    char *folder = file_join(s.archive_path, "c/0/001/1760099400");
    char *meta = file_join(folder, "meta.json"), *text = file_join(folder, "data.json");
    MUST(io_replace_file(&io_system, meta, SLICE_LITERAL("{\"cluster\":"), 0666, &err), err);
    MUST(io_replace_file(&io_system, text, SLICE_LITERAL("{\"load\":{\"node\":[]}}"), 0666, &err), err);
    jobs_add_statistics(&s.jobs, s.arena, &job);
    assert_false(job.has_statistics);
    assert_int_equal(ERR_CORRUPT, jobs_load_data(&s.jobs, &job, &request, s.arena, &data, &err));
    assert_non_null(strstr(err.text, "metric data of job 1 (start 1760099400): line 1"));
    mem_free(folder);
    mem_free(meta);
    mem_free(text);
    test_site_close(&s);
}

// ---- many at once, full disk, locked database ---------------------------------------------------------------------
struct crowd {
    struct test_site *s;
    int64_t first;
    int failures;
};

static void *start_and_stop_many(void *arg)
{
    struct crowd *c = arg;
    for (int64_t i = 0; i < 50; i++) {
        struct error err = ERROR_INIT;
        struct arena *arena = arena_new(1 << 20);
        struct job job;
        struct job_stop stop = {.key = {.job_id = c->first + i, .cluster = SLICE_EMPTY},
                                .state = SLICE_EMPTY,
                                .stop_time = TEST_NOW};
        c->failures += start_simple(c->s, c->first + i, 10, NULL, &err) != 0;
        c->failures += jobs_stop(&c->s->jobs, &stop, arena, &job, &err) != 0 || job.job_id != c->first + i;
        arena_free(&arena);
    }
    return NULL;
}

// Spec 6.3: no stop hits another job, whatever runs beside it.
static void test_backend_6_3_concurrent_starts_and_stops(void **state)
{
    struct test_site s;
    pthread_t threads[4];
    struct crowd crowds[4];
    (void)state;
    test_site_open(&s);
    for (int i = 0; i < 4; i++) {
        crowds[i] = (struct crowd){.s = &s, .first = 1000 * (i + 1)};
        pthread_create(&threads[i], NULL, start_and_stop_many, &crowds[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(0, crowds[i].failures);
    }
    assert_int_equal(
        200, test_query(&s, "SELECT count(*) FROM job WHERE job_state = 'completed' AND duration = 10"));
    test_site_close(&s);
}

static void test_full_disk(void **state)
{
    struct test_site s;
    struct job_resource resource;
    struct job job = test_job(2, 0, &resource);
    struct error err = ERROR_INIT;
    struct job_text big = {.key = SLICE_LITERAL("jobScript")};
    (void)state;
    test_site_open(&s);
    char *script = mem_alloc((size_t)8 << 20);
    memset(script, 'x', (size_t)8 << 20);
    big.value = slice_of(script, (size_t)8 << 20);
    job.meta_data = &big;
    job.meta_data_count = 1;
    job.has_meta_data = true;
    test_exec(&s, "PRAGMA max_page_count = 400");
    MUST(start_simple(&s, 1, 0, NULL, &err), err);
    int rc = jobs_start(&s.jobs, &job, &err);
    EXPECT(rc == ERR_NO_SPACE && strstr(err.text, "insert into database failed: "), "got %d '%s'", rc,
           err.text);
    MUST(start_simple(&s, 3, 0, NULL, &err), err); // what still fits is taken
    assert_int_equal(2, test_query(&s, "SELECT count(*) FROM job"));
    mem_free(script);
    test_site_close(&s);
}

static void test_locked_database(void **state)
{
    struct test_site s;
    struct sql_pool *other = NULL;
    struct error err = ERROR_INIT;
    (void)state;
    test_site_open(&s);
    struct sql_options options = {.path = s.db_path};
    MUST(sql_pool_open(&options, &other, &err), err);
    struct sql_conn *conn = sql_take_writer(other);
    MUST(sql_begin(conn, &err), err);
    int rc = start_simple(&s, 1, 0, NULL, &err);
    EXPECT(rc == ERR_BUSY && strstr(err.text, "insert into database failed: "), "got %d '%s'", rc, err.text);
    sql_rollback(conn);
    sql_give_back(&conn);
    MUST(start_simple(&s, 1, 0, NULL, &err), err);
    sql_pool_close(&other);
    test_site_close(&s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_start_checks),
                                       cmocka_unit_test(test_backend_4_4_1_duplicates),
                                       cmocka_unit_test(test_backend_2_6_submit_time_and_memory),
                                       cmocka_unit_test(test_backend_2_6_ids_are_not_used_again),
                                       cmocka_unit_test(test_stop_checks),
                                       cmocka_unit_test(test_backend_4_4_2_stop_as_running),
                                       cmocka_unit_test(test_backend_4_4_2_stop_prefers_running),
                                       cmocka_unit_test(test_archive),
                                       cmocka_unit_test(test_backend_6_4_queue_survives_restart),
                                       cmocka_unit_test(test_backend_6_4_retry),
                                       cmocka_unit_test(test_no_place_in_archive),
                                       cmocka_unit_test(test_load_data_live_and_archived),
                                       cmocka_unit_test(test_ms_53_drawn_from_the_start),
                                       cmocka_unit_test(test_backend_4_5_1_damaged_archive),
                                       cmocka_unit_test(test_backend_6_3_concurrent_starts_and_stops),
                                       cmocka_unit_test(test_full_disk),
                                       cmocka_unit_test(test_locked_database)};
    return TEST_MAIN(argc, argv, tests);
}
