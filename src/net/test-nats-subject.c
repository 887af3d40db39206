// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "net/nats-subject.h"

static void test_subjects(void **state)
{
    static const struct {
        const char *subject;
        bool plain, pattern;
    } cases[] = {
        {"hpc-nats", true, true},
        {"a.b.c", true, true},
        {"a.*.c", false, true},
        {"a.>", false, true},
        {">", false, true},
        {"*", false, true},
        {"a.>.b", false, false},
        {"a.b*", false, false},
        {"a..b", false, false},
        {"", false, false},
        {".a", false, false},
        {"a.", false, false},
        {"a b", false, false},
        {"a\tb", false, false},
        {"a\r\nPUB x 0", false, false},
        {"gr\xc3\xbc\xc3\x9f", true, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice s = slice_from_cstr(cases[i].subject);
        if (nats_subject_is_valid(s, false) != cases[i].plain ||
            nats_subject_is_valid(s, true) != cases[i].pattern)
            fail_msg("subject '%s'", cases[i].subject);
    }
}

static void test_too_long_subject(void **state)
{
    char text[NATS_SUBJECT_MAX + 1];
    (void)state;
    memset(text, 'a', sizeof(text));
    assert_true(nats_subject_is_valid(slice_of(text, NATS_SUBJECT_MAX), false));
    assert_false(nats_subject_is_valid(slice_of(text, NATS_SUBJECT_MAX + 1), false));
}

static void test_names(void **state)
{
    (void)state;
    assert_true(nats_name_is_valid(SLICE_LITERAL("store-1_A")));
    static const char *const bad[] = {"", "a.b", "a*", ">", "a b", "a/b", "a\\b"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (nats_name_is_valid(slice_from_cstr(bad[i])))
            fail_msg("name '%s'", bad[i]);
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *subject;
        bool fits;
    } cases[] = {
        {"a.b", "a.b", true},    {"a.b", "a.b.c", false},  {"a.b.c", "a.b", false}, {"a.*", "a.b", true},
        {"a.*", "a.b.c", false}, {"a.*.c", "a.b.c", true}, {"a.>", "a.b.c", true},  {"a.>", "a", false},
        {">", "a.b", true},      {"*", "a", true},         {"*", "a.b", false},     {"a", "b", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (nats_subject_matches(slice_from_cstr(cases[i].pattern), slice_from_cstr(cases[i].subject)) !=
            cases[i].fits)
            fail_msg("'%s' against '%s'", cases[i].pattern, cases[i].subject);
}

static void test_reply_subjects(void **state)
{
    struct nats_ack ack;
    (void)state;
    assert_true(nats_ack_parse(SLICE_LITERAL("$JS.ACK.METRICS.store-1.2.17.19.1700000000123456789.5"), &ack));
    assert_true(slice_eq_cstr(ack.stream, "METRICS") && slice_eq_cstr(ack.consumer, "store-1"));
    assert_int_equal(ack.deliveries, 2);
    assert_int_equal(ack.stream_seq, 17);
    assert_int_equal(ack.consumer_seq, 19);
    assert_true(ack.time_ns == INT64_C(1700000000123456789));
    assert_int_equal(ack.pending, 5);
    assert_true(nats_ack_parse(SLICE_LITERAL("$JS.ACK.hub.ACC.METRICS.s.1.2.3.4.6"), &ack));
    assert_true(slice_eq_cstr(ack.stream, "METRICS") && ack.pending == 6);
    assert_true(nats_ack_parse(SLICE_LITERAL("$JS.ACK.hub.ACC.METRICS.s.1.2.3.4.7.rnd"), &ack));
    assert_int_equal(ack.pending, 7);
    static const char *const bad[] = {"",
                                      "_INBOX.x.y",
                                      "$JS.ACK.a.b.1.2.3.4",
                                      "$JS.ACK.a.b.x.2.3.4.5",
                                      "$JS.ACK.a.b.c.1.2.3.4.5",
                                      "$JS.ACK.a.b.1.2.3.99999999999999999999.5",
                                      "$JS.API.a.b.1.2.3.4.5"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (nats_ack_parse(slice_from_cstr(bad[i]), &ack))
            fail_msg("reply '%s'", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subjects),       cmocka_unit_test(test_too_long_subject),
        cmocka_unit_test(test_names),          cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_reply_subjects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
