// SPDX-License-Identifier: MIT
// Bytes of a segment file of the log (docs/formats/store-log.md), all little-endian:
//
//     header   8 bytes magic, u32 version, u32 0, u64 epoch, u64 epoch of the segment before (0: none), u32 crc32 of all that
//     frame    u32 length, u32 crc32 of the record, u32 crc32 of those 8 bytes; then the record
//     frame    ...
//
// The checksums of frames start from the epoch, so that bytes of another segment never pass. The head of a frame has a checksum of
// its own: the reader finds its way again behind damage without trying every length. Nothing here does I/O.
#ifndef STORE_WAL_SEGMENT_H
#define STORE_WAL_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define WAL_SEGMENT_VERSION      1
#define WAL_SEGMENT_HEADER_BYTES 36
#define WAL_FRAME_HEAD_BYTES     12
#define WAL_SEGMENT_NAME_SIZE    32 // with the terminator

void wal_segment_header(char out[WAL_SEGMENT_HEADER_BYTES], uint64_t epoch, uint64_t previous);
void wal_segment_frame_head(char out[WAL_FRAME_HEAD_BYTES], uint64_t epoch, struct slice record);
// "<20 digits>.log", so that names sort by epoch.
void wal_segment_name(char out[WAL_SEGMENT_NAME_SIZE], uint64_t epoch);
bool wal_segment_parse_name(const char *name, uint64_t *ret_epoch);

struct wal_segment_reader {
    struct slice bytes;
    uint64_t epoch;    // as the file's name has it
    uint64_t previous; // when has_header
    bool has_header;   // a sound one
    size_t at;
    size_t good_end;          // behind the last sound frame, or the header; what follows at the end is torn
    uint64_t damaged_regions; // passed over, with sound frames behind them
    uint64_t damaged_bytes;   // of these
    uint64_t records, record_size; // sound ones, and their bytes
};

// ERR_UNSUPPORTED: a sound header of a later version. Without a sound header the frames are read all the same.
int wal_segment_reader_init(struct wal_segment_reader *reader, struct slice bytes, uint64_t epoch,
                            struct error *err) MUST_CHECK;
// The next sound record.
bool wal_segment_next(struct wal_segment_reader *reader, struct slice *ret_record);

#endif
