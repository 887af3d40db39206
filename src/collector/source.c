// SPDX-License-Identifier: MIT
#include "collector/source.h"

const struct source_tag source_tags_node[] = {{"type", "node"}, {NULL, NULL}};

series_id source_declare(const struct source_env *env, const char *name, const struct source_tag *tags,
                         const char *unit, enum lineproto_kind kind)
{
    struct message *msg = message_new(slice_from_cstr(name), (struct wall_time){.ns = 0});
    for (const struct source_tag *tag = tags; tag->key; tag++)
        message_set_tag(msg, slice_from_cstr(tag->key), slice_from_cstr(tag->value));
    message_set_meta(msg, SLICE_LITERAL("source"), slice_from_cstr(env->ops->class_name));
    message_set_meta(msg, SLICE_LITERAL("group"), slice_from_cstr(env->ops->group));
    if (unit)
        message_set_meta(msg, SLICE_LITERAL("unit"), slice_from_cstr(unit));
    message_set_field(msg, SLICE_LITERAL("value"), (struct lineproto_value){.kind = kind});
    return router_declare(env->router, &msg);
}

bool source_list_has(const struct setting_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_eq_cstr(slice_from_cstr(text), list->items[i]))
            return true;
    return false;
}
