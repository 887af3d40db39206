// SPDX-License-Identifier: MIT
#include "base/strnum.h"

#include <string.h>

// Messages quote at most this much of a foreign text.
#define QUOTE_MAX 64

static int bad_number(struct error *err, const char *what, struct slice text)
{
    return error_set(err, ERR_INVALID, "%s: '%.*s'", what, (int)MIN(text.len, QUOTE_MAX),
                     text.len ? text.ptr : "");
}

static int parse_digits(struct slice digits, unsigned base, struct slice whole, uint64_t *ret,
                        struct error *err)
{
    uint64_t v = 0;

    if (digits.len == 0)
        return bad_number(err, "not a number", whole);
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)strnum_hex_digit(digits.ptr[i]);

        if (digit >= base)
            return bad_number(err, "not a number", whole);
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit, &v))
            return bad_number(err, "number out of range", whole);
    }
    *ret = v;
    return 0;
}

int strnum_parse_u64(struct slice text, uint64_t *ret, struct error *err)
{
    return parse_digits(text, 10, text, ret, err);
}

int strnum_parse_i64(struct slice text, int64_t *ret, struct error *err)
{
    bool negative = text.len && text.ptr[0] == '-';
    bool sign = negative || (text.len && text.ptr[0] == '+');
    uint64_t magnitude = 0;

    int rc = parse_digits(slice_skip(text, sign), 10, text, &magnitude, err);
    if (rc < 0)
        return rc;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return bad_number(err, "number out of range", text);
    *ret = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return 0;
}

int strnum_parse_hex_u64(struct slice text, uint64_t *ret, struct error *err)
{
    bool prefix = text.len > 2 && text.ptr[0] == '0' && (text.ptr[1] == 'x' || text.ptr[1] == 'X');

    return parse_digits(slice_skip(text, prefix ? 2 : 0), 16, text, ret, err);
}

size_t strnum_format_u64(uint64_t v, char *text)
{
    char reversed[20];
    size_t len = 0;

    do {
        reversed[len++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    for (size_t i = 0; i < len; i++)
        text[i] = reversed[len - 1 - i];
    return len;
}

size_t strnum_format_i64(int64_t v, char *text)
{
    if (v >= 0)
        return strnum_format_u64((uint64_t)v, text);
    text[0] = '-';
    return 1 + strnum_format_u64(0 - (uint64_t)v, text + 1);
}
