// SPDX-License-Identifier: MIT
#include "metricstore/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/process.h"
#include "metricstore/about.h"
#include "metricstore/auth.h"
#include "metricstore/config.h"
#include "metricstore/keeper.h"
#include "metricstore/options.h"
#include "net/http-client.h"
#include "store/store-api.h"

#define SHUTDOWN_TIMEOUT_MS 30000
#define BYTES_PER_GB        1000000000LL

// Everything that runs. Owned by the main thread; freed in reverse order of the members.
struct server {
    struct config *config;
    struct store *store;
    struct auth *auth; // NULL: no authentication
    struct store_api *api;
    struct http_router *router;
    struct http_server *http;
    struct keeper *keeper;
    struct about about;
    struct log_limit refused_limit;
    int signal_fd;
};

static void on_refused(void *ctx, const char *endpoint, const char *peer, const char *text)
{
    struct server *server = ctx;

    log_limited(&server->refused_limit, LOG_LEVEL_WARN, "%s: refused: peer=%s %s", endpoint, peer, text);
}

static int64_t seconds_rounded_up(int64_t ns)
{
    return ns / NS_PER_S + (ns % NS_PER_S > 0);
}

static int make_store(struct server *server, struct error *err)
{
    const struct config *config = server->config;
    struct store_options options = {
        .metrics = config->metrics,
        .metric_count = config->metric_count,
        .retention_s = config->store.retention_ns > 0 ? seconds_rounded_up(config->store.retention_ns) : 0,
    };

    if (config->store.memory_cap_gb > 0 && config->store.memory_cap_gb < INT64_MAX / BYTES_PER_GB)
        options.memory_cap_bytes = (size_t)(config->store.memory_cap_gb * BYTES_PER_GB);
    return store_new(&options, &server->store, err);
}

static int make_auth(struct server *server, struct error *err)
{
    const char *key = server->config->main.jwt_public_key;

    if (!*key) {
        log_warn("authentication is OFF: everyone who reaches %s may read, write and free all data; set "
                 "main.jwt-public-key",
                 server->config->main.addr);
        return 0;
    }
    int rc = auth_new(key, NULL, &server->auth, err);
    return rc < 0 ? error_prefix(err, "starting server failed: main.jwt-public-key") : 0;
}

static void make_router(struct server *server)
{
    struct store_api_options options = {
        .mount_query = true, .mount_healthcheck = true, .on_refused = on_refused, .on_refused_ctx = server};

    server->api = store_api_new(server->store, &options);
    server->router = http_router_new();
    http_router_set_clean_redirect(server->router, true);
    if (server->auth) // the router's guard is asked before the body is read
        http_router_set_guard(server->router, auth_guard, server->auth);
    store_api_mount(server->api, server->router, NULL, NULL);
    server->about.api = server->api;
    server->about.started = clock_wall();
    http_router_add(server->router, "GET", "/metrics", about_handler, &server->about);
}

static bool has_tls(const struct server *server)
{
    return *server->config->main.cert_file && *server->config->main.key_file;
}

static int listen_on(struct server *server, struct error *err)
{
    const struct config_main *settings = &server->config->main;
    struct http_server_options options = {
        .address = settings->addr,
        .cert_file = has_tls(server) ? settings->cert_file : NULL,
        .key_file = has_tls(server) ? settings->key_file : NULL,
        .max_body_bytes = (size_t)settings->max_request_size,
    };

    int rc = http_server_start(&options, server->router, &server->http, err);
    if (rc < 0)
        return error_prefix(err, "starting listener on '%s'", settings->addr);
    rc = process_drop_privileges(settings->user, settings->group, err);
    return rc < 0 ? error_prefix(err, "dropping privileges") : 0;
}

static int start_keeper(struct server *server, struct error *err)
{
    const struct config *config = server->config;
    struct keeper_options options = {.retention_s = seconds_rounded_up(config->store.retention_ns),
                                     .backend_url = config->main.backend_url,
                                     .backend_token = config->main.backend_token};

    return keeper_start(server->store, &options, &server->keeper, err);
}

static int block_signals(struct server *server, struct error *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

    return process_signal_fd(signals, ARRAY_LEN(signals), &server->signal_fd, err);
}

static int server_start(struct server *server, struct error *err)
{
    int rc = block_signals(server, err); // before any thread starts: they inherit the mask

    if (rc == 0)
        rc = make_store(server, err);
    if (rc == 0)
        rc = make_auth(server, err);
    if (rc < 0)
        return rc;
    make_router(server);
    rc = listen_on(server, err);
    if (rc == 0)
        rc = start_keeper(server, err);
    if (rc < 0)
        return rc;
    atomic_store_explicit(&server->about.server, server->http, memory_order_release);
    atomic_store_explicit(&server->about.keeper, server->keeper, memory_order_release);
    return 0;
}

// Waits for the signal to stop.
static int serve(struct server *server, struct error *err)
{
    for (;;) {
        struct error reload_err = ERROR_INIT;
        int number = 0;
        int rc = process_wait_signal(server->signal_fd, -1, &number, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        if (number != SIGHUP || !has_tls(server))
            return 0;
        if (http_server_reload_tls(server->http, &reload_err) < 0)
            log_error("SIGHUP: keeping the old certificate: %s", reload_err.text);
        else
            log_info("SIGHUP: certificate and key loaded again");
    }
}

static void server_stop(struct server *server)
{
    if (server->http && !http_server_stop(&server->http, SHUTDOWN_TIMEOUT_MS))
        log_error("shutdown: requests that were still running after 30 s were cut");
    keeper_stop(&server->keeper);
    http_router_free(&server->router);
    store_api_free(&server->api);
    auth_free(&server->auth);
    store_free(&server->store);
    if (server->signal_fd >= 0)
        close(server->signal_fd);
    config_free(&server->config);
}

// Keys of layers that this release does not have are accepted, so that an existing configuration works; say
// so once.
static void warn_about_release(const struct config *config)
{
    const char *nats = config->has_nats || json_count(config->store.nats_subscriptions) > 0
                           ? "; the settings for NATS have no effect, send over HTTP"
                           : "";

    log_warn("this release keeps data in memory only: nothing is written to or read from '%s', and a restart "
             "begins empty%s",
             config->store.checkpoints.directory, nats);
}

static int run(struct config *config)
{
    struct server server = {.config = config, .signal_fd = -1};
    struct error err = ERROR_INIT;

    log_info("starting: version=%s metrics=%zu memory_cap_gb=%lld", CC_VERSION, config->metric_count,
             (long long)config->store.memory_cap_gb);
    process_prepare_server();
    http_client_global_init();
    warn_about_release(config);
    int rc = server_start(&server, &err);
    if (rc == 0) {
        log_info("serving: url=%s://%s", has_tls(&server) ? "https" : "http", config->main.addr);
        process_sd_notify("READY=1\nSTATUS=running");
        rc = serve(&server, &err);
        process_sd_notify("STOPPING=1\nSTATUS=Shutting down ...");
    }
    server_stop(&server);
    if (rc < 0) {
        log_error("%s", err.text);
        return 1;
    }
    (void)puts("Graceful shutdown completed!");
    return 0;
}

// ---- command line --------------------------------------------------------------------------------

static void warn_config(void *ctx, const char *text)
{
    (void)ctx;
    log_warn("%s", text);
}

static int report_config_error(const char *path, int rc, const struct error *err)
{
    if (rc == ERR_UNSUPPORTED) // where upstream says it (spec 2.2)
        printf("Config Init: Could not decode config file '%s'.\nError: %s\n", path, err->text);
    if (rc == ERR_NOT_FOUND)
        log_error("%s", err->text);
    else
        log_crit("%s", err->text);
    return 1;
}

// The effective configuration, or (config NULL) the description of all keys.
static int print_config(const struct config *config)
{
    struct buf text;

    buf_init(&text, BUF_MAX_DEFAULT);
    if (config)
        config_print(config, &text);
    else
        config_document(&text);
    (void)fwrite(text.ptr, 1, text.len, stdout);
    buf_release(&text);
    if (fflush(stdout) == 0)
        return 0;
    log_error("cannot write the configuration: %s", strerror(errno));
    return 1;
}

static int run_options(const struct metricstore_options *options)
{
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    int code = 0;

    int rc = config_load(options->config, warn_config, NULL, &config, &err);
    if (rc < 0)
        return report_config_error(options->config, rc, &err);
    if (options->print_config)
        code = print_config(config);
    else if (options->check_config)
        printf("%s: the configuration is fine\n", options->config);
    else
        return run(config);
    config_free(&config);
    return code;
}

int metricstore_main(int argc, char **argv)
{
    struct metricstore_options options = {0};
    int rest = 0;

    enum cmdline_outcome outcome = cmdline_parse(metricstore_flags, &options, argc, argv, stderr, &rest);
    if (outcome != CMDLINE_OK)
        return outcome == CMDLINE_HELP ? 0 : 2;
    if (options.document_config)
        return print_config(NULL);
    if (options.version) {
        printf("Version:\t%s\nGit hash:\t%s\nBuild time:\t%s\n", CC_VERSION, "", "");
        return 0;
    }
    log_init(options.loglevel, options.logdate);
    if (options.cleanup_checkpoints) {
        log_error("-cleanup-checkpoints: this release keeps data in memory only and has no checkpoints to "
                  "clean up");
        return 1;
    }
    if (options.dev)
        log_warn("-dev: this release serves no API explorer");
    return run_options(&options);
}
