// SPDX-License-Identifier: MIT
// Shared by number.c (text to binary) and number-format.c (binary to text) only.
#ifndef CODEC_NUMBER_PRIVATE_H
#define CODEC_NUMBER_PRIVATE_H

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "eight digits are written as one little-endian word");

__extension__ typedef unsigned __int128 number_u128;

// IEEE 754 binary64 and binary32 as bits.
static inline uint64_t number_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}
static inline double number_from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}
static inline uint32_t number_bits_f32(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

#endif
