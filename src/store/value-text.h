// SPDX-License-Identifier: MIT
// Lists of values with three decimals as JSON text: the bulk of every query's answer (a page of a job has 1.8 million).
// The text is that of number_format_fixed(v, 3), byte for byte; only the way is shorter for values in [0, 999999).
#ifndef STORE_VALUE_TEXT_H
#define STORE_VALUE_TEXT_H

#include <stddef.h>

#include "base/buf.h"

// Immutable after value_text_init; any thread.
struct value_text {
    char whole[1000][4];    // "0" to "999" and, in the last byte, the number of digits
    char fraction[1000][4]; // ".000" to ".999"
};

void value_text_init(struct value_text *table);
// Appends the values with commas between them, null for NaN and infinities.
void value_text_append(const struct value_text *table, const double *values, size_t count, struct buf *out);

#endif
