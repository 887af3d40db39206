// SPDX-License-Identifier: MIT
#include "model/topology.h"

#include <limits.h>

#include "base/intset.h"

// ---- cluster description ----------------------------------------------------------------------------------

static int wrong(const struct json_value *value, const char *member, const char *expected, struct error *err)
{
    return error_set_at(err, ERR_INVALID, json_line(value), json_column(value),
                        "line %d, column %d: topology: '%s' must be %s, not %s", json_line(value),
                        json_column(value), member, expected, json_type_name(value));
}

static int read_group(const struct json_value *list, const char *member, struct arena *arena,
                      struct topology_group *ret, struct error *err)
{
    size_t count = json_count(list);

    if (json_type(list) == JSON_NULL)
        return 0;
    if (json_type(list) != JSON_ARRAY)
        return wrong(list, member, "a list of hardware threads", err);
    ret->threads = ARENA_ARRAY(arena, int, count);
    for (size_t i = 0; i < count; i++) {
        const struct json_value *item = json_at(list, i);
        int64_t number = json_int(item, -1);

        if ((json_type(item) != JSON_INT && json_type(item) != JSON_REAL) || number < 0 || number > INT_MAX)
            return wrong(item, member, "a list of hardware threads (whole numbers from 0)", err);
        ret->threads[ret->count++] = (int)number;
    }
    return 0;
}

static int read_groups(const struct json_value *list, const char *member, struct arena *arena,
                       struct topology_group **ret, size_t *ret_count, struct error *err)
{
    size_t count = json_count(list);
    int rc = 0;

    if (json_type(list) == JSON_NULL)
        return 0;
    if (json_type(list) != JSON_ARRAY)
        return wrong(list, member, "a list of lists of hardware threads", err);
    *ret = ARENA_ARRAY(arena, struct topology_group, count);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = read_group(json_at(list, i), member, arena, &(*ret)[i], err);
    *ret_count = count;
    return rc;
}

static int read_text(const struct json_value *object, const char *member, struct arena *arena,
                     const char **ret, struct error *err)
{
    const struct json_value *value = json_get_fold(object, member);

    if (json_type(value) != JSON_STRING && json_type(value) != JSON_NULL)
        return wrong(value, member, "text", err);
    *ret = arena_strdup(arena, json_string(value));
    return 0;
}

static int read_accelerators(const struct json_value *list, struct arena *arena, struct topology *ret,
                             struct error *err)
{
    size_t count = json_count(list);
    int rc = 0;

    if (json_type(list) == JSON_NULL)
        return 0;
    if (json_type(list) != JSON_ARRAY)
        return wrong(list, "accelerators", "a list", err);
    ret->accelerators = ARENA_ARRAY(arena, struct topology_accelerator, count);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct json_value *item = json_at(list, i);
        struct topology_accelerator *accelerator = &ret->accelerators[i];

        if (json_type(item) != JSON_OBJECT)
            return wrong(item, "accelerators", "a list of objects", err);
        rc = read_text(item, "id", arena, &accelerator->id, err);
        if (rc == 0)
            rc = read_text(item, "type", arena, &accelerator->type, err);
        if (rc == 0)
            rc = read_text(item, "model", arena, &accelerator->model, err);
    }
    ret->accelerator_count = count;
    return rc;
}

int topology_from_json(const struct json_value *value, struct arena *arena, struct topology *ret,
                       struct error *err)
{
    struct topology t = {0};
    const struct {
        const char *member;
        struct topology_group **groups;
        size_t *count;
    } lists[] = {
        {"socket", &t.sockets, &t.socket_count},
        {"memoryDomain", &t.memory_domains, &t.memory_domain_count},
        {"die", &t.dies, &t.die_count},
        {"core", &t.cores, &t.core_count},
    };

    if (json_type(value) != JSON_OBJECT && json_type(value) != JSON_NULL)
        return wrong(value, "topology", "an object", err);
    int rc = read_group(json_get_fold(value, "node"), "node", arena, &t.node, err);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(lists); i++)
        rc = read_groups(json_get_fold(value, lists[i].member), lists[i].member, arena, lists[i].groups,
                         lists[i].count, err);
    if (rc == 0)
        rc = read_accelerators(json_get_fold(value, "accelerators"), arena, &t, err);
    if (rc == 0)
        *ret = t;
    return rc;
}

// ---- groups -----------------------------------------------------------------------------------------------

static bool group_touches(const struct topology_group *group, const struct intset *threads)
{
    for (size_t i = 0; i < group->count; i++)
        if (intset_has(threads, group->threads[i]))
            return true;
    return false;
}

void topology_groups_of_threads(const struct topology_group *groups, size_t group_count, const int *threads,
                                size_t thread_count, struct arena *arena, int **ret_ids, size_t *ret_count)
{
    int *ids = ARENA_ARRAY(arena, int, group_count);
    struct intset wanted;
    size_t count = 0;

    intset_init(&wanted);
    for (size_t i = 0; i < thread_count; i++)
        intset_add(&wanted, threads[i]);
    for (size_t i = 0; i < group_count; i++)
        if (group_touches(&groups[i], &wanted))
            ids[count++] = (int)i;
    intset_release(&wanted);
    *ret_ids = ids;
    *ret_count = count;
}
