// SPDX-License-Identifier: MIT
// The keys of metric-store.checkpoints and metric-store.cleanup, which both servers have (metric-store.md 2.5), and what they mean
// for the persistence layer.
#ifndef STORE_PERSIST_SETTINGS_H
#define STORE_PERSIST_SETTINGS_H

#include <stdint.h>

#include "codec/settings.h"
#include "store/persist.h"

struct checkpoints_settings {
    const char *file_format, *directory;
    int64_t max_wal_size;     // upstream's limit of a host's log: accepted, our log has log_size
    const char *durability;   // ours: batch, interval or none
    int64_t sync_interval_ns; // ours, for interval
    int64_t log_size;         // ours: bytes
};
extern const struct setting checkpoints_fields[];

struct cleanup_settings {
    const char *mode, *directory;
};
extern const struct setting cleanup_fields[];

// What the tables cannot say: the archive needs a directory, the checkpoints need one, the interval must be positive (MS-06).
// Oddities that are no reason to stop go to 'warn', which may be NULL. ERR_INVALID names the key below metric-store.
int persist_check_settings(const struct checkpoints_settings *checkpoints,
                           const struct cleanup_settings *cleanup, int64_t checkpoint_interval_ns,
                           settings_warn_fn *warn, void *ctx, struct error *err) MUST_CHECK;
// Fills in directory, format, sync, sync_interval_ms and log_max_bytes; the rest of *ret is left alone.
void persist_apply_settings(const struct checkpoints_settings *settings, struct persist_options *ret);
// Directory of the archive, or NULL when old snapshots are deleted.
const char *cleanup_archive_directory(const struct cleanup_settings *settings);
// A duration of the configuration as whole seconds, rounded up: the engine counts in seconds.
int64_t persist_seconds(int64_t ns);

#endif
