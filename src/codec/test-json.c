// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>

#include "base/buf.h"
#include "codec/json.h"

static struct json_doc *parse(const char *text)
{
    struct json_doc *doc = NULL;
    struct error err = ERROR_INIT;
    if (json_parse(slice_from_cstr(text), &doc, &err) < 0)
        fail_msg("'%s': %s", text, err.text);
    return doc;
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line, column;
        const char *message;
    } cases[] = {
        {"", 1, 1, "EOF"},
        {" \n\t ", 2, 3, "EOF"},
        {"{", 1, 2, "unexpected EOF"},
        {"{\"a\":1", 1, 7, "unexpected EOF"},
        {"[1,", 1, 4, "unexpected EOF"},
        {"\"abc", 1, 5, "unexpected EOF"},
        {"\"\\u12", 1, 6, "unexpected EOF"},
        {"tru", 1, 4, "unexpected EOF"},
        {"-", 1, 2, "unexpected EOF"},
        {"1.", 1, 3, "unexpected EOF"},
        {"1e", 1, 3, "unexpected EOF"},
        {"x", 1, 1, "invalid character 'x' looking for beginning of value"},
        {"]", 1, 1, "invalid character ']' looking for beginning of value"},
        {"[1,]", 1, 4, "invalid character ']' looking for beginning of value"},
        {"[,1]", 1, 2, "invalid character ',' looking for beginning of value"},
        {"{\n  x: 1}", 2, 3, "invalid character 'x' looking for beginning of object key string"},
        {"{\"a\":1,}", 1, 8, "invalid character '}' looking for beginning of object key string"},
        {"{\"a\" 1}", 1, 6, "invalid character '1' after object key"},
        {"{\"a\":1 \"b\"}", 1, 8, "invalid character '\"' after object key:value pair"},
        {"{\"a\":1]", 1, 7, "invalid character ']' after object key:value pair"},
        {"[1 2]", 1, 4, "invalid character '2' after array element"},
        {"[1}", 1, 3, "invalid character '}' after array element"},
        {"\"a\nb\"", 1, 3, "invalid character '\\n' in string literal"},
        {"\"a\x01\"", 1, 3, "invalid character '\\x01' in string literal"},
        {"\"\\x\"", 1, 3, "invalid character 'x' in string escape code"},
        {"\"\\u12x4\"", 1, 6, "invalid character 'x' in \\u hexadecimal character escape"},
        {"-x", 1, 2, "invalid character 'x' in numeric literal"},
        {"[1.x]", 1, 4, "invalid character 'x' after decimal point in numeric literal"},
        {"[1ex]", 1, 4, "invalid character 'x' in exponent of numeric literal"},
        {"[01]", 1, 3, "invalid character '1' after array element"},
        {"nul!", 1, 4, "invalid character '!' in literal null (expecting 'l')"},
        {"'a'", 1, 1, "invalid character '\\'' looking for beginning of value"},
        {"\xEF\xBB\xBF{}", 1, 1, "invalid character '\xC3\xAF' looking for beginning of value"},
        {"\x7F", 1, 1, "invalid character '\\x7f' looking for beginning of value"},
        {"[1e400]", 1, 2, "number 1e400 is out of range"},
        {"{\"a\": {\n\t\"b\": [true,\n falsy]}}", 3, 6,
         "invalid character 'y' in literal false (expecting 'e')"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_doc *doc = NULL;
        struct error err = ERROR_INIT;
        int rc = json_parse(slice_from_cstr(cases[i].text), &doc, &err);
        if (rc != ERR_INVALID || strcmp(err.text, cases[i].message) != 0 || err.line != cases[i].line ||
            err.column != cases[i].column)
            fail_msg("'%s': %d at %d:%d '%s', expected %d:%d '%s'", cases[i].text, rc, err.line, err.column,
                     err.text, cases[i].line, cases[i].column, cases[i].message);
        assert_null(doc);
    }
}

static void test_nul_byte_is_an_error(void **state)
{
    (void)state;
    struct json_doc *doc = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(json_parse(slice_of("[\0]", 3), &doc, &err), ERR_INVALID);
    assert_string_equal(err.text, "invalid character '\\x00' looking for beginning of value");
    assert_int_equal(json_parse(slice_of("\"\\\0\"", 4), &doc, &err), ERR_INVALID);
    assert_string_equal(err.text, "invalid character '\\x00' in string escape code");
}

static void test_scalars(void **state)
{
    (void)state;
    static const struct {
        const char *text, *type, *source;
        int64_t integer;
        double real;
    } cases[] = {
        {"null", "null", "null", -7, -7},
        {"true", "boolean", "true", -7, -7},
        {" 60 ", "integer", "60", 60, 60},
        {"60.0", "number", "60.0", 60, 60},
        {"6e1", "number", "6e1", 60, 60},
        {"60.5", "number", "60.5", -7, 60.5},
        {"-0", "integer", "-0", 0, 0},
        {"-12.25e-1", "number", "-12.25e-1", -7, -1.225},
        {"9223372036854775807", "integer", "9223372036854775807", INT64_MAX, 9223372036854775807.0},
        {"-9223372036854775808", "integer", "-9223372036854775808", INT64_MIN, -9223372036854775808.0},
        {"9223372036854775808", "number", "9223372036854775808", -7, 9223372036854775808.0},
        {"-9223372036854775809", "number", "-9223372036854775809", INT64_MIN, -9223372036854775808.0},
        {"1e-400", "number", "1e-400", 0, 0},
        {"12abc", "integer", "12", 12, 12}, // trailing bytes are not looked at
        {"\"12\"", "string", "\"12\"", -7, -7},
        {"[] x", "array", "[]", -7, -7},
        {"{ } }", "object", "{ }", -7, -7},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_doc *doc = parse(cases[i].text);
        const struct json_value *v = json_root(doc);
        if (strcmp(json_type_name(v), cases[i].type) != 0 ||
            !slice_eq_cstr(json_source(v), cases[i].source) || json_int(v, -7) != cases[i].integer ||
            json_double(v, -7) != cases[i].real)
            fail_msg("'%s': %s %.*s %lld %g", cases[i].text, json_type_name(v), SLICE_FMT(json_source(v)),
                     (long long)json_int(v, -7), json_double(v, -7));
        json_doc_free(&doc);
        assert_null(doc);
    }
}

static void test_negative_zero(void **state)
{
    (void)state;
    struct json_doc *doc = parse("[-0, 0, -0.0]");
    const struct json_value *root = json_root(doc);
    assert_true(signbit(json_double(json_at(root, 0), 1)));
    assert_false(signbit(json_double(json_at(root, 1), 1)));
    assert_true(signbit(json_double(json_at(root, 2), 1)));
    json_doc_free(&doc);
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"\"\"", ""},
        {"\"plain \xC3\xA4\"", "plain \xC3\xA4"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"a\\u00e4\\u20AC\"", "a\xC3\xA4\xE2\x82\xAC"},
        {"\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80"},
        {"\"\\ud83d\"", "\xEF\xBF\xBD"}, // half a pair
        {"\"\\ud83dx\"", "\xEF\xBF\xBDx"},
        {"\"\\ud83d\\u0041\"", "\xEF\xBF\xBD"
                               "A"}, // the second is no low half
        {"\"\\ude00\\ud83d\"", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\"\xFFz\xC3\"", "\xEF\xBF\xBDz\xEF\xBF\xBD"}, // no UTF-8
        {"\"\xED\xA0\x80\"", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\"\xFF\xFF\xFF\xFF\"", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_doc *doc = parse(cases[i].text);
        struct slice value = json_string(json_root(doc));
        if (!slice_eq_cstr(value, cases[i].value))
            fail_msg("case %zu '%s': '%.*s'", i, cases[i].text, SLICE_FMT(value));
        json_doc_free(&doc);
    }
    struct json_doc *doc = parse("\"\\u0000\"");
    assert_int_equal(json_string(json_root(doc)).len, 1);
    json_doc_free(&doc);
}

static void test_positions(void **state)
{
    (void)state;
    struct json_doc *doc =
        parse("{\n  \"main\": {\"addr\": \"x\",\r\n    \"list\": [1,\n 2]},\n\"\xC3\xA4\": true}");
    const struct json_value *root = json_root(doc), *main = json_get(root, "main");
    const struct {
        const struct json_value *v;
        int line, column;
    } cases[] = {{root, 1, 1},
                 {main, 2, 11},
                 {json_get(main, "addr"), 2, 20},
                 {json_get(main, "list"), 3, 13},
                 {json_at(json_get(main, "list"), 0), 3, 14},
                 {json_at(json_get(main, "list"), 1), 4, 2},
                 {json_get(root, "\xC3\xA4"), 5, 7}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (json_line(cases[i].v) != cases[i].line || json_column(cases[i].v) != cases[i].column)
            fail_msg("value %zu is at %d:%d", i, json_line(cases[i].v), json_column(cases[i].v));
    }
    json_doc_free(&doc);
}

static void test_members(void **state)
{
    (void)state;
    struct json_doc *doc = parse("{\"b\":1,\"a\":2,\"Addr\":3,\"b\":4,\"addr\":5,\"ADDR\":6}");
    const struct json_value *root = json_root(doc);
    static const char *const order[] = {"a", "Addr", "b", "addr", "ADDR"}; // the first "b" is overridden
    assert_int_equal(json_count(root), ARRAY_LEN(order));
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        struct slice key = SLICE_EMPTY;
        assert_non_null(json_member_at(root, i, &key));
        assert_true(slice_eq_cstr(key, order[i]));
    }
    assert_int_equal(json_int(json_get(root, "b"), 0), 4);
    assert_int_equal(json_int(json_get_fold(root, "addr"), 0), 5); // exact before folded
    assert_int_equal(json_int(json_get_fold(root, "aDDr"), 0), 6); // the last of the folded ones
    assert_null(json_get(root, "aDDr"));
    assert_null(json_member_at(root, 5, NULL));
    assert_null(json_at(root, 0));
    json_doc_free(&doc);
}

// More members than are compared pair by pair.
static void test_many_duplicates(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_append_byte(&text, '{');
    for (int i = 0; i < 3000; i++)
        buf_printf(&text, "%s\"k%d\":%d", i ? "," : "", i % 1000, i);
    buf_append_byte(&text, '}');
    struct json_doc *doc = parse(buf_cstr(&text));
    const struct json_value *root = json_root(doc);
    assert_int_equal(json_count(root), 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(json_int(json_member_at(root, i, NULL), -1), 2000 + (int64_t)i);
    json_doc_free(&doc);
    buf_release(&text);
}

static void test_nothing_is_harmless(void **state)
{
    (void)state;
    assert_int_equal(json_type(NULL), JSON_NULL);
    assert_string_equal(json_type_name(NULL), "null");
    assert_true(json_bool(NULL, true));
    assert_int_equal(json_count(NULL), 0);
    assert_null(json_at(NULL, 0));
    assert_null(json_get(NULL, "a"));
    assert_null(json_get_fold(NULL, "a"));
    assert_int_equal(json_string(NULL).len, 0);
    assert_int_equal(json_source(NULL).len, 0);
    assert_int_equal(json_line(NULL), 0);
    struct json_doc *doc = NULL;
    json_doc_free(&doc);
}

static int parse_nested(int depth, const char *open, const char *close, struct error *err)
{
    struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    for (int i = 0; i < depth; i++)
        buf_append_cstr(&text, open);
    for (int i = 0; i < depth; i++)
        buf_append_cstr(&text, close);
    struct json_doc *doc = NULL;
    int rc = json_parse(buf_slice(&text), &doc, err);
    json_doc_free(&doc);
    buf_release(&text);
    return rc;
}

static void test_depth(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_int_equal(parse_nested(JSON_MAX_DEPTH, "[", "]", &err), 0);
    assert_int_equal(parse_nested(JSON_MAX_DEPTH + 1, "[", "]", &err), ERR_LIMIT);
    assert_string_equal(err.text, "exceeded max depth");
    assert_int_equal(err.column, JSON_MAX_DEPTH + 1);
    assert_int_equal(parse_nested(100000, "[", "", &err), ERR_LIMIT);
}

static void test_too_long(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct json_doc *doc = NULL;
    // The length alone decides, the bytes are not touched.
    assert_int_equal(json_parse(slice_of("[]", JSON_MAX_TEXT_BYTES + 1), &doc, &err), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_nul_byte_is_an_error),
                                       cmocka_unit_test(test_scalars),
                                       cmocka_unit_test(test_negative_zero),
                                       cmocka_unit_test(test_strings),
                                       cmocka_unit_test(test_positions),
                                       cmocka_unit_test(test_members),
                                       cmocka_unit_test(test_many_duplicates),
                                       cmocka_unit_test(test_nothing_is_harmless),
                                       cmocka_unit_test(test_depth),
                                       cmocka_unit_test(test_too_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
