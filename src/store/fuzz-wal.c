// SPDX-License-Identifier: MIT
// Foreign bytes as a segment of the log: what the reader gives lies within the bytes, its figures add up. Then the same bytes as
// records of a sound segment that is damaged afterwards: no record comes back that was not written, and none that the damage
// did not touch is missing.
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "store/wal-segment.h"

#define EPOCH         3
#define WRITTEN_EPOCH 5 // another one: frames within records are no frames
#define MAX_RECORDS   64
#define MAX_DAMAGE    8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_foreign(struct slice bytes)
{
    struct wal_segment_reader reader;
    struct slice record;
    size_t end = 0, total = 0, count = 0;
    if (wal_segment_reader_init(&reader, bytes, EPOCH, NULL) != 0)
        return;
    while (wal_segment_next(&reader, &record)) {
        ASSERT(record.len > 0 && record.ptr >= bytes.ptr + end + WAL_FRAME_HEAD_BYTES);
        end = (size_t)(record.ptr - bytes.ptr) + record.len;
        ASSERT(end <= bytes.len && end == reader.good_end);
        total += record.len + WAL_FRAME_HEAD_BYTES;
        count++;
    }
    ASSERT(count == reader.records);
    size_t header = reader.has_header ? WAL_SEGMENT_HEADER_BYTES : 0;
    ASSERT(header + total + reader.damaged_bytes == reader.good_end);
    ASSERT((reader.damaged_regions == 0) == (reader.damaged_bytes == 0));
    ASSERT(!wal_segment_next(&reader, &record));
}

struct written {
    size_t begin, end; // of the frame
    bool damaged;
};

// Pieces of the data, each as long as its first byte says. The bytes are masked: libFuzzer learns checksums from comparisons, and a frame
// forged within a record could not be told from one of the log once the record's own head is damaged.
static size_t write_records(struct slice data, struct buf *out, struct written *written)
{
    char header[WAL_SEGMENT_HEADER_BYTES], head[WAL_FRAME_HEAD_BYTES];
    size_t count = 0;
    wal_segment_header(header, WRITTEN_EPOCH, 0);
    buf_append(out, header, sizeof(header));
    while (data.len > 1 && count < MAX_RECORDS) {
        char masked[256];
        struct slice record = slice_of(masked, MIN((size_t)(uint8_t)data.ptr[0] + 1, data.len));
        for (size_t i = 0; i < record.len; i++)
            masked[i] = (char)((uint8_t)data.ptr[i] ^ (i * 167 + 13));
        written[count].begin = out->len;
        wal_segment_frame_head(head, WRITTEN_EPOCH, record);
        buf_append(out, head, sizeof(head));
        buf_append_slice(out, record);
        written[count].damaged = false;
        written[count++].end = out->len;
        data = slice_skip(data, record.len);
    }
    return count;
}

static void damage(struct buf *segment, struct written *written, size_t count, size_t at, char with)
{
    if (with == 0 || at >= segment->len)
        return;
    segment->ptr[at] = (char)(segment->ptr[at] ^ with);
    for (size_t i = 0; i < count; i++)
        written[i].damaged = written[i].damaged || (at >= written[i].begin && at < written[i].end);
}

static void check_damaged(struct slice data)
{
    struct written written[MAX_RECORDS];
    struct wal_segment_reader reader;
    struct slice record;
    struct buf segment;
    size_t next = 0;
    if (data.len < 3 * MAX_DAMAGE)
        return;
    buf_init(&segment, 1 << 20);
    size_t count = write_records(slice_skip(data, 3 * MAX_DAMAGE), &segment, written);
    for (size_t i = 0; i < MAX_DAMAGE; i++)
        damage(&segment, written, count,
               (uint8_t)data.ptr[3 * i] + (size_t)(uint8_t)data.ptr[3 * i + 1] * 256, data.ptr[3 * i + 2]);
    if (wal_segment_reader_init(&reader, buf_slice(&segment), WRITTEN_EPOCH, NULL) == 0) {
        while (wal_segment_next(&reader, &record)) {
            size_t begin = (size_t)(record.ptr - segment.ptr) - WAL_FRAME_HEAD_BYTES;
            while (next < count && written[next].begin < begin)
                ASSERT(written[next++].damaged);
            ASSERT(next < count && written[next].begin == begin &&
                   begin + WAL_FRAME_HEAD_BYTES + record.len == written[next].end);
            next++; // damage that cancels itself out leaves it sound
        }
        for (; next < count; next++)
            ASSERT(written[next].damaged);
    }
    buf_release(&segment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t epoch;
    char name[WAL_SEGMENT_NAME_SIZE], again[WAL_SEGMENT_NAME_SIZE];
    check_foreign(slice_of((const char *)data, size));
    check_damaged(slice_of((const char *)data, size));
    memcpy(name, data, MIN(size, sizeof(name) - 1));
    name[MIN(size, sizeof(name) - 1)] = '\0';
    if (wal_segment_parse_name(name, &epoch)) {
        wal_segment_name(again, epoch);
        ASSERT(strcmp(name, again) == 0);
    }
    return 0;
}
