// SPDX-License-Identifier: MIT
#include "backend/backend.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "backend/env-file.h"
#include "backend/init-files.h"
#include "backend/server.h"
#include "backend/sql-schema.h"
#include "backend/sql-user.h"
#include "base/clock.h"
#include "base/cmdline.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"

struct options {
    const char *config, *loglevel, *jwt;
    bool server, version, logdate, init, migrate_db, print_config, check_config, document_config, demo, gops,
        cleanup_checkpoints;
};

#define OPTION(field) offsetof(struct options, field)
static const struct cmdline_flag flags[] = {
    {"check-config", CMDLINE_BOOL, OPTION(check_config), "false",
     "read the whole configuration, say whether it can be used, and exit"},
    {"cleanup-checkpoints", CMDLINE_BOOL, OPTION(cleanup_checkpoints), "false",
     "clean up old checkpoint files and exit"},
    {"config", CMDLINE_STRING, OPTION(config), "./config.json", "configuration file"},
    {"demo", CMDLINE_BOOL, OPTION(demo), "false", "no login, on this machine only; makes a missing database"},
    {"document-config", CMDLINE_BOOL, OPTION(document_config), "false",
     "describe all keys of the configuration, and exit"},
    {"gops", CMDLINE_BOOL, OPTION(gops), "false", "accepted for compatibility, without effect"},
    {"init", CMDLINE_BOOL, OPTION(init), "false",
     "create config.json, .env and var/ in this folder, and exit"},
    {"jwt", CMDLINE_STRING, OPTION(jwt), "", "print a token for this user"},
    {"logdate", CMDLINE_BOOL, OPTION(logdate), "false", "put date and time in front of log lines"},
    {"loglevel", CMDLINE_STRING, OPTION(loglevel), "warn", "debug, info, warn, err, crit"},
    {"migrate-db", CMDLINE_BOOL, OPTION(migrate_db), "false", "create the database, and exit"},
    {"print-config", CMDLINE_BOOL, OPTION(print_config), "false",
     "print the effective configuration, and exit"},
    {"server", CMDLINE_BOOL, OPTION(server), "false", "stay and serve HTTP"},
    {"version", CMDLINE_BOOL, OPTION(version), "false", "print the version, and exit"},
    {0}};

static const char flags_of_later_releases[] =
    "Not part of this release: -add-user -apply-tags -del-user -dev -force-db "
    "-import-job -init-db "
    "-optimize-db -revert-db -sync-ldap\n";

// One run of the program; what is set is released at the end.
struct program {
    struct options options;
    struct config *config;
    struct sql_pool *pool;
    struct auth *auth;
    struct archive *archive;
    struct cluster_set *clusters;
};

static void print_version(void)
{
    printf("cc-backend\nVersion:\t%s\nGit hash:\t\nBuild time:\t\nSQL db version:\t%d\nJob archive "
           "version:\t%d\n",
           CC_VERSION, JOB_DB_VERSION, ARCHIVE_VERSION);
}

// ---- configuration ----------------------------------------------------------------------------------------
static void report_config(enum config_channel channel, const struct error *err)
{
    char text[32];
    switch (channel) {
    case CONFIG_PLAIN:
        fprintf(stderr, "%s %s\n", clock_format_rfc3339(wall_seconds(clock_wall()), text, sizeof(text)),
                err->text);
        break;
    case CONFIG_STDOUT:
        printf("Config Init: Could not decode config file.\nError: %s\n", err->text);
        break;
    case CONFIG_CRIT:
        log_crit("%s", err->text);
        break;
    case CONFIG_ERROR:
        log_error("%s", err->text);
        break;
    }
}

static int load_config(struct program *p)
{
    struct error err = ERROR_INIT;
    enum config_channel channel = CONFIG_ERROR;
    if (env_load(".env", &err)) {
        log_error("%s", err.text);
        return 1;
    }
    if (config_load(p->options.config, &p->config, &channel, &err)) {
        report_config(channel, &err);
        return 1;
    }
    const struct config_main *m = &p->config->main;
    if (p->options.demo && !server_is_loopback(m->addr)) {
        log_error("-demo has no login and therefore serves this machine only: 'main.addr' must be a loopback "
                  "address, "
                  "not '%s'",
                  m->addr);
        return 1;
    }
    if (m->disable_authentication && !server_is_loopback(m->addr))
        log_warn("authentication is disabled and '%s' can be reached from other machines", m->addr);
    return 0;
}

static void warn_config(void *ctx UNUSED, const char *text)
{
    log_warn("%s", text);
}

// Section archive, then the archive itself and the cluster descriptions in it.
static int open_archive(struct program *p)
{
    struct error err = ERROR_INIT;
    if (config_load_archive(p->config, &err)) {
        log_crit("%s", err.text);
        return 1;
    }
    const struct config_archive *a = &p->config->archive;
    if (strcmp(a->kind, "file") != 0) {
        log_error("archive: this release has archives of kind 'file' only, not '%s'", a->kind);
        return 1;
    }
    if (archive_open(a->path, &io_system, &p->archive, &err)) {
        log_error("initializing archive: %s", err.text);
        return 1;
    }
    if (cluster_set_load(a->path, warn_config, NULL, &p->clusters, &err)) {
        log_error("%s", err.text);
        return 1;
    }
    return 0;
}

static int load_store_section(struct program *p)
{
    struct error err = ERROR_INIT;
    if (config_load_store(p->config, warn_config, NULL, &err)) {
        log_crit("%s", err.text);
        return 1;
    }
    if (!p->config->store.present) {
        log_error("missing metricstore configuration");
        return 1;
    }
    return 0;
}

// ---- database ---------------------------------------------------------------------------------------------
static int open_pool(struct program *p, struct error *err)
{
    const struct config_main *m = &p->config->main;
    struct sql_options options = {.path = m->db,
                                  .readers = (unsigned)MIN(MAX(m->db_config.max_open_connections, 0), 64),
                                  .busy_timeout_ms = MAX(m->db_config.busy_timeout_ms, 0),
                                  .cache_kib = MAX(m->db_config.cache_size_mb, 0) * 1024 /
                                               MAX(m->db_config.max_open_connections, 4),
                                  .create = true};
    return sql_pool_open(&options, &p->pool, err);
}

static int with_writer(struct program *p, int (*fn)(struct sql_conn *, struct error *), struct error *err)
{
    struct sql_conn *conn = sql_take_writer(p->pool);
    int rc = fn(conn, err);
    sql_give_back(&conn);
    return rc;
}

// A demonstration starts from nothing.
static int make_demo_folder(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return 0;
    char *folder = mem_strndup(path, (size_t)(slash - path));
    int rc = io_make_dirs(&io_system, folder, 0777, err);
    mem_free(folder);
    return rc;
}

static int open_database(struct program *p)
{
    struct error err = ERROR_INIT;
    int rc = p->options.demo ? make_demo_folder(p->config->main.db, &err) : 0;
    if (rc == 0)
        rc = open_pool(p, &err);
    if (rc) {
        printf("DB Connection: Could not connect to SQLite database '%s'.\nError: %s\n", p->config->main.db,
               err.text);
        return 1;
    }
    if (p->options.demo || p->options.migrate_db)
        rc = with_writer(p, sql_schema_migrate, &err);
    if (rc == 0)
        rc = with_writer(p, sql_schema_check, &err);
    if (rc) {
        printf("DB Connection: Failed DB version check.\nError: %s\n", err.text);
        return 1;
    }
    if (with_writer(p, sql_schema_complete, &err)) {
        log_error("%s", err.text);
        return 1;
    }
    return 0;
}

// ---- tokens
// ------------------------------------------------------------------------------------------------------- Who
// may read the private key may sign anything, so a user whom the database does not know is no obstacle.
static int print_token(struct program *p)
{
    struct error err = ERROR_INIT;
    struct user user = {.name = slice_from_cstr(p->options.jwt)};
    struct arena *arena = arena_new((size_t)1 << 20);
    char *token = NULL;
    struct sql_conn *conn = sql_take_reader(p->pool);
    int rc = sql_user_roles(conn, user.name, arena, &user, &err);
    sql_give_back(&conn);
    if (rc == 0) {
        user.roles[0] = SLICE_LITERAL("api");
        user.role_count = 1;
        log_warn("JWT: User '%s' is not in the database; the token carries the role 'api'", p->options.jwt);
    } else if (rc == 1 && !user_has_role(&user, "api")) {
        log_warn("JWT: User '%s' does not have the role 'api'. REST API endpoints will return error!",
                 p->options.jwt);
    }
    rc = rc < 0 ? rc : auth_sign(p->auth, &user, wall_seconds(clock_wall()), &token, &err);
    if (rc)
        log_error("generating a token for user '%s': %s", p->options.jwt, err.text);
    else
        printf("JWT: Successfully generated JWT for user '%s': %s\n", p->options.jwt, token);
    mem_free(token);
    arena_free(&arena);
    return rc ? 1 : 0;
}

// ---- the order of a start (spec 1.4) ----------------------------------------------------------------------
static int run_server(struct program *p)
{
    struct error err = ERROR_INIT;
    struct server_options options = {.config = p->config,
                                     .pool = p->pool,
                                     .auth = p->auth,
                                     .clusters = p->clusters,
                                     .archive = p->archive,
                                     .demo = p->options.demo};
    if (server_run(&options, &err)) {
        log_error("%s", err.text);
        return 1;
    }
    return 0;
}

static int init_auth(struct program *p)
{
    struct error err = ERROR_INIT;
    bool disabled = p->options.demo || p->config->main.disable_authentication;
    if (auth_new(p->config, p->pool, disabled, &p->auth, &err)) {
        log_crit("%s", err.text);
        return 1;
    }
    return 0;
}

static int check_config(struct program *p)
{
    if (open_archive(p) || load_store_section(p))
        return 1;
    if (p->options.print_config) {
        struct buf text;
        buf_init(&text, (size_t)16 << 20);
        config_print(p->config, &text);
        fputs(buf_cstr(&text), stdout);
        buf_release(&text);
    } else {
        printf("%s: configuration is fine, %zu clusters\n", p->options.config,
               cluster_set_count(p->clusters));
    }
    if (fflush(stdout) == 0)
        return 0;
    log_error("cannot write the configuration: %s", strerror(errno));
    return 1;
}

static int document_config(void)
{
    struct buf text;
    buf_init(&text, (size_t)16 << 20);
    config_document(&text);
    fputs(buf_cstr(&text), stdout);
    buf_release(&text);
    return fflush(stdout) == 0 ? 0 : 1;
}

static void report_cleanup(void *ctx UNUSED, const char *text)
{
    log_error("cleanup: %s", text);
}

static int clean_up(struct program *p)
{
    struct error err = ERROR_INIT;
    struct cleanup_command command = {.report = report_cleanup};
    int rc = config_load_cleanup(p->config, &command, &err);
    if (rc == 0)
        rc = cleanup_command_run(&command, &err);
    if (rc == 0)
        return 0;
    log_error("%s", err.text);
    return 1;
}

static int run(struct program *p)
{
    if (load_config(p))
        return 1;
    if (p->options.check_config || p->options.print_config)
        return check_config(p);
    if (open_database(p))
        return 1;
    if (p->options.migrate_db) {
        printf("MigrateDB Success: Migrated SQLite database at '%s' to version %d.\n", p->config->main.db,
               JOB_DB_VERSION);
        return 0;
    }
    if (init_auth(p))
        return 1;
    if (p->options.jwt[0] && print_token(p))
        return 1;
    if (open_archive(p))
        return 1;
    if (p->options.cleanup_checkpoints)
        return clean_up(p);
    if (!p->options.server) {
        puts("No errors, server flag not set. Exiting cc-backend.");
        return 0;
    }
    if (load_store_section(p))
        return 1;
    config_warn_unused(p->config, warn_config, NULL);
    return run_server(p);
}

static void release(struct program *p)
{
    auth_free(&p->auth);
    cluster_set_free(&p->clusters);
    archive_free(&p->archive);
    sql_pool_close(&p->pool);
    config_free(&p->config);
}

int backend_main(int argc, char **argv)
{
    struct program p = {0};
    int rest = 0;
    enum cmdline_outcome outcome = cmdline_parse(flags, &p.options, argc, argv, stderr, &rest);
    if (outcome != CMDLINE_OK) {
        fputs(flags_of_later_releases, stderr);
        return outcome == CMDLINE_HELP ? 0 : 2;
    }
    if (p.options.version) {
        print_version();
        return 0;
    }
    if (p.options.document_config)
        return document_config();
    log_init(p.options.loglevel, p.options.logdate);
    if (p.options.server)
        process_prepare_server();
    if (p.options.init) {
        struct error err = ERROR_INIT;
        if (init_files(&err) == 0)
            return 0;
        log_error("%s", err.text);
        return 1;
    }
    int code = run(&p);
    release(&p);
    return code;
}
