// SPDX-License-Identifier: MIT
// The engine through store.h: ingest, queries, free, debug, health. Defect marks of metric-store.md 13 by name.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/store.h"

#define T INT64_C(1700000000)

static const struct store_metric metrics[] = {
    {NULL, "load", 60, AGGREGATION_NONE},        {NULL, "flops", 60, AGGREGATION_SUM},
    {NULL, "clock", 60, AGGREGATION_AVG},        {NULL, "tick", 1, AGGREGATION_SUM},
    {"fine", "power", 10, AGGREGATION_AVG},      {NULL, "power", 60, AGGREGATION_SUM},
    {"fine", "only_fine", 60, AGGREGATION_NONE}, {NULL, "hour", 3600, AGGREGATION_NONE},
};

struct fixture {
    struct store *store;
    struct arena *arena;
    int64_t now;
    struct store_write_result result; // of the last write
};

static struct fixture *fixture_new(struct store_options options)
{
    struct fixture *f = NEW(struct fixture);
    struct error err = ERROR_INIT;
    options.metrics = metrics;
    options.metric_count = ARRAY_LEN(metrics);
    if (store_new(&options, &f->store, &err))
        fail_msg("store_new: %s", err.text);
    f->arena = arena_new((size_t)256 << 20);
    f->now = T + 86400;
    return f;
}

static void fixture_free(struct fixture *f)
{
    store_free(&f->store);
    arena_free(&f->arena);
    mem_free(f);
}

static int put_body(struct fixture *f, struct slice body, const char *cluster, bool truncated)
{
    struct store_write write = {
        .body = body, .default_cluster = slice_from_cstr(cluster), .now_s = f->now, .truncated = truncated};
    return store_ingest(f->store, &write, &f->result);
}

static void put(struct fixture *f, const char *lines)
{
    int rc = put_body(f, slice_from_cstr(lines), "c", false);
    if (rc)
        fail_msg("refused: %s", f->result.first_error.text);
}

// ---- answers as text --------------------------------------------------------------------------------------------

struct ask {
    const char *host, *metric, *type, *ids, *subtype, *subids; // ids separated by commas
    bool aggregate, no_padding, no_stats, no_data;
    int64_t from, to, resolution;
    double scale;
    const char *cluster;
};

static size_t split(struct fixture *f, const char *text, struct slice **ret)
{
    struct slice rest = slice_from_cstr(text);
    size_t count = 0;
    *ret = ARENA_ARRAY(f->arena, struct slice, rest.len + 1);
    while (text && rest.ptr)
        (*ret)[count++] = slice_split(&rest, ',');
    return count;
}

static int run(struct fixture *f, const struct ask *a, struct store_series **entries, size_t *count,
               struct error *err)
{
    struct slice *ids, *subids;
    struct store_query q = {.cluster = slice_from_cstr(a->cluster ? a->cluster : "c"),
                            .host = slice_from_cstr(a->host ? a->host : "h"),
                            .metric = slice_from_cstr(a->metric),
                            .has_type = a->type != NULL,
                            .has_subtype = a->subtype != NULL,
                            .type = slice_from_cstr(a->type),
                            .subtype = slice_from_cstr(a->subtype),
                            .resolution_s = a->resolution,
                            .scale_by = a->scale,
                            .aggregate = a->aggregate};
    q.type_id_count = split(f, a->ids, &ids);
    q.subtype_id_count = split(f, a->subids, &subids);
    q.type_ids = ids;
    q.subtype_ids = subids;
    struct store_query_range range = {.from = a->from,
                                      .to = a->to,
                                      .with_stats = !a->no_stats,
                                      .with_data = !a->no_data,
                                      .with_padding = !a->no_padding};
    return store_query_run(f->store, &q, &range, f->arena, entries, count, err);
}

static void print_entry(struct buf *out, const struct store_series *s)
{
    if (s->error) {
        buf_printf(out, "{%s}", s->error);
        return;
    }
    buf_append_byte(out, '[');
    for (size_t i = 0; s->data && i < s->count; i++)
        buf_printf(out, isnan(s->data[i]) ? "%s-" : "%s%g", i ? " " : "", s->data[i]);
    buf_printf(out, "] %lld..%lld/%lld %.2f %.2f %.2f", (long long)(s->from - T), (long long)(s->to - T),
               (long long)s->resolution_s, s->avg, s->min, s->max);
}

// Times count from T.
static void expect(struct fixture *f, struct ask a, const char *want)
{
    struct store_series *entries;
    size_t count;
    struct error err = ERROR_INIT;
    struct buf out;
    buf_init(&out, 1 << 20);
    a.from += T;
    a.to += T;
    if (run(f, &a, &entries, &count, &err))
        buf_printf(&out, "error %s: %s", error_code_name(err.code), err.text);
    else
        for (size_t i = 0; i < count; i++) {
            buf_append_cstr(&out, i ? " | " : "");
            print_entry(&out, &entries[i]);
        }
    if (strcmp(buf_cstr(&out), want) != 0)
        fail_msg("%s %s %s [%lld, %lld):\n  got    %s\n  wanted %s", a.metric, a.type ? a.type : "",
                 a.ids ? a.ids : "", (long long)(a.from - T), (long long)(a.to - T), buf_cstr(&out), want);
    buf_release(&out);
}

static void expect_debug(struct fixture *f, const char *path, const char *want)
{
    struct slice *names;
    size_t count = split(f, path, &names);
    struct buf out;
    struct error err = ERROR_INIT;
    buf_init(&out, 1 << 20);
    const char *got = store_debug(f->store, names, count, &out, &err) ? err.text : buf_cstr(&out);
    if (strcmp(got, want) != 0)
        fail_msg("debug %s:\n  got    %s\n  wanted %s", path ? path : "", got, want);
    buf_release(&out);
}

// ---- the examples of 5.3 ----------------------------------------------------------------------------------------

static void test_query_examples(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put(f, "load,hostname=h value=1.5 1700000000\nload,hostname=h value=0.25 1700000120\n");
    expect(f, (struct ask){.metric = "load", .to = 180}, "[1.5 - 0.25] 0..180/60 0.88 0.25 1.50");
    expect(f, (struct ask){.metric = "load", .from = -200, .to = 180},
           "[- - - 1.5 - 0.25] 0..180/60 0.88 0.25 1.50");
    expect(f, (struct ask){.metric = "load", .host = "x", .to = 180}, "");
    expect(f, (struct ask){.metric = "foo", .to = 180}, "{[METRICSTORE]> unknown metric: foo}");
    expect(f, (struct ask){.metric = "load", .from = 9000, .to = 9300}, "[] 9000..9000/60 nan nan nan");
    expect(f, (struct ask){.metric = "load", .from = 5, .to = 1}, "{[METRICSTORE]> invalid time range}");
    expect(f, (struct ask){.metric = "load", .to = 180, .no_data = true}, "[] 0..180/60 0.88 0.25 1.50");
    expect(f, (struct ask){.metric = "load", .to = 180, .no_stats = true},
           "[1.5 - 0.25] 0..180/60 0.00 0.00 0.00");
    expect(f, (struct ask){.metric = "load", .to = 180, .no_stats = true, .scale = -2},
           "[-3 - -0.5] 0..180/60 -0.00 -0.00 -0.00");
    expect(f, (struct ask){.metric = "load", .to = 180, .scale = NAN}, "[- - -] 0..180/60 nan nan nan");
    fixture_free(f);
}

static void put_threads(struct fixture *f, const char *metric)
{
    char text[512];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof(text),
                 "%s,hostname=h,type=hwthread,type-id=0 value=%d %lld\n%s,hostname=h,type=hwthread,type-id=1 "
                 "value=%d %lld\n",
                 metric, i + 1, (long long)T + 60 * i, metric, 10 * (i + 1), (long long)T + 60 * i);
        put(f, text);
    }
}

static void test_components_and_aggregation(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put_threads(f, "flops");
    put_threads(f, "clock");
    put_threads(f, "load");
    expect(f, (struct ask){.metric = "flops", .type = "hwthread", .ids = "0,1", .to = 180},
           "[1 2 3] 0..180/60 2.00 1.00 3.00 | [10 20 30] 0..180/60 20.00 10.00 30.00");
    expect(f, (struct ask){.metric = "flops", .type = "hwthread", .ids = "1,1", .to = 180, .no_stats = true},
           "[10 20 30] 0..180/60 0.00 0.00 0.00 | [10 20 30] 0..180/60 0.00 0.00 0.00");
    expect(f, (struct ask){.metric = "flops", .type = "hwthread", .ids = "0,1", .aggregate = true, .to = 180},
           "[11 22 33] 0..180/60 22.00 11.00 33.00");
    expect(f, (struct ask){.metric = "flops", .to = 180}, "[11 22 33] 0..180/60 22.00 11.00 33.00");
    expect(f, (struct ask){.metric = "flops", .to = 180, .no_data = true}, "[] 0..180/60 22.00 11.00 33.00");
    expect(f, (struct ask){.metric = "flops", .type = "hwthread", .ids = "0,0", .aggregate = true, .to = 180},
           "[2 4 6] 0..180/60 4.00 2.00 6.00");
    expect(f, (struct ask){.metric = "clock", .to = 180}, "[5.5 11 16.5] 0..180/60 11.00 5.50 16.50");
    expect(f, (struct ask){.metric = "load", .to = 180}, "{[METRICSTORE]> invalid aggregation}");
    expect(f, (struct ask){.metric = "flops", .type = "hwthread", .ids = "0,7", .aggregate = true, .to = 180},
           "[1 2 3] 0..180/60 2.00 1.00 3.00");
    expect(f, (struct ask){.metric = "flops", .type = "core", .ids = "0", .to = 180}, "");
    expect(f, (struct ask){.metric = "flops", .type = "hwthread", .to = 180}, "");
    fixture_free(f);
}

static void test_level_with_data_hides_children(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put(f, "flops,hostname=h,type=socket,type-id=0,stype=core,stype-id=0 value=1 1700000000\n"
           "flops,hostname=h,type=socket,type-id=0,stype=core,stype-id=1 value=2 1700000000\n"
           "flops,hostname=h,type=socket,type-id=1 value=4 1700000000\n"
           "flops,hostname=h,type=socket,type-id=1,stype=core,stype-id=0 value=8 1700000000\n");
    expect(f, (struct ask){.metric = "flops", .to = 60}, "[7] 0..60/60 7.00 7.00 7.00");
    expect(f, (struct ask){.metric = "flops", .type = "socket", .ids = "0", .to = 60},
           "[3] 0..60/60 3.00 3.00 3.00");
    expect(
        f,
        (struct ask){
            .metric = "flops", .type = "socket", .ids = "0,1", .subtype = "core", .subids = "1,0", .to = 60},
        "[2] 0..60/60 2.00 2.00 2.00 | [1] 0..60/60 1.00 1.00 1.00 | [8] 0..60/60 8.00 8.00 8.00");
    put(f, "flops,hostname=h value=100 1700000000\n");
    expect(f, (struct ask){.metric = "flops", .to = 60}, "[100] 0..60/60 100.00 100.00 100.00");
    fixture_free(f);
}

// ---- ingest defects ---------------------------------------------------------------------------------------------

static void test_ms_07_timestamp_units(void **state)
{
    (void)state;
    static const char *const times[] = {"1700000000", "1700000000123", "1700000000123456",
                                        "1700000000123456789"};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct fixture *f = fixture_new((struct store_options){0});
        char text[128];
        for (int round = 0; round < 2; round++) { // by the decoder, then as a known line
            snprintf(text, sizeof(text), "load,hostname=h value=%d %s\nload,hostname=h value=%d %s\n", round,
                     times[i], round, times[i]);
            put(f, text);
            expect(f, (struct ask){.metric = "load", .to = 60, .no_stats = true},
                   round ? "[1] 0..60/60 0.00 0.00 0.00" : "[0] 0..60/60 0.00 0.00 0.00");
        }
        assert_int_equal(put_body(f, SLICE_LITERAL("load,hostname=h value=1 12 34\n"), "c", false),
                         ERR_INVALID);
        assert_int_equal(f->result.stored, 0);
        fixture_free(f);
    }
}

static void test_ms_08_missing_timestamp_is_now(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    f->now = T + 600;
    put(f, "load,hostname=h value=1 1700000000\nload,hostname=h2 value=2\nload,hostname=h2 value=3\n");
    expect(f, (struct ask){.metric = "load", .host = "h2", .to = 700, .no_padding = true},
           "[3] 600..660/60 3.00 3.00 3.00");
    fixture_free(f);
}

static void test_ms_09_missing_tags_take_the_default(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    for (int round = 0; round < 3;
         round++) { // the second time heads are known, the third with another default
        int rc = put_body(f,
                          SLICE_LITERAL("load,cluster=a,hostname=h value=1 1700000000\n"
                                        "load,hostname=h value=2 1700000000\n"
                                        "load,cluster=a value=3 1700000000\n"
                                        "load,cluster=a,hostname=h value=4 1700000060\n"),
                          round < 2 ? "a" : "d", false);
        assert_int_equal(rc, 0);
        assert_int_equal(f->result.stored, 3);
        assert_int_equal(f->result.rejected, 1);
    }
    expect(f, (struct ask){.cluster = "a", .metric = "load", .to = 120}, "[1 4] 0..120/60 2.50 1.00 4.00");
    expect(f, (struct ask){.cluster = "d", .metric = "load", .to = 120}, "[2] 0..60/60 2.00 2.00 2.00");
    fixture_free(f);
}

static void test_ms_10_ms_38_ms_57_names_refused(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    char name[257], line[400];
    memset(name, 'x', sizeof(name));
    name[256] = 0;
    static const char *const bad[] = {
        "load value=1 1700000000\n",
        "load,hostname=. value=1 1700000000\n",
        "load,cluster=.,hostname=h value=1 1700000000\n",
        "load,hostname=../x value=1 1700000000\n",
        "load,cluster=a/b,hostname=h value=1 1700000000\n",
        "load,hostname=a\\b value=1 1700000000\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        put(f, bad[i]);
        assert_int_equal(f->result.rejected, 1);
    }
    static const char *const tags[] = {"hostname=%s", "hostname=h,cluster=%s", "hostname=h,type=%s",
                                       "hostname=h,type=s,type-id=%s", "hostname=h,type=s,stype=%s"};
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        struct slice pattern = slice_from_cstr(tags[i]);
        snprintf(line, sizeof(line), "load,%.*s%s value=1 1700000000\n", (int)pattern.len - 2, tags[i], name);
        put(f, line);
        assert_int_equal(f->result.rejected, 1);
    }
    struct store_stats stats;
    store_stats(f->store, &stats);
    assert_int_equal(stats.lines_rejected_name, ARRAY_LEN(bad) + ARRAY_LEN(tags));
    assert_int_equal(stats.hosts, 0);
    expect_debug(f, NULL, "{\"data\":{}}");
    fixture_free(f);
}

static void test_ms_11_node_with_id(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put(f,
        "load,hostname=h,type=node,type-id=0 value=1 1700000000\nload,type-id=0,type=node,hostname=h value=2 "
        "1700000060\nload,hostname=h value=3 1700000120\n");
    expect_debug(f, "c,h", "{\"data\":{\"load\":[{\"start\":1699999970,\"len\":3,\"end\":1700000150}]}}");
    fixture_free(f);
}

// Accepted, and one series: tags that name a part of the node are ignored below it (docs/compatibility.md).
static void test_ms_12_subtype_of_a_node(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put(f, "load,hostname=h,type=node,stype=device,stype-id=eth0 value=1 1700000000\n"
           "load,hostname=h,stype=device,stype-id=eth1 value=2 1700000060\n");
    expect_debug(f, "c,h", "{\"data\":{\"load\":[{\"start\":1699999970,\"len\":2,\"end\":1700000090}]}}");
    fixture_free(f);
}

static void test_tag_order_and_repetition(void **state)
{
    (void)state;
    static const struct {
        const char *tags, *level;
    } cases[] = {
        {"type=core,type-id=23", "core23"},
        {"type-id=23,type=core", "core23"},
        {"type=core,type=socket,type-id=1", "socketcore1"},
        {"type=core,type-id=1,type-id=2", "core12"},
        {"type-id=3", "3"},
        {"type=accelerator,type-id=00000000:49:00.0", "accelerator00000000:49:00.0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture *f = fixture_new((struct store_options){0});
        char line[200], want[200];
        snprintf(line, sizeof(line), "load,host=h,%s value=1i 1700000000\n", cases[i].tags);
        snprintf(want, sizeof(want),
                 "{\"data\":{\"%s\":{\"load\":[{\"start\":1699999970,\"len\":1,\"end\":1700000030}]}}}",
                 cases[i].level);
        put(f, line);
        expect_debug(f, "c,h", want);
        fixture_free(f);
    }
}

static void test_ms_13_good_lines_of_a_bad_batch(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    int rc = put_body(
        f,
        SLICE_LITERAL("load,hostname=h value=1 1700000000\nload,hostname=h2 value=bad 1700000000\n"
                      "unknown,=x\nload,hostname=h temp=1 1700000000\nload,hostname=h value=2 1700000060\n"),
        "c", false);
    assert_int_equal(rc, ERR_INVALID);
    assert_int_equal(f->result.stored, 2);
    assert_int_equal(f->result.skipped, 1);
    assert_int_equal(f->result.rejected, 2);
    assert_int_equal(f->result.error_count, 2);
    assert_string_equal(f->result.first_error.text,
                        "at line 2:24: value for field \"value\" (\"bad\") has unrecognized type");
    expect(f, (struct ask){.metric = "load", .to = 120}, "[1 2] 0..120/60 1.50 1.00 2.00");
    fixture_free(f);
}

static void test_ms_14_broken_off_line(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    for (int round = 0; round < 2; round++) {
        int rc = put_body(f, SLICE_LITERAL("load,hostname=h value=1 1700000000\nload,hostname=h value=12"),
                          "c", true);
        assert_int_equal(rc, ERR_INVALID);
        assert_int_equal(f->result.stored, 1);
        expect(f, (struct ask){.metric = "load", .to = 86400}, "[1] 0..60/60 1.00 1.00 1.00");
    }
    fixture_free(f);
}

static void test_ms_15_line_limit(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){.max_line_bytes = 1000});
    char *body = mem_alloc(3000);
    memset(body, 'x', 2000);
    memcpy(body, "load,hostname=h,t=", 18);
    memcpy(body + 2000, "\nload,hostname=h value=1 1700000000\n", 37);
    assert_int_equal(put_body(f, slice_from_cstr(body), "c", false), ERR_INVALID);
    assert_int_equal(f->result.stored, 1);
    mem_free(body);
    fixture_free(f);
}

static void test_ms_16_future_and_old_samples(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){.retention_s = 3600});
    f->now = T;
    put(f, "load,hostname=h value=1 1699999700\nload,hostname=h value=9 1708640000\nload,hostname=h value=2 "
           "1699999760\n"
           "load,hostname=h value=8 1699990000\nload,hostname=h value=3 1700000600\nload,hostname=h value=7 "
           "1700000601\n"
           "hour,hostname=h value=4 1700018000\nhour,hostname=h value=6 1700018001\n");
    assert_int_equal(f->result.stored, 4);
    struct store_stats stats;
    store_stats(f->store, &stats);
    assert_int_equal(stats.lines_rejected_future, 3);
    assert_int_equal(stats.lines_rejected_old, 1);
    expect(f, (struct ask){.metric = "load", .from = -300, .to = -180}, "[1 2] -300..-180/60 1.50 1.00 2.00");
    expect(f, (struct ask){.metric = "hour", .from = 18000, .to = 18001},
           "[4] 18000..21600/3600 4.00 4.00 4.00");
    fixture_free(f);
}

static void test_ms_54_frequency_per_cluster(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put(f,
        "power,cluster=fine,hostname=h value=1 1700000000\npower,cluster=fine,hostname=h value=2 1700000010\n"
        "power,cluster=c,hostname=h value=1 1700000000\npower,cluster=c,hostname=h value=2 1700000010\n"
        "only_fine,cluster=c,hostname=h value=1 1700000000\n");
    assert_int_equal(f->result.skipped, 1);
    expect(f, (struct ask){.cluster = "fine", .metric = "power", .to = 60}, "[1 2] 0..20/10 1.50 1.00 2.00");
    expect(f, (struct ask){.metric = "power", .to = 60}, "[2] 0..60/60 2.00 2.00 2.00");
    expect(f, (struct ask){.metric = "only_fine", .to = 60}, "{[METRICSTORE]> unknown metric: only_fine}");
    fixture_free(f);
}

static void test_ms_56_refused_lines_leave_no_level(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    assert_int_equal(
        put_body(
            f, SLICE_LITERAL("load,cluster=x,hostname=y value=bad 1\nload,cluster=x,hostname=y value=t 1\n"),
            "c", false),
        ERR_INVALID);
    struct slice *hosts;
    size_t count;
    store_hosts(f->store, SLICE_LITERAL("x"), f->arena, &hosts, &count);
    assert_int_equal(count, 0);
    expect_debug(f, NULL, "{\"data\":{}}");
    fixture_free(f);
}

// ---- query defects ----------------------------------------------------------------------------------------------

static void put_core(struct fixture *f, int id, int first, int count, int factor)
{
    char text[128];
    for (int i = first; i < first + count; i++) {
        snprintf(text, sizeof(text), "flops,hostname=h,type=core,type-id=%d value=%d %lld\n", id,
                 (i + 1) * factor, (long long)T + 60 * i);
        put(f, text);
    }
}

static void test_ms_18_ragged_contributors(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put_core(f, 0, 0, 5, 1);
    put_core(f, 1, 0, 3, 10);
    put_core(f, 2, 0, 4, 100);
    put_core(f, 3, 2, 3, 1000);
    put_core(f, 9, 100, 1, 1); // nothing in the range
    static const struct {
        const char *ids, *want;
    } cases[] = {
        {"0,1", "[11 22 33] 0..180/60 22.00 11.00 33.00"},
        {"1,0", "[11 22 33] 0..180/60 22.00 11.00 33.00"},
        {"2,1,0", "[111 222 333] 0..180/60 222.00 111.00 333.00"},
        {"0,3", "[- - 3003 4004 5005] 120..300/60 4004.00 3003.00 5005.00"},
        {"3,0", "[- - 3003 4004 5005] 120..300/60 4004.00 3003.00 5005.00"},
        {"9,1", "[10 20 30] 0..180/60 20.00 10.00 30.00"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect(f,
               (struct ask){
                   .metric = "flops", .type = "core", .ids = cases[i].ids, .aggregate = true, .to = 300},
               cases[i].want);
    fixture_free(f);
}

static void put_vector(struct fixture *f, int count)
{
    char text[96];
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "load,hostname=h value=%d.%d %lld\n", (i * 7919) % 1009 / 10,
                 (i * 7919) % 1009 % 10, (long long)T + 60 * i);
        put(f, text);
    }
}

static void test_ms_19_statistics_of_native_data(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put_vector(f, 1000);
    expect(f, (struct ask){.metric = "load", .to = 60000, .resolution = 6000},
           "[0 94.7 1.3 100.6 1.4 100.7 1.5 100.8 1.6 52.1] 0..60000/6000 50.47 0.00 100.80");
    expect(f, (struct ask){.metric = "load", .to = 60000, .resolution = 6000, .no_data = true},
           "[] 0..60000/6000 50.47 0.00 100.80");
    expect(f, (struct ask){.metric = "load", .to = 60, .scale = -1}, "[-0] 0..60/60 -0.00 -0.00 -0.00");
    expect(f, (struct ask){.metric = "load", .from = 60, .to = 180, .scale = -1},
           "[-85.6 -70.3] 60..180/60 -77.95 -85.60 -70.30");
    expect(f, (struct ask){.metric = "load", .to = 60, .resolution = 90},
           "{new sampling frequency (90) must be a multiple of old frequency (60)}");
    fixture_free(f);
}

static void test_ms_20_padding_of_resampled_data(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put_vector(f, 1000);
    expect(f,
           (struct ask){.metric = "load", .from = -18000, .to = 60000, .resolution = 6000, .no_stats = true},
           "[- - - 0 94.7 1.3 100.6 1.4 100.7 1.5 100.8 1.6 52.1] 0..60000/6000 0.00 0.00 0.00");
    fixture_free(f);
}

static void test_ms_21_far_ranges(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){.query_max_points = 5000});
    put(f, "hour,hostname=h value=1 1700000000\nhour,hostname=h value=2 1700003600\n");
    expect(f, (struct ask){.metric = "hour", .from = INT64_MIN + T, .to = INT64_MAX - T, .no_padding = true},
           "[1 2] 0..7200/3600 1.50 1.00 2.00");
    expect(f, (struct ask){.metric = "hour", .from = -1000000000, .to = -999999990},
           "[-] 0..0/3600 nan nan nan");
    expect(f, (struct ask){.metric = "hour", .from = -1000000000, .to = 0},
           "error limit: 277778 values with padding, at most 5000");
    put(f, "tick,hostname=h value=1 1700000000\ntick,hostname=h value=2 1700080000\n");
    expect(f, (struct ask){.metric = "tick", .to = 90000},
           "error limit: 80001 values in the range, at most 5000");
    fixture_free(f);
}

static void test_ms_22_missing_components_are_left_out(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put_threads(f, "flops");
    expect(f, (struct ask){.metric = "flops", .type = "hwthread", .ids = "7,1,8", .to = 180},
           "[10 20 30] 0..180/60 20.00 10.00 30.00");
    fixture_free(f);
}

static void test_nan_propagates(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put_core(f, 0, 0, 2, 1);
    put_core(f, 0, 3, 2, 1);
    put_core(f, 1, 0, 5, 10);
    expect(f, (struct ask){.metric = "flops", .to = 300}, "[11 22 - 44 55] 0..300/60 33.00 11.00 55.00");
    fixture_free(f);
}

// ---- free, retention, debug, health -----------------------------------------------------------------------------

static uint64_t free_before(struct fixture *f, const char *path, int64_t to)
{
    struct slice *names;
    size_t count = split(f, path, &names);
    return store_free_before(f->store, names, count, to);
}

static void fill_two_clusters(struct fixture *f)
{
    char text[400];
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof(text),
                 "load,cluster=%c,hostname=h%d value=1 1700000000\n"
                 "flops,cluster=%c,hostname=h%d,type=socket,type-id=0 value=2 1700000000\n"
                 "flops,cluster=%c,hostname=h%d,type=socket,type-id=1 value=3 1700000000\n",
                 "ab"[i / 2], i % 2 + 1, "ab"[i / 2], i % 2 + 1, "ab"[i / 2], i % 2 + 1);
        put(f, text);
    }
}

#define ONE "[{\"start\":1699999970,\"len\":1,\"end\":1700000030}]"

static void test_free_selectors(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    fill_two_clusters(f);
    assert_int_equal(free_before(f, "a,h1", T + 60), 0); // the end must be smaller
    assert_int_equal(free_before(f, "a,h1,socket0", T + 10000), 1);
    expect_debug(f, "a,h1", "{\"data\":{\"load\":" ONE ",\"socket0\":{},\"socket1\":{\"flops\":" ONE "}}}");
    assert_int_equal(free_before(f, "a", T + 10000), 5);
    expect_debug(f, "a", "{\"data\":{}}");
    assert_int_equal(free_before(f, "b,h2", T + 10000), 3);
    expect_debug(f, "b",
                 "{\"data\":{\"h1\":{\"load\":" ONE ",\"socket0\":{\"flops\":" ONE
                 "},\"socket1\":{\"flops\":" ONE "}},\"h2\":{}}}");
    assert_int_equal(free_before(f, NULL, T + 10000), 3);
    expect_debug(f, NULL, "{\"data\":{}}");
    put(f, "load,cluster=a,hostname=h1 value=1 1700000000\n"); // after all that, lines are taken again
    expect_debug(f, NULL, "{\"data\":{\"a\":{\"h1\":{\"load\":" ONE "}}}}");
    fixture_free(f);
}

static void test_ms_26_free_creates_nothing(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put(f, "load,cluster=a,hostname=h value=1 1700000000\n");
    static const char *const unknown[] = {"x",           "x,y",           "a,y",  "a,h,core0",
                                          "a,h,core0,x", "a,h,core0,x,y", "x,y,z"};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        assert_int_equal(free_before(f, unknown[i], T + 10000), 0);
    expect_debug(f, NULL, "{\"data\":{\"a\":{\"h\":{\"load\":" ONE "}}}}");
    fixture_free(f);
}

static bool keep_h1(void *ctx, struct slice cluster, struct slice host)
{
    (void)ctx, (void)cluster;
    return slice_eq_cstr(host, "h1");
}

static void test_retention_keeps_used_hosts(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    fill_two_clusters(f);
    put(f,
        "load,cluster=b,hostname=h2 value=1 1700080000\n"); // a gap: the old segment can go, the new one stays
    assert_int_equal(store_retain(f->store, T + 10000, keep_h1, NULL), 6);
    struct store_stats stats;
    store_stats(f->store, &stats);
    assert_int_equal(stats.hosts, 3);
    assert_int_equal(stats.freed_chunks, 6);
    assert_int_equal(store_retain(f->store, T + 200000, NULL, NULL), 7);
    store_stats(f->store, &stats);
    assert_int_equal(stats.hosts + stats.series + stats.open_chunks + stats.sealed_chunks, 0);
    assert_int_equal(stats.bytes_open + stats.bytes_sealed, 0);
    fixture_free(f);
}

static void test_ms_25_debug_is_json(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put(f, "load,cluster=a\"b,hostname=h<1> value=1 "
           "1700000000\nload,cluster=a\"b,hostname=h<1>,type=t,type-id=\"x\" value=1 "
           "1700000000\n");
    expect_debug(f, NULL,
                 "{\"data\":{\"a\\\"b\":{\"h\\u003c1\\u003e\":{\"load\":" ONE ",\"t\\\"x\\\"\":{\"load\":" ONE
                 "}}}}}");
    expect_debug(f, "x,y", "[METRICSTORE]> not found: []string{\"x\", \"y\"}");
    expect_debug(f, "a\"b,h<1>,no",
                 "[METRICSTORE]> not found: []string{\"a\\\"b\", \"h\\u003c1\\u003e\", \"no\"}");
    fixture_free(f);
}

static void put_tick(struct fixture *f, const char *host, const char *metric, int64_t ts)
{
    char text[128];
    snprintf(text, sizeof(text), "%s,hostname=%s value=1 %lld\n", metric, host, (long long)ts);
    put(f, text);
}

// TestHealthCheck of 11.1.
static void test_health_check(void **state)
{
    (void)state;
    static const struct store_metric health_metrics[] = {{NULL, "load", 10, AGGREGATION_AVG},
                                                         {NULL, "mem_used", 10, AGGREGATION_AVG},
                                                         {NULL, "cpu_user", 10, AGGREGATION_AVG},
                                                         {NULL, "cpu_system", 10, AGGREGATION_AVG}};
    struct fixture *f = fixture_new((struct store_options){0});
    struct store_options options = {.metrics = health_metrics, .metric_count = 4};
    struct error err = ERROR_INIT;
    store_free(&f->store);
    assert_int_equal(store_new(&options, &f->store, &err), 0);
    f->now = T;
    for (int i = 0; i < 4; i++) {
        put_tick(f, "node001", health_metrics[i].name, T - 10);
        put_tick(f, "node002", health_metrics[i].name, i < 2 ? T - 10 : T - 100);
        if (i < 2)
            put_tick(f, "node003", health_metrics[i].name, T - 10);
        put_tick(f, "node005", health_metrics[i].name, T - 100);
        put_tick(f, "edge", health_metrics[i].name,
                 T - 55); // ends 50 s ago: five intervals are still healthy
    }
    static const struct {
        const char *host;
        size_t metrics;
        enum store_health want;
        bool known;
    } cases[] = {
        {"node001", 4, STORE_HEALTH_FULL, true},    {"node002", 4, STORE_HEALTH_PARTIAL, true},
        {"node003", 4, STORE_HEALTH_PARTIAL, true}, {"node004", 4, STORE_HEALTH_FAILED, false},
        {"node005", 4, STORE_HEALTH_FAILED, true},  {"node001", 2, STORE_HEALTH_FULL, true},
        {"node002", 2, STORE_HEALTH_FULL, true},    {"node003", 2, STORE_HEALTH_FULL, true},
        {"node004", 2, STORE_HEALTH_FAILED, false}, {"node005", 2, STORE_HEALTH_FAILED, true},
        {"node005", 0, STORE_HEALTH_FULL, true},    {"edge", 4, STORE_HEALTH_FULL, true},
    };
    struct slice names[4];
    for (int i = 0; i < 4; i++)
        names[i] = slice_from_cstr(health_metrics[i].name);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum store_metric_health each[4];
        bool known;
        enum store_health got =
            store_health_check(f->store, SLICE_LITERAL("c"), slice_from_cstr(cases[i].host), names,
                               cases[i].metrics, T, each, &known);
        if (got != cases[i].want || known != cases[i].known)
            fail_msg("case %zu %s: state %d, known %d", i, cases[i].host, (int)got, known);
    }
    enum store_metric_health each[4];
    bool known;
    names[3] = SLICE_LITERAL("absent");
    store_health_check(f->store, SLICE_LITERAL("c"), SLICE_LITERAL("node002"), names, 4, T, each, &known);
    assert_true(each[0] == STORE_METRIC_HEALTHY && each[2] == STORE_METRIC_DEGRADED &&
                each[3] == STORE_METRIC_MISSING);
    fixture_free(f);
}

// A fixture with the metrics of TestHealthCheck, at T.
static struct fixture *health_fixture_new(void)
{
    static const struct store_metric health_metrics[] = {{NULL, "load", 10, AGGREGATION_AVG},
                                                         {NULL, "mem_used", 10, AGGREGATION_AVG},
                                                         {NULL, "cpu_user", 10, AGGREGATION_AVG}};
    struct fixture *f = fixture_new((struct store_options){0});
    struct store_options options = {.metrics = health_metrics, .metric_count = 3};
    struct error err = ERROR_INIT;
    store_free(&f->store);
    assert_int_equal(store_new(&options, &f->store, &err), 0);
    f->now = T;
    return f;
}

static void test_get_healthy_metrics(void **state)
{
    (void)state;
    struct fixture *f = health_fixture_new();
    const struct slice names[] = {SLICE_LITERAL("load"), SLICE_LITERAL("mem_used"),
                                  SLICE_LITERAL("cpu_user")};
    enum store_metric_health each[3];
    bool known;
    put_tick(f, "node001", "load", T - 10);
    put_tick(f, "node001", "mem_used", T - 100);
    assert_int_equal(
        store_health_check(f->store, SLICE_LITERAL("c"), SLICE_LITERAL("node001"), names, 3, T, each, &known),
        STORE_HEALTH_PARTIAL);
    assert_true(known && each[0] == STORE_METRIC_HEALTHY && each[1] == STORE_METRIC_DEGRADED &&
                each[2] == STORE_METRIC_MISSING);
    assert_int_equal(
        store_health_check(f->store, SLICE_LITERAL("c"), SLICE_LITERAL("node001"), names, 1, T, each, &known),
        STORE_HEALTH_FULL);
    store_health_check(f->store, SLICE_LITERAL("c"), SLICE_LITERAL("node999"), names, 3, T, each, &known);
    assert_false(known);
    fixture_free(f);
}

// Fresh until five intervals after the end of the last value (4.10), not a second longer.
static void test_buffer_health_checks(void **state)
{
    (void)state;
    static const struct {
        int64_t first, last; // samples every 10 s, as seconds ago; 0: none
        enum store_metric_health want;
    } cases
        [] =
            {{0, 0, STORE_METRIC_MISSING},      {30, 10, STORE_METRIC_HEALTHY},
             {200, 100, STORE_METRIC_DEGRADED}, {50, 50, STORE_METRIC_HEALTHY},
             {55, 55, STORE_METRIC_HEALTHY}, // ends 50 s ago: [start, start + 10) begins half an interval before
             {56, 56, STORE_METRIC_DEGRADED}};
    const struct slice name = SLICE_LITERAL("load");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture *f = health_fixture_new();
        enum store_metric_health got;
        bool known;
        for (int64_t ago = cases[i].first; ago >= cases[i].last && ago > 0; ago -= 10)
            put_tick(f, "h", "load", T - ago);
        store_health_check(f->store, SLICE_LITERAL("c"), SLICE_LITERAL("h"), &name, 1, T, &got, &known);
        if (got != cases[i].want)
            fail_msg("%lld to %lld s ago: %d", (long long)cases[i].first, (long long)cases[i].last, (int)got);
        fixture_free(f);
    }
}

// What upstream's reads add to what is in their array is here the sum of two series: [2, 1] and [3, 5].
static void test_buffer_read_accumulation(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put(f, "flops,hostname=h,type=core,type-id=0 value=2 1700000000\n"
           "flops,hostname=h,type=core,type-id=0 value=1 1700000060\n"
           "flops,hostname=h,type=core,type-id=1 value=3 1700000000\n"
           "flops,hostname=h,type=core,type-id=1 value=5 1700000060\n");
    expect(f, (struct ask){.metric = "flops", .from = 0, .to = 120}, "[5 6] 0..120/60 5.50 5.00 6.00");
    fixture_free(f);
}

// Sums are made of integers in units of the finest value: large and fine values together must not overflow them.
static void test_sum_of_large_and_fine_values(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    char text[128];
    for (int i = 0; i < 600; i++) { // sealed and open values
        snprintf(text, sizeof(text), "tick,hostname=h,type=core,type-id=0 value=9000000000000 %d\n",
                 1700000000 + i);
        put(f, text);
        snprintf(text, sizeof(text), "tick,hostname=h,type=core,type-id=1 value=0.%09d %d\n",
                 100000001 + i * 7919 % 1009, 1700000000 + i);
        put(f, text);
    }
    expect(f, (struct ask){.metric = "tick", .from = 0, .to = 3, .no_stats = true},
           "[9e+12 9e+12 9e+12] 0..3/1 0.00 0.00 0.00");
    struct store_series *entries;
    size_t count;
    struct error err = ERROR_INIT;
    struct ask all = {.metric = "tick", .from = T, .to = T + 512}; // sealed
    assert_int_equal(run(f, &all, &entries, &count, &err), 0);
    assert_int_equal(entries[0].count, 512);
    for (int i = 0; i < 512; i++)
        assert_true(entries[0].data[i] == 9e12 + (100000001 + i * 7919 % 1009) / 1e9);
    fixture_free(f);
}

static void test_hosts_are_sorted(void **state)
{
    (void)state;
    struct fixture *f = fixture_new((struct store_options){0});
    put(f, "load,hostname=b value=1 1700000000\nload,hostname=a value=1 "
           "1700000000\nload,cluster=x,hostname=z value=1 "
           "1700000000\n");
    struct slice *hosts;
    size_t count;
    store_hosts(f->store, SLICE_LITERAL("c"), f->arena, &hosts, &count);
    assert_int_equal(count, 2);
    assert_true(slice_eq_cstr(hosts[0], "a") && slice_eq_cstr(hosts[1], "b"));
    assert_true(store_has_metric(f->store, SLICE_LITERAL("load")) &&
                !store_has_metric(f->store, SLICE_LITERAL("x")));
    fixture_free(f);
}

static void test_bad_metrics_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct store_metric metrics[2];
        const char *text;
    } cases[] = {
        {{{NULL, "a", 0, AGGREGATION_NONE}, {NULL, "b", 1, AGGREGATION_NONE}},
         "metric 'a': invalid frequency 0"},
        {{{NULL, "b", 1, AGGREGATION_NONE}, {NULL, "a", -5, AGGREGATION_NONE}},
         "metric 'a': invalid frequency -5"},
        {{{NULL, "a", 1, AGGREGATION_NONE}, {NULL, "a", 2, AGGREGATION_NONE}}, "metric 'a' is there twice"},
        {{{NULL, "", 1, AGGREGATION_NONE}, {NULL, "a", 2, AGGREGATION_NONE}}, "metric without a name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct store *store = NULL;
        struct error err = ERROR_INIT;
        struct store_options options = {.metrics = cases[i].metrics, .metric_count = 2};
        assert_int_not_equal(store_new(&options, &store, &err), 0);
        assert_null(store);
        assert_string_equal(err.text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_examples),
        cmocka_unit_test(test_components_and_aggregation),
        cmocka_unit_test(test_level_with_data_hides_children),
        cmocka_unit_test(test_ms_07_timestamp_units),
        cmocka_unit_test(test_ms_08_missing_timestamp_is_now),
        cmocka_unit_test(test_ms_09_missing_tags_take_the_default),
        cmocka_unit_test(test_ms_10_ms_38_ms_57_names_refused),
        cmocka_unit_test(test_ms_11_node_with_id),
        cmocka_unit_test(test_ms_12_subtype_of_a_node),
        cmocka_unit_test(test_tag_order_and_repetition),
        cmocka_unit_test(test_ms_13_good_lines_of_a_bad_batch),
        cmocka_unit_test(test_ms_14_broken_off_line),
        cmocka_unit_test(test_ms_15_line_limit),
        cmocka_unit_test(test_ms_16_future_and_old_samples),
        cmocka_unit_test(test_ms_54_frequency_per_cluster),
        cmocka_unit_test(test_ms_56_refused_lines_leave_no_level),
        cmocka_unit_test(test_ms_18_ragged_contributors),
        cmocka_unit_test(test_ms_19_statistics_of_native_data),
        cmocka_unit_test(test_ms_20_padding_of_resampled_data),
        cmocka_unit_test(test_ms_21_far_ranges),
        cmocka_unit_test(test_ms_22_missing_components_are_left_out),
        cmocka_unit_test(test_nan_propagates),
        cmocka_unit_test(test_free_selectors),
        cmocka_unit_test(test_ms_26_free_creates_nothing),
        cmocka_unit_test(test_retention_keeps_used_hosts),
        cmocka_unit_test(test_ms_25_debug_is_json),
        cmocka_unit_test(test_health_check),
        cmocka_unit_test(test_get_healthy_metrics),
        cmocka_unit_test(test_buffer_health_checks),
        cmocka_unit_test(test_buffer_read_accumulation),
        cmocka_unit_test(test_sum_of_large_and_fine_values),
        cmocka_unit_test(test_hosts_are_sorted),
        cmocka_unit_test(test_bad_metrics_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
