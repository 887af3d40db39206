// SPDX-License-Identifier: MIT
// Shared by checkpoint.c, checkpoint-bin.c and checkpoint-json.c only.
#ifndef STORE_CHECKPOINT_PRIVATE_H
#define STORE_CHECKPOINT_PRIVATE_H

#include "store/checkpoint.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "float32 values of files are used as they lie there");

int checkpoint_parse_bin(struct slice bytes, struct arena *arena, struct checkpoint *ret, struct error *err);
int checkpoint_parse_json(struct slice bytes, struct arena *arena, struct checkpoint *ret, struct error *err);
void checkpoint_format_bin(const struct checkpoint *checkpoint, struct buf *out);
void checkpoint_format_json(const struct checkpoint *checkpoint, struct buf *out);

// Cuts it down to CHECKPOINT_TIME_MAX.
int64_t checkpoint_clamp_time(int64_t ts);

// Array for 'count' items out of a file, zeroed. ERR_LIMIT when the arena is full.
int checkpoint_alloc(struct arena *arena, size_t count, size_t item_size_bytes, void **ret_array,
                     struct error *err) MUST_CHECK;

#endif
