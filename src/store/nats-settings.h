// SPDX-License-Identifier: MIT
// The configuration of the NATS intake, which cc-metric-store and cc-backend share (spec metric-store.md 2.5, 2.6): the section nats
// and the list metric-store.nats-subscriptions. The keys nkey-seed-file, tls-*, jetstream-* are ours.
#ifndef STORE_NATS_SETTINGS_H
#define STORE_NATS_SETTINGS_H

#include "base/arena.h"
#include "base/error.h"
#include "codec/settings.h"
#include "store/nats-intake.h"

struct nats_settings {
    const char *address, *username, *password, *creds_file_path, *nkey_seed_file;
    const char *tls_ca_file, *tls_cert_file, *tls_key_file;
};

// Tables for settings_print and settings_document; end with key NULL.
extern const struct setting nats_fields[];
extern const struct setting nats_subscription_fields[];

// Mistakes here are no reason to stop (2.2): a key that is unknown or of the wrong type is told to 'warn', and the others count. section
// NULL: defaults.
void nats_settings_load(const struct json_value *section, const char *origin, struct arena *arena,
                        settings_warn_fn *warn, void *ctx, struct nats_settings *ret);
// The list as the intake takes it; list NULL or JSON null: none. Texts are in the arena. ERR_INVALID names the place; an unknown key is told
// as "json: unknown field ...".
int nats_subscriptions_load(const struct json_value *list, const char *origin, struct arena *arena,
                            const struct nats_intake_subscription **ret_list, size_t *ret_count,
                            struct error *err) MUST_CHECK;
// The connection part of the intake's options; texts are borrowed.
struct nats_options nats_settings_connection(const struct nats_settings *settings, const char *program);

#endif
