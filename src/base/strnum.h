// SPDX-License-Identifier: MIT
// Checked integers from text. The whole slice must be the number: no blanks, no trailing bytes, overflow is an
// error. (Floating point: codec/number.h.)
#ifndef BASE_STRNUM_H
#define BASE_STRNUM_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

int strnum_parse_i64(struct slice text, int64_t *ret, struct error *err) MUST_CHECK;      // [-+]?digits
int strnum_parse_u64(struct slice text, uint64_t *ret, struct error *err) MUST_CHECK;     // digits
int strnum_parse_hex_u64(struct slice text, uint64_t *ret, struct error *err) MUST_CHECK; // optional 0x
size_t strnum_format_i64(int64_t v, char *text);  // at most 20 bytes, not terminated; returns the length
size_t strnum_format_u64(uint64_t v, char *text); // at most 20 bytes
// Value of a hexadecimal digit, -1 for any other byte.
static inline int strnum_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20; // lower case; no other byte becomes a letter a to f by it
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
