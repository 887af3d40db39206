// SPDX-License-Identifier: MIT
#include "collector/router.h"

#include "collector/sinks/sinks.h"
#include "collector/testing.h"

struct fixture {
    char *root, *path;
    struct json_doc *sink_config;
    struct sink *sink;
    struct arena *arena;
};

static void fixture_init(struct fixture *f)
{
    char config[256];
    f->root = testing_make_root();
    f->path = file_join(f->root, "out.lp");
    f->arena = arena_new(1 << 20);
    snprintf(config, sizeof(config), "{'output_file': '%s', 'meta_as_tags': ['unit']}", f->path);
    f->sink_config = testing_json(config);
    assert_int_equal(sink_new(&sink_stdout_ops, "out", json_root(f->sink_config), "test", &f->sink, NULL), 0);
}

static void fixture_release(struct fixture *f)
{
    sink_free(&f->sink);
    json_doc_free(&f->sink_config);
    arena_free(&f->arena);
    mem_free(f->path);
    testing_remove_root(&f->root);
}

static series_id declare(struct router *r, const char *name, const char *unit, enum lineproto_kind kind)
{
    struct message *m = message_new(slice_from_cstr(name), (struct wall_time){.ns = 0});
    message_set_tag(m, SLICE_LITERAL("type"), SLICE_LITERAL("node"));
    if (unit)
        message_set_meta(m, SLICE_LITERAL("unit"), slice_from_cstr(unit));
    message_set_field(m, SLICE_LITERAL("value"), (struct lineproto_value){.kind = kind});
    series_id id = router_declare(r, &m);
    assert_null(m);
    return id;
}

// Sends load_one 0.5, proc_run 3i, net_bytes_in 7i, net_bytes_in_bw 1250.5, mem_used 16384000 kB at 1700000001 s.
static void send_all(struct router *r)
{
    struct batch batch = {.time = wall_from_seconds(1700000001)};
    series_id ids[] = {
        declare(r, "load_one", NULL, LINEPROTO_FLOAT), declare(r, "proc_run", NULL, LINEPROTO_INT),
        declare(r, "net_bytes_in", NULL, LINEPROTO_INT), declare(r, "net_bytes_in_bw", NULL, LINEPROTO_FLOAT),
        declare(r, "mem_used", "kB", LINEPROTO_FLOAT)};
    batch_add_f64(&batch, ids[0], 0.5);
    batch_add_i64(&batch, ids[1], 3);
    batch_add_i64(&batch, ids[2], 7);
    batch_add_f64(&batch, ids[3], 1250.5);
    batch_add_f64(&batch, ids[4], 16384000);
    batch_add_f64(&batch, SERIES_NONE, 1);
    router_deliver(r, &batch, wall_from_seconds(1700000010));
    router_flush(r);
    mem_free(batch.items);
}

#define AT " 1700000001000000000\n"
#define ALL                                                                                                  \
    "load_one,hostname=n1,type=node value=0.5" AT "proc_run,hostname=n1,type=node value=3i" AT               \
    "net_bytes_in,hostname=n1,type=node value=7i" AT "net_bytes_in_bw,hostname=n1,type=node value=1250.5" AT \
    "mem_used,hostname=n1,type=node,unit=kB value=1.6384e+07" AT

static const struct {
    const char *title, *config, *lines;
} cases[] = {
    {"nothing configured", "{}", ALL},
    {"all keys accepted", "{'max_forward': 0, 'num_cache_intervals': -1, 'interval_aggregates': []}", ALL},
    // collector.md 2.4
    {"worked example",
     "{'interval_timestamp': true, 'process_messages': {'add_tags_if': [{'key': 'cluster', 'value': 'alex', "
     "'if': "
     "'true'}], 'drop_messages': ['net_bytes_in', 'proc_run'], 'rename_messages': {'load_one': 'cpu_load', "
     "'net_bytes_in_bw': 'net_bytes_in'}, 'change_unit_prefix': {'name == \\u0027mem_used\\u0027': 'G'}}}",
     "cpu_load,cluster=alex,hostname=n1,type=node value=0.5 1700000010000000000\n"
     "net_bytes_in,cluster=alex,hostname=n1,type=node value=1250.5 1700000010000000000\n"
     "mem_used,cluster=alex,hostname=n1,type=node,unit=GB value=16.384 1700000010000000000\n"},
    {"legacy options",
     "{'add_tags': [{'key': 'cluster', 'value': 'c', 'if': '*'}, {'key': 'x', 'value': 'y', 'if': 'name == "
     "\\u0027load_one\\u0027'}], 'delete_tags': [{'key': 'type', 'value': 'ignored', 'if': '*'}], "
     "'drop_metrics': "
     "['net_bytes_in'], 'drop_metrics_if': ['name == \\u0027proc_run\\u0027'], 'rename_metrics': "
     "{'net_bytes_in_bw': "
     "'net_bytes_in'}, 'normalize_units': true, 'change_unit_prefix': {'mem_used': 'M'}}",
     "load_one,cluster=c,hostname=n1,x=y value=0.5" AT "net_bytes_in,cluster=c,hostname=n1 value=1250.5" AT
     "mem_used,cluster=c,hostname=n1,unit=MB value=16384" AT},
    {"hostname_tag",
     "{'hostname_tag': 'host', 'drop_metrics': ['proc_run', 'net_bytes_in', 'net_bytes_in_bw', 'mem_used']}",
     "load_one,host=n1,type=node value=0.5" AT},
    {"a message that has the tag keeps it",
     "{'hostname_tag': 'type', 'drop_metrics': ['proc_run', 'net_bytes_in', 'net_bytes_in_bw', 'mem_used']}",
     "load_one,type=node value=0.5" AT},
};

static void test_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct error err = ERROR_INIT;
        struct router_settings settings;
        struct router *router = NULL;
        struct json_doc *doc = testing_json(cases[i].config);
        fixture_init(&f);
        if (router_read_settings(json_root(doc), "test", f.arena, &settings, &err) < 0 ||
            router_new(&settings, "n1", &f.sink, 1, &router, &err) < 0)
            fail_msg("%s: %s", cases[i].title, err.text);
        send_all(router);
        sink_begin_drain(f.sink, 5000);
        assert_int_equal(sink_finish_drain(f.sink), SINK_DELIVERED_ALL);
        char *text = testing_read(f.path);
        if (strcmp(text, cases[i].lines) != 0)
            fail_msg("%s: got\n%s\nnot\n%s", cases[i].title, text, cases[i].lines);
        mem_free(text);
        router_free(&router);
        json_doc_free(&doc);
        fixture_release(&f);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *config, *names;
    } refused[] = {
        {"[]", "router"},
        {"{'nosuch': 1}", "nosuch"},
        {"{'del_tags': []}", "del_tags"},
        {"{'add_tags': [{'key': 'a', 'value': 'b'}]}", "add_tags"},
        {"{'add_tags': [{'key': 'a', 'value': 'b', 'if': '*', 'comment': 'x'}]}", "comment"},
        {"{'add_tags': [{'key': 'a', 'value': 'b', 'if': 'match(1)'}]}", "match(1)"},
        {"{'add_tags': {'key': 'a'}}", "add_tags"},
        {"{'delete_tags': ['a']}", "delete_tags"},
        {"{'drop_metrics': 'load_one'}", "drop_metrics"},
        {"{'drop_metrics_if': 'x'}", "drop_metrics_if"},
        {"{'drop_metrics_if': ['name ==']}", "drop_metrics_if"},
        {"{'rename_metrics': ['a', 'b']}", "rename_metrics"},
        {"{'rename_metrics': {'a': 5}}", "rename_metrics"},
        {"{'interval_timestamp': 'true'}", "interval_timestamp"},
        {"{'max_forward': '50'}", "max_forward"},
        {"{'max_forward': 1.5}", "max_forward"},
        {"{'process_messages': []}", "process_messages"},
        {"{'num_cache_intervals': 1}", "num_cache_intervals"},
        {"{'interval_aggregates': [{'name': 'a', 'comment': 'x'}]}", "comment"},
        {"{'interval_aggregates': {}}", "interval_aggregates"},
        {"{'hostname_tag': ''}", "hostname_tag"},
        {"{'hostname_tag': 'it\\u0027s'}", "hostname_tag"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct error err = ERROR_INIT;
        struct router_settings settings;
        struct router *router = NULL;
        struct arena *arena = arena_new(1 << 20);
        struct json_doc *doc = testing_json(refused[i].config);
        int rc = router_read_settings(json_root(doc), "test", arena, &settings, &err);
        if (rc == 0)
            rc = router_new(&settings, "n1", NULL, 0, &router, &err);
        if (rc == 0)
            fail_msg("%s was accepted", refused[i].config);
        if (!slice_contains(slice_from_cstr(err.text), slice_from_cstr(refused[i].names)))
            fail_msg("%s: '%s' does not name %s", refused[i].config, err.text, refused[i].names);
        json_doc_free(&doc);
        arena_free(&arena);
    }
}

static void test_counts(void **state)
{
    (void)state;
    struct fixture f;
    struct router_settings settings;
    struct router *router = NULL;
    struct json_doc *doc = testing_json("{'drop_metrics': ['proc_run']}");
    fixture_init(&f);
    assert_int_equal(router_read_settings(json_root(doc), "test", f.arena, &settings, NULL), 0);
    assert_int_equal(router_new(&settings, "n1", &f.sink, 1, &router, NULL), 0);
    send_all(router);
    struct router_stats stats = router_read_stats(router);
    assert_int_equal(stats.series, 5);
    assert_int_equal(stats.dropped_series, 1);
    assert_int_equal(stats.samples, 4);
    router_free(&router);
    json_doc_free(&doc);
    fixture_release(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_counts),
    };
    return TEST_MAIN(argc, argv, tests);
}
