// SPDX-License-Identifier: MIT
//
//     "PAR1"
//     row group: chunk of the first column: [dictionary page] data pages; chunk of the second column ...
//     row group ...
//     column indexes and offset indexes
//     footer, u32 its length, "PAR1"
#include "codec/parquet.h"

#include "base/mem.h"
#include "codec/parquet-private.h"

#define MAX_METADATA_BYTES ((size_t)1 << 30)

struct parquet_writer {
    const struct parquet_schema *schema; // borrowed
    parquet_write_fn write;
    void *ctx;
    struct parquet_chunk *chunks; // one per column
    struct parquet_tools tools;
    struct parquet_group_info *groups;
    size_t group_count, group_cap;
    struct buf indexes;  // of all row groups so far
    struct arena *arena; // what the footer needs
    uint64_t rows, group_rows, written_bytes;
    uint64_t max_bytes;
    size_t max_row_groups;
    bool failed, finished;
};

struct parquet_writer *parquet_writer_new(const struct parquet_schema *schema, parquet_write_fn write,
                                          void *ctx)
{
    ASSERT(schema->column_count > 0 && schema->column_count <= PARQUET_MAX_COLUMNS);
    struct parquet_writer *w = NEW(struct parquet_writer);
    *w = (struct parquet_writer){.schema = schema, .write = write, .ctx = ctx};
    parquet_set_limits(w, PARQUET_MAX_FILE_BYTES, PARQUET_MAX_ROW_GROUPS);
    w->arena = arena_new(SIZE_MAX);
    w->chunks = NEW_ARRAY(struct parquet_chunk, schema->column_count);
    for (size_t i = 0; i < schema->column_count; i++)
        parquet_chunk_init(&w->chunks[i], &schema->columns[i]);
    w->tools.zstd = zstd_new();
    buf_init(&w->tools.encoded, PARQUET_MAX_CHUNK_BYTES);
    buf_init(&w->tools.packed, PARQUET_MAX_CHUNK_BYTES);
    buf_init(&w->indexes, MAX_METADATA_BYTES);
    return w;
}

void parquet_set_limits(struct parquet_writer *w, uint64_t max_bytes, size_t max_row_groups)
{
    w->max_bytes = max_bytes;
    w->max_row_groups = max_row_groups;
}

void parquet_writer_free(struct parquet_writer **writer)
{
    struct parquet_writer *w = *writer;
    if (!w)
        return;
    for (size_t i = 0; i < w->schema->column_count; i++)
        parquet_chunk_release(&w->chunks[i]);
    mem_free(w->chunks);
    mem_free(w->groups);
    zstd_free(&w->tools.zstd);
    buf_release(&w->tools.encoded);
    buf_release(&w->tools.packed);
    buf_release(&w->indexes);
    arena_free(&w->arena);
    mem_free(w);
    *writer = NULL;
}

uint64_t parquet_rows(const struct parquet_writer *w)
{
    return w->rows;
}

uint64_t parquet_row_group_rows(const struct parquet_writer *w)
{
    return w->group_rows;
}

size_t parquet_row_groups(const struct parquet_writer *w)
{
    return w->group_count;
}

uint64_t parquet_written_bytes(const struct parquet_writer *w)
{
    return w->written_bytes;
}

// Errors stay: what follows a gap in the file would stand at wrong places.
static int keep_failure(struct parquet_writer *w, int rc)
{
    if (rc < 0)
        w->failed = true;
    return rc;
}

static int check_usable(const struct parquet_writer *w, struct error *err)
{
    ASSERT(!w->finished);
    return w->failed ? error_set(err, ERR_CLOSED, "parquet: the file failed before") : 0;
}

static int write_bytes(struct parquet_writer *w, struct slice bytes, struct error *err)
{
    if (bytes.len == 0)
        return 0;
    if (w->written_bytes + bytes.len > w->max_bytes)
        return error_set(err, ERR_LIMIT, "parquet: file above %llu bytes", (unsigned long long)w->max_bytes);
    int rc = w->write(w->ctx, bytes, err);
    if (rc == 0)
        w->written_bytes += bytes.len;
    return rc;
}

static int write_start(struct parquet_writer *w, struct error *err)
{
    return w->written_bytes == 0 ? write_bytes(w, SLICE_LITERAL(PARQUET_MAGIC), err) : 0;
}

int parquet_append(struct parquet_writer *w, const struct parquet_values *values, size_t rows,
                   struct error *err)
{
    int rc = check_usable(w, err);
    for (size_t i = 0; rc == 0 && i < w->schema->column_count; i++)
        rc = parquet_chunk_add(&w->chunks[i], &values[i], rows, &w->tools, err);
    if (rc == 0) {
        w->rows += rows;
        w->group_rows += rows;
    }
    return keep_failure(w, rc);
}

// The range over all pages, copied to the file's arena.
static struct parquet_range whole_range(const struct parquet_chunk *chunk, struct arena *arena)
{
    struct parquet_range whole = {0};
    for (size_t i = 0; i < chunk->page_count; i++) {
        const struct parquet_range *page = &chunk->pages[i].range;
        if (!page->known)
            continue;
        if (!whole.known || parquet_compare(chunk->column->type, page->min, whole.min) < 0) {
            whole.min = page->min;
            whole.min_exact = page->min_exact;
        }
        if (!whole.known || parquet_compare(chunk->column->type, page->max, whole.max) > 0) {
            whole.max = page->max;
            whole.max_exact = page->max_exact;
        }
        whole.known = true;
    }
    if (whole.known) {
        whole.min = arena_copy(arena, whole.min);
        whole.max = arena_copy(arena, whole.max);
    }
    return whole;
}

static void put_indexes(struct parquet_writer *w, const struct parquet_chunk *chunk,
                        struct parquet_chunk_info *info)
{
    info->column_index_at = w->indexes.len;
    parquet_put_column_index(chunk, &w->indexes);
    info->column_index_len = w->indexes.len - info->column_index_at;
    info->offset_index_at = w->indexes.len;
    parquet_put_offset_index(chunk, info->data_offset, &w->indexes);
    info->offset_index_len = w->indexes.len - info->offset_index_at;
}

static int write_chunk(struct parquet_writer *w, struct parquet_chunk *chunk, struct parquet_chunk_info *info,
                       struct error *err)
{
    struct buf dictionary;
    buf_init(&dictionary, PARQUET_MAX_CHUNK_BYTES);
    int rc = parquet_chunk_flush(chunk, &w->tools, err);
    if (rc == 0)
        rc = parquet_chunk_dictionary(chunk, &w->tools, &dictionary, &info->raw_bytes, err);
    uint64_t start = w->written_bytes;
    if (rc == 0 && dictionary.len)
        rc = write_bytes(w, buf_slice(&dictionary), err);
    buf_release(&dictionary);
    if (rc < 0)
        return rc;
    info->dictionary_offset = w->written_bytes > start ? start : 0;
    info->data_offset = w->written_bytes;
    rc = write_bytes(w, buf_slice(&chunk->bytes), err);
    if (rc < 0)
        return rc;
    info->raw_bytes += chunk->raw_bytes;
    info->file_bytes = w->written_bytes - start;
    info->dictionary_pages = chunk->dictionary_pages;
    info->plain_pages = chunk->page_count - chunk->dictionary_pages;
    info->range = whole_range(chunk, w->arena);
    put_indexes(w, chunk, info);
    return buf_failed(&w->indexes) ? error_set(err, ERR_LIMIT, "parquet: too many pages") : 0;
}

static int write_row_group(struct parquet_writer *w, struct error *err)
{
    if (w->group_count == w->max_row_groups)
        return error_set(err, ERR_LIMIT, "parquet: more than %zu row groups", w->max_row_groups);
    int rc = write_start(w, err);
    if (rc < 0)
        return rc;
    size_t column_count = w->schema->column_count;
    struct parquet_group_info group = {.chunks =
                                           ARENA_ARRAY(w->arena, struct parquet_chunk_info, column_count),
                                       .rows = w->group_rows,
                                       .offset = w->written_bytes};
    for (size_t i = 0; i < column_count; i++) {
        rc = write_chunk(w, &w->chunks[i], &group.chunks[i], err);
        if (rc < 0)
            return rc;
        group.raw_bytes += group.chunks[i].raw_bytes;
        group.file_bytes += group.chunks[i].file_bytes;
        parquet_chunk_clear(&w->chunks[i]);
    }
    ENSURE_CAPACITY(w->groups, w->group_cap, w->group_count + 1);
    w->groups[w->group_count++] = group;
    w->group_rows = 0;
    return 0;
}

int parquet_end_row_group(struct parquet_writer *w, struct error *err)
{
    int rc = check_usable(w, err);
    if (rc == 0 && w->group_rows > 0)
        rc = write_row_group(w, err);
    return keep_failure(w, rc);
}

static int write_footer(struct parquet_writer *w, struct error *err)
{
    struct parquet_footer footer = {.schema = w->schema,
                                    .groups = w->groups,
                                    .group_count = w->group_count,
                                    .rows = w->rows,
                                    .index_offset = w->written_bytes};
    struct buf bytes;
    buf_init(&bytes, MAX_METADATA_BYTES);
    parquet_put_footer(&footer, &bytes);
    buf_append_u32le(&bytes, (uint32_t)bytes.len);
    buf_append_cstr(&bytes, PARQUET_MAGIC);
    int rc = buf_failed(&bytes)
                 ? error_set(err, ERR_LIMIT, "parquet: footer above %zu bytes", MAX_METADATA_BYTES)
                 : write_bytes(w, buf_slice(&w->indexes), err);
    if (rc == 0)
        rc = write_bytes(w, buf_slice(&bytes), err);
    buf_release(&bytes);
    return rc;
}

int parquet_finish(struct parquet_writer *w, struct error *err)
{
    int rc = parquet_end_row_group(w, err);
    if (rc == 0)
        rc = write_start(w, err);
    if (rc == 0)
        rc = write_footer(w, err);
    w->finished = rc == 0;
    return keep_failure(w, rc);
}
