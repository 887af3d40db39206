// SPDX-License-Identifier: MIT
#include "collector/processor.h"

#include <math.h>

#include "base/log.h"
#include "base/mem.h"
#include "collector/units.h"

#define PROCESSOR_MEMORY_MAX ((size_t)16 << 20)
#define STAGE_ORDER_MAX      64

struct rule {
    struct condition condition;
    struct slice key, value;
    bool if_absent; // of STAGE_ADD_TAG: an existing tag stays
};

struct rule_list {
    struct rule *items;
    size_t count, cap;
    bool built_in; // holds rules of the program's own, which must run whatever stage_order says
};

struct processor {
    struct arena *arena; // texts
    struct rule_list stages[STAGE_COUNT];
    bool normalize;
    enum processor_stage order[STAGE_ORDER_MAX + STAGE_COUNT];
    size_t order_count;
    bool custom_order;
};

enum shape {
    SHAPE_NAMES,      // list of names
    SHAPE_CONDITIONS, // list of conditions
    SHAPE_RULES,      // list of {"if", "key", "value"}
    SHAPE_RENAMES,    // object name -> text
    SHAPE_IF_MAP,     // object condition -> text
    SHAPE_FLAG,
};

typedef int stage_fn(const struct rule *rule, struct message *msg, struct conversion *conversion,
                     struct error *err);
static stage_fn apply_drop, apply_drop_by_type, apply_add_tag, apply_delete_tag, apply_move_tag_to_meta,
    apply_add_meta, apply_delete_meta, apply_move_meta_to_tag, apply_rename, apply_prefix, apply_normalize;

static const struct stage_info {
    const char *name; // in stage_order
    const char *key;  // in the configuration
    enum shape shape;
    stage_fn *apply;
} stage_infos[STAGE_COUNT] = {
    [STAGE_DROP_BY_NAME] = {"drop_by_name", "drop_messages", SHAPE_NAMES, apply_drop},
    [STAGE_DROP_BY_TYPE] = {"drop_by_type", "drop_by_message_type", SHAPE_NAMES, apply_drop_by_type},
    [STAGE_DROP_IF] = {"drop_if", "drop_messages_if", SHAPE_CONDITIONS, apply_drop},
    [STAGE_ADD_TAG] = {"add_tag", "add_tags_if", SHAPE_RULES, apply_add_tag},
    [STAGE_DELETE_TAG] = {"delete_tag", "delete_tags_if", SHAPE_RULES, apply_delete_tag},
    [STAGE_MOVE_TAG_TO_META] = {"move_tag_to_meta", "move_tag_to_meta_if", SHAPE_RULES,
                                apply_move_tag_to_meta},
    [STAGE_ADD_META] = {"add_meta", "add_meta_if", SHAPE_RULES, apply_add_meta},
    [STAGE_DELETE_META] = {"delete_meta", "delete_meta_if", SHAPE_RULES, apply_delete_meta},
    [STAGE_MOVE_META_TO_TAG] = {"move_meta_to_tags", "move_meta_to_tag_if", SHAPE_RULES,
                                apply_move_meta_to_tag},
    [STAGE_RENAME] = {"rename", "rename_messages", SHAPE_RENAMES, apply_rename},
    [STAGE_RENAME_IF] = {"rename_if", "rename_messages_if", SHAPE_IF_MAP, apply_rename},
    [STAGE_CHANGE_PREFIX] = {"change_unit_prefix", "change_unit_prefix", SHAPE_IF_MAP, apply_prefix},
    [STAGE_NORMALIZE] = {"normalize_unit", "normalize_units", SHAPE_FLAG, apply_normalize},
};

// Stages of upstream that change fields, by key and by name in stage_order.
static const char *const field_stages[][2] = {
    {"move_tag_to_field_if", "move_tag_to_fields"},
    {"move_meta_to_field_if", "move_meta_to_fields"},
    {"add_field_if", "add_field"},
    {"delete_field_if", "delete_field"},
    {"move_field_to_tag_if", "move_field_to_tags"},
    {"move_field_to_meta_if", "move_field_to_meta"},
};

static const char *const message_types[] = {"metric", "event", "control", "log"};

// ---- set-up ------------------------------------------------------------------------------------------

static struct rule *rule_add(struct processor *p, enum processor_stage stage, const struct rule *rule)
{
    struct rule_list *list = &p->stages[stage];
    ENSURE_CAPACITY(list->items, list->cap, list->count + 1);
    struct rule *added = &list->items[list->count++];
    *added = *rule;
    added->key = arena_copy(p->arena, rule->key);
    added->value = arena_copy(p->arena, rule->value);
    return added;
}

static int expect(const struct json_value *v, enum json_type type, const char *key, const char *what,
                  struct error *err)
{
    if (json_type(v) == type)
        return 0;
    return error_set_at(err, ERR_INVALID, json_line(v), json_column(v), "'%s' must be %s, not %s", key, what,
                        json_type_name(v));
}

static int read_text(const struct json_value *object, const char *member, const char *key, struct slice *ret,
                     struct error *err)
{
    const struct json_value *v = json_get_fold(object, member);
    *ret = SLICE_EMPTY;
    if (!v || json_type(v) == JSON_NULL)
        return 0;
    if (json_type(v) != JSON_STRING)
        return error_set_at(err, ERR_INVALID, json_line(v), json_column(v),
                            "'%s' in '%s' must be a string, not %s", member, key, json_type_name(v));
    *ret = json_string(v);
    return 0;
}

static int read_condition(struct processor *p, struct slice text, const struct json_value *place,
                          const char *key, struct condition *ret, struct error *err)
{
    struct error inner = ERROR_INIT;
    int rc = condition_parse(text, p->arena, ret, &inner);
    if (rc < 0)
        return error_set_at(err, rc, json_line(place), json_column(place), "'%s': %s", key, inner.text);
    return 0;
}

static bool is_message_type(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(message_types); i++)
        if (slice_eq_cstr(name, message_types[i]))
            return true;
    return false;
}

// One element of a list: a name, a condition or a rule object.
static int read_element(struct processor *p, enum processor_stage stage, const struct json_value *v,
                        struct error *err)
{
    const struct stage_info *info = &stage_infos[stage];
    struct rule rule = {.condition.always = true};
    if (info->shape == SHAPE_RULES) {
        struct slice condition;
        if (expect(v, JSON_OBJECT, info->key, "a list of objects", err) < 0 ||
            read_text(v, "if", info->key, &condition, err) < 0 ||
            read_text(v, "key", info->key, &rule.key, err) < 0 ||
            read_text(v, "value", info->key, &rule.value, err) < 0 ||
            read_condition(p, condition, v, info->key, &rule.condition, err) < 0)
            return ERR_INVALID;
    } else {
        if (expect(v, JSON_STRING, info->key, "a list of strings", err) < 0)
            return ERR_INVALID;
        if (info->shape == SHAPE_CONDITIONS &&
            read_condition(p, json_string(v), v, info->key, &rule.condition, err) < 0)
            return ERR_INVALID;
        if (stage == STAGE_DROP_BY_TYPE && !is_message_type(json_string(v)))
            return error_set_at(err, ERR_INVALID, json_line(v), json_column(v), "invalid message type '%.*s'",
                                SLICE_FMT(json_string(v)));
        if (stage == STAGE_DROP_BY_TYPE)
            rule.value = json_string(v);
        if (stage == STAGE_DROP_BY_NAME)
            rule.condition = (struct condition){.name = arena_copy(p->arena, json_string(v))};
    }
    rule_add(p, stage, &rule);
    return 0;
}

// One member of an object: name or condition -> text.
static int read_member(struct processor *p, enum processor_stage stage, struct slice key,
                       const struct json_value *v, struct error *err)
{
    const struct stage_info *info = &stage_infos[stage];
    struct rule rule = {.key = SLICE_EMPTY};
    if (expect(v, JSON_STRING, info->key, "an object of strings", err) < 0)
        return ERR_INVALID;
    if (info->shape == SHAPE_IF_MAP) {
        if (read_condition(p, key, v, info->key, &rule.condition, err) < 0)
            return ERR_INVALID;
    } else {
        rule.condition = (struct condition){.name = arena_copy(p->arena, key)};
    }
    rule.value = json_string(v);
    rule_add(p, stage, &rule);
    return 0;
}

static int read_stage(struct processor *p, enum processor_stage stage, const struct json_value *v,
                      struct error *err)
{
    const struct stage_info *info = &stage_infos[stage];
    if (json_type(v) == JSON_NULL)
        return 0;
    if (info->shape == SHAPE_FLAG) {
        p->normalize = json_bool(v, false);
        return expect(v, JSON_BOOL, info->key, "true or false", err);
    }
    if (info->shape == SHAPE_RENAMES || info->shape == SHAPE_IF_MAP) {
        if (expect(v, JSON_OBJECT, info->key, "an object", err) < 0)
            return ERR_INVALID;
        for (size_t i = 0; i < json_count(v); i++) {
            struct slice key;
            const struct json_value *member = json_member_at(v, i, &key);
            if (read_member(p, stage, key, member, err) < 0)
                return ERR_INVALID;
        }
        return 0;
    }
    if (expect(v, JSON_ARRAY, info->key, "a list", err) < 0)
        return ERR_INVALID;
    for (size_t i = 0; i < json_count(v); i++)
        if (read_element(p, stage, json_at(v, i), err) < 0)
            return ERR_INVALID;
    return 0;
}

static int find_stage(struct slice name, enum processor_stage *ret, struct error *err)
{
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        if (slice_eq_cstr(name, stage_infos[i].name)) {
            *ret = (enum processor_stage)i;
            return 0;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(field_stages); i++)
        if (slice_eq_cstr(name, field_stages[i][1]))
            return error_set(err, ERR_UNSUPPORTED, "stage '%.*s' of 'stage_order' is not supported",
                             SLICE_FMT(name));
    return error_set(err, ERR_INVALID, "invalid stage '%.*s' in 'stage_order'", SLICE_FMT(name));
}

static int read_order(struct processor *p, const struct json_value *v, struct error *err)
{
    if (json_type(v) == JSON_NULL)
        return 0;
    if (expect(v, JSON_ARRAY, "stage_order", "a list", err) < 0)
        return ERR_INVALID;
    if (json_count(v) > STAGE_ORDER_MAX)
        return error_set_at(err, ERR_LIMIT, json_line(v), json_column(v),
                            "'stage_order' has more than %d stages", STAGE_ORDER_MAX);
    for (size_t i = 0; i < json_count(v); i++) {
        const struct json_value *name = json_at(v, i);
        if (expect(name, JSON_STRING, "stage_order", "a list of strings", err) < 0 ||
            find_stage(json_string(name), &p->order[i], err) < 0)
            return ERR_INVALID;
    }
    p->order_count = json_count(v);
    p->custom_order = p->order_count > 0;
    return 0;
}

static int read_key(struct processor *p, struct slice key, const struct json_value *v, struct error *err)
{
    if (slice_eq_ignore_case(key, SLICE_LITERAL("stage_order")))
        return read_order(p, v, err);
    for (size_t i = 0; i < STAGE_COUNT; i++)
        if (slice_eq_ignore_case(key, slice_from_cstr(stage_infos[i].key)))
            return read_stage(p, (enum processor_stage)i, v, err);
    for (size_t i = 0; i < ARRAY_LEN(field_stages); i++)
        if (slice_eq_ignore_case(key, slice_from_cstr(field_stages[i][0])))
            return error_set_at(err, ERR_UNSUPPORTED, json_line(v), json_column(v), "'%.*s' is not supported",
                                SLICE_FMT(key));
    log_warn("process_messages: unknown key '%.*s' has no effect", SLICE_FMT(key));
    return 0;
}

int processor_new(const struct json_value *config, struct processor **ret, struct error *err)
{
    struct processor *p = NEW(struct processor);
    p->arena = arena_new(PROCESSOR_MEMORY_MAX);
    int rc = 0;
    if (json_type(config) != JSON_NULL)
        rc = expect(config, JSON_OBJECT, "process_messages", "an object", err);
    for (size_t i = 0; rc == 0 && i < json_count(config); i++) {
        struct slice key;
        const struct json_value *v = json_member_at(config, i, &key);
        rc = read_key(p, key, v, err);
    }
    if (rc < 0) {
        processor_free(&p);
        if (err && err->line)
            error_prefix(err, "line %d, column %d", err->line, err->column);
        return error_prefix(err, "process_messages");
    }
    *ret = p;
    return 0;
}

void processor_free(struct processor **processor)
{
    struct processor *p = *processor;
    if (!p)
        return;
    for (size_t i = 0; i < STAGE_COUNT; i++)
        mem_free(p->stages[i].items);
    arena_free(&p->arena);
    mem_free(p);
    *processor = NULL;
}

int processor_add_rule(struct processor *p, enum processor_stage stage, struct slice condition,
                       struct slice key, struct slice value, struct error *err)
{
    struct rule rule = {.key = key, .value = value};
    int rc = condition_parse(condition, p->arena, &rule.condition, err);
    if (rc < 0)
        return rc;
    rule_add(p, stage, &rule);
    p->stages[stage].built_in = true;
    return 0;
}

static void add_by_name(struct processor *p, enum processor_stage stage, struct slice name,
                        struct slice value)
{
    struct rule rule = {.condition.name = arena_copy(p->arena, name), .key = SLICE_EMPTY, .value = value};
    rule_add(p, stage, &rule);
    p->stages[stage].built_in = true;
}

void processor_add_drop(struct processor *p, struct slice name)
{
    add_by_name(p, STAGE_DROP_BY_NAME, name, SLICE_EMPTY);
}

void processor_add_rename(struct processor *p, struct slice from, struct slice to)
{
    add_by_name(p, STAGE_RENAME, from, to);
}

void processor_add_prefix(struct processor *p, struct slice name, struct slice prefix)
{
    add_by_name(p, STAGE_CHANGE_PREFIX, name, prefix);
}

void processor_set_normalize(struct processor *p)
{
    p->normalize = true;
    p->stages[STAGE_NORMALIZE].built_in = true;
}

void processor_add_default_tag(struct processor *p, struct slice key, struct slice value)
{
    struct rule rule = {.condition.always = true, .key = key, .value = value, .if_absent = true};
    rule_add(p, STAGE_ADD_TAG, &rule);
    p->stages[STAGE_ADD_TAG].built_in = true;
}

// ---- stages: 1 go on, 0 drop, negative error ---------------------------------------------------------

static int apply_drop(const struct rule *rule, struct message *msg, struct conversion *conversion,
                      struct error *err)
{
    (void)rule, (void)msg, (void)conversion, (void)err;
    return 0;
}

static int apply_drop_by_type(const struct rule *rule, struct message *msg, struct conversion *conversion,
                              struct error *err)
{
    (void)conversion, (void)err;
    // The kind of a message is its first known field key, in this order (messages.md 1.2).
    static const char *const keys[][2] = {
        {"value", "metric"}, {"event", "event"}, {"log", "log"}, {"control", "control"}};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct lineproto_value v;
        if (message_field(msg, slice_from_cstr(keys[i][0]), &v))
            return !slice_eq_cstr(rule->value, keys[i][1]);
    }
    return 1;
}

static int apply_add_tag(const struct rule *rule, struct message *msg, struct conversion *conversion,
                         struct error *err)
{
    (void)conversion, (void)err;
    struct slice present;
    if (!rule->if_absent || !message_tag(msg, rule->key, &present))
        message_set_tag(msg, rule->key, rule->value);
    return 1;
}

static int apply_delete_tag(const struct rule *rule, struct message *msg, struct conversion *conversion,
                            struct error *err)
{
    (void)conversion, (void)err;
    message_remove_tag(msg, rule->key);
    return 1;
}

static int apply_move_tag_to_meta(const struct rule *rule, struct message *msg, struct conversion *conversion,
                                  struct error *err)
{
    (void)conversion, (void)err;
    struct slice value;
    if (message_tag(msg, rule->key, &value)) {
        message_set_meta(msg, rule->value, value);
        message_remove_tag(msg, rule->key);
    }
    return 1;
}

static int apply_add_meta(const struct rule *rule, struct message *msg, struct conversion *conversion,
                          struct error *err)
{
    (void)conversion, (void)err;
    message_set_meta(msg, rule->key, rule->value);
    return 1;
}

static int apply_delete_meta(const struct rule *rule, struct message *msg, struct conversion *conversion,
                             struct error *err)
{
    (void)conversion, (void)err;
    message_remove_meta(msg, rule->key);
    return 1;
}

static int apply_move_meta_to_tag(const struct rule *rule, struct message *msg, struct conversion *conversion,
                                  struct error *err)
{
    (void)conversion, (void)err;
    struct slice value;
    if (message_meta(msg, rule->key, &value)) {
        message_set_tag(msg, rule->value, value);
        message_remove_meta(msg, rule->key);
    }
    return 1;
}

static int apply_rename(const struct rule *rule, struct message *msg, struct conversion *conversion,
                        struct error *err)
{
    (void)conversion, (void)err;
    message_set_meta(msg, SLICE_LITERAL("oldname"), message_name(msg));
    message_set_name(msg, rule->value);
    return 1;
}

static bool is_metric(const struct message *msg)
{
    struct lineproto_value v;
    return message_field(msg, SLICE_LITERAL("value"), &v) && v.kind != LINEPROTO_STRING;
}

// The unit of a metric and whether it stands in the meta information or in a tag.
static bool find_unit(const struct message *msg, struct unit *ret, bool *ret_in_meta)
{
    struct slice text;
    *ret_in_meta = message_meta(msg, SLICE_LITERAL("unit"), &text);
    if (!*ret_in_meta && !message_tag(msg, SLICE_LITERAL("unit"), &text))
        return false;
    return unit_parse(text, ret);
}

static void set_unit(struct message *msg, const struct unit *unit, bool in_meta)
{
    char text[UNIT_TEXT_SIZE];
    struct slice shown = slice_from_cstr(unit_format_short(unit, text));
    if (in_meta)
        message_set_meta(msg, SLICE_LITERAL("unit"), shown);
    else
        message_set_tag(msg, SLICE_LITERAL("unit"), shown);
}

static int apply_prefix(const struct rule *rule, struct message *msg, struct conversion *conversion,
                        struct error *err)
{
    struct unit unit;
    bool in_meta;
    const struct unit_prefix *to = unit_prefix_parse(rule->value);
    if (!to || !is_metric(msg) || !find_unit(msg, &unit, &in_meta) || unit_prefix_is_target_only(unit.prefix))
        return 1;
    if (conversion->count == CONVERSION_MAX)
        return error_set(err, ERR_LIMIT, "more than %d unit conversions of one metric", CONVERSION_MAX);
    conversion->factors[conversion->count++] = unit_prefix_factor(unit.prefix, to);
    unit.prefix = to;
    set_unit(msg, &unit, in_meta);
    return 1;
}

static int apply_normalize(const struct rule *rule, struct message *msg, struct conversion *conversion,
                           struct error *err)
{
    (void)rule, (void)conversion, (void)err;
    struct unit unit;
    bool in_meta;
    if (is_metric(msg) && find_unit(msg, &unit, &in_meta))
        set_unit(msg, &unit, in_meta);
    return 1;
}

// ---- applying ----------------------------------------------------------------------------------------

static int run_stage(const struct processor *p, enum processor_stage stage, struct message *msg,
                     struct conversion *conversion, struct error *err)
{
    const struct stage_info *info = &stage_infos[stage];
    if (stage == STAGE_NORMALIZE)
        return p->normalize ? info->apply(NULL, msg, conversion, err) : 1;
    const struct rule_list *list = &p->stages[stage];
    for (size_t i = 0; i < list->count; i++) {
        if (!condition_holds(&list->items[i].condition, message_name(msg)))
            continue;
        int rc = info->apply(&list->items[i], msg, conversion, err);
        if (rc <= 0)
            return rc;
        if (stage == STAGE_RENAME)
            break; // a table of old names: one look-up
    }
    return 1;
}

static bool order_has(const struct processor *p, enum processor_stage stage)
{
    for (size_t i = 0; i < p->order_count; i++)
        if (p->order[i] == stage)
            return true;
    return false;
}

int processor_apply(const struct processor *p, struct message *msg, struct conversion *conversion,
                    struct error *err)
{
    int rc = 1;
    for (size_t i = 0; rc > 0 && i < p->order_count; i++)
        rc = run_stage(p, p->order[i], msg, conversion, err);
    for (size_t i = 0; rc > 0 && i < STAGE_COUNT; i++)
        if (!p->custom_order || (p->stages[i].built_in && !order_has(p, (enum processor_stage)i)))
            rc = run_stage(p, (enum processor_stage)i, msg, conversion, err);
    return rc;
}

bool conversion_apply(const struct conversion *conversion, struct lineproto_value *value)
{
    for (size_t i = 0; i < conversion->count; i++) {
        double f = conversion->factors[i];
        if (value->kind == LINEPROTO_FLOAT) {
            value->f64 *= f;
        } else if (value->kind == LINEPROTO_INT) {
            double v = (double)value->i64 * f;
            if (!(v > -0x1p63 && v < 0x1p63))
                return false;
            value->i64 = (int64_t)v;
        } else if (value->kind == LINEPROTO_UINT) {
            double v = (double)value->u64 * f;
            if (!(v >= 0 && v < 0x1p64))
                return false;
            value->u64 = (uint64_t)v;
        }
    }
    return value->kind != LINEPROTO_FLOAT || isfinite(value->f64);
}
