// SPDX-License-Identifier: MIT
// The background thread of cc-metric-store: frees data beyond the retention (spec metric-store.md 4.7, 4.9),
// every half retention, cleans up old snapshots (7.8), and lets the engine tidy up. Beside it a thread holds the memory cap (4.8,
// cap-worker.h), which must not wait for the others.
#ifndef METRICSTORE_KEEPER_H
#define METRICSTORE_KEEPER_H

#include <stdatomic.h>
#include <stdint.h>

#include "store/persist.h"
#include "store/store.h"

struct keeper;

struct keeper_options {
    int64_t retention_s;           // 0 or less: nothing is freed by age
    const char *backend_url;       // borrowed; "": no hosts are spared
    const char *backend_token;     // borrowed
    struct persist *persist;       // borrowed; NULL: memory only
    const char *archive_directory; // borrowed; NULL: old snapshots are deleted
    // Called by the thread every half minute (status for systemd); may be NULL.
    void (*on_status)(void *ctx);
    void *on_status_ctx;
    int64_t (*cap_clock_s)(void); // of the thread that holds the memory cap; NULL: wall clock
};

struct keeper_stats { // since the start
    uint64_t runs, failed_queries;
    uint64_t cap_runs, cap_freed_chunks; // times that the memory was above the cap, and what that cost
    uint64_t cleanup_runs, failed_cleanups, cleaned_files;
};

// The store is borrowed until keeper_stop.
int keeper_start(struct store *store, const struct keeper_options *options, struct keeper **ret_keeper,
                 struct error *err) MUST_CHECK;
// Waits for the thread; a query to the backend that is under way may take up to 10 s.
void keeper_stop(struct keeper **keeper);
// Time since the thread was last seen at work, at most a few seconds when all is well: who finds it much longer (a lock that is
// never released) may stop telling the watchdog that all is well. Any thread.
int64_t keeper_silence_ms(const struct keeper *keeper);
void keeper_stats(const struct keeper *keeper, struct keeper_stats *ret);
// One retention run, one look at the memory cap, one cleanup, for the given time; the thread calls them, and tests.
void keeper_retain(struct keeper *keeper, int64_t now_s);
void keeper_hold_cap(struct keeper *keeper, int64_t now_s);
void keeper_clean_up(struct keeper *keeper, int64_t now_s);

#endif
