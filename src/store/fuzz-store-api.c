// SPDX-License-Identifier: MIT
// The endpoints with any body: the first byte chooses the endpoint. A store of a few hosts stands behind
// them.
#include "net/http-request-test.h"
#include "store/store-api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t fixed_now_s(void)
{
    return 1700000300;
}

static void ask(const struct http_router *router, const char *method, const char *target, struct slice body)
{
    struct test_exchange x;
    struct buf out;

    test_exchange_init(&x, method, target, NULL);
    x.req.body = body;
    http_router_dispatch(router, &x.req, &x.resp);
    ASSERT(x.resp.status == 200 || x.resp.status == 400 || x.resp.status == 500);
    if (x.resp.stream) {
        buf_init(&out, (size_t)256 << 20);
        while (!buf_failed(&out) && x.resp.stream(x.resp.stream_ctx, &out) == 1)
            ;
        buf_release(&out);
    }
    test_exchange_release(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const targets[][2] = {{"GET", "/api/query"},
                                             {"POST", "/api/write?cluster=c"},
                                             {"POST", "/api/free?to=1700000100"},
                                             {"GET", "/api/healthcheck"}};
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
    ask(router, "POST", "/api/write",
        SLICE_LITERAL(
            "m,cluster=c,hostname=h,type=core,type-id=0 value=1 1700000000\n"
            "m,cluster=c,hostname=h,type=core,type-id=1 value=2.5 1700000060\n"
            "n,cluster=c,hostname=h value=-1e9 1700000000\nn,cluster=c,hostname=i value=0.1 1700000200\n"));
    size_t choice = data[0] % ARRAY_LEN(targets);
    ask(router, targets[choice][0], targets[choice][1], slice_of((const char *)data + 1, size - 1));
    ask(router, "GET", "/api/debug", SLICE_EMPTY);
    http_router_free(&router);
    store_api_free(&api);
    store_free(&store);
    return 0;
}
