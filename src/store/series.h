// SPDX-License-Identifier: MIT
// One time series: one metric of one component of one host. How times become slots:
// docs/decisions/store-time-slots.md.
//
//     segment   up to 512 bins of f seconds, the unit that upstream calls a buffer: its first sample at ts
//     gives
//               start = ts - f/2; bin i covers [start + i f, start + (i+1) f); time attributed to bin i is
//               start + f/2 + i f. What debug shows and what free counts.
//     piece     a sealed block of consecutive bins of one segment
//     open      the newest bins of the newest segment, a plain array of at most 128
//
//     older segments            newest segment (starts at 'start', has 'len' bins)
//     [piece 512][piece 512]    [piece 128][piece 128][open ...]
//                                                      ^ open_first
//
// When the open array is full it becomes a piece; when a new segment begins, the pieces of the one before are
// merged into one. Samples for older times go into their piece, which is replaced by a new block (MS-17);
// where no segment covers them, into a new short segment in front of the next one.
//
// The open array holds 4-byte integers m (value = m / 10^scale) as long as all values are short decimals,
// doubles otherwise. Nothing here locks: a series is owned by its host and used under the host's lock, except
// for series_plan results: they may be read without lock while the host is pinned (reclaim.h).
#ifndef STORE_SERIES_H
#define STORE_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "store/block.h"
#include "store/reclaim.h"

#define SEGMENT_BINS 512
#define OPEN_BINS    128

// Accounted bytes and chunks of a host. Allocator overhead is included.
struct series_memory {
    uint64_t open_bytes, sealed_bytes, index_bytes;
    uint64_t open_chunks, sealed_chunks;
};

// What the functions need of the owner; borrowed for the call.
struct series_env {
    int64_t frequency_s;
    struct reclaim *reclaim;
    struct series_memory *memory;
};

struct series_value {
    double wide;   // the value, unless decimal
    int64_t m;     // the value is m / 10^scale, when decimal
    uint8_t scale; // at most BLOCK_MAX_SCALE
    bool decimal;
};

struct piece {
    int64_t start; // of its segment
    struct block *block;
    uint16_t first_bin;
    uint16_t bins; // of the block, here so that planning a read touches no block
    uint16_t cap;  // bins that the segment may have: less than SEGMENT_BINS in front of a later segment
    bool restored; // read from a snapshot; the debug dump says so
};

struct piece_list {
    uint32_t count, cap;
    struct piece items[]; // oldest first
};

// open_first of a series that was restored without any value, at 'start': it is there, but empty.
#define SERIES_HOLLOW UINT16_MAX

struct series {
    int64_t start; // of the newest segment; meaningless while len is 0 (but see SERIES_HOLLOW)
    void *open;    // bins [open_first, len) of it
    uint16_t len;  // bins of the newest segment; 0: there is none with an open part
    uint16_t open_first;
    uint16_t open_cap; // values
    bool open_wide;    // doubles; else int32_t
    uint8_t open_scale;
    struct piece_list *pieces; // NULL: none
    uint32_t level;            // of the host; the owner's business, as is wal_number
    uint32_t wal_number;       // in the log (wal-record.h); 0: none yet
};

// Any value, also from a double alone: finds out whether it is a short decimal.
struct series_value series_value_of(double v);
// From a value that was float32 in a file: the short decimal that it was, as block_encode_float32 does.
struct series_value series_value_of_float32(float v);

// Returns the time that the value is attributed to: the middle of its bin.
int64_t series_write(struct series *s, const struct series_env *env, int64_t ts,
                     const struct series_value *value);
// Fetches the memory that the next sample in order will touch.
static inline void series_prefetch_value(const struct series *s)
{
    size_t index = (size_t)s->len - s->open_first;
    if (s->open)
        __builtin_prefetch((const char *)s->open + index * (s->open_wide ? sizeof(double) : sizeof(int32_t)),
                           1);
}
bool series_is_empty(const struct series *s);
void series_release(struct series *s, const struct series_env *env);
// Adds a finished segment, newer than all that is there (snapshots to come, and tests of odd shapes). cap >=
// count.
void series_add_segment(struct series *s, const struct series_env *env, int64_t start, const double *values,
                        size_t count, size_t cap);
// Takes over a block of a snapshot as segment, older than none that is there; the block is sound and not empty.
void series_add_restored(struct series *s, const struct series_env *env, int64_t start, struct block *block);
// Writes all values of 'newer' over those of s, slot by slot. Blocks that get many values are coded once. Slots of s begin at other
// seconds: returns the oldest time at which a value stands now that newer has at 'since' or later; INT64_MAX: none.
int64_t series_overlay(struct series *s, const struct series_env *env, const struct series *newer,
                       int64_t since);
// A snapshot had no values for this series, which has none either: queries answer with an empty entry as upstream's.
void series_add_hollow(struct series *s, int64_t start);
// The content of 'from' becomes that of 's', which is empty; memory is accounted anew by the caller.
void series_move(struct series *s, struct series *from);
// Removes whole segments from the oldest on that end before 'to'; returns how many.
size_t series_free_before(struct series *s, const struct series_env *env, int64_t to);
// Removes pieces that end before 'to' from the front of the newest segment, when no older one is left; it begins later then.
size_t series_trim_before(struct series *s, const struct series_env *env, int64_t to);
// Seals what is full or idle: the open part of a series without a sample since 'idle_before' becomes a piece.
void series_seal_idle(struct series *s, const struct series_env *env, int64_t idle_before);

// ---- segments, for debug and health -----------------------------------------------------------------------
struct segment {
    int64_t start;
    size_t len, cap;
    size_t first_piece, end_piece;
    bool has_open;
    bool restored;
};
static inline int64_t segment_first_time(const struct segment *segment, int64_t frequency_s)
{
    return segment->start + frequency_s / 2;
}
// for (size_t i = 0; series_next_segment(s, &i, &segment);) ...  oldest first
bool series_next_segment(const struct series *s, size_t *position, struct segment *ret);
bool series_newest_segment(const struct series *s, struct segment *ret);
// All values of a segment into out, which has room for SEGMENT_BINS.
void series_segment_values(const struct series *s, const struct segment *segment, double *out);

// ---- reading ----------------------------------------------------------------------------------------------
enum run_kind { RUN_GAP, RUN_BLOCK, RUN_NARROW, RUN_WIDE };

struct series_run {
    size_t count;
    const struct block *block; // RUN_BLOCK
    const void *values;        // RUN_NARROW (int32_t), RUN_WIDE (double): a copy
    uint16_t first;            // within the block
    uint8_t kind, scale;
};

// What a read of [from, to) gives (metric-store.md 4.4): values at from, from + f, ...
struct series_plan {
    int64_t from, to; // effective
    size_t count;
    struct series_run *runs;
    size_t run_count;
};

// Notes what is to be read, in arena memory.
void series_plan(const struct series *s, int64_t frequency_s, int64_t from, int64_t to, struct arena *arena,
                 struct series_plan *ret);
// The first 'count' values of the plan.
void series_decode(const struct series_plan *plan, size_t count, double *out);
// Statistics of the first 'count' values. Whole blocks are not decoded: their sums stand in their headers.
void series_stats(const struct series_plan *plan, size_t count, struct block_stats *ret);

#endif
