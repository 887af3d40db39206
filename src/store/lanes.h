// SPDX-License-Identifier: MIT
// Two doubles side by side, in a register that every x86-64 and ARM64 processor has. Arithmetic and comparisons are the
// compiler's own on lanes_t; here are the two operations that it has no operator for.
#ifndef STORE_LANES_H
#define STORE_LANES_H

#include <stdint.h>

#include "base/macros.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LANES 2
typedef double lanes_t __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t mask_t __attribute__((vector_size(LANES * sizeof(double)))); // lanes all ones or all zeros

// The larger of each lane; b where one is NaN.
static ALWAYS_INLINE lanes_t lanes_max(lanes_t a, lanes_t b)
{
#ifdef __SSE2__
    return (lanes_t)_mm_max_pd((__m128d)a, (__m128d)b);
#else
    mask_t larger = a > b;
    return (lanes_t)(((mask_t)a & larger) | ((mask_t)b & ~larger));
#endif
}

// Bit k is set when lane k is.
static ALWAYS_INLINE unsigned lanes_bits(mask_t mask)
{
#ifdef __SSE2__
    return (unsigned)_mm_movemask_pd((__m128d)mask);
#else
    return (unsigned)((mask[0] & 1) | (mask[1] & 2));
#endif
}

#endif
