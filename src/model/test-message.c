// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>

#include "model/message.h"

#define S(text) SLICE_LITERAL(text)

static const struct wall_time noon = {INT64_C(1234567890) * NS_PER_S};

static void assert_line(const struct message *msg, enum time_precision precision, const char *const *meta,
                        size_t count, const char *expected)
{
    struct buf out;
    buf_init(&out, 4096);
    struct error err = ERROR_INIT;
    if (message_encode_line(msg, precision, meta, count, &out, &err) < 0)
        fail_msg("%s", err.text);
    if (!slice_eq_cstr(buf_slice(&out), expected))
        fail_msg("'%.*s', expected '%s'", SLICE_FMT(buf_slice(&out)), expected);
    buf_release(&out);
}

// messages.md 12.6 and 2.3.
static void test_worked_examples(void **state)
{
    (void)state;
    struct message *msg = message_metric_f64(S("cpu_usage"), 75.5, noon);
    message_set_tag(msg, S("hostname"), S("node001"));
    assert_line(msg, PRECISION_NS, NULL, 0, "cpu_usage,hostname=node001 value=75.5 1234567890000000000\n");
    message_free(&msg);
    assert_null(msg);

    static const char *const unit[] = {"unit", "absent"};
    msg = message_metric_i64(S("memory_used"), 1024, noon);
    message_set_tag(msg, S("hostname"), S("node001"));
    message_set_meta(msg, S("unit"), S("bytes"));
    assert_line(msg, PRECISION_NS, unit, 2,
                "memory_used,hostname=node001,unit=bytes value=1024i 1234567890000000000\n");
    assert_line(msg, PRECISION_S, NULL, 0, "memory_used,hostname=node001 value=1024i 1234567890\n");
    assert_int_equal(message_tag_count(msg), 1); // the message itself is as it was
    message_set_tag(msg, S("unit"), S("old"));   // moved meta replaces a tag
    assert_line(msg, PRECISION_S, unit, 1,
                "memory_used,hostname=node001,unit=bytes value=1024i 1234567890\n");
    message_free(&msg);

    msg = message_metric_u64(S("ib_recv"), 4096, noon);
    static const char *const tags[][2] = {{"type", "node"},   {"cluster", "alex"}, {"port", "1"},
                                          {"hostname", "n1"}, {"lid", "0x2a"},     {"device", "mlx5_0"}};
    for (size_t i = 0; i < ARRAY_LEN(tags); i++)
        message_set_tag(msg, slice_from_cstr(tags[i][0]), slice_from_cstr(tags[i][1]));
    message_set_time(msg, wall_from_seconds(1700000000));
    assert_line(
        msg, PRECISION_S, NULL, 0,
        "ib_recv,cluster=alex,device=mlx5_0,hostname=n1,lid=0x2a,port=1,type=node value=4096u 1700000000\n");
    message_free(&msg);
}

// The recorded scenario lp-13-precision: division towards zero.
static void test_precision(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *s, *ms;
    } cases[] = {{1700000000987654321, "1700000000", "1700000000987"},
                 {999999999, "0", "999"},
                 {1000000000, "1", "1000"},
                 {-1, "0", "0"},
                 {-1999999999, "-1", "-1999"},
                 {0, "0", "0"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct message *msg = message_metric_i64(S("a"), 1, (struct wall_time){cases[i].ns});
        char line[64];
        snprintf(line, sizeof(line), "a value=1i %s\n", cases[i].s);
        assert_line(msg, PRECISION_S, NULL, 0, line);
        snprintf(line, sizeof(line), "a value=1i %s\n", cases[i].ms);
        assert_line(msg, PRECISION_MS, NULL, 0, line);
        snprintf(line, sizeof(line), "a value=1i %lld\n", (long long)cases[i].ns);
        assert_line(msg, PRECISION_NS, NULL, 0, line);
        message_free(&msg);
    }
    enum time_precision precision = PRECISION_S;
    assert_true(time_precision_from_name(S("us"), &precision) && precision == PRECISION_US);
    assert_true(time_precision_from_name(S("ns"), &precision) && precision == PRECISION_NS);
    assert_false(time_precision_from_name(S("m"), &precision));
    assert_false(time_precision_from_name(S("S"), &precision));
    assert_int_equal(precision, PRECISION_NS);
}

static void test_pairs(void **state)
{
    (void)state;
    struct message *msg = message_new(S("m"), noon);
    struct slice key, value;
    // More than lie inside, and longer texts than fit inside, in an order that is not sorted.
    for (int i = 0; i < 40; i++) {
        char k[16], v[64];
        snprintf(k, sizeof(k), "k%02d", i * 7 % 40);
        snprintf(v, sizeof(v), "%060d", i * 7 % 40);
        message_set_tag(msg, slice_from_cstr(k), slice_from_cstr(v));
        message_set_meta(msg, slice_from_cstr(k), slice_from_cstr(v));
    }
    assert_int_equal(message_tag_count(msg), 40);
    assert_int_equal(message_meta_count(msg), 40);
    for (size_t i = 0; i < 40; i++) {
        char k[16], v[64];
        snprintf(k, sizeof(k), "k%02zu", i);
        snprintf(v, sizeof(v), "%060zu", i);
        message_tag_at(msg, i, &key, &value);
        assert_true(slice_eq_cstr(key, k) && slice_eq_cstr(value, v));
        message_meta_at(msg, i, &key, &value);
        assert_true(slice_eq_cstr(key, k) && slice_eq_cstr(value, v));
    }
    message_set_tag(msg, S("k05"), S("new"));
    assert_int_equal(message_tag_count(msg), 40);
    assert_true(message_tag(msg, S("k05"), &value) && slice_eq_cstr(value, "new"));
    assert_true(message_remove_tag(msg, S("k05")));
    assert_false(message_remove_tag(msg, S("k05")));
    assert_false(message_tag(msg, S("k05"), &value));
    assert_true(message_tag(msg, S("k06"), NULL));
    assert_int_equal(message_tag_count(msg), 39);
    assert_true(message_remove_meta(msg, S("k00")));
    assert_false(message_meta(msg, S("k00"), &value));
    assert_true(message_meta(msg, S("k39"), &value));
    message_free(&msg);
}

static void test_fields(void **state)
{
    (void)state;
    struct message *msg = message_new(S("m"), noon);
    static const char *const keys[] = {"z", "a", "event", "b", "value"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        message_set_field(msg, slice_from_cstr(keys[i]),
                          (struct lineproto_value){.kind = LINEPROTO_INT, .i64 = (int64_t)i});
    char text[] = "text";
    message_set_field(msg, S("event"),
                      (struct lineproto_value){.kind = LINEPROTO_STRING, .string = slice_of(text, 4)});
    text[0] = 'x'; // the message has its own copy
    message_set_field(msg, S("b"), (struct lineproto_value){.kind = LINEPROTO_BOOL, .boolean = true});
    assert_int_equal(message_field_count(msg), 5);
    struct slice key;
    struct lineproto_value value;
    message_field_at(msg, 2, &key, &value);
    assert_true(slice_eq_cstr(key, "event") && slice_eq_cstr(value.string, "text"));
    assert_true(message_field(msg, S("z"), &value) && value.i64 == 0);
    assert_false(message_field(msg, S("zz"), &value));
    assert_line(msg, PRECISION_S, NULL, 0, "m a=1i,b=true,event=\"text\",value=4i,z=0i 1234567890\n");
    message_free(&msg);
}

static void test_copy_is_independent(void **state)
{
    (void)state;
    struct message *msg = message_metric_f64(S("m"), 1, noon);
    message_set_tag(msg, S("t"), S("1"));
    message_set_meta(msg, S("unit"), S("W"));
    struct message *copy = message_copy(msg);
    message_set_name(copy, S("other"));
    message_set_tag(copy, S("t"), S("2"));
    message_set_tag(copy, S("u"), S("3"));
    message_remove_meta(copy, S("unit"));
    message_set_field(copy, S("value"), (struct lineproto_value){.kind = LINEPROTO_FLOAT, .f64 = 2});
    message_set_time(copy, wall_from_seconds(1));
    assert_line(msg, PRECISION_S, NULL, 0, "m,t=1 value=1 1234567890\n");
    assert_line(copy, PRECISION_S, NULL, 0, "other,t=2,u=3 value=2 1\n");
    assert_true(message_meta(msg, S("unit"), NULL));
    assert_true(slice_eq_cstr(message_name(msg), "m"));
    assert_int_equal(wall_seconds(message_time(copy)), 1);
    message_free(&msg);
    message_free(&copy);
}

// One bad message leaves no trace in the batch (messages.md 2.2: upstream's encoder keeps the error).
static void test_refused_message_leaves_the_batch(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    struct message *good = message_metric_f64(S("good"), 1, noon),
                   *bad = message_metric_f64(S("bad"), NAN, noon);
    struct message *empty = message_metric_f64(S("empty"), 1, noon);
    message_set_tag(empty, S("t"), S(""));
    struct error err = ERROR_INIT;
    assert_int_equal(message_encode_line(bad, PRECISION_S, NULL, 0, &out, &err), ERR_INVALID);
    assert_string_equal(err.text, "field 'value' is not a finite number");
    assert_int_equal(message_encode_line(good, PRECISION_S, NULL, 0, &out, &err), 0);
    assert_int_equal(message_encode_line(empty, PRECISION_S, NULL, 0, &out, &err), ERR_INVALID);
    assert_int_equal(message_encode_line(good, PRECISION_S, NULL, 0, &out, &err), 0);
    assert_true(slice_eq_cstr(buf_slice(&out), "good value=1 1234567890\ngood value=1 1234567890\n"));
    message_free(&good);
    message_free(&bad);
    message_free(&empty);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_worked_examples),
                                       cmocka_unit_test(test_precision),
                                       cmocka_unit_test(test_pairs),
                                       cmocka_unit_test(test_fields),
                                       cmocka_unit_test(test_copy_is_independent),
                                       cmocka_unit_test(test_refused_message_leaves_the_batch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
