// SPDX-License-Identifier: MIT
#include "tools/describe.h"

#include <math.h>

#include "codec/json-writer.h"
#include "codec/json.h"
#include "model/hostlist.h"
#include "model/scope.h"

#define LINE_BYTES 240

// What the peak of a metric is: the thresholds are shares of it.
enum peak {
    PEAK_NONE,
    PEAK_PERCENT,
    PEAK_CPU_PERCENT,
    PEAK_THREADS,
    PEAK_MEMORY,
    PEAK_SWAP,
    PEAK_NETWORK,
    PEAK_CLOCK
};

struct metric {
    const char *name, *base, *prefix;
    enum scope scope;
    enum aggregation aggregation;
    enum peak peak;
    double normal, caution, alert; // shares of the peak
    bool lower_is_better;
    const char *footprint; // or NULL
};

#define NODE     SCOPE_NODE
#define HWTHREAD SCOPE_HWTHREAD
#define SUM      AGGREGATION_SUM
#define AVG      AGGREGATION_AVG

// Names, units and scopes are those of the collector (spec collector.md 4.2-4.10). Where neither high nor low
// is good or bad, the thresholds are 0. The cpu_ metrics of a node are the sum over its hardware threads (up to
// 100 % each), because that is what the collector sends for the node.
static const struct metric metrics[] = {
    {"load_one", "load", "", NODE, AVG, PEAK_THREADS, 1, 0.5, 0.25, false, "avg"},
    {"load_five", "load", "", NODE, AVG, PEAK_THREADS, 1, 0.5, 0.25, false, NULL},
    {"load_fifteen", "load", "", NODE, AVG, PEAK_THREADS, 1, 0.5, 0.25, false, NULL},
    {"proc_run", "", "", NODE, AVG, PEAK_THREADS, 1, 0, 0, false, NULL},
    {"proc_total", "", "", NODE, AVG, PEAK_NONE, 0, 0, 0, false, NULL},
    {"cpu_user", "%", "", HWTHREAD, SUM, PEAK_CPU_PERCENT, 0.8, 0.5, 0.2, false, "avg"},
    {"cpu_nice", "%", "", HWTHREAD, SUM, PEAK_CPU_PERCENT, 1, 0, 0, false, NULL},
    {"cpu_system", "%", "", HWTHREAD, SUM, PEAK_CPU_PERCENT, 0.2, 0.4, 0.6, true, NULL},
    {"cpu_idle", "%", "", HWTHREAD, SUM, PEAK_CPU_PERCENT, 1, 0, 0, false, NULL},
    {"cpu_iowait", "%", "", HWTHREAD, SUM, PEAK_CPU_PERCENT, 0.1, 0.3, 0.5, true, NULL},
    {"cpu_irq", "%", "", HWTHREAD, SUM, PEAK_CPU_PERCENT, 0.05, 0.1, 0.2, true, NULL},
    {"cpu_softirq", "%", "", HWTHREAD, SUM, PEAK_CPU_PERCENT, 0.05, 0.1, 0.2, true, NULL},
    {"cpu_steal", "%", "", HWTHREAD, SUM, PEAK_CPU_PERCENT, 0.05, 0.1, 0.2, true, NULL},
    {"cpu_used", "%", "", HWTHREAD, SUM, PEAK_CPU_PERCENT, 0.8, 0.5, 0.2, false, NULL},
    {"num_cpus", "", "", NODE, AVG, PEAK_THREADS, 1, 0, 0, false, NULL},
    {"mem_used", "B", "K", NODE, SUM, PEAK_MEMORY, 0.5, 0.9, 0.95, true, "max"},
    {"mem_total", "B", "K", NODE, SUM, PEAK_MEMORY, 1, 0, 0, false, NULL},
    {"mem_free", "B", "K", NODE, SUM, PEAK_MEMORY, 1, 0, 0, false, NULL},
    {"mem_available", "B", "K", NODE, SUM, PEAK_MEMORY, 1, 0, 0, false, NULL},
    {"mem_buffers", "B", "K", NODE, SUM, PEAK_MEMORY, 1, 0, 0, false, NULL},
    {"mem_cached", "B", "K", NODE, SUM, PEAK_MEMORY, 1, 0, 0, false, NULL},
    {"mem_shared", "B", "K", NODE, SUM, PEAK_MEMORY, 1, 0, 0, false, NULL},
    {"swap_total", "B", "K", NODE, SUM, PEAK_SWAP, 1, 0, 0, false, NULL},
    {"swap_free", "B", "K", NODE, SUM, PEAK_SWAP, 1, 0, 0, false, NULL},
    {"net_bytes_in_bw", "B/s", "", NODE, SUM, PEAK_NETWORK, 1, 0, 0, false, NULL},
    {"net_bytes_out_bw", "B/s", "", NODE, SUM, PEAK_NETWORK, 1, 0, 0, false, NULL},
    {"net_pkts_in_bw", "packets/s", "", NODE, SUM, PEAK_NONE, 0, 0, 0, false, NULL},
    {"net_pkts_out_bw", "packets/s", "", NODE, SUM, PEAK_NONE, 0, 0, 0, false, NULL},
    {"disk_total", "B", "G", NODE, SUM, PEAK_NONE, 0, 0, 0, false, NULL},
    {"disk_free", "B", "G", NODE, SUM, PEAK_NONE, 0, 0, 0, false, NULL},
    {"part_max_used", "%", "", NODE, AVG, PEAK_PERCENT, 0.8, 0.9, 0.95, true, NULL},
    {"io_reads", "", "", NODE, SUM, PEAK_NONE, 0, 0, 0, false, NULL},
    {"io_read_sectors", "", "", NODE, SUM, PEAK_NONE, 0, 0, 0, false, NULL},
    {"io_read_ms", "", "", NODE, SUM, PEAK_NONE, 0, 0, 0, false, NULL},
    {"io_writes", "", "", NODE, SUM, PEAK_NONE, 0, 0, 0, false, NULL},
    {"io_writes_sectors", "", "", NODE, SUM, PEAK_NONE, 0, 0, 0, false, NULL},
    {"io_writes_ms", "", "", NODE, SUM, PEAK_NONE, 0, 0, 0, false, NULL},
    {"io_ioops_ms", "", "", NODE, SUM, PEAK_NONE, 0, 0, 0, false, NULL},
    {"cpufreq", "Hz", "K", HWTHREAD, AVG, PEAK_CLOCK, 1, 0, 0, false, NULL},
};

static double peak_of(enum peak peak, const struct machine *m)
{
    switch (peak) {
    case PEAK_PERCENT:
        return 100;
    case PEAK_CPU_PERCENT:
        return 100 * (double)m->topology.count;
    case PEAK_THREADS:
        return (double)m->topology.count;
    case PEAK_MEMORY:
        return (double)m->memory_kib;
    case PEAK_SWAP:
        return (double)m->swap_kib;
    case PEAK_NETWORK:
        return (double)m->network_bytes_per_s;
    case PEAK_CLOCK:
        return m->clock_mhz * 1000;
    case PEAK_NONE:
        break;
    }
    return 0;
}

static void write_text(struct json_writer *w, const char *key, const char *text)
{
    json_write_key(w, key);
    json_write_cstr(w, text);
}

static void write_number(struct json_writer *w, const char *key, double number)
{
    json_write_key(w, key);
    json_write_double(w, number);
}

static void write_unit(struct json_writer *w, const char *base, const char *prefix)
{
    json_write_key(w, "unit");
    json_write_object_begin(w);
    write_text(w, "base", base);
    if (*prefix)
        write_text(w, "prefix", prefix);
    json_write_object_end(w);
}

// ---- metrics ----------------------------------------------------------------------------------------------

// Two decimals, or none where they would be noise.
static double tidy(double number)
{
    return number >= 1000 ? round(number) : round(number * 100) / 100;
}

static void write_metric(struct json_writer *w, const struct metric *metric, double peak, int64_t timestep_s)
{
    json_write_object_begin(w);
    write_text(w, "name", metric->name);
    write_unit(w, metric->base, metric->prefix);
    write_text(w, "scope", scope_name(metric->scope));
    write_text(w, "aggregation", aggregation_name(metric->aggregation));
    json_write_key(w, "timestep");
    json_write_int(w, timestep_s);
    write_number(w, "peak", peak);
    write_number(w, "normal", tidy(peak * metric->normal));
    write_number(w, "caution", tidy(peak * metric->caution));
    write_number(w, "alert", tidy(peak * metric->alert));
    if (metric->footprint)
        write_text(w, "footprint", metric->footprint);
    if (metric->lower_is_better) {
        json_write_key(w, "lowerIsBetter");
        json_write_bool(w, true);
    }
    json_write_object_end(w);
}

// Limits the sensor does not tell are those at which common processors and disks begin to throttle.
static void write_sensor(struct json_writer *w, const struct machine_sensor *sensor, int64_t timestep_s)
{
    double critical = sensor->critical_c > 0 ? (double)sensor->critical_c : 100;
    double high =
        sensor->max_c > 0 && (double)sensor->max_c < critical ? (double)sensor->max_c : 0.85 * critical;
    struct metric metric = {.name = sensor->metric,
                            .base = "°C",
                            .prefix = "",
                            .scope = NODE,
                            .aggregation = AVG,
                            .normal = 0.75 * high / critical,
                            .caution = high / critical,
                            .alert = 0.5 * (high / critical + 1),
                            .lower_is_better = true};

    write_metric(w, &metric, critical, timestep_s);
}

static void write_metrics(struct json_writer *w, const struct machine *m, int64_t timestep_s)
{
    json_write_key(w, "metricConfig");
    json_write_array_begin(w);
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
        if (metrics[i].peak != PEAK_CLOCK || m->has_cpufreq)
            write_metric(w, &metrics[i], peak_of(metrics[i].peak, m), timestep_s);
    for (size_t i = 0; i < m->sensor_count; i++)
        write_sensor(w, &m->sensors[i], timestep_s);
    json_write_array_end(w);
}

// ---- topology ---------------------------------------------------------------------------------------------

// What a thread belongs to in one of the lists of the topology; unique in the whole machine.
typedef int64_t group_function(const struct hwthread *thread);

static int64_t socket_of(const struct hwthread *thread)
{
    return thread->socket;
}

static int64_t memory_domain_of(const struct hwthread *thread)
{
    return thread->memory_domain;
}

static int64_t die_of(const struct hwthread *thread)
{
    return (int64_t)thread->socket << 32 | thread->die;
}

static int64_t core_of(const struct hwthread *thread)
{
    return thread->core_first;
}

static void write_threads(struct json_writer *w, const struct hwtopology *t, group_function *group_of,
                          int64_t group)
{
    json_write_array_begin(w);
    for (size_t i = 0; i < t->count; i++)
        if (!group_of || group_of(&t->threads[i]) == group)
            json_write_int(w, t->threads[i].id);
    json_write_array_end(w);
}

// Groups in the order of their lowest threads.
static void write_groups(struct json_writer *w, const char *key, const struct hwtopology *t,
                         group_function *group_of)
{
    json_write_key(w, key);
    json_write_array_begin(w);
    for (size_t i = 0; i < t->count; i++) {
        int64_t group = group_of(&t->threads[i]);
        bool first = true;

        for (size_t k = 0; first && k < i; k++)
            first = group_of(&t->threads[k]) != group;
        if (first)
            write_threads(w, t, group_of, group);
    }
    json_write_array_end(w);
}

static void write_topology(struct json_writer *w, const struct hwtopology *t)
{
    json_write_key(w, "topology");
    json_write_object_begin(w);
    json_write_key(w, "node");
    write_threads(w, t, NULL, 0);
    write_groups(w, "socket", t, socket_of);
    write_groups(w, "memoryDomain", t, memory_domain_of);
    if (t->die_count != t->socket_count)
        write_groups(w, "die", t, die_of);
    write_groups(w, "core", t, core_of);
    json_write_object_end(w);
}

// ---- sub-cluster ------------------------------------------------------------------------------------------

static void write_rate(struct json_writer *w, const char *key, const char *base, double giga)
{
    json_write_key(w, key);
    json_write_object_begin(w);
    write_unit(w, base, "G");
    write_number(w, "value", round(giga * 10) / 10); // more digits would be a pretence
    json_write_object_end(w);
}

// A host name that the grammar of node lists cannot express gets the list that any host is in.
static const char *node_list(const char *host)
{
    struct hostlist *list = NULL;
    int rc = hostlist_parse(slice_from_cstr(host), &list, NULL);
    bool same = rc == 0 && hostlist_contains(list, slice_from_cstr(host));

    hostlist_free(&list);
    return same ? host : "*";
}

static void write_subcluster(struct json_writer *w, const struct machine *m, const char *host)
{
    const struct hwtopology *t = &m->topology;
    double core_ghz = (double)t->core_count * m->clock_mhz / 1000;

    json_write_object_begin(w);
    write_text(w, "name", "main");
    write_text(w, "nodes", node_list(host));
    write_text(w, "processorType", *m->processor ? m->processor : "unknown processor");
    write_number(w, "socketsPerNode", (double)t->socket_count);
    write_number(w, "coresPerSocket", (double)((t->core_count + t->socket_count - 1) / t->socket_count));
    write_number(w, "threadsPerCore", (double)t->smt_width);
    write_rate(w, "flopRateScalar", "F/s", core_ghz * 4); // two units for multiply and add
    write_rate(w, "flopRateSimd", "F/s", core_ghz * m->flops_per_cycle);
    // A socket of the last ten years reaches 50 to 300 GB/s; nothing in /sys tells which.
    write_rate(w, "memoryBandwidth", "B/s", (double)MAX(1, t->socket_count) * 100);
    write_topology(w, t);
    json_write_object_end(w);
}

static void write_document(const struct machine *m, const struct describe_options *options, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_write_object_begin(&w);
    write_text(&w, "name", options->cluster);
    write_metrics(&w, m, options->timestep_s);
    json_write_key(&w, "subClusters");
    json_write_array_begin(&w);
    write_subcluster(&w, m, options->host);
    json_write_array_end(&w);
    json_write_object_end(&w);
}

// ---- layout -----------------------------------------------------------------------------------------------

static bool is_container(const struct json_value *v)
{
    return json_type(v) == JSON_OBJECT || json_type(v) == JSON_ARRAY;
}

static void new_line(struct buf *out, int depth)
{
    buf_append_byte(out, '\n');
    buf_append_fill(out, ' ', (size_t)depth * 2);
}

// Containers that fit into a line, and lists of plain values, stay on one line.
static void append_laid_out(const struct json_value *v, int depth, struct buf *out)
{
    struct slice source = json_source(v);
    bool object = json_type(v) == JSON_OBJECT;

    if (!is_container(v) || source.len <= LINE_BYTES || (!object && !is_container(json_at(v, 0)))) {
        buf_append_slice(out, source);
        return;
    }
    buf_append_byte(out, object ? '{' : '[');
    for (size_t i = 0; i < json_count(v); i++) {
        struct slice key = SLICE_EMPTY;
        const struct json_value *item = object ? json_member_at(v, i, &key) : json_at(v, i);

        if (i > 0)
            buf_append_byte(out, ',');
        new_line(out, depth + 1);
        if (object) {
            json_append_quoted(out, key);
            buf_append_cstr(out, ": ");
        }
        append_laid_out(item, depth + 1, out);
    }
    new_line(out, depth);
    buf_append_byte(out, object ? '}' : ']');
}

void describe_machine(const struct machine *machine, const struct describe_options *options, struct buf *out)
{
    struct json_doc *doc = NULL;
    struct buf compact;

    buf_init(&compact, BUF_MAX_DEFAULT);
    write_document(machine, options, &compact);
    int rc = json_parse(buf_slice(&compact), &doc, NULL);
    ASSERT(rc == 0);
    append_laid_out(json_root(doc), 0, out);
    buf_append_byte(out, '\n');
    json_doc_free(&doc);
    buf_release(&compact);
}
