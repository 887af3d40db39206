// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net/http-request-test.h"
#include "store/store-api-private.h"

// The time of these tests; a clock jump is a change of it.
static int64_t test_now_s(void)
{
    return 1700000300;
}
static int64_t past_now_s(void) // the clock was set back by a day
{
    return 1700000300 - 86400;
}
static int64_t far_now_s(void) // and forward by ten years
{
    return 1700000300 + 3650 * INT64_C(86400);
}

static const struct store_metric metrics[] = {
    {.name = "cpu_load", .frequency_s = 60, .aggregation = AGGREGATION_NONE},
    {.name = "flops_any", .frequency_s = 60, .aggregation = AGGREGATION_SUM},
    {.name = "tick", .frequency_s = 1, .aggregation = AGGREGATION_SUM},
};

struct fixture {
    struct store *store;
    struct store_api *api;
    struct http_router *router;
    char last_refusal[256];
};

static void remember_refusal(void *ctx, const char *endpoint, const char *peer, const char *text)
{
    struct fixture *f = ctx;

    (void)snprintf(f->last_refusal, sizeof(f->last_refusal), "%s %s %s", endpoint, peer, text);
}

static bool closed_guard(void *ctx, struct http_request *req, struct http_response *resp)
{
    (void)req;
    if (!*(const bool *)ctx)
        return true;
    http_set_text(resp, 401, "closed");
    return false;
}

static void fixture_init(struct fixture *f, int64_t (*now_s)(void), size_t max_points, bool *closed)
{
    struct store_options options = {.metrics = metrics,
                                    .metric_count = ARRAY_LEN(metrics),
                                    .retention_s = 7 * INT64_C(86400),
                                    .query_max_points = max_points};
    struct store_api_options api_options = {.now_s = now_s,
                                            .mount_query = true,
                                            .mount_healthcheck = true,
                                            .on_refused = remember_refusal,
                                            .on_refused_ctx = f};
    struct error err = ERROR_INIT;

    *f = (struct fixture){0};
    if (store_new(&options, &f->store, &err) < 0)
        fail_msg("store_new: %s", err.text);
    f->api = store_api_new(f->store, &api_options);
    f->router = http_router_new();
    store_api_mount(f->api, f->router, closed ? closed_guard : NULL, closed);
}

static void fixture_release(struct fixture *f)
{
    http_router_free(&f->router);
    store_api_free(&f->api);
    store_free(&f->store);
}

// The whole body, also of a stream; the caller releases it.
static void read_body(struct http_response *resp, struct buf *out, size_t *ret_pieces)
{
    buf_init(out, BUF_MAX_DEFAULT);
    *ret_pieces = 0;
    if (!resp->stream) {
        buf_append(out, resp->body.ptr, resp->body.len);
        return;
    }
    while (resp->stream(resp->stream_ctx, out) == 1)
        ++*ret_pieces;
}

static void check(struct fixture *f, const char *method, const char *target, const char *body, int status,
                  const char *expected)
{
    struct test_exchange x;
    struct buf got;
    size_t pieces;

    test_exchange_init(&x, method, target, body);
    http_router_dispatch(f->router, &x.req, &x.resp);
    read_body(&x.resp, &got, &pieces);
    const char *text = buf_cstr(&got);
    if (x.resp.status != status || (expected && strcmp(text, expected) != 0))
        fail_msg("%s %s %s\n  got      %d %s\n  expected %d %s", method, target, body ? body : "",
                 x.resp.status, text, status, expected ? expected : "(any)");
    buf_release(&got);
    test_exchange_release(&x);
}

#define LINE(value, ts) "cpu_load,cluster=alex,hostname=a0124 value=" value " " ts "\n"

static void test_example_of_the_spec(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, test_now_s, 0, NULL);
    check(&f, "POST", "/api/write", LINE("1.5", "1700000000") LINE("0.25", "1700000120"), 200, "");
    const char *query = "{\"cluster\":\"alex\",\"from\":1700000000,\"to\":1700000180,\"queries\":["
                        "{\"metric\":\"cpu_load\",\"host\":\"a0124\"}]}";
    const char *answer = "{\"results\":[[{\"data\":[1.500,null,0.250],\"from\":1700000000,\"to\":1700000180,"
                         "\"resolution\":60,\"avg\":0.88,\"min\":0.25,\"max\":1.50}]]}\n";
    check(&f, "GET", "/api/query?version=v2", query, 200, answer);
    check(&f, "POST", "/api/query", query, 200, answer); // the documentation promises POST too
    check(&f, "GET", "/api/query/any/thing", query, 200, answer);
    check(&f, "GET", "/api/query/", "", 400, "{\"status\":\"Bad Request\",\"error\":\"EOF\"}\n");
    fixture_release(&f);
}

// The answers that upstream gave to the same bodies (recorded: query-body-forms, health-answers), word for word.
static void test_mismatches_are_named_as_upstream_does(void **state)
{
    static const struct {
        const char *target, *body, *error;
    } cases[] = {
        {"/api/query", "", "EOF"},
        {"/api/query", "{", "unexpected EOF"},
        {"/api/query", "[]", "json: cannot unmarshal array into Go value of type api.APIQueryRequest"},
        {"/api/query", "\"x\"", "json: cannot unmarshal string into Go value of type api.APIQueryRequest"},
        {"/api/query", "1", "json: cannot unmarshal number into Go value of type api.APIQueryRequest"},
        {"/api/query", "{\"cluster\":1}",
         "json: cannot unmarshal number into Go struct field APIQueryRequest.cluster of type string"},
        {"/api/query", "{\"from\":\"1\"}",
         "json: cannot unmarshal string into Go struct field APIQueryRequest.from of type int64"},
        {"/api/query", "{\"from\":1.5}",
         "json: cannot unmarshal number 1.5 into Go struct field APIQueryRequest.from of type int64"},
        {"/api/query", "{\"from\":99999999999999999999}",
         "json: cannot unmarshal number 99999999999999999999 into Go struct field APIQueryRequest.from of "
         "type int64"},
        {"/api/query", "{\"with-stats\":1}",
         "json: cannot unmarshal number into Go struct field APIQueryRequest.with-stats of type bool"},
        {"/api/query", "{\"for-all-nodes\":\"x\"}",
         "json: cannot unmarshal string into Go struct field APIQueryRequest.for-all-nodes of type []string"},
        {"/api/query", "{\"queries\":{}}",
         "json: cannot unmarshal object into Go struct field APIQueryRequest.queries of type []api.APIQuery"},
        {"/api/query", "{\"queries\":[1]}",
         "json: cannot unmarshal number into Go struct field APIQueryRequest.queries of type api.APIQuery"},
        {"/api/query", "{\"queries\":[{\"type-ids\":[1]}]}",
         "json: cannot unmarshal number into Go struct field APIQuery.queries.type-ids of type string"},
        {"/api/query", "{\"queries\":[{\"scale-by\":\"2\"}]}",
         "strconv.ParseFloat: parsing \\\"\\\\\\\"2\\\\\\\"\\\": invalid syntax"},
        {"/api/query", "{\"queries\":[{\"metric\":\"a\"},]}",
         "invalid character ']' looking for beginning of value"},
        {"/api/query", "nope", "invalid character 'o' in literal null (expecting 'u')"},
        {"/api/healthcheck", "[]",
         "parsing request body failed: json: cannot unmarshal array into Go value of type "
         "metricstore.HealthCheckReq"},
        {"/api/healthcheck", "{\"nodes\":\"h\"}",
         "parsing request body failed: json: cannot unmarshal string into Go struct field "
         "HealthCheckReq.nodes of type []string"},
        {"/api/healthcheck", "{\"metric-names\":[1]}",
         "parsing request body failed: json: cannot unmarshal number into Go struct field "
         "HealthCheckReq.metric-names of type string"},
        {"/api/healthcheck", "{\"cluster\":1}",
         "parsing request body failed: json: cannot unmarshal number into Go struct field "
         "HealthCheckReq.cluster of type string"},
    };
    struct fixture f;
    char answer[512];

    (void)state;
    fixture_init(&f, test_now_s, 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(answer, sizeof(answer), "{\"status\":\"Bad Request\",\"error\":\"%s\"}\n",
                       cases[i].error);
        check(&f, "GET", cases[i].target, cases[i].body, 400, answer);
        check(&f, "POST", cases[i].target, cases[i].body, 400, answer);
    }
    fixture_release(&f);
}

static void test_bad_requests(void **state)
{
    static const struct {
        const char *method, *target, *body;
        int status;
        const char *answer;
    } cases[] = {
        {"GET", "/api/query", "null", 200, "{\"results\":[]}\n"},
        {"GET", "/api/query", "{\"queries\":[{}],\"to\":60}", 200,
         "{\"results\":[[{\"error\":\"[METRICSTORE]\\u003e unknown metric: "
         "\",\"from\":0,\"to\":0,\"resolution\":0,"
         "\"avg\":0.00,\"min\":0.00,\"max\":0.00}]]}\n"},
        {"POST", "/api/free", "[]", 400,
         "{\"status\":\"Bad Request\",\"error\":\"'to' is a required query parameter\"}\n"},
        {"POST", "/api/free?to=a%22b", "[]", 500,
         "{\"status\":\"Internal Server Error\",\"error\":\"strconv.ParseInt: parsing \\\"a\\\\\\\"b\\\": "
         "invalid "
         "syntax\"}\n"},
        {"POST", "/api/free?to=99999999999999999999", "[]", 500,
         "{\"status\":\"Internal Server Error\",\"error\":\"strconv.ParseInt: parsing "
         "\\\"99999999999999999999\\\": "
         "value out of range\"}\n"},
        {"POST", "/api/free?to=5", "", 400, "EOF\n"},
        {"POST", "/api/free?to=5", "{", 400, "unexpected EOF\n"},
        {"POST", "/api/free?to=5", "{}", 400,
         "json: cannot unmarshal object into Go value of type [][]string\n"},
        {"POST", "/api/free?to=5", "[\"c\"]", 400,
         "json: cannot unmarshal string into Go value of type []string\n"},
        {"POST", "/api/free?to=5", "[[\"c\",1]]", 400,
         "json: cannot unmarshal number into Go value of type string\n"},
        {"POST", "/api/free?to=5", "[]", 200, "buffers freed: 0\n"},
        {"GET", "/api/free?to=5", "[]", 405, "Method Not Allowed\n"},
        {"GET", "/api/debug?selector=x:y", "", 400,
         "{\"status\":\"Bad Request\",\"error\":\"[METRICSTORE]\\u003e not found: []string{\\\"x\\\", "
         "\\\"y\\\"}\"}\n"},
        {"GET", "/api/healthcheck", "{\"x\":1}", 400,
         "{\"status\":\"Bad Request\",\"error\":\"parsing request body failed: json: unknown field "
         "\\\"x\\\"\"}\n"},
        {"GET", "/api/healthcheck", "{\"nodes\":[\"b\",\"a\",\"b\"],\"cluster\":\"c\"}", 200,
         "{\"a\":{\"State\":\"failed\",\"HealthMetrics\":\"\"},\"b\":{\"State\":\"failed\",\"HealthMetrics\":"
         "\"\"}}\n"},
    };
    struct fixture f;

    (void)state;
    fixture_init(&f, test_now_s, 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(&f, cases[i].method, cases[i].target, cases[i].body, cases[i].status, cases[i].answer);
    fixture_release(&f);
}

// A bad line costs itself only, and the answer names the first one.
static void test_ms_13_bad_line_in_a_batch(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, test_now_s, 0, NULL);
    check(&f, "POST", "/api/write", LINE("1", "1700000000") "cpu_load,=x value=1\n" LINE("2", "1700000060"),
          400, "{\"status\":\"Bad Request\",\"error\":\"at line 2:10: empty tag key\"}\n");
    assert_string_equal(f.last_refusal, "/api/write 127.0.0.1 at line 2:10: empty tag key");
    check(&f, "GET", "/api/query",
          "{\"cluster\":\"alex\",\"from\":1700000000,\"to\":1700000120,\"queries\":[{\"metric\":\"cpu_load\","
          "\"host\":\"a0124\"}],\"with-stats\":false}",
          200,
          "{\"results\":[[{\"data\":[1.000,2.000],\"from\":1700000000,\"to\":1700000120,\"resolution\":60,"
          "\"avg\":0.00,\"min\":0.00,\"max\":0.00}]]}\n");
    fixture_release(&f);
}

// A body that broke off is not acknowledged, and its last line, cut somewhere, is not stored.
static void test_ms_14_cut_body(void **state)
{
    struct fixture f;
    struct test_exchange x;

    (void)state;
    fixture_init(&f, test_now_s, 0, NULL);
    test_exchange_init(&x, "POST", "/api/write",
                       LINE("1", "1700000000") "cpu_load,cluster=alex,hostname=a0124 value=12");
    x.req.body_truncated = true;
    http_router_dispatch(f.router, &x.req, &x.resp);
    assert_int_equal(x.resp.status, 400);
    test_exchange_release(&x);
    check(&f, "GET", "/api/query",
          "{\"cluster\":\"alex\",\"from\":1700000000,\"to\":1700000600,\"queries\":[{\"metric\":\"cpu_load\","
          "\"host\":\"a0124\"}]}",
          200,
          "{\"results\":[[{\"data\":[1.000],\"from\":1700000000,\"to\":1700000060,\"resolution\":60,"
          "\"avg\":1.00,\"min\":1.00,\"max\":1.00}]]}\n");
    fixture_release(&f);
}

static void test_ms_21_range_beyond_the_limit(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, test_now_s, 100, NULL);
    check(&f, "POST", "/api/write",
          "tick,cluster=c,hostname=h value=1 1700000000\ntick,cluster=c,hostname=h value=2 1700000200\n", 200,
          "");
    check(&f, "GET", "/api/query",
          "{\"cluster\":\"c\",\"from\":1700000000,\"to\":1700000300,\"queries\":[{\"metric\":\"tick\","
          "\"host\":\"h\"}]}",
          400, NULL);
    check(&f, "GET", "/api/query",
          "{\"cluster\":\"c\",\"from\":1700000150,\"to\":1700000201,\"with-data\":false,"
          "\"queries\":[{\"metric\":\"tick\",\"host\":\"h\"}]}",
          200, NULL);
    fixture_release(&f);
}

// With explicit queries and for-all-nodes in one request all are echoed.
static void test_ms_23_echo_matches_results(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, test_now_s, 0, NULL);
    check(&f, "POST", "/api/write", "cpu_load,cluster=c,hostname=h value=1 1700000000\n", 200, "");
    check(&f, "GET", "/api/query",
          "{\"cluster\":\"c\",\"from\":1700000000,\"to\":1700000060,\"with-data\":false,\"with-stats\":false,"
          "\"for-all-nodes\":[\"cpu_load\"],\"queries\":[{\"metric\":\"cpu_load\",\"host\":\"x\",\"type\":"
          "\"core\","
          "\"type-ids\":[\"0\"],\"scale-by\":2.5,\"aggreg\":true}]}",
          200,
          "{\"queries\":[{\"type\":\"core\",\"metric\":\"cpu_load\",\"host\":\"x\",\"resolution\":0,"
          "\"type-ids\":[\"0\"],\"scale-by\":2.50,\"aggreg\":true},{\"metric\":\"cpu_load\",\"host\":\"h\","
          "\"resolution\":0,\"aggreg\":false}],\"results\":[[],[{\"from\":1700000000,\"to\":1700000060,"
          "\"resolution\":60,\"avg\":0.00,\"min\":0.00,\"max\":0.00}]]}\n");
    fixture_release(&f);
}

// Overflow of a sum is null, not an empty answer.
static void test_ms_24_infinite_values(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, test_now_s, 0, NULL);
    check(&f, "POST", "/api/write",
          "flops_any,cluster=c,hostname=h,type=core,type-id=0 value=1e308 1700000000\n"
          "flops_any,cluster=c,hostname=h,type=core,type-id=1 value=1e308 1700000000\n",
          200, "");
    check(&f, "GET", "/api/query",
          "{\"cluster\":\"c\",\"from\":1700000000,\"to\":1700000060,\"queries\":[{\"metric\":\"flops_any\","
          "\"host\":\"h\"}]}",
          200,
          "{\"results\":[[{\"data\":[null],\"from\":1700000000,\"to\":1700000060,\"resolution\":60,\"avg\":"
          "null,"
          "\"min\":null,\"max\":null}]]}\n");
    fixture_release(&f);
}

static void test_ms_26_free_makes_no_levels(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, test_now_s, 0, NULL);
    check(&f, "POST", "/api/free?to=1700000000", "[[\"nowhere\",\"nobody\"]]", 200, "buffers freed: 0\n");
    check(&f, "GET", "/api/debug?selector=nowhere", "", 400, NULL);
    fixture_release(&f);
}

static void test_ms_27_one_content_type(void **state)
{
    struct fixture f;
    struct test_exchange x;
    int found = 0;

    (void)state;
    fixture_init(&f, test_now_s, 0, NULL);
    test_exchange_init(&x, "POST", "/api/write", "cpu_load,=x value=1");
    http_router_dispatch(f.router, &x.req, &x.resp);
    for (int i = 0; i < x.resp.header_count; i++)
        found += strcmp(x.resp.headers[i].name, "Content-Type") == 0;
    assert_int_equal(found, 1);
    test_exchange_release(&x);
    fixture_release(&f);
}

#define BULK_HOSTS 200
#define LONG_HOST  20 // has one value more than the others

static void write_bulk(struct fixture *f)
{
    struct buf body;

    buf_init(&body, BUF_MAX_DEFAULT);
    for (int host = 0; host < BULK_HOSTS; host++)
        for (int i = 0; i < 1000 + (host == LONG_HOST); i++)
            buf_printf(&body, "tick,cluster=c,hostname=h%03d value=%d.5 %d\n", host, i, 1699999000 + i);
    check(f, "POST", "/api/write", buf_cstr(&body), 200, "");
    buf_release(&body);
}

// Answers beyond a MiB come in pieces and are the same text.
static void test_big_answer_is_streamed(void **state)
{
    struct fixture f;
    struct test_exchange x;
    struct buf got;
    size_t pieces;

    (void)state;
    fixture_init(&f, test_now_s, 0, NULL);
    write_bulk(&f);
    test_exchange_init(
        &x, "GET", "/api/query",
        "{\"cluster\":\"c\",\"from\":1699999000,\"to\":1700000000,\"for-all-nodes\":[\"tick\"]}");
    http_router_dispatch(f.router, &x.req, &x.resp);
    assert_non_null(x.resp.stream);
    read_body(&x.resp, &got, &pieces);
    assert_true(pieces >= 3);
    assert_true(got.len > 1500000);
    struct slice text = buf_slice(&got);
    assert_true(
        slice_starts_with(text, SLICE_LITERAL("{\"queries\":[{\"metric\":\"tick\",\"host\":\"h000\"")));
    assert_true(
        slice_ends_with(text, SLICE_LITERAL("998.500,999.500],\"from\":1699999000,\"to\":1700000000,"
                                            "\"resolution\":1,\"avg\":500.00,\"min\":0.50,\"max\":999.50}]]}"
                                            "\n")));
    buf_release(&got);
    test_exchange_release(&x);
    fixture_release(&f);
}

static void read_answer(struct fixture *f, const char *query, size_t idle, int status, struct buf *ret)
{
    struct test_exchange x;
    size_t pieces;

    atomic_store(&f->api->helpers.idle, idle);
    test_exchange_init(&x, "POST", "/api/query", query);
    http_router_dispatch(f->router, &x.req, &x.resp);
    assert_int_equal(x.resp.status, status);
    read_body(&x.resp, ret, &pieces);
    test_exchange_release(&x);
    assert_int_equal(f->api->helpers.idle, idle);
}

// One thread and several give the same text, also an error of a query in the middle.
static void test_helpers_change_nothing(void **state)
{
    static const struct {
        const char *what, *to;
        size_t max_points;
        int status;
    } cases[] = {
        {"data", "1700000000", 0, 200},
        {"values", "1700000001", 1000, 400},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct buf alone, helped;
        char request[256];

        fixture_init(&f, test_now_s, cases[i].max_points, NULL);
        write_bulk(&f);
        (void)snprintf(request, sizeof(request),
                       "{\"cluster\":\"c\",\"from\":1699999000,\"to\":%s,\"for-all-nodes\":[\"tick\","
                       "\"tick\",\"tick\",\"none\"]}",
                       cases[i].to);
        read_answer(&f, request, 0, cases[i].status, &alone);
        read_answer(&f, request, 3, cases[i].status, &helped);
        if (!slice_eq(buf_slice(&alone), buf_slice(&helped)))
            fail_msg("%s: alone %zu bytes, helped %zu: %.200s", cases[i].what, alone.len, helped.len,
                     buf_cstr(&helped));
        buf_release(&alone);
        buf_release(&helped);
        fixture_release(&f);
    }
}

static void test_guard_comes_first(void **state)
{
    struct fixture f;
    bool closed = true;

    (void)state;
    fixture_init(&f, test_now_s, 0, &closed);
    check(&f, "POST", "/api/write", LINE("1", "1700000000"), 401, "closed\n");
    check(&f, "PUT", "/api/write", "", 405, "Method Not Allowed\n"); // nobody is asked for a token here
    closed = false;
    check(&f, "POST", "/api/write", LINE("1", "1700000000"), 200, "");
    fixture_release(&f);
}

// The clock of the machine jumps: nothing crashes, lines out of bounds are counted, good ones are kept.
static void test_clock_jumps(void **state)
{
    static const struct {
        int64_t (*now_s)(void);
        uint64_t stored, future, old;
    } cases[] = {{test_now_s, 1, 0, 0}, {past_now_s, 0, 1, 0}, {far_now_s, 0, 0, 1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct store_stats stats;
        fixture_init(&f, cases[i].now_s, 0, NULL);
        check(&f, "POST", "/api/write", LINE("1", "1700000000"), 200, "");
        check(&f, "GET", "/api/healthcheck",
              "{\"cluster\":\"alex\",\"nodes\":[\"a0124\"],\"metric-names\":[\"cpu_load\"]}", 200, NULL);
        store_stats(f.store, &stats);
        if (stats.samples_stored != cases[i].stored || stats.lines_rejected_future != cases[i].future ||
            stats.lines_rejected_old != cases[i].old)
            fail_msg("case %zu: stored %llu future %llu old %llu", i,
                     (unsigned long long)stats.samples_stored,
                     (unsigned long long)stats.lines_rejected_future,
                     (unsigned long long)stats.lines_rejected_old);
        fixture_release(&f);
    }
}

static void test_metrics_page(void **state)
{
    static const char *const wanted[] = {
        "# TYPE cc_store_samples counter\n",
        "cc_store_samples_total 1\n",
        "cc_store_dropped_lines_total{reason=\"unknown_metric\"} 1\n",
        "cc_store_dropped_lines_total{reason=\"syntax\"} 1\n",
        "cc_store_requests_total{endpoint=\"/api/write\",code=\"4xx\"} 1\n",
        "cc_store_request_duration_seconds_bucket{endpoint=\"/api/write\",le=\"+Inf\"} 1\n",
        "cc_store_request_duration_seconds_count{endpoint=\"/api/query\"} 0\n",
    };
    struct fixture f;
    struct buf text;

    (void)state;
    fixture_init(&f, test_now_s, 0, NULL);
    check(&f, "POST", "/api/write", LINE("1", "1700000000") "nothing,=\ncpu_load value\n", 400, NULL);
    buf_init(&text, BUF_MAX_DEFAULT);
    store_api_metrics(f.api, &text);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (!strstr(buf_cstr(&text), wanted[i]))
            fail_msg("'%s' is not in:\n%s", wanted[i], buf_cstr(&text));
    buf_release(&text);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example_of_the_spec),
        cmocka_unit_test(test_mismatches_are_named_as_upstream_does),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_ms_13_bad_line_in_a_batch),
        cmocka_unit_test(test_ms_14_cut_body),
        cmocka_unit_test(test_ms_21_range_beyond_the_limit),
        cmocka_unit_test(test_ms_23_echo_matches_results),
        cmocka_unit_test(test_ms_24_infinite_values),
        cmocka_unit_test(test_ms_26_free_makes_no_levels),
        cmocka_unit_test(test_ms_27_one_content_type),
        cmocka_unit_test(test_big_answer_is_streamed),
        cmocka_unit_test(test_helpers_change_nothing),
        cmocka_unit_test(test_guard_comes_first),
        cmocka_unit_test(test_clock_jumps),
        cmocka_unit_test(test_metrics_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
