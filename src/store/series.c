// SPDX-License-Identifier: MIT
#include "store/series.h"

#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"

#define NARROW_GAP     INT32_MIN
#define OPEN_CAP_FIRST 6 // with cap' = 2 cap + 2 the arrays of int32_t fill malloc's sizes

static size_t heap_bytes(size_t size_bytes)
{
    return size_bytes ? (size_bytes + sizeof(size_t) + 15) & ~(size_t)15 : 0;
}

static double value_of(const struct series_value *value)
{
    return value->decimal ? (double)value->m / block_power_of_ten(value->scale) : value->wide;
}

// ---- open part --------------------------------------------------------------------------------------------

static size_t open_item_bytes(const struct series *s)
{
    return s->open_wide ? sizeof(double) : sizeof(int32_t);
}

static size_t open_count(const struct series *s)
{
    return (size_t)s->len - s->open_first;
}

static void open_set_cap(struct series *s, const struct series_env *env, size_t cap, size_t item_bytes)
{
    env->memory->open_bytes -= heap_bytes(s->open_cap * open_item_bytes(s));
    env->memory->open_bytes += heap_bytes(cap * item_bytes);
    s->open_cap = (uint16_t)cap;
}

static void open_grow(struct series *s, const struct series_env *env)
{
    size_t cap = s->open_cap ? MIN((size_t)s->open_cap * 2 + 2, (size_t)OPEN_BINS) : OPEN_CAP_FIRST;
    s->open = mem_grow_array(s->open, s->open_cap, cap, open_item_bytes(s));
    open_set_cap(s, env, cap, open_item_bytes(s));
}

static void open_drop(struct series *s, const struct series_env *env)
{
    env->memory->open_chunks -= s->open != NULL;
    mem_free(s->open);
    open_set_cap(s, env, 0, 0);
    s->open = NULL;
    s->open_wide = false;
    s->open_scale = 0;
}

static double narrow_value(int32_t m, unsigned scale)
{
    return m == NARROW_GAP ? NAN : (double)m / block_power_of_ten(scale);
}

static void open_widen(struct series *s, const struct series_env *env)
{
    const int32_t *narrow = s->open;
    double *wide = NEW_ARRAY(double, s->open_cap ? s->open_cap : 1);
    for (size_t i = 0; i < open_count(s); i++)
        wide[i] = narrow_value(narrow[i], s->open_scale);
    mem_free(s->open);
    open_set_cap(s, env, s->open_cap, sizeof(double));
    s->open = wide;
    s->open_wide = true;
}

static bool scaled_up(int64_t m, unsigned decimals, int32_t *ret)
{
    int64_t scaled;
    if (__builtin_mul_overflow(m, (int64_t)block_power_of_ten(decimals), &scaled))
        return false;
    if (scaled <= INT32_MIN || scaled > INT32_MAX)
        return false;
    *ret = (int32_t)scaled;
    return true;
}

// Gives all open values 'scale' decimals, more than now; false (nothing changed) when one does not fit.
static bool open_rescale(struct series *s, unsigned scale)
{
    int32_t *narrow = s->open;
    int32_t ignored;
    for (size_t i = 0; i < open_count(s); i++) {
        if (narrow[i] != NARROW_GAP && !scaled_up(narrow[i], scale - s->open_scale, &ignored))
            return false;
    }
    for (size_t i = 0; i < open_count(s); i++) {
        if (narrow[i] != NARROW_GAP)
            ignore_result(!scaled_up(narrow[i], scale - s->open_scale, &narrow[i])); // checked above
    }
    s->open_scale = (uint8_t)scale;
    return true;
}

// The value as integer of the open part's scale, which is raised when need be; false: it takes doubles.
static bool open_narrow(struct series *s, const struct series_value *value, int32_t *ret_m)
{
    if (!value->decimal)
        return false;
    int64_t m = value->m;
    unsigned scale = value->scale;
    if (open_count(s) == 0)
        s->open_scale = (uint8_t)scale;
    while (scale > s->open_scale && m % 10 == 0) {
        m /= 10;
        scale--;
    }
    if (scale > s->open_scale && !open_rescale(s, scale))
        return false;
    return scaled_up(m, s->open_scale - scale, ret_m);
}

static void open_set(struct series *s, const struct series_env *env, size_t index,
                     const struct series_value *value)
{
    int32_t m;
    if (!s->open_wide && !open_narrow(s, value, &m))
        open_widen(s, env);
    if (s->open_wide)
        ((double *)s->open)[index] = value_of(value) + 0.0; // no negative zero, as in blocks
    else
        ((int32_t *)s->open)[index] = m;
}

static void open_set_gap(struct series *s, size_t index)
{
    if (s->open_wide)
        ((double *)s->open)[index] = NAN;
    else
        ((int32_t *)s->open)[index] = NARROW_GAP;
}

static struct block *open_encode(const struct series *s)
{
    if (s->open_wide)
        return block_encode(s->open, open_count(s));
    const int32_t *narrow = s->open;
    int64_t m[OPEN_BINS];
    for (size_t i = 0; i < open_count(s); i++)
        m[i] = narrow[i] == NARROW_GAP ? BLOCK_GAP : narrow[i];
    return block_encode_decimals(m, open_count(s), s->open_scale);
}

// ---- pieces -----------------------------------------------------------------------------------------------

static size_t piece_count(const struct series *s)
{
    return s->pieces ? s->pieces->count : 0;
}

static size_t list_bytes(const struct piece_list *list)
{
    return list ? heap_bytes(sizeof(*list) + list->cap * sizeof(list->items[0])) : 0;
}

static void pieces_reserve(struct series *s, const struct series_env *env, size_t need)
{
    if (s->pieces && s->pieces->cap >= need)
        return;
    size_t old_bytes = s->pieces ? sizeof(*s->pieces) + s->pieces->cap * sizeof(struct piece) : 0;
    size_t cap = need <= 2 ? need : need + need / 4;
    env->memory->index_bytes -= list_bytes(s->pieces);
    s->pieces = mem_grow_array(s->pieces, old_bytes, sizeof(*s->pieces) + cap * sizeof(struct piece), 1);
    s->pieces->cap = (uint32_t)cap;
    env->memory->index_bytes += list_bytes(s->pieces);
}

static void account_block(const struct series_env *env, const struct block *block, int sign)
{
    uint64_t bytes = block_memory_bytes(block);
    env->memory->sealed_bytes += sign > 0 ? bytes : -bytes;
    env->memory->sealed_chunks += sign > 0 ? 1 : UINT64_MAX;
}

static void piece_insert(struct series *s, const struct series_env *env, size_t at, struct piece piece)
{
    pieces_reserve(s, env, piece_count(s) + 1);
    struct piece *items = s->pieces->items;
    memmove(items + at + 1, items + at, (s->pieces->count - at) * sizeof(*items));
    items[at] = piece;
    items[at].bins = piece.block->count;
    s->pieces->count++;
    account_block(env, piece.block, 1);
}

static void retire_block(const struct series_env *env, struct block *block)
{
    account_block(env, block, -1);
    reclaim_retire(env->reclaim, block);
}

static void pieces_remove(struct series *s, const struct series_env *env, size_t first, size_t end)
{
    struct piece_list *list = s->pieces;
    for (size_t i = first; i < end; i++)
        retire_block(env, list->items[i].block);
    memmove(list->items + first, list->items + end, (list->count - end) * sizeof(list->items[0]));
    list->count -= (uint32_t)(end - first);
    if (list->count > 0)
        return;
    env->memory->index_bytes -= list_bytes(list);
    mem_free(list);
    s->pieces = NULL;
}

static void piece_replace_block(struct piece *piece, const struct series_env *env, struct block *block)
{
    retire_block(env, piece->block);
    piece->block = block;
    piece->bins = block->count;
    account_block(env, block, 1);
}

// The open part becomes a piece of the newest segment.
static void seal_open(struct series *s, const struct series_env *env)
{
    if (open_count(s) == 0)
        return;
    struct piece piece = {
        .start = s->start, .block = open_encode(s), .first_bin = s->open_first, .cap = SEGMENT_BINS};
    piece_insert(s, env, piece_count(s), piece);
    s->open_first = s->len;
    open_drop(s, env);
}

// Integers of all pieces at one scale; false when they are not all short decimals.
static bool collect_decimals(const struct piece *pieces, size_t count, int64_t *m, unsigned *ret_scale)
{
    unsigned scale = 0;
    for (size_t i = 0; i < count; i++) {
        if (!block_is_decimal(pieces[i].block))
            return false;
        scale = MAX(scale, (unsigned)pieces[i].block->scale);
    }
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        const struct block *block = pieces[i].block;
        int64_t factor = (int64_t)block_power_of_ten(scale - block->scale);
        block_decode_decimals(block, m + done);
        for (size_t k = done; factor > 1 && k < done + block->count; k++) {
            if (m[k] != BLOCK_GAP && __builtin_mul_overflow(m[k], factor, &m[k]))
                return false;
            if (m[k] != BLOCK_GAP && (m[k] >> 53) != 0 && (m[k] >> 53) != -1)
                return false;
        }
        done += block->count;
    }
    *ret_scale = scale;
    return true;
}

static struct block *encode_merged(const struct piece *pieces, size_t count)
{
    int64_t m[SEGMENT_BINS];
    double values[SEGMENT_BINS];
    unsigned scale;
    size_t bins = 0;
    for (size_t i = 0; i < count; i++)
        bins += pieces[i].block->count;
    if (collect_decimals(pieces, count, m, &scale))
        return block_encode_decimals(m, bins, scale);
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        block_decode(pieces[i].block, 0, pieces[i].block->count, values + done);
        done += pieces[i].block->count;
    }
    return block_encode(values, bins);
}

// Makes one piece of those of the newest segment: larger blocks have less overhead.
static void merge_newest(struct series *s, const struct series_env *env)
{
    size_t end = piece_count(s), first = end;
    while (first > 0 && s->pieces->items[first - 1].start == s->start)
        first--;
    if (end - first < 2)
        return;
    struct piece *items = s->pieces->items;
    struct block *merged = encode_merged(items + first, end - first);
    piece_replace_block(&items[first], env, merged);
    pieces_remove(s, env, first + 1, end);
}

// ---- segments ---------------------------------------------------------------------------------------------

static bool is_hollow(const struct series *s)
{
    return s->len == 0 && s->open_first == SERIES_HOLLOW;
}

static bool newest_is_separate(const struct series *s)
{
    return s->len > 0 && (piece_count(s) == 0 || s->pieces->items[s->pieces->count - 1].start != s->start);
}

bool series_next_segment(const struct series *s, size_t *position, struct segment *ret)
{
    size_t first = *position, count = piece_count(s);
    if (first >= count) {
        if (first > count || !(newest_is_separate(s) || is_hollow(s)))
            return false;
        *ret = (struct segment){.start = s->start,
                                .len = s->len,
                                .cap = SEGMENT_BINS,
                                .first_piece = count,
                                .end_piece = count,
                                .has_open = true,
                                .restored = is_hollow(s)};
        *position = count + 1;
        return true;
    }
    const struct piece *items = s->pieces->items;
    size_t end = first + 1;
    while (end < count && items[end].start == items[first].start)
        end++;
    bool newest = s->len > 0 && items[first].start == s->start;
    *ret = (struct segment){.start = items[first].start,
                            .len = newest ? s->len : items[end - 1].first_bin + (size_t)items[end - 1].bins,
                            .cap = items[first].cap,
                            .first_piece = first,
                            .end_piece = end,
                            .has_open = newest,
                            .restored = items[first].restored};
    *position = newest ? count + 1 : end;
    return true;
}

bool series_newest_segment(const struct series *s, struct segment *ret)
{
    size_t count = piece_count(s);
    if (count == 0 || newest_is_separate(s))
        return series_next_segment(s, &count, ret);
    size_t first = count - 1;
    while (first > 0 && s->pieces->items[first - 1].start == s->pieces->items[count - 1].start)
        first--;
    return series_next_segment(s, &first, ret);
}

bool series_is_empty(const struct series *s)
{
    return s->len == 0 && piece_count(s) == 0 && !is_hollow(s);
}

// ---- late samples -----------------------------------------------------------------------------------------

// Changes one value of a sealed piece; 'bin' may lie behind its end (the bins between become gaps).
static void piece_set(struct piece *piece, const struct series_env *env, size_t bin, double v)
{
    double values[SEGMENT_BINS];
    size_t count = piece->block->count, index = bin - piece->first_bin;
    block_decode(piece->block, 0, count, values);
    for (; count <= index; count++)
        values[count] = NAN;
    values[index] = v + 0.0;
    piece_replace_block(piece, env, block_encode(values, count));
}

// Puts v 'bins' bins in front of the segment that begins with this piece, when it stays within the size of a
// segment.
static bool piece_prepend(struct series *s, const struct series_env *env, const struct segment *segment,
                          size_t bins, double v)
{
    if (segment->has_open || segment->end_piece != segment->first_piece + 1 ||
        bins + segment->len > SEGMENT_BINS)
        return false;
    struct piece *piece = &s->pieces->items[segment->first_piece];
    double values[SEGMENT_BINS];
    for (size_t i = 0; i < bins; i++)
        values[i] = NAN;
    values[0] = v + 0.0;
    block_decode(piece->block, 0, segment->len, values + bins);
    piece_replace_block(piece, env, block_encode(values, bins + segment->len));
    piece->start -= (int64_t)bins * env->frequency_s;
    piece->cap = (uint16_t)MIN(piece->cap + bins, (size_t)SEGMENT_BINS);
    return true;
}

// A sample that no segment covers, older than 'next'. It goes in front of it, on its grid. Returns its time there.
static int64_t write_in_front(struct series *s, const struct series_env *env, const struct segment *next,
                              int64_t ts, double v)
{
    int64_t f = env->frequency_s;
    uint64_t bins = ((uint64_t)(next->start - ts) + (uint64_t)f - 1) / (uint64_t)f;
    int64_t bin_start = next->start - (int64_t)bins * f;
    if (bins < SEGMENT_BINS && piece_prepend(s, env, next, (size_t)bins, v))
        return bin_start + f / 2;
    struct piece piece = {
        .start = bin_start, .block = block_encode(&v, 1), .cap = (uint16_t)MIN(bins, (uint64_t)SEGMENT_BINS)};
    piece_insert(s, env, next->first_piece, piece);
    return bin_start + f / 2;
}

static void segment_set(struct series *s, const struct series_env *env, const struct segment *segment,
                        size_t bin, const struct series_value *value)
{
    if (segment->has_open && bin >= s->open_first) {
        open_set(s, env, bin - s->open_first, value);
        return;
    }
    size_t i = segment->end_piece - 1;
    while (s->pieces->items[i].first_bin > bin)
        i--;
    piece_set(&s->pieces->items[i], env, bin, value_of(value));
}

// Any sample that is not newer than what is there: finds the newest segment that begins at or before ts.
static int64_t write_late(struct series *s, const struct series_env *env, int64_t ts,
                          const struct series_value *value)
{
    struct segment segment, found, next;
    bool has_found = false, has_next = false;
    for (size_t i = 0; !has_next && series_next_segment(s, &i, &segment);) {
        has_next = segment.start > ts;
        *(has_next ? &next : &found) = segment;
        has_found = has_found || !has_next;
    }
    size_t bin = has_found ? (size_t)((ts - found.start) / env->frequency_s) : 0;
    // Growing a segment must not cover what the next one has.
    bool covered = has_found && (bin < found.len || (bin < found.cap && (!has_next || ts < next.start)));
    if (!covered)
        return write_in_front(s, env, &next, ts, value_of(value));
    segment_set(s, env, &found, bin, value);
    return segment_first_time(&found, env->frequency_s) + (int64_t)bin * env->frequency_s;
}

// ---- writing ----------------------------------------------------------------------------------------------

struct series_value series_value_of(double v)
{
    struct series_value value = {.wide = v};
    unsigned scale;
    value.decimal = block_find_decimal(v, &scale, &value.m);
    value.scale = value.decimal ? (uint8_t)scale : 0;
    return value;
}

struct series_value series_value_of_float32(float v)
{
    struct series_value value = {.wide = (double)v};
    unsigned scale;
    value.decimal = block_find_decimal_float32(v, &scale, &value.m);
    value.scale = value.decimal ? (uint8_t)scale : 0;
    return value;
}

// Adds a bin at the end of the newest segment; NULL: a gap.
static void append(struct series *s, const struct series_env *env, const struct series_value *value)
{
    if (open_count(s) == OPEN_BINS)
        seal_open(s, env);
    size_t index = open_count(s);
    env->memory->open_chunks += s->open == NULL;
    if (index == s->open_cap)
        open_grow(s, env);
    if (value)
        open_set(s, env, index, value);
    else
        open_set_gap(s, index);
    s->len++;
}

static void begin_segment(struct series *s, const struct series_env *env, int64_t start)
{
    if (is_hollow(s))
        s->open_first = 0;
    seal_open(s, env);
    if (s->len > 0)
        merge_newest(s, env);
    s->start = start;
    s->len = 0;
    s->open_first = 0;
}

// Bin of ts in the newest segment; -1 when it lies before, SEGMENT_BINS when behind.
static int64_t newest_bin(const struct series *s, int64_t f, int64_t ts)
{
    int64_t ahead = ts - s->start;
    if (ahead < 0)
        return -1;
    int64_t next = (int64_t)s->len * f; // the usual case, without a division
    if (LIKELY(ahead >= next && ahead < next + f))
        return s->len;
    return MIN(ahead / f, (int64_t)SEGMENT_BINS);
}

int64_t series_write(struct series *s, const struct series_env *env, int64_t ts,
                     const struct series_value *value)
{
    int64_t f = env->frequency_s;
    struct segment newest;
    if (UNLIKELY(is_hollow(s)))
        s->open_first = 0;
    if (s->len == 0 && series_newest_segment(s, &newest) && ts < newest.start + (int64_t)newest.cap * f)
        return write_late(s, env, ts, value);
    int64_t bin = s->len == 0 ? SEGMENT_BINS : newest_bin(s, f, ts);
    if (bin < 0 || bin < s->len)
        return write_late(s, env, ts, value);
    if (bin >= SEGMENT_BINS)
        begin_segment(s, env, ts - f / 2);
    else
        while (s->len < bin)
            append(s, env, NULL);
    append(s, env, value);
    return s->start + f / 2 + (int64_t)(s->len - 1) * f;
}

void series_add_segment(struct series *s, const struct series_env *env, int64_t start, const double *values,
                        size_t count, size_t cap)
{
    ASSERT(count > 0 && count <= cap && cap <= SEGMENT_BINS);
    begin_segment(s, env, 0);
    struct piece piece = {.start = start, .block = block_encode(values, count), .cap = (uint16_t)cap};
    piece_insert(s, env, piece_count(s), piece);
}

void series_add_restored(struct series *s, const struct series_env *env, int64_t start, struct block *block)
{
    begin_segment(s, env, 0);
    struct piece piece = {.start = start, .block = block, .cap = block->count, .restored = true};
    piece_insert(s, env, piece_count(s), piece);
}

void series_add_hollow(struct series *s, int64_t start)
{
    if (!series_is_empty(s))
        return;
    s->start = start;
    s->open_first = SERIES_HOLLOW;
}

void series_move(struct series *s, struct series *from)
{
    ASSERT(series_is_empty(s) && !s->open);
    uint32_t level = s->level, wal_number = s->wal_number;
    *s = *from;
    s->level = level;
    s->wal_number = wal_number;
    *from = (struct series){.level = from->level};
}

void series_segment_values(const struct series *s, const struct segment *segment, double *out)
{
    size_t done = 0;
    for (size_t i = segment->first_piece; i < segment->end_piece; i++) {
        const struct block *block = s->pieces->items[i].block;
        block_decode(block, 0, block->count, out + done);
        done += block->count;
    }
    for (size_t i = 0; segment->has_open && segment->len > 0 && i < open_count(s); i++)
        out[done + i] = s->open_wide ? ((const double *)s->open)[i]
                                     : narrow_value(((const int32_t *)s->open)[i], s->open_scale);
}

// A sealed piece that is being changed: its values, until another one takes its place here.
struct edit {
    struct series *series;
    const struct series_env *env;
    size_t at; // of the piece; SIZE_MAX: none
    bool dirty;
    double values[SEGMENT_BINS];
};

static void edit_end(struct edit *e)
{
    if (e->at != SIZE_MAX && e->dirty) {
        struct piece *piece = &e->series->pieces->items[e->at];
        piece_replace_block(piece, e->env, block_encode(e->values, piece->bins));
    }
    e->at = SIZE_MAX;
    e->dirty = false;
}

// Bin of ts within the piece; -1: it does not have it.
static int64_t piece_bin(const struct piece *piece, int64_t f, int64_t ts)
{
    int64_t first = piece->start + (int64_t)piece->first_bin * f;
    if (ts < first || ts >= first + (int64_t)piece->bins * f)
        return -1;
    return (ts - first) / f;
}

// The piece that has ts becomes the one at work; false: none has.
static bool edit_find(struct edit *e, int64_t ts, size_t *ret_bin)
{
    int64_t f = e->env->frequency_s;
    size_t count = piece_count(e->series);
    int64_t bin = e->at != SIZE_MAX ? piece_bin(&e->series->pieces->items[e->at], f, ts) : -1;
    for (size_t i = count; bin < 0 && i > 0;
         i--) { // the newest first: of two that overlap it hides the other
        bin = piece_bin(&e->series->pieces->items[i - 1], f, ts);
        if (bin < 0)
            continue;
        edit_end(e);
        e->at = i - 1;
        const struct piece *piece = &e->series->pieces->items[i - 1];
        block_decode(piece->block, 0, piece->bins, e->values);
    }
    *ret_bin = (size_t)bin;
    return bin >= 0;
}

// Writes one value; returns its time on the series' own grid.
static int64_t edit_write(struct edit *e, int64_t ts, double v)
{
    int64_t f = e->env->frequency_s;
    size_t bin;
    if (edit_find(e, ts, &bin)) {
        const struct piece *piece = &e->series->pieces->items[e->at];
        e->values[bin] = v;
        e->dirty = true;
        return piece->start + f / 2 + (int64_t)(piece->first_bin + bin) * f;
    }
    struct series_value value = series_value_of(v);
    edit_end(e); // what follows may move the pieces
    return series_write(e->series, e->env, ts, &value);
}

int64_t series_overlay(struct series *s, const struct series_env *env, const struct series *newer,
                       int64_t since)
{
    struct edit edit = {.series = s, .env = env, .at = SIZE_MAX};
    struct segment segment;
    double values[SEGMENT_BINS];
    int64_t f = env->frequency_s, oldest = INT64_MAX;
    for (size_t i = 0; series_next_segment(newer, &i, &segment);) {
        series_segment_values(newer, &segment, values);
        for (size_t k = 0; k < segment.len; k++) {
            int64_t ts = segment_first_time(&segment, f) + (int64_t)k * f;
            if (isnan(values[k]))
                continue;
            int64_t slot = edit_write(&edit, ts, values[k]);
            oldest = ts >= since ? MIN(oldest, slot) : oldest;
        }
    }
    edit_end(&edit);
    return oldest;
}

void series_release(struct series *s, const struct series_env *env)
{
    if (s->pieces)
        pieces_remove(s, env, 0, piece_count(s));
    open_drop(s, env);
    s->len = s->open_first = 0;
}

size_t series_free_before(struct series *s, const struct series_env *env, int64_t to)
{
    struct segment segment;
    size_t freed = 0;
    for (size_t i = 0; series_next_segment(s, &i, &segment); i = 0) {
        int64_t end = segment.start + env->frequency_s / 2 + (int64_t)segment.len * env->frequency_s;
        if (end >= to)
            break;
        if (segment.end_piece > segment.first_piece)
            pieces_remove(s, env, segment.first_piece, segment.end_piece);
        if (segment.has_open) {
            open_drop(s, env);
            s->len = s->open_first = 0;
        }
        freed++;
    }
    return freed;
}

size_t series_trim_before(struct series *s, const struct series_env *env, int64_t to)
{
    int64_t f = env->frequency_s;
    size_t n = 0, bins = 0;
    if (s->len == 0 || piece_count(s) == 0 || s->pieces->items[0].start != s->start)
        return 0;
    for (; n < piece_count(s); n++) {
        const struct piece *piece = &s->pieces->items[n];
        size_t end = piece->first_bin + (size_t)piece->bins;
        if (s->start + f / 2 + (int64_t)end * f >= to || end == s->len)
            break;
        bins = end;
    }
    if (n == 0)
        return 0;
    pieces_remove(s, env, 0, n);
    s->start += (int64_t)bins * f;
    s->len = (uint16_t)(s->len - bins);
    s->open_first = (uint16_t)(s->open_first - bins);
    for (size_t i = 0; i < piece_count(s); i++) {
        s->pieces->items[i].start = s->start;
        s->pieces->items[i].first_bin = (uint16_t)(s->pieces->items[i].first_bin - bins);
    }
    return n;
}

void series_seal_idle(struct series *s, const struct series_env *env, int64_t idle_before)
{
    if (s->len > 0 && s->start + (int64_t)s->len * env->frequency_s < idle_before)
        seal_open(s, env);
}
