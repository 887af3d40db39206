// SPDX-License-Identifier: MIT
// Shared by wal.c (writing) and wal-replay.c (reading) only.
#ifndef STORE_WAL_PRIVATE_H
#define STORE_WAL_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "store/wal.h"

#define WAL_LOCK_NAME      "lock"
#define WAL_CORRUPT_ENDING ".corrupt"
#define WAL_FAILURES       16 // failed commits that are remembered one by one

// Frames of one epoch in a buffer of pending ones.
struct wal_chunk {
    uint64_t epoch, records;
    size_t len;
};

struct wal_pending {
    struct buf bytes;
    struct wal_chunk *chunks;
    size_t count, cap;
};

struct wal_file {
    uint64_t epoch, bytes;
    bool damaged;
};

// Positions [begin, end) were thrown away.
struct wal_failure {
    uint64_t begin, end;
    struct error error;
};

// The segment being written; of the commit thread alone.
struct wal_output {
    int fd; // -1: none
    uint64_t epoch;
    char *path;
    size_t good_len;   // up to the last commit that succeeded
    size_t room;       // length of the file: zeros are written ahead
    bool listed;       // as one of the segments: something was committed
    bool dirty;        // not synced (WAL_SYNC_INTERVAL)
    int64_t synced_ns; // the last time
    uint64_t previous; // epoch of the segment before the next one
};

struct wal {
    struct io io;
    char *directory;
    size_t segment_bytes, pending_max_bytes;
    enum wal_sync sync;
    int64_t sync_interval_ns;
    int lock_fd;
    uint64_t first_epoch; // of this wal; segments below are for the replay
    pthread_t thread;
    struct wal_output out;
    char *zeros;              // of the commit thread, see make_room
    struct wal_pending taken; // of the commit thread

    _Atomic uint64_t epoch; // changes under the lock; read without it as a hint, wal_append looks again
    pthread_mutex_t lock;   // of all that follows; no I/O under it
    pthread_cond_t work, room;
    struct wal_waiter *waiters;
    struct wal_pending pending;
    uint64_t epoch_bytes;        // appended for the present epoch
    uint64_t taken_epoch;        // the oldest in 'taken'; UINT64_MAX: none
    uint64_t appended, resolved; // positions: bytes of frames since the start; what lies between is pending
    struct wal_failure failures[WAL_FAILURES];
    size_t failure_count;
    struct wal_failure forgotten; // begin is 0; its end: failures before are no longer known one by one
    struct wal_file *files;       // by epoch
    size_t file_count, file_cap;
    struct wal_stats counters;
    int last_rc; // of the last commit
    struct error last_error;
    bool stopping;
};

char *wal_segment_path(const char *directory, uint64_t epoch);
// Epochs of the segments in a directory, ascending; free with mem_free. *ret_highest counts those set aside too.
int wal_list_segments(const char *directory, uint64_t **ret_epochs, size_t *ret_count, uint64_t *ret_highest,
                      struct error *err) MUST_CHECK;

#endif
