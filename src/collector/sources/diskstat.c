// SPDX-License-Identifier: MIT
// Source "diskstat": sizes of mounted file systems on devices (spec collector.md 4.6). Sizes are whole 10^9
// bytes; a device that is mounted several times is sent once, for its first mount.
#include "base/mem.h"
#include "collector/fs-size.h"
#include "collector/kept-file.h"
#include "collector/procfs.h"
#include "collector/sources/sources.h"

#define GIGA        UINT64_C(1000000000)
#define DEVICES_MAX 4096 // more distinct devices than that are left out
#define DEVICE_SIZE 256

struct diskstat_options {
    struct setting_list exclude_metrics, exclude_mounts;
};

struct device {
    char name[DEVICE_SIZE];
    uint64_t seen_at; // number of the read in which it was sent
    series_id total, free;
};

struct diskstat {
    const struct diskstat_options *options;
    const struct source_env *env;
    struct kept_file file;
    struct fs_sizes *sizes;
    struct device *devices;
    size_t count, cap;
    uint64_t reads;
    series_id max_used;
};

static const struct setting diskstat_settings[] = {
    {.key = "exclude_metrics",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct diskstat_options, exclude_metrics),
     .help = "names of metrics to leave out"},
    {.key = "exclude_mounts",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct diskstat_options, exclude_mounts),
     .help = "mounts whose path contains one of these texts are left out"},
    {0},
};

static series_id declare(const struct diskstat *s, const char *name, const char *device)
{
    const struct source_tag tags[] = {{"type", "node"}, {"device", device}, {NULL, NULL}};
    if (source_list_has(&s->options->exclude_metrics, name))
        return SERIES_NONE;
    return source_declare(s->env, name, tags, "GBytes", LINEPROTO_UINT);
}

static struct device *find_device(struct diskstat *s, struct slice name)
{
    for (size_t i = 0; i < s->count; i++)
        if (slice_eq_cstr(name, s->devices[i].name))
            return &s->devices[i];
    if (s->count == DEVICES_MAX || name.len >= DEVICE_SIZE)
        return NULL;
    ENSURE_CAPACITY(s->devices, s->cap, s->count + 1);
    struct device *d = &s->devices[s->count++];
    snprintf(d->name, sizeof(d->name), "%.*s", SLICE_FMT(name));
    d->total = declare(s, "disk_total", d->name);
    d->free = declare(s, "disk_free", d->name);
    return d;
}

static bool is_wanted(const struct diskstat *s, const struct procfs_mount *mount)
{
    struct slice path = slice_from_cstr(mount->path);
    if (!slice_starts_with(mount->device, SLICE_LITERAL("/dev")) ||
        slice_contains(mount->device, SLICE_LITERAL("loop")) || slice_contains(path, SLICE_LITERAL("boot")))
        return false;
    for (size_t i = 0; i < s->options->exclude_mounts.count; i++)
        if (slice_contains(path, slice_from_cstr(s->options->exclude_mounts.items[i])))
            return false;
    return true;
}

// Sends one mount; raises *max_percent.
static void take_mount(struct diskstat *s, const struct procfs_mount *mount, struct batch *batch,
                       int64_t *max_percent)
{
    struct fs_size size;
    struct device *d = is_wanted(s, mount) ? find_device(s, mount->device) : NULL;
    if (!d || d->seen_at == s->reads || !fs_size_get(s->sizes, mount->path, &size))
        return;
    d->seen_at = s->reads;
    batch_add_u64(batch, d->total, size.total_bytes / GIGA);
    batch_add_u64(batch, d->free, size.free_bytes / GIGA);
    if (size.total_bytes < GIGA)
        return; // too small to be told by whole gigabytes: not part of the maximum
    uint64_t used = size.total_bytes - MIN(size.free_bytes, size.total_bytes);
    *max_percent = MAX(*max_percent, (int64_t)((double)used * 100 / (double)size.total_bytes));
}

static void diskstat_close(void *state)
{
    struct diskstat *s = state;
    kept_file_close(&s->file);
    fs_sizes_free(&s->sizes);
    mem_free(s->devices);
    mem_free(s);
}

static int diskstat_init(const void *options, const struct source_env *env, const struct reading *first,
                         void **ret_state, struct error *err)
{
    (void)first;
    const struct diskstat_options *o = options;
    struct diskstat *s = NEW(struct diskstat);
    s->options = o;
    s->env = env;
    int rc = kept_file_open(&s->file, env->root, "/proc/self/mounts", err);
    if (rc == 0)
        rc = fs_sizes_new(env->root, &s->sizes, err);
    if (rc < 0) {
        diskstat_close(s);
        return rc;
    }
    s->max_used = source_list_has(&o->exclude_metrics, "part_max_used")
                      ? SERIES_NONE
                      : source_declare(env, "part_max_used", source_tags_node, "percent", LINEPROTO_INT);
    *ret_state = s;
    return 0;
}

static int diskstat_read(void *state, const struct reading *reading, struct error *err)
{
    struct diskstat *s = state;
    int rc = kept_file_read(&s->file, reading->scratch, err);
    if (rc < 0)
        return rc;
    struct slice rest = buf_slice(reading->scratch);
    struct procfs_mount mount;
    int64_t max_percent = 0;
    s->reads++;
    while ((rc = procfs_mount_next(&rest, &mount, err)) != 0)
        if (rc > 0)
            take_mount(s, &mount, reading->batch, &max_percent);
    batch_add_i64(reading->batch, s->max_used, max_percent);
    return 0;
}

const struct source_ops source_diskstat_ops = {
    .key = "diskstat",
    .class_name = "DiskstatCollector",
    .group = "Disk",
    .settings = diskstat_settings,
    .options_size = sizeof(struct diskstat_options),
    .init = diskstat_init,
    .read = diskstat_read,
    .close = diskstat_close,
};
