// SPDX-License-Identifier: MIT
#include "collector/router.h"

#include <pthread.h>

#include "base/log.h"
#include "base/mem.h"

struct router {
    pthread_mutex_t lock; // guards all; the sinks' locks are taken under it
    struct processor *processor;
    bool interval_timestamp;
    struct sink *const *sinks; // borrowed
    size_t sink_count;
    bool *dropped; // by series id: rules dropped it, or failed
    size_t dropped_cap;
    struct router_stats stats;
};

#define RAW_OPTION(member, help_)                                                                            \
    {                                                                                                        \
        .key = #member, .type = SETTING_RAW, .offset = offsetof(struct router_settings, member),             \
        .help = (help_)                                                                                      \
    }

const struct setting router_settings_table[] = {
    {.key = "interval_timestamp",
     .type = SETTING_BOOL,
     .offset = offsetof(struct router_settings, interval_timestamp),
     .help = "messages carry the time of the tick instead of that of their reading"},
    {.key = "num_cache_intervals",
     .type = SETTING_INT,
     .offset = offsetof(struct router_settings, num_cache_intervals),
     .help = "0: no cache and no aggregates, the only supported value"},
    {.key = "hostname_tag",
     .type = SETTING_STRING,
     .offset = offsetof(struct router_settings, hostname_tag),
     .default_text = "hostname",
     .help = "tag key for the name of this host"},
    {.key = "max_forward",
     .type = SETTING_INT,
     .offset = offsetof(struct router_settings, max_forward),
     .default_text = "50",
     .help = "accepted; messages are handed on tick by tick"},
    RAW_OPTION(process_messages, "message processor"),
    RAW_OPTION(interval_aggregates, "inactive without num_cache_intervals"),
    RAW_OPTION(add_tags, "list of {key, value, if}"),
    RAW_OPTION(delete_tags, "list of {key, if}"),
    {.key = "drop_metrics",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct router_settings, drop_metrics),
     .help = "names"},
    RAW_OPTION(drop_metrics_if, "list of conditions"),
    RAW_OPTION(rename_metrics, "object old name -> new name"),
    {.key = "normalize_units",
     .type = SETTING_BOOL,
     .offset = offsetof(struct router_settings, normalize_units),
     .help = "units in their short form"},
    RAW_OPTION(change_unit_prefix, "object metric name -> prefix"),
    {0},
};

// ---- legacy options ----------------------------------------------------------------------------------

static int wrong_type(const struct json_value *v, const char *key, const char *what, struct error *err)
{
    return error_set(err, ERR_INVALID, "line %d, column %d: '%s' must be %s, not %s", json_line(v),
                     json_column(v), key, what, json_type_name(v));
}

struct tag_rule {
    const char *key, *value, *condition;
};
static const struct setting tag_rule_table[] = {
    {.key = "key", .type = SETTING_STRING, .offset = offsetof(struct tag_rule, key), .help = "tag"},
    {.key = "value", .type = SETTING_STRING, .offset = offsetof(struct tag_rule, value), .help = "its value"},
    {.key = "if",
     .type = SETTING_STRING,
     .offset = offsetof(struct tag_rule, condition),
     .help = "condition, * = all"},
    {0},
};

// add_tags and delete_tags: strict objects, "*" is the condition that always holds.
static int add_tag_rules(struct processor *p, enum processor_stage stage, const char *option,
                         const struct json_value *list, struct error *err)
{
    if (json_type(list) != JSON_NULL && json_type(list) != JSON_ARRAY)
        return wrong_type(list, option, "a list", err);
    struct arena *arena = arena_new(1 << 20);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_count(list); i++) {
        struct tag_rule rule;
        const struct json_value *v = json_at(list, i);
        if (json_type(v) != JSON_OBJECT)
            rc = wrong_type(v, option, "a list of objects", err);
        else
            rc = settings_decode(tag_rule_table, v, NULL, SETTINGS_STRICT, arena, &rule, err);
        if (rc == 0) {
            struct slice condition = slice_from_cstr(rule.condition);
            if (slice_eq_cstr(condition, "*"))
                condition = SLICE_LITERAL("true");
            rc = processor_add_rule(p, stage, condition, slice_from_cstr(rule.key),
                                    slice_from_cstr(rule.value), err);
        }
        if (rc < 0)
            error_prefix(err, "'%s'", option);
    }
    arena_free(&arena);
    return rc;
}

static int add_drop_conditions(struct processor *p, const struct json_value *list, struct error *err)
{
    if (json_type(list) != JSON_NULL && json_type(list) != JSON_ARRAY)
        return wrong_type(list, "drop_metrics_if", "a list of conditions", err);
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json_value *v = json_at(list, i);
        if (json_type(v) != JSON_STRING)
            return wrong_type(v, "drop_metrics_if", "a list of conditions", err);
        int rc = processor_add_rule(p, STAGE_DROP_IF, json_string(v), SLICE_EMPTY, SLICE_EMPTY, err);
        if (rc < 0)
            return error_prefix(err, "'drop_metrics_if'");
    }
    return 0;
}

typedef void add_pair_fn(struct processor *p, struct slice key, struct slice value);

static int add_pairs(struct processor *p, const char *option, const struct json_value *object,
                     add_pair_fn *add, struct error *err)
{
    if (json_type(object) != JSON_NULL && json_type(object) != JSON_OBJECT)
        return wrong_type(object, option, "an object", err);
    for (size_t i = 0; i < json_count(object); i++) {
        struct slice key;
        const struct json_value *v = json_member_at(object, i, &key);
        if (json_type(v) != JSON_STRING)
            return wrong_type(v, option, "an object of strings", err);
        add(p, key, json_string(v));
    }
    return 0;
}

// Appends the rules that the options beside process_messages stand for (collector.md 2.2).
static int add_legacy_rules(struct processor *p, const struct router_settings *s, const char *hostname,
                            struct error *err)
{
    for (size_t i = 0; i < s->drop_metrics.count; i++)
        processor_add_drop(p, slice_from_cstr(s->drop_metrics.items[i]));
    int rc = add_drop_conditions(p, s->drop_metrics_if, err);
    if (rc == 0)
        rc = add_tag_rules(p, STAGE_ADD_TAG, "add_tags", s->add_tags, err);
    if (rc == 0)
        rc = add_tag_rules(p, STAGE_DELETE_TAG, "delete_tags", s->delete_tags, err);
    if (rc == 0)
        rc = add_pairs(p, "rename_metrics", s->rename_metrics, processor_add_rename, err);
    if (rc == 0)
        rc = add_pairs(p, "change_unit_prefix", s->change_unit_prefix, processor_add_prefix, err);
    if (rc < 0)
        return rc;
    if (s->normalize_units)
        processor_set_normalize(p);
    processor_add_default_tag(p, slice_from_cstr(s->hostname_tag), slice_from_cstr(hostname));
    return 0;
}

// Aggregates do nothing without a cache, but their keys are checked as upstream does.
static int check_aggregates(const struct router_settings *s, const char *origin, struct arena *arena,
                            struct error *err)
{
    struct aggregate {
        const char *name, *function, *condition;
        const struct json_value *tags, *meta;
    } ignored;
    static const struct setting table[] = {
        {.key = "name", .type = SETTING_STRING, .offset = offsetof(struct aggregate, name), .help = "metric"},
        {.key = "function",
         .type = SETTING_STRING,
         .offset = offsetof(struct aggregate, function),
         .help = "formula"},
        {.key = "if",
         .type = SETTING_STRING,
         .offset = offsetof(struct aggregate, condition),
         .help = "condition"},
        {.key = "tags", .type = SETTING_RAW, .offset = offsetof(struct aggregate, tags), .help = "tags"},
        {.key = "meta", .type = SETTING_RAW, .offset = offsetof(struct aggregate, meta), .help = "meta"},
        {0},
    };
    const struct json_value *list = s->interval_aggregates;
    if (json_type(list) != JSON_NULL && json_type(list) != JSON_ARRAY)
        return wrong_type(list, "interval_aggregates", "a list", err);
    for (size_t i = 0; i < json_count(list); i++) {
        int rc = settings_decode(table, json_at(list, i), origin, SETTINGS_STRICT, arena, &ignored, err);
        if (rc < 0)
            return error_prefix(err, "'interval_aggregates'");
    }
    if (json_count(list))
        log_warn("[MetricRouter] interval_aggregates has no effect without num_cache_intervals");
    return 0;
}

int router_read_settings(const struct json_value *section, const char *origin, struct arena *arena,
                         struct router_settings *ret, struct error *err)
{
    if (json_type(section) != JSON_OBJECT)
        return wrong_type(section, "router", "an object", err);
    int rc = settings_decode(router_settings_table, section, origin, SETTINGS_STRICT, arena, ret, err);
    if (rc == 0)
        rc = check_aggregates(ret, origin, arena, err);
    if (rc < 0)
        return rc;
    if (ret->num_cache_intervals > 0)
        return error_set(err, ERR_UNSUPPORTED, "%s: 'num_cache_intervals' above 0 is not supported", origin);
    if (!*ret->hostname_tag || strpbrk(ret->hostname_tag, "'\"\\"))
        return error_set(err, ERR_INVALID, "%s: 'hostname_tag' must be a tag key without quotes", origin);
    return 0;
}

// ---- life cycle --------------------------------------------------------------------------------------

int router_new(const struct router_settings *settings, const char *hostname, struct sink *const *sinks,
               size_t sink_count, struct router **ret, struct error *err)
{
    struct processor *processor = NULL;
    int rc = processor_new(settings->process_messages, &processor, err);
    if (rc == 0)
        rc = add_legacy_rules(processor, settings, hostname, err);
    if (rc < 0) {
        processor_free(&processor);
        return rc;
    }
    struct router *router = NEW(struct router);
    pthread_mutex_init(&router->lock, NULL);
    router->processor = processor;
    router->interval_timestamp = settings->interval_timestamp;
    router->sinks = sinks;
    router->sink_count = sink_count;
    *ret = router;
    return 0;
}

void router_free(struct router **router)
{
    struct router *r = *router;
    if (!r)
        return;
    processor_free(&r->processor);
    pthread_mutex_destroy(&r->lock);
    mem_free(r->dropped);
    mem_free(r);
    *router = NULL;
}

// ---- messages ----------------------------------------------------------------------------------------

series_id router_declare(struct router *r, struct message **msg)
{
    struct error err = ERROR_INIT;
    struct conversion conversion = {0};
    int rc = processor_apply(r->processor, *msg, &conversion, &err);
    if (rc < 0)
        log_warn("[MetricRouter] '%.*s' is dropped: %s", SLICE_FMT(message_name(*msg)), err.text);
    pthread_mutex_lock(&r->lock);
    series_id id = (series_id)r->stats.series++;
    ENSURE_CAPACITY(r->dropped, r->dropped_cap, (size_t)id + 1);
    r->dropped[id] = rc <= 0;
    r->stats.dropped_series += rc == 0;
    r->stats.invalid_series += rc < 0;
    for (size_t i = 0; rc > 0 && i < r->sink_count; i++)
        sink_declare(r->sinks[i], id, *msg, &conversion);
    pthread_mutex_unlock(&r->lock);
    message_free(msg);
    return id;
}

void router_deliver(struct router *r, const struct batch *batch, struct wall_time tick)
{
    struct wall_time time = r->interval_timestamp ? tick : batch->time;
    if (batch->count == 0)
        return;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->sink_count; i++)
        sink_append(r->sinks[i], batch, time);
    for (size_t i = 0; i < batch->count; i++)
        r->stats.samples += !r->dropped[batch->items[i].series];
    pthread_mutex_unlock(&r->lock);
}

void router_flush(struct router *r)
{
    for (size_t i = 0; i < r->sink_count; i++)
        sink_flush(r->sinks[i]);
}

struct router_stats router_read_stats(struct router *r)
{
    pthread_mutex_lock(&r->lock);
    struct router_stats stats = r->stats;
    pthread_mutex_unlock(&r->lock);
    return stats;
}
