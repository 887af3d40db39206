// SPDX-License-Identifier: MIT
// Archives stopped jobs in the background (spec backend.md 6.4). The queue is the database: rows that are not
// running and have monitoring status 1. In memory there are only their ids; after a crash they are read again
// at start.
//
//     stop -> archiver_enqueue(id) -> (some seconds: the last samples are still under way) -> load from the
//     engine, statistics, footprint, energy -> data.json, meta.json -> one UPDATE sets status 3
//
// A step that fails is tried again with growing intervals while the store may still hold the data; then
// status 2. Writing the archive and updating the row may both happen twice without harm, so a crash between
// them costs nothing.
#ifndef BACKEND_ARCHIVER_H
#define BACKEND_ARCHIVER_H

#include <stdint.h>

#include "backend/archive.h"
#include "backend/job-writer.h"
#include "model/cluster.h"
#include "net/sql.h"
#include "store/store.h"

struct archiver;

struct archiver_options {
    struct sql_pool *pool; // all borrowed
    struct job_writer *writer;
    struct store *store;
    const struct cluster_set *clusters;
    const struct archive *archive;
    int64_t settle_s;       // a job is not archived before its end plus this; < 0: default 5
    int64_t retry_first_ms; // 0: 1 s; doubles up to 5 min
    int64_t give_up_s;      // after this many seconds of failures: status 2; 0: 24 h
    unsigned threads;       // 0: 8; they wait for the disk most of the time
};

struct archiver_stats {
    uint64_t archived, failed, retries, partial;
    uint64_t waiting;
};

// Starts the threads and queues what the database says is waiting.
int archiver_new(const struct archiver_options *options, struct archiver **ret_archiver,
                 struct error *err) MUST_CHECK;
// Ends after the jobs that are being worked on; what waits stays in the database. Waits up to drain_ms for
// due ones.
void archiver_free(struct archiver **archiver, int64_t drain_ms);
void archiver_enqueue(struct archiver *archiver, int64_t id);
void archiver_stats(struct archiver *archiver, struct archiver_stats *ret);
// One job, now, in the calling thread: 0 done (or nothing to do), ERR_BUSY not yet due, else why it failed.
int archiver_run_one(struct archiver *archiver, int64_t id, int64_t now_s, struct error *err) MUST_CHECK;

#endif
