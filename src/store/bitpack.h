// SPDX-License-Identifier: MIT
// Bit packing of 32-bit codes in four lanes, so that one vector instruction handles four values: value i lies
// in lane i % 4, row i / 4. Each lane is a stream of 'width' bits a row, lowest bit first, in 32-bit
// little-endian words; word k of lane l is at word index 4 k + l. Pure functions.
#ifndef STORE_BITPACK_H
#define STORE_BITPACK_H

#include <stddef.h>
#include <stdint.h>

// Bytes of 'count' codes of 'width' (0 .. 32) bits.
size_t bitpack_bytes(size_t count, unsigned width);
// codes has room for count rounded up to a multiple of 4 in both directions (padding is written as zero, and
// read).
void bitpack_pack(const uint32_t *codes, size_t count, unsigned width, uint8_t *out);
void bitpack_unpack(const uint8_t *bytes, size_t count, unsigned width, uint32_t *codes);
// Adds the codes to sums instead, which has room for count rounded up to a multiple of 4 too.
void bitpack_add(const uint8_t *bytes, size_t count, unsigned width, uint32_t *sums);

#endif
