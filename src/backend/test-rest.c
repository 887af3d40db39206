// SPDX-License-Identifier: MIT
#include "backend/rest.h"

#include "backend/assets.h"
#include "base/testing.h"
#include "net/http-request-test.h"

static void say_hello(void *ctx UNUSED, struct http_request *req UNUSED, const struct user *user,
                      struct http_response *resp)
{
    rest_message(resp, 200, user_has_role(user, "admin") ? "hello <admin>" : "hello");
}

static const struct rest_route routes[] = {{"GET", "/api/hello/", ROUTE_API, say_hello},
                                           {"POST", "/api/hello/", ROUTE_API, say_hello},
                                           {"GET", "/open", ROUTE_PUBLIC, say_hello},
                                           {0}};

struct site {
    struct config config;
    struct auth *auth;
    struct http_router *router;
    struct rest *rest;
};

static void open_site(struct site *s, bool disabled)
{
    struct error err = ERROR_INIT;
    setenv("SESSION_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", 1);
    unsetenv("JWT_PUBLIC_KEY");
    *s = (struct site){.config = {.auth = {.present = true}}, .router = http_router_new()};
    EXPECT(auth_new(&s->config, NULL, disabled, &s->auth, &err) == 0, "%s", err.text);
    s->rest = rest_new(s->auth, s->router);
    rest_add(s->rest, routes, NULL);
}

static void close_site(struct site *s)
{
    rest_free(&s->rest);
    http_router_free(&s->router);
    auth_free(&s->auth);
}

static void test_answers(void **state)
{
    static const struct {
        const char *method, *path, *header, *value;
        int status;
        const char *body;
    } cases[] = {
        {"GET", "/api/hello/", NULL, NULL, 200, "{\"msg\":\"hello \\u003cadmin\\u003e\"}\n"},
        {"HEAD", "/api/hello/", NULL, NULL, 405, ""},
        {"PUT", "/api/hello/", NULL, NULL, 405, ""},
        {"GET", "/api/hello", NULL, NULL, 404,
         "{\"error\":\"the requested endpoint does not exist\",\"status\":\"Resource not found\"}\n"},
        {"GET", "/nowhere", NULL, NULL, 404, "404 page not found\n"},
        {"POST", "/api/hello/", "Sec-Fetch-Site", "cross-site", 403, "cross-site request blocked\n"},
        {"POST", "/api/hello/", "Sec-Fetch-Site", "same-origin", 200,
         "{\"msg\":\"hello \\u003cadmin\\u003e\"}\n"},
        {"OPTIONS", "/api/hello/", "Access-Control-Request-Method", "POST", 200, ""},
    };
    struct site s;
    (void)state;
    open_site(&s, true);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct test_exchange x;
        test_exchange_init(&x, cases[i].method, cases[i].path, "");
        if (cases[i].header)
            test_exchange_header(&x, cases[i].header, cases[i].value);
        http_router_dispatch(s.router, &x.req, &x.resp);
        EXPECT(x.resp.status == cases[i].status && strcmp(buf_cstr(&x.resp.body), cases[i].body) == 0,
               "%s %s: got %d '%s', expected %d '%s'", cases[i].method, cases[i].path, x.resp.status,
               buf_cstr(&x.resp.body), cases[i].status, cases[i].body);
        bool preflight = strcmp(cases[i].method, "OPTIONS") == 0;
        EXPECT((test_exchange_answer_header(&x, "X-Frame-Options") == NULL) == preflight,
               "%s %s: security headers", cases[i].method, cases[i].path);
        test_exchange_release(&x);
    }
    close_site(&s);
}

// Spec 4.2.2: a refusal is answered once, with its members in upstream's order.
static void test_backend_4_2_2_refused_once(void **state)
{
    struct site s;
    struct test_exchange x;
    (void)state;
    open_site(&s, false);
    test_exchange_init(&x, "GET", "/api/hello/", "");
    http_router_dispatch(s.router, &x.req, &x.resp);
    assert_int_equal(401, x.resp.status);
    assert_string_equal("{\"error\":\"no user for secured check\",\"status\":\"Unauthorized\"}\n",
                        buf_cstr(&x.resp.body));
    test_exchange_release(&x);
    test_exchange_init(&x, "GET", "/api/hello/", "");
    test_exchange_header(&x, "Authorization", "Bearer a.b.c");
    http_router_dispatch(s.router, &x.req, &x.resp); // no keys: tokens cannot be checked
    assert_int_equal(401, x.resp.status);
    test_exchange_release(&x);
    test_exchange_init(&x, "GET", "/open", "");
    http_router_dispatch(s.router, &x.req, &x.resp);
    assert_int_equal(200, x.resp.status);
    test_exchange_release(&x);
    close_site(&s);
}

// Assets: pages and files of a made-up interface.
static void test_assets(void **state)
{
    static const struct asset items[] = {
        {"/index.html",
         "text/html; charset=utf-8",
         "\"1\"",
         {"<html>long enough to shrink", 27},
         {"packed", 6}},
        {"/assets/a-1.js", "text/javascript", "\"2\"", {"js", 2}, {"packed", 6}}};
    static const struct {
        const char *path, *header, *value;
        int status;
        const char *body, *encoding, *cache;
    } cases[] = {
        {"/", NULL, NULL, 200, "<html>long enough to shrink", NULL, "no-cache"},
        {"/jobs/5", "Accept-Encoding", "br, gzip", 200, "packed", "gzip", "no-cache"},
        {"/clusters/c/nodes/n", "Accept-Encoding", "gzip;q=0", 200, "<html>long enough to shrink", NULL,
         "no-cache"},
        {"/", "If-None-Match", "\"0\", \"1\"", 304, "", NULL, "no-cache"},
        {"/assets/a-1.js", "Accept-Encoding", "*", 200, "js", NULL, "public, max-age=31536000, immutable"},
        {"/assets/b-1.js", NULL, NULL, 404, NULL, NULL, NULL},
        {"/etc/passwd", NULL, NULL, 404, NULL, NULL, NULL},
    };
    struct asset_set set = {.items = items, .count = ARRAY_LEN(items)};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct test_exchange x;
        test_exchange_init(&x, "GET", cases[i].path, "");
        if (cases[i].header)
            test_exchange_header(&x, cases[i].header, cases[i].value);
        assets_serve(&set, &x.req, &x.resp);
        const char *encoding = test_exchange_answer_header(&x, "Content-Encoding");
        const char *cache = test_exchange_answer_header(&x, "Cache-Control");
        EXPECT(x.resp.status == cases[i].status, "%s: got %d, expected %d", cases[i].path, x.resp.status,
               cases[i].status);
        EXPECT(!cases[i].body || slice_eq_cstr(x.resp.static_body, cases[i].body),
               "%s: got '%.*s', expected '%s'", cases[i].path, SLICE_FMT(x.resp.static_body), cases[i].body);
        EXPECT((encoding != NULL) == (cases[i].encoding != NULL), "%s: encoding %s", cases[i].path,
               encoding ? encoding : "");
        EXPECT(!cases[i].cache || (cache && strcmp(cache, cases[i].cache) == 0), "%s: cache '%s'",
               cases[i].path, cache ? cache : "");
        test_exchange_release(&x);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_backend_4_2_2_refused_once),
                                       cmocka_unit_test(test_assets)};
    return TEST_MAIN(argc, argv, tests);
}
