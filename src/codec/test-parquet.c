// SPDX-License-Identifier: MIT
// What can be told without a reader: encodings, bounds, indexes, limits, errors. tests/test_parquet.py has whole files read by
// readers that are not ours.
#include "codec/parquet.h"

#include <math.h>

#include "base/mem.h"
#include "base/testing.h"
#include "codec/parquet-private.h"

static void expect_bytes(const struct buf *out, const char *expected, size_t len)
{
    EXPECT(out->len == len, "%zu bytes, wanted %zu", out->len, len);
    for (size_t i = 0; i < len; i++)
        EXPECT(out->ptr[i] == expected[i], "byte %zu is %02x, wanted %02x", i, out->ptr[i] & 0xff,
               expected[i] & 0xff);
}

#define EXPECT_BYTES(out, literal) expect_bytes((out), (literal), sizeof(literal) - 1)

// ---- numbers of a dictionary ------------------------------------------------------------------------------

static void test_number_runs(void **state)
{
    (void)state;
    static const uint32_t repeated[20] = {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3};
    static const uint32_t counted[8] = {0, 1, 2, 3, 4, 5, 6, 7}; // the example of Encodings.md
    static const uint32_t mixed[21] = {1, 0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0};
    struct buf out;
    buf_init(&out, 1000);
    parquet_encode_numbers(repeated, 20, 2, &out);
    EXPECT_BYTES(&out, "\x02\x28\x03");
    buf_clear(&out);
    parquet_encode_numbers(counted, 8, 3, &out);
    EXPECT_BYTES(&out, "\x03\x03\x88\xc6\xfa");
    buf_clear(&out);
    // Five of the run fill the group of eight, twelve are a run, one is left.
    parquet_encode_numbers(mixed, 21, 2, &out);
    EXPECT_BYTES(&out, "\x02\x03\x91\xaa\x18\x02\x03\x00\x00");
    buf_release(&out);
}

static uint64_t get_varint(const char **at)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        unsigned char c = (unsigned char)*(*at)++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return v;
    }
}

// A slow reader of the hybrid, bit by bit.
static void expect_numbers(const struct buf *in, const uint32_t *numbers, size_t count)
{
    const char *at = in->ptr, *end = in->ptr + in->len;
    unsigned width = (unsigned char)*at++;
    size_t got = 0;
    while (at < end) {
        uint64_t head = get_varint(&at);
        size_t run = head & 1 ? (head >> 1) * 8 : head >> 1;
        for (size_t i = 0; i < run; i++) {
            uint32_t v = 0;
            for (unsigned bit = 0; bit < width; bit++) {
                size_t place = head & 1 ? i * width + bit : bit;
                v |= (uint32_t)((unsigned char)at[place / 8] >> (place % 8) & 1) << bit;
            }
            if (got + i < count)
                EXPECT(v == numbers[got + i], "number %zu is %u, wanted %u", got + i, v, numbers[got + i]);
        }
        got += run;
        at += head & 1 ? run * width / 8 : (width + 7) / 8;
    }
    assert_ptr_equal(at, end);
    EXPECT(got >= count && got < count + 8, "%zu numbers, wanted %zu", got, count);
}

static void test_numbers_round_trip(void **state)
{
    (void)state;
    uint32_t seed = 7, numbers[3000];
    for (unsigned width = 1; width <= 17; width++) {
        for (size_t i = 0; i < ARRAY_LEN(numbers);) {
            seed = seed * 1664525 + 1013904223;
            size_t run = seed >> 30 ? 1 : seed >> 24 & 31; // single ones and runs of any length
            for (size_t k = 0; k < run && i < ARRAY_LEN(numbers); k++)
                numbers[i++] = seed >> 7 & ((1U << width) - 1);
        }
        struct buf out;
        buf_init(&out, 100000);
        size_t count = ARRAY_LEN(numbers) - width;
        parquet_encode_numbers(numbers, count, width, &out);
        expect_numbers(&out, numbers, count);
        buf_release(&out);
    }
}

// ---- pages and bounds -------------------------------------------------------------------------------------

struct fixture {
    struct parquet_column column;
    struct parquet_chunk chunk;
    struct parquet_tools tools;
};

static void fixture_init(struct fixture *f, enum parquet_type type, bool repeats)
{
    *f = (struct fixture){.column = {"x", type, repeats}};
    f->tools.zstd = zstd_new();
    buf_init(&f->tools.encoded, BUF_MAX_DEFAULT);
    buf_init(&f->tools.packed, BUF_MAX_DEFAULT);
    parquet_chunk_init(&f->chunk, &f->column);
}

static void fixture_release(struct fixture *f)
{
    parquet_chunk_release(&f->chunk);
    zstd_free(&f->tools.zstd);
    buf_release(&f->tools.encoded);
    buf_release(&f->tools.packed);
}

static void add(struct fixture *f, struct parquet_values values, size_t rows)
{
    struct error err = ERROR_INIT;
    EXPECT(parquet_chunk_add(&f->chunk, &values, rows, &f->tools, &err) == 0, "%s", err.text);
}

static void flush(struct fixture *f)
{
    struct error err = ERROR_INIT;
    EXPECT(parquet_chunk_flush(&f->chunk, &f->tools, &err) == 0, "%s", err.text);
}

static void test_bounds_of_floats(void **state)
{
    (void)state;
    static const struct {
        float values[3];
        bool known;
        const char *min, *max;
    } cases[] = {
        {{1, 2, -3}, true, "\0\0\x40\xc0", "\0\0\0\x40"},
        {{NAN, 2, NAN}, true, "\0\0\0\x40", "\0\0\0\x40"},
        {{NAN, NAN, NAN}, false, NULL, NULL},
        {{0.0F, 0.0F, 0.0F}, true, "\0\0\0\x80", "\0\0\0\0"}, // either sign may be meant
        {{-0.0F, -0.0F, -1}, true, "\0\0\x80\xbf", "\0\0\0\0"},
        {{INFINITY, 1, -INFINITY}, true, "\0\0\x80\xff", "\0\0\x80\x7f"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        fixture_init(&f, PARQUET_FLOAT, false);
        add(&f, (struct parquet_values){.f32 = cases[i].values}, 3);
        flush(&f);
        const struct parquet_range *range = &f.chunk.pages[0].range;
        EXPECT(range->known == cases[i].known, "case %zu: known is %d", i, range->known);
        if (cases[i].known)
            EXPECT(slice_eq(range->min, slice_of(cases[i].min, 4)) &&
                       slice_eq(range->max, slice_of(cases[i].max, 4)),
                   "case %zu: wrong bounds", i);
        struct buf index;
        buf_init(&index, 1000);
        parquet_put_column_index(&f.chunk, &index);
        EXPECT((index.len > 0) == cases[i].known, "case %zu: index of %zu bytes", i, index.len);
        buf_release(&index);
        fixture_release(&f);
    }
}

static void expect_text_bounds(const char *text, const char *min, const char *max, bool exact)
{
    for (int repeats = 0; repeats < 2; repeats++) {
        struct fixture f;
        struct slice value = slice_from_cstr(text);
        fixture_init(&f, PARQUET_STRING, repeats);
        add(&f, (struct parquet_values){.strings = &value}, 1);
        flush(&f);
        const struct parquet_range *range = &f.chunk.pages[0].range;
        EXPECT(slice_eq_cstr(range->min, min), "min '%.*s', wanted '%s'", SLICE_FMT(range->min), min);
        EXPECT(slice_eq_cstr(range->max, max), "max '%.*s', wanted '%s'", SLICE_FMT(range->max), max);
        EXPECT(range->min_exact == exact, "'%s': min_exact %d", text, range->min_exact);
        EXPECT(range->max_exact == slice_eq_cstr(value, max), "'%s': max_exact %d", text, range->max_exact);
        fixture_release(&f);
    }
}

#define X16 "xxxxxxxxxxxxxxxx"
#define T16 "~~~~~~~~~~~~~~~~"

static void test_bounds_of_long_strings_stay_bounds(void **state)
{
    (void)state;
    expect_text_bounds("", "", "", true);
    expect_text_bounds(X16 X16 X16 X16, X16 X16 X16 X16, X16 X16 X16 X16, true);
    expect_text_bounds(X16 X16 X16 X16 "a", X16 X16 X16 X16, X16 X16 X16 "xxxxxxxxxxxxxxxy", false);
    // The last character that can be raised stands further in front; whole characters are cut.
    expect_text_bounds("ab" T16 T16 T16 T16, "ab" T16 T16 T16 "~~~~~~~~~~~~~~", "ac", false);
    expect_text_bounds(X16 X16 X16 "xxxxxxxxxxxxxxx\xc3\xa4z", X16 X16 X16 "xxxxxxxxxxxxxxx",
                       X16 X16 X16 "xxxxxxxxxxxxxxy", false);
    // None can: the whole text.
    expect_text_bounds(T16 T16 T16 T16 "a", T16 T16 T16 T16, T16 T16 T16 T16 "a", false);
}

static void test_indexes_are_these_bytes(void **state)
{
    (void)state;
    static const int64_t first[] = {5, -1}, second[] = {7};
    struct fixture f;
    struct buf out;
    fixture_init(&f, PARQUET_INT64, false);
    buf_init(&out, 1000);
    add(&f, (struct parquet_values){.i64 = first}, 2);
    flush(&f);
    add(&f, (struct parquet_values){.i64 = second}, 1);
    flush(&f);
    parquet_put_column_index(&f.chunk, &out);
    EXPECT_BYTES(&out, "\x19\x21\x02\x02"
                       "\x19\x28\x08\xff\xff\xff\xff\xff\xff\xff\xff\x08\x07\0\0\0\0\0\0\0"
                       "\x19\x28\x08\x05\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0"
                       "\x15\x02"
                       "\x19\x26\0\0"
                       "\0");
    buf_clear(&out);
    f.chunk.pages[0].len = 50; // their true sizes depend on the version of libzstd
    f.chunk.pages[1].offset = 50;
    f.chunk.pages[1].len = 40;
    parquet_put_offset_index(&f.chunk, 4, &out);
    EXPECT_BYTES(&out, "\x19\x2c\x16\x08\x15\x64\x16\0\0\x16\x6c\x15\x50\x16\x04\0\0");
    buf_release(&out);
    fixture_release(&f);
}

static void test_page_head(void **state)
{
    (void)state;
    struct parquet_page_head page = {.type = PARQUET_DATA_PAGE_V2,
                                     .encoding = PARQUET_RLE_DICTIONARY,
                                     .raw_bytes = 100,
                                     .rows = 7,
                                     .data = SLICE_LITERAL("123456789")};
    struct buf out;
    buf_init(&out, 1000);
    parquet_put_page_head(&page, &out);
    EXPECT_BYTES(&out, "\x15\x06\x15\xc8\x01\x15\x12"
                       "\x15\xb3\x9b\xde\xc0\x06" // zigzag of the CRC 0xCBF43926
                       "\x4c\x15\x0e\x15\0\x15\x0e\x15\x10\x15\0\x15\0\x11\0\0");
    buf_release(&out);
}

// Pages end at the limits; behind a dictionary that became too large values stand as they are.
static void test_pages_end(void **state)
{
    (void)state;
    struct fixture f;
    static const int64_t one = 1;
    fixture_init(&f, PARQUET_INT64, false);
    for (int i = 0; i < 7; i++)
        add(&f, (struct parquet_values){.i64 = &one, .same = true}, 10000);
    flush(&f);
    assert_int_equal(f.chunk.page_count, 3);
    assert_int_equal(f.chunk.pages[0].rows, PARQUET_PAGE_ROWS);
    assert_int_equal(f.chunk.pages[2].rows, 70000 - 2 * PARQUET_PAGE_ROWS);
    fixture_release(&f);

    fixture_init(&f, PARQUET_STRING, true);
    char text[2000];
    memset(text, 'x', sizeof(text));
    struct slice value = slice_of(text, sizeof(text));
    for (int i = 0; i < 1000; i++) { // two megabytes
        text[0] = (char)('a' + i / 100);
        text[1] = (char)('a' + i % 100 / 10);
        text[2] = (char)('a' + i % 10);
        add(&f, (struct parquet_values){.strings = &value}, 1);
    }
    flush(&f);
    size_t rows = 0;
    for (size_t i = 0; i < f.chunk.page_count; i++)
        rows += f.chunk.pages[i].rows;
    assert_int_equal(rows, 1000);
    assert_int_equal(f.chunk.dictionary_pages, 1);
    assert_int_equal(f.chunk.pages[0].rows, PARQUET_DICTIONARY_BYTES / 2004);
    EXPECT(f.chunk.page_count == 5, "%zu pages", f.chunk.page_count); // and four of 256 KiB at most
    fixture_release(&f);
}

// ---- files ------------------------------------------------------------------------------------------------

static const struct parquet_column columns[] = {
    {"name", PARQUET_STRING, true}, {"time", PARQUET_INT64, false}, {"value", PARQUET_FLOAT, false}};
static const unsigned sorted_by[] = {0, 1};
static const struct parquet_schema schema = {"Root", columns, ARRAY_LEN(columns), sorted_by, 2};

struct output {
    struct buf bytes;
    size_t calls, fail_at; // 0: never
};

static int output_write(void *ctx, struct slice bytes, struct error *err)
{
    struct output *output = ctx;
    if (++output->calls == output->fail_at)
        return error_set(err, ERR_NO_SPACE, "full");
    buf_append_slice(&output->bytes, bytes);
    return 0;
}

static int append_row(struct parquet_writer *w, const char *name, int64_t time, float value,
                      struct error *err)
{
    struct slice text = slice_from_cstr(name);
    struct parquet_values values[] = {{.strings = &text}, {.i64 = &time}, {.f32 = &value}};
    return parquet_append(w, values, 1, err);
}

static int write_two_groups(struct output *output, struct error *err)
{
    struct parquet_writer *w = parquet_writer_new(&schema, output_write, output);
    int rc = append_row(w, "a", 1, 0.5F, err);
    if (rc == 0)
        rc = append_row(w, "b", 2, 1.5F, err);
    if (rc == 0)
        rc = parquet_end_row_group(w, err);
    if (rc == 0)
        rc = append_row(w, "c", 3, 2.5F, err);
    if (rc == 0)
        rc = parquet_finish(w, err);
    if (rc == 0) {
        assert_int_equal(parquet_rows(w), 3);
        assert_int_equal(parquet_row_groups(w), 2);
        assert_int_equal(parquet_written_bytes(w), output->bytes.len);
    } else {
        size_t calls = output->calls;
        assert_int_equal(append_row(w, "d", 4, 3.5F, NULL), ERR_CLOSED);
        assert_int_equal(parquet_end_row_group(w, NULL), ERR_CLOSED);
        assert_int_equal(parquet_finish(w, NULL), ERR_CLOSED);
        assert_int_equal(output->calls, calls); // nothing is written behind a gap
    }
    parquet_writer_free(&w);
    return rc;
}

static void test_ms_44_every_failed_write_fails_the_file(void **state)
{
    (void)state;
    struct output whole = {0};
    struct error err = ERROR_INIT;
    buf_init(&whole.bytes, 1 << 20);
    EXPECT(write_two_groups(&whole, &err) == 0, "%s", err.text);
    EXPECT(slice_starts_with(buf_slice(&whole.bytes), SLICE_LITERAL("PAR1")), "no magic");
    EXPECT(slice_ends_with(buf_slice(&whole.bytes), SLICE_LITERAL("PAR1")), "no magic at the end");
    EXPECT(whole.calls > 8, "%zu calls", whole.calls);
    for (size_t n = 1; n <= whole.calls; n++) {
        struct output output = {.fail_at = n};
        buf_init(&output.bytes, 1 << 20);
        EXPECT(write_two_groups(&output, &err) == ERR_NO_SPACE, "failure of call %zu is not told", n);
        assert_memory_equal(output.bytes.ptr ? output.bytes.ptr : "", whole.bytes.ptr, output.bytes.len);
        buf_release(&output.bytes);
    }
    buf_release(&whole.bytes);
}

static void test_limits(void **state)
{
    (void)state;
    struct output output = {0};
    struct error err = ERROR_INIT;
    buf_init(&output.bytes, 1 << 20);
    struct parquet_writer *w = parquet_writer_new(&schema, output_write, &output);
    parquet_set_limits(w, PARQUET_MAX_FILE_BYTES, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(append_row(w, "a", i, 1, &err), 0);
        assert_int_equal(parquet_end_row_group(w, &err), 0);
    }
    assert_int_equal(append_row(w, "a", 3, 1, &err), 0);
    assert_int_equal(parquet_end_row_group(w, &err), ERR_LIMIT);
    assert_string_equal(err.text, "parquet: more than 2 row groups");
    parquet_writer_free(&w);

    for (uint64_t max = 0; max < 900; max += 7) { // pages, indexes or the footer cross it
        w = parquet_writer_new(&schema, output_write, &output);
        parquet_set_limits(w, max, PARQUET_MAX_ROW_GROUPS);
        assert_int_equal(append_row(w, "a", 1, 1, &err), 0);
        int rc = parquet_finish(w, &err);
        EXPECT(rc == ERR_LIMIT || (rc == 0 && parquet_written_bytes(w) <= max && max > 300), "%d at %d", rc,
               (int)max);
        parquet_writer_free(&w);
    }
    buf_release(&output.bytes);
}

static void test_bad_strings(void **state)
{
    (void)state;
    static const struct parquet_column plain[] = {{"s", PARQUET_STRING, false}};
    static const struct parquet_column repeated[] = {{"s", PARQUET_STRING, true}};
    char *big = mem_alloc(PARQUET_MAX_STRING_BYTES + 1);
    memset(big, 'x', PARQUET_MAX_STRING_BYTES + 1);
    for (int i = 0; i < 2; i++) {
        const struct parquet_schema one = {"R", i ? repeated : plain, 1, NULL, 0};
        struct slice values[] = {slice_of(big, PARQUET_MAX_STRING_BYTES + 1), SLICE_LITERAL("a\xff"),
                                 slice_of(big, PARQUET_MAX_STRING_BYTES)};
        static const int expected[] = {ERR_LIMIT, ERR_INVALID, 0};
        for (size_t k = 0; k < ARRAY_LEN(values); k++) {
            struct output output = {0};
            struct error err = ERROR_INIT;
            buf_init(&output.bytes, 1 << 20);
            struct parquet_writer *w = parquet_writer_new(&one, output_write, &output);
            int rc = parquet_append(w, &(struct parquet_values){.strings = &values[k]}, 1, &err);
            EXPECT(rc == expected[k], "case %zu gives %d: %s", k, rc, err.text);
            parquet_writer_free(&w);
            buf_release(&output.bytes);
        }
    }
    mem_free(big);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_runs),
        cmocka_unit_test(test_numbers_round_trip),
        cmocka_unit_test(test_bounds_of_floats),
        cmocka_unit_test(test_bounds_of_long_strings_stay_bounds),
        cmocka_unit_test(test_indexes_are_these_bytes),
        cmocka_unit_test(test_page_head),
        cmocka_unit_test(test_pages_end),
        cmocka_unit_test(test_ms_44_every_failed_write_fails_the_file),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bad_strings),
    };
    return TEST_MAIN(argc, argv, tests);
}
