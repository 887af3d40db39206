// SPDX-License-Identifier: MIT
// Source "cpufreq": present frequency of each core, of its first hardware thread (spec collector.md 4.10).
// The kernel's file is in kHz (Documentation/admin-guide/pm/cpufreq.rst).
#include "base/mem.h"
#include "base/strnum.h"
#include "collector/kept-file.h"
#include "collector/sources/sources.h"
#include "model/topology.h"

struct cpufreq_options {
    struct setting_list exclude_metrics; // accepted, as upstream; there is only one metric
};

struct core {
    struct kept_file file;
    series_id series;
};

struct cpufreq {
    struct core *cores;
    size_t count, cap;
};

static const struct setting cpufreq_settings[] = {
    {.key = "exclude_metrics",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct cpufreq_options, exclude_metrics),
     .help = "accepted, without effect"},
    {0},
};

static int add_core(struct cpufreq *s, const struct source_env *env, const struct hwthread *t,
                    struct error *err)
{
    char path[96], id[16], package[16];
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", t->id);
    snprintf(id, sizeof(id), "%d", t->id);
    snprintf(package, sizeof(package), "%d", t->socket);
    ENSURE_CAPACITY(s->cores, s->cap, s->count + 1);
    struct core *core = &s->cores[s->count];
    int rc = kept_file_open(&core->file, env->root, path, err);
    if (rc < 0)
        return rc;
    s->count++;
    const struct source_tag tags[] = {
        {"type", "hwthread"}, {"type-id", id}, {"package_id", package}, {NULL, NULL}};
    core->series = source_declare(env, "cpufreq", tags, "kHz", LINEPROTO_INT);
    return 0;
}

static void cpufreq_close(void *state)
{
    struct cpufreq *s = state;
    for (size_t i = 0; i < s->count; i++)
        kept_file_close(&s->cores[i].file);
    mem_free(s->cores);
    mem_free(s);
}

static int cpufreq_init(const void *options, const struct source_env *env, const struct reading *first,
                        void **ret_state, struct error *err)
{
    (void)options, (void)first;
    struct cpufreq *s = NEW(struct cpufreq);
    struct arena *arena = arena_new(64 << 20);
    struct hwtopology topology;
    int rc = hwtopology_read(env->root, arena, &topology, err);
    for (size_t i = 0; rc == 0 && i < topology.count; i++)
        if (topology.threads[i].id == topology.threads[i].core_first)
            rc = add_core(s, env, &topology.threads[i], err);
    arena_free(&arena);
    if (rc < 0) {
        cpufreq_close(s);
        return rc;
    }
    *ret_state = s;
    return 0;
}

// A core that cannot be read (it went offline) has no value; when no core can, the read has failed.
static int cpufreq_read(void *state, const struct reading *reading, struct error *err)
{
    struct cpufreq *s = state;
    char text[32];
    size_t good = 0;
    int rc = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct slice value;
        int64_t khz;
        int got = kept_file_read_attribute(&s->cores[i].file, text, sizeof(text), &value, err);
        if (got == 0)
            got = strnum_parse_i64(value, &khz, err);
        if (got == 0) {
            batch_add_i64(reading->batch, s->cores[i].series, khz);
            good++;
        } else {
            rc = got;
        }
    }
    return good ? 0 : rc;
}

const struct source_ops source_cpufreq_ops = {
    .key = "cpufreq",
    .class_name = "CPUFreqCollector",
    .group = "CPU",
    .settings = cpufreq_settings,
    .options_size = sizeof(struct cpufreq_options),
    .init = cpufreq_init,
    .read = cpufreq_read,
    .close = cpufreq_close,
};
