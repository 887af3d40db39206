// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/gzip.h"

static void fill(struct buf *out, size_t len)
{
    uint32_t seed = 12345; // half of it repeats, half is noise
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        buf_append_byte(out, (char)(i % 512 < 256 ? seed >> 24 : i));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 100, 65535, 65536, 300000};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        for (int level = 0; level <= 9; level += 3) {
            struct buf in, packed, back;
            buf_init(&in, BUF_MAX_DEFAULT);
            buf_init(&packed, BUF_MAX_DEFAULT);
            buf_init(&back, lengths[i]); // exactly enough
            fill(&in, lengths[i]);
            assert_int_equal(gzip_compress(buf_slice(&in), level, &packed, NULL), 0);
            assert_memory_equal(packed.ptr, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
            struct error err = ERROR_INIT;
            if (gzip_decompress(buf_slice(&packed), &back, &err) < 0)
                fail_msg("%zu bytes, level %d: %s", lengths[i], level, err.text);
            assert_true(slice_eq(buf_slice(&in), buf_slice(&back)));
            buf_release(&in);
            buf_release(&packed);
            buf_release(&back);
        }
    }
}

static void test_several_members(void **state)
{
    (void)state;
    struct buf packed, out;
    buf_init(&packed, 1024);
    buf_init(&out, 1024);
    assert_int_equal(gzip_compress(SLICE_LITERAL("one "), 0, &packed, NULL), 0);
    assert_int_equal(gzip_compress(SLICE_LITERAL(""), 0, &packed, NULL), 0);
    assert_int_equal(gzip_compress(SLICE_LITERAL("two"), 0, &packed, NULL), 0);
    assert_int_equal(gzip_decompress(buf_slice(&packed), &out, NULL), 0);
    assert_true(slice_eq_cstr(buf_slice(&out), "one two"));
    buf_release(&packed);
    buf_release(&out);
}

static void test_every_cut_is_an_error(void **state)
{
    (void)state;
    struct buf in, packed;
    buf_init(&in, 4096);
    buf_init(&packed, 8192);
    fill(&in, 1000);
    assert_int_equal(gzip_compress(buf_slice(&in), 6, &packed, NULL), 0);
    for (size_t len = 0; len < packed.len; len++) {
        struct buf out;
        buf_init(&out, 4096);
        char *exact = mem_memdup(packed.ptr, len); // so that reading beyond is seen
        if (gzip_decompress(slice_of(exact, len), &out, NULL) != ERR_CORRUPT)
            fail_msg("cut at %zu is accepted", len);
        mem_free(exact);
        buf_release(&out);
    }
    buf_release(&in);
    buf_release(&packed);
}

static void test_damage(void **state)
{
    (void)state;
    struct buf packed, out;
    buf_init(&packed, 1024);
    buf_init(&out, 1024);
    assert_int_equal(gzip_compress(SLICE_LITERAL("some text, some text"), 0, &packed, NULL), 0);
    packed.ptr[packed.len - 6] ^= 1; // checksum
    struct error err = ERROR_INIT;
    assert_int_equal(gzip_decompress(buf_slice(&packed), &out, &err), ERR_CORRUPT);
    assert_string_equal(err.text, "gzip: cannot decompress: incorrect data check");
    packed.ptr[packed.len - 6] ^= 1;
    buf_append_cstr(&packed, "garbage");
    assert_int_equal(gzip_decompress(buf_slice(&packed), &out, &err), ERR_CORRUPT);
    assert_int_equal(gzip_decompress(SLICE_LITERAL("no gzip"), &out, &err), ERR_CORRUPT);
    assert_int_equal(gzip_decompress(SLICE_EMPTY, &out, &err), ERR_CORRUPT);
    buf_release(&packed);
    buf_release(&out);
}

// A small file must not fill the memory.
static void test_bomb(void **state)
{
    (void)state;
    struct buf zeros, packed, out;
    buf_init(&zeros, BUF_MAX_DEFAULT);
    buf_init(&packed, BUF_MAX_DEFAULT);
    buf_init(&out, 100000);
    buf_append_fill(&zeros, 0, 1 << 20);
    assert_int_equal(gzip_compress(buf_slice(&zeros), 9, &packed, NULL), 0);
    struct error err = ERROR_INIT;
    assert_int_equal(gzip_decompress(buf_slice(&packed), &out, &err), ERR_LIMIT);
    assert_string_equal(err.text, "gzip: more than 100000 bytes");
    struct buf small;
    buf_init(&small, 10);
    assert_int_equal(gzip_compress(buf_slice(&zeros), 9, &small, &err), ERR_LIMIT);
    buf_release(&zeros);
    buf_release(&packed);
    buf_release(&out);
    buf_release(&small);
}

static void test_crc32(void **state)
{
    (void)state;
    assert_int_equal(crc32_ieee(0, "123456789", 9), 0xCBF43926); // the check value of the catalogue of CRCs
    assert_int_equal(crc32_ieee(crc32_ieee(0, "1234", 4), "56789", 5), 0xCBF43926);
    assert_int_equal(crc32_ieee(0, "", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_several_members),
                                       cmocka_unit_test(test_every_cut_is_an_error),
                                       cmocka_unit_test(test_damage),
                                       cmocka_unit_test(test_bomb),
                                       cmocka_unit_test(test_crc32)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
