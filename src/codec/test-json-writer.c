// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>

#include "codec/json-writer.h"

static void assert_text(const struct buf *out, const char *expected)
{
    if (!slice_eq_cstr(buf_slice(out), expected))
        fail_msg("'%.*s', expected '%s'", SLICE_FMT(buf_slice(out)), expected);
}

static void test_layout(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_write_object_begin(&w);
    json_write_key(&w, "a");
    json_write_array_begin(&w);
    json_write_int(&w, INT64_MIN);
    json_write_uint(&w, UINT64_MAX);
    json_write_bool(&w, true);
    json_write_bool(&w, false);
    json_write_null(&w);
    json_write_array_begin(&w);
    json_write_array_end(&w);
    json_write_object_begin(&w);
    json_write_object_end(&w);
    json_write_cstr(&w, NULL);
    json_write_cstr(&w, "x");
    json_write_array_end(&w);
    json_write_key_slice(&w, slice_of("key", 2));
    json_write_raw(&w, SLICE_LITERAL("{\"r\":1}"));
    json_write_key(&w, "d");
    json_write_double(&w, 1e-7);
    json_write_key(&w, "f");
    json_write_fixed(&w, 0.125, 2);
    json_write_key(&w, "n");
    json_write_fixed(&w, NAN, 3);
    json_write_object_end(&w);
    assert_text(&out, "{\"a\":[-9223372036854775808,18446744073709551615,true,false,null,[],{},null,\"x\"],"
                      "\"ke\":{\"r\":1},"
                      "\"d\":1e-7,\"f\":0.12,\"n\":null}");
    buf_release(&out);
}

static void test_ms_24_infinity_is_null(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_write_array_begin(&w);
    json_write_fixed(&w, INFINITY, 3);
    json_write_fixed(&w, -INFINITY, 2);
    json_write_double(&w, INFINITY);
    json_write_double(&w, NAN);
    json_write_array_end(&w);
    assert_text(&out, "[null,null,null,null]");
    buf_release(&out);
}

static void test_quoting(void **state)
{
    (void)state;
    static const struct {
        const char *text, *quoted;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"[METRICSTORE]> a & <b>", "\"[METRICSTORE]\\u003e a \\u0026 \\u003cb\\u003e\""},
        {"\"\\/", "\"\\\"\\\\/\""},
        {"\b\f\n\r\t\x01\x1F\x7F", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\""},
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {"a\xE2\x80\xA8"
         "b\xE2\x80\xA9",
         "\"a\\u2028b\\u2029\""},
        {"\xFF"
         "a\xC3",
         "\"\\ufffda\\ufffd\""},
        {"\xEF\xBF\xBD", "\"\xEF\xBF\xBD\""}, // a real U+FFFD stays
        {"\xED\xA0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        buf_init(&out, 4096);
        json_append_quoted(&out, slice_from_cstr(cases[i].text));
        assert_text(&out, cases[i].quoted);
        buf_release(&out);
    }
}

static void test_full_buffer_is_sticky(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 16);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_write_array_begin(&w);
    for (int i = 0; i < 100; i++)
        json_write_fixed(&w, i, 3);
    json_write_array_end(&w);
    assert_true(buf_failed(&out));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout), cmocka_unit_test(test_ms_24_infinity_is_null),
        cmocka_unit_test(test_quoting), cmocka_unit_test(test_full_buffer_is_sticky)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
