// SPDX-License-Identifier: MIT
// The rows of a Parquet archive out of the snapshots of one host (metric-store.md 7.9): no files here.
//
//     rows = archive_rows_new();
//     archive_rows_add(rows, &older, &err); archive_rows_add(rows, &newer, &err);
//     archive_rows_sort(rows);
//     while (archive_rows_next(rows, &batch)) ...
//     archive_rows_clear(rows);
//
// Rows come sorted by metric, scope, timestamp, scope id. Values that are NaN have no row. Where snapshots overlap, that is both
// have a value of one series for one second, the one added later counts.
#ifndef STORE_ARCHIVE_ROWS_H
#define STORE_ARCHIVE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "store/checkpoint.h"

#define ARCHIVE_BATCH_ROWS 8192

struct archive_rows;

// Rows of one metric and scope; valid until the next call.
struct archive_batch {
    struct slice metric, scope;
    const struct slice *scope_ids;
    const int64_t *timestamps, *frequencies;
    const float *values;
    size_t count;
};

struct archive_rows *archive_rows_new(void);
void archive_rows_free(struct archive_rows **rows);
// What the snapshot points to is borrowed until archive_rows_clear. ERR_CORRUPT: a time beyond 64 bits, a name that is no UTF-8 or
// too long; nothing of the snapshot was added then.
int archive_rows_add(struct archive_rows *rows, const struct checkpoint *checkpoint,
                     struct error *err) MUST_CHECK;
void archive_rows_sort(struct archive_rows *rows); // behind the last add
bool archive_rows_next(struct archive_rows *rows, struct archive_batch *ret);
void archive_rows_clear(struct archive_rows *rows);

// Scope and its id from the name of a level below the host: "socket0" is ("socket", "0"), "cpu3" ("hwthread", "3"); names of
// no known form are a scope without id.
void archive_scope(struct slice level, struct slice *ret_scope, struct slice *ret_id);

#endif
