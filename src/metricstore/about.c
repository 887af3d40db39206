// SPDX-License-Identifier: MIT
#include "metricstore/about.h"
#include "store/persist-metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/process.h"

static double cpu_seconds(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void family(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    buf_printf(out, "# TYPE %s %s\n# HELP %s %s\n%s%s %llu\n", name, type, name, help, name,
               type[0] == 'c' ? "_total" : "", (unsigned long long)value);
}

static uint64_t open_descriptors(void)
{
    uint64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");

    if (!dir)
        return 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count > 3 ? count - 3 : 0; // ".", ".." and the descriptor of the folder itself
}

static uint64_t max_descriptors(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : 0;
}

static void write_process(const struct about *about, struct buf *out)
{
    buf_printf(
        out,
        "# TYPE cc_build info\n# HELP cc_build Version of the program.\ncc_build_info{version=\"%s\"} 1\n",
        CC_VERSION);
    family(out, "process_resident_memory_bytes", "gauge", "Resident memory.", process_resident_bytes());
    family(out, "process_open_fds", "gauge", "Open file descriptors.", open_descriptors());
    family(out, "process_max_fds", "gauge", "Most open file descriptors.", max_descriptors());
    family(out, "cc_log_suppressed_lines", "counter", "Log lines that were held back because they repeat.",
           log_suppressed_count());
    buf_printf(out,
               "# TYPE process_cpu_seconds counter\n# HELP process_cpu_seconds User and system time.\n"
               "process_cpu_seconds_total %.6f\n",
               cpu_seconds());
    buf_printf(
        out,
        "# TYPE process_start_time_seconds gauge\n# HELP process_start_time_seconds Start, Unix time.\n"
        "process_start_time_seconds %.3f\n",
        (double)about->started.ns / 1e9);
}

static void write_http(const struct http_server *server, struct buf *out)
{
    struct http_server_stats stats = {0};

    http_server_stats(server, &stats);
    family(out, "cc_http_requests", "counter", "Requests received.", stats.requests);
    family(out, "cc_http_responses_4xx", "counter", "Answers with a status of 400 to 499.",
           stats.responses_4xx);
    family(out, "cc_http_responses_5xx", "counter", "Answers with a status of 500 and more.",
           stats.responses_5xx);
    family(out, "cc_http_received_bytes", "counter", "Bytes of request bodies.", stats.bytes_in);
    family(out, "cc_http_sent_bytes", "counter", "Bytes of answers.", stats.bytes_out);
    family(out, "cc_http_refused_bodies", "counter", "Requests refused for the size of their body.",
           stats.refused_bodies);
    family(out, "cc_http_aborted_requests", "counter", "Requests cut by the client or by a time-out.",
           stats.aborted_requests);
    family(out, "cc_http_slow_requests", "counter", "Connections closed because a request came too slowly.",
           stats.slow_requests);
    family(out, "cc_http_busy_refusals", "counter",
           "Requests refused because the bodies of others take the memory.", stats.busy_refusals);
    family(out, "cc_http_accept_errors", "counter",
           "Connections lost because descriptors or memory were short.", stats.accept_errors);
    family(out, "cc_http_body_memory_bytes", "gauge", "Memory of bodies that are being received.",
           stats.body_bytes_now);
    family(out, "cc_http_connections", "gauge", "Open connections.", stats.connections_now);
}

static void write_auth(const struct auth *auth, struct buf *out)
{
    struct auth_stats stats = {0};

    if (auth)
        auth_stats(auth, &stats);
    buf_printf(out,
               "# TYPE cc_auth_refused counter\n# HELP cc_auth_refused Requests refused for their token.\n"
               "cc_auth_refused_total{reason=\"token\"} %llu\ncc_auth_refused_total{reason=\"scope\"} %llu\n",
               (unsigned long long)stats.refused_tokens, (unsigned long long)stats.refused_scopes);
}

void about_handler(void *ctx, struct http_request *req, struct http_response *resp)
{
    const struct about *about = ctx;
    struct keeper_stats stats = {0};
    struct persist_stats disk = {0};

    (void)req;
    write_process(about, &resp->body);
    write_http(about->server, &resp->body);
    write_auth(about->auth, &resp->body);
    keeper_stats(about->keeper, &stats);
    family(&resp->body, "cc_retention_runs", "counter", "Retention runs.", stats.runs);
    family(&resp->body, "cc_retention_failed_queries", "counter",
           "Retention runs that could not ask the backend for the hosts of running jobs.",
           stats.failed_queries);
    family(&resp->body, "cc_memory_cap_runs", "counter", "Times that the memory was above the cap.",
           stats.cap_runs);
    family(&resp->body, "cc_memory_cap_freed_chunks", "counter", "Chunks freed because of the memory cap.",
           stats.cap_freed_chunks);
    family(&resp->body, "cc_cleanup_runs", "counter", "Cleanup runs.", stats.cleanup_runs);
    family(&resp->body, "cc_cleanup_failed_runs", "counter", "Cleanup runs in which something failed.",
           stats.failed_cleanups);
    family(&resp->body, "cc_cleanup_files", "counter", "Snapshots deleted or archived by the cleanup.",
           stats.cleaned_files);
    persist_stats(about->persist, &disk);
    persist_metrics(&disk, &resp->body);
    nats_intake_metrics(about->intake, &resp->body);
    store_api_metrics(about->api, &resp->body);
    buf_append_cstr(&resp->body, "# EOF\n");
    resp->status = 200;
    http_set_header(resp, "Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8");
}
