// SPDX-License-Identifier: MIT
#include "backend/config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/mem.h"

#define CONFIG_ARENA_MAX_BYTES ((size_t)64 << 20)

#define MAIN(field) offsetof(struct config_main, field)
static const struct setting db_fields[] = {{.key = "cache-size-mb",
                                            .type = SETTING_INT,
                                            .offset = MAIN(db_config.cache_size_mb),
                                            .help = "page cache of all connections together"},
                                           {.key = "soft-heap-limit-mb",
                                            .type = SETTING_INT,
                                            .offset = MAIN(db_config.soft_heap_limit_mb),
                                            .help = "accepted for compatibility"},
                                           {.key = "max-open-connections",
                                            .type = SETTING_INT,
                                            .offset = MAIN(db_config.max_open_connections),
                                            .help = "reading connections"},
                                           {.key = "max-idle-connections",
                                            .type = SETTING_INT,
                                            .offset = MAIN(db_config.max_idle_connections),
                                            .help = "accepted for compatibility"},
                                           {.key = "max-idle-time-minutes",
                                            .type = SETTING_INT,
                                            .offset = MAIN(db_config.max_idle_time_minutes),
                                            .help = "accepted for compatibility"},
                                           {.key = "busy-timeout-ms",
                                            .type = SETTING_INT,
                                            .offset = MAIN(db_config.busy_timeout_ms),
                                            .help = "how long a locked database is waited for"},
                                           {0}};

static const struct setting main_fields[] = {
    {.key = "addr",
     .type = SETTING_STRING,
     .offset = MAIN(addr),
     .default_text = "localhost:8080",
     .help = "listen address"},
    {.key = "api-allowed-ips",
     .type = SETTING_STRING_LIST,
     .offset = MAIN(api_allowed_ips),
     .help = "addresses that may use /api/*; first element * or unset: all"},
    {.key = "user", .type = SETTING_STRING, .offset = MAIN(user), .help = "drop privileges to this user"},
    {.key = "group", .type = SETTING_STRING, .offset = MAIN(group), .help = "drop privileges to this group"},
    {.key = "disable-authentication",
     .type = SETTING_BOOL,
     .offset = MAIN(disable_authentication),
     .default_text = "false",
     .help = "every request has role admin; listens on loopback only"},
    {.key = "embed-static-files",
     .type = SETTING_BOOL,
     .offset = MAIN(embed_static_files),
     .default_text = "true",
     .help = "serve the built-in web interface"},
    {.key = "static-files",
     .type = SETTING_STRING,
     .offset = MAIN(static_files),
     .help = "directory of the web interface when it is not embedded"},
    {.key = "db",
     .type = SETTING_STRING,
     .offset = MAIN(db),
     .default_text = "./var/job.db",
     .help = "SQLite file"},
    {.key = "enable-job-taggers",
     .type = SETTING_BOOL,
     .offset = MAIN(enable_job_taggers),
     .default_text = "false",
     .help = "register tagger hooks"},
    {.key = "validate",
     .type = SETTING_BOOL,
     .offset = MAIN(validate),
     .default_text = "false",
     .help = "validate archive documents when reading"},
    {.key = "session-max-age",
     .type = SETTING_STRING,
     .offset = MAIN(session_max_age),
     .default_text = "168h",
     .help = "session cookie lifetime"},
    {.key = "https-cert-file",
     .type = SETTING_STRING,
     .offset = MAIN(https_cert_file),
     .help = "TLS certificate"},
    {.key = "https-key-file", .type = SETTING_STRING, .offset = MAIN(https_key_file), .help = "TLS key"},
    {.key = "redirect-http-to",
     .type = SETTING_STRING,
     .offset = MAIN(redirect_http_to),
     .help = "redirect port 80 to this URL"},
    {.key = "machine-state-dir",
     .type = SETTING_STRING,
     .offset = MAIN(machine_state_dir),
     .help = "directory of /api/machine_state"},
    {.key = "stop-jobs-exceeding-walltime",
     .type = SETTING_INT,
     .offset = MAIN(stop_jobs_exceeding_walltime_s),
     .default_text = "0",
     .help = "seconds over the wall time after which a job is marked failed; 0: never"},
    {.key = "short-running-jobs-duration",
     .type = SETTING_INT,
     .offset = MAIN(short_running_jobs_duration_s),
     .default_text = "300",
     .help = "seconds below which a job counts as short"},
    {.key = "emission-constant",
     .type = SETTING_INT,
     .offset = MAIN(emission_constant),
     .default_text = "0",
     .help = "g CO2 per kWh"},
    {.key = "resampling",
     .type = SETTING_RAW,
     .offset = MAIN(resampling),
     .help = "{minimum-points, trigger, resolutions}"},
    {.key = "systemd-unit",
     .type = SETTING_STRING,
     .offset = MAIN(systemd_unit),
     .default_text = "clustercockpit.service",
     .help = "unit of the log viewer"},
    {.key = "api-subjects",
     .type = SETTING_RAW,
     .offset = MAIN(api_subjects),
     .help = "NATS subjects of jobs and node states"},
    {.key = "nodestate-retention",
     .type = SETTING_RAW,
     .offset = MAIN(nodestate_retention),
     .help = "how long node states are kept"},
    {.key = "db-config",
     .type = SETTING_OBJECT,
     .offset = 0,
     .fields = db_fields,
     .help = "tuning of the database"},
    {0}};

#define AUTH(field) offsetof(struct config_auth, field)
static const struct setting jwts_fields[] = {
    {.key = "max-age",
     .type = SETTING_STRING,
     .offset = AUTH(jwts.max_age),
     .help = "life time of issued tokens, such as 2000h; unset: no expiry"},
    {.key = "cookie-name",
     .type = SETTING_STRING,
     .offset = AUTH(jwts.cookie_name),
     .help = "cookie of the cross login"},
    {.key = "validate-user",
     .type = SETTING_BOOL,
     .offset = AUTH(jwts.validate_user),
     .default_text = "false",
     .help = "the user must exist in the database, whose roles count"},
    {.key = "trusted-issuer",
     .type = SETTING_STRING,
     .offset = AUTH(jwts.trusted_issuer),
     .help = "issuer of the cross login"},
    {.key = "sync-user-on-login",
     .type = SETTING_BOOL,
     .offset = AUTH(jwts.sync_user_on_login),
     .default_text = "false",
     .help = "create users at login"},
    {.key = "update-user-on-login",
     .type = SETTING_BOOL,
     .offset = AUTH(jwts.update_user_on_login),
     .default_text = "false",
     .help = "update users at login"},
    {0}};
static const struct setting auth_fields[] = {
    {.key = "jwts",
     .type = SETTING_OBJECT,
     .offset = 0,
     .flags = SETTING_REQUIRED,
     .fields = jwts_fields,
     .help = "header tokens"},
    {.key = "ldap", .type = SETTING_RAW, .offset = AUTH(ldap), .help = "LDAP login"},
    {.key = "oidc", .type = SETTING_RAW, .offset = AUTH(oidc), .help = "OpenID Connect login"},
    {0}};

#define ARCHIVE(field) offsetof(struct config_archive, field)
static const char *const archive_kinds[] = {"file", "s3", "sqlite", NULL};
static const struct setting archive_fields[] = {
    {.key = "kind",
     .type = SETTING_STRING,
     .offset = ARCHIVE(kind),
     .flags = SETTING_REQUIRED,
     .choices = archive_kinds,
     .help = "kind of archive; this release has 'file'"},
    {.key = "path", .type = SETTING_STRING, .offset = ARCHIVE(path), .help = "directory"},
    {.key = "db-path", .type = SETTING_STRING, .offset = ARCHIVE(db_path), .help = "SQLite file"},
    {.key = "compression",
     .type = SETTING_INT,
     .offset = ARCHIVE(compression_days),
     .default_text = "7",
     .help = "days until data.json of older versions is compressed"},
    {.key = "retention",
     .type = SETTING_RAW,
     .offset = ARCHIVE(retention),
     .help = "how long archived jobs are kept"},
    {0}};

#define STORE(field) offsetof(struct config_store, field)
static const struct setting store_fields[] = {
    {.key = "retention-in-memory",
     .type = SETTING_DURATION,
     .offset = STORE(retention_ns),
     .flags = SETTING_REQUIRED,
     .help = "how long samples are kept in memory"},
    {.key = "memory-cap",
     .type = SETTING_INT,
     .offset = STORE(memory_cap_gb),
     .flags = SETTING_REQUIRED,
     .help = "limit of the samples in memory in GB (10^9 bytes), 0: none"},
    {.key = "num-workers",
     .type = SETTING_INT,
     .offset = STORE(num_workers),
     .help = "worker threads, 0: by CPUs"},
    {.key = "checkpoints",
     .type = SETTING_OBJECT,
     .offset = STORE(checkpoints),
     .fields = checkpoints_fields,
     .help = "files of the persistence layer"},
    {.key = "checkpoint-interval",
     .type = SETTING_DURATION,
     .offset = STORE(checkpoint_interval_ns),
     .default_text = "12h",
     .help = "interval of the snapshots"},
    {.key = "cleanup",
     .type = SETTING_OBJECT,
     .offset = STORE(cleanup),
     .fields = cleanup_fields,
     .help = "old checkpoints"},
    {.key = "nats-subscriptions",
     .type = SETTING_RAW,
     .offset = STORE(nats_subscriptions),
     .help = "subjects to read from NATS: a list of objects, see below"},
    {.key = "debug", .type = SETTING_RAW, .offset = STORE(debug), .help = "accepted for compatibility"},
    {0}};

#define CRON(field) offsetof(struct config_cron, field)
static const struct setting cron_fields[] = {
    {.key = "commit-job-worker",
     .type = SETTING_DURATION,
     .offset = CRON(commit_job_ns),
     .default_text = "2m",
     .help = "accepted for compatibility: started jobs are visible at once"},
    {.key = "duration-worker",
     .type = SETTING_DURATION,
     .offset = CRON(duration_ns),
     .default_text = "5m",
     .help = "update of the stored duration of running jobs"},
    {.key = "footprint-worker",
     .type = SETTING_DURATION,
     .offset = CRON(footprint_ns),
     .default_text = "10m",
     .help = "update of the footprint of running jobs"},
    {0}};

// 'resampling' has required members, so it is looked at as a whole (spec 1.8.1).
static int load_resampling(struct config_main *m, struct error *err)
{
    if (json_type(m->resampling) == JSON_NULL)
        return 0;
    const struct json_value *trigger = json_get_fold(m->resampling, "trigger");
    const struct json_value *list = json_get_fold(m->resampling, "resolutions");
    if (json_type(m->resampling) != JSON_OBJECT || json_type(trigger) != JSON_INT ||
        json_type(list) != JSON_ARRAY)
        return error_set(err, ERR_INVALID,
                         "main: 'resampling' needs an integer 'trigger' and a list 'resolutions'");
    for (size_t i = 0; i < json_count(list); i++) {
        if (json_type(json_at(list, i)) != JSON_INT || json_int(json_at(list, i), 0) < 1)
            return error_set(err, ERR_INVALID, "main: 'resampling.resolutions' must hold seconds above 0");
        m->resampling_default_s = MAX(m->resampling_default_s, json_int(json_at(list, i), 0));
    }
    m->resampling_minimum_points = json_int(json_get_fold(m->resampling, "minimum-points"), 0);
    return 0;
}

static int load_main(struct config *c, enum config_channel *ret_channel, struct error *err)
{
    const char *origin = NULL;
    const struct json_value *section = settings_section(c->file, "main", &origin);
    *ret_channel = CONFIG_ERROR;
    if (!section)
        return error_set(err, ERR_INVALID, "main configuration must be present");
    int rc = settings_decode(main_fields, section, origin, SETTINGS_STRICT, c->arena, &c->main, err);
    if (rc) {
        // An unknown key is an abort error on standard output, anything else a violation of the schema.
        *ret_channel = strstr(err->text, "unknown field") ? CONFIG_STDOUT : CONFIG_CRIT;
        return rc;
    }
    *ret_channel = CONFIG_CRIT;
    return load_resampling(&c->main, err);
}

static int load_auth(struct config *c, struct error *err)
{
    const char *origin = NULL;
    const struct json_value *section = settings_section(c->file, "auth", &origin);
    c->auth.present = section != NULL;
    if (!section)
        return 0;
    int rc = settings_decode(auth_fields, section, origin, SETTINGS_STRICT, c->arena, &c->auth, err);
    if (rc)
        return rc;
    struct slice age = slice_from_cstr(c->auth.jwts.max_age);
    if (age.len == 0)
        return 0;
    rc = duration_parse(age, &c->auth.max_age_ns, err);
    return rc ? error_prefix(err, "auth: jwts.max-age") : 0;
}

static int load_cron(struct config *c, struct error *err)
{
    const char *origin = NULL;
    const struct json_value *section = settings_section(c->file, "cron", &origin);
    return settings_decode(cron_fields, section, origin, SETTINGS_STRICT, c->arena, &c->cron, err);
}

static void load_failed(struct error *err)
{
    struct error cause = *err;
    if (strncmp(cause.text, "could not decode", 16) != 0)
        error_set(err, cause.code, "could not decode: %s", cause.text);
}

int config_load(const char *path, struct config **ret_config, enum config_channel *ret_channel,
                struct error *err)
{
    struct error own = ERROR_INIT;
    struct config *c = NEW(struct config);
    c->arena = arena_new(CONFIG_ARENA_MAX_BYTES);
    int rc = settings_load(path, &c->file, &own);
    if (rc) {
        *ret_channel = CONFIG_PLAIN;
        load_failed(&own);
        goto out;
    }
    rc = load_main(c, ret_channel, &own);
    if (rc)
        goto out;
    *ret_channel = CONFIG_CRIT;
    rc = load_auth(c, &own);
    if (rc)
        goto out;
    rc = load_cron(c, &own);
    if (rc) {
        *ret_channel = CONFIG_ERROR;
        goto out;
    }
    *ret_config = c;
    c = NULL;
out:
    if (rc && err)
        *err = own;
    config_free(&c);
    return rc;
}

int config_load_archive(struct config *c, struct error *err)
{
    const char *origin = NULL;
    const struct json_value *section = settings_section(c->file, "archive", &origin);
    if (!section) {
        c->archive =
            (struct config_archive){.kind = "file", .path = "./var/job-archive", .compression_days = 7};
        return 0;
    }
    return settings_decode(archive_fields, section, origin, SETTINGS_IGNORE, c->arena, &c->archive, err);
}

struct warnings {
    config_warn_fn *warn;
    void *ctx;
};

static void warn_nats(void *ctx, const char *text)
{
    const struct warnings *w = ctx;
    char line[ERROR_TEXT_SIZE];
    snprintf(line, sizeof(line), "nats: %s", text);
    w->warn(w->ctx, line);
}

static void load_nats(struct config *c, config_warn_fn *warn, void *ctx)
{
    struct warnings w = {warn, ctx};
    const char *origin = NULL;
    const struct json_value *section = settings_section(c->file, "nats", &origin);
    nats_settings_load(section, origin, c->arena, warn_nats, &w, &c->nats);
}

int config_load_store(struct config *c, config_warn_fn *warn, void *ctx, struct error *err)
{
    const char *origin = NULL;
    const struct json_value *section = settings_section(c->file, "metric-store", &origin);
    struct config_store *store = &c->store;
    store->present = section != NULL;
    load_nats(c, warn, ctx);
    if (!section)
        return 0;
    int rc = settings_decode(store_fields, section, origin, SETTINGS_STRICT, c->arena, store, err);
    if (rc == 0)
        rc = nats_subscriptions_load(store->nats_subscriptions, origin, c->arena, &store->subscriptions,
                                     &store->subscription_count, err);
    if (rc)
        return rc;
    if (store->retention_ns <= 0)
        return error_set(err, ERR_INVALID, "metric-store: retention-in-memory must be above 0");
    if (store->memory_cap_gb < 0 || store->memory_cap_gb > (1 << 20))
        return error_set(err, ERR_INVALID, "metric-store: memory-cap must be between 0 and 1048576");
    return persist_check_settings(&store->checkpoints, &store->cleanup, store->checkpoint_interval_ns, warn,
                                  ctx, err);
}

int config_load_cleanup(struct config *c, struct cleanup_command *ret_command, struct error *err)
{
    const char *origin = NULL;
    const struct json_value *section = settings_section(c->file, "metric-store", &origin);
    if (!section)
        return error_set(err, ERR_NOT_FOUND, "metric-store configuration required for checkpoint cleanup");
    return cleanup_command_load(section, origin, c->arena, ret_command, err);
}

void config_free(struct config **config)
{
    struct config *c = *config;
    if (!c)
        return;
    settings_free(&c->file);
    arena_free(&c->arena);
    mem_free(c);
    *config = NULL;
}

static const struct {
    const char *name;
    const struct setting *fields;
    size_t offset;
} sections[] = {{"main", main_fields, offsetof(struct config, main)},
                {"auth", auth_fields, offsetof(struct config, auth)},
                {"archive", archive_fields, offsetof(struct config, archive)},
                {"metric-store", store_fields, offsetof(struct config, store)},
                {"nats", nats_fields, offsetof(struct config, nats)},
                {"cron", cron_fields, offsetof(struct config, cron)}};

void config_print(const struct config *c, struct buf *out)
{
    buf_append_cstr(out, "{\n");
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        buf_printf(out, "  \"%s\": ", sections[i].name);
        settings_print(sections[i].fields, (const char *)c + sections[i].offset, 2, out);
        buf_append_cstr(out, i + 1 < ARRAY_LEN(sections) ? ",\n" : "\n");
    }
    buf_append_cstr(out, "}\n");
}

static void document_section(const char *name, const struct setting *fields, struct buf *out)
{
    buf_printf(out, "## Section `%s`\n\n", name);
    settings_document(fields, "", out);
    buf_append_cstr(out, "\n");
}

void config_document(struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        document_section(sections[i].name, sections[i].fields, out);
        if (sections[i].fields == store_fields)
            document_section("metric-store.nats-subscriptions[]", nats_subscription_fields, out);
    }
}
