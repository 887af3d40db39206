// SPDX-License-Identifier: MIT
#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_EACH_ALONE true
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_EACH_ALONE true
#endif
#ifndef ARENA_EACH_ALONE
#define ARENA_EACH_ALONE false
#endif

#define ALIGNMENT           16
#define FIRST_BLOCK_BYTES   ((size_t)4096)
#define LARGEST_BLOCK_BYTES ((size_t)1 << 20)
#define LARGEST_KEPT_BYTES  ((size_t)1 << 18)

// Blocks form a list, the one being filled in front. Fresh blocks come zeroed from calloc and the kept one is
// zeroed by arena_clear, so giving out memory never has to.
struct block {
    struct block *next;
    size_t size, used; // of 'bytes'
    _Alignas(ALIGNMENT) char bytes[];
};

struct arena {
    struct block *blocks;
    size_t max_bytes, used_bytes, next_block_bytes;
};

struct arena *arena_new(size_t max_bytes)
{
    struct arena *arena = NEW(struct arena);

    arena->max_bytes = max_bytes;
    arena->next_block_bytes = FIRST_BLOCK_BYTES;
    return arena;
}

static void free_blocks(struct block *block)
{
    while (block) {
        struct block *next = block->next;

        mem_free(block);
        block = next;
    }
}

void arena_free(struct arena **arena)
{
    if (!*arena)
        return;
    free_blocks((*arena)->blocks);
    mem_free(*arena);
    *arena = NULL;
}

// What took several blocks this time takes one the next time.
static size_t one_block_bytes(const struct arena *arena)
{
    size_t total = 0;

    for (const struct block *block = arena->blocks; block; block = block->next)
        total += block->used;
    if (total > LARGEST_KEPT_BYTES)
        return FIRST_BLOCK_BYTES;
    size_t size = FIRST_BLOCK_BYTES;
    while (size < total)
        size *= 2;
    return size;
}

void arena_clear(struct arena *arena)
{
    struct block *kept = arena->blocks;

    arena->used_bytes = 0;
    if (!kept)
        return;
    if (ARENA_EACH_ALONE || kept->next || kept->size > LARGEST_KEPT_BYTES) {
        arena->next_block_bytes = one_block_bytes(arena);
        free_blocks(kept);
        arena->blocks = NULL;
        return;
    }
    memset(kept->bytes, 0, kept->used);
    kept->used = 0;
}

static struct block *block_new(size_t size)
{
    struct block *block = size < SIZE_MAX - sizeof(*block) ? mem_try_alloc(sizeof(*block) + size) : NULL;

    if (block)
        block->size = size;
    return block;
}

// A block for one allocation goes behind the one being filled, whose rest stays of use.
static void *alloc_alone(struct arena *arena, size_t size)
{
    struct block *block = block_new(size);

    if (!block)
        return NULL;
    block->used = size;
    struct block **place = arena->blocks ? &arena->blocks->next : &arena->blocks;
    block->next = *place;
    *place = block;
    return block->bytes;
}

static bool has_room(const struct arena *arena, size_t size)
{
    return arena->blocks && arena->blocks->size - arena->blocks->used >= size;
}

// What would leave much of a new block unused, or does not fit into one.
static bool goes_alone(const struct arena *arena, size_t size)
{
    return !has_room(arena, size) && size > arena->next_block_bytes / (arena->blocks ? 4 : 1);
}

static void *alloc_from_block(struct arena *arena, size_t size)
{
    struct block *block = arena->blocks;

    if (!has_room(arena, size)) {
        block = block_new(arena->next_block_bytes);
        if (!block)
            return NULL;
        block->next = arena->blocks;
        arena->blocks = block;
        arena->next_block_bytes = MIN(2 * arena->next_block_bytes, LARGEST_BLOCK_BYTES);
    }
    void *ptr = block->bytes + block->used;
    block->used += size;
    return ptr;
}

void *arena_try_alloc(struct arena *arena, size_t size_bytes)
{
    if (size_bytes > arena->max_bytes - arena->used_bytes || size_bytes > SIZE_MAX - ALIGNMENT)
        return NULL;
    size_t rounded = (size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *ptr;

    if (ARENA_EACH_ALONE)
        ptr = alloc_alone(arena, size_bytes);
    else if (goes_alone(arena, rounded))
        ptr = alloc_alone(arena, rounded);
    else
        ptr = alloc_from_block(arena, rounded);
    if (ptr)
        arena->used_bytes += size_bytes;
    return ptr;
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
    void *ptr = arena_try_alloc(arena, size_bytes);

    ASSERT(ptr != NULL);
    return ptr;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t item_size_bytes)
{
    size_t total;
    bool overflow = __builtin_mul_overflow(count, item_size_bytes, &total);

    ASSERT(!overflow);
    return arena_alloc(arena, total);
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    char *copy = arena_alloc(arena, s.len + 1);

    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return slice_of(copy, s.len);
}

char *arena_strdup(struct arena *arena, struct slice s)
{
    char *copy = arena_alloc(arena, s.len + 1);

    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(len >= 0);
    char *text = arena_alloc(arena, (size_t)len + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return text;
}

size_t arena_used_bytes(const struct arena *arena)
{
    return arena->used_bytes;
}
