// SPDX-License-Identifier: MIT
#include "base/buf.h"

#include "base/mem.h"
#include "base/testing.h"

static void expect_content(const struct buf *b, const char *expected)
{
    EXPECT(slice_eq_cstr(buf_slice(b), expected), "buffer holds '%.*s', not '%s'", SLICE_FMT(buf_slice(b)),
           expected);
}

static void test_appending(void **state)
{
    struct buf b;
    (void)state;

    buf_init(&b, 1000);
    assert_string_equal(buf_cstr(&b), "");
    expect_content(&b, "");
    buf_append(&b, "ab", 2);
    buf_append(&b, NULL, 0);
    buf_append_slice(&b, SLICE_LITERAL("cd"));
    buf_append_cstr(&b, "ef");
    buf_append_byte(&b, 'g');
    buf_append_fill(&b, '.', 3);
    buf_printf(&b, "%d-%s", 42, "x");
    expect_content(&b, "abcdefg...42-x");
    assert_string_equal(buf_cstr(&b), "abcdefg...42-x");
    buf_consume(&b, 10);
    expect_content(&b, "42-x");
    buf_clear(&b);
    expect_content(&b, "");
    assert_false(buf_failed(&b));
    buf_release(&b);
}

static void test_printf_of_any_length(void **state)
{
    char text[3000];
    struct buf b;
    (void)state;

    for (size_t len = 0; len < sizeof(text) - 1; len += 97) {
        memset(text, 'y', len);
        text[len] = '\0';
        buf_init(&b, sizeof(text));
        buf_printf(&b, "%s", text);
        expect_content(&b, text);
        buf_release(&b);
    }
}

static void test_maximum_is_kept_and_error_sticks(void **state)
{
    struct buf b;
    volatile size_t absurd = SIZE_MAX; // as it would come from outside: the compiler must not see the number
    (void)state;

    buf_init(&b, 4);
    buf_append_cstr(&b, "abcd");
    assert_false(buf_failed(&b));
    assert_string_equal(buf_cstr(&b), "abcd");
    buf_append_byte(&b, 'e');
    assert_true(buf_failed(&b));
    buf_consume(&b, 3);
    buf_append_byte(&b, 'e'); // there is room now, but the gap must not go unseen
    assert_true(buf_failed(&b));
    expect_content(&b, "d");
    buf_clear(&b);
    buf_printf(&b, "%s", "12345");
    assert_true(buf_failed(&b));
    expect_content(&b, "");
    assert_null(buf_reserve(&b, 1));
    buf_clear(&b);
    buf_append_fill(&b, 'x', absurd);
    assert_true(buf_failed(&b));
    buf_release(&b);
}

static void test_reserve_and_commit(void **state)
{
    struct buf b;
    (void)state;

    buf_init(&b, 100);
    char *space = buf_reserve(&b, 100);
    assert_non_null(space);
    memset(space, 'z', 100);
    buf_commit(&b, 100);
    assert_int_equal(b.len, 100);
    assert_int_equal(strlen(buf_cstr(&b)), 100);
    assert_null(buf_reserve(&b, 1));
    buf_release(&b);
}

static void test_steal(void **state)
{
    struct buf b;
    char *text;
    size_t len;
    (void)state;

    buf_init(&b, 100);
    buf_append_cstr(&b, "mine");
    buf_steal(&b, &text, &len);
    assert_string_equal(text, "mine");
    assert_int_equal(len, 4);
    mem_free(text);
    expect_content(&b, "");
    buf_steal(&b, &text, &len);
    assert_string_equal(text, "");
    mem_free(text);
    buf_append_cstr(&b, "again");
    expect_content(&b, "again");
    buf_release(&b);
}

static void test_little_endian(void **state)
{
    static const char expected[] =
        "\x01\x03\x02\x07\x06\x05\x04\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08\x00\x00\x80\x3f";
    struct buf b;
    (void)state;

    buf_init(&b, 100);
    buf_append_u8(&b, 0x01);
    buf_append_u16le(&b, 0x0203);
    buf_append_u32le(&b, 0x04050607);
    buf_append_u64le(&b, UINT64_C(0x08090a0b0c0d0e0f));
    buf_append_f32le(&b, 1.0F);
    assert_int_equal(b.len, sizeof(expected) - 1);
    assert_memory_equal(b.ptr, expected, b.len);
    buf_release(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appending),
        cmocka_unit_test(test_printf_of_any_length),
        cmocka_unit_test(test_maximum_is_kept_and_error_sticks),
        cmocka_unit_test(test_reserve_and_commit),
        cmocka_unit_test(test_steal),
        cmocka_unit_test(test_little_endian),
    };

    return TEST_MAIN(argc, argv, tests);
}
