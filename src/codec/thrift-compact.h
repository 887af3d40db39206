// SPDX-License-Identifier: MIT
// Writes structs in Thrift's compact protocol (thrift/doc/specs/thrift-compact-protocol.md), the form of all metadata in a Parquet
// file. Fields must come in the order of their numbers.
//
//     struct thrift t;
//     thrift_init(&t, &out);
//     thrift_i32(&t, 1, 2);
//     thrift_list(&t, 2, THRIFT_STRUCT, count);
//     for (...) {
//         thrift_begin(&t, THRIFT_ITEM);
//         thrift_text(&t, 4, name);
//         thrift_end(&t);
//     }
//     thrift_end(&t);
//
// Errors are those of the buffer (buf_failed).
#ifndef CODEC_THRIFT_COMPACT_H
#define CODEC_THRIFT_COMPACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define THRIFT_MAX_DEPTH 8
#define THRIFT_ITEM      0 // instead of a field's number: the next item of the list that was begun

enum thrift_type {
    THRIFT_TRUE = 1, // also the type of boolean items
    THRIFT_FALSE = 2,
    THRIFT_I8 = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_STRUCT = 12,
};

struct thrift {
    struct buf *out;                  // borrowed
    int last_field[THRIFT_MAX_DEPTH]; // of each open struct
    int depth;
};

void thrift_init(struct thrift *t, struct buf *out); // opens the outermost struct
void thrift_bool(struct thrift *t, int field, bool v);
void thrift_i8(struct thrift *t, int field, int8_t v);
void thrift_i16(struct thrift *t, int field, int16_t v);
void thrift_i32(struct thrift *t, int field, int32_t v);
void thrift_i64(struct thrift *t, int field, int64_t v);
void thrift_text(struct thrift *t, int field, struct slice v);
void thrift_list(struct thrift *t, int field, enum thrift_type type, size_t count); // its items follow
void thrift_begin(struct thrift *t, int field);
void thrift_end(struct thrift *t); // of the struct that was opened last

#endif
