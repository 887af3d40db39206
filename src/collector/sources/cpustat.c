// SPDX-License-Identifier: MIT
// Source "cpustat": shares of CPU time from /proc/stat, for the node and per hardware thread (spec
// collector.md 4.2).
//
//     value = 100 * difference of ticks / (seconds * ticks per second)        node line: sum of all CPUs, up
//     to 100 * H cpu_used = sum of the values that are not excluded - cpu_idle - guest time, which user and
//     nice contain
//
// A CPU that comes online later is added; its first sample has no value. A column that goes backwards (iowait
// may) has no value at that tick, and neither has cpu_used.
#include "base/mem.h"
#include "collector/kept-file.h"
#include "collector/procfs.h"
#include "collector/sources/sources.h"

enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, GUEST, GUEST_NICE, COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = {
    [USER] = "cpu_user",       [NICE] = "cpu_nice",
    [SYSTEM] = "cpu_system",   [IDLE] = "cpu_idle",
    [IOWAIT] = "cpu_iowait",   [IRQ] = "cpu_irq",
    [SOFTIRQ] = "cpu_softirq", [STEAL] = "cpu_steal",
    [GUEST] = "cpu_guest",     [GUEST_NICE] = "cpu_guest_nice"};

struct cpustat_options {
    struct setting_list exclude_metrics;
};

struct cpu {
    int id;
    bool known; // 'ticks' are those of the previous read
    uint64_t seen_at;
    uint64_t ticks[COLUMN_COUNT];
    series_id columns[COLUMN_COUNT], used;
};

struct cpustat {
    const struct source_env *env;
    struct kept_file file;
    bool wanted[COLUMN_COUNT];
    series_id num_cpus; // SERIES_NONE: excluded
    struct mono_time last;
    uint64_t reads;
    struct cpu *cpus; // in the order of the file
    size_t cpu_count, cpu_cap;
};

static const struct setting cpustat_settings[] = {
    {.key = "exclude_metrics",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct cpustat_options, exclude_metrics),
     .help = "names of metrics to leave out (not cpu_used)"},
    {0},
};

static series_id declare(const struct cpustat *s, const char *name, int id)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", id);
    const struct source_tag node[] = {{"type", "node"}, {"unit", "Percent"}, {NULL, NULL}};
    const struct source_tag thread[] = {
        {"type", "hwthread"}, {"type-id", text}, {"unit", "Percent"}, {NULL, NULL}};
    return source_declare(s->env, name, id == PROCFS_CPU_TOTAL ? node : thread, NULL, LINEPROTO_FLOAT);
}

static struct cpu *add_cpu(struct cpustat *s, int id)
{
    ENSURE_CAPACITY(s->cpus, s->cpu_cap, s->cpu_count + 1);
    struct cpu *cpu = &s->cpus[s->cpu_count++];
    *cpu = (struct cpu){.id = id, .used = SERIES_NONE};
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        cpu->columns[i] = s->wanted[i] ? declare(s, column_names[i], id) : SERIES_NONE;
    if (s->wanted[IDLE])
        cpu->used = declare(s, "cpu_used", id);
    return cpu;
}

// The CPU of a line; 'hint' is where it stood last time.
static struct cpu *find_cpu(struct cpustat *s, int id, size_t hint)
{
    if (hint < s->cpu_count && s->cpus[hint].id == id)
        return &s->cpus[hint];
    for (size_t i = 0; i < s->cpu_count; i++)
        if (s->cpus[i].id == id)
            return &s->cpus[i];
    return add_cpu(s, id);
}

static void emit(const struct cpustat *s, const struct cpu *cpu, const struct procfs_cpu *now, double divisor,
                 struct batch *batch)
{
    int64_t used = 0;
    bool complete = true;
    for (unsigned i = 0; i < now->columns; i++) {
        if (!s->wanted[i])
            continue;
        if (now->ticks[i] < cpu->ticks[i]) {
            complete = false;
            continue;
        }
        int64_t delta = (int64_t)(now->ticks[i] - cpu->ticks[i]);
        batch_add_f64(batch, cpu->columns[i], (double)(delta * 100) / divisor);
        bool counted_elsewhere =
            i == IDLE || (i == GUEST && s->wanted[USER]) || (i == GUEST_NICE && s->wanted[NICE]);
        used += counted_elsewhere ? 0 : delta;
    }
    // user and nice contain the guests' time already
    if (complete)
        batch_add_f64(batch, cpu->used, (double)(used * 100) / divisor);
}

// Takes over one line; with a batch, emits the difference to the line before.
static void take_line(struct cpustat *s, const struct procfs_cpu *line, size_t hint, double divisor,
                      struct batch *batch)
{
    struct cpu *cpu = find_cpu(s, line->id, hint);
    bool continuous = cpu->known && cpu->seen_at + 1 == s->reads; // it was not offline meanwhile
    if (batch && continuous)
        emit(s, cpu, line, divisor, batch);
    memcpy(cpu->ticks, line->ticks, sizeof(cpu->ticks));
    cpu->known = true;
    cpu->seen_at = s->reads;
}

static int read_stat(struct cpustat *s, const struct reading *reading, struct error *err)
{
    int rc = kept_file_read(&s->file, reading->scratch, err);
    if (rc < 0)
        return rc;
    double seconds = (double)mono_diff_ns(reading->mono, s->last) / (double)NS_PER_S;
    double divisor = seconds * (double)s->env->clock_ticks_per_s;
    struct batch *batch = seconds > 0 ? reading->batch : NULL;
    struct slice rest = buf_slice(reading->scratch);
    struct procfs_cpu line;
    size_t count = 0, threads = 0;
    s->reads++;
    while ((rc = procfs_cpu_next(&rest, &line, err)) != 0) {
        if (rc < 0)
            return rc;
        take_line(s, &line, count++, divisor, batch);
        threads += line.id != PROCFS_CPU_TOTAL;
    }
    if (count == 0)
        return error_set(err, ERR_INVALID, "stat: no line of a CPU");
    s->last = reading->mono;
    if (reading->batch)
        batch_add_i64(reading->batch, s->num_cpus, (int64_t)threads);
    return 0;
}

static void cpustat_close(void *state)
{
    struct cpustat *s = state;
    kept_file_close(&s->file);
    mem_free(s->cpus);
    mem_free(s);
}

static int cpustat_init(const void *options, const struct source_env *env, const struct reading *first,
                        void **ret_state, struct error *err)
{
    const struct cpustat_options *o = options;
    struct cpustat *s = NEW(struct cpustat);
    s->env = env;
    s->num_cpus = SERIES_NONE;
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        s->wanted[i] = !source_list_has(&o->exclude_metrics, column_names[i]);
    int rc = kept_file_open(&s->file, env->root, "/proc/stat", err);
    if (rc == 0)
        rc = read_stat(s, first, err);
    if (rc < 0) {
        cpustat_close(s);
        return rc == ERR_INVALID ? ERR_CORRUPT : rc;
    }
    if (!source_list_has(&o->exclude_metrics, "num_cpus"))
        s->num_cpus = source_declare(env, "num_cpus", source_tags_node, NULL, LINEPROTO_INT);
    *ret_state = s;
    return 0;
}

static int cpustat_read(void *state, const struct reading *reading, struct error *err)
{
    return read_stat(state, reading, err);
}

const struct source_ops source_cpustat_ops = {
    .key = "cpustat",
    .class_name = "CpustatCollector",
    .group = "CPU",
    .settings = cpustat_settings,
    .options_size = sizeof(struct cpustat_options),
    .init = cpustat_init,
    .read = cpustat_read,
    .close = cpustat_close,
};
