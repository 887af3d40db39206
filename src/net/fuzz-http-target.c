// SPDX-License-Identifier: MIT
// Request target: path, query string, routing and redirect.
#include "base/mem.h"
#include "net/http-request-test.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void handler(void *ctx, struct http_request *req, struct http_response *resp)
{
    struct slice id = http_path_param(req, "id"), name, value;
    size_t position = 0;

    (void)ctx;
    buf_append_slice(&resp->body, id);
    while (http_query_next(req, &position, &name, &value) > 0) {
        buf_append_slice(&resp->body, name);
        buf_append_slice(&resp->body, value);
        ASSERT(position <= req->raw_query.len + 1);
    }
    ignore_result(http_query_param_raw(req, "cluster", &value)); // must only not crash
}

// A redirect leads to a path that is not redirected again, in a header that holds no control bytes.
static void check_redirect(const struct http_router *router, const char *location)
{
    struct test_exchange x;

    for (const char *p = location; *p; p++)
        ASSERT((unsigned char)*p > ' ' && *p != 0x7f);
    test_exchange_init(&x, "GET", location, NULL);
    http_router_dispatch(router, &x.req, &x.resp);
    ASSERT(x.resp.status != 307);
    test_exchange_release(&x);
}

static void dispatch(const struct http_router *router, const char *target)
{
    struct arena *arena = arena_new((size_t)16 << 20);
    struct slice path, query;
    struct test_exchange x;

    if (http_parse_target(slice_from_cstr(target), arena, &path, &query)) {
        test_exchange_init(&x, "GET", target, NULL);
        http_router_dispatch(router, &x.req, &x.resp);
        const char *location = test_exchange_answer_header(&x, "Location");
        ASSERT((location != NULL) == (x.resp.status == 307));
        if (location)
            check_redirect(router, location);
        test_exchange_release(&x);
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct http_router *router = http_router_new();
    char *target = slice_to_cstr(slice_of((const char *)bytes, len));

    http_router_add(router, "GET", "/api/query/*", handler, NULL);
    http_router_add(router, "GET", "/api/jobs/{id}", handler, NULL);
    http_router_add(router, "GET", "/", handler, NULL);
    http_router_set_clean_redirect(router, true);
    dispatch(router, target);
    mem_free(target);
    http_router_free(&router);
    return 0;
}
