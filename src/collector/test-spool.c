// SPDX-License-Identifier: MIT
#include "collector/spool.h"

#include "base/testing.h"

static uint64_t put(struct spool *s, const char *text)
{
    size_t len = strlen(text);
    buf_append(spool_buf(s), text, len);
    return spool_appended(s, len, 1);
}

static void expect_chunk(struct spool *s, const char *text, uint32_t messages)
{
    struct spool_chunk *c = spool_take(s);
    assert_non_null(c);
    if (!slice_eq_cstr(buf_slice(&c->bytes), text) || c->messages != messages)
        fail_msg("chunk '%.*s' of %u, expected '%s' of %u", SLICE_FMT(buf_slice(&c->bytes)), c->messages,
                 text, messages);
    spool_recycle(s, &c);
}

static void test_order(void **state)
{
    (void)state;
    struct spool s;
    spool_init(&s, 1000);
    assert_true(spool_open_is_empty(&s));
    spool_seal(&s); // nothing to seal
    assert_null(spool_take(&s));
    put(&s, "a\n");
    put(&s, "b\n");
    spool_seal(&s);
    put(&s, "c\n");
    spool_seal(&s);
    assert_int_equal(s.queued_messages, 3);
    struct spool_chunk *c = spool_take(&s);
    spool_return(&s, &c); // not delivered: it stays the first
    expect_chunk(&s, "a\nb\n", 2);
    expect_chunk(&s, "c\n", 1);
    assert_int_equal(s.used_bytes, 0);
    assert_int_equal(s.queued_messages, 0);
    spool_release(&s);
}

static void test_oldest_go_first(void **state)
{
    (void)state;
    struct spool s;
    uint64_t dropped = 0;
    spool_init(&s, 10);
    for (int i = 0; i < 4; i++) {
        char line[] = "0123";
        line[0] = (char)('0' + i);
        dropped += put(&s, line);
        spool_seal(&s);
    }
    assert_int_equal(dropped, 2);
    assert_int_equal(s.dropped_messages, 2);
    expect_chunk(&s, "2123", 1);
    expect_chunk(&s, "3123", 1);
    spool_release(&s);
}

static void test_a_returned_chunk_may_be_dropped(void **state)
{
    (void)state;
    struct spool s;
    spool_init(&s, 8);
    put(&s, "aaaa");
    spool_seal(&s);
    struct spool_chunk *c = spool_take(&s);
    put(&s, "bbbb");
    spool_seal(&s);
    put(&s, "cccc");
    spool_seal(&s);
    spool_return(&s, &c);
    assert_int_equal(s.dropped_messages, 1);
    expect_chunk(&s, "bbbb", 1);
    assert_int_equal(spool_discard(&s), 1);
    spool_release(&s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_oldest_go_first),
        cmocka_unit_test(test_a_returned_chunk_may_be_dropped),
    };
    return TEST_MAIN(argc, argv, tests);
}
