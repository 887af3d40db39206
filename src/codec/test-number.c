// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/number-private.h"
#include "codec/number.h"

// Fixed seed: every run tries the same numbers.
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Any bits, small decimals, whole numbers, halves, subnormals and powers of two in turn. Always finite.
static double random_double(uint64_t *seed)
{
    uint64_t r = next_random(seed);
    double v;
    switch (r % 6) {
    case 0:
        v = number_from_bits(next_random(seed));
        break;
    case 1:
        v = (double)(int64_t)(next_random(seed) >> (r >> 8 & 31)) / 1000;
        break;
    case 2:
        v = (double)(next_random(seed) >> (r >> 8 & 63));
        break;
    case 3:
        v = ((double)(next_random(seed) >> 44) + 0.5) / (r & 64 ? 1000 : 100);
        break;
    case 4:
        v = number_from_bits(next_random(seed) >> 12 >> (r >> 8 & 31));
        break;
    default:
        v = ldexp((double)(next_random(seed) >> 53), (int)(r >> 8 & 2047) - 1074);
        break;
    }
    return isfinite(v) ? v : 1;
}

// ---- parsing --------------------------------------------------------------------------------------------------------

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0},
        {"1", 1},
        {"+1", 1},
        {"-1", -1},
        {".5", 0.5},
        {"5.", 5},
        {"-.25", -0.25},
        {"1e3", 1000},
        {"1E-3", 0.001},
        {"1e+3", 1000},
        {"00012", 12},
        {"123456789.123456789", 123456789.123456789},
        {"9007199254740993", 9007199254740992}, // half way: to even
        {"9007199254740993.0000000000000000000000000000000000001", 9007199254740994},
        {"9007199254740995", 9007199254740996},
        {"1_000.5", 1000.5},
        {"1_23.50_0_0e+1_2", 1.235e14},
        {"0x1p4", 16},
        {"0x.8p1", 1},
        {"0x1P-2", 0.25},
        {"0x_1_2.3_4_5p+1_2", 74565},
        {"-0x1.fffffffffffffp1023", -DBL_MAX},
        {"0x1.00000000000008p0", 1}, // half way: to even
        {"0x1.000000000000081p0", 1.0000000000000002},
        {"0x1.00000000000018p0", 1.0000000000000004},
        {"0x1.000000000000080000000000000000000001p0", 1.0000000000000002},
        {"0x1p-1074", 5e-324},
        {"0x1p-1075", 0}, // half of the least: to even
        {"0x1.8p-1075", 5e-324},
        {"0x3p-1075", 1e-323},
        {"0x1p-2000", 0},
        {"0x0p99999999999", 0},
        {"5e-324", 5e-324},
        {"2.4703282292062327208e-324", 0}, // just below half of the least
        {"2.4703282292062328e-324", 5e-324},
        {"1e-400", 0},
        {"0e999999999999", 0},
        {"1.7976931348623157e308", DBL_MAX},
        {"1.7976931348623158e308", DBL_MAX},
        {"2.2250738585072011e-308", 2.225073858507201e-308},
        {"2.2250738585072012e-308", 2.2250738585072014e-308},
        {"6929495644600919.5", 6929495644600920},
        {"3.7455744005952583e15", 3745574400595258.5},
        {"8.98846567431158e307", 8.98846567431158e307},
        {"100000000000000016777215", 1.0000000000000001e23},
        {"100000000000000016777216", 1.0000000000000003e23}, // near half way, 24 digits
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double value = -7;
        struct error err = ERROR_INIT;
        int rc = number_parse_double(slice_from_cstr(cases[i].text), &value, &err);
        if (rc < 0 || number_bits(value) != number_bits(cases[i].value))
            fail_msg("'%s': %d %.17g %s, expected %.17g", cases[i].text, rc, value, err.text, cases[i].value);
    }
    double value = 1;
    assert_int_equal(number_parse_double(SLICE_LITERAL("-0"), &value, NULL), 0);
    assert_true(value == 0 && signbit(value));
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"", ERR_INVALID},
        {"-", ERR_INVALID},
        {".", ERR_INVALID},
        {"1x", ERR_INVALID},
        {" 1", ERR_INVALID},
        {"1 ", ERR_INVALID},
        {"--1", ERR_INVALID},
        {"1e", ERR_INVALID},
        {"1e+", ERR_INVALID},
        {"e1", ERR_INVALID},
        {"1.2.3", ERR_INVALID},
        {"inf", ERR_INVALID},
        {"NaN", ERR_INVALID},
        {"infinity", ERR_INVALID},
        {"0x", ERR_INVALID},
        {"0x10", ERR_INVALID},
        {"0x.p1", ERR_INVALID},
        {"0x1p", ERR_INVALID},
        {"0x1p1x", ERR_INVALID},
        {"0b1", ERR_INVALID},
        {"_1", ERR_INVALID},
        {"1_", ERR_INVALID},
        {"1__2", ERR_INVALID},
        {"1_.5", ERR_INVALID},
        {"1._5", ERR_INVALID},
        {"1_e1", ERR_INVALID},
        {"1e_1", ERR_INVALID},
        {"1e+_1", ERR_INVALID},
        {"1e1_", ERR_INVALID},
        {"-_1", ERR_INVALID},
        {"0x__1p1", ERR_INVALID},
        {"0x1_.2p1", ERR_INVALID},
        {"0x1.2_p1", ERR_INVALID},
        {"0x1p1_", ERR_INVALID},
        {"1e309", ERR_LIMIT},
        {"-1e400", ERR_LIMIT},
        {"1.7976931348623159e308", ERR_LIMIT},
        {"0x1p1024", ERR_LIMIT},
        {"0x1.fffffffffffff8p1023", ERR_LIMIT},
        {"1e99999999999999999999", ERR_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double value = -7;
        struct error err = ERROR_INIT;
        int rc = number_parse_double(slice_from_cstr(cases[i].text), &value, &err);
        if (rc != cases[i].rc || value != -7 || err.code != (enum error_code)rc)
            fail_msg("'%s': %d %g, expected %d", cases[i].text, rc, value, cases[i].rc);
    }
}

static void test_parse_json(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "-0", "0.5", "10", "1e5", "1E+5", "1.5e-5", "0e1"};
    static const char *const bad[] = {"",    "-",     "+1",   ".5", "5.",  "01", "-01",
                                      "1_0", "0x1p1", "1.e5", "1e", "NaN", "1 "};
    double value;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (number_parse_json(slice_from_cstr(good[i]), &value, NULL) < 0)
            fail_msg("'%s' is refused", good[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (number_parse_json(slice_from_cstr(bad[i]), &value, NULL) != ERR_INVALID)
            fail_msg("'%s' is accepted", bad[i]);
    }
}

// Against libc, which is slow but right; also texts with more digits than a double holds.
static void test_parse_equals_libc(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int i = 0; i < 100000; i++) {
        char text[512];
        double v = random_double(&seed);
        int len = i % 3 == 0 ? snprintf(text, sizeof(text), "%.*e", (int)(next_random(&seed) % 40), v)
                  : i % 3 == 1
                      ? snprintf(text, sizeof(text), "%.*f", (int)(next_random(&seed) % 20), v)
                      : snprintf(text, sizeof(text), "%llue%d", (unsigned long long)next_random(&seed),
                                 (int)(next_random(&seed) % 680) - 360);
        double expected = strtod(text, NULL), value = 0;
        int rc = number_parse_double(slice_of(text, (size_t)len), &value, NULL);
        if (isinf(expected) ? rc != ERR_LIMIT : rc < 0 || number_bits(value) != number_bits(expected))
            fail_msg("'%s': %d %.17g, expected %.17g", text, rc, value, expected);
    }
}

// Exactly between two doubles, and a little beside it, with hundreds of digits.
static void test_parse_half_way(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 3000; i++) {
        double low = fabs(random_double(&seed));
        if (low < 1e-300 || low > 1e300)
            continue;
        long double middle =
            (long double)low + ((long double)nextafter(low, INFINITY) - (long double)low) / 2;
        char text[1200];
        int len = snprintf(text, sizeof(text), "%.1100Lf", middle);
        if ((size_t)len >= sizeof(text) - 1)
            continue;
        while (text[len - 1] == '0' && text[len - 2] != '.')
            len--;
        double value = 0;
        assert_int_equal(number_parse_double(slice_of(text, (size_t)len), &value, NULL), 0);
        double even = number_bits(low) & 1 ? nextafter(low, INFINITY) : low;
        if (value != even)
            fail_msg("middle behind %.17g reads as %.17g", low, value);
        text[len] = '1'; // a little more
        assert_int_equal(number_parse_double(slice_of(text, (size_t)len + 1), &value, NULL), 0);
        if (value != nextafter(low, INFINITY))
            fail_msg("more than the middle behind %.17g reads as %.17g", low, value);
    }
}

static void test_parse_many_digits(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_append_cstr(&text, "0.");
    buf_append_fill(&text, '0', 20000);
    buf_append_cstr(&text, "12345");
    buf_append_fill(&text, '0', 20000);
    buf_append_cstr(&text, "1e20003");
    double value = 0;
    assert_int_equal(number_parse_double(buf_slice(&text), &value, NULL), 0);
    assert_true(value == 123.45);
    buf_release(&text);
}

// ---- formatting -----------------------------------------------------------------------------------------------------

static void assert_text(const char *what, double v, const char *text, size_t len, const char *expected)
{
    if (len != strlen(expected) || memcmp(text, expected, len) != 0)
        fail_msg("%s of %.17g: '%.*s', expected '%s'", what, v, (int)len, text, expected);
}

static void test_fixed(void **state)
{
    (void)state;
    static const struct {
        double v;
        int decimals;
        const char *text;
    } cases[] = {
        {0, 3, "0.000"},
        {-0.0, 3, "-0.000"},
        {-1e-9, 3, "-0.000"},
        {0.875, 2, "0.88"},
        {0.125, 2, "0.12"},
        {0.0005, 3, "0.001"}, // the double is above the half
        {0.5, 0, "0"},
        {1.5, 0, "2"},
        {1.005, 2, "1.00"},
        {1.125, 2, "1.12"},
        {99999.9995, 3, "100000.000"},
        {99999.9999, 3, "100000.000"},
        {12345.678, 3, "12345.678"},
        {-12345.678, 3, "-12345.678"},
        {1000000.0625, 2, "1000000.06"},
        {16777216, 2, "16777216.00"},
        {123456792, 2, "123456792.00"},
        {9007199254740992, 3, "9007199254740992.000"},
        {9223372036854775808.0, 3, "9223372036854775808.000"},
        {18446744073709551616.0, 3, "18446744073709551616.000"},
        {-9223372036854774784.0, 2, "-9223372036854774784.00"},
        {5e-324, 3, "0.000"},
        {0x1p-10, 9, "0.000976562"},
        {0x3p-10, 9, "0.002929688"},
        {1e10, 9, "10000000000.000000000"},
        {1e22, 3, "10000000000000000000000.000"},
    };
    char text[NUMBER_TEXT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = number_format_fixed(cases[i].v, cases[i].decimals, text);
        assert_text("fixed", cases[i].v, text, len, cases[i].text);
    }
    assert_text("fixed", NAN, text, number_format_fixed(NAN, 3, text), "null");
    assert_text("fixed", INFINITY, text, number_format_fixed(-INFINITY, 2, text), "null"); // MS-24
    assert_int_equal(number_format_fixed(-DBL_MAX, 9, text), 1 + 309 + 1 + 9);
}

static void test_fixed_equals_libc(void **state)
{
    (void)state;
    uint64_t seed = 99;
    for (int i = 0; i < 100000; i++) {
        double v = random_double(&seed);
        for (int decimals = 0; decimals <= 9; decimals += i % 4 == 0 ? 1 : 3) {
            char text[NUMBER_TEXT_SIZE], expected[NUMBER_TEXT_SIZE];
            snprintf(expected, sizeof(expected), "%.*f", decimals, v);
            assert_text("fixed", v, text, number_format_fixed(v, decimals, text), expected);
        }
    }
}

// Every value of three decimals below 20, and half ways between them.
static void test_fixed_small(void **state)
{
    (void)state;
    for (int i = 0; i < 40000; i++) {
        double v = i / 2000.0;
        char text[NUMBER_TEXT_SIZE], expected[64];
        snprintf(expected, sizeof(expected), "%.3f", v);
        assert_text("fixed", v, text, number_format_fixed(v, 3, text), expected);
        snprintf(expected, sizeof(expected), "%.2f", v);
        assert_text("fixed", v, text, number_format_fixed(v, 2, text), expected);
    }
}

// The table of messages.md 2.2, the recorded scenario lp-12-bytes-http, and encoding/json.
static void test_shortest(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *shortest, *json;
    } cases[] = {
        {0, "0", "0"},
        {-0.0, "-0", "-0"},
        {1, "1", "1"},
        {75.5, "75.5", "75.5"},
        {100000, "100000", "100000"},
        {999999, "999999", "999999"},
        {1000000, "1e+06", "1000000"},
        {6632243, "6.632243e+06", "6632243"},
        {16384000, "1.6384e+07", "16384000"},
        {0.0001, "0.0001", "0.0001"},
        {0.00001, "1e-05", "0.00001"},
        {0.000001, "1e-06", "0.000001"},
        {0.0000001, "1e-07", "1e-7"},
        {1.5e-7, "1.5e-07", "1.5e-7"},
        {1e-10, "1e-10", "1e-10"},
        {1099511627776, "1.099511627776e+12", "1099511627776"},
        {65.0 / 3, "21.666666666666668", "21.666666666666668"},
        {123456.789, "123456.789", "123456.789"},
        {1e20, "1e+20", "100000000000000000000"},
        {1e21, "1e+21", "1e+21"},
        {1e22, "1e+22", "1e+22"},
        {1.7976931348623157e308, "1.7976931348623157e+308", "1.7976931348623157e+308"},
        {5e-324, "5e-324", "5e-324"},
        {-1234567, "-1.234567e+06", "-1234567"},
        {-0.00012345, "-0.00012345", "-0.00012345"},
        {0.1, "0.1", "0.1"},
        {0.3, "0.3", "0.3"},
        {2.5e-8, "2.5e-08", "2.5e-8"},
        {12345678901234567890.0, "1.2345678901234567e+19", "12345678901234567000"},
        {3.141592653589793, "3.141592653589793", "3.141592653589793"},
        {2.2250738585072014e-308, "2.2250738585072014e-308", "2.2250738585072014e-308"},
        {9007199254740993.0, "9.007199254740992e+15", "9007199254740992"},
        {9007199254740994, "9.007199254740994e+15", "9007199254740994"},
        {5e22, "5e+22", "5e+22"},
        {2e23, "2e+23", "2e+23"},
    };
    char text[NUMBER_TEXT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_text("shortest", cases[i].v, text, number_format_shortest(cases[i].v, text),
                    cases[i].shortest);
        assert_text("json", cases[i].v, text, number_format_json(cases[i].v, text), cases[i].json);
    }
    assert_text("shortest", NAN, text, number_format_shortest(NAN, text), "NaN");
    assert_text("shortest", INFINITY, text, number_format_shortest(INFINITY, text), "+Inf");
    assert_text("shortest", -INFINITY, text, number_format_shortest(-INFINITY, text), "-Inf");
    assert_text("json", NAN, text, number_format_json(NAN, text), "null");
    assert_text("json", INFINITY, text, number_format_json(INFINITY, text), "null");
}

// metric-store.md 9, and single precision in JSON.
static void test_f32(void **state)
{
    (void)state;
    static const struct {
        float v;
        const char *text, *json;
    } cases[] = {
        {1.5F, "1.5", "1.5"},
        {0.25F, "0.25", "0.25"},
        {103.25F, "103.25", "103.25"},
        {0.1F, "0.1", "0.1"},
        {100000, "100000", "100000"},
        {1e6F, "1e+06", "1000000"},
        {1234567, "1.234567e+06", "1234567"},
        {1e-4F, "0.0001", "0.0001"},
        {1e-5F, "1e-05", "0.00001"},
        {1e-7F, "1e-07", "1e-7"},
        {16777216, "1.6777216e+07", "16777216"},
        {3.4028235e38F, "3.4028235e+38", "3.4028235e+38"},
        {1e-45F, "1e-45", "1e-45"},
        {1.1754944e-38F, "1.1754944e-38", "1.1754944e-38"},
        {-0.0F, "-0", "-0"},
    };
    char text[NUMBER_TEXT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_text("f32", (double)cases[i].v, text, number_format_f32_text(cases[i].v, text), cases[i].text);
        assert_text("f32 json", (double)cases[i].v, text, number_format_json_f32(cases[i].v, text),
                    cases[i].json);
    }
    assert_text("f32", NAN, text, number_format_f32_text(NAN, text), "NaN");
    assert_text("f32", INFINITY, text, number_format_f32_text(-INFINITY, text), "-Inf");
    assert_text("f32 json", NAN, text, number_format_json_f32(NAN, text), "null");
    assert_text("f32 json", INFINITY, text, number_format_json_f32(INFINITY, text), "null");
}

// Significant digits of a number text.
static int significant_digits(const char *text, size_t len)
{
    char digits[NUMBER_TEXT_SIZE];
    int count = 0;
    for (size_t i = 0; i < len && text[i] != 'e'; i++) {
        if (text[i] >= '0' && text[i] <= '9' && (count || text[i] != '0'))
            digits[count++] = text[i];
    }
    while (count && digits[count - 1] == '0')
        count--;
    return count;
}

// Reads back as the same double; no text with fewer digits does.
static void test_shortest_is_shortest(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int i = 0; i < 60000; i++) {
        double v = random_double(&seed), back = 0;
        char text[NUMBER_TEXT_SIZE], shorter[64];
        size_t len = number_format_shortest(v, text);
        assert_int_equal(number_parse_double(slice_of(text, len), &back, NULL), 0);
        if (number_bits(back) != number_bits(v))
            fail_msg("%.17g is written as '%.*s'", v, (int)len, text);
        int digits = significant_digits(text, len);
        if (digits < 2)
            continue;
        snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, v);
        if (strtod(shorter, NULL) == v)
            fail_msg("%.17g is written as '%.*s', '%s' is shorter", v, (int)len, text, shorter);
    }
}

static void test_shortest_f32_is_shortest(void **state)
{
    (void)state;
    uint64_t seed = 6;
    for (int i = 0; i < 100000; i++) {
        uint32_t bits = (uint32_t)(next_random(&seed) >> (i % 2 ? 32 : 41));
        float v;
        memcpy(&v, &bits, sizeof(v));
        if (!isfinite(v))
            continue;
        char text[NUMBER_TEXT_SIZE], other[64];
        size_t len = number_format_f32_text(v, text);
        text[len] = 0;
        float back = strtof(text, NULL);
        if (memcmp(&back, &v, sizeof(v)) != 0)
            fail_msg("%.9g is written as '%s'", (double)v, text);
        int digits = significant_digits(text, len);
        if (digits < 2)
            continue;
        snprintf(other, sizeof(other), "%.*e", digits - 2, (double)v);
        if (strtof(other, NULL) == v)
            fail_msg("%.9g is written as '%s', '%s' is shorter", (double)v, text, other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_parse_json),
        cmocka_unit_test(test_parse_equals_libc),
        cmocka_unit_test(test_parse_half_way),
        cmocka_unit_test(test_parse_many_digits),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_fixed_equals_libc),
        cmocka_unit_test(test_fixed_small),
        cmocka_unit_test(test_shortest),
        cmocka_unit_test(test_f32),
        cmocka_unit_test(test_shortest_is_shortest),
        cmocka_unit_test(test_shortest_f32_is_shortest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
