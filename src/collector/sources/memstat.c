// SPDX-License-Identifier: MIT
// Source "memstat": /proc/meminfo, and meminfo of each NUMA node (spec collector.md 4.4).
//
// mem_used = MemTotal - MemFree, and where the file has Buffers: - Buffers - Cached - Shmem. That formula
// counts shared memory twice; it is kept so that a site's data stay comparable, but not let fall below 0.
#include "base/file.h"
#include "base/mem.h"
#include "base/strnum.h"
#include "collector/kept-file.h"
#include "collector/procfs.h"
#include "collector/sources/sources.h"

static const struct metric {
    const char *key; // in the file
    const char *name;
} metrics[] = {
    {"MemTotal", "mem_total"},
    {"MemFree", "mem_free"},
    {"MemAvailable", "mem_available"},
    {"Buffers", "mem_buffers"},
    {"Cached", "mem_cached"},
    {"Shmem", "mem_shared"},
    {"SwapTotal", "swap_total"},
    {"SwapFree", "swap_free"},
    {"SReclaimable", "mem_sreclaimable"},
    {"Slab", "mem_slab"},
    {"Active", "mem_active"},
    {"Inactive", "mem_inactive"},
    {"Dirty", "mem_dirty"},
    {"Writeback", "mem_writeback"},
    {"AnonPages", "mem_anon_pages"},
    {"Mapped", "mem_mapped"},
    {"PageTables", "mem_pagetables"},
    {"Mlocked", "mem_locked"},
    {"KernelStack", "mem_kernelstack"},
    {"VmallocTotal", "mem_vmalloc_total"},
    {"AnonHugePages", "mem_anon_hugepages"},
    {"ShmemHugePages", "mem_shared_hugepages"},
    {"ShmemPmdMapped", "mem_shared_pmd_mapped"},
    {"HugePages_Total", "mem_hugepages_total"},
    {"HugePages_Free", "mem_hugepages_free"},
    {"HugePages_Rsvd", "mem_hugepages_reserved"},
    {"HugePages_Surp", "mem_hugepages_surplus"},
    {"Hugepagesize", "mem_hugepages_size"},
    {"DirectMap4k", "mem_direct_mapped_4k"},
    {"DirectMap2M", "mem_direct_mapped_2m"},
    {"DirectMap4M", "mem_direct_mapped_4m"},
    {"DirectMap1G", "mem_direct_mapped_1g"},
};
enum { TOTAL, FREE, AVAILABLE, BUFFERS, CACHED, SHMEM }; // places in the table above
#define METRIC_COUNT ARRAY_LEN(metrics)

struct memstat_options {
    struct setting_list exclude_metrics;
    bool node_stats, numa_stats;
};

struct meminfo_file {
    struct kept_file file;
    series_id series[METRIC_COUNT], used;
    size_t order[METRIC_COUNT + 64]; // metric of each line at the last read, METRIC_COUNT: none
};

struct memstat {
    struct meminfo_file *files;
    size_t count, cap;
};

static const struct setting memstat_settings[] = {
    {.key = "exclude_metrics",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct memstat_options, exclude_metrics),
     .help = "names of metrics to leave out"},
    {.key = "node_stats",
     .type = SETTING_BOOL,
     .offset = offsetof(struct memstat_options, node_stats),
     .default_text = "true",
     .help = "/proc/meminfo"},
    {.key = "numa_stats",
     .type = SETTING_BOOL,
     .offset = offsetof(struct memstat_options, numa_stats),
     .help = "meminfo of each NUMA node"},
    {0},
};

struct values {
    uint64_t value[METRIC_COUNT];
    struct slice unit[METRIC_COUNT];
    bool present[METRIC_COUNT];
};

static size_t find_metric(struct slice key)
{
    size_t i = 0;
    while (i < METRIC_COUNT && !slice_eq_cstr(key, metrics[i].key))
        i++;
    return i;
}

// The kernel keeps its order of lines, so the metric of a line is where it was at the read before.
static size_t metric_of_line(struct meminfo_file *f, size_t line, struct slice key)
{
    if (line >= ARRAY_LEN(f->order))
        return find_metric(key);
    size_t guess = f->order[line];
    if (guess < METRIC_COUNT && slice_eq_cstr(key, metrics[guess].key))
        return guess;
    return f->order[line] = find_metric(key);
}

static int read_values(struct meminfo_file *f, struct buf *scratch, struct values *ret, struct error *err)
{
    int rc = kept_file_read(&f->file, scratch, err);
    if (rc < 0)
        return rc;
    *ret = (struct values){0};
    struct slice rest = buf_slice(scratch);
    struct procfs_meminfo entry;
    for (size_t line = 0; (rc = procfs_meminfo_next(&rest, &entry, err)) != 0; line++) {
        if (rc < 0)
            return rc;
        size_t i = metric_of_line(f, line, entry.key);
        if (i == METRIC_COUNT)
            continue;
        ret->value[i] = entry.value;
        ret->unit[i] = entry.unit;
        ret->present[i] = true;
    }
    if (!ret->present[TOTAL])
        return error_set(err, ERR_CORRUPT, "meminfo: no MemTotal");
    return 0;
}

static uint64_t used_of(const struct values *v)
{
    uint64_t unused = v->value[FREE];
    if (v->present[BUFFERS])
        unused += v->value[BUFFERS] + v->value[CACHED] + v->value[SHMEM];
    return v->value[TOTAL] > unused ? v->value[TOTAL] - unused : 0;
}

// A key that the file does not have is sent as 0 without unit, as upstream does.
static void declare_metrics(const struct source_env *env, const struct memstat_options *o,
                            struct meminfo_file *f, const struct values *v, const struct source_tag *tags)
{
    char unit[16];
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        snprintf(unit, sizeof(unit), "%.*s", SLICE_FMT(v->unit[i].len ? v->unit[i] : SLICE_EMPTY));
        f->series[i] = source_list_has(&o->exclude_metrics, metrics[i].name)
                           ? SERIES_NONE
                           : source_declare(env, metrics[i].name, tags, *unit ? unit : NULL, LINEPROTO_FLOAT);
    }
    f->used = source_list_has(&o->exclude_metrics, "mem_used")
                  ? SERIES_NONE
                  : source_declare(env, "mem_used", tags, "kB", LINEPROTO_FLOAT);
}

static int add_file(struct memstat *s, const struct memstat_options *o, const struct source_env *env,
                    struct buf *scratch, const char *path, const struct source_tag *tags, struct error *err)
{
    ENSURE_CAPACITY(s->files, s->cap, s->count + 1);
    struct meminfo_file *f = &s->files[s->count];
    struct values values;
    int rc = kept_file_open(&f->file, env->root, path, err);
    if (rc < 0)
        return rc;
    s->count++;
    rc = read_values(f, scratch, &values, err);
    if (rc == 0)
        declare_metrics(env, o, f, &values, tags);
    return rc;
}

static int add_numa_files(struct memstat *s, const struct memstat_options *o, const struct source_env *env,
                          struct buf *scratch, struct error *err)
{
    char **names = NULL, path[128];
    size_t count = 0;
    char *folder = file_join(env->root, "sys/devices/system/node");
    int rc = file_list(folder, &names, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct slice name = slice_from_cstr(names[i]);
        uint64_t id;
        if (!slice_starts_with(name, SLICE_LITERAL("node")) ||
            strnum_parse_u64(slice_skip(name, 4), &id, NULL) < 0)
            continue;
        const struct source_tag tags[] = {{"type", "memoryDomain"}, {"type-id", names[i] + 4}, {NULL, NULL}};
        snprintf(path, sizeof(path), "/sys/devices/system/node/%s/meminfo", names[i]);
        rc = add_file(s, o, env, scratch, path, tags, err);
    }
    file_list_free(&names, count);
    mem_free(folder);
    return rc;
}

static void memstat_close(void *state)
{
    struct memstat *s = state;
    for (size_t i = 0; i < s->count; i++)
        kept_file_close(&s->files[i].file);
    mem_free(s->files);
    mem_free(s);
}

static bool all_excluded(const struct memstat_options *o)
{
    for (size_t i = 0; i < METRIC_COUNT; i++)
        if (!source_list_has(&o->exclude_metrics, metrics[i].name))
            return false;
    return source_list_has(&o->exclude_metrics, "mem_used");
}

static int memstat_init(const void *options, const struct source_env *env, const struct reading *first,
                        void **ret_state, struct error *err)
{
    const struct memstat_options *o = options;
    struct memstat *s = NEW(struct memstat);
    int rc = all_excluded(o) ? error_set(err, ERR_INVALID, "no metrics to collect") : 0;
    if (rc == 0 && o->node_stats)
        rc = add_file(s, o, env, first->scratch, "/proc/meminfo", source_tags_node, err);
    if (rc == 0 && o->numa_stats)
        rc = add_numa_files(s, o, env, first->scratch, err);
    if (rc < 0) {
        memstat_close(s);
        return rc;
    }
    *ret_state = s;
    return 0;
}

static int memstat_read(void *state, const struct reading *reading, struct error *err)
{
    struct memstat *s = state;
    for (size_t k = 0; k < s->count; k++) {
        struct meminfo_file *f = &s->files[k];
        struct values values;
        int rc = read_values(f, reading->scratch, &values, err);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < METRIC_COUNT; i++)
            batch_add_f64(reading->batch, f->series[i], (double)values.value[i]);
        batch_add_f64(reading->batch, f->used, (double)used_of(&values));
    }
    return 0;
}

const struct source_ops source_memstat_ops = {
    .key = "memstat",
    .class_name = "MemstatCollector",
    .group = "Memory",
    .settings = memstat_settings,
    .options_size = sizeof(struct memstat_options),
    .init = memstat_init,
    .read = memstat_read,
    .close = memstat_close,
};
