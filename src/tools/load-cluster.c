// SPDX-License-Identifier: MIT
// The simulated cluster: its metrics, what its nodes do, and its description for the job archive.
#include <math.h>
#include <stddef.h>

#include "codec/json-writer.h"
#include "tools/load-private.h"
#include "tools/load-random.h"

#define GAP_PERIOD_S 3600
#define GAP_LENGTH_S 600

// One row: the metric, and how its value follows from the levels of a node. The value of one component
// (thread, socket) is idle + level * span, spread over the components of the node when 'shared' is set;
// 'per_thread' rows grow with the hardware threads of a node.
static const struct {
    struct load_metric metric;
    size_t level; // offset in struct load_levels
    double idle, span;
    bool shared, per_thread;
} rows[] = {
#define LEVEL(name) offsetof(struct load_levels, name)
    {{"cpu_load", SCOPE_NODE, "avg", "", "", 1, 1, 0.5, 0.1, "avg", ""}, LEVEL(user), 0.002, 1, false, true},
    {{"cpu_user", SCOPE_HWTHREAD, "avg", "%", "", 100, 80, 50, 20, "avg", ""},
     LEVEL(user),
     0.4,
     99,
     false,
     false},
    {{"flops_any", SCOPE_HWTHREAD, "sum", "F/s", "G", 2000, 600, 100, 20, "avg", ""},
     LEVEL(flops),
     0.01,
     2000,
     true,
     false},
    {{"ipc", SCOPE_HWTHREAD, "avg", "IPC", "", 4, 2, 1, 0.5, "", ""}, LEVEL(ipc), 0.3, 3.4, false, false},
    {{"clock", SCOPE_HWTHREAD, "avg", "Hz", "M", 3500, 2600, 1800, 1200, "", ""},
     LEVEL(user),
     1200,
     1900,
     false,
     false},
    {{"mem_used", SCOPE_NODE, "sum", "B", "G", 256, 128, 220, 245, "max", ""},
     LEVEL(memory),
     6,
     250,
     false,
     false},
    {{"mem_bw", SCOPE_SOCKET, "sum", "B/s", "G", 350, 150, 30, 10, "avg", ""},
     LEVEL(bandwidth),
     0.3,
     350,
     true,
     false},
    {{"cpu_power", SCOPE_SOCKET, "sum", "W", "", 500, 350, 150, 100, "", "power"},
     LEVEL(user),
     120,
     380,
     true,
     false},
    {{"net_bytes_in", SCOPE_NODE, "sum", "B/s", "M", 12500, 2000, 10, 1, "", ""},
     LEVEL(network),
     0.01,
     9000,
     false,
     false},
    {{"net_bytes_out", SCOPE_NODE, "sum", "B/s", "M", 12500, 2000, 10, 1, "", ""},
     LEVEL(network),
     0.01,
     8600,
     false,
     false},
    {{"file_read", SCOPE_NODE, "sum", "B/s", "M", 2000, 500, 5, 1, "", ""},
     LEVEL(files),
     0,
     1500,
     false,
     false},
    {{"file_write", SCOPE_NODE, "sum", "B/s", "M", 2000, 500, 5, 1, "", ""},
     LEVEL(files),
     0,
     700,
     false,
     false},
    {{"acc_utilization", SCOPE_ACCELERATOR, "avg", "%", "", 100, 80, 50, 20, "avg", ""},
     LEVEL(accelerator),
     0,
     99,
     false,
     false},
    {{"acc_power", SCOPE_ACCELERATOR, "sum", "W", "", 400, 300, 150, 80, "", "power"},
     LEVEL(accelerator),
     55,
     340,
     false,
     false},
#undef LEVEL
};

size_t load_cluster_metric_count(void)
{
    return ARRAY_LEN(rows);
}

static double threads_of(size_t index, const struct load_options *options)
{
    return rows[index].per_thread ? (double)options->hwthreads : 1;
}

struct load_metric load_cluster_metric(size_t index, const struct load_options *options)
{
    struct load_metric metric = rows[index].metric;
    double factor = threads_of(index, options);

    metric.peak *= factor;
    metric.normal *= factor;
    metric.caution *= factor;
    metric.alert *= factor;
    return metric;
}

// ---- values --------------------------------------------------------------------------------------

static void set_idle(struct load_levels *levels)
{
    *levels = (struct load_levels){.user = 0.002, .memory = 0.02, .ipc = 0.1};
}

// How active the job is at a point of its run: start-up, bursts, and the end of all activity for a deadlock.
static double activity(const struct load_job *job, int64_t ts)
{
    const struct load_profile *profile = job->profile;
    double age_s = (double)(ts - job->start_s), length_s = (double)(job->stop_s - job->start_s);

    if (profile->stalls && age_s > 0.6 * length_s)
        return 0.01;
    double active = age_s < profile->ramp * length_s ? 0.15 : 1;
    if (profile->burst > 0) // a few seconds of each period are spent on something else, as check points are
        active *= fmod(age_s, profile->burst_period) < 0.2 * profile->burst_period ? 1 - profile->burst : 1;
    return active;
}

static void set_job_levels(const struct load_job *job, double active, struct load_levels *levels)
{
    const struct load_profile *profile = job->profile;
    double quiet = 1 - active; // files and network are busy when the arithmetic pauses

    *levels = (struct load_levels){
        .user = profile->user * (0.1 + 0.9 * active),
        .flops = profile->flops * active,
        .bandwidth = profile->bandwidth * active,
        .memory = profile->memory,
        .ipc = profile->ipc,
        .network = profile->network * active,
        .files = MIN(1.0, profile->files * (active + 3 * quiet)),
        .accelerator = profile->accelerator * active,
        .unbalance = profile->unbalance,
    };
}

bool load_levels_at(const struct load_plan *plan, size_t node, int64_t ts, struct load_levels *ret)
{
    struct load_job job;
    uint64_t hour = load_hash(plan->options.seed ^ 0x676170, node, (uint64_t)(ts / GAP_PERIOD_S));

    if (load_below(hour, 97) == 0 && ts % GAP_PERIOD_S < GAP_LENGTH_S)
        return false;
    if (!load_job_at(plan->jobs, node, ts, &job)) {
        set_idle(ret);
        return true;
    }
    bool last = node == job.first_node + job.node_count - 1;
    if (job.profile->idle_node && last && job.node_count > 1)
        set_idle(ret);
    else
        set_job_levels(&job, activity(&job, ts), ret);
    return true;
}

int64_t load_cluster_value(const struct load_plan *plan, const struct load_levels *levels,
                           const struct load_series *series, int64_t ts)
{
    size_t count = load_scope_count(&plan->options, plan->metrics[series->metric].scope);
    double level = *(const double *)(const void *)((const char *)levels + rows[series->metric].level);
    uint64_t noise = load_hash(series->seed, 0x6e6f6973, (uint64_t)ts);

    if (levels->unbalance > 0 && series->id >= count / 2 && count > 1)
        level *= 1 - levels->unbalance;
    double own = 0.97 + 0.06 * load_unit(series->seed); // no two components are quite the same
    double jitter = 0.98 + 0.04 * load_unit(noise);
    double value = rows[series->metric].idle + level * rows[series->metric].span * own;
    if (rows[series->metric].shared)
        value /= (double)count;
    value *= jitter * threads_of(series->metric, &plan->options);
    return (int64_t)(MIN(value, plan->metrics[series->metric].peak * 1.5) * 1000);
}

// ---- description ---------------------------------------------------------------------------------

void load_print_metrics(const struct load_plan *plan, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_write_object_begin(&w);
    for (size_t i = 0; i < plan->metric_count; i++) {
        json_write_key(&w, plan->metrics[i].name);
        json_write_object_begin(&w);
        json_write_key(&w, "frequency");
        json_write_int(&w, plan->options.interval_s);
        json_write_key(&w, "aggregation");
        json_write_cstr(&w, plan->metrics[i].aggregation);
        json_write_object_end(&w);
    }
    json_write_object_end(&w);
    buf_append_byte(out, '\n');
}

static void write_unit(struct json_writer *w, const char *base, const char *prefix)
{
    json_write_key(w, "unit");
    json_write_object_begin(w);
    json_write_key(w, "base");
    json_write_cstr(w, base);
    if (*prefix) {
        json_write_key(w, "prefix");
        json_write_cstr(w, prefix);
    }
    json_write_object_end(w);
}

static void write_number(struct json_writer *w, const char *key, double value)
{
    json_write_key(w, key);
    json_write_double(w, value);
}

static void write_text_unless_empty(struct json_writer *w, const char *key, const char *text)
{
    if (!*text)
        return;
    json_write_key(w, key);
    json_write_cstr(w, text);
}

static void write_metric(struct json_writer *w, const struct load_metric *metric, int64_t timestep_s)
{
    json_write_object_begin(w);
    json_write_key(w, "name");
    json_write_cstr(w, metric->name);
    write_unit(w, metric->unit_base, metric->unit_prefix);
    json_write_key(w, "scope");
    json_write_cstr(w, scope_name(metric->scope));
    json_write_key(w, "aggregation");
    json_write_cstr(w, metric->aggregation);
    json_write_key(w, "timestep");
    json_write_int(w, timestep_s);
    write_number(w, "peak", metric->peak);
    write_number(w, "normal", metric->normal);
    write_number(w, "caution", metric->caution);
    write_number(w, "alert", metric->alert);
    write_text_unless_empty(w, "footprint", metric->footprint);
    write_text_unless_empty(w, "energy", metric->energy);
    json_write_object_end(w);
}

// One list per component: its hardware threads. Siblings of a core are 'cores' apart, as Linux numbers them.
static void write_components(struct json_writer *w, const struct load_plan *plan, const char *key,
                             size_t components)
{
    int64_t cores = plan->options.hwthreads / plan->options.smt;

    json_write_key(w, key);
    json_write_array_begin(w);
    for (int64_t c = 0; c < (int64_t)components; c++) {
        json_write_array_begin(w);
        for (int64_t t = 0; t < plan->options.hwthreads; t++)
            if (t % cores * (int64_t)components / cores == c)
                json_write_int(w, t);
        json_write_array_end(w);
    }
    json_write_array_end(w);
}

static void write_accelerators(struct json_writer *w, const struct load_plan *plan)
{
    char id[32];

    if (plan->options.accelerators == 0)
        return;
    json_write_key(w, "accelerators");
    json_write_array_begin(w);
    for (int64_t i = 0; i < plan->options.accelerators; i++) {
        (void)snprintf(id, sizeof(id), LOAD_ACCELERATOR_ID, (unsigned)i + 1);
        json_write_object_begin(w);
        json_write_key(w, "id");
        json_write_cstr(w, id);
        json_write_key(w, "type");
        json_write_cstr(w, "Nvidia GPU");
        json_write_key(w, "model");
        json_write_cstr(w, "simulated accelerator");
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_topology(struct json_writer *w, const struct load_plan *plan)
{
    json_write_key(w, "topology");
    json_write_object_begin(w);
    json_write_key(w, "node");
    json_write_array_begin(w);
    for (int64_t t = 0; t < plan->options.hwthreads; t++)
        json_write_int(w, t);
    json_write_array_end(w);
    write_components(w, plan, "socket", load_scope_count(&plan->options, SCOPE_SOCKET));
    write_components(w, plan, "memoryDomain", load_scope_count(&plan->options, SCOPE_MEMORY_DOMAIN));
    write_components(w, plan, "core", load_scope_count(&plan->options, SCOPE_CORE));
    write_accelerators(w, plan);
    json_write_object_end(w);
}

static void write_peak(struct json_writer *w, const char *key, const char *base, double value)
{
    json_write_key(w, key);
    json_write_object_begin(w);
    write_unit(w, base, "G");
    write_number(w, "value", value);
    json_write_object_end(w);
}

static void write_subcluster(struct json_writer *w, const struct load_plan *plan)
{
    char nodes[96];
    const struct load_options *options = &plan->options;

    (void)snprintf(nodes, sizeof(nodes), "sim[%s-%s]", load_node_name(plan, 0) + 3,
                   load_node_name(plan, plan->node_count - 1) + 3);
    json_write_object_begin(w);
    json_write_key(w, "name");
    json_write_cstr(w, "simulated");
    json_write_key(w, "nodes");
    json_write_cstr(w, nodes);
    json_write_key(w, "processorType");
    json_write_cstr(w, "simulated processor (made by cc-load-generator, nothing here was measured)");
    json_write_key(w, "socketsPerNode");
    json_write_int(w, options->sockets);
    json_write_key(w, "coresPerSocket");
    json_write_int(w, options->hwthreads / options->smt / options->sockets);
    json_write_key(w, "threadsPerCore");
    json_write_int(w, options->smt);
    write_peak(w, "flopRateScalar", "F/s", 250);
    write_peak(w, "flopRateSimd", "F/s", 2000);
    write_peak(w, "memoryBandwidth", "B/s", 350);
    write_topology(w, plan);
    json_write_object_end(w);
}

void load_print_cluster(const struct load_plan *plan, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_write_object_begin(&w);
    json_write_key(&w, "name");
    json_write_cstr(&w, plan->options.cluster);
    json_write_key(&w, "simulated"); // ours: the web interface labels the cluster by it
    json_write_bool(&w, true);
    json_write_key(&w, "metricConfig");
    json_write_array_begin(&w);
    for (size_t i = 0; i < plan->metric_count; i++)
        write_metric(&w, &plan->metrics[i], plan->options.interval_s);
    json_write_array_end(&w);
    json_write_key(&w, "subClusters");
    json_write_array_begin(&w);
    write_subcluster(&w, plan);
    json_write_array_end(&w);
    json_write_object_end(&w);
    buf_append_byte(out, '\n');
}
