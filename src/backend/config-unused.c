// SPDX-License-Identifier: MIT
#include "backend/config.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"

// Which values ask for something that is not there; the others say what happens anyway.
enum asks { ASKS_ALWAYS, ASKS_IF_TRUE, ASKS_IF_FALSE };

static const struct {
    const char *section, *object, *key; // object: NULL, or the member that holds the key
    enum asks asks;
} unused_keys[] = {
    {"main", NULL, "embed-static-files", ASKS_IF_FALSE},
    {"main", NULL, "static-files", ASKS_ALWAYS},
    {"main", NULL, "enable-job-taggers", ASKS_IF_TRUE},
    {"main", NULL, "validate", ASKS_IF_TRUE},
    {"main", NULL, "session-max-age", ASKS_ALWAYS},
    {"main", NULL, "machine-state-dir", ASKS_ALWAYS},
    {"main", NULL, "stop-jobs-exceeding-walltime", ASKS_ALWAYS},
    {"main", NULL, "short-running-jobs-duration", ASKS_ALWAYS},
    {"main", NULL, "emission-constant", ASKS_ALWAYS},
    {"main", NULL, "systemd-unit", ASKS_ALWAYS},
    {"main", NULL, "api-subjects", ASKS_ALWAYS},
    {"main", NULL, "nodestate-retention", ASKS_ALWAYS},
    {"main", "db-config", "soft-heap-limit-mb", ASKS_ALWAYS},
    {"main", "db-config", "max-idle-connections", ASKS_ALWAYS},
    {"main", "db-config", "max-idle-time-minutes", ASKS_ALWAYS},
    {"auth", "jwts", "cookie-name", ASKS_ALWAYS},
    {"auth", "jwts", "trusted-issuer", ASKS_ALWAYS},
    {"auth", "jwts", "sync-user-on-login", ASKS_IF_TRUE},
    {"auth", "jwts", "update-user-on-login", ASKS_IF_TRUE},
    {"auth", NULL, "ldap", ASKS_ALWAYS},
    {"auth", NULL, "oidc", ASKS_ALWAYS},
    {"archive", NULL, "db-path", ASKS_ALWAYS},
    {"archive", NULL, "compression", ASKS_ALWAYS},
    {"archive", NULL, "retention", ASKS_ALWAYS},
    {"metric-store", NULL, "debug", ASKS_ALWAYS},
    {"cron", NULL, "commit-job-worker", ASKS_ALWAYS},
};

static const char *const used_sections[] = {"main", "auth", "archive", "metric-store", "cron"};

static bool asks_for_more(enum asks asks, const struct json_value *value)
{
    enum json_type type = json_type(value);
    if (type == JSON_NULL || (type == JSON_STRING && json_string(value).len == 0))
        return false;
    return asks == ASKS_ALWAYS || (type == JSON_BOOL && json_bool(value, false) == (asks == ASKS_IF_TRUE));
}

static void warn_keys(const struct config *c, config_warn_fn *warn, void *ctx)
{
    char text[256];
    for (size_t i = 0; i < ARRAY_LEN(unused_keys); i++) {
        const char *object = unused_keys[i].object;
        const struct json_value *holder = settings_section(c->file, unused_keys[i].section, NULL);
        if (object)
            holder = json_get_fold(holder, object);
        if (!asks_for_more(unused_keys[i].asks, json_get_fold(holder, unused_keys[i].key)))
            continue;
        snprintf(text, sizeof(text), "configuration: '%s.%s%s%s' has no effect in this release",
                 unused_keys[i].section, object ? object : "", object ? "." : "", unused_keys[i].key);
        warn(ctx, text);
    }
}

// The section nats is for the subscriptions of the store; job events over NATS come with a later release.
static bool is_used(const struct config *c, struct slice name)
{
    if (slice_eq_cstr(name, "nats"))
        return c->store.subscription_count > 0;
    for (size_t i = 0; i < ARRAY_LEN(used_sections); i++) {
        if (slice_eq_cstr(name, used_sections[i]))
            return true;
    }
    return false;
}

void config_warn_unused(const struct config *c, config_warn_fn *warn, void *ctx)
{
    char text[256];
    warn_keys(c, warn, ctx);
    for (size_t i = 0; i < settings_section_count(c->file); i++) {
        struct slice name = settings_section_name(c->file, i);
        if (is_used(c, name))
            continue;
        snprintf(text, sizeof(text), "configuration: section '%.*s' has no effect in this release",
                 (int)MIN(name.len, (size_t)100), name.ptr);
        warn(ctx, text);
    }
}
