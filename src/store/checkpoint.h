// SPDX-License-Identifier: MIT
// A snapshot of one host as it stands in a file of the checkpoint directory: <from>.bin or <from>.json (metric-store.md 7.4,
// 7.5; docs/formats/checkpoint.md). This module turns bytes into a tree and a tree into bytes; files, names and locks are
// the business of its callers.
//
// Both formats are upstream's and stay readable by it. The binary one ends in a block of ours that old readers ignore:
// a checksum over all before it (MS-36).
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define CHECKPOINT_MAGIC     UINT32_C(0xCC5B0001) // of binary files
#define CHECKPOINT_MAX_DEPTH 8 // levels below the host that a reader follows; writers make at most 2
// Times beyond 34 thousand years from 1970 are damage; within it no sum of times and lengths overflows.
#define CHECKPOINT_TIME_MAX (INT64_C(1) << 40)

enum checkpoint_format { CHECKPOINT_BIN, CHECKPOINT_JSON };

// Values in one of two forms: little-endian float32 as in the file (borrowed from its bytes), or doubles. NaN: no value.
struct checkpoint_values {
    size_t count;
    const char *f32le; // NULL: f64 holds them
    const double *f64;
};

struct checkpoint_metric {
    struct slice name;
    int64_t frequency_s; // > 0, checked by the readers (MS-37)
    int64_t
        start; // time of the first value, Unix seconds; readers check that all times are within CHECKPOINT_TIME_MAX
    struct checkpoint_values values;
};

struct checkpoint_level {
    struct slice name; // of the host's level: empty
    struct checkpoint_metric *metrics;
    size_t metric_count;
    struct checkpoint_level *children;
    size_t child_count;
};

struct checkpoint {
    int64_t from, to; // [from, to)
    struct checkpoint_level root;
    bool has_checksum; // of a binary file: it carried our checksum, and it was right
};

// Reads a file's bytes. Names (of the binary format) and f32le values point into 'bytes', all else is arena memory; both must
// outlive *ret, which is written on success only.
// Every count is checked against what is left of the file before memory is taken: at most 5 times the size of a binary
// file (MS-36). 'from' and 'to' are cut down to CHECKPOINT_TIME_MAX. ERR_CORRUPT names the place; ERR_LIMIT: the arena is full.
int checkpoint_parse(enum checkpoint_format format, struct slice bytes, struct arena *arena,
                     struct checkpoint *ret, struct error *err) MUST_CHECK;
// Only from and to, out of the first CHECKPOINT_HEADER_BYTES of a binary file.
#define CHECKPOINT_HEADER_BYTES 20
int checkpoint_parse_header(struct slice bytes, int64_t *ret_from, int64_t *ret_to,
                            struct error *err) MUST_CHECK;
// For tools that walk a binary file themselves: what stands behind the tree, which ends at tree_end. Bytes that are not our
// checksum belong to no one and are fine; a wrong or cut off one is ERR_CORRUPT.
int checkpoint_check_checksum(struct slice bytes, size_t tree_end, bool *ret_has_checksum,
                              struct error *err) MUST_CHECK;
// Values [first, first + count) as doubles.
void checkpoint_get_values(const struct checkpoint_values *values, size_t first, size_t count, double *out);

// Appends the file to *out. Values become float32. JSON: shortest digits that give the same float32 (MS-42); sorted keys.
// A name of more than 65535 bytes or more than 2^32-1 values do not fit: the buffer fails (buf_failed).
void checkpoint_format_bytes(enum checkpoint_format format, const struct checkpoint *checkpoint,
                             struct buf *out);

// File names: "<from>.bin". True when the name is that of a snapshot; other names are left alone by all readers.
bool checkpoint_parse_name(struct slice name, int64_t *ret_from,
                           enum checkpoint_format *ret_format) MUST_CHECK;
// "<from>.bin" into text (at least CHECKPOINT_NAME_SIZE bytes); returns text.
#define CHECKPOINT_NAME_SIZE 40
char *checkpoint_name(int64_t from, enum checkpoint_format format, char *text);

#endif
