// SPDX-License-Identifier: MIT
// A sealed block: up to BLOCK_MAX_VALUES consecutive values of one series, compressed, immutable, with
// statistics.
//
// A value is a double, NaN stands for "no value" (negative zero is stored as zero: reads add to +0,
// metric-store.md 5.2). What comes out equals what went in, bit for bit. Values that are short decimals (v =
// m / 10^scale with an integer m, which holds for what agents send) are kept as integers m; the smallest of
// these codings is taken:
//
// clang-format off
//   CONST    all values equal                       no payload
//   FRAME    frame of reference, bit packed         code = (m - base) >> shift, 'width' bits each, see bitpack.h
//   RUNS     run lengths (steps)                    u16 lengths[runs], then codes of 1, 2 or 4 bytes
//   DELTA    differences, bit packed (counters)     i64 first, least difference, max, sum, then packed differences
//   DICT     few distinct values                    u32 codes[entries], then packed indexes
//   PATCHED  a frame for most, some stand far away  u32 offset, u16 places[items], codes[items] of 1, 2 or 4 bytes, then
//                                                   packed codes - offset
//   RAW32    float32                                f64 min, max, sum, then the values
//   RAW64    float64                                as RAW32
//   DICT64   few distinct values, no short decimals f64 min, max, sum, f64 entries, then packed indexes
//            (quotients of small integers)
// clang-format on
//
// With gaps, code 0 of FRAME, RUNS and PATCHED means NaN and the others count from 1; DELTA and DICT need a full
// block. All numbers are little-endian. Statistics come from the header without decoding.
//
// A block is one heap allocation, released with mem_free. Any thread may read it; nobody may change it.
#ifndef STORE_BLOCK_H
#define STORE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_MAX_VALUES 512
#define BLOCK_MAX_SCALE  9 // decimals

enum block_kind {
    BLOCK_CONST,
    BLOCK_FRAME,
    BLOCK_RUNS,
    BLOCK_DELTA,
    BLOCK_DICT,
    BLOCK_PATCHED,
    BLOCK_RAW32, // this and the following hold no integers
    BLOCK_RAW64,
    BLOCK_DICT64,
};

// There are very many, so the header has 24 bytes: with that of the allocator and a whole number of packed rows no byte is left over.
struct block {
    int64_t base : 54;        // least m
    uint64_t count : 10;      // values, gaps included
    uint64_t code_sum : 41;   // of all (m - base) >> shift; not of DELTA
    uint64_t valid : 10;      // values that are not NaN
    uint64_t size_bytes : 13; // of the payload
    uint32_t range;           // largest code without the gap offset; max m = base + (range << shift)
    uint32_t items : 10;      // RUNS: runs, DICT, DICT64: entries, PATCHED: values apart
    uint32_t kind : 4;        // enum block_kind
    uint32_t scale : 4;       // decimals of m
    uint32_t width : 6;       // bits of a packed code, RUNS: bytes of a code
    uint32_t shift : 5;       // low bits that are zero in all m - base
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

// Values [first, first + count) into out.
void block_decode(const struct block *block, size_t first, size_t count, double *out);
// As integers, when the block holds decimals (all kinds before RAW32).
bool block_is_decimal(const struct block *block);
void block_decode_decimals(const struct block *block, int64_t *out); // all values
// Codes of all values of a block that is FRAME, RUNS, DICT, PATCHED or CONST; room for BLOCK_MAX_VALUES.
void block_codes(const struct block *block, uint32_t *codes);
void block_stats(const struct block *block, struct block_stats *ret);
// Adds to *total: what another block has, or what 'count' values give, in their order.
void block_stats_add(struct block_stats *total, const struct block_stats *more);
void block_stats_add_values(struct block_stats *total, const double *values, size_t count);
size_t block_memory_bytes(const struct block *block); // with the allocator's overhead

// The least scale (at most BLOCK_MAX_SCALE) with v == m / 10^scale and |m| < 2^53; false when there is none.
bool block_find_decimal(double v, unsigned *ret_scale, int64_t *ret_m);
// Exact power of ten, 0 <= scale <= BLOCK_MAX_SCALE.
double block_power_of_ten(unsigned scale);

#endif
