// SPDX-License-Identifier: MIT
// current.wal: the log that upstream keeps for each host (metric-store.md 7.3; docs/formats/host-wal.md). We read it when we
// take over an installation, and a tool writes it for going back after a crash; our own log is wal.h.
#ifndef STORE_HOST_WAL_H
#define STORE_HOST_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define HOST_WAL_NAME               "current.wal"
#define HOST_WAL_MAGIC              UINT32_C(0xCC1DA701)
#define HOST_WAL_MAX_SELECTOR_BYTES 255

struct host_wal_record {
    int64_t ts;
    struct slice metric;      // into the bytes of the file
    struct slice selector[2]; // component, sub-component; more are kept out of here but counted
    size_t selector_count;
    struct slice all_selectors; // all of them as in the file (length byte, text); only of a reader
    float value;
};

struct host_wal_reader {
    struct slice bytes;
    size_t position;  // behind the last good record, or behind the good header
    uint64_t records; // good ones so far
    bool started;     // the header was good
};

void host_wal_reader_init(struct host_wal_reader *reader, struct slice bytes);
// 1 and a record; 0 at the end of the file (an empty file is a log without records); ERR_CORRUPT at a bad header or at the
// first record that is no good (nothing can be read behind it; reader->position tells where) with the reasons of
// metric-store.md section 9 as text.
int host_wal_next(struct host_wal_reader *reader, struct host_wal_record *ret, struct error *err) MUST_CHECK;

void host_wal_append_header(struct buf *out);
// False, with nothing appended, when the format cannot hold it: a name of more than 65535 bytes, a selector of more than
// HOST_WAL_MAX_SELECTOR_BYTES (upstream writes such a length modulo 256, MS-38), more than two selectors.
bool host_wal_append_record(struct buf *out, const struct host_wal_record *record) MUST_CHECK;

#endif
