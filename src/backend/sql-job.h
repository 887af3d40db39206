// SPDX-License-Identifier: MIT
// Statements on tables job and job_cache (spec backend.md 2.3-2.7). Each function is one or a few statements
// on a connection that the caller has taken; those that change something run inside the caller's transaction
// (job-writer.h). Memory of rows comes from the arena given. JSON columns are read whether they are TEXT or
// BLOB and written as TEXT; one that is damaged reads as null and is logged.
#ifndef BACKEND_SQL_JOB_H
#define BACKEND_SQL_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "model/job.h"
#include "net/sql.h"

// ---- changes
// ------------------------------------------------------------------------------------------------ *ret_id:
// id of the new row. ERR_EXISTS: (job_id, cluster, start_time) is there already.
int sql_job_insert(struct sql_conn *conn, const struct job *job, int64_t *ret_id,
                   struct error *err) MUST_CHECK;
// A running row becomes a finished one. ERR_NOT_FOUND when there is no running row of that id.
int sql_job_mark_stopped(struct sql_conn *conn, int64_t id, enum job_state state, int64_t duration_s,
                         struct error *err) MUST_CHECK;
// Footprints (as in job), energy and monitoring status.
int sql_job_mark_archived(struct sql_conn *conn, const struct job *job, enum monitoring_status status,
                          struct error *err) MUST_CHECK;
int sql_job_set_footprint(struct sql_conn *conn, const struct job *job, struct error *err) MUST_CHECK;
// duration = now - start_time of all running rows (worker of spec 7).
int sql_job_update_durations(struct sql_conn *conn, int64_t now_s, struct error *err) MUST_CHECK;
// Moves the rows of job_cache into job, one by one; rows that job refuses stay and are counted in *ret_kept.
int sql_job_drain_cache(struct sql_conn *conn, int64_t *ret_moved, int64_t *ret_kept,
                        struct error *err) MUST_CHECK;

// ---- reading
// ------------------------------------------------------------------------------------------------ 1 and
// *ret; 0: no such row.
int sql_job_get(struct sql_conn *conn, int64_t id, struct arena *arena, struct job *ret,
                struct error *err) MUST_CHECK;
// 1 and *ret_id: a row of the same job id and cluster that the duplicate rule forbids (spec 4.4.1 check 7:
// any whose start is later than start_time - 86400); 0: none.
int sql_job_find_duplicate(struct sql_conn *conn, const struct job *job, int64_t *ret_id,
                           struct error *err) MUST_CHECK;

struct job_key {
    int64_t job_id;
    struct slice cluster; // empty: any
    bool has_start_time;
    int64_t start_time;
};
// The row that a stop request means: running ones first, then the newest. 1 and *ret; 0: none.
int sql_job_find_for_stop(struct sql_conn *conn, const struct job_key *key, struct arena *arena,
                          struct job *ret, struct error *err) MUST_CHECK;

enum job_sort { JOB_SORT_START_TIME, JOB_SORT_DURATION, JOB_SORT_NUM_NODES, JOB_SORT_JOB_ID };

struct job_filter {
    enum job_state states[16];
    size_t state_count;                        // 0: all
    struct slice cluster, project, user, host; // empty: any; equality
    struct slice name;                         // empty: any; part of metaData.jobName, ASCII case-insensitive
    int64_t start_from, start_to;              // 0: open; inclusive
    enum job_sort sort;
    bool ascending;
    int64_t limit; // -1: all
    int64_t offset;
    bool with_meta_data;
    int64_t now_s; // for the duration of running jobs
};
int sql_job_list(struct sql_conn *conn, const struct job_filter *filter, struct arena *arena,
                 struct job **ret_jobs, size_t *ret_count, struct error *err) MUST_CHECK;
int sql_job_count(struct sql_conn *conn, const struct job_filter *filter, int64_t *ret_count,
                  struct error *err) MUST_CHECK;
// Ids of stopped rows that wait for the archiver, ascending, behind 'after'; at most max.
int sql_job_waiting(struct sql_conn *conn, int64_t after, size_t max, int64_t *ret_ids, size_t *ret_count,
                    struct error *err) MUST_CHECK;
// Resources of jobs: calls visit(ctx, cluster, host) for each host of running jobs with start_time < before;
// with 'finished' also of the newest 'recent' finished ones.
typedef void sql_job_host_fn(void *ctx, struct slice cluster, struct slice host);
int sql_job_visit_hosts(struct sql_conn *conn, int64_t before, int64_t recent, sql_job_host_fn *visit,
                        void *ctx, struct error *err) MUST_CHECK;

// Hosts whose samples from before this time are still needed: of running jobs, and of stopped ones that wait for the archiver.
int sql_job_visit_needed_hosts(struct sql_conn *conn, int64_t before, sql_job_host_fn *visit, void *ctx,
                               struct error *err) MUST_CHECK;

#endif
