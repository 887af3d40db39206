// SPDX-License-Identifier: MIT
// The kernel's files: Documentation/admin-guide/cputopology.rst and
// Documentation/ABI/stable/sysfs-devices-system-cpu.
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/intset.h"
#include "base/mem.h"
#include "base/strnum.h"
#include "model/topology.h"

#define SYS_FILE_BYTES 65536

// What reading needs: the folder of the CPUs and a buffer for one small file after the other.
struct reader {
    struct arena *scratch;
    const char *folder; // <root>/sys/devices/system/cpu
    struct buf text;
};

// Contents of <folder>/<name> without the final newline; 1 got it, 0 it cannot be read.
static int read_file(struct reader *r, const char *name, struct slice *ret)
{
    const char *path = arena_printf(r->scratch, "%s/%s", r->folder, name);

    buf_clear(&r->text);
    if (file_read(path, SYS_FILE_BYTES, &r->text, NULL) < 0)
        return 0;
    *ret = slice_trim(buf_slice(&r->text));
    return 1;
}

// A number of cpu<id>/topology; 'otherwise' where the file is missing or holds none from 0 to INT_MAX.
static int read_id(struct reader *r, int id, const char *name, int otherwise)
{
    struct slice text;
    int64_t number;

    if (!read_file(r, arena_printf(r->scratch, "cpu%d/topology/%s", id, name), &text))
        return otherwise;
    if (strnum_parse_i64(text, &number, NULL) < 0 || number < 0 || number > INT_MAX)
        return otherwise;
    return (int)number;
}

// Number behind the prefix of a name such as "cpu12" or "node0"; -1 when it is no such name.
static int numbered_name(const char *name, const char *prefix)
{
    struct slice text = slice_from_cstr(name), front = slice_from_cstr(prefix);
    uint64_t number;

    if (!slice_starts_with(text, front) || strnum_parse_u64(slice_skip(text, front.len), &number, NULL) < 0)
        return -1;
    return number <= INT_MAX ? (int)number : -1;
}

// Adds the numbers of all entries of the folder that are called <prefix><number>.
static int add_numbered_entries(const char *path, const char *prefix, struct intset *set, struct error *err)
{
    char **names = NULL;
    size_t count = 0;
    int rc = file_list(path, &names, &count, err);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        int number = numbered_name(names[i], prefix);

        if (number >= 0)
            intset_add(set, number);
    }
    file_list_free(&names, count);
    return rc;
}

// CPUs that are online. Where the kernel keeps no such list, those with a folder.
static int read_online(struct reader *r, struct intset *online, struct error *err)
{
    struct slice text;
    int rc = 0;

    if (read_file(r, "online", &text)) {
        rc = intset_parse_list(online, text, err);
        if (rc < 0)
            return error_prefix(err, "%s/online", r->folder);
    }
    if (online->count == 0)
        rc = add_numbered_entries(r->folder, "cpu", online, err);
    if (rc == 0 && online->count == 0)
        rc = error_set(err, ERR_NOT_FOUND, "no processors in '%s'", r->folder);
    return rc;
}

// Threads of the core that are online; the thread itself when the kernel says nothing usable.
static void read_siblings(struct reader *r, int id, const struct intset *online, struct intset *ret)
{
    static const char *const names[] = {"core_cpus_list", "thread_siblings_list"}; // new and old
    struct slice text;

    for (size_t i = 0; i < ARRAY_LEN(names) && ret->count == 0; i++)
        if (read_file(r, arena_printf(r->scratch, "cpu%d/topology/%s", id, names[i]), &text))
            ignore_result(intset_parse_list(ret, text, NULL)); // damaged: as if it were missing
    for (size_t i = ret->count; i-- > 0;)
        if (!intset_has(online, ret->items[i]))
            intset_remove(ret, ret->items[i]);
    intset_add(ret, id);
}

static int read_memory_domain(struct reader *r, int id)
{
    struct intset nodes;

    intset_init(&nodes);
    // No folder, no NUMA: node 0 it is.
    ignore_result(
        add_numbered_entries(arena_printf(r->scratch, "%s/cpu%d", r->folder, id), "node", &nodes, NULL));
    int node = nodes.count ? (int)nodes.items[0] : 0;
    intset_release(&nodes);
    return node;
}

static struct hwthread read_thread(struct reader *r, int id, const struct intset *online)
{
    struct hwthread thread = {.id = id};
    struct intset siblings;

    thread.socket = read_id(r, id, "physical_package_id", 0);
    thread.die = read_id(r, id, "die_id", thread.socket);
    thread.core = read_id(r, id, "core_id", id);
    thread.memory_domain = read_memory_domain(r, id);
    intset_init(&siblings);
    read_siblings(r, id, online, &siblings);
    thread.core_first = (int)siblings.items[0];
    while (siblings.items[thread.smt] != id)
        thread.smt++;
    intset_release(&siblings);
    return thread;
}

static int *copy_ids(const struct intset *set, struct arena *arena)
{
    int *ids = ARENA_ARRAY(arena, int, set->count);

    for (size_t i = 0; i < set->count; i++)
        ids[i] = (int)set->items[i];
    return ids;
}

static void count_groups(struct hwtopology *t, struct arena *arena)
{
    struct intset sockets, domains, dies, cores;

    intset_init(&sockets);
    intset_init(&domains);
    intset_init(&dies);
    intset_init(&cores);
    for (size_t i = 0; i < t->count; i++) {
        const struct hwthread *thread = &t->threads[i];

        intset_add(&sockets, thread->socket);
        intset_add(&domains, thread->memory_domain);
        intset_add(&dies, (int64_t)thread->socket << 32 | thread->die); // unique within a socket only
        intset_add(&cores, thread->core_first);
        t->smt_width = MAX(t->smt_width, (size_t)thread->smt + 1);
    }
    t->socket_count = sockets.count;
    t->memory_domain_count = domains.count;
    t->die_count = dies.count;
    t->core_count = cores.count;
    t->sockets = copy_ids(&sockets, arena);
    t->memory_domains = copy_ids(&domains, arena);
    intset_release(&sockets);
    intset_release(&domains);
    intset_release(&dies);
    intset_release(&cores);
}

int hwtopology_read(const char *root, struct arena *arena, struct hwtopology *ret, struct error *err)
{
    struct reader r = {.scratch = arena_new(SIZE_MAX)};
    struct intset online;

    r.folder = arena_printf(r.scratch, "%s/sys/devices/system/cpu", strcmp(root, "/") == 0 ? "" : root);
    buf_init(&r.text, SYS_FILE_BYTES);
    intset_init(&online);
    int rc = read_online(&r, &online, err);
    if (rc == 0) {
        struct hwtopology t = {.threads = ARENA_ARRAY(arena, struct hwthread, online.count),
                               .count = online.count};

        for (size_t i = 0; i < online.count; i++)
            t.threads[i] = read_thread(&r, (int)online.items[i], &online);
        count_groups(&t, arena);
        *ret = t;
    }
    intset_release(&online);
    buf_release(&r.text);
    arena_free(&r.scratch);
    return rc;
}
