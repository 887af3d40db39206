// SPDX-License-Identifier: MIT
#include "collector/config.h"

#include "base/duration.h"
#include "base/log.h"
#include "codec/json-writer.h"
#include "collector/sinks/sinks.h"
#include "collector/sources/sources.h"

#define CONFIG_MEMORY_MAX   ((size_t)16 << 20)
#define INTERVAL_DEFAULT_NS (10 * NS_PER_S)

struct main_settings {
    const char *interval, *duration;
};

static const struct setting main_table[] = {
    {.key = "interval",
     .type = SETTING_STRING,
     .offset = offsetof(struct main_settings, interval),
     .help = "time between two collections; 10s when neither is given"},
    {.key = "duration",
     .type = SETTING_STRING,
     .offset = offsetof(struct main_settings, duration),
     .help = "measurement time of collectors that need one"},
    {0},
};

// ---- main --------------------------------------------------------------------------------------------

// An absent text is 0.
static int read_duration(const char *key, const char *text, int64_t *ret_ns)
{
    struct error err = ERROR_INIT;
    *ret_ns = 0;
    if (!*text)
        return 0;
    if (duration_parse(slice_from_cstr(text), ret_ns, &err) < 0) {
        log_error("Configuration value '%s' no valid duration: %s", key, err.text);
        *ret_ns = 0;
    }
    if (*ret_ns == 0) {
        log_error("Configuration value '%s' must be greater than zero", key);
        return ERR_INVALID;
    }
    return 0;
}

static int read_main(const char *path, struct config *c)
{
    struct error err = ERROR_INIT;
    struct main_settings s;
    const char *origin = path;
    const struct json_value *section = settings_section(c->file, "main", &origin);
    if (!section) {
        log_error("Error reading configuration file %s: EOF (there is no section 'main')", path);
        return ERR_INVALID;
    }
    if (json_type(section) != JSON_OBJECT)
        error_set(&err, ERR_INVALID, "'main' must be an object, not %s", json_type_name(section));
    else
        ignore_result(
            settings_decode(main_table, section, origin, SETTINGS_STRICT, c->arena, &s, &err)); // in err
    if (err.code) {
        log_error("Error reading configuration file %s: %s", path, err.text);
        return err.code;
    }
    if (read_duration("interval", s.interval, &c->interval_ns) < 0 ||
        read_duration("duration", s.duration, &c->duration_ns) < 0)
        return ERR_INVALID;
    if (!*s.interval && !*s.duration)
        c->interval_ns = INTERVAL_DEFAULT_NS;
    if (c->interval_ns < 0 || c->duration_ns < 0 || c->duration_ns > c->interval_ns) {
        log_error("The interval should be greater than duration, and neither may be negative");
        return ERR_INVALID;
    }
    return 0;
}

// ---- other sections ----------------------------------------------------------------------------------

static int find_section(struct config *c, const char *path, const char *name, const char *long_name,
                        const struct json_value **ret, const char **ret_origin)
{
    *ret_origin = path;
    *ret = settings_section(c->file, name, ret_origin);
    if (*ret)
        return 0;
    log_error("%s configuration file must be set", long_name);
    return ERR_INVALID;
}

static int read_router(const char *path, struct config *c)
{
    struct error err = ERROR_INIT;
    const struct json_value *section;
    int rc = find_section(c, path, "router", "Metric router", &section, &c->router_origin);
    if (rc < 0)
        return rc;
    rc = router_read_settings(section, c->router_origin, c->arena, &c->router, &err);
    if (rc < 0)
        log_error("failed to decode metric router config: %s", err.text);
    return rc;
}

static int read_sinks(const char *path, struct config *c)
{
    int rc = find_section(c, path, "sinks", "Sink", &c->sinks, &c->sinks_origin);
    if (rc == 0 && json_type(c->sinks) != JSON_OBJECT) {
        log_error("[SinkManager] 'sinks' must be an object, not %s", json_type_name(c->sinks));
        rc = ERR_INVALID;
    }
    return rc;
}

static int read_collectors(const char *path, struct config *c)
{
    int rc = find_section(c, path, "collectors", "Metric collector", &c->collectors, &c->collectors_origin);
    if (rc == 0 && json_type(c->collectors) != JSON_OBJECT && json_type(c->collectors) != JSON_NULL) {
        log_error("CollectorManager Init(): 'collectors' must be an object, not %s",
                  json_type_name(c->collectors));
        rc = ERR_INVALID;
    }
    return rc;
}

// There are no receivers in this version: refusing them is better than a proxy that silently hears nothing.
static int read_receivers(struct config *c)
{
    struct slice name;
    const struct json_value *section = settings_section(c->file, "receivers", NULL);
    if (json_type(section) == JSON_NULL)
        return 0;
    if (json_type(section) != JSON_OBJECT) {
        log_error("[ReceiveManager] 'receivers' must be an object, not %s", json_type_name(section));
        return ERR_INVALID;
    }
    if (json_count(section) == 0)
        return 0;
    const struct json_value *first = json_member_at(section, 0, &name);
    log_error("[ReceiveManager] receiver '%.*s' of type '%.*s' is not supported", SLICE_FMT(name),
              SLICE_FMT(json_string(json_get_fold(first, "type"))));
    return ERR_UNSUPPORTED;
}

int config_load(const char *path, struct config *ret)
{
    struct error err = ERROR_INIT;
    struct config c = {.arena = arena_new(CONFIG_MEMORY_MAX)};
    int rc = settings_load_lookup(path, SETTINGS_MAIN_FILE_FIRST, &c.file, &err);
    if (rc < 0) {
        log_error("%s%s", rc == ERR_INVALID ? "could not decode: " : "CONFIG ERROR: ", err.text);
    } else {
        rc = read_main(path, &c);
        if (rc == 0)
            rc = read_router(path, &c);
        if (rc == 0)
            rc = read_sinks(path, &c);
        if (rc == 0)
            rc = read_collectors(path, &c);
        if (rc == 0)
            rc = read_receivers(&c);
    }
    if (rc < 0) {
        config_release(&c);
        return rc;
    }
    *ret = c;
    return 0;
}

void config_release(struct config *c)
{
    settings_free(&c->file);
    arena_free(&c->arena);
}

// ---- checking and printing ---------------------------------------------------------------------------

static void print_key(struct buf *print, bool first, struct slice key)
{
    if (!print)
        return;
    buf_append_cstr(print, first ? "\n    " : ",\n    ");
    json_append_quoted(print, key);
    buf_append_cstr(print, ": ");
}

static size_t check_router(const struct config *c, struct buf *print)
{
    struct error err = ERROR_INIT;
    struct router *router = NULL;
    if (router_new(&c->router, "localhost", NULL, 0, &router, &err) < 0) {
        log_error("%s: %s", c->router_origin, err.text);
        return 1;
    }
    router_free(&router);
    if (print)
        settings_print(router_settings_table, &c->router, 2, print);
    return 0;
}

static size_t check_sinks(const struct config *c, struct buf *print)
{
    size_t faults = 0, good = 0;
    for (size_t i = 0; i < json_count(c->sinks); i++) {
        struct error err = ERROR_INIT;
        struct slice name;
        const struct json_value *v = json_member_at(c->sinks, i, &name);
        const struct sink_ops *ops = sink_kind_find(json_string(json_get_fold(v, "type")));
        if (ops)
            print_key(print, good == 0, name);
        else
            error_set(&err, ERR_UNSUPPORTED, "unknown sink type");
        if (!ops || sink_check(ops, v, c->sinks_origin, print, &err) < 0) {
            log_error("[SinkManager] sink '%.*s': %s", SLICE_FMT(name), err.text);
            faults++;
        } else {
            good++;
        }
    }
    if (good == 0)
        log_error("found no usable sinks");
    return faults + (good == 0);
}

static size_t check_collectors(const struct config *c, struct buf *print)
{
    size_t faults = 0, good = 0;
    for (size_t i = 0; i < json_count(c->collectors); i++) {
        struct error err = ERROR_INIT;
        struct slice key;
        const struct json_value *v = json_member_at(c->collectors, i, &key);
        const struct source_ops *ops = source_kind_find(key);
        if (!ops) {
            log_error("[CollectorManager] unknown collector '%.*s'", SLICE_FMT(key));
            faults++;
            continue;
        }
        void *options = arena_alloc(c->arena, ops->options_size);
        const struct json_value *given = json_type(v) == JSON_NULL ? NULL : v;
        if (settings_decode(ops->settings, given, c->collectors_origin, SETTINGS_STRICT, c->arena, options,
                            &err) < 0) {
            log_error("[CollectorManager] collector '%.*s': %s", SLICE_FMT(key), err.text);
            faults++;
            continue;
        }
        print_key(print, good++ == 0, key);
        if (print)
            settings_print(ops->settings, options, 4, print);
    }
    return faults;
}

size_t config_check(const struct config *c, struct buf *print)
{
    char interval[40], duration[40];
    if (print)
        buf_printf(print, "{\n  \"main\": {\"interval\": \"%s\", \"duration\": \"%s\"},\n  \"router\": ",
                   duration_format(c->interval_ns, interval, sizeof(interval)),
                   duration_format(c->duration_ns, duration, sizeof(duration)));
    size_t faults = check_router(c, print);
    if (print)
        buf_append_cstr(print, ",\n  \"sinks\": {");
    faults += check_sinks(c, print);
    if (print)
        buf_append_cstr(print, "\n  },\n  \"collectors\": {");
    faults += check_collectors(c, print);
    if (print)
        buf_append_cstr(print, "\n  },\n  \"receivers\": {}\n}\n");
    return faults;
}

static void document(const char *title, const struct setting *fields, struct buf *out)
{
    buf_printf(out, "## %s\n\n", title);
    if (fields && fields[0].key)
        settings_document(fields, "", out);
    else
        buf_append_cstr(out, "No options.\n");
    buf_append_byte(out, '\n');
}

void config_document(struct buf *out)
{
    char title[80];
    document("Section `main`", main_table, out);
    document("Section `router`", router_settings_table, out);
    for (size_t i = 0; sink_kinds[i]; i++) {
        snprintf(title, sizeof(title), "Sink of type `%s`", sink_kinds[i]->type);
        document(title, sink_kinds[i]->settings, out);
    }
    for (size_t i = 0; source_kinds[i]; i++) {
        snprintf(title, sizeof(title), "Collector `%s`", source_kinds[i]->key);
        document(title, source_kinds[i]->settings, out);
    }
}
