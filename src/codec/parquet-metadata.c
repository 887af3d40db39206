// SPDX-License-Identifier: MIT
// The structs of parquet.thrift that we write. Each function is one of them.
#include "codec/gzip.h"
#include "codec/parquet-private.h"
#include "codec/thrift-compact.h"

#define FORMAT_VERSION 2
#define CREATED_BY     "clustercockpit-c version " CC_VERSION

enum { CODEC_ZSTD = 6 };
enum { REPETITION_REQUIRED = 0 };
enum { ENCODING_RLE = 3 };
enum { ORDER_NONE = 0, ORDER_ASCENDING = 1 };

// How a type of ours is told to readers.
static const struct {
    int32_t physical;
    int32_t converted; // -1: none
} types[] = {
    [PARQUET_STRING] = {.physical = 6, .converted = 0}, // BYTE_ARRAY, UTF8
    [PARQUET_INT64] = {.physical = 2, .converted = 18}, // INT64, INT_64
    [PARQUET_FLOAT] = {.physical = 4, .converted = -1}, // FLOAT
};

static void put_data_page_header_v2(struct thrift *t, const struct parquet_page_head *page)
{
    thrift_begin(t, 8);
    thrift_i32(t, 1, (int32_t)page->rows);
    thrift_i32(t, 2, 0); // nulls
    thrift_i32(t, 3, (int32_t)page->rows);
    thrift_i32(t, 4, page->encoding);
    thrift_i32(t, 5, 0); // bytes of definition levels
    thrift_i32(t, 6, 0); // bytes of repetition levels
    thrift_bool(t, 7, true);
    thrift_end(t);
}

static void put_dictionary_page_header(struct thrift *t, const struct parquet_page_head *page)
{
    thrift_begin(t, 7);
    thrift_i32(t, 1, (int32_t)page->rows);
    thrift_i32(t, 2, page->encoding);
    thrift_bool(t, 3, false); // sorted
    thrift_end(t);
}

// PageHeader
void parquet_put_page_head(const struct parquet_page_head *page, struct buf *out)
{
    struct thrift t;
    thrift_init(&t, out);
    thrift_i32(&t, 1, page->type);
    thrift_i32(&t, 2, (int32_t)page->raw_bytes);
    thrift_i32(&t, 3, (int32_t)page->data.len);
    thrift_i32(&t, 4, (int32_t)crc32_ieee(0, page->data.ptr, page->data.len));
    if (page->type == PARQUET_DICTIONARY_PAGE)
        put_dictionary_page_header(&t, page);
    else
        put_data_page_header_v2(&t, page);
    thrift_end(&t);
}

// ---- indexes ----------------------------------------------------------------------------------------------

static bool pages_ascend(const struct parquet_chunk *chunk)
{
    enum parquet_type type = chunk->column->type;
    for (size_t i = 1; i < chunk->page_count; i++) {
        const struct parquet_range *a = &chunk->pages[i - 1].range, *b = &chunk->pages[i].range;
        if (parquet_compare(type, a->min, b->min) > 0 || parquet_compare(type, a->max, b->max) > 0)
            return false;
    }
    return true;
}

// ColumnIndex. Nothing when a page has no bounds: then there may be none (parquet.thrift).
void parquet_put_column_index(const struct parquet_chunk *chunk, struct buf *out)
{
    for (size_t i = 0; i < chunk->page_count; i++)
        if (!chunk->pages[i].range.known)
            return;
    struct thrift t;
    thrift_init(&t, out);
    thrift_list(&t, 1, THRIFT_TRUE, chunk->page_count); // null_pages
    for (size_t i = 0; i < chunk->page_count; i++)
        thrift_bool(&t, THRIFT_ITEM, false);
    thrift_list(&t, 2, THRIFT_BINARY, chunk->page_count);
    for (size_t i = 0; i < chunk->page_count; i++)
        thrift_text(&t, THRIFT_ITEM, chunk->pages[i].range.min);
    thrift_list(&t, 3, THRIFT_BINARY, chunk->page_count);
    for (size_t i = 0; i < chunk->page_count; i++)
        thrift_text(&t, THRIFT_ITEM, chunk->pages[i].range.max);
    thrift_i32(&t, 4, pages_ascend(chunk) ? ORDER_ASCENDING : ORDER_NONE);
    thrift_list(&t, 5, THRIFT_I64, chunk->page_count); // null_counts
    for (size_t i = 0; i < chunk->page_count; i++)
        thrift_i64(&t, THRIFT_ITEM, 0);
    thrift_end(&t);
}

// OffsetIndex
void parquet_put_offset_index(const struct parquet_chunk *chunk, uint64_t data_offset, struct buf *out)
{
    struct thrift t;
    thrift_init(&t, out);
    thrift_list(&t, 1, THRIFT_STRUCT, chunk->page_count);
    int64_t row = 0;
    for (size_t i = 0; i < chunk->page_count; i++) {
        const struct parquet_page *page = &chunk->pages[i];
        thrift_begin(&t, THRIFT_ITEM);
        thrift_i64(&t, 1, (int64_t)(data_offset + page->offset));
        thrift_i32(&t, 2, (int32_t)page->len);
        thrift_i64(&t, 3, row);
        thrift_end(&t);
        row += (int64_t)page->rows;
    }
    thrift_end(&t);
}

// ---- footer -----------------------------------------------------------------------------------------------

static void put_logical_type(struct thrift *t, enum parquet_type type)
{
    if (type == PARQUET_FLOAT)
        return;
    thrift_begin(t, 10);
    if (type == PARQUET_STRING) {
        thrift_begin(t, 1); // STRING
    } else {
        thrift_begin(t, 10); // INTEGER
        thrift_i8(t, 1, 64);
        thrift_bool(t, 2, true); // signed
    }
    thrift_end(t);
    thrift_end(t);
}

// SchemaElement of the root and of each column.
static void put_schema(struct thrift *t, const struct parquet_schema *schema)
{
    thrift_list(t, 2, THRIFT_STRUCT, schema->column_count + 1);
    thrift_begin(t, THRIFT_ITEM);
    thrift_text(t, 4, slice_from_cstr(schema->name));
    thrift_i32(t, 5, (int32_t)schema->column_count);
    thrift_end(t);
    for (size_t i = 0; i < schema->column_count; i++) {
        const struct parquet_column *column = &schema->columns[i];
        thrift_begin(t, THRIFT_ITEM);
        thrift_i32(t, 1, types[column->type].physical);
        thrift_i32(t, 3, REPETITION_REQUIRED);
        thrift_text(t, 4, slice_from_cstr(column->name));
        if (types[column->type].converted >= 0)
            thrift_i32(t, 6, types[column->type].converted);
        put_logical_type(t, column->type);
        thrift_end(t);
    }
}

// Statistics. The fields 1 and 2 are those of the old, unclear order and stay away.
static void put_statistics(struct thrift *t, const struct parquet_range *range)
{
    thrift_begin(t, 12);
    thrift_i64(t, 3, 0); // nulls
    if (range->known) {
        thrift_text(t, 5, range->max);
        thrift_text(t, 6, range->min);
        thrift_bool(t, 7, range->max_exact);
        thrift_bool(t, 8, range->min_exact);
    }
    thrift_end(t);
}

static void put_encodings(struct thrift *t, const struct parquet_chunk_info *chunk)
{
    if (chunk->dictionary_pages == 0) {
        thrift_list(t, 2, THRIFT_I32, 1);
        thrift_i32(t, THRIFT_ITEM, PARQUET_PLAIN);
        return;
    }
    thrift_list(t, 2, THRIFT_I32, 3);
    thrift_i32(t, THRIFT_ITEM, PARQUET_PLAIN); // of the dictionary itself
    thrift_i32(t, THRIFT_ITEM, ENCODING_RLE);
    thrift_i32(t, THRIFT_ITEM, PARQUET_RLE_DICTIONARY);
}

// PageEncodingStats
static void put_page_count(struct thrift *t, enum parquet_page_type type, enum parquet_encoding encoding,
                           uint64_t count)
{
    if (count == 0)
        return;
    thrift_begin(t, THRIFT_ITEM);
    thrift_i32(t, 1, type);
    thrift_i32(t, 2, encoding);
    thrift_i32(t, 3, (int32_t)count);
    thrift_end(t);
}

static void put_page_counts(struct thrift *t, const struct parquet_chunk_info *chunk)
{
    bool has_dictionary = chunk->dictionary_pages > 0;
    thrift_list(t, 13, THRIFT_STRUCT, (has_dictionary ? 2U : 0U) + (chunk->plain_pages > 0));
    put_page_count(t, PARQUET_DICTIONARY_PAGE, PARQUET_PLAIN, has_dictionary);
    put_page_count(t, PARQUET_DATA_PAGE_V2, PARQUET_RLE_DICTIONARY, chunk->dictionary_pages);
    put_page_count(t, PARQUET_DATA_PAGE_V2, PARQUET_PLAIN, chunk->plain_pages);
}

// ColumnMetaData
static void put_column_metadata(struct thrift *t, const struct parquet_column *column,
                                const struct parquet_chunk_info *chunk, uint64_t rows)
{
    thrift_begin(t, 3);
    thrift_i32(t, 1, types[column->type].physical);
    put_encodings(t, chunk);
    thrift_list(t, 3, THRIFT_BINARY, 1);
    thrift_text(t, THRIFT_ITEM, slice_from_cstr(column->name));
    thrift_i32(t, 4, CODEC_ZSTD);
    thrift_i64(t, 5, (int64_t)rows);
    thrift_i64(t, 6, (int64_t)chunk->raw_bytes);
    thrift_i64(t, 7, (int64_t)chunk->file_bytes);
    thrift_i64(t, 9, (int64_t)chunk->data_offset);
    if (chunk->dictionary_offset)
        thrift_i64(t, 11, (int64_t)chunk->dictionary_offset);
    put_statistics(t, &chunk->range);
    put_page_counts(t, chunk);
    thrift_end(t);
}

// ColumnChunk
static void put_column_chunk(struct thrift *t, const struct parquet_column *column,
                             const struct parquet_chunk_info *chunk, uint64_t rows, uint64_t index_offset)
{
    thrift_begin(t, THRIFT_ITEM);
    thrift_i64(t, 2, 0); // file_offset: deprecated, must be 0
    put_column_metadata(t, column, chunk, rows);
    thrift_i64(t, 4, (int64_t)(index_offset + chunk->offset_index_at));
    thrift_i32(t, 5, (int32_t)chunk->offset_index_len);
    if (chunk->column_index_len) {
        thrift_i64(t, 6, (int64_t)(index_offset + chunk->column_index_at));
        thrift_i32(t, 7, (int32_t)chunk->column_index_len);
    }
    thrift_end(t);
}

static void put_sorting_columns(struct thrift *t, const struct parquet_schema *schema)
{
    if (schema->sorted_by_count == 0)
        return;
    thrift_list(t, 4, THRIFT_STRUCT, schema->sorted_by_count);
    for (size_t i = 0; i < schema->sorted_by_count; i++) {
        thrift_begin(t, THRIFT_ITEM);
        thrift_i32(t, 1, (int32_t)schema->sorted_by[i]);
        thrift_bool(t, 2, false); // descending
        thrift_bool(t, 3, false); // nulls first
        thrift_end(t);
    }
}

// RowGroup
static void put_row_group(struct thrift *t, const struct parquet_footer *footer, size_t number)
{
    const struct parquet_group_info *group = &footer->groups[number];
    const struct parquet_schema *schema = footer->schema;
    thrift_begin(t, THRIFT_ITEM);
    thrift_list(t, 1, THRIFT_STRUCT, schema->column_count);
    for (size_t i = 0; i < schema->column_count; i++)
        put_column_chunk(t, &schema->columns[i], &group->chunks[i], group->rows, footer->index_offset);
    thrift_i64(t, 2, (int64_t)group->raw_bytes);
    thrift_i64(t, 3, (int64_t)group->rows);
    put_sorting_columns(t, schema);
    thrift_i64(t, 5, (int64_t)group->offset);
    thrift_i64(t, 6, (int64_t)group->file_bytes);
    thrift_i16(t, 7, (int16_t)number);
    thrift_end(t);
}

// ColumnOrder: TYPE_ORDER for all, which is what gives the statistics a meaning.
static void put_column_orders(struct thrift *t, size_t column_count)
{
    thrift_list(t, 7, THRIFT_STRUCT, column_count);
    for (size_t i = 0; i < column_count; i++) {
        thrift_begin(t, THRIFT_ITEM);
        thrift_begin(t, 1);
        thrift_end(t);
        thrift_end(t);
    }
}

// FileMetaData
void parquet_put_footer(const struct parquet_footer *footer, struct buf *out)
{
    struct thrift t;
    thrift_init(&t, out);
    thrift_i32(&t, 1, FORMAT_VERSION);
    put_schema(&t, footer->schema);
    thrift_i64(&t, 3, (int64_t)footer->rows);
    thrift_list(&t, 4, THRIFT_STRUCT, footer->group_count);
    for (size_t i = 0; i < footer->group_count; i++)
        put_row_group(&t, footer, i);
    thrift_text(&t, 6, SLICE_LITERAL(CREATED_BY));
    put_column_orders(&t, footer->schema->column_count);
    thrift_end(&t);
}
