// SPDX-License-Identifier: MIT
// current.wal. Layout: docs/formats/host-wal.md.
#include "store/host-wal.h"

#include "codec/gzip.h"

#define RECORD_MAGIC        UINT32_C(0xCC1DA7A1)
#define MAX_PAYLOAD_BYTES   ((size_t)1 << 20)
#define LEAST_PAYLOAD_BYTES 15 // time, length of no name, no selectors, value

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are taken as they lie in the file");

// ---- reading ----------------------------------------------------------------------------------------------

static uint64_t number_at(struct slice bytes, size_t at, size_t width)
{
    uint64_t v = 0;
    memcpy(&v, bytes.ptr + at, width);
    return v;
}

void host_wal_reader_init(struct host_wal_reader *reader, struct slice bytes)
{
    *reader = (struct host_wal_reader){.bytes = bytes};
}

static int cut_off(const char *what, size_t left, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "%s: %s", what, left ? "unexpected EOF" : "EOF");
}

static int read_header(struct host_wal_reader *reader, struct error *err)
{
    if (reader->bytes.len < 4)
        return cut_off("read file header", reader->bytes.len, err);
    uint32_t magic = (uint32_t)number_at(reader->bytes, 0, 4);
    if (magic != HOST_WAL_MAGIC)
        return error_set(err, ERR_CORRUPT, "invalid WAL file magic 0x%08X (expected 0x%08X)", magic,
                         HOST_WAL_MAGIC);
    reader->position = 4;
    reader->started = true;
    return 0;
}

// The frame of the record at *at: its payload, and *at moves behind it.
static int read_frame(struct slice bytes, size_t *at, struct slice *ret_payload, struct error *err)
{
    struct slice rest = slice_skip(bytes, *at);
    if (rest.len < 4)
        return cut_off("read record magic", rest.len, err);
    uint32_t magic = (uint32_t)number_at(rest, 0, 4);
    if (magic != RECORD_MAGIC)
        return error_set(err, ERR_CORRUPT, "invalid record magic 0x%08X (expected 0x%08X)", magic,
                         RECORD_MAGIC);
    if (rest.len < 8)
        return cut_off("read payload length", rest.len - 4, err);
    size_t size_bytes = (size_t)number_at(rest, 4, 4);
    if (size_bytes > MAX_PAYLOAD_BYTES)
        return error_set(err, ERR_CORRUPT, "record payload too large: %zu bytes", size_bytes);
    rest = slice_skip(rest, 8);
    if (rest.len < size_bytes)
        return cut_off("read payload", rest.len, err);
    if (rest.len - size_bytes < 4)
        return cut_off("read CRC", rest.len - size_bytes, err);
    if (crc32_ieee(0, rest.ptr, size_bytes) != number_at(rest, size_bytes, 4))
        return error_set(err, ERR_CORRUPT, "CRC mismatch (truncated write or corruption)");
    *ret_payload = slice_of(rest.ptr, size_bytes);
    *at += 8 + size_bytes + 4;
    return 0;
}

static int overflows(const char *what, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "%s overflows payload", what);
}

// Takes the selectors at *at and moves it behind them.
static int read_selectors(struct slice payload, size_t *at, struct host_wal_record *record, struct error *err)
{
    record->selector_count = (size_t)number_at(payload, (*at)++, 1);
    size_t begin = *at;
    for (size_t i = 0; i < record->selector_count; i++) {
        if (*at >= payload.len)
            return error_set(err, ERR_CORRUPT, "selector[%zu] length overflows payload", i);
        size_t len = (size_t)number_at(payload, (*at)++, 1);
        if (len > payload.len - *at)
            return error_set(err, ERR_CORRUPT, "selector[%zu] data overflows payload", i);
        if (i < ARRAY_LEN(record->selector))
            record->selector[i] = slice_of(payload.ptr + *at, len);
        *at += len;
    }
    record->all_selectors = slice_of(payload.ptr + begin, *at - begin);
    return 0;
}

static int read_payload(struct slice payload, struct host_wal_record *record, struct error *err)
{
    if (payload.len < LEAST_PAYLOAD_BYTES)
        return error_set(err, ERR_CORRUPT, "payload too short: %zu bytes", payload.len);
    record->ts = (int64_t)number_at(payload, 0, 8);
    size_t len = (size_t)number_at(payload, 8, 2), at = 10;
    if (len > payload.len - at)
        return overflows("metric name", err);
    record->metric = slice_of(payload.ptr + at, len);
    at += len;
    if (at >= payload.len)
        return overflows("selector count", err);
    int rc = read_selectors(payload, &at, record, err);
    if (rc)
        return rc;
    if (payload.len - at < sizeof(record->value))
        return overflows("value", err);
    memcpy(&record->value, payload.ptr + at, sizeof(record->value));
    return 0;
}

int host_wal_next(struct host_wal_reader *reader, struct host_wal_record *ret, struct error *err)
{
    int rc = reader->started || reader->bytes.len == 0 ? 0 : read_header(reader, err);
    if (rc)
        return rc;
    if (reader->position == reader->bytes.len)
        return 0;
    struct host_wal_record record = {.selector_count = 0};
    struct slice payload = SLICE_EMPTY;
    size_t at = reader->position;
    rc = read_frame(reader->bytes, &at, &payload, err);
    if (rc == 0)
        rc = read_payload(payload, &record, err);
    if (rc)
        return rc;
    reader->position = at;
    reader->records++;
    *ret = record;
    return 1;
}

// ---- writing ----------------------------------------------------------------------------------------------

void host_wal_append_header(struct buf *out)
{
    buf_append_u32le(out, HOST_WAL_MAGIC);
}

static bool fits(const struct host_wal_record *record)
{
    if (record->metric.len > UINT16_MAX || record->selector_count > ARRAY_LEN(record->selector))
        return false;
    for (size_t i = 0; i < record->selector_count; i++) {
        if (record->selector[i].len > HOST_WAL_MAX_SELECTOR_BYTES)
            return false;
    }
    return true;
}

static void put_payload(const struct host_wal_record *record, struct buf *out)
{
    buf_append_u64le(out, (uint64_t)record->ts);
    buf_append_u16le(out, (unsigned)record->metric.len);
    buf_append_slice(out, record->metric);
    buf_append_u8(out, (unsigned)record->selector_count);
    for (size_t i = 0; i < record->selector_count; i++) {
        buf_append_u8(out, (unsigned)record->selector[i].len);
        buf_append_slice(out, record->selector[i]);
    }
    buf_append_f32le(out, record->value);
}

bool host_wal_append_record(struct buf *out, const struct host_wal_record *record)
{
    if (!fits(record))
        return false;
    size_t size_bytes = LEAST_PAYLOAD_BYTES + record->metric.len;
    for (size_t i = 0; i < record->selector_count; i++)
        size_bytes += 1 + record->selector[i].len;
    buf_append_u32le(out, RECORD_MAGIC);
    buf_append_u32le(out, (uint32_t)size_bytes);
    put_payload(record, out);
    if (!buf_failed(out))
        buf_append_u32le(out, crc32_ieee(0, out->ptr + out->len - size_bytes, size_bytes));
    return true;
}
