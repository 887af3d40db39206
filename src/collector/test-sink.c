// SPDX-License-Identifier: MIT
#include "collector/sink.h"

#include <pthread.h>

#include "collector/sinks/sinks.h"
#include "collector/testing.h"

// A kind of sink that keeps what it is sent and fails as asked. One at a time: its state belongs to the test program.
struct fake_options {
    struct sink_common common;
    int64_t flush_delay_ms;
    bool one_by_one;
};
static const struct setting fake_settings[] = {
    SINK_COMMON_SETTINGS(struct fake_options),
    {.key = "flush_delay_ms", .type = SETTING_INT, .offset = offsetof(struct fake_options, flush_delay_ms)},
    {.key = "one_by_one", .type = SETTING_BOOL, .offset = offsetof(struct fake_options, one_by_one)},
    {0},
};

static struct {
    pthread_mutex_t lock;
    struct buf text; // chunks, with '|' behind each
    int failures;    // so many sends are answered with 'code' first
    int code;
    int64_t wait_ms; // the last one that was offered
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int fake_open(const void *options, const char *name, struct sink_traits *traits, void **state,
                     struct error *err)
{
    const struct fake_options *o = options;
    (void)name, (void)err;
    *traits = (struct sink_traits){.precision = PRECISION_S,
                                   .flush_delay_ns = o->flush_delay_ms * NS_PER_MS,
                                   .one_by_one = o->one_by_one};
    *state = &fake;
    return 0;
}

static int fake_send(void *state, struct slice chunk, int64_t *wait_ms, struct error *err)
{
    (void)state;
    int rc = 0;
    pthread_mutex_lock(&fake.lock);
    fake.wait_ms = *wait_ms;
    if (fake.failures > 0) {
        fake.failures--;
        rc = error_set(err, fake.code, "on request");
        *wait_ms = 1;
    } else {
        buf_append_slice(&fake.text, chunk);
        buf_append_byte(&fake.text, '|');
    }
    pthread_mutex_unlock(&fake.lock);
    return rc;
}

static void fake_close(void *state)
{
    (void)state;
}

static const struct sink_ops fake_ops = {.type = "fake",
                                         .display = "FakeSink",
                                         .settings = fake_settings,
                                         .options_size = sizeof(struct fake_options),
                                         .open = fake_open,
                                         .send = fake_send,
                                         .close = fake_close};

static struct sink *make_sink(const char *config, int failures, int code)
{
    struct json_doc *doc = testing_json(config);
    struct sink *sink = NULL;
    struct error err = ERROR_INIT;
    buf_init(&fake.text, 1 << 20);
    fake.failures = failures;
    fake.code = code;
    if (sink_new(&fake_ops, "fake", json_root(doc), "test", &sink, &err) < 0)
        fail_msg("%s: %s", config, err.text);
    json_doc_free(&doc);
    return sink;
}

static void declare(struct sink *sink, series_id id, const char *name, enum lineproto_kind kind)
{
    struct conversion none = {0};
    struct message *m = message_new(slice_from_cstr(name), (struct wall_time){.ns = 0});
    message_set_tag(m, SLICE_LITERAL("type"), SLICE_LITERAL("node"));
    message_set_meta(m, SLICE_LITERAL("unit"), SLICE_LITERAL("kB"));
    message_set_field(m, SLICE_LITERAL("value"), (struct lineproto_value){.kind = kind});
    sink_declare(sink, id, m, &none);
    message_free(&m);
}

static void append(struct sink *sink, struct sample *samples, size_t count, int64_t seconds)
{
    struct batch batch = {.items = samples, .count = count};
    sink_append(sink, &batch, wall_from_seconds(seconds));
}

static void finish(struct sink **sink, const char *expected)
{
    sink_flush(*sink);
    sink_begin_drain(*sink, 5000);
    sink_finish_drain(*sink);
    if (strcmp(buf_cstr(&fake.text), expected) != 0)
        fail_msg("got '%s', expected '%s'", buf_cstr(&fake.text), expected);
    buf_release(&fake.text);
    sink_free(sink);
    assert_null(*sink);
}

static void test_lines(void **state)
{
    (void)state;
    struct sink *sink = make_sink("{'type': 'fake', 'meta_as_tags': ['unit']}", 0, 0);
    declare(sink, 0, "f", LINEPROTO_FLOAT);
    declare(sink, 1, "i", LINEPROTO_INT);
    declare(sink, 2, "u", LINEPROTO_UINT);
    struct sample samples[] = {{.series = 0, .kind = LINEPROTO_FLOAT, .f64 = 16384000},
                               {.series = 1, .kind = LINEPROTO_INT, .i64 = -3},
                               {.series = 2, .kind = LINEPROTO_UINT, .u64 = UINT64_MAX},
                               {.series = 7, .kind = LINEPROTO_INT, .i64 = 1}}; // not declared here
    append(sink, samples, 4, 1700000000);
    finish(&sink,
           "f,type=node,unit=kB value=1.6384e+07 1700000000\ni,type=node,unit=kB value=-3i 1700000000\n"
           "u,type=node,unit=kB value=18446744073709551615u 1700000000\n|");
}

static void test_rules_of_the_sink(void **state)
{
    (void)state;
    struct sink *sink =
        make_sink("{'process_messages': {'drop_messages': ['a'], 'rename_messages': {'b': 'c'}}}", 0, 0);
    declare(sink, 0, "a", LINEPROTO_INT);
    declare(sink, 1, "b", LINEPROTO_INT);
    struct sample samples[] = {{.series = 0, .kind = LINEPROTO_INT}, {.series = 1, .kind = LINEPROTO_INT}};
    append(sink, samples, 2, 1);
    finish(&sink, "c,type=node value=0i 1\n|");
}

static void test_one_message_per_batch(void **state)
{
    (void)state;
    struct sink *sink = make_sink("{'one_by_one': true}", 0, 0);
    declare(sink, 0, "a", LINEPROTO_INT);
    struct sample samples[] = {{.series = 0, .kind = LINEPROTO_INT, .i64 = 1},
                               {.series = 0, .kind = LINEPROTO_INT, .i64 = 2}};
    append(sink, samples, 2, 1);
    finish(&sink, "a,type=node value=1i 1\n|a,type=node value=2i 1\n|");
}

static void test_window_collects_and_drain_ends_it(void **state)
{
    (void)state;
    struct sink *sink = make_sink("{'flush_delay_ms': 60000}", 0, 0);
    declare(sink, 0, "a", LINEPROTO_INT);
    struct sample s = {.series = 0, .kind = LINEPROTO_INT};
    append(sink, &s, 1, 1);
    sink_flush(sink);
    append(sink, &s, 1, 2);
    assert_int_equal(sink_read_stats(sink).queued_messages, 2);
    finish(&sink, "a,type=node value=0i 1\na,type=node value=0i 2\n|");
}

// messages.md 6.2: what the receiver cannot take now is kept, in order.
static void test_failed_batches_are_sent_again(void **state)
{
    (void)state;
    struct sink *sink = make_sink("{}", 3, ERR_BUSY);
    declare(sink, 0, "a", LINEPROTO_INT);
    struct sample s = {.series = 0, .kind = LINEPROTO_INT};
    for (int i = 1; i <= 3; i++) {
        append(sink, &s, 1, i);
        sink_flush(sink);
    }
    sink_begin_drain(sink, 5000);
    assert_int_equal(sink_finish_drain(sink), SINK_DELIVERED_ALL);
    struct sink_stats stats = sink_read_stats(sink);
    assert_int_equal(stats.sent_messages, 3);
    assert_int_equal(stats.retried_batches, 3);
    assert_int_equal(stats.dropped_messages, 0);
    finish(&sink, "a,type=node value=0i 1\n|a,type=node value=0i 2\n|a,type=node value=0i 3\n|");
}

static void test_refused_batches_are_dropped_and_counted(void **state)
{
    (void)state;
    struct sink *sink = make_sink("{'one_by_one': true}", 1, ERR_DENIED);
    declare(sink, 0, "a", LINEPROTO_INT);
    struct sample samples[] = {{.series = 0, .kind = LINEPROTO_INT, .i64 = 1},
                               {.series = 0, .kind = LINEPROTO_INT, .i64 = 2}};
    append(sink, samples, 2, 1);
    sink_flush(sink);
    sink_begin_drain(sink, 5000);
    assert_int_equal(sink_finish_drain(sink), SINK_DELIVERED_ALL);
    struct sink_stats stats = sink_read_stats(sink);
    assert_int_equal(stats.failed_batches, 1);
    assert_int_equal(stats.dropped_messages, 1);
    finish(&sink, "a,type=node value=2i 1\n|");
}

static void test_what_cannot_be_delivered_is_counted_at_the_end(void **state)
{
    (void)state;
    struct sink *sink = make_sink("{}", 1000000, ERR_BUSY);
    declare(sink, 0, "a", LINEPROTO_INT);
    struct sample s = {.series = 0, .kind = LINEPROTO_INT};
    append(sink, &s, 1, 1);
    sink_flush(sink);
    sink_begin_drain(sink, 50);
    assert_int_equal(sink_finish_drain(sink), SINK_LOST_SOME);
    assert_int_equal(sink_read_stats(sink).dropped_messages, 1);
    finish(&sink, "");
}

// messages.md 2.2, marks: a message that cannot be encoded does not stop the others.
static void test_rejected_messages_are_counted(void **state)
{
    (void)state;
    struct sink *sink = make_sink("{}", 0, 0);
    declare(sink, 0, "bad\nname", LINEPROTO_INT);
    declare(sink, 1, "a", LINEPROTO_FLOAT);
    struct sample samples[] = {{.series = 0, .kind = LINEPROTO_INT},
                               {.series = 1, .kind = LINEPROTO_FLOAT, .f64 = __builtin_nan("")},
                               {.series = 1, .kind = LINEPROTO_FLOAT, .f64 = 2}};
    append(sink, samples, 3, 1);
    assert_int_equal(sink_read_stats(sink).rejected_messages, 2);
    finish(&sink, "a,type=node value=2 1\n|");
}

static void test_configurations(void **state)
{
    (void)state;
    static const struct {
        const char *type, *config, *message; // message NULL: accepted
    } cases[] = {
        {"http", "{'type': 'http', 'url': 'http://localhost/'}", NULL},
        {"http", "{'type': 'http'}", "`url` config option is required for HTTP sink"},
        {"http", "{'type': 'http', 'url': ''}", "`url` config option is required for HTTP sink"},
        {"http", "{'url': 'http://x', 'username': 'u'}", "requires password"},
        {"http", "{'url': 'http://x', 'password': 'u'}", "requires username"},
        {"http", "{'url': 'x'}", "neither http:// nor https://"},
        {"http", "{'url': 'http://x', 'batch_size': 10}", "batch_size"},
        {"http", "{'url': 'http://x', 'max_retries': '3'}", "max_retries"},
        {"http", "{'url': 'http://x', 'meta_as_tags': 'unit'}", "meta_as_tags"},
        {"http", "{'url': 'http://x', 'meta_as_tags': [1]}", "meta_as_tags"},
        {"http", "{'url': 'http://x', 'process_messages': {'drop_messages': 1}}", "drop_messages"},
        {"stdout", "{'type': 'stdout'}", NULL},
        {"stdout", "{'type': 'stdout', 'output': 'x'}", "output"},
        {"stdout", "{'type': 'stdout', 'precision': 's'}", "precision"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_doc *doc = testing_json(cases[i].config);
        struct error err = ERROR_INIT;
        const struct sink_ops *ops = sink_kind_find(slice_from_cstr(cases[i].type));
        assert_non_null(ops);
        int rc = sink_check(ops, json_root(doc), "test", NULL, &err);
        if ((rc == 0) != (cases[i].message == NULL))
            fail_msg("%s: result %d (%s)", cases[i].config, rc, err.text);
        if (rc < 0 && !slice_contains(slice_from_cstr(err.text), slice_from_cstr(cases[i].message)))
            fail_msg("%s: '%s' does not say '%s'", cases[i].config, err.text, cases[i].message);
        json_doc_free(&doc);
    }
    assert_null(sink_kind_find(SLICE_LITERAL("Stdout")));
    assert_null(sink_kind_find(SLICE_EMPTY));
}

static void test_stdout_appends_to_a_file(void **state)
{
    (void)state;
    char *root = testing_make_root(), config[256];
    testing_write(root, "out.lp", "old line\n");
    snprintf(config, sizeof(config), "{'output_file': '%s/out.lp'}", root);
    struct json_doc *doc = testing_json(config);
    struct sink *sink = NULL;
    assert_int_equal(sink_new(&sink_stdout_ops, "out", json_root(doc), "test", &sink, NULL), 0);
    declare(sink, 0, "a", LINEPROTO_INT);
    struct sample s = {.series = 0, .kind = LINEPROTO_INT, .i64 = 4};
    append(sink, &s, 1, 2);
    sink_flush(sink);
    sink_begin_drain(sink, 5000);
    assert_int_equal(sink_finish_drain(sink), SINK_DELIVERED_ALL);
    sink_free(&sink);
    char *path = file_join(root, "out.lp"), *text = testing_read(path);
    assert_string_equal(text, "old line\na,type=node value=4i 2000000000\n");
    mem_free(path);
    mem_free(text);
    json_doc_free(&doc);
    testing_remove_root(&root);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_rules_of_the_sink),
        cmocka_unit_test(test_one_message_per_batch),
        cmocka_unit_test(test_window_collects_and_drain_ends_it),
        cmocka_unit_test(test_failed_batches_are_sent_again),
        cmocka_unit_test(test_refused_batches_are_dropped_and_counted),
        cmocka_unit_test(test_what_cannot_be_delivered_is_counted_at_the_end),
        cmocka_unit_test(test_rejected_messages_are_counted),
        cmocka_unit_test(test_configurations),
        cmocka_unit_test(test_stdout_appends_to_a_file),
    };
    return TEST_MAIN(argc, argv, tests);
}
