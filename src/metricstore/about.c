// SPDX-License-Identifier: MIT
#include "metricstore/about.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "codec/openmetrics.h"
#include "store/persist-metrics.h"

static double cpu_seconds(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
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
    openmetrics_family(out, "cc_build", OPENMETRICS_INFO, "Version of the program.");
    buf_printf(out, "cc_build_info{version=\"%s\"} 1\n", CC_VERSION);
    openmetrics_gauge(out, "process_resident_memory_bytes", "Resident memory.", process_resident_bytes());
    openmetrics_gauge(out, "process_open_fds", "Open file descriptors.", open_descriptors());
    openmetrics_gauge(out, "process_max_fds", "Most open file descriptors.", max_descriptors());
    openmetrics_counter(out, "cc_log_suppressed_lines", "Log lines that were held back because they repeat.",
                        log_suppressed_count());
    openmetrics_family(out, "process_cpu_seconds", OPENMETRICS_COUNTER, "User and system time.");
    buf_printf(out, "process_cpu_seconds_total %.6f\n", cpu_seconds());
    openmetrics_family(out, "process_start_time_seconds", OPENMETRICS_GAUGE, "Start, Unix time.");
    buf_printf(out, "process_start_time_seconds %.3f\n", (double)about->started.ns / 1e9);
}

static void write_http(const struct http_server *server, struct buf *out)
{
    struct http_server_stats stats = {0};

    http_server_stats(server, &stats);
    openmetrics_counter(out, "cc_http_requests", "Requests received.", stats.requests);
    openmetrics_counter(out, "cc_http_responses_4xx", "Answers with a status of 400 to 499.",
                        stats.responses_4xx);
    openmetrics_counter(out, "cc_http_responses_5xx", "Answers with a status of 500 and more.",
                        stats.responses_5xx);
    openmetrics_counter(out, "cc_http_received_bytes", "Bytes of request bodies.", stats.bytes_in);
    openmetrics_counter(out, "cc_http_sent_bytes", "Bytes of answers.", stats.bytes_out);
    openmetrics_counter(out, "cc_http_refused_bodies", "Requests refused for the size of their body.",
                        stats.refused_bodies);
    openmetrics_counter(out, "cc_http_aborted_requests", "Requests cut by the client or by a time-out.",
                        stats.aborted_requests);
    openmetrics_counter(out, "cc_http_slow_requests", "Connections closed because a request came too slowly.",
                        stats.slow_requests);
    openmetrics_counter(out, "cc_http_busy_refusals",
                        "Requests refused because the bodies of others take the memory.",
                        stats.busy_refusals);
    openmetrics_counter(out, "cc_http_accept_errors",
                        "Connections lost because descriptors or memory were short.", stats.accept_errors);
    openmetrics_gauge(out, "cc_http_body_memory_bytes", "Memory of bodies that are being received.",
                      stats.body_bytes_now);
    openmetrics_gauge(out, "cc_http_connections", "Open connections.", stats.connections_now);
}

static void write_auth(const struct auth *auth, struct buf *out)
{
    struct auth_stats stats = {0};

    if (auth)
        auth_stats(auth, &stats);
    openmetrics_family(out, "cc_auth_refused", OPENMETRICS_COUNTER, "Requests refused for their token.");
    buf_printf(out,
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
    openmetrics_counter(&resp->body, "cc_retention_runs", "Retention runs.", stats.runs);
    openmetrics_counter(&resp->body, "cc_retention_failed_queries",
                        "Retention runs that could not ask the backend for the hosts of running jobs.",
                        stats.failed_queries);
    openmetrics_counter(&resp->body, "cc_memory_cap_runs", "Times that the memory was above the cap.",
                        stats.cap_runs);
    openmetrics_counter(&resp->body, "cc_memory_cap_freed_chunks", "Chunks freed because of the memory cap.",
                        stats.cap_freed_chunks);
    openmetrics_counter(&resp->body, "cc_cleanup_runs", "Cleanup runs.", stats.cleanup_runs);
    openmetrics_counter(&resp->body, "cc_cleanup_failed_runs", "Cleanup runs in which something failed.",
                        stats.failed_cleanups);
    openmetrics_counter(&resp->body, "cc_cleanup_files", "Snapshots deleted or archived by the cleanup.",
                        stats.cleaned_files);
    persist_stats(about->persist, &disk);
    persist_metrics(&disk, &resp->body);
    nats_intake_metrics(about->intake, &resp->body);
    store_api_metrics(about->api, &resp->body);
    buf_append_cstr(&resp->body, OPENMETRICS_END);
    resp->status = 200;
    http_set_header(resp, "Content-Type", OPENMETRICS_CONTENT_TYPE);
}
