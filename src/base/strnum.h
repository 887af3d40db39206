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

#endif
