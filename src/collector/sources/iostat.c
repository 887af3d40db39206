// SPDX-License-Identifier: MIT
// Source "iostat": per block device and partition what has been done since the previous read, from
// /proc/diskstats (spec collector.md 4.7). Values are differences, not rates. A column that goes backwards is
// sent as nothing at that tick, except io_ioops, which is the difference of a gauge (operations in flight).
#include "base/mem.h"
#include "collector/kept-file.h"
#include "collector/procfs.h"
#include "collector/sources/sources.h"

static const char *const metric_names[PROCFS_DISK_COLUMNS] = {
    "io_reads",           "io_reads_merged",     "io_read_sectors",      "io_read_ms",
    "io_writes",          "io_writes_merged",    "io_writes_sectors",    "io_writes_ms",
    "io_ioops",           "io_ioops_ms",         "io_ioops_weighted_ms", "io_discards",
    "io_discards_merged", "io_discards_sectors", "io_discards_ms",       "io_flushes",
    "io_flushes_ms"};
enum { IN_FLIGHT = 8 };

struct iostat_options {
    struct setting_list exclude_metrics, exclude_devices;
};

struct device {
    char name[64];
    unsigned columns; // declared ones
    uint64_t last[PROCFS_DISK_COLUMNS];
    series_id series[PROCFS_DISK_COLUMNS];
};

struct iostat {
    struct kept_file file;
    struct device *devices; // in the order of the file
    size_t count, cap;
};

static const struct setting iostat_settings[] = {
    {.key = "exclude_metrics",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct iostat_options, exclude_metrics),
     .help = "names of metrics to leave out"},
    {.key = "exclude_devices",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct iostat_options, exclude_devices),
     .help = "names of devices to leave out"},
    {0},
};

static void add_device(struct iostat *s, const struct iostat_options *o, const struct source_env *env,
                       const struct procfs_disk *disk)
{
    ENSURE_CAPACITY(s->devices, s->cap, s->count + 1);
    struct device *d = &s->devices[s->count];
    snprintf(d->name, sizeof(d->name), "%.*s", SLICE_FMT(disk->name));
    if (source_list_has(&o->exclude_devices, d->name))
        return;
    s->count++;
    d->columns = disk->columns;
    memcpy(d->last, disk->values, sizeof(d->last));
    const struct source_tag tags[] = {{"type", "node"}, {"device", d->name}, {NULL, NULL}};
    for (unsigned i = 0; i < d->columns; i++)
        d->series[i] = source_list_has(&o->exclude_metrics, metric_names[i])
                           ? SERIES_NONE
                           : source_declare(env, metric_names[i], tags, NULL, LINEPROTO_INT);
}

static void emit(struct device *d, const struct procfs_disk *disk, struct batch *batch)
{
    for (unsigned i = 0; i < MIN(d->columns, disk->columns); i++) {
        if (i == IN_FLIGHT || disk->values[i] >= d->last[i])
            batch_add_i64(batch, d->series[i], (int64_t)(disk->values[i] - d->last[i]));
        d->last[i] = disk->values[i];
    }
}

static struct device *find_device(struct iostat *s, struct slice name, size_t *hint)
{
    for (size_t i = 0; i < s->count; i++) {
        size_t at = (*hint + i) % s->count;
        if (slice_eq_cstr(name, s->devices[at].name)) {
            *hint = at + 1;
            return &s->devices[at];
        }
    }
    return NULL;
}

static void iostat_close(void *state)
{
    struct iostat *s = state;
    kept_file_close(&s->file);
    mem_free(s->devices);
    mem_free(s);
}

static int find_devices(struct iostat *s, const struct iostat_options *o, const struct source_env *env,
                        struct buf *scratch, struct error *err)
{
    size_t excluded = 0;
    for (size_t i = 0; i < PROCFS_DISK_COLUMNS; i++)
        excluded += source_list_has(&o->exclude_metrics, metric_names[i]);
    if (excluded == PROCFS_DISK_COLUMNS)
        return error_set(err, ERR_INVALID, "no metrics to collect");
    int rc = kept_file_open(&s->file, env->root, "/proc/diskstats", err);
    if (rc == 0)
        rc = kept_file_read(&s->file, scratch, err);
    if (rc < 0)
        return rc;
    struct slice rest = buf_slice(scratch);
    struct procfs_disk disk;
    while ((rc = procfs_disk_next(&rest, &disk, err)) != 0)
        if (rc > 0 && !slice_contains(disk.name, SLICE_LITERAL("loop")) &&
            disk.name.len < sizeof(s->devices->name))
            add_device(s, o, env, &disk);
    return 0;
}

static int iostat_init(const void *options, const struct source_env *env, const struct reading *first,
                       void **ret_state, struct error *err)
{
    struct iostat *s = NEW(struct iostat);
    int rc = find_devices(s, options, env, first->scratch, err);
    if (rc < 0) {
        iostat_close(s);
        return rc;
    }
    *ret_state = s;
    return 0;
}

static int iostat_read(void *state, const struct reading *reading, struct error *err)
{
    struct iostat *s = state;
    int rc = kept_file_read(&s->file, reading->scratch, err);
    if (rc < 0)
        return rc;
    struct slice rest = buf_slice(reading->scratch);
    struct procfs_disk disk;
    size_t hint = 0;
    while ((rc = procfs_disk_next(&rest, &disk, err)) != 0) {
        struct device *d = rc > 0 ? find_device(s, disk.name, &hint) : NULL;
        if (d)
            emit(d, &disk, reading->batch);
    }
    return 0;
}

const struct source_ops source_iostat_ops = {
    .key = "iostat",
    .class_name = "IOstatCollector",
    .group = "Disk",
    .settings = iostat_settings,
    .options_size = sizeof(struct iostat_options),
    .init = iostat_init,
    .read = iostat_read,
    .close = iostat_close,
};
