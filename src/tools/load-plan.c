// SPDX-License-Identifier: MIT
#include "tools/load-plan.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/strnum.h"
#include "tools/load-private.h"
#include "tools/load-random.h"

#define NODES_MAX     100000
#define HWTHREADS_MAX 4096

// ---- options -------------------------------------------------------------------------------------

static const struct {
    const char *name;
    int64_t nodes, hwthreads, interval_s, steps;
} presets[] = {
    [LOAD_CLUSTER] = {"cluster", 16, 32, 30, 120},
    [LOAD_W1] = {"w1", 64, 64, 60, 1440},
    [LOAD_SMALL_BATCHES] = {"small-batches", 512, 0, 60, 1440},
    [LOAD_FRESH] = {"fresh", 2048, 64, 60, 10},
};

bool load_preset_from_name(const char *name, enum load_preset *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(presets); i++)
        if (strcmp(presets[i].name, name) == 0) {
            *ret = (enum load_preset)i;
            return true;
        }
    return false;
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value ? value : otherwise;
}

static int fill_options(const struct load_options *given, struct load_options *ret, struct error *err)
{
    *ret = *given;
    ret->nodes = or_default(given->nodes, presets[given->preset].nodes);
    ret->hwthreads = or_default(given->hwthreads, MAX(presets[given->preset].hwthreads, 1));
    ret->sockets = or_default(given->sockets, ret->hwthreads % 2 == 0 ? 2 : 1);
    ret->smt = or_default(given->smt, 1);
    ret->interval_s = or_default(given->interval_s, presets[given->preset].interval_s);
    ret->job_window_s = or_default(given->job_window_s, 3600);
    if (ret->nodes < 1 || ret->nodes > NODES_MAX)
        return error_set(err, ERR_INVALID, "-nodes must be 1 to %d", NODES_MAX);
    if (ret->hwthreads < 1 || ret->hwthreads > HWTHREADS_MAX)
        return error_set(err, ERR_INVALID, "-hwthreads must be 1 to %d", HWTHREADS_MAX);
    if (ret->sockets < 1 || ret->smt < 1 || ret->hwthreads % (ret->sockets * ret->smt) != 0)
        return error_set(err, ERR_INVALID, "-hwthreads must be a multiple of -sockets times -smt");
    if (ret->accelerators < 0 || ret->accelerators > 16)
        return error_set(err, ERR_INVALID, "-accelerators must be 0 to 16");
    if (ret->interval_s < 1 || ret->interval_s > 86400)
        return error_set(err, ERR_INVALID, "-interval must be 1 to 86400 seconds");
    if (ret->job_window_s < 60 || ret->job_window_s > 30 * 86400)
        return error_set(err, ERR_INVALID, "-job-window must be 60 seconds to 30 days");
    return 0;
}

// ---- metrics -------------------------------------------------------------------------------------

static void add_metric(struct load_plan *plan, size_t *capacity, const struct load_metric *metric)
{
    ENSURE_CAPACITY(plan->metrics, *capacity, plan->metric_count + 1);
    plan->metrics[plan->metric_count] = *metric;
    plan->metrics[plan->metric_count++].name = mem_strdup(metric->name);
}

static void add_numbered(struct load_plan *plan, size_t *capacity, const char *prefix, size_t count,
                         enum scope scope)
{
    struct buf name;

    buf_init(&name, 256);
    for (size_t i = 0; i < count; i++) {
        buf_clear(&name);
        buf_printf(&name, "%s_%02zu", prefix, i);
        struct load_metric metric = {.name = buf_cstr(&name),
                                     .scope = scope,
                                     .aggregation = "sum",
                                     .unit_base = "",
                                     .unit_prefix = "",
                                     .peak = 1000,
                                     .normal = 500,
                                     .caution = 100,
                                     .alert = 10,
                                     .footprint = "",
                                     .energy = ""};
        add_metric(plan, capacity, &metric);
    }
    buf_release(&name);
}

static void add_metrics(struct load_plan *plan)
{
    size_t capacity = 0;

    switch (plan->options.preset) {
    case LOAD_CLUSTER:
        for (size_t i = 0; i < load_cluster_metric_count(); i++) {
            struct load_metric metric = load_cluster_metric(i, &plan->options);
            if (metric.scope != SCOPE_ACCELERATOR || plan->options.accelerators > 0)
                add_metric(plan, &capacity, &metric);
        }
        break;
    case LOAD_W1:
    case LOAD_FRESH:
        add_numbered(plan, &capacity, "node_metric", 20, SCOPE_NODE);
        add_numbered(plan, &capacity, "thread_metric", 5, SCOPE_HWTHREAD);
        break;
    case LOAD_SMALL_BATCHES:
        add_numbered(plan, &capacity, "node_metric", 30, SCOPE_NODE);
        break;
    }
}

size_t load_scope_count(const struct load_options *options, enum scope scope)
{
    switch (scope) {
    case SCOPE_SOCKET:
        return (size_t)options->sockets;
    case SCOPE_HWTHREAD:
        return (size_t)options->hwthreads;
    case SCOPE_ACCELERATOR:
        return (size_t)options->accelerators;
    case SCOPE_CORE:
        return (size_t)(options->hwthreads / options->smt);
    case SCOPE_MEMORY_DOMAIN:
        return (size_t)options->sockets;
    case SCOPE_NODE:
    case SCOPE_INVALID:
        break;
    }
    return 1;
}

// ---- nodes ---------------------------------------------------------------------------------------

static void append_head(const struct load_plan *plan, const char *host, const struct load_metric *metric,
                        size_t id, struct buf *out)
{
    buf_printf(out, "%s,cluster=%s,hostname=%s,type=%s", metric->name, plan->options.cluster, host,
               scope_name(metric->scope));
    if (metric->scope == SCOPE_ACCELERATOR)
        buf_printf(out, ",type-id=" LOAD_ACCELERATOR_ID, (unsigned)id + 1);
    else if (metric->scope != SCOPE_NODE)
        buf_printf(out, ",type-id=%zu", id);
    buf_append_cstr(out, " value=");
}

static enum load_shape shape_of(uint64_t seed)
{
    uint64_t tenth = load_below(load_mix(seed ^ 0x73686170), 10);

    return tenth < 1 ? SHAPE_CONSTANT : tenth < 6 ? SHAPE_STEPS : SHAPE_NOISE;
}

static void init_node(struct load_plan *plan, size_t index)
{
    struct load_node *node = &plan->nodes[index];
    size_t next = 0;

    if (plan->node_count < 1000) // all names have the same length, as host lists need it
        (void)snprintf(node->name, sizeof(node->name), "sim%03zu", index + 1);
    else
        (void)snprintf(node->name, sizeof(node->name), "sim%06zu", index + 1);
    node->series = NEW_ARRAY(struct load_series, plan->series_per_node);
    buf_init(&node->heads, BUF_MAX_DEFAULT);
    for (size_t m = 0; m < plan->metric_count; m++) {
        size_t ids = load_scope_count(&plan->options, plan->metrics[m].scope);
        for (size_t id = 0; id < ids; id++, next++) {
            struct load_series *series = &node->series[next];
            uint64_t seed = load_hash(plan->options.seed, index * plan->series_per_node + next, 0x736572);
            *series = (struct load_series){.seed = seed,
                                           .head = (uint32_t)node->heads.len,
                                           .metric = (uint16_t)m,
                                           .id = (uint16_t)id,
                                           .shape = plan->jobs ? SHAPE_CLUSTER : shape_of(seed),
                                           .period = (uint8_t)(15 + load_below(seed, 46))};
            append_head(plan, node->name, &plan->metrics[m], id, &node->heads);
            series->head_len = (uint32_t)node->heads.len - series->head;
        }
    }
}

int load_plan_new(const struct load_options *options, struct load_plan **ret_plan, struct error *err)
{
    struct load_options filled;

    int rc = fill_options(options, &filled, err);
    if (rc < 0)
        return rc;
    struct load_plan *plan = NEW(struct load_plan);
    plan->options = filled;
    plan->default_steps = presets[filled.preset].steps;
    if (filled.preset == LOAD_CLUSTER)
        plan->jobs = load_jobs_new((size_t)filled.nodes, filled.job_window_s, filled.seed);
    add_metrics(plan);
    for (size_t m = 0; m < plan->metric_count; m++)
        plan->series_per_node += load_scope_count(&plan->options, plan->metrics[m].scope);
    plan->node_count = (size_t)filled.nodes;
    plan->nodes = NEW_ARRAY(struct load_node, plan->node_count);
    for (size_t i = 0; i < plan->node_count; i++)
        init_node(plan, i);
    *ret_plan = plan;
    return 0;
}

void load_plan_free(struct load_plan **plan)
{
    if (!*plan)
        return;
    for (size_t i = 0; i < (*plan)->node_count; i++) {
        buf_release(&(*plan)->nodes[i].heads);
        mem_free((*plan)->nodes[i].series);
    }
    for (size_t i = 0; i < (*plan)->metric_count; i++)
        mem_free((char *)(uintptr_t)(*plan)->metrics[i].name);
    load_jobs_free(&(*plan)->jobs);
    mem_free((*plan)->nodes);
    mem_free((*plan)->metrics);
    mem_free(*plan);
    *plan = NULL;
}

const char *load_node_name(const struct load_plan *plan, size_t node)
{
    return plan->nodes[node].name;
}

// ---- rendering -----------------------------------------------------------------------------------

#define VALUE_RANGE 1000000 // thousandths

static int64_t preset_value(const struct load_series *series, uint32_t step)
{
    switch (series->shape) {
    case SHAPE_STEPS:
        return (int64_t)load_below(load_mix(series->seed + step / series->period), VALUE_RANGE);
    case SHAPE_NOISE:
        return (int64_t)load_below(load_mix(series->seed + step), VALUE_RANGE);
    case SHAPE_CONSTANT:
    case SHAPE_CLUSTER:
        break;
    }
    return (int64_t)load_below(load_mix(series->seed), VALUE_RANGE);
}

// Thousandths as text with three decimals; not negative.
static char *format_thousandths(int64_t value, char *p)
{
    uint32_t rest = (uint32_t)(value % 1000);

    p += strnum_format_u64((uint64_t)(value / 1000), p);
    *p++ = '.';
    *p++ = (char)('0' + rest / 100);
    *p++ = (char)('0' + rest / 10 % 10);
    *p++ = (char)('0' + rest % 10);
    return p;
}

// Fisher-Yates over the numbers of the series.
static void shuffle_order(uint16_t *order, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++)
        order[i] = (uint16_t)i;
    for (size_t i = count; i > 1; i--) {
        seed = load_mix(seed);
        size_t k = load_below(seed, i);
        uint16_t swap = order[i - 1];
        order[i - 1] = order[k];
        order[k] = swap;
    }
}

static char *render_line(const struct load_node *node, const struct load_series *series, int64_t value,
                         struct slice tail, char *p)
{
    memcpy(p, node->heads.ptr + series->head, series->head_len);
    p = format_thousandths(value, p + series->head_len);
    memcpy(p, tail.ptr, tail.len);
    return p + tail.len;
}

void load_render(const struct load_plan *plan, size_t index, int64_t ts, bool shuffle, struct buf *out,
                 struct load_counts *counts)
{
    const struct load_node *node = &plan->nodes[index];
    uint32_t step = (uint32_t)(ts / plan->options.interval_s);
    uint16_t order[UINT16_MAX];
    struct load_levels levels;
    char tail[24] = " ";

    if (plan->jobs && !load_levels_at(plan, index, ts, &levels))
        return;
    if (shuffle)
        shuffle_order(order, plan->series_per_node, load_hash(plan->options.seed, index, (uint64_t)ts));
    size_t tail_len = 1 + strnum_format_i64(ts, tail + 1);
    tail[tail_len++] = '\n';
    char *start = buf_reserve(out, node->heads.len + plan->series_per_node * 48);
    char *p = start;
    for (size_t i = 0; start && i < plan->series_per_node; i++) {
        const struct load_series *series = &node->series[shuffle ? order[i] : i];
        int64_t value =
            plan->jobs ? load_cluster_value(plan, &levels, series, ts) : preset_value(series, step);
        p = render_line(node, series, value, slice_of(tail, tail_len), p);
        counts->checksum += load_mix(series->seed ^ ((uint64_t)ts << 24) ^ (uint64_t)value);
    }
    buf_commit(out, (size_t)(p - start));
    counts->samples += plan->series_per_node;
    counts->bytes += (uint64_t)(p - start);
}
