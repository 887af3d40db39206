// SPDX-License-Identifier: MIT
#include "store/value-text.h"

#include <string.h>

#include "base/macros.h"
#include "codec/number.h"

#define BATCH 64 // values per reservation of the buffer

void value_text_init(struct value_text *table)
{
    char text[8];

    for (int i = 0; i < 1000; i++) {
        int len = snprintf(text, sizeof(text), "%d", i);
        memcpy(table->whole[i], text, 3);
        table->whole[i][3] = (char)len;
        (void)snprintf(text, sizeof(text), ".%03d", i);
        memcpy(table->fraction[i], text, 4);
    }
}

// v >= 0 with sign bit 0 and v < 999999. Thousandths are found by one multiplication, whose error is below 2^-23 here; where
// the half between two thousandths is nearer than 10^-6 the exact way decides. Writes at most 3 bytes too many.
static ALWAYS_INLINE char *put_small(const struct value_text *table, double v, char *p)
{
    double rounded = v * 1000 + 0.5;
    uint32_t thousandths = (uint32_t)rounded;
    double above = rounded - thousandths;

    if (UNLIKELY(above < 1e-6 || above > 1 - 1e-6))
        return p + number_format_fixed(v, 3, p);
    uint32_t whole = thousandths / 1000, rest = thousandths % 1000;
    if (whole < 1000) {
        memcpy(p, table->whole[whole], 4);
        p += table->whole[whole][3];
    } else { // with table->fraction for the lower three digits, less its point
        memcpy(p, table->whole[whole / 1000], 4);
        p += table->whole[whole / 1000][3];
        memcpy(p, table->fraction[whole % 1000] + 1, 3);
        p += 3;
    }
    memcpy(p, table->fraction[rest], 4);
    return p + 4;
}

void value_text_append(const struct value_text *table, const double *values, size_t count, struct buf *out)
{
    static const double limit = 999999; // not 10^6: what rounds up to it has seven digits
    uint64_t limit_bits;

    memcpy(&limit_bits, &limit, sizeof(limit_bits));
    for (size_t i = 0; i < count; i += BATCH) {
        size_t n = MIN((size_t)BATCH, count - i);
        char *start = buf_reserve(out, n * (NUMBER_TEXT_SIZE + 1)), *p = start;
        if (!start)
            return;
        for (size_t k = i; k < i + n; k++) {
            uint64_t bits; // as an integer: negative values, -0, NaN and infinities are all beyond the limit
            memcpy(&bits, &values[k], sizeof(bits));
            p = LIKELY(bits < limit_bits) ? put_small(table, values[k], p)
                                          : p + number_format_fixed(values[k], 3, p);
            *p++ = ',';
        }
        buf_commit(out, (size_t)(p - start));
    }
    if (count > 0)
        out->len--; // the last comma
}
