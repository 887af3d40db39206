// SPDX-License-Identifier: MIT
#include "backend/server.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "backend/assets.h"
#include "backend/engine.h"
#include "backend/own-metrics.h"
#include "backend/rest-clusters.h"
#include "backend/rest-jobs.h"
#include "backend/ui-api.h"
#include "backend/workers.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"

#define HTTP_STOP_MS      60000
#define ARCHIVER_DRAIN_MS 60000
// Starts and stops wait for the disk, and those that wait together share a commit (job-writer.h): the number of
// threads bounds how many. A thread that waits costs little more than its stack.
#define HTTP_THREADS 64

struct server {
    const struct server_options *o;
    struct engine engine;
    struct store_api *store_api;
    struct job_writer *writer;
    struct archiver *archiver;
    struct workers *workers;
    struct http_router *router, *redirect_router;
    struct rest *rest;
    struct http_server *http, *redirect;
    struct jobs jobs;
    struct rest_jobs rest_jobs;
    struct rest_clusters rest_clusters;
    struct ui_api ui_api;
    struct own_metrics own_metrics;
    struct asset_set assets;
    int signal_fd;
    bool started; // everything was up
};

static int64_t wall_now_s(void)
{
    return wall_seconds(clock_wall());
}

bool server_is_loopback(const char *address)
{
    char *host = NULL, *port = NULL;
    if (http_split_address(address, &host, &port, NULL))
        return false;
    bool loopback =
        strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;
    mem_free(host);
    mem_free(port);
    return loopback;
}

static void log_refused(void *ctx UNUSED, const char *endpoint, const char *peer, const char *text)
{
    log_debug("%s from %s: %s", endpoint, peer, text);
}

// ---- jobs -------------------------------------------------------------------------------------------------
static int drain_op(void *ctx, struct sql_conn *conn, struct error *err)
{
    int64_t *moved_kept = ctx;
    return sql_job_drain_cache(conn, &moved_kept[0], &moved_kept[1], err);
}

static int open_jobs(struct server *s, struct error *err)
{
    int64_t moved_kept[2] = {0};
    s->writer = job_writer_new(s->o->pool);
    int rc = job_writer_do(s->writer, drain_op, moved_kept, err);
    if (rc)
        return error_prefix(err, "moving jobs out of job_cache");
    if (moved_kept[0])
        log_info("%lld jobs moved from job_cache to job", (long long)moved_kept[0]);
    struct archiver_options options = {.pool = s->o->pool,
                                       .writer = s->writer,
                                       .store = s->engine.store,
                                       .clusters = s->o->clusters,
                                       .archive = s->o->archive,
                                       .settle_s = -1};
    rc = archiver_new(&options, &s->archiver, err);
    if (rc)
        return rc;
    s->jobs = (struct jobs){.pool = s->o->pool,
                            .writer = s->writer,
                            .store = s->engine.store,
                            .clusters = s->o->clusters,
                            .archive = s->o->archive,
                            .archiver = s->archiver,
                            .resample_minimum_points = (size_t)s->o->config->main.resampling_minimum_points,
                            .now_s = wall_now_s};
    s->workers = workers_new(&s->jobs, s->o->config, s->engine.persist);
    s->own_metrics.workers = s->workers;
    return 0;
}

// ---- HTTP -------------------------------------------------------------------------------------------------
static void mount(struct server *s)
{
    s->router = http_router_new();
    s->rest = rest_new(s->o->auth, s->router);
    s->assets = assets_embedded();
    s->rest_jobs =
        (struct rest_jobs){.jobs = &s->jobs, .default_resolution_s = s->o->config->main.resampling_default_s};
    s->rest_clusters = (struct rest_clusters){.clusters = s->o->clusters, .pool = s->o->pool};
    s->ui_api =
        (struct ui_api){.jobs = &s->jobs, .demo = s->o->demo, .authentication = !auth_disabled(s->o->auth)};
    struct store_api_options api = {.now_s = wall_now_s, .mount_query = true, .on_refused = log_refused};
    s->store_api = store_api_new(s->engine.store, &api);
    s->own_metrics = (struct own_metrics){.jobs = &s->jobs, .store_api = s->store_api, .engine = &s->engine};
    rest_add(s->rest, rest_jobs_routes, &s->rest_jobs);
    rest_add(s->rest, rest_clusters_routes, &s->rest_clusters);
    rest_add(s->rest, ui_api_routes, &s->ui_api);
    rest_add(s->rest, own_metrics_routes, &s->own_metrics);
    rest_set_pages(s->rest, assets_serve, &s->assets);
    store_api_mount(s->store_api, s->router, rest_guard_metric, s->rest);
}

static void log_request(void *ctx UNUSED, const struct http_request *req, int status, size_t body_bytes,
                        int64_t duration_ns)
{
    log_debug("%.*s %.*s (%d, %.2fkb, %lldms)", SLICE_FMT(req->method), SLICE_FMT(req->path), status,
              (double)body_bytes / 1024, (long long)(duration_ns / NS_PER_MS));
}

// Port 80 sends everybody to the configured URL (spec 1.5).
static void redirect_handler(void *ctx, struct http_request *req UNUSED, struct http_response *resp)
{
    const struct config_main *m = ctx;
    resp->status = 301;
    http_set_header(resp, "Location", m->redirect_http_to);
}

static void start_redirect(struct server *s)
{
    struct config_main *m = (struct config_main *)&s->o->config->main;
    struct slice addr = slice_from_cstr(m->addr);
    struct error err = ERROR_INIT;
    if (!m->redirect_http_to[0] || slice_ends_with(addr, SLICE_LITERAL(":80")))
        return;
    s->redirect_router = http_router_new();
    http_router_set_not_found(s->redirect_router, redirect_handler, m);
    struct http_server_options options = {.address = ":80", .threads = 1};
    if (http_server_start(&options, s->redirect_router, &s->redirect, &err))
        log_error("redirect of port 80: %s", err.text);
}

static int listen_http(struct server *s, struct error *err)
{
    const struct config_main *m = &s->o->config->main;
    struct http_server_options options = {
        .address = m->addr, .threads = HTTP_THREADS, .hold = true, .compress = true, .on_done = log_request};
    if (m->https_cert_file[0] && m->https_key_file[0]) {
        options.cert_file = m->https_cert_file;
        options.key_file = m->https_key_file;
    }
    int rc = http_server_start(&options, s->router, &s->http, err);
    if (rc)
        return error_prefix(err, "starting listener on '%s'", m->addr);
    s->own_metrics.server = s->http;
    start_redirect(s);
    rc = process_drop_privileges(m->user, m->group, err);
    return rc ? error_prefix(err, "dropping privileges") : 0;
}

// ---- life -------------------------------------------------------------------------------------------------
static int start(struct server *s, struct error *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    int rc = process_signal_fd(signals, ARRAY_LEN(signals), &s->signal_fd, err);
    if (rc == 0)
        rc = engine_make(&s->engine, s->o->config, s->o->clusters, err);
    if (rc)
        return rc;
    mount(s);
    rc = listen_http(s, err); // a port in use is found out before files are looked at
    if (rc == 0)
        rc = engine_open(&s->engine, s->o->pool, err); // as the user that writes them from now on
    if (rc == 0)
        rc = open_jobs(s, err);
    if (rc == 0)
        rc = engine_start_intake(&s->engine, err);
    if (rc == 0)
        rc = http_server_open(s->http, err);
    s->started = rc == 0;
    return rc;
}

static int wait_for_end(struct server *s, struct error *err)
{
    for (;;) {
        int number = 0;
        int rc = process_wait_signal(s->signal_fd, -1, &number, err);
        if (rc < 0)
            return rc;
        if (rc == 1 && number != SIGHUP)
            return 0;
        struct error reload = ERROR_INIT;
        if (rc == 1 && s->o->config->main.https_cert_file[0] && http_server_reload_tls(s->http, &reload))
            log_error("reading the certificate again: %s", reload.text);
    }
}

// The archiver and requests that still run read the engine, so it goes after them. Upstream gives both 60 s and then exits with
// what it has; here nothing is lost if systemd loses its patience: the log and the database have it.
static void stop(struct server *s)
{
    process_sd_notify("STOPPING=1\nSTATUS=Shutting down ...");
    engine_stop_intake(&s->engine);
    if (s->redirect)
        http_server_stop(&s->redirect, 0);
    if (s->http && !http_server_stop(&s->http, HTTP_STOP_MS))
        log_warn("some requests were cut off by the shutdown");
    workers_free(&s->workers);
    archiver_free(&s->archiver, ARCHIVER_DRAIN_MS);
    job_writer_free(&s->writer);
    rest_free(&s->rest);
    http_router_free(&s->router);
    http_router_free(&s->redirect_router);
    store_api_free(&s->store_api);
    engine_close(&s->engine, s->started);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
}

int server_run(const struct server_options *options, struct error *err)
{
    struct server *s = NEW(struct server);
    s->o = options;
    s->signal_fd = -1;
    int rc = start(s, err);
    if (rc == 0) {
        log_info("listening on %s", options->config->main.addr);
        process_sd_notify("READY=1\nSTATUS=running");
        rc = wait_for_end(s, err);
    }
    stop(s);
    mem_free(s);
    if (rc == 0)
        puts("Graceful shutdown completed!");
    return rc;
}
