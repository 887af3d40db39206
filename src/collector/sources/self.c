// SPDX-License-Identifier: MIT
// Source "self": the agent about itself (spec collector.md 4.16). Heap numbers are those of the C library's
// allocator, num_goroutines is the number of threads; counters of Go's run time that have no counterpart are
// left out. read_agent_stats is ours: what was collected, skipped, sent and lost.
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "collector/sources/sources.h"

struct self_options {
    bool read_mem_stats, read_goroutines, read_cgo_calls, read_rusage, read_agent_stats;
};

enum { HEAP_ALLOC, HEAP_SYS, HEAP_IDLE, HEAP_INUSE, HEAP_COUNT };
static const char *const heap_names[HEAP_COUNT] = {"heap_alloc", "heap_sys", "heap_idle", "heap_inuse"};

enum { VOL_SWITCH, INVOL_SWITCH, SIGNALS, MAJOR_FAULTS, MINOR_FAULTS, RUSAGE_COUNT };
static const char *const rusage_names[RUSAGE_COUNT] = {"rusage_vol_ctx_switch", "rusage_invol_ctx_switch",
                                                       "rusage_signals", "rusage_major_pgfaults",
                                                       "rusage_minor_pgfaults"};

static const struct agent_metric {
    const char *name;
    size_t offset; // of an uint64_t in struct agent_stats
} agent_metrics[] = {
    {"agent_ticks", offsetof(struct agent_stats, ticks)},
    {"agent_skipped_ticks", offsetof(struct agent_stats, skipped_ticks)},
    {"agent_skipped_reads", offsetof(struct agent_stats, skipped_reads)},
    {"agent_failed_reads", offsetof(struct agent_stats, failed_reads)},
    {"agent_samples", offsetof(struct agent_stats, samples)},
    {"agent_sent_messages", offsetof(struct agent_stats, sent_messages)},
    {"agent_queued_messages", offsetof(struct agent_stats, queued_messages)},
    {"agent_dropped_messages", offsetof(struct agent_stats, dropped_messages)},
    {"agent_rejected_messages", offsetof(struct agent_stats, rejected_messages)},
    {"agent_retried_batches", offsetof(struct agent_stats, retried_batches)},
    {"agent_failed_batches", offsetof(struct agent_stats, failed_batches)},
};

struct self {
    const struct self_options *options;
    const struct source_env *env;
    series_id heap[HEAP_COUNT], threads, user, system, rusage[RUSAGE_COUNT], agent[ARRAY_LEN(agent_metrics)];
};

#define FLAG(member, help_)                                                                                  \
    {                                                                                                        \
        .key = #member, .type = SETTING_BOOL, .offset = offsetof(struct self_options, member),               \
        .help = (help_)                                                                                      \
    }
static const struct setting self_settings[] = {
    FLAG(read_mem_stats, "memory of the agent's heap"),
    FLAG(read_goroutines, "number of threads, as num_goroutines"),
    FLAG(read_cgo_calls, "accepted, without effect"),
    FLAG(read_rusage, "CPU time, context switches, page faults"),
    FLAG(read_agent_stats, "what was collected, skipped, sent and lost"),
    {0},
};

static void self_close(void *state)
{
    mem_free(state);
}

static int self_init(const void *options, const struct source_env *env, const struct reading *first,
                     void **ret_state, struct error *err)
{
    (void)first, (void)err;
    const struct self_options *o = options;
    struct self *s = NEW(struct self);
    s->options = o;
    s->env = env;
    const struct source_tag *node = source_tags_node;
    for (size_t i = 0; o->read_mem_stats && i < HEAP_COUNT; i++)
        s->heap[i] = source_declare(env, heap_names[i], node, "Bytes", LINEPROTO_UINT);
    if (o->read_goroutines)
        s->threads = source_declare(env, "num_goroutines", node, NULL, LINEPROTO_INT);
    if (o->read_rusage) {
        s->user = source_declare(env, "rusage_user_time", node, "seconds", LINEPROTO_FLOAT);
        s->system = source_declare(env, "rusage_system_time", node, "seconds", LINEPROTO_FLOAT);
        for (size_t i = 0; i < RUSAGE_COUNT; i++)
            s->rusage[i] = source_declare(env, rusage_names[i], node, NULL, LINEPROTO_INT);
    }
    for (size_t i = 0; o->read_agent_stats && i < ARRAY_LEN(agent_metrics); i++)
        s->agent[i] = source_declare(env, agent_metrics[i].name, node, NULL, LINEPROTO_UINT);
    *ret_state = s;
    return 0;
}

static void read_heap(const struct self *s, struct batch *batch)
{
    struct mallinfo2 m = mallinfo2();
    batch_add_u64(batch, s->heap[HEAP_ALLOC], m.uordblks + m.hblkhd);
    batch_add_u64(batch, s->heap[HEAP_SYS], m.arena + m.hblkhd);
    batch_add_u64(batch, s->heap[HEAP_IDLE], m.fordblks);
    batch_add_u64(batch, s->heap[HEAP_INUSE], m.uordblks + m.hblkhd);
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int read_rusage(const struct self *s, struct batch *batch, struct error *err)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return error_set_errno(err, "getrusage");
    batch_add_f64(batch, s->user, seconds_of(usage.ru_utime));
    batch_add_f64(batch, s->system, seconds_of(usage.ru_stime));
    batch_add_i64(batch, s->rusage[VOL_SWITCH], usage.ru_nvcsw);
    batch_add_i64(batch, s->rusage[INVOL_SWITCH], usage.ru_nivcsw);
    batch_add_i64(batch, s->rusage[SIGNALS], usage.ru_nsignals);
    batch_add_i64(batch, s->rusage[MAJOR_FAULTS], usage.ru_majflt);
    batch_add_i64(batch, s->rusage[MINOR_FAULTS], usage.ru_minflt);
    return 0;
}

static void read_agent(const struct self *s, struct batch *batch)
{
    struct agent_stats stats = {0};
    if (s->env->agent_stats)
        s->env->agent_stats(s->env->agent_ctx, &stats);
    for (size_t i = 0; i < ARRAY_LEN(agent_metrics); i++) {
        uint64_t value;
        memcpy(&value, (const char *)&stats + agent_metrics[i].offset, sizeof(value));
        batch_add_u64(batch, s->agent[i], value);
    }
}

static int self_read(void *state, const struct reading *reading, struct error *err)
{
    const struct self *s = state;
    struct stat tasks;
    if (s->options->read_mem_stats)
        read_heap(s, reading->batch);
    // /proc/self/task is this process, whatever the root: it has one folder per thread beside "." and "..".
    if (s->options->read_goroutines && stat("/proc/self/task", &tasks) == 0)
        batch_add_i64(reading->batch, s->threads, (int64_t)tasks.st_nlink - 2);
    if (s->options->read_agent_stats)
        read_agent(s, reading->batch);
    return s->options->read_rusage ? read_rusage(s, reading->batch, err) : 0;
}

const struct source_ops source_self_ops = {
    .key = "self",
    .class_name = "SelfCollector",
    .group = "Self",
    .settings = self_settings,
    .options_size = sizeof(struct self_options),
    .init = self_init,
    .read = self_read,
    .close = self_close,
};
