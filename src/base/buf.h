// SPDX-License-Identifier: MIT
// Growing byte buffer with a stated maximum. The error is sticky: once an append would pass the maximum or
// memory is out, the buffer refuses further appends; check buf_failed() once at the end.
//
//     struct buf out;
//     buf_init(&out, 64 << 20);
//     buf_printf(&out, "%d nodes", n);
//     ...
//     buf_release(&out);
//
// Owned by one thread at a time. Contents are not terminated; buf_cstr() terminates.
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/slice.h"

struct buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t max_bytes;
    bool failed;
};

#define BUF_MAX_DEFAULT ((size_t)1 << 30)

void buf_init(struct buf *b, size_t max_bytes);
void buf_release(struct buf *b);
void buf_clear(struct buf *b); // length 0, memory kept, error forgotten
void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_append_slice(struct buf *b, struct slice s);
void buf_append_cstr(struct buf *b, const char *text);
void buf_append_byte(struct buf *b, char c);
void buf_append_fill(struct buf *b, char c, size_t count);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
// Makes room for at least 'len' more bytes and returns where they go, or NULL (then the buffer has failed).
// Add what was written with buf_commit.
char *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);
void buf_consume(struct buf *b, size_t len); // drops bytes at the front
const char *buf_cstr(struct buf *b);         // valid until the next change
struct slice buf_slice(const struct buf *b);
bool buf_failed(const struct buf *b);
// Moves the contents out: the caller owns *ret_ptr (free with mem_free), the buffer is empty afterwards.
void buf_steal(struct buf *b, char **ret_ptr, size_t *ret_len);

// Fixed-width little-endian integers, for formats on disk and wire.
void buf_append_u8(struct buf *b, unsigned v);
void buf_append_u16le(struct buf *b, unsigned v);
void buf_append_u32le(struct buf *b, uint32_t v);
void buf_append_u64le(struct buf *b, uint64_t v);
void buf_append_f32le(struct buf *b, float v);

#endif
