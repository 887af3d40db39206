// SPDX-License-Identifier: MIT
// Foreign bytes as current.wal: every record lies in the bytes, reading ends, and good records written again are read as the
// same ones. The same bytes once more as one payload under a right checksum, so that the inside of records is reached.
#include <stdlib.h>

#include "base/macros.h"
#include "codec/gzip.h"
#include "store/host-wal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_again(const struct host_wal_record *record, struct buf *file)
{
    struct host_wal_reader reader;
    struct host_wal_record back;
    buf_clear(file);
    host_wal_append_header(file);
    bool fits = host_wal_append_record(file, record);
    ASSERT(fits == (record->selector_count <= 2));
    if (!fits)
        return;
    host_wal_reader_init(&reader, buf_slice(file));
    ASSERT(host_wal_next(&reader, &back, NULL) == 1 && reader.position == file->len);
    ASSERT(back.ts == record->ts && slice_eq(back.metric, record->metric) &&
           memcmp(&back.value, &record->value, sizeof(back.value)) == 0 &&
           slice_eq(back.all_selectors, record->all_selectors));
}

static void check(struct slice bytes, struct buf *file)
{
    struct host_wal_reader reader;
    struct host_wal_record record;
    struct error err = ERROR_INIT;
    size_t position = 0;
    int rc;
    host_wal_reader_init(&reader, bytes);
    while ((rc = host_wal_next(&reader, &record, &err)) == 1) {
        ASSERT(reader.position > position && reader.position <= bytes.len);
        position = reader.position;
        ASSERT(inside(record.metric, bytes) && inside(record.all_selectors, bytes));
        for (size_t i = 0; i < MIN(record.selector_count, ARRAY_LEN(record.selector)); i++)
            ASSERT(inside(record.selector[i], bytes));
        check_again(&record, file);
    }
    ASSERT(rc == 0 ? reader.position == bytes.len : rc == ERR_CORRUPT && err.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of((const char *)data, size);
    struct buf framed, file;
    buf_init(&framed, 4 << 20);
    buf_init(&file, 4 << 20);
    check(bytes, &file);
    host_wal_append_header(&framed);
    buf_append_u32le(&framed, UINT32_C(0xCC1DA7A1));
    buf_append_u32le(&framed, (uint32_t)size);
    buf_append_slice(&framed, bytes);
    buf_append_u32le(&framed, crc32_ieee(0, bytes.ptr, size));
    check(buf_slice(&framed), &file);
    buf_release(&framed);
    buf_release(&file);
    return 0;
}
