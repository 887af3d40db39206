// SPDX-License-Identifier: MIT
// Binary to text. Fixed decimals: integers only, exact. Shortest digits: Schubfach (R. Giulietti, The
// Schubfach way to render doubles, 2020), which needs three multiplications with a 128-bit power of ten.
#include <math.h>
#include <stdbool.h>

#include "base/macros.h"
#include "base/strnum.h"
#include "codec/number-powers.h"
#include "codec/number-private.h"
#include "codec/number.h"

static size_t put(char *text, const char *word, size_t len)
{
    memcpy(text, word, len);
    return len;
}

// ---- fixed decimals ---------------------------------------------------------------------------------------

static const char digit_pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static const uint64_t int_powers[] = {1,      10,      100,      1000,      10000,
                                      100000, 1000000, 10000000, 100000000, 1000000000};

static ALWAYS_INLINE int digit_count(uint64_t v)
{
    if (v < 10)
        return 1;
    if (v < 100)
        return 2;
    if (v < 1000)
        return 3;
    if (v < 10000)
        return 4;
    if (v < 100000)
        return 5;
    int count = 6;
    for (v /= 1000000; v; v /= 10)
        count++;
    return count;
}

// Exactly 'count' digits, with leading zeros.
static ALWAYS_INLINE void put_digits(char *text, uint64_t v, int count)
{
    for (; count >= 2; count -= 2) {
        uint64_t rest = v / 100;
        memcpy(text + count - 2, digit_pairs + 2 * (v - rest * 100), 2);
        v = rest;
    }
    if (count)
        text[0] = (char)('0' + v);
}

static ALWAYS_INLINE size_t put_uint(char *text, uint64_t v)
{
    int count = digit_count(v);
    put_digits(text, v, count);
    return (size_t)count;
}

// integer.fraction with 'decimals' digits of fraction.
static ALWAYS_INLINE size_t put_fixed(char *text, bool negative, uint64_t integer, uint64_t fraction,
                                      int decimals)
{
    size_t len = 0;
    text[0] = '-';
    len += negative;
    len += put_uint(text + len, integer);
    if (decimals > 0) {
        text[len] = '.';
        put_digits(text + len + 1, fraction, decimals);
        len += 1 + (size_t)decimals;
    }
    return len;
}

// The eight decimal digits of v < 10^8 as bytes 0..9, the most significant one first in memory (little-endian
// word). Halves, quarters and single digits are split off side by side; the divisions by 100 and 10 are exact
// for these ranges.
static ALWAYS_INLINE uint64_t eight_digits(uint64_t v)
{
    uint64_t x = v / 10000 | (v % 10000) << 32;
    uint64_t hundreds = (x * 10486 >> 20) & UINT64_C(0x0000007F0000007F);
    x = hundreds | (x - 100 * hundreds) << 16;
    uint64_t tens = (x * 103 >> 10) & UINT64_C(0x000F000F000F000F);
    return tens | (x - 10 * tens) << 8;
}

// put_fixed for a scaled value below 10^8, nearly without branches: this is where pages of samples are
// written.
static ALWAYS_INLINE size_t put_fixed_short(char *text, bool negative, uint64_t scaled, int decimals)
{
    uint64_t digits = eight_digits(scaled);
    int last_whole = 7 - decimals; // index of the last digit before the point, which is always written
    int skip = __builtin_ctzll(digits | UINT64_C(1) << (8 * last_whole)) / 8;
    digits |= UINT64_C(0x3030303030303030);
    text[0] = '-';
    text += negative;
    uint64_t whole = digits >> (8 * skip);
    uint32_t fraction = (uint32_t)(digits >> (8 * (8 - decimals)));
    size_t len = (size_t)(8 - decimals - skip);
    memcpy(text, &whole, sizeof(whole)); // more than counts; overwritten or left behind the end
    text[len] = '.';
    memcpy(text + len + 1, &fraction, sizeof(fraction));
    return negative + len + 1 + (size_t)decimals;
}

// |v| = mantissa * 2^-shift with 0 < shift: the product with 10^decimals is exact in 128 bits, and so the
// part that is cut off tells above, below and exactly half. For up to three decimals the product fits 64 bits
// (53 + 10).
static ALWAYS_INLINE uint64_t scale_and_round(uint64_t mantissa, int shift, int decimals)
{
    if (decimals <= 3) {
        uint64_t product = mantissa * int_powers[decimals];
        if (shift > 63)
            return 0; // the product is below 2^63, that is less than half
        uint64_t whole = product >> shift, rest = product & ((UINT64_C(1) << shift) - 1);
        uint64_t half = UINT64_C(1) << (shift - 1);
        return whole + (rest > half || (rest == half && (whole & 1)));
    }
    number_u128 product = (number_u128)mantissa * int_powers[decimals];
    if (shift > 127)
        return 0;
    uint64_t whole = (uint64_t)(product >> shift);
    number_u128 rest = product & (((number_u128)1 << shift) - 1), half = (number_u128)1 << (shift - 1);
    return whole + (rest > half || (rest == half && (whole & 1)));
}

static size_t format_rare(double v, int decimals, char *text)
{
    if (!isfinite(v))
        return put(text, "null", 4);
    return (size_t)snprintf(text, NUMBER_TEXT_SIZE, "%.*f", decimals, v);
}

size_t number_format_fixed(double v, int decimals, char *text)
{
    ASSERT(decimals >= 0 && decimals <= 9);
    uint64_t bits = number_bits(v);
    bool negative = bits >> 63;
    int biased = (int)(bits >> 52 & 0x7FF);
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    mantissa |= biased ? UINT64_C(1) << 52 : 0;
    int shift = 1075 - (biased ? biased : 1);
    if (shift <= -11) // from 2^63 on, and what is not finite
        return format_rare(v, decimals, text);
    if (shift <= 0)
        return put_fixed(text, negative, mantissa << -shift, 0, decimals);
    // For many decimals the scaled value may need more than 64 bits.
    if (decimals > 3 && biased > 1023 + 33)
        return format_rare(v, decimals, text);
    uint64_t scaled = scale_and_round(mantissa, shift, decimals);
    if (scaled < 100000000 && decimals == 3)
        return put_fixed_short(text, negative, scaled, 3);
    if (scaled < 100000000 && decimals == 2)
        return put_fixed_short(text, negative, scaled, 2);
    uint64_t power = int_powers[decimals];
    return put_fixed(text, negative, scaled / power, scaled % power, decimals);
}

// ---- shortest digits --------------------------------------------------------------------------------------

struct digits {
    uint64_t significand; // value = significand * 10^exponent, no trailing zero unless 0
    int exponent;
};

static int floor_log2_power10(int e) // exact for |e| <= 1233
{
    return (int)(((int64_t)e * 1741647) >> 19);
}

// floor(log10(2^q)), or of 3/4 of it where the gap below is half as wide; exact for |q| <= 1500.
static int floor_log10_gap(int q, bool narrow_below)
{
    return (int)(((int64_t)q * 1262611 - (narrow_below ? 524031 : 0)) >> 22);
}

// Top bits of power * x; the last bit is set when bits were lost ("round to odd"), which keeps comparisons
// right. The power is rounded up by less than one unit, hence a remainder of 1 still means exact.
static uint64_t multiply_to_odd(struct number_power power, uint64_t x)
{
    number_u128 high = (number_u128)power.high * x + (uint64_t)((number_u128)power.low * x >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

static struct digits strip_zeros(uint64_t significand, int exponent)
{
    while (significand >= 10 && significand % 10 == 0) {
        significand /= 10;
        exponent++;
    }
    return (struct digits){significand, exponent};
}

// Shortest decimal inside the rounding interval of c * 2^q, nearest to it among those. narrow_below: c is the
// least significand of its binade, so the neighbour below is nearer.
static struct digits shortest(uint64_t c, int q, bool narrow_below)
{
    int k = floor_log10_gap(q, narrow_below);
    int h = q + floor_log2_power10(-k) + 1;
    struct number_power power = number_powers[-k - NUMBER_POWER_FIRST];
    // Value and interval borders in quarters of 10^k; the borders belong to the interval when c is even.
    uint64_t low = multiply_to_odd(power, (4 * c - (narrow_below ? 1 : 2)) << h) + (c & 1);
    uint64_t value = multiply_to_odd(power, (4 * c) << h);
    uint64_t high = multiply_to_odd(power, (4 * c + 2) << h) - (c & 1);
    uint64_t s = value / 4;
    if (s >= 10) { // one digit less?
        uint64_t tens = s / 10;
        bool down = low <= 40 * tens, up = 40 * tens + 40 <= high;
        if (down != up)
            return strip_zeros(tens + up, k + 1);
    }
    bool down = low <= 4 * s, up = 4 * s + 4 <= high;
    if (down != up)
        return strip_zeros(s + up, k);
    uint64_t middle = 4 * s + 2;
    return strip_zeros(s + (value > middle || (value == middle && (s & 1))), k);
}

static struct digits shortest_f64(double magnitude)
{
    uint64_t bits = number_bits(magnitude), fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52);
    if (magnitude < 0x1p53 && magnitude == (double)(uint64_t)magnitude) // whole numbers are exact
        return strip_zeros((uint64_t)magnitude, 0);
    if (biased == 0)
        return shortest(fraction, -1074, false);
    return shortest(fraction | UINT64_C(1) << 52, biased - 1075, fraction == 0 && biased > 1);
}

static struct digits shortest_f32(float magnitude)
{
    uint32_t bits = number_bits_f32(magnitude), fraction = bits & 0x7FFFFF;
    int biased = (int)(bits >> 23);
    if (magnitude < 0x1p24F && magnitude == (float)(uint32_t)magnitude)
        return strip_zeros((uint32_t)magnitude, 0);
    if (biased == 0)
        return shortest(fraction, -149, false);
    return shortest(fraction | 0x800000, biased - 150, fraction == 0 && biased > 1);
}

// ---- layout -----------------------------------------------------------------------------------------------

// d[.ddd]e+XX; Go writes at least two digits of exponent, encoding/json drops the zero of e-0X.
static size_t put_exponent_form(char *text, const char *digits, int count, int exponent, bool short_exponent)
{
    size_t len = 0;
    text[len++] = digits[0];
    if (count > 1) {
        text[len++] = '.';
        len += put(text + len, digits + 1, (size_t)count - 1);
    }
    text[len++] = 'e';
    text[len++] = exponent < 0 ? '-' : '+';
    unsigned magnitude = (unsigned)(exponent < 0 ? -exponent : exponent);
    if (magnitude < 10 && !(short_exponent && exponent < 0))
        text[len++] = '0';
    return len + put_uint(text + len, magnitude);
}

// Plain decimal; 'exponent' is that of the first digit.
static size_t put_plain_form(char *text, const char *digits, int count, int exponent)
{
    size_t len = 0;
    if (exponent < 0) {
        len += put(text, "0.", 2);
        memset(text + len, '0', (size_t)(-exponent - 1));
        len += (size_t)(-exponent - 1);
        return len + put(text + len, digits, (size_t)count);
    }
    int whole = exponent + 1;
    if (count <= whole) {
        len += put(text, digits, (size_t)count);
        memset(text + len, '0', (size_t)(whole - count));
        return len + (size_t)(whole - count);
    }
    len += put(text, digits, (size_t)whole);
    text[len++] = '.';
    return len + put(text + len, digits + whole, (size_t)(count - whole));
}

// Exponent form when the exponent of the first digit is below 'least' or not below 'limit'.
static size_t put_layout(char *text, bool negative, struct digits d, int least, int limit,
                         bool short_exponent)
{
    char digits[24];
    int count = (int)put_uint(digits, d.significand);
    int exponent = d.significand ? d.exponent + count - 1 : 0;
    size_t len = 0;
    if (negative)
        text[len++] = '-';
    if (exponent < least || exponent >= limit)
        return len + put_exponent_form(text + len, digits, count, exponent, short_exponent);
    return len + put_plain_form(text + len, digits, count, exponent);
}

static size_t put_non_finite(char *text, double v)
{
    if (isnan(v))
        return put(text, "NaN", 3);
    return put(text, v > 0 ? "+Inf" : "-Inf", 4);
}

size_t number_format_shortest(double v, char *text)
{
    if (!isfinite(v))
        return put_non_finite(text, v);
    return put_layout(text, signbit(v), shortest_f64(fabs(v)), -4, 6, false);
}

size_t number_format_json(double v, char *text)
{
    if (!isfinite(v))
        return put(text, "null", 4);
    return put_layout(text, signbit(v), shortest_f64(fabs(v)), -6, 21, true);
}

size_t number_format_json_f32(float v, char *text)
{
    if (!isfinite(v))
        return put(text, "null", 4);
    return put_layout(text, signbit(v), shortest_f32(fabsf(v)), -6, 21, true);
}

size_t number_format_f32_text(float v, char *text)
{
    if (!isfinite(v))
        return put_non_finite(text, (double)v);
    return put_layout(text, signbit(v), shortest_f32(fabsf(v)), -4, 6, false);
}
