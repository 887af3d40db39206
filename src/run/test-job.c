// SPDX-License-Identifier: MIT
#include "run/job.h"

#include <signal.h>

#include "base/testing.h"
#include "run/options.h"

static const char *const command[] = {"./my prog", "-n", "3", "it's", "", NULL};
static const int threads[] = {0, 2};

static struct run_job job_of(const char *tags, const char *partition, int64_t walltime_s)
{
    return (struct run_job){.cluster = "local",
                            .host = "n1",
                            .name = "my prog",
                            .project = "p",
                            .partition = partition,
                            .user = "u\"ser",
                            .tags = tags,
                            .job_id = 42,
                            .walltime_s = walltime_s,
                            .start_s = 1700000000,
                            .hwthreads = threads,
                            .hwthread_count = 2,
                            .whole_node = walltime_s == 0,
                            .argv = (char *const *)command};
}

static void test_start_body(void **state)
{
    static const struct {
        const char *tags, *partition;
        int64_t walltime_s;
        const char *body;
    } cases[] = {
#define RESOURCES "\"resources\":[{\"hostname\":\"n1\",\"hwthreads\":[0,2]}],"
#define META      "\"metaData\":{\"jobName\":\"my prog\",\"jobScript\":\"'./my prog' -n 3 'it'\\\\''s' ''\"},"
        {"", "", 0,
         "{\"cluster\":\"local\",\"project\":\"p\",\"user\":\"u\\\"ser\",\"shared\":\"none\",\"jobState\":"
         "\"running\"," RESOURCES META
         "\"jobId\":42,\"numHwthreads\":2,\"numNodes\":1,\"startTime\":1700000000}"},
        {"a:b,c:d:e", "long", 60,
         "{\"cluster\":\"local\",\"partition\":\"long\",\"project\":\"p\",\"user\":\"u\\\"ser\",\"shared\":"
         "\"multi_user\","
         "\"jobState\":\"running\",\"tags\":[{\"type\":\"a\",\"name\":\"b\"},{\"type\":\"c\",\"name\":\"d:"
         "e\"}]," RESOURCES META
         "\"walltime\":60,\"jobId\":42,\"numHwthreads\":2,\"numNodes\":1,\"startTime\":1700000000}"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run_job job = job_of(cases[i].tags, cases[i].partition, cases[i].walltime_s);
        struct buf body;

        buf_init(&body, 10000);
        run_job_start_body(&job, &body);
        EXPECT(strcmp(buf_cstr(&body), cases[i].body) == 0, "case %zu: got '%s', not '%s'", i,
               buf_cstr(&body), cases[i].body);
        buf_release(&body);
    }
}

static void test_stop_is_never_before_the_start(void **state)
{
    static const struct {
        int64_t stop_s;
        const char *body;
    } cases[] = {
#define STOP                                                                                                 \
    "{\"jobId\":42,\"cluster\":\"local\",\"startTime\":1700000000,\"jobState\":\"failed\",\"stopTime\":"
        {1700000007, STOP "1700000007}"},
        {1700000000, STOP "1700000000}"},
        {1699990000, STOP "1700000000}"}, // the clock was set back meanwhile
    };
    struct run_job job = job_of("", "", 0);
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf body;

        buf_init(&body, 10000);
        run_job_stop_body(&job, "failed", cases[i].stop_s, &body);
        EXPECT(strcmp(buf_cstr(&body), cases[i].body) == 0, "got '%s', not '%s'", buf_cstr(&body),
               cases[i].body);
        buf_release(&body);
    }
}

static void test_states_and_exit_codes(void **state)
{
    static const struct {
        struct run_outcome outcome;
        const char *state;
        int code;
    } cases[] = {
        {{.exit_status = 0}, "completed", 0},
        {{.exit_status = 3}, "failed", 3},
        {{.signal = SIGSEGV}, "failed", 128 + SIGSEGV},
        {{.signal = SIGKILL}, "failed", 137},
        {{.signal = SIGTERM}, "cancelled", 143},
        {{.signal = SIGHUP}, "cancelled", 129},
        {{.exit_status = 0, .stop_asked = true}, "cancelled", 0},
        {{.exit_status = 5, .stop_asked = true}, "cancelled", 5},
        {{.signal = SIGTERM, .timed_out = true, .stop_asked = true}, "timeout", 143},
        {{.signal = SIGKILL, .out_of_memory = true}, "out_of_memory", 137},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *name = run_job_state(&cases[i].outcome);

        EXPECT(strcmp(name, cases[i].state) == 0, "case %zu: '%s', not '%s'", i, name, cases[i].state);
        EXPECT(run_job_exit_code(&cases[i].outcome) == cases[i].code, "case %zu: exit code %d", i,
               run_job_exit_code(&cases[i].outcome));
    }
}

static void test_tags(void **state)
{
    static const struct {
        const char *tags;
        bool valid;
    } cases[] = {{"", true},    {"a:b", true}, {"a:b,c:d", true}, {"a:b:c", true}, {"a", false},
                 {"a:", false}, {":b", false}, {"a:b,", false},   {",", false},    {"a:b,,c:d", false}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT(run_job_tags_valid(cases[i].tags) == cases[i].valid, "'%s': not %d", cases[i].tags,
               cases[i].valid);
}

static void test_derived_ids(void **state)
{
    (void)state;
    assert_int_equal(run_job_derive_id(1700000000123), 1700000000123 % (INT64_C(1) << 40));
    assert_true(run_job_derive_id(-5) >= 0);
}

static void test_walltimes(void **state)
{
    static const struct {
        const char *text;
        int rc;
        int64_t s;
    } cases[] = {{"", 0, 0},
                 {"0", 0, 0},
                 {"90", 0, 90},
                 {"1h30m", 0, 5400},
                 {"1.5s", 0, 2},
                 {"500ms", 0, 1},
                 {"-5", ERR_INVALID, 0},
                 {"-5s", ERR_INVALID, 0},
                 {"5 min", ERR_INVALID, 0},
                 {"9223372036854775807", ERR_INVALID, 0}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        int64_t s = 0;
        int rc = run_parse_walltime(cases[i].text, &s, &err);

        EXPECT(rc == cases[i].rc && s == cases[i].s, "'%s': got %d %lld (%s)", cases[i].text, rc,
               (long long)s, err.text);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_body),
        cmocka_unit_test(test_stop_is_never_before_the_start),
        cmocka_unit_test(test_states_and_exit_codes),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_derived_ids),
        cmocka_unit_test(test_walltimes),
    };

    return TEST_MAIN(argc, argv, tests);
}
