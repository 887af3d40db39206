// SPDX-License-Identifier: MIT
// What the files of the persistence layer share behind persist.h.
//
//     persist.c            life, threads, when to do what
//     persist-files.c      names and bytes in the checkpoint directory
//     persist-load.c       snapshots into hosts
//     persist-snapshot.c   hosts into snapshots
//     persist-replay.c     the log into hosts
//
// Lock order: files.lock of a host, then the host's lock, then those inside the log. No I/O under a host's lock.
#ifndef STORE_PERSIST_PRIVATE_H
#define STORE_PERSIST_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/persist.h"
#include "store/store-private.h"

#define PERSIST_FILE_MAX_BYTES ((size_t)4 << 30) // of a snapshot or a host's log
#define PERSIST_DIRECTORY_MODE 0755
#define PERSIST_ARENA_BYTES    ((size_t)8 << 30)

// Of samples that files and the log hold; the bins that they fall into then stay within what the readers of snapshots take.
#define PERSIST_TIME_MAX (CHECKPOINT_TIME_MAX / 2)

static inline bool persist_is_time(int64_t ts)
{
    return ts >= -PERSIST_TIME_MAX && ts <= PERSIST_TIME_MAX;
}

struct persist_counters {
    atomic_uint_fast64_t snapshots, snapshot_bytes, failed_snapshots, rewritten_snapshots;
    atomic_uint_fast64_t loaded_files, loaded_bytes, corrupt_files, failed_loads, replayed_samples,
        unknown_series;
};

struct persist {
    struct store *store;
    struct persist_options options; // with defaults filled in; 'directory' is ours
    const struct io *io;
    struct wal *wal;
    struct persist_counters counters;
    double replay_s;
    atomic_bool log_is_full, snapshots_fail;
    uint64_t failed_commits_told; // of the thread that calls persist_work
    // threads
    pthread_t snapshot_thread, warm_thread;
    bool has_snapshot_thread, has_warm_thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;  // for the snapshot thread; on the monotonic clock
    pthread_cond_t space; // the log became smaller
    atomic_bool stopping;
};

static inline void persist_count(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}
void persist_report(struct persist *p, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
int64_t persist_now(const struct persist *p);
// Calls fn for all hosts, from several threads when that pays.
void persist_each(struct persist *p, struct host **hosts, size_t count,
                  void (*fn)(struct persist *, struct host *, void *), void *ctx);

// ---- files ------------------------------------------------------------------------------------------------
struct snapshot_file {
    int64_t from; // its name
    int64_t to;   // what it says of itself; INT64_MAX: not looked at
    enum checkpoint_format format;
};
struct snapshot_list {
    struct snapshot_file *items; // ascending
    size_t count, cap;
    bool has_host_wal;
    size_t odd_names; // such as 005.bin: left alone
};

char *persist_host_path(const struct persist *p, const struct host *host); // heap
// A directory that is not there is empty.
int persist_list(const char *path, struct snapshot_list *ret, struct error *err) MUST_CHECK;
void persist_list_release(struct snapshot_list *list);
// Reads a whole file below 'path' into *bytes.
int persist_read(struct persist *p, const char *path, const char *name, struct buf *bytes,
                 struct error *err) MUST_CHECK;
// A snapshot as it was read; 'checkpoint' points into the bytes and the arena. Release it in any case.
struct snapshot_read {
    char name[CHECKPOINT_NAME_SIZE];
    struct buf bytes;
    struct arena *arena;
    struct checkpoint checkpoint;
};
int persist_read_snapshot(struct persist *p, const char *path, const struct snapshot_file *file,
                          struct snapshot_read *ret, struct error *err) MUST_CHECK;
void persist_release_snapshot(struct snapshot_read *read);
// Fills in 'to'. ERR_CORRUPT, ERR_NOT_FOUND, ...
int persist_read_end(struct persist *p, const char *path, struct snapshot_file *file,
                     struct error *err) MUST_CHECK;
// <name> becomes <name>.corrupt, is counted and reported.
void persist_set_aside(struct persist *p, const char *path, const char *name, const char *why);
// Makes <directory>/<cluster>/<host>, so that it survives a power loss.
int persist_make_host_directory(struct persist *p, const struct host *host, struct error *err) MUST_CHECK;

// ---- loading ----------------------------------------------------------------------------------------------
// Names of the directory: makes the hosts that have files.
int persist_scan(struct persist *p, struct error *err) MUST_CHECK;
// Reads the host's snapshots unless that was done; its files.lock is held.
void persist_load_locked(struct persist *p, struct host *host);
// Adds a snapshot to a host that nobody else sees, or whose lock is held, but what ends before window_from.
void persist_add_checkpoint(struct persist *p, struct host *host, const struct checkpoint *checkpoint,
                            int64_t window_from);

// ---- snapshots --------------------------------------------------------------------------------------------
// Writes what is dirty of the host. The caller reports errors.
int persist_snapshot_host(struct persist *p, struct host *host, int64_t now_s, struct error *err) MUST_CHECK;

// ---- replay -----------------------------------------------------------------------------------------------
int persist_replay(struct persist *p, struct error *err) MUST_CHECK;

#endif
