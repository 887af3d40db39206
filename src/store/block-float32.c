// SPDX-License-Identifier: MIT
// Values of snapshots, which are float32 there, as blocks.
//
// Agents send short decimals; a file has the float32 next to them. The decimal m / 10^scale is taken back when it has the same
// float32 and prints the same with three decimals as the float32 does. Without it, each value would take 32 bits.
#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "store/block.h"

#define MAX_SCALE   6
#define MAX_DECIMAL 2147483647.0
#define ROUNDER                                                                                              \
    6755399441055744.0 // 1.5 * 2^52: adding and taking it off rounds to the nearest integer, ties to even

static ALWAYS_INLINE double rounded(double v)
{
    double sum = v + ROUNDER;
    return sum - ROUNDER;
}

// Whether v is m / 10^scale for this purpose; p is 10^scale.
static ALWAYS_INLINE bool is_decimal(double v, double p, double *ret_m)
{
    double m = rounded(v * p);
    double back = m / p;
    *ret_m = m;
    return fabs(m) <= MAX_DECIMAL && (float)back == (float)v && rounded(back * 1000) == rounded(v * 1000);
}

// Integers at this scale from 'first' on; returns the first value that is none at it.
static size_t take_at_scale(const double *values, size_t count, unsigned scale, int64_t *m)
{
    double p = block_power_of_ten(scale);
    for (size_t i = 0; i < count; i++) {
        double whole = 0;
        if (isnan(values[i]))
            m[i] = BLOCK_GAP;
        else if (is_decimal(values[i], p, &whole))
            m[i] = (int64_t)whole;
        else
            return i;
    }
    return count;
}

struct block *block_encode_float32(const double *values, size_t count)
{
    int64_t m[BLOCK_MAX_VALUES];
    for (unsigned scale = 0; scale <= MAX_SCALE; scale++) {
        size_t done = take_at_scale(values, count, scale, m);
        if (done == count)
            return block_encode_decimals(m, count, scale);
        // The value that stopped us tells which scale is next.
        double ignored;
        while (scale < MAX_SCALE && !is_decimal(values[done], block_power_of_ten(scale + 1), &ignored))
            scale++;
    }
    return block_encode(values, count);
}

bool block_find_decimal_float32(float v, unsigned *ret_scale, int64_t *ret_m)
{
    double m;
    for (unsigned scale = 0; scale <= MAX_SCALE; scale++) {
        if (is_decimal((double)v, block_power_of_ten(scale), &m)) {
            *ret_scale = scale;
            *ret_m = (int64_t)m;
            return true;
        }
    }
    return false;
}
