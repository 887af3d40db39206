// SPDX-License-Identifier: MIT
// Writes Parquet files (github.com/apache/parquet-format) of flat tables: every column REQUIRED, pages of version 2, Zstandard,
// column statistics, column and offset indexes, a CRC-32 for every page. docs/formats/parquet.md describes what comes out.
//
//     struct parquet_writer *w = parquet_writer_new(&schema, write, ctx);
//     while (...)
//         rc = parquet_append(w, values, rows, &err);      any number of rows, one array per column
//         rc = parquet_end_row_group(w, &err);             now and then
//     rc = parquet_finish(w, &err);
//     parquet_writer_free(&w);
//
// Rows are kept, compressed, until their row group ends: a row group is what memory has to hold. After an error the file is
// worthless and every later call but parquet_writer_free fails. Owned by one thread at a time.
#ifndef CODEC_PARQUET_H
#define CODEC_PARQUET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define PARQUET_MAX_COLUMNS      64
#define PARQUET_MAX_STRING_BYTES ((size_t)64 << 10)
#define PARQUET_MAX_ROW_GROUPS   32767                 // their number is an i16 in the file
#define PARQUET_MAX_FILE_BYTES   ((uint64_t)INT32_MAX) // some readers count in 32 bits
#define PARQUET_PAGE_BYTES       ((size_t)256 << 10)   // a page ends at so many bytes before compression,
#define PARQUET_PAGE_ROWS        32768                 // or at so many rows

enum parquet_type {
    PARQUET_STRING, // BYTE_ARRAY, UTF-8
    PARQUET_INT64,
    PARQUET_FLOAT,
};

struct parquet_column {
    const char *name;
    enum parquet_type type;
    bool
        repeats; // few distinct values: each row group gets a dictionary, as long as it stays small; not for PARQUET_FLOAT
};

struct parquet_schema {
    const char *name; // of the root
    const struct parquet_column *columns;
    size_t column_count;
    const unsigned *
        sorted_by; // columns by which the rows of each row group are sorted, ascending; the caller sees to it
    size_t sorted_by_count;
};

// Values of one column for a batch of rows: the array of the column's type.
struct parquet_values {
    const struct slice *strings;
    const int64_t *i64;
    const float *f32;
    bool same; // the array has one item, which holds for all rows
};

// Takes the next bytes of the file, all of them or an error.
typedef int (*parquet_write_fn)(void *ctx, struct slice bytes, struct error *err);

struct parquet_writer;

// The schema is borrowed until parquet_writer_free. Nothing is written yet.
struct parquet_writer *parquet_writer_new(const struct parquet_schema *schema, parquet_write_fn write,
                                          void *ctx);
void parquet_writer_free(struct parquet_writer **w);
// values: one per column of the schema. ERR_LIMIT: a string that is too long, or the row group became too large for memory;
// ERR_INVALID: a string is not UTF-8.
int parquet_append(struct parquet_writer *w, const struct parquet_values *values, size_t rows,
                   struct error *err) MUST_CHECK;
// Writes the rows since the last one; none: nothing happens. ERR_LIMIT: one of the maxima above; whatever 'write' returns.
int parquet_end_row_group(struct parquet_writer *w, struct error *err) MUST_CHECK;
// Ends the last row group and writes what makes it a file. A table without rows is a good file too.
int parquet_finish(struct parquet_writer *w, struct error *err) MUST_CHECK;

uint64_t parquet_rows(const struct parquet_writer *w);           // appended so far
uint64_t parquet_row_group_rows(const struct parquet_writer *w); // of them in the open row group
size_t parquet_row_groups(const struct parquet_writer *w);       // ended ones
uint64_t
parquet_written_bytes(const struct parquet_writer *w); // so far; behind parquet_finish the size of the file

#endif
