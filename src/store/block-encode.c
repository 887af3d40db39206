// SPDX-License-Identifier: MIT
// Choice of the smallest coding for a run of values. Formats: block.h.
#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/bitpack.h"
#include "store/block-private.h"

#define DICT_WORTH_BYTES 96   // smaller codings are not beaten by enough
#define DICT_SLOTS       256  // of the hash table, a power of two
#define WIDE_DICT_SLOTS  1024 // twice the values of a block
#define PATCH_MIN_VALUES 256  // fewer are coded again soon, together with more
#define PATCH_BIN_BITS   8u
#define PATCH_BINS       (1u << PATCH_BIN_BITS)
#define PATCH_WORTH      32 // the part of its bytes that a simpler coding may have more
#define MAX_INTEGER      (INT64_C(1) << 53)

// What one pass over the integers tells about them.
struct survey {
    int64_t min, max, sum;
    int64_t least_step, largest_step;
    uint64_t used_bits; // of all m - first valid m, or-ed
    size_t valid, runs;
};

// A coding under consideration.
struct plan {
    enum block_kind kind;
    size_t size_bytes;
    unsigned width;
};

static struct survey survey_integers(const int64_t *m, size_t count)
{
    struct survey s = {
        .min = INT64_MAX, .max = INT64_MIN, .least_step = INT64_MAX, .largest_step = INT64_MIN, .runs = 1};
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && m[i] != m[i - 1])
            s.runs++;
        if (m[i] == BLOCK_GAP)
            continue;
        s.valid++;
        s.sum += m[i];
        s.min = MIN(s.min, m[i]);
        s.max = MAX(s.max, m[i]);
        if (i > 0 && m[i - 1] != BLOCK_GAP) {
            s.least_step = MIN(s.least_step, m[i] - m[i - 1]);
            s.largest_step = MAX(s.largest_step, m[i] - m[i - 1]);
        }
    }
    if (s.valid == 0)
        s.min = s.max = 0;
    for (size_t i = 0; i < count; i++)
        s.used_bits |= m[i] == BLOCK_GAP ? 0 : (uint64_t)(m[i] - s.min);
    return s;
}

static unsigned bits_for(uint64_t range)
{
    return range ? 64 - (unsigned)__builtin_clzll(range) : 0;
}

// Distinct codes in order of appearance; 0 when there are more than DICT_MAX_ENTRIES.
static size_t build_dictionary(const uint32_t *codes, size_t count, uint32_t *entries, uint32_t *indexes)
{
    uint8_t slots[DICT_SLOTS] = {0}; // entry number + 1
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned slot = (codes[i] * UINT32_C(2654435761)) >> 24;
        while (slots[slot] && entries[slots[slot] - 1] != codes[i])
            slot = (slot + 1) % DICT_SLOTS;
        if (!slots[slot]) {
            if (used == DICT_MAX_ENTRIES)
                return 0;
            entries[used++] = codes[i];
            slots[slot] = (uint8_t)used;
        }
        indexes[i] = slots[slot] - 1u;
    }
    return used;
}

static struct block *block_new(size_t count, const struct survey *s, unsigned scale, unsigned shift,
                               const struct plan *plan)
{
    struct block *b = mem_alloc(block_bytes(plan->size_bytes));
    b->size_bytes = (uint32_t)plan->size_bytes;
    b->count = (uint32_t)count;
    b->valid = (uint32_t)s->valid;
    b->kind = (uint32_t)plan->kind;
    b->scale = (uint32_t)scale;
    b->width = (uint32_t)plan->width;
    b->shift = (uint32_t)shift;
    b->range = (uint32_t)((uint64_t)(s->max - s->min) >> shift);
    b->base = s->min;
    if (plan->kind != BLOCK_DELTA)
        b->code_sum = (uint64_t)(s->sum - (int64_t)s->valid * s->min) >> shift;
    return b;
}

static void write_runs(struct block *b, const uint32_t *codes, size_t count, size_t runs)
{
    uint8_t *lengths = b->payload;
    uint8_t *values = b->payload + runs * sizeof(uint16_t);
    size_t begin = 0;
    b->items = (uint32_t)runs;
    for (size_t r = 0; r < runs; r++) {
        size_t end = begin + 1;
        while (end < count && codes[end] == codes[begin])
            end++;
        uint16_t length = (uint16_t)(end - begin);
        memcpy(lengths + r * sizeof(length), &length, sizeof(length));
        memcpy(values + r * b->width, &codes[begin], b->width);
        begin = end;
    }
}

static void write_deltas(struct block *b, const int64_t *m, size_t count, const struct survey *s)
{
    uint32_t steps[BLOCK_MAX_VALUES] = {0};
    int64_t head[] = {m[0], s->least_step, s->max, s->sum};
    memcpy(b->payload, head, sizeof(head));
    for (size_t i = 1; i < count; i++)
        steps[i - 1] = (uint32_t)(m[i] - m[i - 1] - s->least_step);
    bitpack_pack(steps, count - 1, b->width, b->payload + sizeof(head));
}

// Codes of all values relative to the least one; gaps are 0 then, and all others one more.
static void make_codes(const int64_t *m, size_t count, const struct survey *s, unsigned shift,
                       uint32_t *codes)
{
    uint32_t offset = s->valid < count;
    for (size_t i = 0; i < count; i++)
        codes[i] = m[i] == BLOCK_GAP ? 0 : (uint32_t)((uint64_t)(m[i] - s->min) >> shift) + offset;
    for (size_t i = count; i % 4; i++) // padding of the last packed row
        codes[i] = 0;
}

static void take_smaller(struct plan *best, enum block_kind kind, size_t size_bytes, unsigned width)
{
    if (size_bytes < best->size_bytes)
        *best = (struct plan){.kind = kind, .size_bytes = size_bytes, .width = width};
}

// Codings that need only the survey. Raw is the start; frames and runs when the codes fit in 32 bits.
static struct plan plan_integers(const struct survey *s, size_t count, unsigned shift)
{
    struct plan best = {.kind = BLOCK_RAW64, .size_bytes = STATS_BYTES + count * sizeof(double)};
    bool gaps = s->valid < count;
    uint64_t largest = ((uint64_t)(s->max - s->min) >> shift) + gaps;
    if (largest <= UINT32_MAX) {
        take_smaller(&best, BLOCK_FRAME, bitpack_bytes(count, bits_for(largest)), bits_for(largest));
        unsigned code_bytes = block_code_bytes(largest);
        take_smaller(&best, BLOCK_RUNS, s->runs * (sizeof(uint16_t) + code_bytes), code_bytes);
    }
    if (!gaps && count > 1 && (uint64_t)(s->largest_step - s->least_step) <= UINT32_MAX) {
        unsigned width = bits_for((uint64_t)(s->largest_step - s->least_step));
        take_smaller(&best, BLOCK_DELTA, DELTA_HEAD_BYTES + bitpack_bytes(count - 1, width), width);
    }
    if (s->runs == 1)
        best = (struct plan){.kind = BLOCK_CONST};
    return best;
}

static struct block *encode_raw(const double *values, size_t count);

static struct block *encode_raw_decimals(const int64_t *m, size_t count, unsigned scale)
{
    double values[BLOCK_MAX_VALUES];
    for (size_t i = 0; i < count; i++)
        values[i] = m[i] == BLOCK_GAP ? NAN : (double)m[i] / block_power_of_ten(scale);
    return encode_raw(values, count);
}

static struct block *encode_dictionary(struct block *b, size_t entries, const uint32_t *dictionary,
                                       const uint32_t *indexes)
{
    b->items = (uint32_t)entries;
    memcpy(b->payload, dictionary, entries * sizeof(uint32_t));
    bitpack_pack(indexes, b->count, b->width, b->payload + entries * sizeof(uint32_t));
    return b;
}

// ---- frames with values apart -----------------------------------------------------------------------------

// Codes in [offset, offset + 2^width), looked at in 2^bin_bits bins.
struct window {
    uint32_t offset;
    unsigned width, bin_bits;
};

static struct window window_of(uint32_t offset, unsigned width)
{
    return (struct window){.offset = offset, .width = width, .bin_bits = MIN(width, PATCH_BIN_BITS)};
}

// below[i]: how many codes of the window lie in bins before i.
static void count_below(const uint32_t *codes, size_t count, const struct window *w,
                        int16_t below[PATCH_BINS + 1])
{
    int16_t bins[PATCH_BINS + 1] = {0}; // the last: codes outside
    unsigned bin_width = w->width - w->bin_bits;
    for (size_t i = 0; i < count; i++)
        bins[MIN((codes[i] - w->offset) >> bin_width, PATCH_BINS)]++;
    below[0] = 0;
    for (size_t i = 0; i < (size_t)1 << w->bin_bits; i++)
        below[i + 1] = (int16_t)(below[i] + bins[i]);
}

// The narrower window of w, so many bins wide, that has the most codes.
static size_t most_within(const int16_t *below, const struct window *w, size_t bins, uint32_t *ret_offset)
{
    int16_t most = 0;
    size_t first = 0, last = ((size_t)1 << w->bin_bits) - bins;
    for (size_t i = 0; i <= last; i++)
        most = MAX(most, (int16_t)(below[i + bins] - below[i]));
    while (below[first + bins] - below[first] < most)
        first++;
    *ret_offset = w->offset + ((uint32_t)first << (w->width - w->bin_bits));
    return (size_t)most;
}

// Tries the narrower windows within w. True: even one bin of it might do, w is the best one now.
static bool plan_within(const uint32_t *codes, size_t count, size_t item_bytes, struct window *w,
                        struct plan *best, uint32_t *ret_offset)
{
    int16_t below[PATCH_BINS + 1];
    uint32_t offset = 0;
    count_below(codes, count, w, below);
    for (unsigned halvings = 1; halvings <= w->bin_bits; halvings++) {
        unsigned width = w->width - halvings;
        size_t apart = count - most_within(below, w, (size_t)1 << (w->bin_bits - halvings), &offset);
        if (apart > PATCH_MAX_ITEMS)
            return false;
        size_t size_bytes = PATCH_HEAD_BYTES + apart * item_bytes + bitpack_bytes(count, width);
        if (size_bytes + size_bytes / PATCH_WORTH >= best->size_bytes)
            continue;
        *best = (struct plan){.kind = BLOCK_PATCHED, .size_bytes = size_bytes, .width = width};
        *ret_offset = offset;
    }
    *w = window_of(offset, w->width - w->bin_bits);
    return w->width > 0;
}

// A look at every eighth code: where they are spread evenly, as noise is, no narrower window has almost all of them. Any window of half
// the width lies within five eighths.
static bool is_crowded(const uint32_t *codes, size_t count, unsigned width)
{
    size_t bins[8] = {0}, looked_at = 0, most = 0;
    if (width < 3)
        return true;
    for (size_t i = 0; i < count; i += 8, looked_at++)
        bins[codes[i] >> (width - 3)]++;
    for (size_t i = 0; i + 5 <= ARRAY_LEN(bins); i++)
        most = MAX(most, bins[i] + bins[i + 1] + bins[i + 2] + bins[i + 3] + bins[i + 4]);
    return most * 16 >= looked_at * 13; // noise has 10 of 16 there
}

// A few values far away make all codes of a frame wide.
static void plan_patches(const uint32_t *codes, size_t count, uint64_t largest, struct plan *best,
                         uint32_t *ret_offset)
{
    struct window w = window_of(0, bits_for(largest));
    size_t item_bytes = PATCH_PLACE_BYTES + block_code_bytes(largest);
    if (count < PATCH_MIN_VALUES || w.width == 0 || !is_crowded(codes, count, w.width))
        return;
    while (plan_within(codes, count, item_bytes, &w, best, ret_offset))
        ;
}

static void write_patches(struct block *b, const uint32_t *codes, uint32_t offset)
{
    uint32_t near[BLOCK_MAX_VALUES] = {0};
    unsigned code_bytes = block_patch_code_bytes(b);
    size_t packed_bytes = bitpack_bytes(b->count, b->width);
    b->items =
        (uint32_t)((b->size_bytes - PATCH_HEAD_BYTES - packed_bytes) / (PATCH_PLACE_BYTES + code_bytes));
    uint8_t *place = b->payload + PATCH_HEAD_BYTES;
    uint8_t *apart = place + b->items * PATCH_PLACE_BYTES;
    memcpy(b->payload, &offset, PATCH_HEAD_BYTES);
    for (uint16_t i = 0; i < b->count; i++) {
        near[i] = codes[i] - offset;
        if ((uint64_t)near[i] >> b->width == 0)
            continue;
        near[i] = 0;
        memcpy(place, &i, PATCH_PLACE_BYTES);
        memcpy(apart, &codes[i], code_bytes);
        place += PATCH_PLACE_BYTES;
        apart += code_bytes;
    }
    bitpack_pack(near, b->count, b->width, apart);
}

// ---- choice -----------------------------------------------------------------------------------------------

// Frame with or without values apart, runs or dictionary, whichever is smaller: all need the codes.
static struct block *encode_codes(const int64_t *m, size_t count, unsigned scale, unsigned shift,
                                  const struct survey *s, struct plan best)
{
    uint32_t codes[BLOCK_MAX_VALUES];
    uint32_t dictionary[DICT_MAX_ENTRIES];
    uint32_t indexes[BLOCK_MAX_VALUES];
    uint32_t offset = 0; // of the codes that PATCHED packs
    make_codes(m, count, s, shift, codes);
    plan_patches(codes, count, ((uint64_t)(s->max - s->min) >> shift) + (s->valid < count), &best, &offset);
    if (best.size_bytes > DICT_WORTH_BYTES && s->valid == count) {
        size_t entries = build_dictionary(codes, count, dictionary, indexes);
        unsigned width = bits_for(entries ? entries - 1 : 0);
        if (entries)
            take_smaller(&best, BLOCK_DICT, entries * sizeof(uint32_t) + bitpack_bytes(count, width), width);
    }
    struct block *b = block_new(count, s, scale, shift, &best);
    if (best.kind == BLOCK_DICT) {
        for (size_t i = count; i % 4; i++)
            indexes[i] = 0;
        return encode_dictionary(b, (best.size_bytes - bitpack_bytes(count, best.width)) / sizeof(uint32_t),
                                 dictionary, indexes);
    }
    if (best.kind == BLOCK_RUNS)
        write_runs(b, codes, count, s->runs);
    else if (best.kind == BLOCK_FRAME)
        bitpack_pack(codes, count, best.width, b->payload);
    else if (best.kind == BLOCK_PATCHED)
        write_patches(b, codes, offset);
    return b;
}

struct block *block_encode_decimals(const int64_t *m, size_t count, unsigned scale)
{
    ASSERT(count > 0 && count <= BLOCK_MAX_VALUES && scale <= BLOCK_MAX_SCALE);
    struct survey s = survey_integers(m, count);
    unsigned shift = s.used_bits ? MIN((unsigned)__builtin_ctzll(s.used_bits), 31u) : 0;
    struct plan best = plan_integers(&s, count, shift);
    if (best.kind == BLOCK_RAW64)
        return encode_raw_decimals(m, count, scale);
    if (best.kind != BLOCK_DELTA)
        return encode_codes(m, count, scale, shift, &s, best);
    struct block *b = block_new(count, &s, scale, shift, &best);
    write_deltas(b, m, count, &s);
    return b;
}

// 1 when v is m / 10^scale exactly.
static bool decimal_of(double v, unsigned scale, int64_t *ret_m)
{
    double p = block_power_of_ten(scale);
    double scaled = v * p;
    if (!(fabs(scaled) < (double)MAX_INTEGER))
        return false;
    int64_t m = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    if ((double)m / p != v)
        return false;
    *ret_m = m;
    return true;
}

bool block_find_decimal(double v, unsigned *ret_scale, int64_t *ret_m)
{
    for (unsigned scale = 0; scale <= BLOCK_MAX_SCALE; scale++) {
        if (decimal_of(v, scale, ret_m)) {
            *ret_scale = scale;
            return true;
        }
    }
    return false;
}

// The least number of decimals that fits all values, as integers in m; false when there is none.
static bool find_decimals(const double *values, size_t count, int64_t *m, unsigned *ret_scale)
{
    unsigned scale = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(values[i]))
            continue;
        while (scale <= BLOCK_MAX_SCALE && !decimal_of(values[i], scale, &m[i]))
            scale++;
        if (scale > BLOCK_MAX_SCALE)
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        m[i] = BLOCK_GAP;
        if (!isnan(values[i]) && !decimal_of(values[i], scale, &m[i]))
            return false; // an early value is too large for the scale of a later one
    }
    *ret_scale = scale;
    return true;
}

static struct block_stats raw_stats(const double *values, size_t count)
{
    struct block_stats s = {.valid = 0};
    block_stats_add_values(&s, values, count);
    return s;
}

static struct block *raw_block_new(enum block_kind kind, const double *values, size_t count,
                                   size_t value_bytes)
{
    struct block_stats s = raw_stats(values, count);
    struct block *b = mem_alloc(block_bytes(STATS_BYTES + value_bytes));
    b->size_bytes = (uint32_t)(STATS_BYTES + value_bytes);
    b->count = (uint32_t)count;
    b->valid = (uint32_t)s.valid;
    b->kind = (uint32_t)kind;
    memcpy(b->payload, &s, STATS_BYTES); // min, max, sum
    return b;
}

// Distinct bit patterns in order of appearance, as build_dictionary.
static size_t build_wide_dictionary(const double *values, size_t count, uint64_t *entries, uint32_t *indexes)
{
    uint16_t slots[WIDE_DICT_SLOTS] = {0}; // entry number + 1
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        double v = isnan(values[i]) ? NAN : values[i] + 0.0; // no negative zero
        uint64_t bits;
        memcpy(&bits, &v, sizeof(bits));
        size_t slot = (bits * UINT64_C(0x9E3779B97F4A7C15)) >> 54;
        while (slots[slot] && entries[slots[slot] - 1] != bits)
            slot = (slot + 1) % WIDE_DICT_SLOTS;
        if (!slots[slot]) {
            entries[used++] = bits;
            slots[slot] = (uint16_t)used;
        }
        indexes[i] = slots[slot] - 1u;
    }
    return used;
}

// NULL when plain values are no larger.
static struct block *encode_wide_dictionary(const double *values, size_t count, size_t plain_bytes)
{
    uint64_t entries[BLOCK_MAX_VALUES];
    uint32_t indexes[BLOCK_MAX_VALUES] = {0};
    size_t used = build_wide_dictionary(values, count, entries, indexes);
    unsigned width = bits_for(used - 1);
    size_t size_bytes = used * sizeof(uint64_t) + bitpack_bytes(count, width);
    if (size_bytes >= plain_bytes)
        return NULL;
    struct block *b = raw_block_new(BLOCK_DICT64, values, count, size_bytes);
    b->items = (uint32_t)used;
    b->width = (uint32_t)width;
    memcpy(b->payload + STATS_BYTES, entries, used * sizeof(uint64_t));
    bitpack_pack(indexes, count, width, b->payload + STATS_BYTES + used * sizeof(uint64_t));
    return b;
}

static bool fits_float32(const double *values, size_t count)
{
    bool narrow = true;
    for (size_t i = 0; i < count; i++)
        narrow = narrow && (isnan(values[i]) || (double)(float)values[i] == values[i]);
    return narrow;
}

static struct block *encode_raw(const double *values, size_t count)
{
    bool narrow = fits_float32(values, count);
    size_t item = narrow ? sizeof(float) : sizeof(double);
    struct block *b = encode_wide_dictionary(values, count, count * item);
    if (b)
        return b;
    b = raw_block_new(narrow ? BLOCK_RAW32 : BLOCK_RAW64, values, count, count * item);
    uint8_t *out = b->payload + STATS_BYTES;
    for (size_t i = 0; i < count; i++) {
        double v = values[i] + 0.0;
        float f = (float)v;
        memcpy(out + i * item, narrow ? (void *)&f : (void *)&v, item);
    }
    return b;
}

struct block *block_encode(const double *values, size_t count)
{
    int64_t m[BLOCK_MAX_VALUES];
    unsigned scale;
    ASSERT(count > 0 && count <= BLOCK_MAX_VALUES);
    if (find_decimals(values, count, m, &scale))
        return block_encode_decimals(m, count, scale);
    return encode_raw(values, count);
}
