// SPDX-License-Identifier: MIT
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max_bytes = MIN(max_bytes, SIZE_MAX / 2)};
}

void buf_release(struct buf *b)
{
    mem_free(b->ptr);
    *b = (struct buf){.max_bytes = b->max_bytes};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

// One byte more than asked for is always there, so that buf_cstr never needs to allocate for a full buffer.
static bool grow(struct buf *b, size_t len)
{
    if (b->failed || len > b->max_bytes - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + len + 1;
    if (need <= b->cap)
        return true;
    size_t cap = MIN(mem_next_capacity(MAX(b->cap, 48), need), b->max_bytes + 1);
    char *grown = realloc(b->ptr, cap);
    if (!grown) {
        b->failed = true;
        return false;
    }
    b->ptr = grown;
    b->cap = cap;
    return true;
}

char *buf_reserve(struct buf *b, size_t len)
{
    return grow(b, len) ? b->ptr + b->len : NULL;
}

void buf_commit(struct buf *b, size_t len)
{
    ASSERT(len <= b->cap - b->len && b->len + len <= b->max_bytes);
    b->len += len;
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0 || !grow(b, len))
        return;
    memcpy(b->ptr + b->len, bytes, len);
    b->len += len;
}

void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.ptr, s.len);
}

void buf_append_cstr(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_append_byte(struct buf *b, char c)
{
    if (grow(b, 1))
        b->ptr[b->len++] = c;
}

void buf_append_fill(struct buf *b, char c, size_t count)
{
    if (count == 0 || !grow(b, count))
        return;
    memset(b->ptr + b->len, c, count);
    b->len += count;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;

    if (!grow(b, 0))
        return;
    va_start(args, fmt);
    int need = vsnprintf(b->ptr + b->len, b->cap - b->len, fmt, args);
    va_end(args);
    if (need < 0 || !grow(b, (size_t)need)) {
        b->failed = true;
        return;
    }
    va_start(args, fmt);
    vsnprintf(b->ptr + b->len, (size_t)need + 1, fmt, args);
    va_end(args);
    b->len += (size_t)need;
}

void buf_consume(struct buf *b, size_t len)
{
    ASSERT(len <= b->len);
    if (len == 0)
        return;
    memmove(b->ptr, b->ptr + len, b->len - len);
    b->len -= len;
}

const char *buf_cstr(struct buf *b)
{
    if (b->len == 0)
        return "";
    b->ptr[b->len] = '\0';
    return b->ptr;
}

struct slice buf_slice(const struct buf *b)
{
    return b->len ? slice_of(b->ptr, b->len) : SLICE_EMPTY;
}

bool buf_failed(const struct buf *b)
{
    return b->failed;
}

void buf_steal(struct buf *b, char **ret_ptr, size_t *ret_len)
{
    *ret_len = b->len;
    if (b->ptr) {
        b->ptr[b->len] = '\0';
        *ret_ptr = b->ptr;
    } else {
        *ret_ptr = mem_alloc(1);
    }
    *b = (struct buf){.max_bytes = b->max_bytes};
}

void buf_append_u8(struct buf *b, unsigned v)
{
    buf_append_byte(b, (char)(v & 0xff));
}

static void append_le(struct buf *b, uint64_t v, size_t bytes)
{
    char text[8];

    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)(v >> (8 * i) & 0xff);
    buf_append(b, text, bytes);
}

void buf_append_u16le(struct buf *b, unsigned v)
{
    append_le(b, v, 2);
}

void buf_append_u32le(struct buf *b, uint32_t v)
{
    append_le(b, v, 4);
}

void buf_append_u64le(struct buf *b, uint64_t v)
{
    append_le(b, v, 8);
}

void buf_append_f32le(struct buf *b, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof(bits));
    buf_append_u32le(b, bits);
}
