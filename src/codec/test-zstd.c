// SPDX-License-Identifier: MIT
#include "codec/zstd.h"

#include "base/mem.h"
#include "base/testing.h"

// Half of it repeats, half is noise.
static void fill(struct buf *out, size_t len)
{
    uint32_t seed = 12345;
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        buf_append_byte(out, (char)(i % 512 < 256 ? seed >> 24 : i));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 100, 65536, 300000};
    struct zstd *z = zstd_new();
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct error err = ERROR_INIT;
        struct buf in, packed, back;
        buf_init(&in, BUF_MAX_DEFAULT);
        buf_init(&packed, BUF_MAX_DEFAULT);
        buf_init(&back, lengths[i] + 1);
        fill(&in, lengths[i]);
        EXPECT(zstd_compress(z, buf_slice(&in), &packed, &err) == 0, "%zu bytes: %s", lengths[i], err.text);
        EXPECT(zstd_decompress(buf_slice(&packed), &back, &err) == 0, "%zu bytes: %s", lengths[i], err.text);
        assert_true(slice_eq(buf_slice(&in), buf_slice(&back)));
        EXPECT(lengths[i] < 1000 || packed.len < lengths[i], "%zu bytes became %zu", lengths[i], packed.len);
        buf_release(&in);
        buf_release(&packed);
        buf_release(&back);
    }
    zstd_free(&z);
    assert_null(z);
    zstd_free(&z);
}

static void test_limits(void **state)
{
    (void)state;
    struct zstd *z = zstd_new();
    struct buf in, packed, small;
    buf_init(&in, BUF_MAX_DEFAULT);
    buf_init(&packed, BUF_MAX_DEFAULT);
    buf_init(&small, 100);
    fill(&in, 10000);
    assert_int_equal(zstd_compress(z, buf_slice(&in), &small, NULL), ERR_LIMIT);
    assert_int_equal(small.len, 0);
    assert_int_equal(zstd_compress(z, buf_slice(&in), &packed, NULL), 0);
    assert_int_equal(zstd_decompress(buf_slice(&packed), &small, NULL), ERR_LIMIT);
    buf_release(&in);
    buf_release(&packed);
    buf_release(&small);
    zstd_free(&z);
}

static void test_every_cut_is_an_error(void **state)
{
    (void)state;
    struct zstd *z = zstd_new();
    struct buf in, packed;
    buf_init(&in, 4096);
    buf_init(&packed, 8192);
    fill(&in, 1000);
    assert_int_equal(zstd_compress(z, buf_slice(&in), &packed, NULL), 0);
    for (size_t len = 0; len < packed.len; len++) {
        struct buf out;
        buf_init(&out, 4096);
        char *exact = mem_memdup(packed.ptr, len); // so that reading beyond is seen
        EXPECT(zstd_decompress(slice_of(exact, len), &out, NULL) == ERR_CORRUPT, "cut at %zu is taken", len);
        mem_free(exact);
        buf_release(&out);
    }
    buf_release(&in);
    buf_release(&packed);
    zstd_free(&z);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_cut_is_an_error),
    };
    return TEST_MAIN(argc, argv, tests);
}
