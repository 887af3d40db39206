// SPDX-License-Identifier: MIT
// Source "loadavg": /proc/loadavg (spec collector.md 4.3).
#include "base/mem.h"
#include "collector/kept-file.h"
#include "collector/procfs.h"
#include "collector/sources/sources.h"

enum { LOAD_ONE, LOAD_FIVE, LOAD_FIFTEEN, PROC_RUN, PROC_TOTAL, METRIC_COUNT };

static const struct metric {
    const char *name;
    enum lineproto_kind kind;
} metrics[METRIC_COUNT] = {
    [LOAD_ONE] = {"load_one", LINEPROTO_FLOAT},
    [LOAD_FIVE] = {"load_five", LINEPROTO_FLOAT},
    [LOAD_FIFTEEN] = {"load_fifteen", LINEPROTO_FLOAT},
    [PROC_RUN] = {"proc_run", LINEPROTO_INT},     // runnable scheduling entities
    [PROC_TOTAL] = {"proc_total", LINEPROTO_INT}, // existing ones
};

struct loadavg_options {
    struct setting_list exclude_metrics;
};

struct loadavg {
    struct kept_file file;
    series_id series[METRIC_COUNT];
};

static const struct setting loadavg_settings[] = {
    {.key = "exclude_metrics",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct loadavg_options, exclude_metrics),
     .help = "names of metrics to leave out"},
    {0},
};

static void loadavg_close(void *state)
{
    struct loadavg *s = state;
    kept_file_close(&s->file);
    mem_free(s);
}

static int loadavg_init(const void *options, const struct source_env *env, const struct reading *first,
                        void **ret_state, struct error *err)
{
    (void)first;
    const struct loadavg_options *o = options;
    struct loadavg *s = NEW(struct loadavg);
    int rc = kept_file_open(&s->file, env->root, "/proc/loadavg", err);
    if (rc < 0) {
        loadavg_close(s);
        return rc;
    }
    for (size_t i = 0; i < METRIC_COUNT; i++)
        s->series[i] = source_list_has(&o->exclude_metrics, metrics[i].name)
                           ? SERIES_NONE
                           : source_declare(env, metrics[i].name, source_tags_node, NULL, metrics[i].kind);
    *ret_state = s;
    return 0;
}

static int loadavg_read(void *state, const struct reading *reading, struct error *err)
{
    struct loadavg *s = state;
    struct procfs_loadavg load;
    int rc = kept_file_read(&s->file, reading->scratch, err);
    if (rc == 0)
        rc = procfs_loadavg_parse(buf_slice(reading->scratch), &load, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < 3; i++)
        batch_add_f64(reading->batch, s->series[LOAD_ONE + i], load.load[i]);
    batch_add_i64(reading->batch, s->series[PROC_RUN], load.running);
    batch_add_i64(reading->batch, s->series[PROC_TOTAL], load.total);
    return 0;
}

const struct source_ops source_loadavg_ops = {
    .key = "loadavg",
    .class_name = "LoadavgCollector",
    .group = "LOAD",
    .settings = loadavg_settings,
    .options_size = sizeof(struct loadavg_options),
    .init = loadavg_init,
    .read = loadavg_read,
    .close = loadavg_close,
};
