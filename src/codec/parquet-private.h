// SPDX-License-Identifier: MIT
// What the files of the Parquet writer share: parquet.c (the file), parquet-column.c (values into pages), parquet-metadata.c
// (the structs of parquet.thrift; numbers of fields and values below and there are its).
#ifndef CODEC_PARQUET_PRIVATE_H
#define CODEC_PARQUET_PRIVATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/intern.h"
#include "codec/parquet.h"
#include "codec/zstd.h"

#define PARQUET_MAGIC            "PAR1"
#define PARQUET_BOUND_BYTES      64 // longer strings are cut in statistics and indexes
#define PARQUET_DICTIONARY_BYTES ((size_t)1 << 20)
#define PARQUET_MAX_CHUNK_BYTES  ((size_t)1 << 30)

enum parquet_encoding { PARQUET_PLAIN = 0, PARQUET_RLE_DICTIONARY = 8 };
enum parquet_page_type { PARQUET_DICTIONARY_PAGE = 2, PARQUET_DATA_PAGE_V2 = 3 };

// Least and greatest value in PLAIN form (strings without their length).
struct parquet_range {
    bool known; // false: nothing but NaN
    bool min_exact, max_exact;
    struct slice min, max;
};

struct parquet_page {
    size_t offset, len; // header and data in the chunk's bytes
    size_t rows;
    struct parquet_range range;
};

// For tests: lower maxima than those of parquet.h.
void parquet_set_limits(struct parquet_writer *w, uint64_t max_bytes, size_t max_row_groups);

// The chunk of one column for the open row group.
struct parquet_chunk {
    const struct parquet_column *column;
    struct intern *dictionary; // of this row group; NULL: values stand as they are
    size_t dictionary_bytes;   // its PLAIN form
    bool overflowed;           // the dictionary became too large: later pages go without it
    uint32_t *numbers;         // of the open page: numbers in the dictionary,
    struct buf plain;          // or values
    size_t open_rows;
    struct buf bytes; // finished pages
    struct parquet_page *pages;
    size_t page_count, page_cap;
    size_t dictionary_pages; // of the finished pages those that use the dictionary; they come first
    uint64_t raw_bytes;      // of the finished pages, headers included, before compression
    struct arena *arena;     // bounds of the pages
};

struct parquet_tools {
    struct zstd *zstd;
    struct buf encoded, packed; // scratch
};

void parquet_chunk_init(struct parquet_chunk *chunk, const struct parquet_column *column);
void parquet_chunk_release(struct parquet_chunk *chunk);
void parquet_chunk_clear(struct parquet_chunk *chunk); // for the next row group
int parquet_chunk_add(struct parquet_chunk *chunk, const struct parquet_values *values, size_t rows,
                      struct parquet_tools *tools, struct error *err) MUST_CHECK;
int parquet_chunk_flush(struct parquet_chunk *chunk, struct parquet_tools *tools,
                        struct error *err) MUST_CHECK;
// Appends the dictionary's page, if there is a dictionary in use.
int parquet_chunk_dictionary(struct parquet_chunk *chunk, struct parquet_tools *tools, struct buf *out,
                             uint64_t *ret_raw_bytes, struct error *err) MUST_CHECK;
int parquet_compare(enum parquet_type type, struct slice a, struct slice b); // PLAIN forms
// RLE and bit-packing hybrid, behind a byte with the width (Encodings.md).
void parquet_encode_numbers(const uint32_t *numbers, size_t count, unsigned width, struct buf *out);

// What the footer says about a chunk.
struct parquet_chunk_info {
    uint64_t dictionary_offset, data_offset; // in the file; dictionary_offset 0: none
    uint64_t raw_bytes, file_bytes;
    uint64_t dictionary_pages, plain_pages;
    struct parquet_range range; // the file's arena
    size_t column_index_at, column_index_len, offset_index_at,
        offset_index_len; // in the file's index bytes; len 0: none
};

struct parquet_group_info {
    struct parquet_chunk_info *chunks;
    uint64_t rows, offset, raw_bytes, file_bytes;
};

struct parquet_page_head {
    enum parquet_page_type type;
    enum parquet_encoding encoding;
    size_t raw_bytes, rows; // rows: of a dictionary its entries
    struct slice data;      // as it will stand in the file
};
void parquet_put_page_head(const struct parquet_page_head *page, struct buf *out);
void parquet_put_column_index(const struct parquet_chunk *chunk, struct buf *out);
void parquet_put_offset_index(const struct parquet_chunk *chunk, uint64_t data_offset, struct buf *out);
struct parquet_footer {
    const struct parquet_schema *schema;
    const struct parquet_group_info *groups;
    size_t group_count;
    uint64_t rows, index_offset; // where the index bytes stand in the file
};
void parquet_put_footer(const struct parquet_footer *footer, struct buf *out);

#endif
