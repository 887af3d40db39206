// SPDX-License-Identifier: MIT
#include "metricstore/config.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "codec/json-writer.h"

#define ARENA_MAX ((size_t)1 << 30)

// ---- tables --------------------------------------------------------------------------------------

static const struct setting debug_settings[] = {
    {.key = "gops",
     .type = SETTING_BOOL,
     .offset = offsetof(struct config_debug, gops),
     .help = "accepted, no effect"},
    {.key = "dump-to-file",
     .type = SETTING_STRING,
     .offset = offsetof(struct config_debug, dump_to_file),
     .help = "accepted, no effect"},
    {0},
};

static const char *const authentication_kinds[] = {"jwt", "off", NULL};

#define MAIN(member) offsetof(struct config_main, member)
static const struct setting main_settings[] = {
    // Upstream binds a random port when it is missing (MS-51).
    {.key = "addr",
     .type = SETTING_STRING,
     .offset = MAIN(addr),
     .default_text = "0.0.0.0:8082",
     .help = "listen address, host:port"},
    {.key = "https-cert-file",
     .type = SETTING_STRING,
     .offset = MAIN(cert_file),
     .flags = SETTING_RELOADABLE,
     .help = "PEM certificate chain; HTTPS if the key is given too"},
    {.key = "https-key-file",
     .type = SETTING_STRING,
     .offset = MAIN(key_file),
     .flags = SETTING_RELOADABLE,
     .help = "PEM key"},
    {.key = "user", .type = SETTING_STRING, .offset = MAIN(user), .help = "user to become after the bind"},
    {.key = "group", .type = SETTING_STRING, .offset = MAIN(group), .help = "group to become after the bind"},
    {.key = "backend-url",
     .type = SETTING_STRING,
     .offset = MAIN(backend_url),
     .help = "base URL of cc-backend: hosts of its running jobs keep their data"},
    {.key = "backend-token",
     .type = SETTING_STRING,
     .offset = MAIN(backend_token),
     .flags = SETTING_SECRET,
     .help = "bearer token for requests to the backend"},
    {.key = "jwt-public-key",
     .type = SETTING_STRING,
     .offset = MAIN(jwt_public_key),
     .help = "Base64 of the Ed25519 public key that verifies tokens; required unless authentication is off"},
    {.key = "authentication",
     .type = SETTING_STRING,
     .offset = MAIN(authentication),
     .default_text = "jwt",
     .choices = authentication_kinds,
     .help = "off: everyone who reaches the address may read, write and free all data"},
    {.key = "require-scopes",
     .type = SETTING_BOOL,
     .offset = MAIN(require_scopes),
     .help =
         "true: tokens need the role api or the scope write to write, the role admin or the scope admin to "
         "free and debug, and the scope read, if they have scopes, to query"},
    {.key = "max-request-size",
     .type = SETTING_INT,
     .offset = MAIN(max_request_size),
     .default_text = "268435456",
     .min = 4096,
     .max = INT64_C(1) << 40,
     .help = "largest request body in bytes"},
    {.key = "max-request-memory",
     .type = SETTING_INT,
     .offset = MAIN(max_request_memory),
     .default_text = "1073741824",
     .min = 4096,
     .max = INT64_C(1) << 40,
     .help =
         "memory for request bodies that are being received, in bytes; at least max-request-size; beyond it "
         "senders are told to try again"},
    {.key = "debug",
     .type = SETTING_OBJECT,
     .offset = MAIN(debug),
     .fields = debug_settings,
     .help = "accepted, no effect"},
    {0},
};

#define STORE(member) offsetof(struct config_store, member)
static const struct setting store_settings[] = {
    {.key = "retention-in-memory",
     .type = SETTING_DURATION,
     .offset = STORE(retention_ns),
     .flags = SETTING_REQUIRED,
     .help = "how long data stays in memory"},
    {.key = "memory-cap",
     .type = SETTING_INT,
     .offset = STORE(memory_cap_gb),
     .flags = SETTING_REQUIRED,
     .help = "limit of the data in memory in GB (10^9 bytes), 0 or less: none"},
    {.key = "num-workers",
     .type = SETTING_INT,
     .offset = STORE(num_workers),
     .help = "worker threads, 0: by CPUs"},
    {.key = "checkpoint-interval",
     .type = SETTING_STRING, // a bad one is replaced by the default, as upstream does
     .offset = STORE(checkpoint_interval),
     .default_text = "12h",
     .help = "interval of the snapshots"},
    {.key = "checkpoints",
     .type = SETTING_OBJECT,
     .offset = STORE(checkpoints),
     .fields = checkpoints_fields,
     .help = "files of the persistence layer"},
    {.key = "cleanup",
     .type = SETTING_OBJECT,
     .offset = STORE(cleanup),
     .fields = cleanup_fields,
     .help = "old checkpoints"},
    {.key = "nats-subscriptions",
     .type = SETTING_RAW,
     .offset = STORE(nats_subscriptions),
     .help = "subjects to read from NATS: a list of objects, see below"},
    {.key = "debug",
     .type = SETTING_OBJECT,
     .offset = STORE(debug),
     .fields = debug_settings,
     .help = "accepted, no effect"},
    {0},
};

struct config_metric {
    int64_t frequency;
    const char *aggregation;
};
static const struct setting metric_settings[] = {
    {.key = "frequency",
     .type = SETTING_INT,
     .offset = offsetof(struct config_metric, frequency),
     .flags = SETTING_REQUIRED,
     .min = 1, // zero stops upstream with a panic, negative values break its arithmetic (MS-06)
     .max = INT64_C(366) * 86400,
     .help = "interval of the samples in seconds"},
    {.key = "aggregation",
     .type = SETTING_STRING,
     .offset = offsetof(struct config_metric, aggregation),
     .help = "sum, avg or null"},
    {0},
};

// ---- checks --------------------------------------------------------------------------------------

struct loading {
    struct config *config;
    config_warn_fn *warn;
    void *ctx;
};

static void PRINTF_LIKE(2, 3) warn(const struct loading *loading, const char *fmt, ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (loading->warn)
        loading->warn(loading->ctx, text);
}

// nats-subscriptions: as -print-config writes it when there are none.
static const char *const null_store_keys[] = {"debug", "nats-subscriptions", NULL};
static const char *const null_metric_keys[] = {"aggregation", NULL};

static bool may_be_null(struct slice key, const char *const *allowed)
{
    for (; allowed && *allowed; allowed++)
        if (slice_eq_cstr(key, *allowed))
            return true;
    return false;
}

// Upstream's schema refuses null for every key but those in 'allowed' (2.2).
static int refuse_nulls(const struct json_value *object, const char *origin, const char *const *allowed,
                        struct error *err)
{
    for (size_t i = 0; i < json_count(object); i++) {
        struct slice key;
        const struct json_value *value = json_member_at(object, i, &key);
        if (json_type(value) == JSON_NULL && !may_be_null(key, allowed))
            return error_set_at(err, ERR_INVALID, json_line(value), json_column(value),
                                "%s:%d:%d: '%.*s' must not be null", origin, json_line(value),
                                json_column(value), SLICE_FMT(key));
        int rc = json_type(value) == JSON_OBJECT ? refuse_nulls(value, origin, NULL, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int require_object(const struct json_value *value, const char *name, const char *origin,
                          struct error *err)
{
    if (json_type(value) == JSON_OBJECT)
        return 0;
    return error_set_at(err, ERR_INVALID, json_line(value), json_column(value),
                        "%s:%d:%d: '%s' must be an object, not %s", origin, json_line(value),
                        json_column(value), name, json_type_name(value));
}

// Upstream prints this error elsewhere (2.2).
static int mark_unknown_key(int rc, struct error *err)
{
    if (rc < 0 && err && strstr(err->text, "json: unknown field"))
        return err->code = ERR_UNSUPPORTED;
    return rc;
}

static int decode(const struct loading *loading, const struct setting *fields, const struct json_value *value,
                  const char *origin, void *ret, struct error *err)
{
    return mark_unknown_key(
        settings_decode(fields, value, origin, SETTINGS_STRICT, loading->config->arena, ret, err), err);
}

static int find_section(const struct loading *loading, const char *name, const char *missing,
                        const struct json_value **ret, const char **ret_origin, struct error *err)
{
    *ret = settings_section(loading->config->file, name, ret_origin);
    if (!*ret)
        return error_set(err, ERR_NOT_FOUND, "%s", missing);
    return require_object(*ret, name, *ret_origin, err);
}

static int load_main(const struct loading *loading, struct error *err)
{
    struct config_main *settings = &loading->config->main;
    const struct json_value *section;
    const char *origin;

    int rc = find_section(loading, "main", "main configuration must be present", &section, &origin, err);
    if (rc == 0)
        rc = refuse_nulls(section, origin, NULL, err);
    if (rc == 0)
        rc = decode(loading, main_settings, section, origin, settings, err);
    if (rc < 0)
        return rc;
    if (!*settings->addr)
        settings->addr = "0.0.0.0:8082";
    if (!*settings->cert_file != !*settings->key_file)
        warn(loading,
             "main: https-cert-file and https-key-file must both be given for HTTPS; serving plain HTTP");
    return 0;
}

static void warn_nats(void *ctx, const char *text)
{
    warn(ctx, "nats: %s", text);
}

static void load_nats(struct loading *loading)
{
    struct config *config = loading->config;
    const char *origin = NULL;

    const struct json_value *section = settings_section(config->file, "nats", &origin);
    config->has_nats = section != NULL;
    nats_settings_load(section, origin, config->arena, warn_nats, loading, &config->nats);
}

static int load_metric(const struct loading *loading, const char *origin, const struct json_value *value,
                       struct store_metric *ret, struct error *err)
{
    struct config_metric settings = {0};
    bool known = false;

    int rc = require_object(value, ret->name, origin, err);
    if (rc == 0)
        rc = refuse_nulls(value, origin, null_metric_keys, err);
    if (rc == 0)
        rc = decode(loading, metric_settings, value, origin, &settings, err);
    if (rc == 0 && !json_get(value, "aggregation"))
        rc = error_set_at(err, ERR_INVALID, json_line(value), json_column(value),
                          "%s:%d:%d: 'aggregation' is missing", origin, json_line(value), json_column(value));
    if (rc < 0)
        return rc;
    ret->frequency_s = settings.frequency;
    ret->aggregation = aggregation_from_name(slice_from_cstr(settings.aggregation), &known);
    if (!known)
        warn(loading, "metrics: '%s': unknown aggregation '%s', using none", ret->name, settings.aggregation);
    return 0;
}

static int load_metrics(const struct loading *loading, struct error *err)
{
    struct config *config = loading->config;
    const struct json_value *section;
    const char *origin;

    int rc = find_section(loading, "metrics", "missing metrics configuration", &section, &origin, err);
    if (rc < 0)
        return rc;
    config->metrics = ARENA_ARRAY(config->arena, struct store_metric, json_count(section) + 1);
    for (size_t i = 0; i < json_count(section); i++) {
        struct slice name;
        const struct json_value *value = json_member_at(section, i, &name);
        struct store_metric *metric = &config->metrics[config->metric_count];
        metric->name = arena_strdup(config->arena, name);
        rc = load_metric(loading, origin, value, metric, err);
        if (rc < 0)
            return error_prefix(err, "metrics: '%.*s'", SLICE_FMT(name));
        if (name.len > 0)
            config->metric_count++;
        else // accepted by upstream; no line can ever name it
            warn(loading, "metrics: the metric without a name is left out");
    }
    return 0;
}

static int load_subscriptions(const struct loading *loading, const char *origin, struct error *err)
{
    struct config_store *store = &loading->config->store;

    return mark_unknown_key(nats_subscriptions_load(store->nats_subscriptions, origin, loading->config->arena,
                                                    &store->subscriptions, &store->subscription_count, err),
                            err);
}

static void load_checkpoint_interval(const struct loading *loading)
{
    struct config_store *store = &loading->config->store;
    struct error why = ERROR_INIT;

    if (duration_parse(slice_from_cstr(store->checkpoint_interval), &store->checkpoint_interval_ns, &why) <
        0) {
        warn(loading, "metric-store: checkpoint-interval: %s; using 12h", why.text);
        store->checkpoint_interval = "12h";
        store->checkpoint_interval_ns = 12 * 3600 * NS_PER_S;
    }
}

static void warn_checkpoints(void *ctx, const char *text)
{
    warn(ctx, "%s", text);
}

static int load_store(const struct loading *loading, struct error *err)
{
    struct config_store *store = &loading->config->store;
    const struct json_value *section;
    const char *origin;

    int rc =
        find_section(loading, "metric-store", "missing metricstore configuration", &section, &origin, err);
    if (rc == 0)
        rc = refuse_nulls(section, origin, null_store_keys, err);
    if (rc == 0)
        rc = decode(loading, store_settings, section, origin, store, err);
    if (rc == 0)
        rc = load_subscriptions(loading, origin, err);
    if (rc < 0)
        return rc;
    load_checkpoint_interval(loading);
    return persist_check_settings(&store->checkpoints, &store->cleanup, store->checkpoint_interval_ns,
                                  warn_checkpoints, (void *)(uintptr_t)loading, err);
}

static int load_for_cleanup(const struct loading *loading, struct cleanup_command *ret, struct error *err)
{
    const struct json_value *section;
    const char *origin;

    int rc = find_section(loading, "main", "main configuration must be present", &section, &origin, err);
    if (rc == 0)
        rc = find_section(loading, "metric-store",
                          "metric-store configuration required for checkpoint cleanup", &section, &origin,
                          err);
    if (rc < 0)
        return rc;
    return cleanup_command_load(section, origin, loading->config->arena, ret, err);
}

// Nobody gets an open store by forgetting a key (MS-50). What contradicts itself is not guessed at.
static int check_authentication(const struct loading *loading, struct error *err)
{
    struct config_main *settings = &loading->config->main;

    settings->authentication_off = strcmp(settings->authentication, "off") == 0;
    if (!settings->authentication_off && !*settings->jwt_public_key)
        return error_set(
            err, ERR_INVALID,
            "main: 'jwt-public-key' is missing: give the Base64 of the Ed25519 public key that verifies "
            "tokens, or set 'authentication' to \"off\" to let everyone who reaches '%s' read, write and "
            "free all data",
            settings->addr);
    if (settings->authentication_off && (*settings->jwt_public_key || settings->require_scopes))
        return error_set(err, ERR_INVALID,
                         "main: 'authentication' is \"off\", but '%s' is given: remove one of them",
                         *settings->jwt_public_key ? "jwt-public-key" : "require-scopes");
    return 0;
}

// ---- life cycle ----------------------------------------------------------------------------------

static int load_sections(struct config *config, config_warn_fn *warn_fn, void *ctx,
                         struct config **ret_config, struct error *err)
{
    struct loading loading = {.config = config, .warn = warn_fn, .ctx = ctx};

    int rc = load_main(&loading, err);
    if (rc == 0) {
        load_nats(&loading);
        rc = load_metrics(&loading, err);
    }
    if (rc == 0)
        rc = load_store(&loading, err);
    if (rc == 0) // last: other mistakes are told first
        rc = check_authentication(&loading, err);
    if (rc < 0)
        config_free(&config);
    else
        *ret_config = config;
    return rc;
}

static struct config *config_new(void)
{
    struct config *config = NEW(struct config);

    config->arena = arena_new(ARENA_MAX);
    return config;
}

int config_load(const char *path, config_warn_fn *warn_fn, void *ctx, struct config **ret_config,
                struct error *err)
{
    struct config *config = config_new();

    int rc = settings_load(path, &config->file, err);
    if (rc < 0) {
        config_free(&config);
        return rc;
    }
    return load_sections(config, warn_fn, ctx, ret_config, err);
}

int config_load_for_cleanup(const char *path, struct config **ret_config, struct cleanup_command *ret,
                            struct error *err)
{
    struct config *config = config_new();
    struct loading loading = {.config = config};

    int rc = settings_load(path, &config->file, err);
    if (rc == 0)
        rc = load_for_cleanup(&loading, ret, err);
    if (rc < 0)
        config_free(&config);
    else
        *ret_config = config;
    return rc;
}

int config_load_text(struct slice text, config_warn_fn *warn_fn, void *ctx, struct config **ret_config,
                     struct error *err)
{
    struct config *config = config_new();

    int rc = settings_load_text(text, "config", &config->file, err);
    if (rc < 0) {
        config_free(&config);
        return rc;
    }
    return load_sections(config, warn_fn, ctx, ret_config, err);
}

void config_free(struct config **config)
{
    if (!*config)
        return;
    settings_free(&(*config)->file);
    arena_free(&(*config)->arena);
    mem_free(*config);
    *config = NULL;
}

static void print_metrics(const struct config *config, struct buf *out)
{
    for (size_t i = 0; i < config->metric_count; i++) {
        buf_append_cstr(out, i ? ",\n    " : "\n    ");
        json_append_quoted(out, slice_from_cstr(config->metrics[i].name));
        bool none = config->metrics[i].aggregation == AGGREGATION_NONE;
        buf_printf(out,
                   ": {\"frequency\": %lld, \"aggregation\": ", (long long)config->metrics[i].frequency_s);
        if (none)
            buf_append_cstr(out, "null}");
        else
            buf_printf(out, "\"%s\"}", aggregation_name(config->metrics[i].aggregation));
    }
}

void config_print(const struct config *config, struct buf *out)
{
    buf_append_cstr(out, "{\n  \"main\": ");
    settings_print(main_settings, &config->main, 2, out);
    buf_append_cstr(out, ",\n  \"metrics\": {");
    print_metrics(config, out);
    buf_append_cstr(out, "\n  },\n  \"metric-store\": ");
    settings_print(store_settings, &config->store, 2, out);
    buf_append_cstr(out, ",\n  \"nats\": ");
    settings_print(nats_fields, &config->nats, 2, out);
    buf_append_cstr(out, "\n}\n");
}

void config_document(struct buf *out)
{
    static const struct {
        const char *name;
        const struct setting *fields;
    } sections[] = {{"main", main_settings},
                    {"metrics.<name>", metric_settings},
                    {"metric-store", store_settings},
                    {"metric-store.nats-subscriptions[]", nats_subscription_fields},
                    {"nats", nats_fields}};
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        buf_printf(out, "## Section `%s`\n\n", sections[i].name);
        settings_document(sections[i].fields, "", out);
        buf_append_byte(out, '\n');
    }
}
