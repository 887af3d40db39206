// SPDX-License-Identifier: MIT
#include "backend/scope-query.h"

#include <stdio.h>
#include <stdlib.h>

struct numbers {
    int *items;
    size_t count;
};

struct builder {
    const struct scope_host *host;
    struct numbers threads;
    struct arena *arena;
    struct scope_query *queries;
    size_t count;
};

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static struct numbers threads_of(const struct scope_host *host, struct arena *arena)
{
    const int *from = host->thread_count ? host->threads : host->topology->node.threads;
    size_t count = host->thread_count ? host->thread_count : host->topology->node.count;
    struct numbers n = {.items = ARENA_ARRAY(arena, int, count + 1), .count = count};
    for (size_t i = 0; i < count; i++)
        n.items[i] = from[i];
    if (count)
        qsort(n.items, count, sizeof(int), compare_ints);
    return n;
}

static struct numbers groups_touched(const struct builder *b, const struct topology_group *groups,
                                     size_t count, struct numbers threads)
{
    struct numbers n = {0};
    topology_groups_of_threads(groups, count, threads.items, threads.count, b->arena, &n.items, &n.count);
    return n;
}

static struct numbers cores(const struct builder *b, struct numbers threads)
{
    return groups_touched(b, b->host->topology->cores, b->host->topology->core_count, threads);
}

static struct numbers sockets(const struct builder *b, struct numbers threads)
{
    return groups_touched(b, b->host->topology->sockets, b->host->topology->socket_count, threads);
}

static struct numbers domains(const struct builder *b, struct numbers threads)
{
    return groups_touched(b, b->host->topology->memory_domains, b->host->topology->memory_domain_count,
                          threads);
}

static void add_ids(struct builder *b, enum scope type, const struct slice *ids, size_t id_count,
                    bool aggregate, int group)
{
    struct scope_query *grown = ARENA_ARRAY(b->arena, struct scope_query, b->count + 1);
    for (size_t i = 0; i < b->count; i++)
        grown[i] = b->queries[i];
    b->queries = grown;
    struct scope_query *q = &b->queries[b->count++];
    *q = (struct scope_query){
        .typed = type != SCOPE_NODE, .type = type, .aggregate = aggregate, .group = group};
    q->ids = ARENA_ARRAY(b->arena, struct slice, id_count + 1);
    q->id_count = id_count;
    for (size_t i = 0; i < id_count; i++)
        q->ids[i] = ids[i];
}

// A query without ids would ask for nothing, so none is made.
static void add(struct builder *b, enum scope type, struct numbers ids, bool aggregate, int group)
{
    if (ids.count == 0)
        return;
    struct slice *texts = ARENA_ARRAY(b->arena, struct slice, ids.count);
    for (size_t i = 0; i < ids.count; i++)
        texts[i] = slice_from_cstr(arena_printf(b->arena, "%d", ids.items[i]));
    add_ids(b, type, texts, ids.count, aggregate, group);
}

static struct numbers group_threads(const struct topology_group *group)
{
    return (struct numbers){.items = group->threads, .count = group->count};
}

// Sub-units of kind 'type' (hardware threads or cores or domains) whose threads lie in the group.
static struct numbers members(const struct builder *b, enum scope type, const struct topology_group *group)
{
    struct numbers inside = group_threads(group);
    if (type == SCOPE_CORE)
        return cores(b, inside);
    return type == SCOPE_MEMORY_DOMAIN ? domains(b, inside) : inside;
}

static struct numbers only_in(const struct builder *b, struct numbers wanted, struct numbers allowed)
{
    struct numbers out = {.items = ARENA_ARRAY(b->arena, int, wanted.count + 1)};
    for (size_t i = 0; i < wanted.count; i++) {
        for (size_t k = 0; k < allowed.count; k++) {
            if (wanted.items[i] == allowed.items[k]) {
                out.items[out.count++] = wanted.items[i];
                break;
            }
        }
    }
    return out;
}

// One aggregate per group that the job touches. Hardware threads: all of the group (compatible display
// values); cores and domains: those of the job.
static void per_group(struct builder *b, enum scope type, const struct topology_group *groups,
                      struct numbers touched)
{
    struct numbers own = type == SCOPE_CORE ? cores(b, b->threads) : domains(b, b->threads);
    for (size_t i = 0; i < touched.count; i++) {
        struct numbers ids = members(b, type, &groups[touched.items[i]]);
        if (type != SCOPE_HWTHREAD)
            ids = only_in(b, ids, own);
        add(b, type, ids, true, touched.items[i]);
    }
}

static struct numbers own_units(const struct builder *b, enum scope native)
{
    switch (native) {
    case SCOPE_SOCKET:
        return sockets(b, b->threads);
    case SCOPE_MEMORY_DOMAIN:
        return domains(b, b->threads);
    case SCOPE_CORE:
        return cores(b, b->threads);
    case SCOPE_HWTHREAD:
        return b->threads;
    case SCOPE_INVALID:
    case SCOPE_NODE:
    case SCOPE_ACCELERATOR:
        break;
    }
    return (struct numbers){0};
}

static bool build_groups(struct builder *b, enum scope native, enum scope effective)
{
    const struct topology *t = b->host->topology;
    switch (effective) {
    case SCOPE_CORE:
        per_group(b, native, t->cores, cores(b, b->threads));
        return true;
    case SCOPE_MEMORY_DOMAIN:
        per_group(b, native, t->memory_domains, domains(b, b->threads));
        return true;
    case SCOPE_SOCKET:
        per_group(b, native, t->sockets, sockets(b, b->threads));
        return true;
    case SCOPE_INVALID:
    case SCOPE_NODE:
    case SCOPE_HWTHREAD:
    case SCOPE_ACCELERATOR:
        break;
    }
    return false;
}

static void build_accelerator(struct builder *b, enum scope effective)
{
    const struct scope_host *h = b->host;
    if ((effective == SCOPE_ACCELERATOR || effective == SCOPE_NODE) && h->accelerator_count)
        add_ids(b, SCOPE_ACCELERATOR, h->accelerators, h->accelerator_count, effective == SCOPE_NODE, -1);
}

int scope_query_build(enum scope native, enum scope requested, const struct scope_host *host,
                      struct arena *arena, struct scope_query **ret_queries, size_t *ret_count,
                      enum scope *ret_effective, struct error *err)
{
    enum scope effective = scope_coarser(native, requested);
    struct builder b = {.host = host, .arena = arena, .threads = threads_of(host, arena)};
    bool known = true;
    if (native == SCOPE_ACCELERATOR) // below node scope it has nothing to say
        build_accelerator(&b, requested == SCOPE_ACCELERATOR ? requested : effective);
    else if (native == SCOPE_NODE)
        add_ids(&b, SCOPE_NODE, NULL, 0, false, -1);
    else if (effective == native || effective == SCOPE_NODE)
        add(&b, native, own_units(&b, native), effective != native, -1);
    else
        known = build_groups(&b, native, effective);
    if (!known || native == SCOPE_INVALID || requested == SCOPE_INVALID)
        return error_set(err, ERR_UNSUPPORTED,
                         "unsupported scope transformation: native-scope=%s, requested-scope=%s",
                         scope_name(native), scope_name(requested));
    *ret_queries = b.queries;
    *ret_count = b.count;
    *ret_effective = effective;
    return 0;
}
