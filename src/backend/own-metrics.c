// SPDX-License-Identifier: MIT
#include "backend/own-metrics.h"

#include "base/log.h"
#include "codec/openmetrics.h"
#include "store/persist-metrics.h"

struct sample {
    const char *name;
    void (*write)(struct buf *out, const char *name, const char *help, uint64_t value);
    const char *help;
    uint64_t value;
};

static void put_samples(struct buf *out, const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        samples[i].write(out, samples[i].name, samples[i].help, samples[i].value);
}

static void put_http(struct buf *out, struct http_server *server)
{
    struct http_server_stats s = {0};
    http_server_stats(server, &s);
    const struct sample samples[] = {
        {"cc_backend_http_requests", openmetrics_counter, "requests answered", s.requests},
        {"cc_backend_http_client_errors", openmetrics_counter, "answers with status 4xx", s.responses_4xx},
        {"cc_backend_http_server_errors", openmetrics_counter, "answers with status 5xx", s.responses_5xx},
        {"cc_backend_http_received_bytes", openmetrics_counter, "bytes of bodies received", s.bytes_in},
        {"cc_backend_http_sent_bytes", openmetrics_counter, "bytes of bodies sent", s.bytes_out},
        {"cc_backend_http_refused_bodies", openmetrics_counter, "bodies over the limit", s.refused_bodies},
        {"cc_backend_http_aborted_requests", openmetrics_counter, "requests that broke off",
         s.aborted_requests},
        {"cc_backend_http_connections", openmetrics_gauge, "open connections", s.connections_now}};
    put_samples(out, samples, ARRAY_LEN(samples));
}

static void put_jobs(struct buf *out, const struct jobs *jobs)
{
    struct job_writer_stats w;
    struct archiver_stats a;
    job_writer_stats(jobs->writer, &w);
    archiver_stats(jobs->archiver, &a);
    const struct sample samples[] = {
        {"cc_backend_db_operations", openmetrics_counter, "operations of the writer thread", w.operations},
        {"cc_backend_db_refused", openmetrics_counter, "operations that were refused or failed", w.failed},
        {"cc_backend_db_commits", openmetrics_counter,
         "transactions; operations per transaction is the group size", w.commits},
        {"cc_backend_db_largest_batch", openmetrics_gauge, "most operations in one transaction",
         w.largest_batch},
        {"cc_backend_archived_jobs", openmetrics_counter, "jobs written to the archive", a.archived},
        {"cc_backend_archive_retries", openmetrics_counter,
         "attempts to archive that failed and are repeated", a.retries},
        {"cc_backend_archive_failures", openmetrics_counter, "jobs given up", a.failed},
        {"cc_backend_archive_partial", openmetrics_counter, "jobs archived with missing series", a.partial},
        {"cc_backend_archive_waiting", openmetrics_gauge, "jobs that wait for the archiver", a.waiting}};
    put_samples(out, samples, ARRAY_LEN(samples));
}

// The names are those of cc-metric-store.
static void put_engine(struct buf *out, const struct own_metrics *own)
{
    struct workers_stats w;
    struct persist_stats disk = {0};
    workers_stats(own->workers, &w);
    const struct sample samples[] = {
        {"cc_retention_runs", openmetrics_counter, "Retention runs.", w.retention_runs},
        {"cc_retention_failed_queries", openmetrics_counter,
         "Retention and cleanup runs that did not know the hosts of running jobs.", w.failed_queries},
        {"cc_memory_cap_runs", openmetrics_counter, "Times that the memory was above the cap.", w.cap_runs},
        {"cc_memory_cap_freed_chunks", openmetrics_counter, "Chunks freed because of the memory cap.",
         w.cap_freed_chunks},
        {"cc_cleanup_runs", openmetrics_counter, "Cleanup runs.", w.cleanup_runs},
        {"cc_cleanup_failed_runs", openmetrics_counter, "Cleanup runs in which something failed.",
         w.failed_cleanups},
        {"cc_cleanup_files", openmetrics_counter, "Snapshots deleted or archived by the cleanup.",
         w.cleaned_files}};
    put_samples(out, samples, ARRAY_LEN(samples));
    persist_stats(own->engine->persist, &disk);
    persist_metrics(&disk, out);
    nats_intake_metrics(own->engine->intake, out);
    store_api_metrics(own->store_api, out);
}

static void get_metrics(void *ctx, struct http_request *req UNUSED, const struct user *user UNUSED,
                        struct http_response *resp)
{
    const struct own_metrics *own = ctx;
    put_http(&resp->body, own->server);
    put_jobs(&resp->body, own->jobs);
    put_engine(&resp->body, own);
    buf_append_cstr(&resp->body, OPENMETRICS_END);
    http_set_header(resp, "Content-Type", OPENMETRICS_CONTENT_TYPE);
    resp->status = 200;
}

static void get_health(void *ctx, struct http_request *req UNUSED, const struct user *user UNUSED,
                       struct http_response *resp)
{
    const struct own_metrics *own = ctx;
    struct sql_stmt *stmt = NULL;
    struct error err = ERROR_INIT;
    struct sql_conn *conn = sql_take_reader(own->jobs->pool);
    int rc = sql_prepare(conn, "SELECT 1 FROM job LIMIT 1", &stmt, &err);
    if (rc == 0) {
        rc = sql_step(stmt, &err);
        sql_finish(stmt);
    }
    sql_give_back(&conn);
    if (rc < 0) {
        log_error("health: %s", err.text);
        rest_error(resp, 503, "database: %s", err.text);
        return;
    }
    buf_append_cstr(&resp->body, "{\"status\":\"ok\"}\n");
    rest_json(resp, 200);
}

const struct rest_route own_metrics_routes[] = {
    {"GET", "/metrics", ROUTE_METRIC, get_metrics}, {"GET", "/healthz", ROUTE_PUBLIC, get_health}, {0}};
