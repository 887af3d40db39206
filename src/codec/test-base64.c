// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "codec/base64.h"

// RFC 4648 section 10, and bytes that show the difference of the alphabets.
static const struct {
    const char *bytes, *std, *url;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xFB\xFF\xBF", "+/+/", "-_-_"},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct buf out;
        buf_init(&out, 1024);
        base64_encode_std(slice_from_cstr(vectors[i].bytes), &out);
        assert_true(slice_eq_cstr(buf_slice(&out), vectors[i].std));
        buf_clear(&out);
        base64_encode_raw_url(slice_from_cstr(vectors[i].bytes), &out);
        assert_true(slice_eq_cstr(buf_slice(&out), vectors[i].url));
        buf_clear(&out);
        assert_int_equal(base64_decode_std(slice_from_cstr(vectors[i].std), &out, NULL), 0);
        assert_true(slice_eq_cstr(buf_slice(&out), vectors[i].bytes));
        buf_clear(&out);
        assert_int_equal(base64_decode_raw_url(slice_from_cstr(vectors[i].url), &out, NULL), 0);
        assert_true(slice_eq_cstr(buf_slice(&out), vectors[i].bytes));
        buf_release(&out);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool url;
        int position; // -1: no error
    } cases[] = {
        {"Zg==", true, 2},  {"Zg", false, 2},      {"Zg=", false, 3},       {"Z", false, 1},
        {"Z", true, 1},     {"Zm9vZ", true, 5},    {"Zm9v!", false, 4},     {"Zm9v!", true, 4},
        {"!", false, 0},    {"Z===", false, 1},    {"Zg==x", false, 4},     {"Zg==Zg==", false, 4},
        {"====", false, 0}, {"Zm8=\n", false, -1}, {"Zm\r\n8=", false, -1}, {"Zm\n8", true, -1},
        {"+/+/", true, 0},  {"-_-_", false, 0},    {"Zh==", false, -1}, // unused bits set
        {"Zh", true, -1},   {"Zm9 v", false, 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        buf_init(&out, 1024);
        struct error err = ERROR_INIT;
        int rc = cases[i].url ? base64_decode_raw_url(slice_from_cstr(cases[i].text), &out, &err)
                              : base64_decode_std(slice_from_cstr(cases[i].text), &out, &err);
        char expected[64] = "";
        if (cases[i].position >= 0)
            snprintf(expected, sizeof(expected), "illegal base64 data at input byte %d", cases[i].position);
        if ((rc < 0) != (cases[i].position >= 0) || strcmp(err.text, expected) != 0)
            fail_msg("'%s': %d '%s', expected '%s'", cases[i].text, rc, err.text, expected);
        buf_release(&out);
    }
    struct buf out;
    buf_init(&out, 1024);
    assert_int_equal(base64_decode_std(slice_of("Zm9\0", 4), &out, NULL),
                     ERR_INVALID); // the terminator is no letter
    buf_release(&out);
}

static void test_limit(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 3);
    assert_int_equal(base64_decode_std(SLICE_LITERAL("Zm9vYmFy"), &out, NULL), ERR_LIMIT);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
