// SPDX-License-Identifier: MIT
#include "store/bitpack.h"

#include <stdbool.h>
#include <string.h>

#include "base/macros.h"

#define LANES     4
#define WORD_BITS 32

// Four lanes side by side; the compiler maps it to one SSE2 or NEON register.
typedef uint32_t lanes_t __attribute__((vector_size(LANES * sizeof(uint32_t))));

static lanes_t load_lanes(const uint8_t *bytes)
{
    lanes_t v;
    memcpy(&v, bytes, sizeof(v));
    return v;
}

static void store_lanes(void *bytes, lanes_t v)
{
    memcpy(bytes, &v, sizeof(v));
}

static size_t words_per_lane(size_t count, unsigned width)
{
    size_t rows = (count + LANES - 1) / LANES;
    return (rows * width + WORD_BITS - 1) / WORD_BITS;
}

size_t bitpack_bytes(size_t count, unsigned width)
{
    return words_per_lane(count, width) * sizeof(lanes_t);
}

void bitpack_pack(const uint32_t *codes, size_t count, unsigned width, uint8_t *out)
{
    if (width == 0)
        return;
    lanes_t word = {0};
    unsigned used = 0;
    for (size_t i = 0; i < count; i += LANES) {
        lanes_t row = load_lanes((const uint8_t *)(codes + i));
        word |= row << used;
        used += width;
        if (used < WORD_BITS)
            continue;
        store_lanes(out, word);
        out += sizeof(lanes_t);
        used -= WORD_BITS;
        // used == 0 would need a shift by 'width' bits or more than are there: nothing is left of the row
        // then
        word = used ? row >> (width - used) : (lanes_t){0};
    }
    if (used)
        store_lanes(out, word);
}

// One row of the stream at bit position 'bit'. Inlined with constant width and bit, so that all branches
// vanish.
static ALWAYS_INLINE lanes_t unpack_row(const uint8_t *bytes, unsigned bit, unsigned width)
{
    unsigned shift = bit % WORD_BITS;
    const uint8_t *at = bytes + (size_t)(bit / WORD_BITS) * sizeof(lanes_t);
    lanes_t v = load_lanes(at) >> shift;
    if (shift + width > WORD_BITS)
        v |= load_lanes(at + sizeof(lanes_t)) << (WORD_BITS - shift);
    if (width < WORD_BITS)
        v &= (uint32_t)((UINT64_C(1) << width) - 1);
    return v;
}

#define GROUP_ROWS 32 // a group of rows ends on a word border for every width

// Rows are stored or added; 'add' is a constant where this is inlined.
static ALWAYS_INLINE void put_row(uint32_t *codes, lanes_t row, bool add)
{
    store_lanes(codes, add ? row + load_lanes((const uint8_t *)codes) : row);
}

static ALWAYS_INLINE void put_group(const uint8_t *bytes, unsigned width, uint32_t *codes, bool add)
{
#pragma GCC unroll 32
    for (unsigned row = 0; row < GROUP_ROWS; row++)
        put_row(codes + (size_t)row * LANES, unpack_row(bytes, row * width, width), add);
}

// One specialised loop for each width: shifts and masks become constants.
#define WIDTH_CASE(w)                                                                                        \
    case w:                                                                                                  \
        for (size_t g = 0; g < groups; g++)                                                                  \
            put_group(bytes + g * (w) * sizeof(lanes_t), w, codes + g * GROUP_ROWS * LANES, add);            \
        break;
#define WIDTH_CASES_8(w)                                                                                     \
    WIDTH_CASE((w) + 1)                                                                                      \
    WIDTH_CASE((w) + 2)                                                                                      \
    WIDTH_CASE((w) + 3)                                                                                      \
    WIDTH_CASE((w) + 4)                                                                                      \
    WIDTH_CASE((w) + 5)                                                                                      \
    WIDTH_CASE((w) + 6)                                                                                      \
    WIDTH_CASE((w) + 7)                                                                                      \
    WIDTH_CASE((w) + 8)

static ALWAYS_INLINE void put_groups(const uint8_t *bytes, size_t groups, unsigned width, uint32_t *codes,
                                     bool add)
{
    switch (width) {
        WIDTH_CASES_8(0)
        WIDTH_CASES_8(8)
        WIDTH_CASES_8(16)
        WIDTH_CASES_8(24)
    default:
        break;
    }
}

static ALWAYS_INLINE void put_codes(const uint8_t *bytes, size_t count, unsigned width, uint32_t *codes,
                                    bool add)
{
    size_t rows = (count + LANES - 1) / LANES;
    size_t groups = rows / GROUP_ROWS;
    put_groups(bytes, groups, width, codes, add);
    bytes += groups * width * sizeof(lanes_t);
    codes += groups * GROUP_ROWS * LANES;
    for (unsigned row = 0; row < rows - groups * GROUP_ROWS; row++)
        put_row(codes + (size_t)row * LANES, unpack_row(bytes, row * width, width), add);
}

void bitpack_unpack(const uint8_t *bytes, size_t count, unsigned width, uint32_t *codes)
{
    if (width == 0)
        memset(codes, 0, (count + LANES - 1) / LANES * sizeof(lanes_t));
    else
        put_codes(bytes, count, width, codes, false);
}

void bitpack_add(const uint8_t *bytes, size_t count, unsigned width, uint32_t *sums)
{
    if (width > 0)
        put_codes(bytes, count, width, sums, true);
}
