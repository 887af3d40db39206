// SPDX-License-Identifier: MIT
// The configuration of cc-backend (spec backend.md 1.8): sections main, auth, archive, metric-store, nats
// and cron, each one table in config.c or beside the part that the two servers share. Loaded once at start; immutable afterwards; texts live as long as the struct.
#ifndef BACKEND_CONFIG_H
#define BACKEND_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "codec/settings.h"
#include "store/cleanup-command.h"
#include "store/nats-settings.h"
#include "store/persist-settings.h"

struct config_main {
    const char *addr, *user, *group, *db, *static_files, *https_cert_file, *https_key_file, *redirect_http_to;
    const char *machine_state_dir, *systemd_unit;
    struct setting_list api_allowed_ips;
    bool disable_authentication, embed_static_files, enable_job_taggers, validate;
    const char *session_max_age;
    int64_t stop_jobs_exceeding_walltime_s, short_running_jobs_duration_s, emission_constant;
    const struct json_value *resampling, *api_subjects, *nodestate_retention;
    int64_t resampling_minimum_points, resampling_default_s; // from 'resampling'; 0: not set
    struct {
        int64_t cache_size_mb, soft_heap_limit_mb, max_open_connections, max_idle_connections,
            max_idle_time_minutes, busy_timeout_ms;
    } db_config;
};

struct config_auth {
    bool present;
    struct {
        const char *max_age, *cookie_name, *trusted_issuer;
        bool validate_user, sync_user_on_login, update_user_on_login;
    } jwts;
    int64_t max_age_ns; // of issued tokens; 0: they do not expire
    const struct json_value *ldap, *oidc;
};

struct config_archive {
    const char *kind, *path, *db_path;
    int64_t compression_days;
    const struct json_value *retention;
};

struct config_store {
    bool present;
    int64_t retention_ns, memory_cap_gb, num_workers, checkpoint_interval_ns;
    struct checkpoints_settings checkpoints;
    struct cleanup_settings cleanup;
    const struct json_value *nats_subscriptions, *debug;  // as given
    const struct nats_intake_subscription *subscriptions; // of nats_subscriptions
    size_t subscription_count;
};

struct config_cron {
    int64_t commit_job_ns, duration_ns, footprint_ns;
};

struct config {
    struct arena *arena;
    struct settings_file *file;
    struct config_main main;
    struct config_auth auth;
    struct config_archive archive;
    struct config_store store;
    struct nats_settings nats;
    struct config_cron cron;
};

// How a refused configuration is reported, because site tooling looks at it (spec 1.1, recorded
// cli-config-errors).
enum config_channel {
    CONFIG_PLAIN,  // one line with a date on stderr: the file is no JSON
    CONFIG_ERROR,  // ERROR log
    CONFIG_STDOUT, // "abort" errors, on standard output
    CONFIG_CRIT,   // CRITICAL log: bounds, types, missing members
};

// Reads the file and the sections main, auth and cron. On failure *ret_channel says where the message
// belongs.
int config_load(const char *path, struct config **ret_config, enum config_channel *ret_channel,
                struct error *err) MUST_CHECK;
// The later steps of the start (spec 1.4 steps 10 and 11), so that one-shot actions do not need these
// sections.
int config_load_archive(struct config *config, struct error *err) MUST_CHECK;
// The sections metric-store and nats. Oddities that are no reason to stop go to 'warn', one line each: mistakes in section nats are
// of that kind (spec 1.8).
typedef void config_warn_fn(void *ctx, const char *text);
int config_load_store(struct config *config, config_warn_fn *warn, void *ctx, struct error *err) MUST_CHECK;
// Section metric-store for -cleanup-checkpoints, without the checks of a start; texts live as long as config.
int config_load_cleanup(struct config *config, struct cleanup_command *ret_command,
                        struct error *err) MUST_CHECK;
// Calls warn for every key and section of the file that is accepted but changes nothing in this release.
void config_warn_unused(const struct config *config, config_warn_fn *warn, void *ctx);
void config_free(struct config **config);
// Effective values of all sections as one JSON document; secrets are hidden.
void config_print(const struct config *config, struct buf *out);
// Markdown tables of all sections, for the documentation.
void config_document(struct buf *out);

#endif
