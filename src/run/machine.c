// SPDX-License-Identifier: MIT
#include "run/machine.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strnum.h"

#define HWTHREADS_MAX 65536

int run_machine_hwthreads(struct arena *arena, int **ret_ids, size_t *ret_count, bool *ret_all,
                          struct error *err)
{
    // The kernel refuses a set that is smaller than its own, whose size it does not tell.
    for (int size = 1024; size <= HWTHREADS_MAX; size *= 4) {
        size_t bytes = CPU_ALLOC_SIZE(size), count = 0;
        cpu_set_t *set = arena_alloc(arena, bytes);

        if (sched_getaffinity(0, bytes, set) != 0) {
            if (errno == EINVAL)
                continue;
            break;
        }
        int *ids = ARENA_ARRAY(arena, int, (size_t)CPU_COUNT_S(bytes, set));
        for (int id = 0; id < size; id++)
            if (CPU_ISSET_S((size_t)id, bytes, set))
                ids[count++] = id;
        *ret_ids = ids;
        *ret_count = count;
        *ret_all = (long)count >= sysconf(_SC_NPROCESSORS_ONLN);
        return 0;
    }
    return error_set_errno(err, "cannot get the hardware threads of this process");
}

// The path behind "0::", the line of cgroup v2 in /proc/self/cgroup.
static struct slice unified_path(struct slice text)
{
    while (text.ptr) {
        struct slice line = slice_split(&text, '\n');

        if (slice_starts_with(line, SLICE_LITERAL("0::/")))
            return slice_skip(line, 3);
    }
    return SLICE_EMPTY;
}

static int64_t event_count(struct slice text, const char *name)
{
    int64_t count;

    while (text.ptr) {
        struct slice line = slice_split(&text, '\n');

        if (slice_eq_cstr(slice_split(&line, ' '), name) && strnum_parse_i64(line, &count, NULL) == 0)
            return count;
    }
    return -1;
}

int64_t run_machine_oom_kills(const char *root)
{
    struct arena *arena = arena_new(SIZE_MAX);
    struct buf text;
    int64_t count = -1;

    buf_init(&text, 65536);
    if (file_read(arena_printf(arena, "%s/proc/self/cgroup", root), 65536, &text, NULL) == 0) {
        struct slice group = unified_path(buf_slice(&text));
        const char *path = arena_printf(arena, "%s/sys/fs/cgroup%.*s/memory.events", root, SLICE_FMT(group));

        buf_clear(&text);
        if (group.len && file_read(path, 65536, &text, NULL) == 0)
            count = event_count(buf_slice(&text), "oom_kill");
    }
    buf_release(&text);
    arena_free(&arena);
    return count;
}

const char *run_machine_user(struct arena *arena)
{
    const struct passwd *entry = getpwuid(getuid());

    return entry ? arena_printf(arena, "%s", entry->pw_name) : arena_printf(arena, "%u", getuid());
}

const char *run_machine_group(struct arena *arena)
{
    const struct group *entry = getgrgid(getgid());

    return entry ? arena_printf(arena, "%s", entry->gr_name) : arena_printf(arena, "%u", getgid());
}
