// SPDX-License-Identifier: MIT
// Source "netstat": counters and rates of chosen network interfaces from /proc/net/dev (spec
// collector.md 4.5). An interface whose counters go backwards (it was set up anew) has no rate at that tick.
#include "base/mem.h"
#include "collector/kept-file.h"
#include "collector/procfs.h"
#include "collector/sources/sources.h"

enum { BYTES_IN, BYTES_OUT, PACKETS_IN, PACKETS_OUT, METRIC_COUNT };

static const struct metric {
    const char *name, *unit, *rate_name, *rate_unit;
} metrics[METRIC_COUNT] = {
    [BYTES_IN] = {"net_bytes_in", "bytes", "net_bytes_in_bw", "bytes/sec"},
    [BYTES_OUT] = {"net_bytes_out", "bytes", "net_bytes_out_bw", "bytes/sec"},
    [PACKETS_IN] = {"net_pkts_in", "packets", "net_pkts_in_bw", "packets/sec"},
    [PACKETS_OUT] = {"net_pkts_out", "packets", "net_pkts_out_bw", "packets/sec"},
};

struct netstat_options {
    struct setting_list include_devices;
    bool send_abs_values, send_derived_values;
    const struct json_value *interface_aliases;
};

struct interface {
    char name[64];
    bool known;
    uint64_t last[METRIC_COUNT];
    struct mono_time last_at;
    series_id absolute[METRIC_COUNT], rate[METRIC_COUNT];
};

struct netstat {
    struct kept_file file;
    struct interface *interfaces; // in the order of the file
    size_t count, cap;
};

static const struct setting netstat_settings[] = {
    {.key = "include_devices",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct netstat_options, include_devices),
     .help = "interfaces to read (canonical names)"},
    {.key = "send_abs_values",
     .type = SETTING_BOOL,
     .offset = offsetof(struct netstat_options, send_abs_values),
     .default_text = "true",
     .help = "counters"},
    {.key = "send_derived_values",
     .type = SETTING_BOOL,
     .offset = offsetof(struct netstat_options, send_derived_values),
     .help = "rates"},
    {.key = "interface_aliases",
     .type = SETTING_RAW,
     .offset = offsetof(struct netstat_options, interface_aliases),
     .help = "object: canonical name -> list of names of the kernel"},
    {0},
};

static int check_aliases(const struct json_value *aliases, struct error *err)
{
    if (json_type(aliases) != JSON_NULL && json_type(aliases) != JSON_OBJECT)
        return error_set(err, ERR_INVALID, "'interface_aliases' must be an object of lists of strings");
    for (size_t i = 0; i < json_count(aliases); i++) {
        struct slice key;
        const struct json_value *list = json_member_at(aliases, i, &key);
        bool good = json_type(list) == JSON_ARRAY;
        for (size_t k = 0; good && k < json_count(list); k++)
            good = json_type(json_at(list, k)) == JSON_STRING;
        if (!good)
            return error_set(err, ERR_INVALID, "'interface_aliases': '%.*s' must be a list of strings",
                             SLICE_FMT(key));
    }
    return 0;
}

static struct slice canonical_name(const struct json_value *aliases, struct slice raw)
{
    for (size_t i = 0; i < json_count(aliases); i++) {
        struct slice key;
        const struct json_value *list = json_member_at(aliases, i, &key);
        for (size_t k = 0; k < json_count(list); k++)
            if (slice_eq(json_string(json_at(list, k)), raw))
                return key;
    }
    return raw;
}

static bool is_wanted(const struct netstat_options *o, struct slice raw)
{
    struct slice name = canonical_name(o->interface_aliases, raw);
    for (size_t i = 0; i < o->include_devices.count; i++)
        if (slice_eq_cstr(name, o->include_devices.items[i]))
            return true;
    return false;
}

static void add_interface(struct netstat *s, const struct netstat_options *o, const struct source_env *env,
                          struct slice name)
{
    ENSURE_CAPACITY(s->interfaces, s->cap, s->count + 1);
    struct interface *n = &s->interfaces[s->count++];
    snprintf(n->name, sizeof(n->name), "%.*s", SLICE_FMT(name));
    const struct source_tag tags[] = {
        {"type", "node"}, {"stype", "network"}, {"stype-id", n->name}, {NULL, NULL}};
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric *m = &metrics[i];
        n->absolute[i] =
            o->send_abs_values ? source_declare(env, m->name, tags, m->unit, LINEPROTO_INT) : SERIES_NONE;
        n->rate[i] = o->send_derived_values
                         ? source_declare(env, m->rate_name, tags, m->rate_unit, LINEPROTO_FLOAT)
                         : SERIES_NONE;
    }
}

static void emit(struct interface *n, const uint64_t *values, const struct reading *reading)
{
    double seconds = (double)mono_diff_ns(reading->mono, n->last_at) / (double)NS_PER_S;
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        batch_add_i64(reading->batch, n->absolute[i], (int64_t)MIN(values[i], (uint64_t)INT64_MAX));
        if (n->known && seconds > 0 && values[i] >= n->last[i])
            batch_add_f64(reading->batch, n->rate[i], (double)(values[i] - n->last[i]) / seconds);
        n->last[i] = values[i];
    }
    n->known = true;
    n->last_at = reading->mono;
}

// Interfaces come in the same order each time: the search begins where the last one was found.
static struct interface *find_interface(struct netstat *s, struct slice name, size_t *hint)
{
    for (size_t i = 0; i < s->count; i++) {
        size_t at = (*hint + i) % s->count;
        if (slice_eq_cstr(name, s->interfaces[at].name)) {
            *hint = at + 1;
            return &s->interfaces[at];
        }
    }
    return NULL;
}

static void netstat_close(void *state)
{
    struct netstat *s = state;
    kept_file_close(&s->file);
    mem_free(s->interfaces);
    mem_free(s);
}

static int find_interfaces(struct netstat *s, const struct netstat_options *o, const struct source_env *env,
                           struct buf *scratch, struct error *err)
{
    int rc = kept_file_open(&s->file, env->root, "/proc/net/dev", err);
    if (rc == 0)
        rc = kept_file_read(&s->file, scratch, err);
    if (rc < 0)
        return rc;
    struct slice rest = buf_slice(scratch);
    struct procfs_netdev device;
    while ((rc = procfs_netdev_next(&rest, &device, err)) != 0)
        if (rc > 0 && is_wanted(o, device.name) && device.name.len < sizeof(s->interfaces->name))
            add_interface(s, o, env, device.name);
    return s->count ? 0 : error_set(err, ERR_NOT_FOUND, "no devices to collect metrics found");
}

static int netstat_init(const void *options, const struct source_env *env, const struct reading *first,
                        void **ret_state, struct error *err)
{
    const struct netstat_options *o = options;
    struct netstat *s = NEW(struct netstat);
    int rc = check_aliases(o->interface_aliases, err);
    if (rc == 0)
        rc = find_interfaces(s, o, env, first->scratch, err);
    if (rc < 0) {
        netstat_close(s);
        return rc;
    }
    *ret_state = s;
    return 0;
}

static int netstat_read(void *state, const struct reading *reading, struct error *err)
{
    struct netstat *s = state;
    int rc = kept_file_read(&s->file, reading->scratch, err);
    if (rc < 0)
        return rc;
    struct slice rest = buf_slice(reading->scratch);
    struct procfs_netdev d;
    size_t hint = 0;
    while ((rc = procfs_netdev_next(&rest, &d, err)) != 0) {
        struct interface *n = rc > 0 ? find_interface(s, d.name, &hint) : NULL;
        if (n)
            emit(n,
                 (const uint64_t[METRIC_COUNT]){[BYTES_IN] = d.bytes_in,
                                                [BYTES_OUT] = d.bytes_out,
                                                [PACKETS_IN] = d.packets_in,
                                                [PACKETS_OUT] = d.packets_out},
                 reading);
    }
    return 0;
}

const struct source_ops source_netstat_ops = {
    .key = "netstat",
    .class_name = "NetstatCollector",
    .group = "Network",
    .settings = netstat_settings,
    .options_size = sizeof(struct netstat_options),
    .init = netstat_init,
    .read = netstat_read,
    .close = netstat_close,
};
