// SPDX-License-Identifier: MIT
// Configuration of cc-metric-store (spec metric-store.md 2): the sections main, metrics, metric-store and
// nats. Immutable after loading; all texts live as long as the object.
#ifndef METRICSTORE_CONFIG_H
#define METRICSTORE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "codec/settings.h"
#include "store/cleanup-command.h"
#include "store/nats-settings.h"
#include "store/persist-settings.h"
#include "store/store.h"

struct config_debug { // accepted, without effect
    bool gops;
    const char *dump_to_file;
};

struct config_main {
    const char *addr;
    const char *cert_file, *key_file; // TLS if both are set
    const char *user, *group;
    const char *backend_url;    // for the used-nodes query; "": none
    const char *backend_token;  // ours: bearer token for that query (MS-03)
    const char *jwt_public_key; // given unless authentication is off
    const char *authentication; // "jwt", "off"
    bool authentication_off;    // ours: what upstream does without a key must be asked for by name (MS-50)
    bool require_scopes;        // ours: auth.h
    int64_t max_request_size;   // ours: bytes of one request body (MS-15)
    int64_t max_request_memory; // ours: bytes of all request bodies that are being collected
    struct config_debug debug;
};

struct config_store {
    int64_t retention_ns;
    int64_t memory_cap_gb; // 10^9 bytes; 0 or less: unlimited (MS-05)
    int64_t num_workers;
    const char *checkpoint_interval;
    int64_t checkpoint_interval_ns; // from the text
    struct checkpoints_settings checkpoints;
    struct cleanup_settings cleanup;
    const struct json_value *nats_subscriptions;          // as given
    const struct nats_intake_subscription *subscriptions; // of it
    size_t subscription_count;
    struct config_debug debug;
};

struct config {
    struct config_main main;
    struct config_store store;
    struct nats_settings nats;
    struct store_metric *metrics;
    size_t metric_count;
    bool has_nats;
    // private
    struct arena *arena;
    struct settings_file *file;
};

// Oddities that are no reason to stop go to 'warn', one line each.
typedef void config_warn_fn(void *ctx, const char *text);

// Loads and checks everything, in upstream's order: main, nats, metrics, metric-store. Errors: ERR_NOT_FOUND
// for a missing section; ERR_UNSUPPORTED for an unknown key ("json: unknown field ..." is in the text, which
// upstream prints on standard output); ERR_INVALID for all else.
int config_load(const char *path, config_warn_fn *warn, void *ctx, struct config **ret_config,
                struct error *err) MUST_CHECK;
// Sections main (must be there) and metric-store alone, without the checks of a start.
// Sets what the configuration says in *ret_command, whose texts live in the configuration.
int config_load_for_cleanup(const char *path, struct config **ret_config, struct cleanup_command *ret_command,
                            struct error *err) MUST_CHECK;
int config_load_text(struct slice text, config_warn_fn *warn, void *ctx, struct config **ret_config,
                     struct error *err) MUST_CHECK;
void config_free(struct config **config);
// The effective configuration as JSON, secrets as ***.
void config_print(const struct config *config, struct buf *out);
// All keys as Markdown tables (-document-config, docs/configuration/).
void config_document(struct buf *out);

#endif
