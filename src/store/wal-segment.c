// SPDX-License-Identifier: MIT
#include "store/wal-segment.h"

#include <inttypes.h>

#include "base/strnum.h"
#include "codec/gzip.h"
#include "store/wal-record.h"

#define MAGIC_BYTES  8
#define DIGITS       20
#define NAME_ENDING  ".log"
#define OFF_VERSION  8
#define OFF_EPOCH    16
#define OFF_PREVIOUS 24
#define OFF_CRC      32

static const char magic[MAGIC_BYTES + 1] = "CC-LOG\r\n";

static void put_u32(char *out, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        out[i] = (char)(v >> 8 * i & 0xFF);
}

static void put_u64(char *out, uint64_t v)
{
    put_u32(out, (uint32_t)v);
    put_u32(out + 4, (uint32_t)(v >> 32));
}

static uint32_t get_u32(const char *in)
{
    return (uint8_t)in[0] | (uint32_t)(uint8_t)in[1] << 8 | (uint32_t)(uint8_t)in[2] << 16 |
           (uint32_t)(uint8_t)in[3] << 24;
}

static uint64_t get_u64(const char *in)
{
    return get_u32(in) | (uint64_t)get_u32(in + 4) << 32;
}

static uint32_t epoch_seed(uint64_t epoch)
{
    char bytes[8];
    put_u64(bytes, epoch);
    return crc32_ieee(0, bytes, sizeof(bytes));
}

void wal_segment_header(char out[WAL_SEGMENT_HEADER_BYTES], uint64_t epoch, uint64_t previous)
{
    memcpy(out, magic, MAGIC_BYTES);
    put_u32(out + OFF_VERSION, WAL_SEGMENT_VERSION);
    put_u32(out + OFF_VERSION + 4, 0);
    put_u64(out + OFF_EPOCH, epoch);
    put_u64(out + OFF_PREVIOUS, previous);
    put_u32(out + OFF_CRC, crc32_ieee(0, out, OFF_CRC));
}

void wal_segment_frame_head(char out[WAL_FRAME_HEAD_BYTES], uint64_t epoch, struct slice record)
{
    uint32_t seed = epoch_seed(epoch);
    put_u32(out, (uint32_t)record.len);
    put_u32(out + 4, crc32_ieee(seed, record.ptr, record.len));
    put_u32(out + 8, crc32_ieee(seed, out, 8));
}

void wal_segment_name(char out[WAL_SEGMENT_NAME_SIZE], uint64_t epoch)
{
    snprintf(out, WAL_SEGMENT_NAME_SIZE, "%020" PRIu64 NAME_ENDING, epoch);
}

bool wal_segment_parse_name(const char *name, uint64_t *ret_epoch)
{
    char again[WAL_SEGMENT_NAME_SIZE];
    if (strlen(name) != DIGITS + sizeof(NAME_ENDING) - 1)
        return false;
    if (strnum_parse_u64(slice_of(name, DIGITS), ret_epoch, NULL) != 0)
        return false;
    wal_segment_name(again, *ret_epoch);
    return *ret_epoch > 0 && strcmp(name, again) == 0;
}

// ---- reading ----------------------------------------------------------------------------------------------

int wal_segment_reader_init(struct wal_segment_reader *reader, struct slice bytes, uint64_t epoch,
                            struct error *err)
{
    const char *head = bytes.ptr;
    *reader = (struct wal_segment_reader){.bytes = bytes, .epoch = epoch};
    if (bytes.len < WAL_SEGMENT_HEADER_BYTES || memcmp(head, magic, MAGIC_BYTES) != 0 ||
        crc32_ieee(0, head, OFF_CRC) != get_u32(head + OFF_CRC) || get_u64(head + OFF_EPOCH) != epoch)
        return 0;
    if (get_u32(head + OFF_VERSION) != WAL_SEGMENT_VERSION)
        return error_set(err, ERR_UNSUPPORTED, "log segment of version %u",
                         (unsigned)get_u32(head + OFF_VERSION));
    reader->has_header = true;
    reader->previous = get_u64(head + OFF_PREVIOUS);
    reader->at = reader->good_end = WAL_SEGMENT_HEADER_BYTES;
    return 0;
}

// Length of the record of a sound frame head at 'at'; 0: there is none.
static size_t frame_at(const struct wal_segment_reader *r, uint32_t seed, size_t at)
{
    const char *head = r->bytes.ptr + at;
    size_t left = r->bytes.len - at;
    if (left <= WAL_FRAME_HEAD_BYTES)
        return 0;
    size_t len = get_u32(head);
    if (len == 0 || len > WAL_RECORD_MAX_BYTES || len > left - WAL_FRAME_HEAD_BYTES)
        return 0;
    return crc32_ieee(seed, head, 8) == get_u32(head + 8) ? len : 0;
}

bool wal_segment_next(struct wal_segment_reader *r, struct slice *ret_record)
{
    uint32_t seed = epoch_seed(r->epoch);
    while (r->at < r->bytes.len) {
        size_t len = frame_at(r, seed, r->at);
        if (len == 0) {
            r->at++;
            continue;
        }
        const char *record = r->bytes.ptr + r->at + WAL_FRAME_HEAD_BYTES;
        bool sound = crc32_ieee(seed, record, len) == get_u32(record - WAL_FRAME_HEAD_BYTES + 4);
        size_t begin = r->at;
        r->at += WAL_FRAME_HEAD_BYTES + len;
        if (!sound) // its head tells where the next one begins
            continue;
        r->damaged_regions += begin > r->good_end;
        r->damaged_bytes += begin - r->good_end;
        r->good_end = r->at;
        r->records++;
        r->record_size += len;
        *ret_record = slice_of(record, len);
        return true;
    }
    return false;
}
