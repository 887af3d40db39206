// SPDX-License-Identifier: MIT
#include "backend/sql-job.h"

#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"

#define JSON_COLUMN_MAX_BYTES ((size_t)64 << 20)

// Order of the columns as row_to_job reads them.
#define JOB_COLUMNS                                                                                          \
    "id, job_id, hpc_user, project, cluster, subcluster, submit_time, start_time, cluster_partition, "       \
    "array_job_id, num_nodes, num_hwthreads, num_acc, shared, monitoring_status, smt, job_state, duration, " \
    "walltime, requested_memory, energy, energy_footprint, footprint, resources"

// ---- one row ----------------------------------------------------------------------------------------------
static struct json_doc *parse_column(struct slice text, int64_t id, const char *column)
{
    struct json_doc *doc = NULL;
    struct error err = ERROR_INIT;
    if (text.len && json_parse(text, &doc, &err))
        log_warn("job %lld: column %s is damaged: %s", (long long)id, column, err.text);
    return doc;
}

// NULL (JSON null) for a column that is empty or damaged.
static const struct json_value *root_of(const struct json_doc *doc)
{
    return doc ? json_root(doc) : NULL;
}

static void read_json_columns(struct sql_stmt *stmt, struct arena *arena, struct job *job)
{
    struct error err = ERROR_INIT;
    struct json_doc *doc = parse_column(sql_column_text(stmt, 21), job->id, "energy_footprint");
    int rc = job_decode_numbers(root_of(doc), arena, &job->energy_footprint, &job->energy_footprint_count,
                                &job->has_energy_footprint, &err);
    json_doc_free(&doc);
    doc = parse_column(sql_column_text(stmt, 22), job->id, "footprint");
    rc |= job_decode_numbers(root_of(doc), arena, &job->footprint, &job->footprint_count, &job->has_footprint,
                             &err);
    json_doc_free(&doc);
    doc = parse_column(sql_column_text(stmt, 23), job->id, "resources");
    rc |= job_decode_resources(root_of(doc), false, arena, job, &err);
    json_doc_free(&doc);
    doc = parse_column(sql_column_text(stmt, 24), job->id, "meta_data");
    rc |= job_decode_meta_data(root_of(doc), arena, job, &err);
    json_doc_free(&doc);
    if (rc)
        log_warn("job %lld: %s", (long long)job->id, err.text);
}

static struct slice text_of(struct sql_stmt *stmt, int column, struct arena *arena)
{
    return arena_copy(arena, sql_column_text(stmt, column));
}

static void row_to_job(struct sql_stmt *stmt, struct arena *arena, struct job *job)
{
    *job = (struct job){.id = sql_column_int(stmt, 0),
                        .job_id = sql_column_int(stmt, 1),
                        .user = text_of(stmt, 2, arena),
                        .project = text_of(stmt, 3, arena),
                        .cluster = text_of(stmt, 4, arena),
                        .subcluster = text_of(stmt, 5, arena),
                        .submit_time = sql_column_int(stmt, 6),
                        .start_time = sql_column_int(stmt, 7),
                        .partition = text_of(stmt, 8, arena),
                        .array_job_id = sql_column_int(stmt, 9),
                        .num_nodes = sql_column_int(stmt, 10),
                        .num_hwthreads = sql_column_int(stmt, 11),
                        .num_acc = sql_column_int(stmt, 12),
                        .shared = text_of(stmt, 13, arena),
                        .monitoring_status = sql_column_int(stmt, 14),
                        .smt = sql_column_int(stmt, 15),
                        .state_text = text_of(stmt, 16, arena),
                        .duration_s = sql_column_int(stmt, 17),
                        .walltime_s = sql_column_int(stmt, 18),
                        .requested_memory_mb = sql_column_int(stmt, 19),
                        .energy_kwh = sql_column_double(stmt, 20)};
    job->state = job_state_from_name(job->state_text);
    read_json_columns(stmt, arena, job);
}

// Steps once and reads the row, if there is one.
static int one_job(struct sql_stmt *stmt, struct arena *arena, struct job *ret, struct error *err)
{
    int rc = sql_step(stmt, err);
    if (rc == 1)
        row_to_job(stmt, arena, ret);
    sql_finish(stmt);
    return rc;
}

// ---- changes ----------------------------------------------------------------------------------------------
static void bind_buf(struct sql_stmt *stmt, int index, struct buf *text)
{
    sql_bind_text(stmt, index, buf_slice(text));
    buf_clear(text);
}

static void bind_json_columns(struct sql_stmt *stmt, int first, const struct job *job)
{
    struct buf text;
    buf_init(&text, JSON_COLUMN_MAX_BYTES);
    job_encode_footprint(job->footprint, job->footprint_count, job->has_footprint, &text);
    bind_buf(stmt, first, &text);
    job_encode_resources(job, &text);
    bind_buf(stmt, first + 1, &text);
    job_encode_meta_data(job, &text);
    bind_buf(stmt, first + 2, &text);
    buf_release(&text);
}

int sql_job_insert(struct sql_conn *conn, const struct job *job, int64_t *ret_id, struct error *err)
{
    static const char sql[] =
        "INSERT INTO job (job_id, hpc_user, project, cluster, subcluster, submit_time, start_time, "
        "cluster_partition, array_job_id, num_nodes, num_hwthreads, num_acc, shared, monitoring_status, smt, "
        "job_state, duration, walltime, requested_memory, energy, footprint, resources, meta_data) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    struct sql_stmt *stmt = NULL;
    int rc = sql_prepare(conn, sql, &stmt, err);
    if (rc)
        return rc;
    sql_bind_int(stmt, 1, job->job_id);
    sql_bind_text(stmt, 2, job->user);
    sql_bind_text(stmt, 3, job->project);
    sql_bind_text(stmt, 4, job->cluster);
    sql_bind_text(stmt, 5, job->subcluster);
    sql_bind_int(stmt, 6, job->submit_time);
    sql_bind_int(stmt, 7, job->start_time);
    sql_bind_text(stmt, 8, job->partition);
    sql_bind_int(stmt, 9, job->array_job_id);
    sql_bind_int(stmt, 10, job->num_nodes);
    sql_bind_int(stmt, 11, job->num_hwthreads);
    sql_bind_int(stmt, 12, job->num_acc);
    sql_bind_text(stmt, 13, job->shared);
    sql_bind_int(stmt, 14, job->monitoring_status);
    sql_bind_int(stmt, 15, job->smt);
    sql_bind_text(stmt, 16, slice_from_cstr(job_state_name(job->state)));
    sql_bind_int(stmt, 17, job->duration_s);
    sql_bind_int(stmt, 18, job->walltime_s);
    sql_bind_int(stmt, 19, job->requested_memory_mb);
    sql_bind_double(stmt, 20, job->energy_kwh);
    bind_json_columns(stmt, 21, job);
    rc = sql_step(stmt, err);
    sql_finish(stmt);
    if (rc < 0)
        return rc;
    *ret_id = sql_last_insert_id(conn);
    return 0;
}

// Runs a statement that must change exactly one row.
static int change_one(struct sql_conn *conn, struct sql_stmt *stmt, int64_t id, struct error *err)
{
    int rc = sql_step(stmt, err);
    int64_t changes = rc < 0 ? 0 : sql_changes(conn);
    sql_finish(stmt);
    if (rc < 0)
        return rc;
    return changes == 1
               ? 0
               : error_set(err, ERR_NOT_FOUND, "job %lld is not there in the expected state", (long long)id);
}

int sql_job_mark_stopped(struct sql_conn *conn, int64_t id, enum job_state state, int64_t duration_s,
                         struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int rc =
        sql_prepare(conn, "UPDATE job SET job_state = ?, duration = ? WHERE id = ? AND job_state = 'running'",
                    &stmt, err);
    if (rc)
        return rc;
    sql_bind_text(stmt, 1, slice_from_cstr(job_state_name(state)));
    sql_bind_int(stmt, 2, duration_s);
    sql_bind_int(stmt, 3, id);
    return change_one(conn, stmt, id, err);
}

int sql_job_mark_archived(struct sql_conn *conn, const struct job *job, enum monitoring_status status,
                          struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int rc =
        sql_prepare(conn,
                    "UPDATE job SET footprint = ?, energy_footprint = ?, energy = ?, monitoring_status = ? "
                    "WHERE id = ?",
                    &stmt, err);
    if (rc)
        return rc;
    struct buf text;
    buf_init(&text, JSON_COLUMN_MAX_BYTES);
    job_encode_footprint(job->footprint, job->footprint_count, job->has_footprint, &text);
    bind_buf(stmt, 1, &text);
    job_encode_footprint(job->energy_footprint, job->energy_footprint_count, job->has_energy_footprint,
                         &text);
    bind_buf(stmt, 2, &text);
    buf_release(&text);
    sql_bind_double(stmt, 3, job->energy_kwh);
    sql_bind_int(stmt, 4, status);
    sql_bind_int(stmt, 5, job->id);
    return change_one(conn, stmt, job->id, err);
}

int sql_job_set_footprint(struct sql_conn *conn, const struct job *job, struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int rc = sql_prepare(conn, "UPDATE job SET footprint = ? WHERE id = ?", &stmt, err);
    if (rc)
        return rc;
    struct buf text;
    buf_init(&text, JSON_COLUMN_MAX_BYTES);
    job_encode_footprint(job->footprint, job->footprint_count, job->has_footprint, &text);
    bind_buf(stmt, 1, &text);
    buf_release(&text);
    sql_bind_int(stmt, 2, job->id);
    return change_one(conn, stmt, job->id, err);
}

int sql_job_update_durations(struct sql_conn *conn, int64_t now_s, struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int rc =
        sql_prepare(conn, "UPDATE job SET duration = ? - start_time WHERE job_state = 'running'", &stmt, err);
    if (rc)
        return rc;
    sql_bind_int(stmt, 1, now_s);
    rc = sql_step(stmt, err);
    sql_finish(stmt);
    return rc < 0 ? rc : 0;
}

#define CACHE_COLUMNS                                                                                        \
    "job_id, cluster, subcluster, submit_time, start_time, hpc_user, project, cluster_partition, "           \
    "array_job_id, duration, walltime, job_state, meta_data, resources, num_nodes, num_hwthreads, num_acc, " \
    "smt, shared, monitoring_status, energy, energy_footprint, footprint"

// One row of the cache; 1 moved, 0 refused by a constraint of job.
static int move_cached(struct sql_conn *conn, int64_t id, struct error *err)
{
    static const char *const sql[] = {"INSERT INTO job (" CACHE_COLUMNS ") SELECT " CACHE_COLUMNS
                                      " FROM job_cache WHERE id = ?",
                                      "DELETE FROM job_cache WHERE id = ?"};
    for (size_t i = 0; i < ARRAY_LEN(sql); i++) {
        struct sql_stmt *stmt = NULL;
        int rc = sql_prepare(conn, sql[i], &stmt, err);
        if (rc)
            return rc;
        sql_bind_int(stmt, 1, id);
        rc = sql_step(stmt, err);
        sql_finish(stmt);
        if (rc == ERR_EXISTS)
            return 0;
        if (rc < 0)
            return rc;
    }
    return 1;
}

int sql_job_drain_cache(struct sql_conn *conn, int64_t *ret_moved, int64_t *ret_kept, struct error *err)
{
    int64_t after = -1;
    *ret_moved = *ret_kept = 0;
    for (;;) {
        struct sql_stmt *stmt = NULL;
        int rc = sql_prepare(conn, "SELECT id FROM job_cache WHERE id > ? ORDER BY id LIMIT 1", &stmt, err);
        if (rc)
            return rc;
        sql_bind_int(stmt, 1, after);
        rc = sql_step(stmt, err);
        if (rc == 1)
            after = sql_column_int(stmt, 0);
        sql_finish(stmt);
        if (rc <= 0)
            return rc;
        struct error row_err = ERROR_INIT;
        rc = move_cached(conn, after, &row_err);
        if (rc < 0)
            return error_set(err, row_err.code, "%s", row_err.text);
        *ret_moved += rc == 1;
        *ret_kept += rc == 0;
        if (rc == 0)
            log_error("job_cache: row %lld is refused by table job and stays: %s", (long long)after,
                      row_err.text);
    }
}

// ---- reading ----------------------------------------------------------------------------------------------
int sql_job_get(struct sql_conn *conn, int64_t id, struct arena *arena, struct job *ret, struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int rc = sql_prepare(conn, "SELECT " JOB_COLUMNS ", meta_data FROM job WHERE id = ?", &stmt, err);
    if (rc)
        return rc;
    sql_bind_int(stmt, 1, id);
    return one_job(stmt, arena, ret, err);
}

int sql_job_find_duplicate(struct sql_conn *conn, const struct job *job, int64_t *ret_id, struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int rc = sql_prepare(conn,
                         "SELECT id FROM job WHERE job_id = ? AND cluster = ? AND ? - start_time < 86400 "
                         "ORDER BY id LIMIT 1",
                         &stmt, err);
    if (rc)
        return rc;
    sql_bind_int(stmt, 1, job->job_id);
    sql_bind_text(stmt, 2, job->cluster);
    sql_bind_int(stmt, 3, job->start_time);
    rc = sql_step(stmt, err);
    if (rc == 1)
        *ret_id = sql_column_int(stmt, 0);
    sql_finish(stmt);
    return rc;
}

int sql_job_find_for_stop(struct sql_conn *conn, const struct job_key *key, struct arena *arena,
                          struct job *ret, struct error *err)
{
    // The conditions that are not given hold for every row; the unique index on job_id bounds the search.
    static const char sql[] = "SELECT " JOB_COLUMNS ", meta_data FROM job WHERE job_id = ?1 "
                              "AND (?2 = '' OR cluster = ?2) AND (?3 = 0 OR start_time = ?4) "
                              "ORDER BY job_state = 'running' DESC, id DESC LIMIT 1";
    struct sql_stmt *stmt = NULL;
    int rc = sql_prepare(conn, sql, &stmt, err);
    if (rc)
        return rc;
    sql_bind_int(stmt, 1, key->job_id);
    sql_bind_text(stmt, 2, key->cluster);
    sql_bind_int(stmt, 3, key->has_start_time);
    sql_bind_int(stmt, 4, key->start_time);
    return one_job(stmt, arena, ret, err);
}

int sql_job_waiting(struct sql_conn *conn, int64_t after, size_t max, int64_t *ret_ids, size_t *ret_count,
                    struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int rc =
        sql_prepare(conn,
                    "SELECT id FROM job WHERE id > ? AND monitoring_status = 1 AND job_state != 'running' "
                    "ORDER BY id LIMIT ?",
                    &stmt, err);
    if (rc)
        return rc;
    sql_bind_int(stmt, 1, after);
    sql_bind_int(stmt, 2, (int64_t)max);
    size_t n = 0;
    while (n < max && (rc = sql_step(stmt, err)) == 1)
        ret_ids[n++] = sql_column_int(stmt, 0);
    sql_finish(stmt);
    *ret_count = n;
    return rc < 0 ? rc : 0;
}

// ---- lists ------------------------------------------------------------------------------------------------
// Conditions are collected as text with one parameter each.
struct where {
    struct buf sql;
    struct {
        bool is_text;
        struct slice text;
        int64_t number;
    } params[32];
    size_t count;
};

static void add_condition(struct where *w, const char *condition)
{
    buf_append_cstr(&w->sql, w->count || buf_slice(&w->sql).len ? " AND " : " WHERE ");
    buf_append_cstr(&w->sql, condition);
}

static void add_text(struct where *w, const char *condition, struct slice value)
{
    if (!value.len)
        return;
    add_condition(w, condition);
    w->params[w->count].is_text = true;
    w->params[w->count++].text = value;
}

static void add_number(struct where *w, const char *condition, int64_t value)
{
    add_condition(w, condition);
    w->params[w->count++].number = value;
}

// State names stand in the text because partial indexes need the literal (spec 2.4).
static void add_states(struct where *w, const struct job_filter *f)
{
    struct buf text;
    if (!f->state_count)
        return;
    buf_init(&text, 4096);
    buf_append_cstr(&text, f->state_count == 1 ? "job_state = " : "job_state IN (");
    for (size_t i = 0; i < f->state_count; i++)
        buf_printf(&text, "%s'%s'", i ? "," : "", job_state_name(f->states[i]));
    if (f->state_count > 1)
        buf_append_byte(&text, ')');
    add_condition(w, buf_cstr(&text));
    buf_release(&text);
}

static void add_filter(struct where *w, const struct job_filter *f)
{
    add_states(w, f);
    add_text(w, "cluster = ?", f->cluster);
    add_text(w, "project = ?", f->project);
    add_text(w, "hpc_user = ?", f->user);
    add_text(w, "EXISTS (SELECT 1 FROM json_each(job.resources) WHERE json_extract(value, '$.hostname') = ?)",
             f->host);
    add_text(w, "instr(lower(json_extract(job.meta_data, '$.jobName')), lower(?)) > 0", f->name);
    if (f->start_from > 0)
        add_number(w, "start_time >= ?", f->start_from);
    if (f->start_to > 0)
        add_number(w, "start_time <= ?", f->start_to);
}

static int prepare_filtered(struct sql_conn *conn, const char *select, const struct job_filter *f,
                            const char *tail, struct sql_stmt **ret_stmt, int *ret_next_param,
                            struct error *err)
{
    struct where w = {.count = 0};
    struct buf sql;
    buf_init(&w.sql, 16384);
    buf_init(&sql, 32768);
    add_filter(&w, f);
    buf_append_cstr(&sql, select);
    buf_append_slice(&sql, buf_slice(&w.sql));
    buf_append_cstr(&sql, tail);
    int rc = sql_prepare(conn, buf_cstr(&sql), ret_stmt, err);
    for (size_t i = 0; rc == 0 && i < w.count; i++) {
        if (w.params[i].is_text)
            sql_bind_text(*ret_stmt, (int)i + 1, w.params[i].text);
        else
            sql_bind_int(*ret_stmt, (int)i + 1, w.params[i].number);
    }
    *ret_next_param = (int)w.count + 1;
    buf_release(&w.sql);
    buf_release(&sql);
    return rc;
}

// Sort keys; the id makes the order total. The duration of running jobs is counted from their start.
static const char *order_by(const struct job_filter *f)
{
    static const char *const text[][2] = {
        [JOB_SORT_START_TIME] = {" ORDER BY start_time DESC, id DESC", " ORDER BY start_time ASC, id ASC"},
        [JOB_SORT_DURATION] = {" ORDER BY duration DESC, id DESC", " ORDER BY duration ASC, id ASC"},
        [JOB_SORT_NUM_NODES] = {" ORDER BY num_nodes DESC, id DESC", " ORDER BY num_nodes ASC, id ASC"},
        [JOB_SORT_JOB_ID] = {" ORDER BY job_id DESC, id DESC", " ORDER BY job_id ASC, id ASC"},
    };
    return text[f->sort][f->ascending];
}

int sql_job_list(struct sql_conn *conn, const struct job_filter *filter, struct arena *arena,
                 struct job **ret_jobs, size_t *ret_count, struct error *err)
{
    char tail[128];
    struct sql_stmt *stmt = NULL;
    int next = 0;
    snprintf(tail, sizeof(tail), "%s LIMIT ? OFFSET ?", order_by(filter));
    int rc = prepare_filtered(conn,
                              filter->with_meta_data ? "SELECT " JOB_COLUMNS ", meta_data FROM job"
                                                     : "SELECT " JOB_COLUMNS ", NULL FROM job",
                              filter, tail, &stmt, &next, err);
    if (rc)
        return rc;
    sql_bind_int(stmt, next, filter->limit);
    sql_bind_int(stmt, next + 1, filter->offset);
    struct job *jobs = NULL;
    size_t count = 0, cap = 0;
    while ((rc = sql_step(stmt, err)) == 1) {
        ENSURE_CAPACITY(jobs, cap, count + 1);
        row_to_job(stmt, arena, &jobs[count]);
        if (jobs[count].state == JOB_RUNNING)
            jobs[count].duration_s = MAX(0, filter->now_s - jobs[count].start_time);
        count++;
    }
    sql_finish(stmt);
    if (rc == 0) {
        *ret_jobs = ARENA_ARRAY(arena, struct job, count);
        for (size_t i = 0; i < count; i++)
            (*ret_jobs)[i] = jobs[i];
        *ret_count = count;
    }
    mem_free(jobs);
    return rc;
}

int sql_job_count(struct sql_conn *conn, const struct job_filter *filter, int64_t *ret_count,
                  struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int next = 0;
    int rc = prepare_filtered(conn, "SELECT count(*) FROM job", filter, "", &stmt, &next, err);
    if (rc)
        return rc;
    rc = sql_step(stmt, err);
    if (rc == 1)
        *ret_count = sql_column_int(stmt, 0);
    sql_finish(stmt);
    return rc < 0 ? rc : 0;
}

static void visit_row(struct sql_stmt *stmt, sql_job_host_fn *visit, void *ctx)
{
    struct slice cluster = sql_column_text(stmt, 0);
    struct json_doc *doc = parse_column(sql_column_text(stmt, 1), sql_column_int(stmt, 2), "resources");
    const struct json_value *list = root_of(doc);
    for (size_t i = 0; i < json_count(list); i++) {
        struct slice host = json_string(json_get(json_at(list, i), "hostname"));
        if (host.len)
            visit(ctx, cluster, host);
    }
    json_doc_free(&doc);
}

static int visit_all(struct sql_stmt *stmt, int64_t param, sql_job_host_fn *visit, void *ctx,
                     struct error *err)
{
    int rc;
    sql_bind_int(stmt, 1, param);
    while ((rc = sql_step(stmt, err)) == 1)
        visit_row(stmt, visit, ctx);
    sql_finish(stmt);
    return rc;
}

int sql_job_visit_hosts(struct sql_conn *conn, int64_t before, int64_t recent, sql_job_host_fn *visit,
                        void *ctx, struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int rc = sql_prepare(
        conn, "SELECT cluster, resources, id FROM job WHERE job_state = 'running' AND start_time < ?", &stmt,
        err);
    if (rc == 0)
        rc = visit_all(stmt, before, visit, ctx, err);
    if (rc || recent <= 0)
        return rc;
    rc = sql_prepare(conn, "SELECT cluster, resources, id FROM job ORDER BY id DESC LIMIT ?", &stmt, err);
    return rc ? rc : visit_all(stmt, recent, visit, ctx, err);
}

int sql_job_visit_needed_hosts(struct sql_conn *conn, int64_t before, sql_job_host_fn *visit, void *ctx,
                               struct error *err)
{
    struct sql_stmt *stmt = NULL;
    int rc = sql_job_visit_hosts(conn, before, 0, visit, ctx, err);
    if (rc == 0)
        rc = sql_prepare(conn,
                         "SELECT cluster, resources, id FROM job WHERE monitoring_status = 1 AND "
                         "job_state != 'running' AND start_time < ?",
                         &stmt, err);
    return rc ? rc : visit_all(stmt, before, visit, ctx, err);
}
