// SPDX-License-Identifier: MIT
// Memory that is freed all at once: one arena per request, batch or configuration epoch. With AddressSanitizer
// on, each allocation is a malloc of its own so that overruns are seen. Owned by one thread at a time.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/macros.h"
#include "base/slice.h"

struct arena;

struct arena *arena_new(size_t max_bytes); // max_bytes: abort beyond is a bug; use try_ for outside sizes
void arena_free(struct arena **arena);
void arena_clear(struct arena *arena); // everything given out becomes invalid; up to 256 KiB are kept
void *arena_alloc(struct arena *arena, size_t size_bytes); // zeroed, aligned for any type
void *arena_alloc_array(struct arena *arena, size_t count, size_t item_size_bytes);
void *arena_try_alloc(struct arena *arena, size_t size_bytes) MUST_CHECK; // NULL beyond max_bytes
struct slice arena_copy(struct arena *arena, struct slice s);             // terminated behind its end
char *arena_strdup(struct arena *arena, struct slice s);
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);
size_t arena_used_bytes(const struct arena *arena);

#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc_array((arena), (count), sizeof(type)))

#endif
