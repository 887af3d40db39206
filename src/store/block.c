// SPDX-License-Identifier: MIT
#include "store/block.h"

#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/bitpack.h"
#include "store/block-private.h"

_Static_assert(sizeof(struct block) == 24, "see its comment");

double block_power_of_ten(unsigned scale)
{
    static const double powers[BLOCK_MAX_SCALE + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    ASSERT(scale <= BLOCK_MAX_SCALE);
    return powers[scale];
}

bool block_is_decimal(const struct block *block)
{
    return block->kind < BLOCK_RAW32;
}

size_t block_memory_bytes(const struct block *block)
{
    return (block_bytes(block->size_bytes) + sizeof(size_t) + 15) & ~(size_t)15;
}

void block_stats(const struct block *block, struct block_stats *ret)
{
    if (!block_is_decimal(block)) {
        memcpy(ret, block->payload, STATS_BYTES);
        ret->valid = block->valid;
        return;
    }
    double p = block_power_of_ten(block->scale);
    int64_t min = block->base;
    int64_t max = min + (int64_t)((uint64_t)block->range << block->shift);
    int64_t sum = min * block->valid + (int64_t)((uint64_t)block->code_sum << block->shift);
    if (block->kind == BLOCK_DELTA) {
        memcpy(&max, block->payload + 2 * sizeof(max), sizeof(max));
        memcpy(&sum, block->payload + 3 * sizeof(sum), sizeof(sum));
    }
    *ret = (struct block_stats){
        .min = (double)min / p, .max = (double)max / p, .sum = (double)sum / p, .valid = block->valid};
}

void block_stats_add(struct block_stats *total, const struct block_stats *more)
{
    if (more->valid == 0)
        return;
    total->min = total->valid ? MIN(total->min, more->min) : more->min;
    total->max = total->valid ? MAX(total->max, more->max) : more->max;
    total->sum += more->sum;
    total->valid += more->valid;
}

void block_stats_add_values(struct block_stats *total, const double *values, size_t count)
{
    double min = INFINITY, max = -INFINITY, sum = total->sum;
    uint32_t valid = 0;
    for (size_t i = 0; i < count; i++) {
        double v = values[i];
        if (isnan(v))
            continue;
        min = MIN(min, v);
        max = MAX(max, v);
        sum += v;
        valid++;
    }
    if (valid == 0)
        return;
    total->min = total->valid ? MIN(total->min, min) : min;
    total->max = total->valid ? MAX(total->max, max) : max;
    total->sum = sum;
    total->valid += valid;
}

// ---- decoding to codes ------------------------------------------------------------------------------------

static uint32_t load_code(const uint8_t *bytes, unsigned width)
{
    uint32_t code = 0;
    memcpy(&code, bytes, width);
    return code;
}

static void expand_runs(const struct block *b, uint32_t *codes)
{
    const uint8_t *lengths = b->payload;
    const uint8_t *values = b->payload + b->items * sizeof(uint16_t);
    for (size_t r = 0; r < b->items; r++) {
        uint16_t length;
        memcpy(&length, lengths + r * sizeof(length), sizeof(length));
        uint32_t code = load_code(values + r * b->width, b->width);
        for (size_t i = 0; i < length; i++)
            codes[i] = code;
        codes += length;
    }
}

static void expand_dictionary(const struct block *b, uint32_t *codes)
{
    bitpack_unpack(b->payload + b->items * sizeof(uint32_t), b->count, b->width, codes);
    for (size_t i = 0; i < b->count; i++)
        codes[i] = load_code(b->payload + codes[i] * sizeof(uint32_t), sizeof(uint32_t));
}

static void expand_patched(const struct block *b, uint32_t *codes)
{
    uint32_t offset = load_code(b->payload, PATCH_HEAD_BYTES);
    const uint8_t *places = b->payload + PATCH_HEAD_BYTES;
    const uint8_t *apart = places + b->items * PATCH_PLACE_BYTES;
    unsigned code_bytes = block_patch_code_bytes(b);
    bitpack_unpack(apart + (size_t)b->items * code_bytes, b->count, b->width, codes);
    for (size_t i = 0; i < b->count; i++)
        codes[i] += offset;
    for (size_t i = 0; i < b->items; i++) {
        uint16_t place;
        memcpy(&place, places + i * sizeof(place), sizeof(place));
        codes[place] = load_code(apart + i * code_bytes, code_bytes);
    }
}

void block_codes(const struct block *b, uint32_t *codes)
{
    if (b->kind == BLOCK_FRAME)
        bitpack_unpack(b->payload, b->count, b->width, codes);
    else if (b->kind == BLOCK_RUNS)
        expand_runs(b, codes);
    else if (b->kind == BLOCK_DICT)
        expand_dictionary(b, codes);
    else if (b->kind == BLOCK_PATCHED)
        expand_patched(b, codes);
    else
        memset(codes, 0, b->count * sizeof(*codes));
}

static void expand_deltas(const struct block *b, int64_t *m)
{
    uint32_t steps[BLOCK_MAX_VALUES];
    int64_t least_step;
    memcpy(&m[0], b->payload, sizeof(m[0]));
    memcpy(&least_step, b->payload + sizeof(int64_t), sizeof(least_step));
    bitpack_unpack(b->payload + DELTA_HEAD_BYTES, b->count - 1u, b->width, steps);
    for (size_t i = 1; i < b->count; i++)
        m[i] = (int64_t)((uint64_t)m[i - 1] + (uint64_t)least_step +
                         steps[i - 1]); // no overflow in sound blocks
}

// ---- decoding to values -----------------------------------------------------------------------------------

void block_decode_decimals(const struct block *block, int64_t *out)
{
    uint32_t codes[BLOCK_MAX_VALUES];
    if (block->kind == BLOCK_DELTA) {
        expand_deltas(block, out);
        return;
    }
    uint32_t offset = block->valid < block->count;
    uint64_t base = (uint64_t)(int64_t)block->base;
    block_codes(block, codes);
    for (size_t i = 0; i < block->count; i++) {
        int64_t m = (int64_t)(base + ((uint64_t)(codes[i] - offset) << block->shift));
        out[i] = offset && codes[i] == 0 ? BLOCK_GAP : m;
    }
}

static void decode_deltas(const struct block *b, size_t first, size_t count, double *out)
{
    int64_t m[BLOCK_MAX_VALUES];
    double p = block_power_of_ten(b->scale);
    expand_deltas(b, m);
    for (size_t i = 0; i < count; i++)
        out[i] = (double)m[first + i] / p;
}

static void decode_constant(const struct block *b, size_t count, double *out)
{
    double v = b->valid ? (double)b->base / block_power_of_ten(b->scale) : NAN;
    for (size_t i = 0; i < count; i++)
        out[i] = v;
}

// (base + code * unit) / p. All terms before the division are integers below 2^53, so it alone rounds.
struct conversion {
    double base, unit, p;
    bool is_signed; // codes are below 2^31: a signed conversion is one instruction
};

static ALWAYS_INLINE void convert(const struct conversion *c, const uint32_t *codes, size_t count,
                                  double *out)
{
    const struct conversion k = *c;
    if (k.is_signed) {
        for (size_t i = 0; i < count; i++)
            out[i] = (k.base + (double)(int32_t)codes[i] * k.unit) / k.p;
    } else {
        for (size_t i = 0; i < count; i++)
            out[i] = (k.base + (double)codes[i] * k.unit) / k.p;
    }
}

// Divisions are what decoding costs; where the processor has AVX2 twice as many are done at a time, with the same results.
#ifdef __x86_64__
__attribute__((target("avx2"))) static void convert_avx2(const struct conversion *c, const uint32_t *codes,
                                                         size_t count, double *out)
{
    convert(c, codes, count, out);
}
#endif

static void convert_codes(const struct conversion *c, const uint32_t *codes, size_t count, double *out)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        convert_avx2(c, codes, count, out);
        return;
    }
#endif
    convert(c, codes, count, out);
}

static void decode_codes(const struct block *b, size_t first, size_t count, double *out)
{
    uint32_t codes[BLOCK_MAX_VALUES];
    struct conversion c = {.base = (double)b->base,
                           .unit = (double)(UINT64_C(1) << b->shift),
                           .p = block_power_of_ten(b->scale),
                           .is_signed = b->range <= INT32_MAX};
    block_codes(b, codes);
    const uint32_t *from = codes + first;
    if (b->valid == b->count) {
        convert_codes(&c, from, count, out);
        return;
    }
    for (size_t i = 0; i < count; i++) // code 0 is a gap
        out[i] = from[i] ? (c.base + ((double)from[i] - 1) * c.unit) / c.p : NAN;
}

static void decode_wide_dictionary(const struct block *b, size_t first, size_t count, double *out)
{
    uint32_t indexes[BLOCK_MAX_VALUES];
    const uint8_t *entries = b->payload + STATS_BYTES;
    bitpack_unpack(entries + b->items * sizeof(double), b->count, b->width, indexes);
    for (size_t i = 0; i < count; i++)
        memcpy(&out[i], entries + indexes[first + i] * sizeof(double), sizeof(double));
}

static void decode_raw(const struct block *b, size_t first, size_t count, double *out)
{
    const uint8_t *values = b->payload + STATS_BYTES;
    if (b->kind == BLOCK_RAW64) {
        memcpy(out, values + first * sizeof(double), count * sizeof(double));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        float f;
        memcpy(&f, values + (first + i) * sizeof(f), sizeof(f));
        out[i] = (double)f;
    }
}

void block_decode(const struct block *block, size_t first, size_t count, double *out)
{
    ASSERT(first + count <= block->count);
    if (block->kind == BLOCK_DICT64)
        decode_wide_dictionary(block, first, count, out);
    else if (!block_is_decimal(block))
        decode_raw(block, first, count, out);
    else if (block->kind == BLOCK_CONST)
        decode_constant(block, count, out);
    else if (block->kind == BLOCK_DELTA)
        decode_deltas(block, first, count, out);
    else
        decode_codes(block, first, count, out);
}
