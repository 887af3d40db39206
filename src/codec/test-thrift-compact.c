// SPDX-License-Identifier: MIT
#include "codec/thrift-compact.h"

#include "base/testing.h"

static void expect_bytes(const struct buf *out, const char *expected, size_t len)
{
    EXPECT(out->len == len, "%zu bytes, wanted %zu", out->len, len);
    for (size_t i = 0; i < len; i++)
        EXPECT(out->ptr[i] == expected[i], "byte %zu is %02x, wanted %02x", i, out->ptr[i] & 0xff,
               expected[i] & 0xff);
}

#define EXPECT_BYTES(out, literal) expect_bytes((out), (literal), sizeof(literal) - 1)

static void test_scalars(void **state)
{
    (void)state;
    struct buf out;
    struct thrift t;
    buf_init(&out, 1000);
    thrift_init(&t, &out);
    thrift_bool(&t, 1, true);
    thrift_bool(&t, 2, false);
    thrift_i8(&t, 3, -1);
    thrift_i16(&t, 4, 32767);
    thrift_i32(&t, 5, -1);
    thrift_i32(&t, 20, INT32_MIN); // 15 further: still in one byte
    thrift_i64(&t, 36, INT64_MAX); // 16 further: number of its own
    thrift_text(&t, 37, SLICE_LITERAL("abc"));
    thrift_end(&t);
    EXPECT_BYTES(&out, "\x11"
                       "\x12"
                       "\x13\xff"
                       "\x14\xfe\xff\x03"
                       "\x15\x01"
                       "\xf5\xff\xff\xff\xff\x0f"
                       "\x06\x48\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                       "\x18\x03"
                       "abc"
                       "\0");
    buf_release(&out);
}

static void test_structs_and_lists(void **state)
{
    (void)state;
    struct buf out;
    struct thrift t;
    buf_init(&out, 1000);
    thrift_init(&t, &out);
    thrift_list(&t, 1, THRIFT_STRUCT, 2);
    for (int i = 0; i < 2; i++) {
        thrift_begin(&t, THRIFT_ITEM);
        thrift_i32(&t, 1, i);
        thrift_end(&t);
    }
    thrift_list(&t, 2, THRIFT_TRUE, 2);
    thrift_bool(&t, THRIFT_ITEM, true);
    thrift_bool(&t, THRIFT_ITEM, false);
    thrift_begin(&t, 3); // numbers begin anew in it and go on behind it
    thrift_i64(&t, 1, -2);
    thrift_end(&t);
    thrift_list(&t, 4, THRIFT_I32, 15); // from 15 on the size follows
    for (int i = 0; i < 15; i++)
        thrift_i32(&t, THRIFT_ITEM, 1);
    thrift_end(&t);
    EXPECT_BYTES(&out, "\x19\x2c\x15\0\0\x15\x02\0"
                       "\x19\x21\x01\x02"
                       "\x1c\x16\x03\0"
                       "\x19\xf5\x0f\2\2\2\2\2\2\2\2\2\2\2\2\2\2\2"
                       "\0");
    buf_release(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_structs_and_lists),
    };
    return TEST_MAIN(argc, argv, tests);
}
