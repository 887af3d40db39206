// SPDX-License-Identifier: MIT
// Old snapshots of a checkpoint directory: deleted, or moved into Parquet files (metric-store.md 7.8, 7.9). Knows files, not the
// engine: cc-metric-store calls it beside a running store and for -cleanup-checkpoints without one.
//
// A snapshot goes when it ends before the cut-off (its 'to', MS-39). Clusters are independent of each other: what fails in one is
// reported and leaves its files in place. Host directories that hold nothing more are removed (MS-49), and so are empty cluster
// directories. The directory WAL_DIRECTORY_NAME (our log), current.wal and unknown names are never touched.
#ifndef STORE_CLEANUP_H
#define STORE_CLEANUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "base/slice.h"

#define WAL_DIRECTORY_NAME                                                                                   \
    ".cc-log" // in the checkpoint directory, beside the clusters; no cluster may have this name

struct cleanup_options {
    const char *directory; // checkpoint directory
    const char *
        archive_directory; // NULL: delete; else Parquet files go to <archive_directory>/<cluster>/<cut-off>.parquet
    int64_t cutoff_s;
    const struct io *io; // NULL: io_system
    // Hosts that keep their files (dynamic retention); NULL: none.
    bool (*keep)(void *ctx, struct slice cluster, struct slice host);
    // Held while files of a host are read or removed, so that the engine does not write them meanwhile. NULL: nobody else is
    // there. begin: false leaves the host out this time.
    bool (*begin_host)(void *ctx, struct slice cluster, struct slice host);
    // removed: the host's directory is gone.
    void (*end_host)(void *ctx, struct slice cluster, struct slice host, bool removed);
    // One line for the program's log about what went wrong; may be NULL.
    void (*report)(void *ctx, const char *text);
    void *ctx;
};

struct cleanup_result {
    uint64_t files;           // deleted or archived
    uint64_t rows, bytes;     // of the Parquet files written
    uint64_t failed_files;    // could not be read or removed
    uint64_t failed_clusters; // archive mode: nothing was removed there
    uint64_t removed_hosts;
};

// ERR_NOT_FOUND, ERR_IO: the checkpoint directory cannot be read; errors further down are in *ret and in the first text of err
// (returned as ERR_IO after everything else was done).
int cleanup_run(const struct cleanup_options *options, struct cleanup_result *ret,
                struct error *err) MUST_CHECK;

#endif
