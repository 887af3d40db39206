// SPDX-License-Identifier: MIT
#include "base/testing.h"
#include "store/store.h"

#define T INT64_C(1700000000)

static void put(struct store *store, const char *lines)
{
    struct store_write write = {
        .body = slice_from_cstr(lines), .default_cluster = SLICE_LITERAL("c"), .now_s = T + 100000};
    struct store_write_result result;
    EXPECT(store_ingest(store, &write, &result) == 0, "%s", result.first_error.text);
}

static int64_t last(struct store *store, const char *host)
{
    int64_t ts = -1;
    return store_last_sample(store, SLICE_LITERAL("c"), slice_from_cstr(host), &ts) ? ts : -1;
}

static void test_last_sample(void **state)
{
    static const struct store_metric metrics[] = {{NULL, "load", 60, AGGREGATION_AVG},
                                                  {NULL, "flops", 10, AGGREGATION_SUM}};
    // What is written, and when the host was heard of last then.
    static const struct {
        const char *lines;
        int64_t want;
    } steps[] = {
        {"load,hostname=h,type=node value=1 1700000000\n", T},
        {"load,hostname=h,type=node value=1 1700000120\n", T + 120},
        {"load,hostname=h,type=node value=1 1700000060\n", T + 120}, // late
        {"flops,hostname=h,type=hwthread,type-id=3 value=1 1700000150\n", T + 150},
        {"load,hostname=h,type=node value=1 1700090000\n", T + 90000}, // behind a gap
        {"load,hostname=other,type=node value=1 1700099000\n", T + 90000},
    };
    struct store_options options = {.metrics = metrics, .metric_count = ARRAY_LEN(metrics)};
    struct store *store = NULL;
    struct error err = ERROR_INIT;
    (void)state;
    EXPECT(store_new(&options, &store, &err) == 0, "%s", err.text);
    assert_int_equal(last(store, "h"), -1);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        put(store, steps[i].lines);
        EXPECT(last(store, "h") == steps[i].want, "step %zu: %lld, not %lld", i, (long long)last(store, "h"),
               (long long)steps[i].want);
    }
    store_free(&store);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_last_sample)};
    return TEST_MAIN(argc, argv, tests);
}
