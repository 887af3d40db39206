// SPDX-License-Identifier: MIT
#include <math.h>

#include "base/mem.h"
#include "codec/number-private.h"
#include "codec/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

// Text that is accepted has the value that libc gives it (which knows no underscores), and overflow is seen alike.
static void check_parse(struct slice text)
{
    double value = 0;
    int rc = number_parse_double(text, &value, NULL);
    if (rc == ERR_INVALID || slice_find_byte(text, '_') >= 0)
        return;
    char *terminated = slice_to_cstr(text);
    double expected = strtod(terminated, NULL);
    ASSERT(rc == ERR_LIMIT ? isinf(expected) : number_bits(value) == number_bits(expected));
    mem_free(terminated);
    ASSERT(number_parse_json(text, &expected, NULL) < 0 || number_bits(value) == number_bits(expected));
}

static void check_format(double v)
{
    char text[NUMBER_TEXT_SIZE], expected[NUMBER_TEXT_SIZE];
    double back = 0;
    int rc = number_parse_double(slice_of(text, number_format_shortest(v, text)), &back, NULL);
    ASSERT(rc == 0 && number_bits(back) == number_bits(v));
    rc = number_parse_json(slice_of(text, number_format_json(v, text)), &back, NULL);
    ASSERT(rc == 0 && number_bits(back) == number_bits(v));
    for (int decimals = 0; decimals <= 9; decimals++) {
        size_t len = number_format_fixed(v, decimals, text);
        snprintf(expected, sizeof(expected), "%.*f", decimals, v);
        ASSERT(len == strlen(expected) && memcmp(text, expected, len) == 0);
    }
    float f = (float)v;
    if (!isfinite(f))
        return;
    rc = number_parse_json(slice_of(text, number_format_json_f32(f, text)), &back, NULL);
    float f_back = (float)back;
    ASSERT(rc == 0 && number_bits_f32(f_back) == number_bits_f32(f));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    check_parse(slice_of((const char *)bytes, len));
    double v;
    if (len == sizeof(v)) {
        memcpy(&v, bytes, sizeof(v));
        if (isfinite(v))
            check_format(v);
    }
    return 0;
}
