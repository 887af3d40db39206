// SPDX-License-Identifier: MIT
// What coding, decoding and checking of blocks share.
#ifndef STORE_BLOCK_PRIVATE_H
#define STORE_BLOCK_PRIVATE_H

#include <stdint.h>

#include "store/block.h"

#define STATS_BYTES       (3 * sizeof(double))  // RAW32, RAW64, DICT64: min, max, sum
#define DELTA_HEAD_BYTES  (4 * sizeof(int64_t)) // DELTA: first, least difference, max, sum
#define PATCH_HEAD_BYTES  sizeof(uint32_t)      // PATCHED: offset
#define PATCH_PLACE_BYTES sizeof(uint16_t)      // PATCHED: where a value apart stands
#define DICT_MAX_ENTRIES  64
#define PATCH_MAX_ITEMS   128

static inline size_t block_bytes(size_t payload_bytes)
{
    return sizeof(struct block) + payload_bytes;
}

static inline unsigned block_code_bytes(uint64_t largest)
{
    return largest <= UINT8_MAX ? 1 : largest <= UINT16_MAX ? 2 : 4;
}

// Of the largest code, the gap offset included.
static inline unsigned block_patch_code_bytes(const struct block *b)
{
    return block_code_bytes((uint64_t)b->range + (b->valid < b->count));
}

#endif
