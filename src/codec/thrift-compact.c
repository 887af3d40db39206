// SPDX-License-Identifier: MIT
#include "codec/thrift-compact.h"

#define LIST_LONG 15 // in the size's nibble of a list's head: the size follows

void thrift_init(struct thrift *t, struct buf *out)
{
    *t = (struct thrift){.out = out, .depth = 1};
}

static void put_varint(struct thrift *t, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_append_byte(t->out, (char)(v | 0x80));
    buf_append_byte(t->out, (char)v);
}

// Small numbers of either sign become short.
static void put_zigzag(struct thrift *t, int64_t v)
{
    put_varint(t, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

// Type and distance from the last field in one byte, or the type and the number.
static void put_field(struct thrift *t, int field, enum thrift_type type)
{
    if (field == THRIFT_ITEM)
        return;
    ASSERT(t->depth > 0);
    int *last = &t->last_field[t->depth - 1];
    ASSERT(field > *last);
    if (field - *last <= 15) {
        buf_append_byte(t->out, (char)((field - *last) << 4 | (int)type));
    } else {
        buf_append_byte(t->out, (char)type);
        put_zigzag(t, field);
    }
    *last = field;
}

void thrift_bool(struct thrift *t, int field, bool v)
{
    enum thrift_type type = v ? THRIFT_TRUE : THRIFT_FALSE;
    put_field(t, field, type);
    if (field == THRIFT_ITEM)
        buf_append_byte(t->out, (char)type);
}

void thrift_i8(struct thrift *t, int field, int8_t v)
{
    put_field(t, field, THRIFT_I8);
    buf_append_byte(t->out, (char)v);
}

void thrift_i16(struct thrift *t, int field, int16_t v)
{
    put_field(t, field, THRIFT_I16);
    put_zigzag(t, v);
}

void thrift_i32(struct thrift *t, int field, int32_t v)
{
    put_field(t, field, THRIFT_I32);
    put_zigzag(t, v);
}

void thrift_i64(struct thrift *t, int field, int64_t v)
{
    put_field(t, field, THRIFT_I64);
    put_zigzag(t, v);
}

void thrift_text(struct thrift *t, int field, struct slice v)
{
    put_field(t, field, THRIFT_BINARY);
    put_varint(t, v.len);
    buf_append_slice(t->out, v);
}

void thrift_list(struct thrift *t, int field, enum thrift_type type, size_t count)
{
    put_field(t, field, THRIFT_LIST);
    buf_append_byte(t->out, (char)(MIN(count, (size_t)LIST_LONG) << 4 | (size_t)type));
    if (count >= LIST_LONG)
        put_varint(t, count);
}

void thrift_begin(struct thrift *t, int field)
{
    put_field(t, field, THRIFT_STRUCT);
    ASSERT(t->depth < THRIFT_MAX_DEPTH);
    t->last_field[t->depth++] = 0;
}

void thrift_end(struct thrift *t)
{
    ASSERT(t->depth > 0);
    buf_append_byte(t->out, 0);
    t->depth--;
}
