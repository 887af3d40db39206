// SPDX-License-Identifier: MIT
// Number text both ways. Parsing is correctly rounded; formatting is byte-exact to what the ClusterCockpit
// programs (Go's strconv) write. Pure functions, any thread.
#ifndef CODEC_NUMBER_H
#define CODEC_NUMBER_H

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

// Longest output of the formatters below that are bounded; number_format_fixed may need up to 330 bytes.
#define NUMBER_TEXT_SIZE 352

// Go float syntax (strconv.ParseFloat): sign, decimal with optional exponent, hexadecimal with mandatory p
// exponent, underscores between digits or behind the base prefix ("1_000.5", recorded: write-floats); no
// blanks. The whole slice must be the number. Syntax errors, infinities and NaN are ERR_INVALID, overflow is
// ERR_LIMIT; too small is 0.
int number_parse_double(struct slice text, double *ret, struct error *err) MUST_CHECK;
// Plain decimal of a JSON number (RFC 8259: no plus sign, digits around the point, no leading zeros);
// otherwise as above.
int number_parse_json(struct slice text, double *ret, struct error *err) MUST_CHECK;

// printf("%.<decimals>f"): exact decimal rounding of the binary value, ties to even, never an exponent.
// NaN and infinities give "null". decimals: 0..9; fast for |v| < 2^63. Returns the length, not terminated.
size_t number_format_fixed(double v, int decimals, char *text);
// Shortest digits that round-trip, Go's 'g' as line protocol encoders use it: exponent form d[.ddd]e±XX when
// the decimal exponent is < -4 or >= 6 [sic: messages.md 2.2, encoder A]. Non-finite: "NaN", "+Inf", "-Inf".
size_t number_format_shortest(double v, char *text);
// Shortest digits as Go's encoding/json writes float64: exponent only below 1e-6 or from 1e21, e-07 -> e-7.
// Non-finite values give "null".
size_t number_format_json(double v, char *text);
// Shortest digits that round-trip as float32, always valid JSON; non-finite gives "null".
size_t number_format_json_f32(float v, char *text);
// Shortest float32 digits as binaryCheckpointReader prints them (metric-store.md 9): exponent form outside
// [-4, 5]. Non-finite: "NaN", "+Inf", "-Inf".
size_t number_format_f32_text(float v, char *text);

#endif
