// SPDX-License-Identifier: MIT
#include "metricstore/server.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "metricstore/about.h"
#include "metricstore/auth.h"
#include "metricstore/config.h"
#include "metricstore/explorer.h"
#include "metricstore/keeper.h"
#include "metricstore/options.h"
#include "metricstore/status.h"
#include "net/http-client.h"
#include "store/cleanup.h"
#include "store/nats-settings.h"
#include "store/persist.h"
#include "store/store-api.h"

#define SHUTDOWN_TIMEOUT_MS 30000
// More time than systemd gives by itself; a slow disk may need it.
#define START_TIMEOUT_S 120
#define STOP_TIMEOUT_S  300
// Writes do not hold a thread while they wait for the disk, so few threads do; those that share one share its wake-ups, too.
#define HTTP_THREADS_MIN 4
#define BYTES_PER_GB     1000000000LL

// Everything that runs. Owned by the main thread; freed in reverse order of the members.
struct server {
    struct config *config;
    struct store *store;
    struct persist *persist;
    struct auth *auth; // NULL: no authentication
    struct store_api *api;
    struct http_router *router;
    struct http_server *http;
    struct keeper *keeper;
    struct nats_intake *intake; // NULL: no subscriptions
    struct about about;
    struct log_limit refused_limit;
    bool started; // everything was up
    int signal_fd;
    bool dev; // serve the API explorer
};

static void on_refused(void *ctx, const char *endpoint, const char *peer, const char *text)
{
    struct server *server = ctx;

    log_limited(&server->refused_limit, LOG_LEVEL_WARN, "%s: refused: peer=%s %s", endpoint, peer, text);
}

static int make_store(struct server *server, struct error *err)
{
    const struct config *config = server->config;
    struct store_options options = {
        .metrics = config->metrics,
        .metric_count = config->metric_count,
        .retention_s = config->store.retention_ns > 0 ? persist_seconds(config->store.retention_ns) : 0,
    };

    if (config->store.memory_cap_gb > 0 && config->store.memory_cap_gb < INT64_MAX / BYTES_PER_GB)
        options.memory_cap_bytes = (size_t)(config->store.memory_cap_gb * BYTES_PER_GB);
    return store_new(&options, &server->store, err);
}

// Library code reports, the program logs.
static void on_persist(void *ctx, enum log_level level, const char *text)
{
    (void)ctx;
    if (level >= log_get_level())
        log_write(level, __FILE__, __LINE__, "%s", text);
}

static int open_checkpoints(struct server *server, struct error *err)
{
    const struct config_store *settings = &server->config->store;
    struct persist_options options = {
        .checkpoint_interval_s = persist_seconds(settings->checkpoint_interval_ns),
        .workers = settings->num_workers > 0 ? (unsigned)MIN(settings->num_workers, 1024) : 0,
        .background = true,
        .now_s = wall_seconds(clock_wall()),
        .report = on_persist};

    persist_apply_settings(&settings->checkpoints, &options);
    ignore_result(process_sd_extend_timeout(START_TIMEOUT_S, "replaying the log"));
    return persist_open(server->store, &options, &server->persist, err);
}

static int make_auth(const struct config_main *settings, struct auth **ret_auth, struct error *err)
{
    struct auth_options options = {.public_key_base64 = settings->jwt_public_key,
                                   .require_scopes = settings->require_scopes};

    if (settings->authentication_off)
        return 0;
    int rc = auth_new(&options, ret_auth, err);
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
    server->about.auth = server->auth;
    server->about.started = clock_wall();
    http_router_add(server->router, "GET", "/metrics", about_handler, &server->about);
    if (server->dev)
        explorer_mount(server->router);
}

static bool has_tls(const struct server *server)
{
    return *server->config->main.cert_file && *server->config->main.key_file;
}

static unsigned http_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors > HTTP_THREADS_MIN ? (unsigned)processors : HTTP_THREADS_MIN;
}

static int listen_on(struct server *server, struct error *err)
{
    const struct config_main *settings = &server->config->main;
    struct http_server_options options = {
        .address = settings->addr,
        .cert_file = has_tls(server) ? settings->cert_file : NULL,
        .key_file = has_tls(server) ? settings->key_file : NULL,
        .max_body_bytes = (size_t)settings->max_request_size,
        .max_body_memory = (size_t)settings->max_request_memory,
        .threads = http_threads(),
        .hold = true,
    };

    int rc = http_server_start(&options, server->router, &server->http, err);
    if (rc < 0)
        return error_prefix(err, "starting listener on '%s'", settings->addr);
    rc = process_drop_privileges(settings->user, settings->group, err);
    return rc < 0 ? error_prefix(err, "dropping privileges (main.user, main.group)") : 0;
}

static void tell_status(void *ctx)
{
    struct server *server = ctx;
    struct store_stats stats = {0};
    struct persist_stats disk = {0};

    store_stats(server->store, &stats);
    persist_stats(server->persist, &disk);
    status_notify(&stats, &disk, wall_seconds(clock_wall()));
}

static void on_nats_report(void *ctx, enum log_level level, const char *text)
{
    (void)ctx;
    log_at(level, "%s", text);
}

static int start_intake(struct server *server, struct error *err)
{
    const struct config *config = server->config;
    struct nats_intake_options options = {.connection =
                                              nats_settings_connection(&config->nats, "cc-metric-store"),
                                          .subscriptions = config->store.subscriptions,
                                          .subscription_count = config->store.subscription_count,
                                          .workers = config->store.num_workers};

    if (options.subscription_count == 0)
        return 0;
    if (!*config->nats.address) { // as upstream
        log_warn("NATS: no address is configured: the subscriptions are not used");
        return 0;
    }
    options.connection.report = on_nats_report;
    return nats_intake_start(server->store, &options, &server->intake, err);
}

static int start_keeper(struct server *server, struct error *err)
{
    const struct config *config = server->config;
    struct keeper_options options = {.retention_s = persist_seconds(config->store.retention_ns),
                                     .backend_url = config->main.backend_url,
                                     .backend_token = config->main.backend_token,
                                     .persist = server->persist,
                                     .archive_directory = cleanup_archive_directory(&config->store.cleanup),
                                     .on_status = tell_status,
                                     .on_status_ctx = server};

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

    if (rc == 0 && *server->config->main.backend_url) // only then: libcurl takes 4 MB
        rc = http_client_global_init(err);
    if (rc == 0)
        rc = make_store(server, err);
    if (rc == 0)
        rc = make_auth(&server->config->main, &server->auth, err);
    if (rc < 0)
        return rc;
    make_router(server);
    rc = listen_on(server, err); // a port in use is found out before files are looked at
    if (rc == 0)
        rc = open_checkpoints(server, err); // as the user that writes them from now on
    if (rc == 0)
        rc = start_keeper(server, err);
    if (rc == 0)
        rc = start_intake(server, err);
    if (rc < 0)
        return rc;
    server->about.server = server->http;
    server->about.keeper = server->keeper;
    server->about.persist = server->persist;
    server->about.intake = server->intake;
    rc = http_server_open(server->http, err);
    server->started = rc == 0;
    return rc;
}

static void reload_certificate(struct server *server)
{
    const struct config_main *settings = &server->config->main;
    struct error err = ERROR_INIT;

    if (http_server_reload_tls(server->http, &err) < 0)
        log_error("SIGHUP: keeping the old certificate: %s; mend '%s' and '%s', which user '%s' must be "
                  "able to "
                  "read, and send SIGHUP again",
                  err.text, settings->cert_file, settings->key_file,
                  *settings->user ? settings->user : "of the process");
    else
        log_info("SIGHUP: certificate and key loaded again");
}

// Tells the watchdog that all is well, if it is.
static void feed_watchdog(const struct server *server, int64_t watchdog_ms)
{
    int64_t silence_ms = keeper_silence_ms(server->keeper);

    if (silence_ms < watchdog_ms)
        ignore_result(process_sd_notify("WATCHDOG=1"));
    else
        log_error(
            "watchdog: the background thread has not moved for %lld s; systemd will restart the program if "
            "this goes on",
            (long long)(silence_ms / 1000));
}

// Waits for the signal to stop.
static int serve(struct server *server, struct error *err)
{
    int64_t watchdog_ms = process_sd_watchdog_ms();
    int wait_ms = watchdog_ms > 0 ? (int)MIN(watchdog_ms / 3 + 1, (int64_t)INT_MAX) : -1;

    for (;;) {
        int number = 0;
        int rc = process_wait_signal(server->signal_fd, wait_ms, &number, err);
        if (rc < 0)
            return rc;
        if (watchdog_ms > 0)
            feed_watchdog(server, watchdog_ms);
        if (rc == 0)
            continue;
        if (number != SIGHUP || !has_tls(server))
            return 0;
        reload_certificate(server);
    }
}

// A start that failed leaves the log for the next one.
static void stop_persist(struct server *server)
{
    struct error err = ERROR_INIT;

    ignore_result(process_sd_extend_timeout(STOP_TIMEOUT_S, "writing the last snapshots"));
    if (!server->started)
        persist_abandon(&server->persist);
    else if (persist_close(&server->persist, wall_seconds(clock_wall()), &err) < 0)
        log_error("shutdown: %s; nothing is lost, the log in '%s' has it and is replayed at the next start",
                  err.text, server->config->store.checkpoints.directory);
}

static void server_stop(struct server *server)
{
    nats_intake_stop(server->intake);
    if (server->http && !http_server_stop(&server->http, SHUTDOWN_TIMEOUT_MS))
        log_error("shutdown: requests that were still running after 30 s were cut; their senders got no "
                  "answer and will "
                  "send again");
    keeper_stop(&server->keeper);
    nats_intake_free(&server->intake); // /metrics looked at it until here
    stop_persist(server);
    http_router_free(&server->router);
    store_api_free(&server->api);
    auth_free(&server->auth);
    store_free(&server->store);
    if (server->signal_fd >= 0)
        close(server->signal_fd);
    config_free(&server->config);
}

// What to do about an error that the system words.
static const char *advice_for(const char *text)
{
    static const char *const advices[][2] = {
        {"address already in use", "; stop the program that has the port, or change main.addr"},
        {"cannot assign requested address", "; main.addr must be an address of this machine"},
        {"bind: permission denied",
         "; ports below 1024 need root or CAP_NET_BIND_SERVICE, see the unit cc-metric-store.service"},
        {"cannot become", "; start as root to change the user, or remove main.user and main.group"},
        {"cannot set the supplementary groups",
         "; start as root to change the user, or remove main.user and main.group"},
    };

    for (size_t i = 0; i < ARRAY_LEN(advices); i++)
        if (strstr(text, advices[i][0]))
            return advices[i][1];
    return "";
}

static int run(struct config *config, bool dev)
{
    struct server server = {.config = config, .signal_fd = -1, .dev = dev};
    struct error err = ERROR_INIT;

    log_info("starting: version=%s metrics=%zu memory_cap_gb=%lld", CC_VERSION, config->metric_count,
             (long long)config->store.memory_cap_gb);
    process_prepare_server();
    if (config->main.authentication_off)
        log_warn("authentication is OFF: everyone who reaches %s may read, write and free all data; set "
                 "main.jwt-public-key and remove main.authentication",
                 config->main.addr);
    int rc = server_start(&server, &err);
    if (rc == 0) {
        log_info("serving: url=%s://%s", has_tls(&server) ? "https" : "http", config->main.addr);
        if (dev)
            log_warn("-dev: everyone who reaches %s may look at the API explorer at /swagger/; data still "
                     "needs what the "
                     "configuration says",
                     config->main.addr);
        process_sd_notify("READY=1\nSTATUS=running");
        rc = serve(&server, &err);
        process_sd_notify("STOPPING=1\nSTATUS=Shutting down ...");
    }
    server_stop(&server);
    if (rc < 0) {
        log_error("%s%s", err.text, advice_for(err.text));
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

// What loading does not look at: whether key and certificate can be used.
static int check_config(const char *path, const struct config_main *settings)
{
    struct auth *auth = NULL;
    struct error err = ERROR_INIT;

    int rc = make_auth(settings, &auth, &err);
    auth_free(&auth);
    if (rc == 0 && *settings->cert_file && *settings->key_file)
        rc = http_server_check_tls(settings->cert_file, settings->key_file, &err);
    if (rc < 0) {
        log_crit("%s", err.text);
        return 1;
    }
    if (settings->authentication_off)
        log_warn("authentication is OFF: everyone who reaches %s may read, write and free all data",
                 settings->addr);
    printf("%s: the configuration is fine\n", path);
    return 0;
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
        code = check_config(options->config, &config->main);
    else
        return run(config, options->dev);
    config_free(&config);
    return code;
}

static void report_cleanup(void *ctx, const char *text)
{
    (void)ctx;
    log_error("cleanup: %s", text);
}

// -cleanup-checkpoints: one pass over the files, no server. A store that runs beside it does the same by itself.
static int clean_up(const char *path)
{
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    struct cleanup_command command = {.report = report_cleanup};

    int rc = config_load_for_cleanup(path, &config, &command, &err);
    if (rc == 0)
        rc = cleanup_command_run(&command, &err);
    if (rc < 0)
        log_error("%s", err.text);
    config_free(&config);
    return rc < 0 ? 1 : 0;
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
    if (options.cleanup_checkpoints)
        return clean_up(options.config);
    return run_options(&options);
}
