// SPDX-License-Identifier: MIT
// Text to binary. In three stages, each correctly rounded, the next only when the one before cannot decide:
// 1. up to 15 digits and powers up to 10^22 are exact doubles, one multiplication or division rounds once
//    (W. Clinger, How to Read Floating Point Numbers Accurately, 1990);
// 2. up to 19 digits times a 128-bit power of ten (D. Lemire, Number Parsing at a Gigabyte per Second, 2021;
// no fallback
//    is needed for 19 digits: N. Mushtak, D. Lemire, Fast Number Parsing Without Fallback, 2022);
// 3. more digits, when the digits behind the 19th matter: libc with the C locale.
#include "codec/number.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>

#include "codec/number-powers.h"
#include "codec/number-private.h"

#define MAX_EXPONENT_TEXT 100000 // digits of an exponent beyond this change nothing
#define MAX_DIGITS        19     // of a 64-bit significand
// No midpoint between two doubles has more significant digits than 767; a further one tells "more" from
// "equal".
#define EXACT_DIGITS 770

// A decimal number as read: significand * 10^exponent, sign apart.
struct decimal {
    uint64_t significand; // the first 19 significant digits
    int64_t exponent;
    bool negative;
    bool truncated;          // digits that are not zero were left out
    struct slice digits;     // integer and fraction as written, for stage 3
    int64_t digits_exponent; // of the text after 'digits' with its point
};

// ---- stages -----------------------------------------------------------------------------------------------

static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool clinger(uint64_t significand, int64_t exponent, double *ret)
{
    if (significand >> 53 || exponent < -22 || exponent > 22)
        return false;
    *ret = exponent < 0 ? (double)significand / exact_powers[-exponent]
                        : (double)significand * exact_powers[exponent];
    return true;
}

// significand * 10^exponent, rounded to nearest, ties to even. INFINITY when it is too large.
static double eisel_lemire(uint64_t significand, int64_t exponent)
{
    if (significand == 0 || exponent < NUMBER_POWER_FIRST)
        return 0;
    if (exponent > 308)
        return INFINITY;
    struct number_power power = number_powers[exponent - NUMBER_POWER_FIRST];
    if (exponent >
        55) // not exact: the method wants positive powers rounded down, the table has them rounded up
        power.high -= power.low-- == 0;
    int zeros = __builtin_clzll(significand);
    significand <<= zeros;
    number_u128 product = (number_u128)significand * power.high;
    if ((uint64_t)(product >> 64 & 0x1FF) ==
        0x1FF) // the lower half of the power may carry into the bits that count
        product += (uint64_t)((number_u128)significand * power.low >> 64);
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    int top = (int)(high >> 63);
    uint64_t mantissa = high >> (top + 9); // 53 bits and one for rounding
    // floor(log2(10^exponent)), exact in this range
    int64_t binary = ((217706 * exponent) >> 16) + 63 + top - zeros + 1023;
    if (binary <= 0) { // subnormal
        if (binary <= -63)
            return 0;
        mantissa >>= 1 - binary;
        mantissa = (mantissa + (mantissa & 1)) >> 1; // a tie is not possible here
        return number_from_bits(mantissa); // a carry into bit 52 is the least normal number, as it should be
    }
    // Exactly half way: only possible in this range of exponents.
    if (low <= 1 && exponent >= -4 && exponent <= 23 && (mantissa & 3) == 1 && mantissa << (top + 9) == high)
        mantissa &= ~UINT64_C(1);
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >> 53) {
        mantissa >>= 1;
        binary++;
    }
    if (binary >= 0x7FF)
        return INFINITY;
    return number_from_bits((mantissa & ((UINT64_C(1) << 52) - 1)) | (uint64_t)binary << 52);
}

// The digits again, as many as can matter, as text for libc: "ddd...e<exponent>".
static double by_libc(const struct decimal *d)
{
    char text[EXACT_DIGITS + 32];
    size_t len = 0;
    int64_t exponent = d->digits_exponent;
    bool fraction = false, sticky = false;
    for (size_t i = 0; i < d->digits.len; i++) {
        char c = d->digits.ptr[i];
        if (c == '.')
            fraction = true;
        if (c < '0' || c > '9')
            continue;
        bool keep = len < EXACT_DIGITS;
        if (keep && (c != '0' || len > 0))
            text[len++] = c;
        sticky |= !keep && c != '0';
        exponent += (keep ? 0 : 1) - (fraction ? 1 : 0);
    }
    if (sticky) {
        text[len++] = '1';
        exponent--;
    }
    snprintf(text + len, sizeof(text) - len, "e%lld", (long long)exponent);
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value = c_locale ? strtod_l(text, NULL, c_locale) : strtod(text, NULL);
    if (c_locale)
        freelocale(c_locale);
    return value;
}

static double to_double(const struct decimal *d)
{
    double value = 0;
    if (!d->truncated && clinger(d->significand, d->exponent, &value))
        return value;
    value = eisel_lemire(d->significand, d->exponent);
    // The true value lies between this significand and the next one.
    if (d->truncated && value != eisel_lemire(d->significand + 1, d->exponent))
        return by_libc(d);
    return value;
}

// ---- reading ----------------------------------------------------------------------------------------------

static int fail(struct error *err, struct slice text)
{
    return error_set(err, ERR_INVALID, "invalid number '%.*s'", (int)MIN(text.len, (size_t)64), text.ptr);
}

static int finish(double magnitude, bool negative, struct slice text, double *ret, struct error *err)
{
    if (isinf(magnitude))
        return error_set(err, ERR_LIMIT, "number '%.*s' is out of range", (int)MIN(text.len, (size_t)64),
                         text.ptr);
    *ret = negative ? -magnitude : magnitude;
    return 0;
}

// Digits with underscores and one point, into the first 19 significant ones. False when there is no digit.
static bool read_digits(const char **ptr, const char *end, struct decimal *d)
{
    const char *p = *ptr;
    bool any = false, fraction = false;
    int count = 0; // significant digits taken
    for (; p < end; p++) {
        unsigned digit = (unsigned)(unsigned char)*p - '0';
        if (digit > 9) {
            if (*p == '_')
                continue;
            if (*p != '.' || fraction)
                break;
            fraction = true;
            continue;
        }
        any = true;
        if (count < MAX_DIGITS) {
            d->significand = d->significand * 10 + digit;
            count += d->significand != 0;
            d->exponent -= fraction;
        } else {
            d->truncated |= digit != 0;
            d->exponent += !fraction;
        }
    }
    *ptr = p;
    return any;
}

// Behind 'e' or 'p': sign and digits. False when there is no digit at the start.
static bool read_exponent(const char **ptr, const char *end, int64_t *ret)
{
    const char *p = *ptr;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end || !isdigit((unsigned char)*p))
        return false;
    int64_t value = 0;
    for (; p < end && (isdigit((unsigned char)*p) || *p == '_'); p++) {
        if (*p != '_' && value < MAX_EXPONENT_TEXT)
            value = value * 10 + (*p - '0');
    }
    *ptr = p;
    *ret = negative ? -value : value;
    return true;
}

// Underscores stand between digits; the base prefix counts as a digit in front of them.
static bool underscores_ok(struct slice text, bool hex)
{
    char before = hex ? '0' : '.';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool digit = hex ? isxdigit((unsigned char)c) : isdigit((unsigned char)c);
        if (c == '_' ? before != '0' : before == '_' && !digit)
            return false;
        before = digit ? '0' : c;
    }
    return before != '_';
}

// significand * 2^exponent and, when 'sticky', a little more, rounded to nearest, ties to even.
static double assemble(uint64_t significand, int64_t exponent, bool sticky)
{
    if (significand == 0)
        return 0;
    int zeros = __builtin_clzll(significand);
    significand <<= zeros;
    int64_t top = exponent - zeros + 63; // the value is 1.xxx * 2^top
    int64_t drop = 11 + (top < -1022 ? -1022 - top : 0);
    if (top > 1023 || drop > 64)
        return top > 1023 ? INFINITY : 0;
    uint64_t mantissa = drop < 64 ? significand >> drop : 0;
    uint64_t rest = drop < 64 ? significand & ((UINT64_C(1) << drop) - 1) : significand;
    uint64_t half = UINT64_C(1) << (drop - 1);
    mantissa += rest > half || (rest == half && (sticky || (mantissa & 1)));
    // The hidden bit and a carry out of the mantissa add to the exponent as they should.
    return number_from_bits(mantissa + (top < -1022 ? 0 : (uint64_t)(top + 1022) << 52));
}

// Behind "0x": hexadecimal digits with one point, a mandatory exponent of two.
static int parse_hex(struct slice text, struct slice body, bool negative, double *ret, struct error *err)
{
    const char *p = body.ptr, *end = p + body.len;
    uint64_t significand = 0;
    int64_t exponent = 0, written = 0;
    bool any = false, fraction = false, sticky = false;
    for (; p < end && (isxdigit((unsigned char)*p) || *p == '_' || (*p == '.' && !fraction)); p++) {
        if (*p == '_')
            continue;
        if (*p == '.') {
            fraction = true;
            continue;
        }
        unsigned digit = *p <= '9' ? (unsigned)(*p - '0') : (unsigned)((*p | 0x20) - 'a') + 10;
        any = true;
        if (significand >> 58) { // enough: five bits behind the last one that counts
            sticky |= digit != 0;
            exponent += fraction ? 0 : 4;
        } else {
            significand = significand << 4 | digit;
            exponent -= fraction ? 4 : 0;
        }
    }
    if (!any || p == end || (*p | 0x20) != 'p')
        return fail(err, text);
    p++;
    if (!read_exponent(&p, end, &written) || p != end || !underscores_ok(body, true))
        return fail(err, text);
    exponent = MAX(MIN(exponent + written, (int64_t)MAX_EXPONENT_TEXT), (int64_t)-MAX_EXPONENT_TEXT);
    return finish(assemble(significand, exponent, sticky), negative, text, ret, err);
}

int number_parse_double(struct slice text, double *ret, struct error *err)
{
    const char *p = text.ptr, *end = p + text.len;
    struct decimal d = {.negative = p < end && *p == '-'};
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (end - p >= 2 && p[0] == '0' && (p[1] | 0x20) == 'x')
        return parse_hex(text, slice_of(p + 2, (size_t)(end - p - 2)), d.negative, ret, err);
    const char *start = p;
    if (!read_digits(&p, end, &d))
        return fail(err, text);
    d.digits = slice_of(start, (size_t)(p - start));
    if (p < end) {
        if ((*p | 0x20) != 'e')
            return fail(err, text);
        p++;
        if (!read_exponent(&p, end, &d.digits_exponent) || p != end)
            return fail(err, text);
        d.exponent += d.digits_exponent;
    }
    if (memchr(start, '_', (size_t)(end - start)) &&
        !underscores_ok(slice_of(start, (size_t)(end - start)), false))
        return fail(err, text);
    return finish(to_double(&d), d.negative, text, ret, err);
}

int number_parse_json(struct slice text, double *ret, struct error *err)
{
    const char *p = text.ptr, *end = p + text.len;
    struct decimal d = {.negative = p < end && *p == '-'};
    if (d.negative)
        p++;
    if (p == end || !isdigit((unsigned char)*p) || (*p == '0' && end - p > 1 && isdigit((unsigned char)p[1])))
        return fail(err, text);
    for (const char *q = p; q < end; q++) {
        bool last_digit_missing = *q == '.' && (q + 1 == end || !isdigit((unsigned char)q[1]));
        if (*q == '_' || (*q | 0x20) == 'x' || last_digit_missing)
            return fail(err, text);
    }
    return number_parse_double(text, ret, err);
}
