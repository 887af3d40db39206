// SPDX-License-Identifier: MIT
// The write-ahead log of the store: one for all hosts, group commit (docs/formats/store-log.md).
//
// A log is a directory of segment files, numbered by 'epoch' (a number is left out where a commit failed). A record is a batch of one host (wal-record.h);
// a segment holds all definitions that its records need, so it can be read alone, and goes when every host in it was
// covered by a snapshot.
//
//     writers (under the lock of a host)              commit thread
//     wal_append: copy into the pending buffer  ───►  takes all that is pending, write, fdatasync, wakes the writers
//     wal_wait: until the record is on disk     ◄───  that wait (natural batching: no timer)
//
// When a write or sync fails, what was pending is thrown away, its writers get the error (nothing is acknowledged), the segment
// is cut at its last good byte or given up, and the next record begins a new epoch. The log tries again with the next batch. What
// was thrown away may still come back at the replay, never the other way round.
//
// Threads: wal_open, wal_replay and wal_close from one thread; all else from any. No I/O happens in wal_append.
#ifndef STORE_WAL_H
#define STORE_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "base/slice.h"

struct wal;

enum wal_sync {
    WAL_SYNC_BATCH,    // a record is on disk (fdatasync) before wal_wait returns: the default
    WAL_SYNC_INTERVAL, // synced every sync_interval_ms; wal_wait does not wait
    WAL_SYNC_NONE,     // written, never synced; wal_wait does not wait
};

struct wal_options {
    const char *directory;    // made if need be; copied
    const struct io *io;      // NULL: io_system
    size_t segment_bytes;     // a new segment begins beyond this, at most 1 GiB; 0: 16 MiB
    size_t pending_max_bytes; // wal_admit waits while more than this is pending; 0: 64 MiB
    enum wal_sync sync;
    int64_t sync_interval_ms; // for WAL_SYNC_INTERVAL
};

// Opens the directory, or makes it; existing segments stay for wal_replay. The commit thread runs from here on. ERR_BUSY: another
// process, or wal, has it.
int wal_open(const struct wal_options *options, struct wal **ret_wal, struct error *err) MUST_CHECK;
// Commits what is pending and ends the thread. Files stay. ret_err: of the last commit.
int wal_close(struct wal **wal, struct error *err) MUST_CHECK;

// ---- writing ----
// The epoch that records must be encoded for; starts behind those on disk, so it is never 0.
uint64_t wal_epoch(const struct wal *wal);
// Waits while too much is pending (back-pressure, before the batch takes any lock).
void wal_admit(struct wal *wal);
// What one writer appended, from its first record to its last: several records of a batch may go through several commits, and
// one of them may have failed. Begins as {0}.
struct wal_span {
    uint64_t begin, end;
};
// Copies one record and extends the span; an empty record is none. ERR_BUSY: 'epoch' is over; encode again, with definitions, for
// the present one. ERR_LIMIT: longer than WAL_RECORD_MAX_BYTES, or memory is out.
int wal_append(struct wal *wal, uint64_t epoch, struct slice record, struct wal_span *span) MUST_CHECK;
// Waits until everything in the span is on disk, as the sync mode says. ERR_NO_SPACE, ERR_IO: some of it is not (also when a
// record of somebody else, between those of the span, failed).
int wal_wait(struct wal *wal, const struct wal_span *span, struct error *err) MUST_CHECK;

// The same without waiting: done is called once, by the commit thread or at once by this one, without any lock; it must not block.
// The waiter is the caller's memory until then.
struct wal_waiter {
    struct wal_span span;
    void (*done)(struct wal_waiter *waiter);
    int rc; // 0, or what wal_wait would return, with its error
    struct error err;
    struct wal_waiter *next; // of the log
};
void wal_notify(struct wal *wal, struct wal_waiter *waiter);

// ---- segments ----
struct wal_stats {
    uint64_t epoch;         // present
    uint64_t oldest_epoch;  // of the segments on disk, replayed ones too
    uint64_t segments;      // files
    uint64_t bytes;         // of all segments
    uint64_t pending_bytes; // not yet on disk
    uint64_t records, written_bytes, commits, failed_commits, failed_records; // since the start
    uint64_t waits;                                                           // wal_admit had to wait
    uint64_t failed_drops; // segments that could not be removed, each time
    uint64_t sync_ns_sum, sync_ns_max;
    // of wal_replay
    uint64_t replayed_records, replayed_bytes;
    uint64_t torn_bytes;                     // behind the last good record of the newest segment
    uint64_t damaged_regions, damaged_bytes; // elsewhere, passed over
    uint64_t missing_segments;               // gaps between the segments that are there
};
void wal_stats(const struct wal *wal, struct wal_stats *ret);
// Ends the present segment, so that it can be dropped once its hosts are covered. Returns the new epoch; the present one when
// nothing was appended for it yet.
uint64_t wal_rotate(struct wal *wal);
// Removes segments with a lower epoch than this, oldest first; never one with records that are pending. What could not be removed
// is tried again the next time.
int wal_drop_before(struct wal *wal, uint64_t epoch, struct error *err) MUST_CHECK;

// ---- reading ----
// Gives the records of all segments that were there at wal_open, in order. Bytes behind the last good record of the newest segment
// are a torn tail: cut and counted. Damage elsewhere: the reader goes on with the next record that is sound, counts what it
// passed over, and the segment is kept aside as <name>.corrupt when it is dropped. A record behind damage may name series whose
// definition is gone. fn returns 0 or a negative error, which ends the replay. ERR_IO: a file could not be read.
typedef int wal_replay_fn(void *ctx, uint64_t epoch, struct slice record, struct error *err);
int wal_replay(struct wal *wal, wal_replay_fn *fn, void *ctx, struct error *err) MUST_CHECK;
// The same for a directory that nobody has open (else ERR_BUSY), for tools; changes nothing on disk.
int wal_read_directory(const char *directory, wal_replay_fn *fn, void *ctx, struct wal_stats *ret_stats,
                       struct error *err) MUST_CHECK;

#endif
