// SPDX-License-Identifier: MIT
#include "collector/units.h"

#include "base/testing.h"

// Table of messages.md 5.3; NULL: no unit.
static const struct {
    const char *text, *shown;
} cases[] = {
    {"kB", "KB"},
    {"KB", "KB"},
    {"kb", "KB"},
    {"MByte", "MB"},
    {"mb", "MB"},
    {"MBytes", "MB"},
    {"Mbyte/s", "MB/s"},
    {"GBytes", "GB"},
    {"GFlops/s", "GFlops/s"},
    {"bytes", "B"},
    {"Byte", "B"},
    {"bytes/sec", "B/s"},
    {"B/s", "B/s"},
    {"packets", "packets"},
    {"pkts", "packets"},
    {"packets/sec", "packets/s"},
    {"Mib", "MiB"},
    {"kibibytes", "KiB"},
    {"EB", "EB"},
    {"flop/byte", "Flops/B"},
    {"F/B", "Flops/B"},
    {"requests/sec", "requests/s"},
    {"Percent", "%"},
    {"percent", "%"},
    {"%", "%"},
    {"degC", "degC"},
    {"\xc2\xb0"
     "C",
     "degC"},
    {"degc", "degC"},
    {"DegC", NULL},
    {"PERCENT", NULL},
    {"degrees C", NULL},
    {"kHz", "KHz"},
    {"MHz", "MHz"},
    {"Watt", "W"},
    {"watts", "W"},
    {"sec", "s"},
    {"seconds", "s"},
    {"ms", "ms"},
    {"us", NULL},
    {"ns", NULL},
    {"min", NULL},
    {"Volts", NULL},
    {"Ampere", NULL},
    {"4K_pages/s", NULL},
    {"", NULL},
    {"watt/byte", "W/B"},
    {"events", "events"},
    {"cycles", "cyc"},
    {"Joules", "J"},
    // The measure must be the whole word.
    {"foobar", NULL},
    {"bits", NULL},
    {"i", NULL},
    {"kB/foo", "KB"},
    {"a-very-long-text-that-is-no-unit-at-all", NULL},
};

static void test_parse_and_short_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct unit unit;
        char text[UNIT_TEXT_SIZE] = "";
        bool valid = unit_parse(slice_from_cstr(cases[i].text), &unit);
        if (valid)
            unit_format_short(&unit, text);
        if (valid != (cases[i].shown != NULL) || (valid && strcmp(text, cases[i].shown) != 0))
            fail_msg("'%s' gives '%s', expected '%s'", cases[i].text, valid ? text : "(invalid)",
                     cases[i].shown ? cases[i].shown : "(invalid)");
    }
}

static void test_factor(void **state)
{
    (void)state;
    struct unit unit;
    assert_true(unit_parse(SLICE_LITERAL("kB"), &unit));
    double factor = unit_prefix_factor(unit.prefix, unit_prefix_parse(SLICE_LITERAL("G")));
    assert_true(16384000 * factor == 16.384);
    assert_true(unit_prefix_factor(unit.prefix, unit_prefix_parse(SLICE_LITERAL(""))) == 1000);
    assert_null(unit_prefix_parse(SLICE_LITERAL("X")));
    assert_null(unit_prefix_parse(SLICE_LITERAL("mi")));
    assert_true(unit_prefix_is_target_only(unit_prefix_parse(SLICE_LITERAL("u"))));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_short_form),
        cmocka_unit_test(test_factor),
    };
    return TEST_MAIN(argc, argv, tests);
}
