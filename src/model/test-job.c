// SPDX-License-Identifier: MIT
#include "model/job.h"

#include "base/testing.h"

static int decode(const char *text, bool strict, struct arena *arena, struct job *ret, struct error *err)
{
    struct json_doc *doc = NULL;
    int rc = json_parse(slice_from_cstr(text), &doc, err);
    if (rc == 0)
        rc = job_decode(json_root(doc), strict, arena, ret, err);
    json_doc_free(&doc); // everything must have been copied
    return rc;
}

static void assert_encodes(const struct job *job, const char *wanted)
{
    struct buf out;
    buf_init(&out, 65536);
    job_encode(job, &out);
    assert_string_equal(buf_cstr(&out), wanted);
    buf_release(&out);
}

static void test_minimal(void **state UNUSED)
{
    struct arena *arena = arena_new(1 << 20);
    struct job job;
    struct error err = ERROR_INIT;
    assert_int_equal(0, decode("{\"jobId\":7,\"startTime\":3}", true, arena, &job, &err));
    assert_encodes(
        &job, "{\"cluster\":\"\",\"subCluster\":\"\",\"project\":\"\",\"user\":\"\",\"shared\":\"none\","
              "\"jobState\":\"\",\"resources\":[],\"energyFootprint\":null,\"footprint\":null,"
              "\"metaData\":null,\"concurrentJobs\":{\"items\":null,\"count\":0},\"energy\":0,\"jobId\":7,"
              "\"duration\":0,\"monitoringStatus\":1,\"numNodes\":0,\"statistics\":null,\"startTime\":3}");
    arena_free(&arena);
}

// Every member, maps out of order: the output is in the order of spec backend.md 3.1 with sorted maps.
static void test_full_round_trip(void **state UNUSED)
{
    static const char in[] =
        "{\"startTime\":1675956725,\"submitTime\":5,\"id\":2047,\"numNodes\":1,\"numHwthreads\":72,"
        "\"numAcc\":2,"
        "\"monitoringStatus\":3,\"smt\":1,\"duration\":260,\"jobId\":398955,\"requestedMemory\":64,"
        "\"walltime\":86340,\"arrayJobId\":9,\"energy\":0.5,\"concurrentJobs\":{\"items\":null,\"count\":0},"
        "\"metaData\":{\"z\":\"1\",\"a\":\"<x>\"},\"footprint\":{\"mem_bw_avg\":47.53,\"cpu_load_avg\":71.9},"
        "\"energyFootprint\":{\"p\":1},\"resources\":[{\"hostname\":\"f0720\",\"configuration\":\"c\","
        "\"hwthreads\":[0,1],\"accelerators\":[\"00:01\"]}],\"tags\":[{\"id\":4,\"type\":\"t\",\"name\":"
        "\"n\","
        "\"scope\":\"global\"}],\"jobState\":\"completed\",\"shared\":\"single_user\",\"user\":\"u\","
        "\"project\":\"p\","
        "\"partition\":\"pa\",\"subCluster\":\"main\",\"cluster\":\"fritz\","
        "\"statistics\":{\"b\":{\"unit\":{\"base\":\"B/"
        "s\",\"prefix\":\"G\"},\"avg\":1,\"min\":0.5,\"max\":2},"
        "\"a\":{\"avg\":3,\"min\":3,\"max\":3}}}";
    struct arena *arena = arena_new(1 << 20);
    struct job job;
    struct error err = ERROR_INIT;
    assert_int_equal(0, decode(in, true, arena, &job, &err));
    assert_int_equal(JOB_COMPLETED, job.state);
    assert_encodes(
        &job,
        "{\"cluster\":\"fritz\",\"subCluster\":\"main\",\"partition\":\"pa\",\"project\":\"p\",\"user\":"
        "\"u\","
        "\"shared\":\"single_user\",\"jobState\":\"completed\",\"tags\":[{\"type\":\"t\",\"name\":\"n\","
        "\"scope\":\"global\",\"id\":4}],\"resources\":[{\"hostname\":\"f0720\",\"configuration\":\"c\","
        "\"hwthreads\":[0,1],\"accelerators\":[\"00:01\"]}],\"energyFootprint\":{\"p\":1},"
        "\"footprint\":{\"cpu_load_avg\":71.9,\"mem_bw_avg\":47.53},\"metaData\":{\"a\":\"\\u003cx\\u003e\","
        "\"z\":\"1\"},"
        "\"concurrentJobs\":{\"items\":null,\"count\":0},\"energy\":0.5,\"arrayJobId\":9,\"walltime\":86340,"
        "\"requestedMemory\":64,\"jobId\":398955,\"duration\":260,\"smt\":1,\"monitoringStatus\":3,"
        "\"numAcc\":2,"
        "\"numHwthreads\":72,\"numNodes\":1,\"statistics\":{\"a\":{\"unit\":{\"base\":\"\"},\"avg\":3,"
        "\"min\":3,"
        "\"max\":3},\"b\":{\"unit\":{\"base\":\"B/"
        "s\",\"prefix\":\"G\"},\"avg\":1,\"min\":0.5,\"max\":2}},\"id\":2047,"
        "\"submitTime\":5,\"startTime\":1675956725}");
    arena_free(&arena);
}

static void test_refused(void **state UNUSED)
{
    static const struct {
        const char *in, *text;
    } cases[] = {
        {"[]", "json: cannot unmarshal array into Go value of type schema.Job"},
        {"\"x\"", "json: cannot unmarshal string into Go value of type schema.Job"},
        {"{\"exclusive\":1}", "json: unknown field \"exclusive\""},
        {"{\"jobId\":\"1\"}", "json: cannot unmarshal string into Go struct field Job.jobId of type int64"},
        {"{\"jobId\":1.5}", "json: cannot unmarshal number 1.5 into Go struct field Job.jobId of type int64"},
        {"{\"jobId\":1e3}", "json: cannot unmarshal number 1e3 into Go struct field Job.jobId of type int64"},
        {"{\"numNodes\":3000000000}",
         "json: cannot unmarshal number 3000000000 into Go struct field Job.numNodes of type int32"},
        {"{\"smt\":\"2\"}", "json: cannot unmarshal string into Go struct field Job.smt of type int32"},
        {"{\"metaData\":{\"n\":1}}",
         "json: cannot unmarshal number into Go struct field Job.metaData of type string"},
        {"{\"resources\":[{\"hostname\":\"a\",\"cores\":[1]}]}", "json: unknown field \"cores\""},
        {"{\"resources\":{}}",
         "json: cannot unmarshal object into Go struct field Job.resources of type []*schema.Resource"},
        {"{\"resources\":[{\"hwthreads\":[true]}]}",
         "json: cannot unmarshal bool into Go struct field Job.resources.hwthreads of type int"},
        {"{\"user\":1}", "json: cannot unmarshal number into Go struct field Job.user of type string"},
        {"{\"footprint\":{\"a\":\"b\"}}",
         "json: cannot unmarshal string into Go struct field Job.footprint of type float64"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena = arena_new(1 << 20);
        struct job job;
        struct error err = ERROR_INIT;
        int rc = decode(cases[i].in, true, arena, &job, &err);
        if (rc != ERR_INVALID || strcmp(err.text, cases[i].text) != 0)
            fail_msg("%s: got %d '%s', expected '%s'", cases[i].in, rc, err.text, cases[i].text);
        arena_free(&arena);
    }
}

// Archives of other versions: unknown members, numbers with a point, null everywhere.
static void test_lenient(void **state UNUSED)
{
    static const char in[] =
        "{\"stopTime\":5,\"exclusive\":1,\"jobId\":60.0,\"tags\":[],\"resources\":[null,{}],"
        "\"metaData\":null,\"footprint\":{},\"statistics\":{\"m\":null},\"JOBSTATE\":\"stopped\"}";
    struct arena *arena = arena_new(1 << 20);
    struct job job;
    struct error err = ERROR_INIT;
    assert_int_equal(0, decode(in, false, arena, &job, &err));
    assert_int_equal(60, job.job_id);
    assert_int_equal(2, job.resource_count);
    assert_false(job.has_meta_data);
    assert_true(job.has_footprint);
    assert_int_equal(JOB_STATE_INVALID, job.state);
    assert_string_equal("stopped", arena_strdup(arena, job.state_text));
    arena_free(&arena);
}

static void test_states(void **state UNUSED)
{
    static const char *const names[] = {"boot_fail", "cancelled", "completed",     "deadline",
                                        "failed",    "node_fail", "out_of_memory", "pending",
                                        "preempted", "running",   "suspended",     "timeout"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_string_equal(names[i], job_state_name(job_state_from_name(slice_from_cstr(names[i]))));
    static const char *const unknown[] = {"", "stopped", "canceled", "RUNNING", "out-of-memory"};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        assert_int_equal(JOB_STATE_INVALID, job_state_from_name(slice_from_cstr(unknown[i])));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_minimal), cmocka_unit_test(test_full_round_trip),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_lenient),
                                       cmocka_unit_test(test_states)};
    return TEST_MAIN(argc, argv, tests);
}
