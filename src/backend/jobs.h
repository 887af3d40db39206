// SPDX-License-Identifier: MIT
// The life of a job (spec backend.md 4.4, 4.5, 6): what REST does now and other intakes will do the same way.
// Knows nothing of HTTP; error codes stand for what the caller answers: ERR_INVALID bad request,
// ERR_NOT_FOUND, ERR_EXISTS the state forbids it, anything else a failure of ours. Texts are those that
// clients get. Any thread.
#ifndef BACKEND_JOBS_H
#define BACKEND_JOBS_H

#include "backend/archiver.h"
#include "backend/sql-job.h"

struct jobs {
    struct sql_pool *pool; // all borrowed
    struct job_writer *writer;
    struct store *store;
    const struct cluster_set *clusters;
    const struct archive *archive;
    struct archiver *archiver;
    size_t resample_minimum_points; // 0: 1000
    int64_t (*now_s)(void);
};

// Checks of 4.4.1 in their order, then the row; 0 only after it is on disk. *job gets sub-cluster, state and
// id.
int jobs_start(const struct jobs *jobs, struct job *job, struct error *err) MUST_CHECK;

struct job_stop {
    struct job_key key;
    struct slice state; // empty: completed
    int64_t stop_time;
};
// Lookup, checks and change in one transaction; then the archiver is told. *ret_job: the row as it is now.
int jobs_stop(const struct jobs *jobs, const struct job_stop *stop, struct arena *arena, struct job *ret_job,
              struct error *err) MUST_CHECK;

// The row, duration of running ones up to now. ERR_NOT_FOUND.
int jobs_get(const struct jobs *jobs, int64_t id, struct arena *arena, struct job *ret,
             struct error *err) MUST_CHECK;
// Statistics of the archived document, for rows with status 3; a damaged one is logged and leaves null
// (4.5.1).
void jobs_add_statistics(const struct jobs *jobs, struct arena *arena, struct job *job);

struct jobs_data_request {
    const struct slice *metrics; // none: all
    size_t metric_count;
    const enum scope *scopes;
    size_t scope_count;
    int64_t resolution_s; // 0: native
};
// From the engine while the job runs or waits for the archiver, else from the archive, filtered as 10.6 says.
// Sorted.
int jobs_load_data(const struct jobs *jobs, const struct job *job, const struct jobs_data_request *request,
                   struct arena *arena, struct job_data *ret, struct error *err) MUST_CHECK;

#endif
