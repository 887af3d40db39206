// SPDX-License-Identifier: MIT
#include "backend/jobs.h"

#include <inttypes.h>

#include "backend/job-load.h"
#include "base/log.h"

#define STATS_MIN_SERIES 8

// ---- start ------------------------------------------------------------------------------------------------
static bool is_sharing(struct slice shared)
{
    return slice_eq_cstr(shared, "none") || slice_eq_cstr(shared, "single_user") ||
           slice_eq_cstr(shared, "multi_user");
}

static int assign_subcluster(const struct jobs *jobs, struct job *job, struct error *err)
{
    const struct subcluster *sub = NULL;
    struct slice host = job->resource_count ? job->resources[0].hostname : SLICE_EMPTY;
    if (!cluster_find(jobs->clusters, job->cluster))
        return error_set(err, ERR_INVALID, "no such cluster: %.*s", SLICE_FMT(job->cluster));
    if (job->subcluster.len == 0 && job->resource_count == 0)
        return error_set(err, ERR_INVALID, "ARCHIVE/CLUSTERCONFIG > job without any resources/hosts");
    if (subcluster_assign(jobs->clusters, job->cluster, job->subcluster, host, &sub, err))
        return ERR_INVALID;
    job->subcluster = slice_from_cstr(sub->name);
    return 0;
}

static int check_start(const struct job *job, struct error *err)
{
    if (job->resource_count == 0 || job->user.len == 0)
        return error_set(err, ERR_INVALID, "'resources' and 'user' should not be empty");
    if (job->num_acc < 0 || job->num_hwthreads < 0 || job->num_nodes < 1)
        return error_set(err, ERR_INVALID, "'numNodes', 'numAcc' or 'numHWThreads' invalid");
    if ((int64_t)job->resource_count != job->num_nodes)
        return error_set(err, ERR_INVALID, "len(resources) does not equal numNodes (%zu vs %" PRId64 ")",
                         job->resource_count, job->num_nodes);
    if (!is_sharing(job->shared))
        return error_set(err, ERR_INVALID,
                         "'shared' must be one of none, single_user, multi_user, not '%.*s'",
                         SLICE_FMT(job->shared));
    if (job->monitoring_status < MONITORING_DISABLED ||
        job->monitoring_status > MONITORING_ARCHIVING_SUCCESSFUL)
        return error_set(err, ERR_INVALID, "invalid monitoringStatus: %" PRId64, job->monitoring_status);
    if (job->smt < 0)
        return error_set(err, ERR_INVALID, "'smt' must not be negative: %" PRId64, job->smt);
    return 0;
}

static int already_there(int64_t id, int64_t job_id, struct error *err)
{
    return error_set(err, ERR_EXISTS,
                     "a job with that jobId, cluster and startTime already exists: dbid: %" PRId64
                     ", jobid: %" PRId64,
                     id, job_id);
}

static int start_op(void *ctx, struct sql_conn *conn, struct error *err)
{
    struct job *job = ctx;
    int64_t id = 0;
    int rc = sql_job_find_duplicate(conn, job, &id, err);
    if (rc)
        return rc < 0 ? rc : already_there(id, job->job_id, err);
    rc = sql_job_insert(conn, job, &job->id, err);
    // The rule above is a window; the table's own constraint is a point inside it.
    return rc == ERR_EXISTS ? already_there(0, job->job_id, err) : rc;
}

int jobs_start(const struct jobs *jobs, struct job *job, struct error *err)
{
    int rc = assign_subcluster(jobs, job, err);
    if (rc == 0)
        rc = check_start(job, err);
    if (rc)
        return rc;
    job->state = JOB_RUNNING;
    job->state_text = SLICE_LITERAL("running");
    job->has_energy_footprint = job->has_statistics = false;
    struct error cause = ERROR_INIT;
    rc = job_writer_do(jobs->writer, start_op, job, &cause);
    if (rc == ERR_EXISTS)
        return error_set(err, rc, "%s", cause.text);
    if (rc)
        return error_set(err, rc, "insert into database failed: %s", cause.text);
    log_info("new job (id: %" PRId64 "): cluster=%.*s, jobId=%" PRId64 ", user=%.*s, startTime=%" PRId64,
             job->id, SLICE_FMT(job->cluster), job->job_id, SLICE_FMT(job->user), job->start_time);
    return 0;
}

// ---- stop -------------------------------------------------------------------------------------------------
struct stop_ctx {
    const struct job_stop *stop;
    struct arena *arena;
    struct job *job;
};

static int check_stop(const struct job_stop *stop, const struct job *job, enum job_state *ret_state,
                      struct error *err)
{
    char who[400];
    snprintf(who, sizeof(who), "jobId %" PRId64 " (id %" PRId64 ") on %.*s", job->job_id, job->id,
             (int)MIN(job->cluster.len, (size_t)200), job->cluster.ptr);
    if (job->state != JOB_RUNNING)
        return error_set(err, ERR_EXISTS, "%s : job has already been stopped (state is: %.*s)", who,
                         SLICE_FMT(job->state_text));
    if (stop->stop_time < job->start_time)
        return error_set(err, ERR_INVALID,
                         "%s : stopTime %" PRId64 " must be larger/equal than startTime %" PRId64, who,
                         stop->stop_time, job->start_time);
    *ret_state = stop->state.len ? job_state_from_name(stop->state) : JOB_COMPLETED;
    if (*ret_state == JOB_STATE_INVALID || *ret_state == JOB_RUNNING)
        return error_set(err, ERR_INVALID, "%s : invalid requested job state: \"%.*s\"", who,
                         SLICE_FMT(stop->state));
    return 0;
}

static int stop_op(void *ctx, struct sql_conn *conn, struct error *err)
{
    struct stop_ctx *s = ctx;
    enum job_state state = JOB_STATE_INVALID;
    int rc = sql_job_find_for_stop(conn, &s->stop->key, s->arena, s->job, err);
    if (rc == 0)
        return error_set(err, ERR_NOT_FOUND, "finding job failed: sql: no rows in result set");
    if (rc == 1)
        rc = check_stop(s->stop, s->job, &state, err);
    if (rc)
        return rc;
    int64_t duration = s->stop->stop_time - s->job->start_time;
    rc = sql_job_mark_stopped(conn, s->job->id, state, duration, err);
    if (rc)
        return rc;
    s->job->state = state;
    s->job->state_text = slice_from_cstr(job_state_name(state));
    s->job->duration_s = duration;
    return 0;
}

int jobs_stop(const struct jobs *jobs, const struct job_stop *stop, struct arena *arena, struct job *ret_job,
              struct error *err)
{
    struct stop_ctx ctx = {.stop = stop, .arena = arena, .job = ret_job};
    int rc = job_writer_do(jobs->writer, stop_op, &ctx, err);
    if (rc)
        return rc;
    if (ret_job->monitoring_status != MONITORING_DISABLED) {
        log_info("archiving job... (dbid: %" PRId64 "): cluster=%.*s, jobId=%" PRId64
                 ", user=%.*s, startTime=%" PRId64 ", duration=%" PRId64 ", state=%s",
                 ret_job->id, SLICE_FMT(ret_job->cluster), ret_job->job_id, SLICE_FMT(ret_job->user),
                 ret_job->start_time, ret_job->duration_s, job_state_name(ret_job->state));
        archiver_enqueue(jobs->archiver, ret_job->id);
    }
    return 0;
}

// ---- reading ----------------------------------------------------------------------------------------------
int jobs_get(const struct jobs *jobs, int64_t id, struct arena *arena, struct job *ret, struct error *err)
{
    struct sql_conn *conn = sql_take_reader(jobs->pool);
    int rc = sql_job_get(conn, id, arena, ret, err);
    sql_give_back(&conn);
    if (rc == 0)
        return error_set(err, ERR_NOT_FOUND, "sql: no rows in result set");
    if (rc == 1 && ret->state == JOB_RUNNING)
        ret->duration_s = MAX(0, jobs->now_s() - ret->start_time);
    return rc < 0 ? rc : 0;
}

void jobs_add_statistics(const struct jobs *jobs, struct arena *arena, struct job *job)
{
    struct job archived;
    struct error err = ERROR_INIT;
    if (job->monitoring_status != MONITORING_ARCHIVING_SUCCESSFUL)
        return;
    if (archive_read_meta(jobs->archive, job, arena, &archived, &err)) {
        log_warn("job %" PRId64 ": no statistics: %s", job->id, err.text);
        return;
    }
    job->has_statistics = archived.has_statistics;
    job->statistics = archived.statistics;
    job->statistic_count = archived.statistic_count;
}

static bool metric_wanted(const struct jobs_data_request *r, const char *name)
{
    for (size_t i = 0; i < r->metric_count; i++) {
        if (slice_eq_cstr(r->metrics[i], name))
            return true;
    }
    return r->metric_count == 0;
}

static bool scope_wanted(const struct jobs_data_request *r, enum scope scope)
{
    for (size_t i = 0; i < r->scope_count; i++) {
        if (r->scopes[i] == scope)
            return true;
    }
    return false;
}

// Of a metric with several scopes the requested ones count; if none of them is there, or there is but one,
// all do.
static bool scope_passes(const struct jobs_data_request *r, const struct job_data *data,
                         const struct job_metric *m)
{
    size_t scopes = 0, wanted = 0;
    for (size_t i = 0; i < data->count; i++) {
        if (strcmp(data->metrics[i].name, m->name) != 0)
            continue;
        scopes++;
        wanted += scope_wanted(r, data->metrics[i].scope);
    }
    return scopes == 1 || wanted == 0 || scope_wanted(r, m->scope);
}

static void filter_archived(const struct jobs_data_request *r, struct arena *arena, struct job_data *data)
{
    struct job_metric *kept = ARENA_ARRAY(arena, struct job_metric, data->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < data->count; i++) {
        if (metric_wanted(r, data->metrics[i].name) && scope_passes(r, data, &data->metrics[i]))
            kept[count++] = data->metrics[i];
    }
    data->metrics = kept;
    data->count = data->cap = count;
}

static int load_archived(const struct jobs *jobs, const struct job *job,
                         const struct jobs_data_request *request, struct arena *arena, struct job_data *ret,
                         struct error *err)
{
    if (job->monitoring_status != MONITORING_ARCHIVING_SUCCESSFUL) {
        job_data_init(ret, arena); // never archived: there is no data
        return 0;
    }
    int rc = archive_read_data(jobs->archive, job, arena, ret, err);
    if (rc)
        return rc;
    filter_archived(request, arena, ret);
    size_t minimum = jobs->resample_minimum_points ? jobs->resample_minimum_points : 1000;
    return job_data_resample(ret, request->resolution_s, minimum, err);
}

static int load_live(const struct jobs *jobs, const struct job *job, const struct jobs_data_request *request,
                     struct arena *arena, struct job_data *ret, struct error *err)
{
    struct job_load_result result;
    struct job_load load = {.store = jobs->store,
                            .clusters = jobs->clusters,
                            .job = job,
                            .metrics = request->metrics,
                            .metric_count = request->metric_count,
                            .scopes = request->scopes,
                            .scope_count = request->scope_count,
                            .resolution_s = request->resolution_s};
    int rc = job_load_run(&load, arena, &result, err);
    if (rc)
        return rc;
    if (result.failures && result.data.count == 0)
        return error_set(err, result.first_failure.code, "%s", result.first_failure.text);
    if (result.failures)
        log_warn("job %" PRId64 ": %zu selectors failed: %s", job->id, result.failures,
                 result.first_failure.text);
    *ret = result.data;
    return 0;
}

int jobs_load_data(const struct jobs *jobs, const struct job *job, const struct jobs_data_request *request,
                   struct arena *arena, struct job_data *ret, struct error *err)
{
    bool live = job->state == JOB_RUNNING || job->monitoring_status == MONITORING_RUNNING_OR_ARCHIVING;
    int rc = live ? load_live(jobs, job, request, arena, ret, err)
                  : load_archived(jobs, job, request, arena, ret, err);
    if (rc)
        return rc;
    job_data_finish(ret, STATS_MIN_SERIES);
    job_data_sort(ret);
    return 0;
}
