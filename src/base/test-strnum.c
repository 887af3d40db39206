// SPDX-License-Identifier: MIT
#include "base/strnum.h"

#include "base/testing.h"

static void test_signed(void **state)
{
    static const struct {
        const char *text;
        int rc;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"+7", 0, 7},
        {"007", 0, 7},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", ERR_INVALID, 0},
        {"-9223372036854775809", ERR_INVALID, 0},
        {"99999999999999999999999", ERR_INVALID, 0},
        {"", ERR_INVALID, 0},
        {"-", ERR_INVALID, 0},
        {"+-1", ERR_INVALID, 0},
        {" 1", ERR_INVALID, 0},
        {"1 ", ERR_INVALID, 0},
        {"1.0", ERR_INVALID, 0},
        {"1e3", ERR_INVALID, 0},
        {"0x10", ERR_INVALID, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t value = 0;
        int rc = strnum_parse_i64(slice_from_cstr(cases[i].text), &value, NULL);

        EXPECT(rc == cases[i].rc && value == cases[i].value, "'%s': got %d %lld, not %d %lld", cases[i].text,
               rc, (long long)value, cases[i].rc, (long long)cases[i].value);
    }
}

static void test_unsigned_and_hex(void **state)
{
    static const struct {
        const char *text;
        int rc, hex_rc;
        uint64_t value, hex_value;
    } cases[] = {
        {"0", 0, 0, 0, 0},
        {"10", 0, 0, 10, 16},
        {"18446744073709551615", 0, ERR_INVALID, UINT64_MAX, 0},
        {"18446744073709551616", ERR_INVALID, ERR_INVALID, 0, 0},
        {"ffffffffffffffff", ERR_INVALID, 0, 0, UINT64_MAX},
        {"10000000000000000", 0, ERR_INVALID, UINT64_C(10000000000000000), 0},
        {"0xFf", ERR_INVALID, 0, 0, 255},
        {"0X1f", ERR_INVALID, 0, 0, 31},
        {"0x", ERR_INVALID, ERR_INVALID, 0, 0},
        {"x1", ERR_INVALID, ERR_INVALID, 0, 0},
        {"+1", ERR_INVALID, ERR_INVALID, 0, 0},
        {"-1", ERR_INVALID, ERR_INVALID, 0, 0},
        {"", ERR_INVALID, ERR_INVALID, 0, 0},
        {"fg", ERR_INVALID, ERR_INVALID, 0, 0},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t value = 0, hex = 0;
        int rc = strnum_parse_u64(slice_from_cstr(cases[i].text), &value, NULL);
        int hex_rc = strnum_parse_hex_u64(slice_from_cstr(cases[i].text), &hex, NULL);

        EXPECT(rc == cases[i].rc && value == cases[i].value, "'%s': got %d %llu", cases[i].text, rc,
               (unsigned long long)value);
        EXPECT(hex_rc == cases[i].hex_rc && hex == cases[i].hex_value, "hex '%s': got %d %llx", cases[i].text,
               hex_rc, (unsigned long long)hex);
    }
}

static void test_errors_name_the_text(void **state)
{
    struct error err = ERROR_INIT;
    int64_t value;
    (void)state;

    assert_int_equal(strnum_parse_i64(SLICE_LITERAL("-x"), &value, &err), ERR_INVALID);
    assert_string_equal(err.text, "not a number: '-x'");
    assert_int_equal(strnum_parse_i64(SLICE_LITERAL("-9223372036854775809"), &value, &err), ERR_INVALID);
    assert_string_equal(err.text, "number out of range: '-9223372036854775809'");
}

static void test_format(void **state)
{
    static const int64_t numbers[] = {0, 1, -1, 9, 10, 99, 100, -12345678901, INT64_MAX, INT64_MIN};
    char text[24], expected[24];
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        size_t len = strnum_format_i64(numbers[i], text);

        snprintf(expected, sizeof(expected), "%lld", (long long)numbers[i]);
        EXPECT(slice_eq_cstr(slice_of(text, len), expected), "got '%.*s', not '%s'", (int)len, text,
               expected);
    }
    assert_int_equal(strnum_format_u64(UINT64_MAX, text), 20);
    assert_memory_equal(text, "18446744073709551615", 20);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signed),
        cmocka_unit_test(test_unsigned_and_hex),
        cmocka_unit_test(test_errors_name_the_text),
        cmocka_unit_test(test_format),
    };

    return TEST_MAIN(argc, argv, tests);
}
