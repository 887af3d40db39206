// SPDX-License-Identifier: MIT
#include "base/duration.h"

#include "base/clock.h"
#include "base/testing.h"

#define MS   INT64_C(1000000)
#define S    (1000 * MS)
#define MIN_ (60 * S)
#define H    (60 * MIN_)

static void test_valid_texts(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"+0", 0},
        {"5s", 5 * S},
        {"30s", 30 * S},
        {"1478s", 1478 * S},
        {"-5s", -5 * S},
        {"+5s", 5 * S},
        {"5.0s", 5 * S},
        {"5.6s", 5600 * MS},
        {"5.s", 5 * S},
        {".5s", 500 * MS},
        {"1.004s", 1004 * MS},
        {"100.00100s", 100001 * MS},
        {"10ns", 10},
        {"11us", 11000},
        {"12\xc2\xb5s", 12000},
        {"12\xce\xbcs", 12000},
        {"13ms", 13 * MS},
        {"15m", 15 * MIN_},
        {"16h", 16 * H},
        {"3h30m", 3 * H + 30 * MIN_},
        {"10.5s4m", 4 * MIN_ + 10500 * MS},
        {"-2m3.4s", -(2 * MIN_ + 3400 * MS)},
        {"1h2m3s4ms5us6ns", H + 2 * MIN_ + 3 * S + 4 * MS + 5006},
        {"48h", 48 * H},
        {"876000h", 876000 * H},
        {"52763797000ns", 52763797000},
        {"0.3333333333333333333h", 20 * MIN_},
        {"9007199254740993ns", 9007199254740993},
        {"9223372036854775807ns", INT64_MAX},
        {"-9223372036854775808ns", INT64_MIN},
        {"9223372036854775.807us", INT64_MAX},
        {"0.100000000000000000000h", 6 * MIN_},
        {"0.830103483285477580700h", 49 * MIN_ + 48 * S + 372539827},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        int64_t ns = 1;
        int rc = duration_parse(slice_from_cstr(cases[i].text), &ns, &err);

        EXPECT(rc == 0 && ns == cases[i].ns, "'%s': got %d %lld (%s), not %lld", cases[i].text, rc,
               (long long)ns, err.text, (long long)cases[i].ns);
    }
}

static void test_invalid_texts(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "time: invalid duration \"\""},
        {"3", "time: missing unit in duration \"3\""},
        {"48", "time: missing unit in duration \"48\""},
        {"-", "time: invalid duration \"-\""},
        {"s", "time: invalid duration \"s\""},
        {".", "time: invalid duration \".\""},
        {"-.", "time: invalid duration \"-.\""},
        {".s", "time: invalid duration \".s\""},
        {"+.s", "time: invalid duration \"+.s\""},
        {"1d", "time: unknown unit \"d\" in duration \"1d\""},
        {"1 h", "time: unknown unit \" h\" in duration \"1 h\""},
        {"x", "time: invalid duration \"x\""},
        {"1h ", "time: unknown unit \"h \" in duration \"1h \""},
        {"--1s", "time: invalid duration \"--1s\""},
        {"1s-", "time: unknown unit \"s-\" in duration \"1s-\""},
        {"\"", "time: invalid duration \"\\\"\""},
        {"1\xc3\xa9", "time: unknown unit \"\\xc3\\xa9\" in duration \"1\\xc3\\xa9\""},
        {"9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""},
        {"9223372036854775.808us", "time: invalid duration \"9223372036854775.808us\""},
        {"-9223372036854775809ns", "time: invalid duration \"-9223372036854775809ns\""},
        {"9223372036854ms775us808ns", "time: invalid duration \"9223372036854ms775us808ns\""},
        {"2562047h48m", "time: invalid duration \"2562047h48m\""},
        {"99999999999999999999s", "time: invalid duration \"99999999999999999999s\""},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        int64_t ns = 77;
        int rc = duration_parse(slice_from_cstr(cases[i].text), &ns, &err);

        EXPECT(rc == ERR_INVALID && strcmp(err.text, cases[i].error) == 0, "'%s': got %d '%s', not '%s'",
               cases[i].text, rc, err.text, cases[i].error);
        EXPECT(ns == 77, "'%s': a result was written", cases[i].text);
    }
}

static void test_format(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ns"},
        {999, "999ns"},
        {1100, "1.1\xc2\xb5s"},
        {2200000, "2.2ms"},
        {2 * MS, "2ms"},
        {1500 * MS, "1.5s"},
        {3300 * MS, "3.3s"},
        {5 * MIN_ + 5 * S, "5m5s"},
        {5 * MIN_ + 5001 * MS, "5m5.001s"},
        {90 * MIN_, "1h30m0s"},
        {5 * H + 6 * MIN_ + 7001 * MS, "5h6m7.001s"},
        {8 * MIN_ + 1, "8m0.000000001s"},
        {48 * H, "48h0m0s"},
        {-90 * S, "-1m30s"},
        {INT64_MAX, "2562047h47m16.854775807s"},
        {INT64_MIN, "-2562047h47m16.854775808s"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[40];
        int64_t back = 1;

        EXPECT(strcmp(duration_format(cases[i].ns, text, sizeof(text)), cases[i].text) == 0,
               "%lld: got '%s', not '%s'", (long long)cases[i].ns, text, cases[i].text);
        EXPECT(duration_parse(slice_from_cstr(text), &back, NULL) == 0 && back == cases[i].ns,
               "'%s' does not come back: %lld", text, (long long)back);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_texts),
        cmocka_unit_test(test_invalid_texts),
        cmocka_unit_test(test_format),
    };

    return TEST_MAIN(argc, argv, tests);
}
