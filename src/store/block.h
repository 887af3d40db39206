// SPDX-License-Identifier: MIT
// A sealed block: up to BLOCK_MAX_VALUES consecutive values of one series, compressed, immutable, with
// statistics.
//
// A value is a double, NaN stands for "no value" (negative zero is stored as zero: reads add to +0,
// metric-store.md 5.2). What comes out equals what went in, bit for bit. Values that are short decimals (v =
// m / 10^scale with an integer m, which holds for what agents send) are kept as integers m; the smallest of
// these codings is taken:
//
//   CONST   all values equal                      no payload
//   FRAME   frame of reference, bit packed        code = (m - base) >> shift, 'width' bits each, see
//   bitpack.h RUNS    run lengths (steps)                   u16 lengths[runs], then codes of 1, 2 or 4 bytes
//   DELTA   differences, bit packed (counters)    i64 first, least difference, max, then packed differences
//   DICT    few distinct values                   u32 codes[entries], then packed indexes
//   RAW32   float32, RAW64 float64                f64 min, max, sum, then the values
//   DICT64  few distinct values, no short decimals (quotients of small integers)
//                                                 f64 min, max, sum, f64 entries, then packed indexes
//
// With gaps, code 0 of FRAME and RUNS means NaN and the others count from 1; DELTA and DICT need a full
// block. All numbers are little-endian. Statistics come from the header without decoding.
//
// A block is one heap allocation, released with mem_free. Any thread may read it; nobody may change it.
#ifndef STORE_BLOCK_H
#define STORE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define BLOCK_MAX_VALUES 512
#define BLOCK_MAX_SCALE  9 // decimals

enum block_kind {
    BLOCK_CONST,
    BLOCK_FRAME,
    BLOCK_RUNS,
    BLOCK_DELTA,
    BLOCK_DICT,
    BLOCK_RAW32, // this and the following hold no integers
    BLOCK_RAW64,
    BLOCK_DICT64,
};

struct block {
    uint16_t size_bytes; // of the payload
    uint16_t count;      // values, gaps included
    uint16_t valid;      // values that are not NaN
    uint8_t kind;        // enum block_kind
    uint8_t scale;       // decimals of m
    uint8_t width;       // bits of a packed code (FRAME, DELTA, DICT, DICT64), bytes of a code (RUNS)
    uint8_t shift;       // low bits that are zero in all m - base
    uint16_t items;      // RUNS: runs, DICT, DICT64: entries
    uint32_t range;      // largest code without the gap offset; max m = base + (range << shift)
    int64_t base;        // least m
    int64_t sum;         // of all m
    uint8_t payload[];
};

struct block_stats {
    double min, max, sum; // over the values that are not NaN; 0 when there is none
    uint32_t valid;
};

// count is 1 .. BLOCK_MAX_VALUES.
struct block *block_encode(const double *values, size_t count);
// The same from integers: the value is m / 10^scale, BLOCK_GAP stands for NaN; |m| < 2^53.
#define BLOCK_GAP INT64_MIN
struct block *block_encode_decimals(const int64_t *m, size_t count, unsigned scale);

// The same from values that were float32 in a file. What was a short decimal before becomes one again where that prints the
// same with three decimals (metric-store.md 5.2), which saves half of the memory.
struct block *block_encode_float32(const double *values, size_t count);
bool block_find_decimal_float32(float v, unsigned *ret_scale, int64_t *ret_m); // of one value

// Values [first, first + count) into out. The block is sound: made here, or checked by block_parse.
void block_decode(const struct block *block, size_t first, size_t count, double *out);
// As integers, when the block holds decimals (all kinds before RAW32).
bool block_is_decimal(const struct block *block);
void block_decode_decimals(const struct block *block, int64_t *out); // all values
// Codes of all values of a block that is FRAME, RUNS, DICT or CONST; room for BLOCK_MAX_VALUES.
void block_codes(const struct block *block, uint32_t *codes);
void block_stats(const struct block *block, struct block_stats *ret);
// Adds to *total: what another block has, or what 'count' values give, in their order.
void block_stats_add(struct block_stats *total, const struct block_stats *more);
void block_stats_add_values(struct block_stats *total, const double *values, size_t count);
size_t block_memory_bytes(const struct block *block); // with the allocator's overhead

// For snapshots to come: the block as bytes, and back. Layout, little-endian: u16 payload size, count, valid; u8 kind, scale,
// width, shift; u16 items; u32 range; i64 base, sum; payload. Foreign bytes are checked field by field, never read out of
// bounds, and coded anew, so that statistics are right whatever the header says. ERR_CORRUPT names the field.
#define BLOCK_HEADER_BYTES 32
size_t block_serialized_bytes(const struct block *block);
void block_serialize(const struct block *block, uint8_t *out);
int block_parse(struct slice bytes, struct block **ret_block, struct error *err) MUST_CHECK;

// The least scale (at most BLOCK_MAX_SCALE) with v == m / 10^scale and |m| < 2^53; false when there is none.
bool block_find_decimal(double v, unsigned *ret_scale, int64_t *ret_m);
// Exact power of ten, 0 <= scale <= BLOCK_MAX_SCALE.
double block_power_of_ten(unsigned scale);

#endif
