// SPDX-License-Identifier: MIT
#include "store/nats-settings.h"

#include <stddef.h>
#include <string.h>

#include "net/nats-subject.h"

#define NATS(member) offsetof(struct nats_settings, member)
const struct setting nats_fields[] = {
    {.key = "address", .type = SETTING_STRING, .offset = NATS(address), .help = "URLs, separated by commas"},
    {.key = "username", .type = SETTING_STRING, .offset = NATS(username), .help = "user name"},
    {.key = "password",
     .type = SETTING_STRING,
     .offset = NATS(password),
     .flags = SETTING_SECRET,
     .help = "password"},
    {.key = "creds-file-path",
     .type = SETTING_STRING,
     .offset = NATS(creds_file_path),
     .help = "credentials file"},
    {.key = "nkey-seed-file",
     .type = SETTING_STRING,
     .offset = NATS(nkey_seed_file),
     .help = "file with the seed of an NKey"},
    {.key = "tls-ca-file",
     .type = SETTING_STRING,
     .offset = NATS(tls_ca_file),
     .help =
         "PEM certificates to trust besides the system's; switches TLS on, as does tls:// in the address"},
    {.key = "tls-cert-file",
     .type = SETTING_STRING,
     .offset = NATS(tls_cert_file),
     .help = "PEM certificate chain to show to the server"},
    {.key = "tls-key-file", .type = SETTING_STRING, .offset = NATS(tls_key_file), .help = "PEM key of it"},
    {0},
};

struct subscription {
    const char *subject, *cluster_tag, *stream, *durable, *deliver;
};
#define SUBSCRIPTION(member) offsetof(struct subscription, member)
static const char *const deliver_choices[] = {"all", "new", NULL};
const struct setting nats_subscription_fields[] = {
    {.key = "subscribe-to",
     .type = SETTING_STRING,
     .offset = SUBSCRIPTION(subject),
     .flags = SETTING_REQUIRED,
     .help = "subject, may have wildcards"},
    {.key = "cluster-tag",
     .type = SETTING_STRING,
     .offset = SUBSCRIPTION(cluster_tag),
     .help = "cluster of lines without that tag"},
    {.key = "jetstream-stream",
     .type = SETTING_STRING,
     .offset = SUBSCRIPTION(stream),
     .help = "JetStream stream to read the subject from, which keeps messages while the store is down"},
    {.key = "jetstream-durable",
     .type = SETTING_STRING,
     .offset = SUBSCRIPTION(durable),
     .help = "name of the durable consumer, made if need be; each store needs its own"},
    {.key = "jetstream-deliver",
     .type = SETTING_STRING,
     .offset = SUBSCRIPTION(deliver),
     .default_text = "all",
     .choices = deliver_choices,
     .help = "what a consumer that is made begins with: all that the stream has, or new messages"},
    {0},
};

// Each key by itself, so that a wrong one leaves the others.
void nats_settings_load(const struct json_value *section, const char *origin, struct arena *arena,
                        settings_warn_fn *warn, void *ctx, struct nats_settings *ret)
{
    if (section && json_type(section) != JSON_OBJECT && json_type(section) != JSON_NULL) {
        warn(ctx, "the section must be an object");
        section = NULL;
    }
    for (size_t i = 0; nats_fields[i].key; i++) {
        const struct setting one[] = {nats_fields[i], {0}};
        struct error err = ERROR_INIT;
        if (settings_decode(one, section, origin, SETTINGS_IGNORE, arena, ret, &err) == 0)
            continue;
        warn(ctx, err.text);
        ignore_result(
            settings_decode(one, NULL, "", SETTINGS_IGNORE, arena, ret, NULL)); // defaults cannot fail
    }
    if (section)
        settings_warn_unknown(nats_fields, section, origin, warn, ctx);
}

static int refuse(const struct json_value *value, const char *origin, struct error *err, const char *text,
                  const char *what)
{
    return error_set_at(err, ERR_INVALID, json_line(value), json_column(value), "%s:%d:%d: %s%s", origin,
                        json_line(value), json_column(value), text, what);
}

static bool is_set(const char *text)
{
    return *text != '\0';
}

static int check_subscription(const struct subscription *s, const struct json_value *value,
                              const char *origin, struct error *err)
{
    if (!nats_subject_is_valid(slice_from_cstr(s->subject), true))
        return refuse(value, origin, err, "'subscribe-to' is no NATS subject: ", s->subject);
    if (is_set(s->stream) != is_set(s->durable))
        return refuse(value, origin, err, "'jetstream-stream' and 'jetstream-durable' need each other", "");
    if (is_set(s->stream) && !nats_name_is_valid(slice_from_cstr(s->stream)))
        return refuse(value, origin, err, "'jetstream-stream' is no name of a stream: ", s->stream);
    if (is_set(s->durable) && !nats_name_is_valid(slice_from_cstr(s->durable)))
        return refuse(value, origin, err, "'jetstream-durable' is no name of a consumer: ", s->durable);
    return 0;
}

static int load_subscription(const struct json_value *value, const char *origin, struct arena *arena,
                             struct nats_intake_subscription *ret, struct error *err)
{
    struct subscription s = {0};
    if (json_type(value) != JSON_OBJECT)
        return refuse(value, origin, err, "'nats-subscriptions' must be an object, not ",
                      json_type_name(value));
    int rc = settings_decode(nats_subscription_fields, value, origin, SETTINGS_SCHEMA, arena, &s, err);
    if (rc == 0)
        rc = check_subscription(&s, value, origin, err);
    if (rc == 0)
        *ret = (struct nats_intake_subscription){.subject = s.subject,
                                                 .cluster_tag = s.cluster_tag,
                                                 .stream = s.stream,
                                                 .durable = s.durable,
                                                 .deliver_new = strcmp(s.deliver, "new") == 0};
    return rc;
}

int nats_subscriptions_load(const struct json_value *list, const char *origin, struct arena *arena,
                            const struct nats_intake_subscription **ret_list, size_t *ret_count,
                            struct error *err)
{
    *ret_list = NULL;
    *ret_count = 0;
    if (!list || json_type(list) == JSON_NULL)
        return 0;
    if (json_type(list) != JSON_ARRAY)
        return refuse(list, origin, err, "'nats-subscriptions' must be an array, not ", json_type_name(list));
    struct nats_intake_subscription *subscriptions =
        ARENA_ARRAY(arena, struct nats_intake_subscription, json_count(list) + 1);
    for (size_t i = 0; i < json_count(list); i++) {
        int rc = load_subscription(json_at(list, i), origin, arena, &subscriptions[i], err);
        if (rc < 0)
            return rc;
    }
    *ret_list = subscriptions;
    *ret_count = json_count(list);
    return 0;
}

struct nats_options nats_settings_connection(const struct nats_settings *settings, const char *program)
{
    return (struct nats_options){.urls = settings->address,
                                 .username = settings->username,
                                 .password = settings->password,
                                 .creds_file = settings->creds_file_path,
                                 .nkey_seed_file = settings->nkey_seed_file,
                                 .tls_ca_file = settings->tls_ca_file,
                                 .tls_cert_file = settings->tls_cert_file,
                                 .tls_key_file = settings->tls_key_file,
                                 .name = program};
}
