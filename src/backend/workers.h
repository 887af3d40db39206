// SPDX-License-Identifier: MIT
// What the server does every now and then (spec backend.md 7), in three threads, so that what takes long does not hold up
// what must not wait: stored durations and footprints of running jobs; memory cap, housekeeping and retention of the engine;
// cleanup of old snapshots. A worker runs first one interval after start, the cleanup already after half a minute: a server that is
// restarted often must clean up, too (MS-41).
#ifndef BACKEND_WORKERS_H
#define BACKEND_WORKERS_H

#include "backend/config.h"
#include "backend/jobs.h"
#include "store/persist.h"

struct workers;

// All are borrowed. persist NULL: memory only, without cleanup.
struct workers *workers_new(const struct jobs *jobs, const struct config *config, struct persist *persist);
void workers_free(struct workers **workers); // waits for those that run

struct workers_stats { // since the start
    uint64_t retention_runs, cap_runs, cap_freed_chunks;
    uint64_t failed_queries; // retention and cleanup runs that did not know the running jobs
    uint64_t cleanup_runs, failed_cleanups, cleaned_files;
};
void workers_stats(const struct workers *workers, struct workers_stats *ret);

// Single steps, for tests.
int workers_update_durations(const struct jobs *jobs, struct error *err) MUST_CHECK;
int workers_update_footprints(const struct jobs *jobs, int64_t *ret_updated, struct error *err) MUST_CHECK;

// Hosts of jobs that run, or wait for the archiver, keep their data and files from before the retention.
struct workers_duty {
    const struct jobs *jobs;
    struct persist *persist; // NULL: memory only
    int64_t retention_s;
    const char *archive_directory; // NULL: old snapshots are deleted
};
// Drops samples older than the retention. Returns freed chunks. *ret_known: the database said which jobs need data.
uint64_t workers_retain(const struct workers_duty *duty, bool *ret_known);
// Deletes or archives snapshots older than the retention.
int workers_clean_up(const struct workers_duty *duty, bool *ret_known, struct cleanup_result *ret,
                     struct error *err) MUST_CHECK;

#endif
