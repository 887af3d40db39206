// SPDX-License-Identifier: MIT
// For tests of handlers: a request and its response without sockets.
//
//     struct test_exchange x;
//     test_exchange_init(&x, "GET", "/api/query?cluster=c", "{}");
//     test_exchange_header(&x, "Authorization", "Bearer ...");
//     http_router_dispatch(router, &x.req, &x.resp);
//     assert_int_equal(x.resp.status, 200);
//     test_exchange_release(&x);
#ifndef NET_HTTP_REQUEST_TEST_H
#define NET_HTTP_REQUEST_TEST_H

#include "net/http-private.h"

#define TEST_MAX_HEADERS 8

struct test_exchange {
    struct http_request req;
    struct http_response resp;
    struct {
        const char *name, *value; // borrowed
    } headers[TEST_MAX_HEADERS];
    size_t header_count;
};

static inline const char *test_exchange_find(const struct http_request *req, const char *name)
{
    const struct test_exchange *x = req->impl;

    for (size_t i = 0; i < x->header_count; i++)
        if (slice_eq_ignore_case(slice_from_cstr(x->headers[i].name), slice_from_cstr(name)))
            return x->headers[i].value;
    return NULL;
}

// 'target' is path and query as sent; all texts are borrowed. body may be NULL.
static inline void test_exchange_init(struct test_exchange *x, const char *method, const char *target,
                                      const char *body)
{
    static const struct http_request_ops ops = {.header = test_exchange_find};

    *x = (struct test_exchange){.header_count = 0};
    x->req = (struct http_request){.method = slice_from_cstr(method),
                                   .body = slice_from_cstr(body),
                                   .peer = "127.0.0.1",
                                   .arena = arena_new((size_t)64 << 20),
                                   .ops = &ops,
                                   .impl = x};
    ASSERT(http_parse_target(slice_from_cstr(target), x->req.arena, &x->req.path, &x->req.raw_query));
    http_response_init(&x->resp);
}

static inline void test_exchange_header(struct test_exchange *x, const char *name, const char *value)
{
    ASSERT(x->header_count < TEST_MAX_HEADERS);
    x->headers[x->header_count].name = name;
    x->headers[x->header_count++].value = value;
}

// Value of a header of the response, NULL when absent.
static inline const char *test_exchange_answer_header(const struct test_exchange *x, const char *name)
{
    for (int i = 0; i < x->resp.header_count; i++)
        if (slice_eq_ignore_case(slice_from_cstr(x->resp.headers[i].name), slice_from_cstr(name)))
            return x->resp.headers[i].value;
    return NULL;
}

static inline void test_exchange_release(struct test_exchange *x)
{
    http_response_release(&x->resp);
    arena_free(&x->req.arena);
}

#endif
