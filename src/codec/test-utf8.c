// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/macros.h"
#include "codec/utf8.h"

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len, size;
        uint32_t code_point;
    } cases[] = {
        {"a", 1, 1, 'a'},
        {"\x7F", 1, 1, 0x7F},
        {"\xC3\xA4x", 3, 2, 0xE4},
        {"\xE2\x82\xAC", 3, 3, 0x20AC},
        {"\xF0\x9F\x98\x80", 4, 4, 0x1F600},
        {"\xF4\x8F\xBF\xBF", 4, 4, 0x10FFFF},
        {"\xC3", 1, 0, 0},             // cut off
        {"\xE2\x82", 2, 0, 0},         // cut off
        {"\x80", 1, 0, 0},             // continuation alone
        {"\xC3\x28", 2, 0, 0},         // no continuation
        {"\xC0\x80", 2, 0, 0},         // longer than needed
        {"\xE0\x80\xAF", 3, 0, 0},     // longer than needed
        {"\xED\xA0\x80", 3, 0, 0},     // surrogate
        {"\xF4\x90\x80\x80", 4, 0, 0}, // beyond U+10FFFF
        {"\xFF\xFF\xFF\xFF", 4, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t code_point = 0;
        size_t size = utf8_decode(cases[i].bytes, cases[i].len, &code_point);
        if (size != cases[i].size || (size && code_point != cases[i].code_point))
            fail_msg("case %zu: size %zu, U+%04X", i, size, code_point);
    }
}

static void test_every_code_point_round_trips(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        char text[4];
        uint32_t back = 0;
        size_t len = utf8_encode(c, text);
        uint32_t expected = c >= 0xD800 && c <= 0xDFFF ? UTF8_REPLACEMENT : c;
        if (utf8_decode(text, len, &back) != len || back != expected)
            fail_msg("U+%04X comes back as U+%04X", c, back);
    }
    char text[4];
    assert_int_equal(utf8_encode(0x110000, text), 3); // U+FFFD
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decode),
                                       cmocka_unit_test(test_every_code_point_round_trips)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
