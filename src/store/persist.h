// SPDX-License-Identifier: MIT
// What makes a store survive: the log (wal.h), snapshots of hosts (checkpoint.h), loading, cleanup (docs/decisions/store-durability.md).
//
//     store_ingest ──► host in memory ──► record into the log ──► acknowledged when synced
//                          │
//                          └─ snapshot thread: hosts take turns, <directory>/<cluster>/<host>/<from>.bin,
//                             then the log's segments that hold nothing else are removed
//
// At the start only names are read; the log is replayed; a host's snapshots are read when it is first asked for, and by and by in the
// background. After a clean stop (persist_close) all is in snapshots and there is no log: upstream's store starts from the directory.
//
// Threads: persist_open and persist_close from one thread; all else from any.
#ifndef STORE_PERSIST_H
#define STORE_PERSIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "store/checkpoint.h"
#include "store/cleanup.h"
#include "store/store.h"
#include "store/wal.h"

struct persist;

struct persist_options {
    const char *directory;         // checkpoints.directory; made if need be
    enum checkpoint_format format; // of new snapshots; both are read
    enum wal_sync sync;
    int64_t sync_interval_ms;
    size_t log_max_bytes;          // hosts are snapshotted so that the log stays below; 0: 128 MiB
    int64_t checkpoint_interval_s; // each host is snapshotted at least so often; > 0
    unsigned workers;         // threads that warm hosts up and write the final snapshots; 0: by processors
    bool background;          // false: no threads but that of the log; tests call persist_work
    int64_t now_s;            // the start
    int64_t (*clock_s)(void); // NULL: wall clock; for the threads
    const struct io *io;      // NULL: io_system
    // One line for the program's log; any thread. May be NULL.
    void (*report)(void *ctx, enum log_level level, const char *text);
    void *report_ctx;
};

// Attaches to the store, which must be empty; replays the log. From here on store_ingest acknowledges what is on disk only.
int persist_open(struct store *store, const struct persist_options *options, struct persist **ret_persist,
                 struct error *err) MUST_CHECK;
// Intake has stopped: snapshots every host that is dirty, and removes the log when that succeeded. ERR_: some host failed; its
// part of the log stays and is replayed at the next start. The store stays usable for reading.
int persist_close(struct persist **persist, int64_t now_s, struct error *err) MUST_CHECK;
// Lets go without a final snapshot, as after a crash (tests, failed starts).
void persist_abandon(struct persist **persist);

// One round of the background duties: snapshots that are due, segments that can go. Threads call it, and tests.
void persist_work(struct persist *persist, int64_t now_s);
// Snapshots all dirty hosts now, before data is freed that no snapshot has yet (retention, memory cap): those with
// data older than 'before_s' that is in the log only.
int persist_snapshot_before(struct persist *persist, int64_t before_s, int64_t now_s,
                            struct error *err) MUST_CHECK;
// Reads the snapshots of all hosts that were not asked for yet (what the background does); for tests and benchmarks.
void persist_load_all(struct persist *persist);
bool persist_has_unloaded(struct persist *persist); // some host's snapshots were not read yet
// Data of this host is loaded beyond the retention too (dynamic retention, 4.9).
void persist_keep_host(struct persist *persist, struct slice cluster, struct slice host);

// Deletes or archives old snapshots beside the running store.
int persist_cleanup(struct persist *persist, const char *archive_directory, int64_t cutoff_s,
                    bool (*keep)(void *, struct slice, struct slice), void *ctx, struct cleanup_result *ret,
                    struct error *err) MUST_CHECK;

struct persist_stats {
    struct wal_stats wal;
    uint64_t snapshots, snapshot_bytes, failed_snapshots, rewritten_snapshots;
    uint64_t dirty_hosts;    // now
    uint64_t unloaded_hosts; // now
    uint64_t loaded_files, loaded_bytes, corrupt_files, failed_loads;
    uint64_t replayed_samples,
        unknown_samples;    // of the replay: taken; of metrics that are not configured, or damaged
    int64_t oldest_dirty_s; // age of nothing: Unix time of the oldest sample that only the log has, 0: none
    double replay_s;        // how long the replay took
};
void persist_stats(struct persist *persist, struct persist_stats *ret);

#endif
