// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/http-request-test.h"

// All pairs as "name=value|name=value".
static char *all_pairs(const struct http_request *req)
{
    struct buf out;
    struct slice name, value;
    size_t position = 0;

    buf_init(&out, 4096);
    while (http_query_next(req, &position, &name, &value) > 0)
        buf_printf(&out, "%s%.*s=%.*s", out.len ? "|" : "", SLICE_FMT(name), SLICE_FMT(value));
    char *text = slice_to_cstr(buf_slice(&out));
    buf_release(&out);
    return text;
}

static void test_query_pairs(void **state)
{
    static const struct {
        const char *target, *pairs;
    } cases[] = {
        {"/x", ""},
        {"/x?", ""},
        {"/x?&&", ""},
        {"/x?a=1", "a=1"},
        {"/x?a=1&b=2&a=3", "a=1|b=2|a=3"},
        {"/x?a", "a="},
        {"/x?a=", "a="},
        {"/x?=v", "=v"},
        {"/x?a=b=c", "a=b=c"},
        {"/x?a=%41%62+c%2B", "a=Ab c+"},
        {"/x?na%6de=1", "name=1"},
        {"/x?a=%zz&b=1", "b=1"},
        {"/x?a=%4&b=1&c=%", "b=1"},
        {"/x?a=1;b=2&c=3", "c=3"},
        {"/x?a=1?b=2", "a=1?b=2"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct test_exchange x;

        test_exchange_init(&x, "GET", cases[i].target, NULL);
        char *pairs = all_pairs(&x.req);
        if (strcmp(pairs, cases[i].pairs) != 0)
            fail_msg("%s: '%s', expected '%s'", cases[i].target, pairs, cases[i].pairs);
        mem_free(pairs);
        test_exchange_release(&x);
    }
}

static void test_query_param(void **state)
{
    struct test_exchange x;
    struct slice value;

    (void)state;
    test_exchange_init(&x, "GET", "/api/write?cluster=a%20b&cluster=c&empty", NULL);
    assert_true(http_query_param(&x.req, "cluster", &value));
    assert_true(slice_eq_cstr(value, "a b"));
    assert_true(http_query_param_raw(&x.req, "cluster", &value));
    assert_true(slice_eq_cstr(value, "a%20b"));
    assert_true(http_query_param(&x.req, "empty", &value));
    assert_int_equal(value.len, 0);
    assert_false(http_query_param(&x.req, "Cluster", &value));
    assert_false(http_query_param_raw(&x.req, "other", &value));
    test_exchange_release(&x);
}

static void test_target(void **state)
{
    static const struct {
        const char *target, *path, *query; // path NULL: refused
    } cases[] = {
        {"/a%2fb%20c?x=%20", "/a/b c", "x=%20"},
        {"/a+b", "/a+b", ""},
        {"/%zz", NULL, NULL},
        {"/%2", NULL, NULL},
        {"/a?%zz", "/a", "%zz"},
        {"*", "*", ""},
        {"", "/", ""},
        {"/redirect?to=http://x/y", "/redirect", "to=http://x/y"},
        {"https://h/p?q", "/p", "q"},
    };
    struct arena *arena = arena_new(1 << 20);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice path = SLICE_EMPTY, query = SLICE_EMPTY;
        bool ok = http_parse_target(slice_from_cstr(cases[i].target), arena, &path, &query);

        if (ok != (cases[i].path != NULL) ||
            (ok && (!slice_eq_cstr(path, cases[i].path) || !slice_eq_cstr(query, cases[i].query))))
            fail_msg("%s: %d '%.*s' '%.*s'", cases[i].target, ok, SLICE_FMT(path), SLICE_FMT(query));
    }
    arena_free(&arena);
}

static void test_response(void **state)
{
    struct http_response resp;

    (void)state;
    http_response_init(&resp);
    assert_int_equal(resp.status, 200);
    http_set_header(&resp, "Content-Type", "application/json");
    buf_append_cstr(&resp.body, "half an answer");
    http_set_text(&resp, 401, "token '%s' is %d", "x", 7);
    assert_int_equal(resp.status, 401);
    assert_string_equal(buf_cstr(&resp.body), "token 'x' is 7\n");
    assert_int_equal(resp.header_count, 2);
    assert_string_equal(resp.headers[0].value, "text/plain; charset=utf-8");
    assert_string_equal(resp.headers[1].name, "X-Content-Type-Options");
    http_set_header(&resp, "content-TYPE", "a/b");
    assert_int_equal(resp.header_count, 2);
    assert_string_equal(resp.headers[0].value, "a/b");
    http_response_release(&resp);
    assert_string_equal(http_status_text(422), "Unprocessable Entity");
    assert_string_equal(http_status_text(999), "");
}

static void test_accepts_gzip(void **state)
{
    static const struct {
        const char *header;
        bool expected;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"gzip", true},
        {"GZip", true},
        {"deflate, gzip", true},
        {"gzip;q=0", false},
        {"gzip; q=0.000", false},
        {"gzip;q=0.001", true},
        {"gzip;Q=0", false},
        {"gzip ; q = 0", false},
        {"deflate;q=0", false},
        {"*", true},
        {"*;q=0", false},
        {"gzip;q=0, *", false},
        {"*;q=0, gzip", true},
        {"identity, *;q=0.5", true},
        {"x-gzip", true},
        {"gzipped", false},
        {"br", false},
        {",,,gzip", true},
        {"gzip;x=y;q=0", false},
        {"gzip;q=", true},
        {"gzip;q=0junk", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (http_accepts_gzip(cases[i].header) != cases[i].expected)
            fail_msg("'%s': expected %d", cases[i].header ? cases[i].header : "(absent)", cases[i].expected);
}

static void test_compressible(void **state)
{
    (void)state;
    assert_true(http_is_compressible("application/json"));
    assert_true(http_is_compressible("application/json; charset=utf-8"));
    assert_true(http_is_compressible("text/html"));
    assert_true(http_is_compressible("Text/CSS;x"));
    assert_true(http_is_compressible("image/svg+xml"));
    assert_false(http_is_compressible("image/png"));
    assert_false(http_is_compressible("application/octet-stream"));
    assert_false(http_is_compressible("text/"));
    assert_false(http_is_compressible(""));
    assert_false(http_is_compressible(NULL));
}

static void test_split_address(void **state)
{
    static const struct {
        const char *address, *host, *port, *error;
    } cases[] = {
        {"127.0.0.1:8082", "127.0.0.1", "8082", NULL},
        {":8082", "", "8082", NULL},
        {"host:", "host", "", NULL},
        {"[::1]:80", "::1", "80", NULL},
        {"[fe80::1%eth0]:80", "fe80::1%eth0", "80", NULL},
        {"host:http", "host", "http", NULL},
        {"", NULL, NULL, "address : missing port in address"},
        {"host", NULL, NULL, "address host: missing port in address"},
        {"::1:80", NULL, NULL, "address ::1:80: too many colons in address"},
        {"[::1]", NULL, NULL, "address [::1]: missing port in address"},
        {"[::1", NULL, NULL, "address [::1: missing ']' in address"},
        {"[::1]80", NULL, NULL, "address [::1]80: missing port in address"},
        {"[::1]:80:90", NULL, NULL, "address [::1]:80:90: too many colons in address"},
        {"a]:80", NULL, NULL, "address a]:80: unexpected '[' or ']' in address"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *host = NULL, *port = NULL;
        struct error err = ERROR_INIT;
        int ret = http_split_address(cases[i].address, &host, &port, &err);

        if (cases[i].error ? ret != ERR_INVALID || strcmp(err.text, cases[i].error) != 0
                           : ret != 0 || strcmp(host, cases[i].host) != 0 || strcmp(port, cases[i].port) != 0)
            fail_msg("'%s': %d '%s' '%s' '%s'", cases[i].address, ret, host ? host : "", port ? port : "",
                     err.text);
        mem_free(host);
        mem_free(port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_pairs),   cmocka_unit_test(test_query_param),
        cmocka_unit_test(test_target),        cmocka_unit_test(test_response),
        cmocka_unit_test(test_accepts_gzip),  cmocka_unit_test(test_compressible),
        cmocka_unit_test(test_split_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
