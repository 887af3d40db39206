// SPDX-License-Identifier: MIT
#include <math.h>

#include "base/mem.h"
#include "codec/parquet-private.h"

void parquet_chunk_init(struct parquet_chunk *chunk, const struct parquet_column *column)
{
    *chunk = (struct parquet_chunk){.column = column, .arena = arena_new(SIZE_MAX)};
    buf_init(&chunk->plain, PARQUET_MAX_CHUNK_BYTES);
    buf_init(&chunk->bytes, PARQUET_MAX_CHUNK_BYTES);
    ASSERT(!column->repeats || column->type != PARQUET_FLOAT);
    if (column->repeats)
        chunk->numbers = NEW_ARRAY(uint32_t, PARQUET_PAGE_ROWS);
    parquet_chunk_clear(chunk);
}

void parquet_chunk_release(struct parquet_chunk *chunk)
{
    intern_free(&chunk->dictionary);
    mem_free(chunk->numbers);
    mem_free(chunk->pages);
    buf_release(&chunk->plain);
    buf_release(&chunk->bytes);
    arena_free(&chunk->arena);
}

void parquet_chunk_clear(struct parquet_chunk *chunk)
{
    intern_free(&chunk->dictionary);
    if (chunk->column->repeats)
        chunk->dictionary = intern_new();
    chunk->dictionary_bytes = 0;
    chunk->overflowed = false;
    chunk->open_rows = chunk->page_count = chunk->dictionary_pages = 0;
    chunk->raw_bytes = 0;
    buf_clear(&chunk->plain);
    buf_clear(&chunk->bytes);
    arena_clear(chunk->arena);
}

static bool uses_dictionary(const struct parquet_chunk *chunk)
{
    return chunk->dictionary && !chunk->overflowed;
}

// ---- numbers as bytes -------------------------------------------------------------------------------------

static void put_le(char *to, uint64_t v, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = (char)(v >> (8 * i));
}

static uint64_t get_le(const char *from, size_t len)
{
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++)
        v |= (uint64_t)(unsigned char)from[i] << (8 * i);
    return v;
}

static float float_of(const char *from)
{
    uint32_t bits = (uint32_t)get_le(from, sizeof(bits));
    float v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

int parquet_compare(enum parquet_type type, struct slice a, struct slice b)
{
    if (type == PARQUET_STRING)
        return slice_cmp(a, b);
    if (type == PARQUET_INT64) {
        int64_t x = (int64_t)get_le(a.ptr, sizeof(x)), y = (int64_t)get_le(b.ptr, sizeof(y));
        return (x > y) - (x < y);
    }
    float x = float_of(a.ptr), y = float_of(b.ptr);
    return (x > y) - (x < y);
}

// ---- bounds -----------------------------------------------------------------------------------------------

// The part of a string that may stand as its lower bound: whole characters only.
static struct slice cut_text(struct slice s)
{
    if (s.len <= PARQUET_BOUND_BYTES)
        return s;
    size_t len = PARQUET_BOUND_BYTES;
    while (len > 0 && ((unsigned char)s.ptr[len] & 0xC0) == 0x80)
        len--;
    return slice_of(s.ptr, len);
}

// A short string that is greater than s: its last ASCII character that can be, is raised. Else s itself.
static struct slice raise_text(struct arena *arena, struct slice s)
{
    struct slice cut = cut_text(s);
    char bytes[PARQUET_BOUND_BYTES];
    for (size_t i = cut.len; cut.len < s.len && i-- > 0;) {
        if ((unsigned char)cut.ptr[i] >= 0x7E)
            continue;
        memcpy(bytes, cut.ptr, i);
        bytes[i] = (char)(cut.ptr[i] + 1);
        return arena_copy(arena, slice_of(bytes, i + 1));
    }
    return arena_copy(arena, s);
}

static struct parquet_range text_range(struct arena *arena, struct slice min, struct slice max)
{
    struct parquet_range range = {
        .known = true, .min = arena_copy(arena, cut_text(min)), .max = raise_text(arena, max)};
    range.min_exact = range.min.len == min.len;
    range.max_exact = slice_eq(range.max, max);
    return range;
}

// Zeros: the least is -0, the greatest +0, as readers may take them for different (parquet.thrift, ColumnOrder).
static struct parquet_range float_range(struct arena *arena, float min, float max)
{
    char bytes[2][sizeof(float)];
    float bounds[2] = {min == 0 ? -0.0F : min, max == 0 ? 0.0F : max};
    for (int i = 0; i < 2; i++) {
        uint32_t bits;
        memcpy(&bits, &bounds[i], sizeof(bits));
        put_le(bytes[i], bits, sizeof(bits));
    }
    return (struct parquet_range){.known = true,
                                  .min_exact = true,
                                  .max_exact = true,
                                  .min = arena_copy(arena, slice_of(bytes[0], sizeof(float))),
                                  .max = arena_copy(arena, slice_of(bytes[1], sizeof(float)))};
}

static struct parquet_range range_of_floats(struct parquet_chunk *chunk)
{
    float min = INFINITY, max = -INFINITY;
    bool known = false;
    for (size_t i = 0; i < chunk->open_rows; i++) {
        float v = float_of(chunk->plain.ptr + i * sizeof(float));
        if (isnan(v))
            continue;
        min = MIN(min, v);
        max = MAX(max, v);
        known = true;
    }
    return known ? float_range(chunk->arena, min, max) : (struct parquet_range){0};
}

static void widen(enum parquet_type type, struct slice value, struct slice *min, struct slice *max)
{
    if (!min->ptr || parquet_compare(type, value, *min) < 0)
        *min = value;
    if (!max->ptr || parquet_compare(type, value, *max) > 0)
        *max = value;
}

// Each entry of the dictionary that the page uses is looked at once.
static void widen_by_numbers(struct parquet_chunk *chunk, struct slice *min, struct slice *max)
{
    uint32_t entries = intern_count(chunk->dictionary);
    bool *seen = NEW_ARRAY(bool, entries);
    for (size_t i = 0; i < chunk->open_rows; i++)
        seen[chunk->numbers[i]] = true;
    for (uint32_t i = 0; i < entries; i++)
        if (seen[i])
            widen(chunk->column->type, intern_text(chunk->dictionary, i), min, max);
    mem_free(seen);
}

static void widen_by_values(struct parquet_chunk *chunk, struct slice *min, struct slice *max)
{
    bool is_text = chunk->column->type == PARQUET_STRING;
    const char *at = chunk->plain.ptr;
    for (size_t i = 0; i < chunk->open_rows; i++) {
        size_t len = is_text ? (size_t)get_le(at, 4) : sizeof(int64_t);
        at += is_text ? 4 : 0;
        widen(chunk->column->type, slice_of(at, len), min, max);
        at += len;
    }
}

static struct parquet_range page_range(struct parquet_chunk *chunk)
{
    if (chunk->column->type == PARQUET_FLOAT)
        return range_of_floats(chunk);
    struct slice min = {0}, max = {0};
    if (uses_dictionary(chunk))
        widen_by_numbers(chunk, &min, &max);
    else
        widen_by_values(chunk, &min, &max);
    if (chunk->column->type == PARQUET_STRING)
        return text_range(chunk->arena, min, max);
    return (struct parquet_range){.known = true,
                                  .min_exact = true,
                                  .max_exact = true,
                                  .min = arena_copy(chunk->arena, min),
                                  .max = arena_copy(chunk->arena, max)};
}

// ---- dictionary numbers -----------------------------------------------------------------------------------

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_append_byte(out, (char)(v | 0x80));
    buf_append_byte(out, (char)v);
}

// In groups of eight; what is missing from the last one is filled with zeros.
static void put_bit_packed(const uint32_t *numbers, size_t count, unsigned width, struct buf *out)
{
    if (count == 0)
        return;
    size_t groups = (count + 7) / 8;
    put_varint(out, groups << 1 | 1);
    uint64_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < groups * 8; i++) {
        bits |= (uint64_t)(i < count ? numbers[i] : 0) << have;
        for (have += width; have >= 8; have -= 8, bits >>= 8)
            buf_append_byte(out, (char)bits);
    }
}

static void put_repeated(uint32_t number, size_t count, unsigned width, struct buf *out)
{
    put_varint(out, count << 1);
    for (unsigned i = 0; i < width; i += 8)
        buf_append_byte(out, (char)(number >> i));
}

void parquet_encode_numbers(const uint32_t *numbers, size_t count, unsigned width, struct buf *out)
{
    buf_append_byte(out, (char)width);
    size_t packed_from = 0;
    for (size_t i = 0, run; i < count; i += run) {
        for (run = 1; i + run < count && numbers[i + run] == numbers[i];)
            run++;
        size_t fill = -(i - packed_from) % 8; // the group before the run takes so many of it
        if (run < fill + 8)
            continue;
        put_bit_packed(numbers + packed_from, i + fill - packed_from, width, out);
        put_repeated(numbers[i], run - fill, width, out);
        packed_from = i + run;
    }
    put_bit_packed(numbers + packed_from, count - packed_from, width, out);
}

// ---- pages ------------------------------------------------------------------------------------------------

static unsigned bits_of(uint32_t v)
{
    unsigned bits = 1;
    while (bits < 32 && v >> bits)
        bits++;
    return bits;
}

// Compresses the data and appends header and data to *out; ret_raw_bytes grows by their size before compression.
static int put_page(struct parquet_page_head head, struct slice raw, struct parquet_tools *tools,
                    struct buf *out, uint64_t *ret_raw_bytes, struct error *err)
{
    size_t start = out->len;
    buf_clear(&tools->packed);
    int rc = zstd_compress(tools->zstd, raw, &tools->packed, err);
    if (rc < 0)
        return rc;
    head.raw_bytes = raw.len;
    head.data = buf_slice(&tools->packed);
    parquet_put_page_head(&head, out);
    *ret_raw_bytes += out->len - start + raw.len;
    buf_append_slice(out, head.data);
    if (buf_failed(out))
        return error_set(err, ERR_LIMIT, "parquet: row group above %zu bytes", out->max_bytes);
    return 0;
}

int parquet_chunk_flush(struct parquet_chunk *chunk, struct parquet_tools *tools, struct error *err)
{
    if (chunk->open_rows == 0)
        return 0;
    if (buf_failed(&chunk->plain))
        return error_set(err, ERR_LIMIT, "parquet: no memory for a page");
    bool by_number = uses_dictionary(chunk);
    struct slice raw = buf_slice(&chunk->plain);
    if (by_number) {
        buf_clear(&tools->encoded);
        parquet_encode_numbers(chunk->numbers, chunk->open_rows, bits_of(intern_count(chunk->dictionary) - 1),
                               &tools->encoded);
        raw = buf_slice(&tools->encoded);
    }
    struct parquet_page page = {
        .offset = chunk->bytes.len, .rows = chunk->open_rows, .range = page_range(chunk)};
    struct parquet_page_head head = {.type = PARQUET_DATA_PAGE_V2,
                                     .encoding = by_number ? PARQUET_RLE_DICTIONARY : PARQUET_PLAIN,
                                     .rows = chunk->open_rows};
    int rc = put_page(head, raw, tools, &chunk->bytes, &chunk->raw_bytes, err);
    if (rc < 0)
        return rc;
    page.len = chunk->bytes.len - page.offset;
    ENSURE_CAPACITY(chunk->pages, chunk->page_cap, chunk->page_count + 1);
    chunk->pages[chunk->page_count++] = page;
    chunk->dictionary_pages += by_number;
    chunk->open_rows = 0;
    buf_clear(&chunk->plain);
    return 0;
}

int parquet_chunk_dictionary(struct parquet_chunk *chunk, struct parquet_tools *tools, struct buf *out,
                             uint64_t *ret_raw_bytes, struct error *err)
{
    if (chunk->dictionary_pages == 0)
        return 0;
    buf_clear(&tools->encoded);
    uint32_t count = intern_count(chunk->dictionary);
    for (uint32_t i = 0; i < count; i++) {
        struct slice entry = intern_text(chunk->dictionary, i);
        if (chunk->column->type == PARQUET_STRING)
            buf_append_u32le(&tools->encoded, (uint32_t)entry.len);
        buf_append_slice(&tools->encoded, entry);
    }
    struct parquet_page_head head = {
        .type = PARQUET_DICTIONARY_PAGE, .encoding = PARQUET_PLAIN, .rows = count};
    return put_page(head, buf_slice(&tools->encoded), tools, out, ret_raw_bytes, err);
}

// ---- values -----------------------------------------------------------------------------------------------

static int check_text(const struct parquet_chunk *chunk, struct slice text, struct error *err)
{
    if (text.len > PARQUET_MAX_STRING_BYTES)
        return error_set(err, ERR_LIMIT, "parquet: column '%s': a string of %zu bytes", chunk->column->name,
                         text.len);
    if (!slice_is_utf8(text))
        return error_set(err, ERR_INVALID, "parquet: column '%s': '%.*s' is not UTF-8", chunk->column->name,
                         SLICE_FMT(text));
    return 0;
}

// The number of an entry. 1 got it; 0: the dictionary is full.
static int number_of(struct parquet_chunk *chunk, struct slice entry, uint32_t *ret, struct error *err)
{
    *ret = intern_find(chunk->dictionary, entry);
    if (*ret != INTERN_NONE)
        return 1;
    bool is_text = chunk->column->type == PARQUET_STRING;
    int rc = is_text ? check_text(chunk, entry, err) : 0;
    if (rc < 0)
        return rc;
    size_t bytes = entry.len + (is_text ? 4 : 0);
    if (chunk->dictionary_bytes + bytes > PARQUET_DICTIONARY_BYTES)
        return 0;
    chunk->dictionary_bytes += bytes;
    *ret = intern_add(chunk->dictionary, entry);
    return 1;
}

// Value 'i' of a column with a dictionary in PLAIN form; a number is put into *bytes.
static struct slice entry_of(const struct parquet_chunk *chunk, const struct parquet_values *values, size_t i,
                             char bytes[static sizeof(int64_t)])
{
    if (chunk->column->type == PARQUET_STRING)
        return values->strings[i];
    put_le(bytes, (uint64_t)values->i64[i], sizeof(int64_t));
    return slice_of(bytes, sizeof(int64_t));
}

// Adds values [first, first + rows) to the open page by number, *ret_done of them: less when the dictionary is full.
static int add_numbers(struct parquet_chunk *chunk, const struct parquet_values *values, size_t first,
                       size_t rows, size_t *ret_done, struct error *err)
{
    uint32_t *to = chunk->numbers + chunk->open_rows;
    char bytes[sizeof(int64_t)];
    for (*ret_done = 0; *ret_done < rows; ++*ret_done) {
        struct slice entry = entry_of(chunk, values, values->same ? 0 : first + *ret_done, bytes);
        int rc = number_of(chunk, entry, &to[*ret_done], err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
        if (values->same) {
            for (size_t i = 1; i < rows; i++)
                to[i] = to[0];
            *ret_done = rows;
            break;
        }
    }
    chunk->open_rows += *ret_done;
    return 0;
}

static int add_texts(struct parquet_chunk *chunk, const struct parquet_values *values, size_t first,
                     size_t rows, size_t *ret_done, struct error *err)
{
    for (*ret_done = 0; *ret_done < rows && chunk->plain.len < PARQUET_PAGE_BYTES; ++*ret_done) {
        struct slice text = values->strings[values->same ? 0 : first + *ret_done];
        int rc = check_text(chunk, text, err);
        if (rc < 0)
            return rc;
        buf_append_u32le(&chunk->plain, (uint32_t)text.len);
        buf_append_slice(&chunk->plain, text);
        chunk->open_rows++;
    }
    return 0;
}

static int add_fixed(struct parquet_chunk *chunk, const struct parquet_values *values, size_t first,
                     size_t rows, struct error *err)
{
    size_t size = chunk->column->type == PARQUET_INT64 ? sizeof(int64_t) : sizeof(float);
    char *to = buf_reserve(&chunk->plain, rows * size);
    if (!to)
        return error_set(err, ERR_LIMIT, "parquet: no memory for a page");
    for (size_t i = 0; i < rows; i++) {
        size_t at = values->same ? 0 : first + i;
        uint32_t bits;
        if (size == sizeof(int64_t)) {
            put_le(to + i * size, (uint64_t)values->i64[at], sizeof(int64_t));
        } else {
            memcpy(&bits, &values->f32[at], sizeof(bits));
            put_le(to + i * size, bits, sizeof(bits));
        }
    }
    buf_commit(&chunk->plain, rows * size);
    chunk->open_rows += rows;
    return 0;
}

// Adds to the open page as much as fits.
static int add_some(struct parquet_chunk *chunk, const struct parquet_values *values, size_t first,
                    size_t rows, size_t *ret_done, struct error *err)
{
    rows = MIN(rows, PARQUET_PAGE_ROWS - chunk->open_rows);
    *ret_done = rows;
    if (uses_dictionary(chunk))
        return add_numbers(chunk, values, first, rows, ret_done, err);
    if (chunk->column->type == PARQUET_STRING)
        return add_texts(chunk, values, first, rows, ret_done, err);
    return add_fixed(chunk, values, first, rows, err);
}

int parquet_chunk_add(struct parquet_chunk *chunk, const struct parquet_values *values, size_t rows,
                      struct parquet_tools *tools, struct error *err)
{
    for (size_t first = 0, done; first < rows; first += done) {
        int rc = add_some(chunk, values, first, rows - first, &done, err);
        bool ends = chunk->open_rows == PARQUET_PAGE_ROWS || first + done < rows ||
                    chunk->plain.len >= PARQUET_PAGE_BYTES;
        if (rc == 0 && ends)
            rc = parquet_chunk_flush(chunk, tools, err);
        if (rc < 0)
            return rc;
        if (uses_dictionary(chunk) && done == 0)
            chunk->overflowed = true;
    }
    return 0;
}
