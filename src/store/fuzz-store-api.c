// SPDX-License-Identifier: MIT
// The endpoints with any body; the first byte chooses the endpoint, with its top bit the first line is the query string. A store of
// a few hosts stands behind them. Whatever is asked, the answer to it and the dump afterwards are JSON where they should be.
#include "codec/json.h"
#include "net/http-request-test.h"
#include "store/store-api.h"

#define OWN_QUERY 0x80

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
    const char *method, *path, *query;
    bool answers_json;
};

static int64_t fixed_now_s(void)
{
    return 1700000300;
}

static void check_json(struct slice text)
{
    struct json_doc *doc = NULL;
    struct error err = ERROR_INIT;
    ASSERT(json_parse(text, &doc, &err) == 0);
    json_doc_free(&doc);
}

static void ask(const struct http_router *router, const struct target *target, struct slice query,
                struct slice body)
{
    struct test_exchange x;
    struct buf out;
    int more = 1;

    test_exchange_init(&x, target->method, target->path, NULL);
    x.req.raw_query = query;
    x.req.body = body;
    http_router_dispatch(router, &x.req, &x.resp);
    ASSERT(x.resp.status == 200 || x.resp.status == 400 || x.resp.status == 500);
    buf_init(&out, (size_t)256 << 20);
    while (x.resp.stream && more == 1 && !buf_failed(&out))
        more = x.resp.stream(x.resp.stream_ctx, &out);
    if (x.resp.status == 200 && target->answers_json && more >= 0 && !buf_failed(&out))
        check_json(buf_slice(x.resp.stream ? &out : &x.resp.body));
    buf_release(&out);
    test_exchange_release(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct target targets[] = {{"GET", "/api/query", "", true},
                                            {"POST", "/api/write", "cluster=c", false},
                                            {"POST", "/api/free", "to=1700000100", false},
                                            {"GET", "/api/healthcheck", "", true},
                                            {"GET", "/api/debug", "", true}};
    static const struct store_metric metrics[] = {
        {.name = "m", .frequency_s = 60, .aggregation = AGGREGATION_SUM},
        {.name = "n", .frequency_s = 1, .aggregation = AGGREGATION_NONE}};
    struct store_options options = {.metrics = metrics, .metric_count = 2, .query_max_points = 10000};
    struct store_api_options api_options = {
        .now_s = fixed_now_s, .mount_query = true, .mount_healthcheck = true};
    struct store *store = NULL;
    struct error err = ERROR_INIT;

    if (size == 0 || store_new(&options, &store, &err) < 0)
        return 0;
    struct store_api *api = store_api_new(store, &api_options);
    struct http_router *router = http_router_new();
    store_api_mount(api, router, NULL, NULL);
    ask(router, &targets[1], SLICE_EMPTY,
        SLICE_LITERAL(
            "m,cluster=c,hostname=h,type=core,type-id=0 value=1 1700000000\n"
            "m,cluster=c,hostname=h,type=core,type-id=1 value=2.5 1700000060\n"
            "n,cluster=c,hostname=h value=-1e9 1700000000\nn,cluster=c,hostname=i value=0.1 1700000200\n"));
    bool own_query = data[0] & OWN_QUERY;
    const struct target *target =
        &targets[own_query ? data[0] % ARRAY_LEN(targets) : data[0] % (ARRAY_LEN(targets) - 1)];
    struct slice body = slice_of((const char *)data + 1, size - 1), query = slice_from_cstr(target->query);
    if (own_query)
        query = slice_split(&body, '\n');
    ask(router, target, query, body.ptr ? body : SLICE_EMPTY);
    ask(router, &targets[4], SLICE_EMPTY, SLICE_EMPTY);
    http_router_free(&router);
    store_api_free(&api);
    store_free(&store);
    return 0;
}
