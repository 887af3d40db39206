// SPDX-License-Identifier: MIT
// The fast way through line protocol, inline because a call per token costs more than the token. Senders
// repeat their line order: a reader that remembers the raw head of the line that comes next
// ("cpu_load,cluster=c,hostname=h") compares it with memcmp and needs only the value and the time behind it:
//
//     if (left > head_len && memcmp(p, head, head_len) == 0) {
//         const char *next = lineproto_scan_value_time(p + head_len, end, &value, &timestamp);
//         if (next) ... one sample, go on at 'next'
//     }
//     else: lineproto_scan_head() tells how long the head is, for a look-up by its bytes
//     else: the full decoder (lineproto_advance, lineproto_next)
//
// Everything unusual is declined, never guessed: what is accepted here the decoder reads the same way, bit
// for bit (fuzz-lineproto holds that). Eight bytes are looked at in a word; the arithmetic needs
// little-endian order.
#ifndef CODEC_LINEPROTO_SCAN_H
#define CODEC_LINEPROTO_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are compared as little-endian bytes");

#define LINEPROTO_ONES      UINT64_C(0x0101010101010101)
#define LINEPROTO_HIGH_BITS UINT64_C(0x8080808080808080)
// Longest text that lineproto_scan_value_time looks at; nearer to the end of the input it declines.
#define LINEPROTO_SCAN_MARGIN 96

static ALWAYS_INLINE uint64_t lineproto_load8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

// The lowest bit set tells the first byte that equals c (bits above it may be wrong).
static ALWAYS_INLINE uint64_t lineproto_match(uint64_t word, char c)
{
    uint64_t x = word ^ (LINEPROTO_ONES * (unsigned char)c);
    return (x - LINEPROTO_ONES) & ~x & LINEPROTO_HIGH_BITS;
}

// The same for the first control character or blank (00 to 20).
static ALWAYS_INLINE uint64_t lineproto_match_control(uint64_t word)
{
    return (word - LINEPROTO_ONES * 0x21) & ~word & LINEPROTO_HIGH_BITS;
}

// Reads up to eight digits at p (eight bytes must be readable); returns how many there are.
static ALWAYS_INLINE unsigned lineproto_scan_digits(const char *p, uint64_t *ret_value)
{
    uint64_t x = lineproto_load8(p) ^ (LINEPROTO_ONES * '0'); // digits become 0..9
    uint64_t other = ((x + LINEPROTO_ONES * 0x76) | x) & LINEPROTO_HIGH_BITS;
    unsigned count = other ? (unsigned)__builtin_ctzll(other) / 8 : 8;
    if (count == 0) {
        *ret_value = 0;
        return 0;
    }
    x <<= 64 - 8 * count; // zeros in front; then neighbours are joined: by two, by four, by eight digits
    x = (x * 10 + (x >> 8)) & UINT64_C(0x00FF00FF00FF00FF);
    x = (x * 100 + (x >> 16)) & UINT64_C(0x0000FFFF0000FFFF);
    *ret_value = (x * 10000 + (x >> 32)) & UINT64_C(0xFFFFFFFF);
    return count;
}

// Appends up to sixteen digits at *p to *value; returns how many there were.
static ALWAYS_INLINE unsigned lineproto_scan_number(const char **p, uint64_t *value)
{
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    uint64_t part;
    unsigned count = lineproto_scan_digits(*p, &part);
    *value = *value * powers[count] + part;
    *p += count;
    if (LIKELY(count < 8))
        return count;
    unsigned more = lineproto_scan_digits(*p, &part);
    *value = *value * powers[more] + part;
    *p += more;
    return 8 + more;
}

// Behind the mantissa, at 'e': two digits at most.
static ALWAYS_INLINE bool lineproto_scan_exponent(const char **p, int *exponent)
{
    const char *q = *p + 1;
    bool negative = *q == '-';
    q += negative || *q == '+';
    uint64_t value;
    unsigned count = lineproto_scan_digits(q, &value);
    if (count == 0 || count > 2)
        return false;
    *exponent += negative ? -(int)value : (int)value;
    *p = q + count;
    return true;
}

// A value as float64: decimal with up to 15 digits and small exponent, or integer with 'i' or 'u'. NULL
// declines, else what stands behind it. One rounding, as in number.c stage 1.
static ALWAYS_INLINE const char *lineproto_scan_value(const char *p, double *ret_value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    bool negative = *p == '-';
    p += negative;
    uint64_t mantissa = 0;
    unsigned digits = lineproto_scan_number(&p, &mantissa);
    int exponent = 0;
    if (UNLIKELY(digits == 0 || digits > 15))
        return NULL;
    if (LIKELY(*p == '.')) {
        p++;
        unsigned fraction = lineproto_scan_number(&p, &mantissa);
        digits += fraction;
        exponent = -(int)fraction;
        if (UNLIKELY(digits > 15 || fraction == 0))
            return NULL;
    } else if (*p == 'i' || (*p == 'u' && !negative)) {
        negative &= mantissa != 0; // integers have no negative zero
        p++;
    }
    if (UNLIKELY((*p | 0x20) == 'e') &&
        (p[-1] == 'i' || p[-1] == 'u' || !lineproto_scan_exponent(&p, &exponent)))
        return NULL;
    if (UNLIKELY(exponent < -22 || exponent > 22))
        return NULL;
    double value = exponent < 0 ? (double)mantissa / powers[-exponent] : (double)mantissa * powers[exponent];
    *ret_value = negative ? -value : value;
    return p;
}

// Exactly " value=<number> <digits>\n" at p: the byte behind it, or NULL to decline. 'end' is the end of the
// input.
static ALWAYS_INLINE const char *lineproto_scan_value_time(const char *p, const char *end, double *ret_value,
                                                           int64_t *ret_timestamp)
{
    const uint64_t wanted = UINT64_C(0x3D65756C617620); // " value=", first byte lowest
    if (UNLIKELY(end - p < LINEPROTO_SCAN_MARGIN ||
                 (lineproto_load8(p) & UINT64_C(0xFFFFFFFFFFFFFF)) != wanted))
        return NULL;
    p = lineproto_scan_value(p + 7, ret_value);
    if (UNLIKELY(!p || *p != ' '))
        return NULL;
    p++;
    uint64_t timestamp = 0;
    unsigned digits = lineproto_scan_number(&p, &timestamp);
    if (UNLIKELY(digits == 0 || *p != '\n')) // also more than 16 digits: nanoseconds go to the decoder
        return NULL;
    *ret_timestamp = (int64_t)timestamp;
    return p + 1;
}

// Length of the raw head at p: measurement and tags up to the blank before the fields, without escapes. 0
// declines: leading blank, comment, control character, escape, or no blank before the end. The grammar is not
// checked.
static ALWAYS_INLINE size_t lineproto_scan_head(const char *p, const char *end)
{
    const char *q = p;
    for (; end - q >= 8; q += 8) {
        uint64_t word = lineproto_load8(q);
        uint64_t found = lineproto_match_control(word) | lineproto_match(word, '\\');
        if (found) {
            q += (unsigned)__builtin_ctzll(found) / 8;
            break;
        }
    }
    while (q < end && (unsigned char)*q > ' ' && *q != '\\')
        q++;
    return q < end && *q == ' ' && *p != '#' ? (size_t)(q - p) : 0;
}

#endif
