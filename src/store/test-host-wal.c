// SPDX-License-Identifier: MIT
// tests/corpus/host-wal/example.wal is the worked example of metric-store.md 7.3.
#include "store/host-wal.h"

#include <math.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/testing.h"
#include "codec/gzip.h"

#define CORPUS SOURCE_ROOT "/tests/corpus/host-wal/"

static struct buf load_example(void)
{
    struct buf file;
    buf_init(&file, 1 << 20);
    assert_int_equal(file_read(CORPUS "example.wal", 1 << 20, &file, NULL), 0);
    assert_int_equal(file.len, 80);
    return file;
}

static void test_example(void **state)
{
    (void)state;
    struct buf file = load_example();
    struct host_wal_reader reader;
    struct host_wal_record record;
    host_wal_reader_init(&reader, buf_slice(&file));
    assert_int_equal(host_wal_next(&reader, &record, NULL), 1);
    assert_int_equal(record.ts, 1700000000);
    assert_true(slice_eq_cstr(record.metric, "cpu_load"));
    assert_int_equal(record.selector_count, 0);
    assert_int_equal(record.all_selectors.len, 0);
    assert_true(record.value == 1.5F);
    assert_int_equal(reader.position, 0x27);
    assert_int_equal(host_wal_next(&reader, &record, NULL), 1);
    assert_true(slice_eq_cstr(record.metric, "mem_bw"));
    assert_int_equal(record.selector_count, 1);
    assert_true(slice_eq_cstr(record.selector[0], "socket0"));
    assert_true(slice_eq_cstr(record.all_selectors, "\7socket0"));
    assert_true(record.value == 103.25F);
    assert_int_equal(host_wal_next(&reader, &record, NULL), 0);
    assert_int_equal(host_wal_next(&reader, &record, NULL), 0);
    assert_int_equal(reader.position, 80);
    assert_int_equal(reader.records, 2);
    buf_release(&file);
}

static void test_write_example(void **state)
{
    (void)state;
    struct buf file = load_example(), out;
    struct host_wal_record first = {.ts = 1700000000, .metric = SLICE_LITERAL("cpu_load"), .value = 1.5F};
    struct host_wal_record second = {.ts = 1700000000,
                                     .metric = SLICE_LITERAL("mem_bw"),
                                     .selector = {SLICE_LITERAL("socket0")},
                                     .selector_count = 1,
                                     .value = 103.25F};
    buf_init(&out, 1 << 20);
    host_wal_append_header(&out);
    assert_true(host_wal_append_record(&out, &first));
    assert_true(host_wal_append_record(&out, &second));
    assert_int_equal(out.len, 80);
    assert_memory_equal(out.ptr, file.ptr, 80);
    buf_release(&out);
    buf_release(&file);
}

// Reads all; gives the number of good records and the reason of the end ("" at the clean one).
static size_t read_all(struct slice bytes, struct error *err, size_t *ret_position)
{
    struct host_wal_reader reader;
    struct host_wal_record record;
    int rc;
    *err = (struct error)ERROR_INIT;
    host_wal_reader_init(&reader, bytes);
    while ((rc = host_wal_next(&reader, &record, err)) == 1)
        ;
    assert_true(rc == 0 || rc == ERR_CORRUPT);
    *ret_position = reader.position;
    return reader.records;
}

static const char *reason_of_cut(size_t len)
{
    static const struct {
        size_t below;
        const char *reason;
    } cuts[] = {
        {1, ""},
        {4, "read file header: unexpected EOF"},
        {5, ""}, // only the header
        {8, "read record magic: unexpected EOF"},
        {9, "read payload length: EOF"},
        {12, "read payload length: unexpected EOF"},
        {13, "read payload: EOF"},
        {35, "read payload: unexpected EOF"},
        {36, "read CRC: EOF"},
        {39, "read CRC: unexpected EOF"},
        {40, ""}, // one record
        {43, "read record magic: unexpected EOF"},
        {44, "read payload length: EOF"},
        {47, "read payload length: unexpected EOF"},
        {48, "read payload: EOF"},
        {76, "read payload: unexpected EOF"},
        {77, "read CRC: EOF"},
        {80, "read CRC: unexpected EOF"},
    };
    size_t i = 0;
    while (len >= cuts[i].below)
        i++;
    return cuts[i].reason;
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    struct buf file = load_example();
    for (size_t len = 0; len < file.len; len++) {
        char *copy = mem_memdup(file.ptr, MAX(len, (size_t)1)); // of its own, so that overruns are seen
        struct error err;
        size_t position = 0, records = read_all(slice_of(copy, len), &err, &position);
        EXPECT(records == (len >= 39), "%zu bytes: %zu records", len, records);
        EXPECT(position == (len >= 39 ? 39u : len >= 4 ? 4u : 0u), "%zu bytes: position %zu", len, position);
        EXPECT(strcmp(err.text, reason_of_cut(len)) == 0, "%zu bytes: '%s', wanted '%s'", len, err.text,
               reason_of_cut(len));
        mem_free(copy);
    }
    buf_release(&file);
}

static void test_every_bit_counts(void **state)
{
    (void)state;
    struct buf file = load_example();
    for (size_t bit = 0; bit < file.len * 8; bit++) {
        struct error err;
        size_t position = 0;
        file.ptr[bit / 8] ^= (char)(1 << bit % 8);
        size_t records = read_all(buf_slice(&file), &err, &position);
        EXPECT(records == (bit / 8 >= 39) && err.code == ERR_CORRUPT, "bit %zu: %zu records, '%s'", bit,
               records, err.text);
        file.ptr[bit / 8] ^= (char)(1 << bit % 8);
    }
    buf_release(&file);
}

static void test_bad_magic(void **state)
{
    (void)state;
    struct error err;
    size_t position = 7;
    read_all(SLICE_LITERAL("\x00\x11\x22\x33"), &err, &position);
    assert_string_equal(err.text, "invalid WAL file magic 0x33221100 (expected 0xCC1DA701)");
    assert_int_equal(position, 0);
    read_all(SLICE_LITERAL("\x01\xa7\x1d\xcc\x01\xa7\x1d\xcc"), &err, &position);
    assert_string_equal(err.text, "invalid record magic 0xCC1DA701 (expected 0xCC1DA7A1)");
    assert_int_equal(position, 4);
}

static void append_frame(struct buf *out, struct slice payload)
{
    buf_append_u32le(out, UINT32_C(0xCC1DA7A1));
    buf_append_u32le(out, (uint32_t)payload.len);
    buf_append_slice(out, payload);
    buf_append_u32le(out, crc32_ieee(0, payload.ptr, payload.len));
}

// Records with a right checksum around a payload that is none.
static void test_bad_payloads(void **state)
{
    (void)state;
    const struct {
        struct slice payload;
        const char *reason;
    } cases[] = {
        {SLICE_LITERAL(""), "payload too short: 0 bytes"},
        {SLICE_LITERAL("01234567\0\0\0vvv"), "payload too short: 14 bytes"},
        {SLICE_LITERAL("01234567\0\0\0vvvv"), ""},
        {SLICE_LITERAL("01234567\0\0\0vvvv and more"), ""}, // bytes behind the value are left alone
        {SLICE_LITERAL("01234567\6\0\0vvvv"), "metric name overflows payload"},
        {SLICE_LITERAL("01234567\5\0mmmmm"), "selector count overflows payload"},
        {SLICE_LITERAL("01234567\1\0m\0vvv"), "value overflows payload"},
        {SLICE_LITERAL("01234567\0\0\2\3abc"), "selector[1] length overflows payload"},
        {SLICE_LITERAL("01234567\0\0\2\1a\2b"), "selector[1] data overflows payload"},
        {SLICE_LITERAL("01234567\0\0\1\2bbvvv"), "value overflows payload"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf file;
        struct error err;
        size_t position = 0;
        buf_init(&file, 1 << 20);
        host_wal_append_header(&file);
        append_frame(&file, cases[i].payload);
        size_t records = read_all(buf_slice(&file), &err, &position);
        EXPECT(strcmp(err.text, cases[i].reason) == 0, "case %zu: '%s', wanted '%s'", i, err.text,
               cases[i].reason);
        EXPECT(records == (cases[i].reason[0] == '\0'), "case %zu: %zu records", i, records);
        buf_release(&file);
    }
}

static void test_payload_size(void **state)
{
    (void)state;
    struct buf file, payload;
    struct error err;
    size_t position = 0;
    buf_init(&file, 4 << 20);
    buf_init(&payload, 4 << 20);
    buf_append_fill(&payload, '\0', 1 << 20);
    host_wal_append_header(&file);
    append_frame(&file, buf_slice(&payload));
    assert_int_equal(read_all(buf_slice(&file), &err, &position), 1);
    buf_clear(&file);
    buf_append_byte(&payload, '\0');
    host_wal_append_header(&file);
    append_frame(&file, buf_slice(&payload));
    assert_int_equal(read_all(buf_slice(&file), &err, &position), 0);
    assert_string_equal(err.text, "record payload too large: 1048577 bytes");
    buf_release(&payload);
    buf_release(&file);
}

static void test_more_than_two_selectors_are_counted(void **state)
{
    (void)state;
    struct buf file;
    struct host_wal_reader reader;
    struct host_wal_record record;
    buf_init(&file, 1 << 20);
    host_wal_append_header(&file);
    append_frame(&file, SLICE_LITERAL("01234567\1\0m\3\1a\2bb\3ccc\0\0\xc0\x7f"));
    host_wal_reader_init(&reader, buf_slice(&file));
    assert_int_equal(host_wal_next(&reader, &record, NULL), 1);
    assert_int_equal(record.selector_count, 3);
    assert_true(slice_eq_cstr(record.selector[1], "bb"));
    assert_true(slice_eq_cstr(record.all_selectors, "\1a\2bb\3ccc"));
    assert_true(isnan(record.value));
    buf_release(&file);
}

static void test_ms_38_long_selectors_are_refused(void **state)
{
    (void)state;
    struct buf out;
    struct host_wal_reader reader;
    struct host_wal_record record = {.metric = SLICE_LITERAL("m"), .selector_count = 2, .value = 2}, back;
    char *name = mem_alloc(UINT16_MAX + 1);
    memset(name, 'n', UINT16_MAX + 1);
    record.selector[0] = slice_of(name, HOST_WAL_MAX_SELECTOR_BYTES);
    record.selector[1] = record.selector[0];
    buf_init(&out, 1 << 20);
    host_wal_append_header(&out);
    assert_true(host_wal_append_record(&out, &record));
    host_wal_reader_init(&reader, buf_slice(&out));
    assert_int_equal(host_wal_next(&reader, &back, NULL), 1);
    assert_true(slice_eq(back.selector[1], record.selector[1]));
    size_t len = out.len;
    record.selector[1].len++;
    assert_false(host_wal_append_record(&out, &record));
    record.selector_count = 3;
    assert_false(host_wal_append_record(&out, &record));
    record.selector_count = 0;
    record.metric = slice_of(name, UINT16_MAX + 1);
    assert_false(host_wal_append_record(&out, &record));
    assert_int_equal(out.len, len);
    mem_free(name);
    buf_release(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_write_example),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_bad_magic),
        cmocka_unit_test(test_bad_payloads),
        cmocka_unit_test(test_payload_size),
        cmocka_unit_test(test_more_than_two_selectors_are_counted),
        cmocka_unit_test(test_ms_38_long_selectors_are_refused),
    };
    return TEST_MAIN(argc, argv, tests);
}
