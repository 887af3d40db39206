// SPDX-License-Identifier: MIT
#include "collector/spool.h"

#include "base/mem.h"

// An emptied chunk that has grown beyond this gives its memory back instead of keeping it.
#define SPARE_KEPT_BYTES ((size_t)512 << 10)

static struct spool_chunk *chunk_new(size_t max_bytes)
{
    struct spool_chunk *chunk = NEW(struct spool_chunk);
    buf_init(&chunk->bytes, max_bytes);
    return chunk;
}

static void chunk_free(struct spool_chunk *chunk)
{
    if (!chunk)
        return;
    buf_release(&chunk->bytes);
    mem_free(chunk);
}

void spool_init(struct spool *s, size_t max_bytes)
{
    *s = (struct spool){.max_bytes = max_bytes};
    s->open = chunk_new(max_bytes);
}

void spool_release(struct spool *s)
{
    spool_discard(s);
    chunk_free(s->open);
    chunk_free(s->spare);
    *s = (struct spool){0};
}

struct buf *spool_buf(struct spool *s)
{
    return &s->open->bytes;
}

bool spool_open_is_empty(const struct spool *s)
{
    return s->open->bytes.len == 0;
}

static struct spool_chunk *pop(struct spool *s)
{
    struct spool_chunk *chunk = s->first;
    if (!chunk)
        return NULL;
    s->first = chunk->next;
    if (!s->first)
        s->last = NULL;
    chunk->next = NULL;
    s->used_bytes -= chunk->bytes.len;
    s->queued_messages -= chunk->messages;
    return chunk;
}

static uint64_t drop_oldest(struct spool *s)
{
    uint64_t dropped = 0;
    while (s->used_bytes > s->max_bytes && s->first) {
        struct spool_chunk *chunk = pop(s);
        dropped += chunk->messages;
        spool_recycle(s, &chunk);
    }
    s->dropped_messages += dropped;
    return dropped;
}

uint64_t spool_appended(struct spool *s, size_t bytes, uint32_t messages)
{
    if (bytes == 0)
        return 0;
    s->open->messages += messages;
    s->used_bytes += bytes;
    s->queued_messages += messages;
    if (s->open->bytes.len >= SPOOL_CHUNK_BYTES)
        spool_seal(s);
    return drop_oldest(s);
}

void spool_seal(struct spool *s)
{
    if (spool_open_is_empty(s))
        return;
    if (s->last)
        s->last->next = s->open;
    else
        s->first = s->open;
    s->last = s->open;
    s->open = s->spare ? s->spare : chunk_new(s->max_bytes);
    s->spare = NULL;
}

struct spool_chunk *spool_take(struct spool *s)
{
    return pop(s);
}

void spool_return(struct spool *s, struct spool_chunk **chunk)
{
    struct spool_chunk *c = *chunk;
    *chunk = NULL;
    c->next = s->first;
    s->first = c;
    if (!s->last)
        s->last = c;
    s->used_bytes += c->bytes.len;
    s->queued_messages += c->messages;
    drop_oldest(s);
}

void spool_recycle(struct spool *s, struct spool_chunk **chunk)
{
    struct spool_chunk *c = *chunk;
    *chunk = NULL;
    if (s->spare || c->bytes.cap > SPARE_KEPT_BYTES) {
        chunk_free(c);
        return;
    }
    buf_clear(&c->bytes);
    c->messages = 0;
    s->spare = c;
}

uint64_t spool_discard(struct spool *s)
{
    uint64_t discarded = s->queued_messages;
    spool_seal(s);
    for (struct spool_chunk *chunk = pop(s); chunk; chunk = pop(s))
        spool_recycle(s, &chunk);
    return discarded;
}
