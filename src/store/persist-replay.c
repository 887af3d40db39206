// SPDX-License-Identifier: MIT
// The log into hosts, at the start. A segment defines the numbers that its records use; numbers of another segment may come from
// another process and mean nothing here. Samples of metrics that are no longer configured are left out and counted. Those older than
// the retention go through memory into snapshots, where running jobs and the archive find them.
#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "store/persist-private.h"
#include "store/wal-record.h"

struct replay_series {
    uint32_t member;
    uint16_t group;
    bool known;
};

struct replay_host {
    struct host *host;            // referenced; NULL: not defined
    struct replay_series *series; // by number
    uint32_t count;
};

struct replay {
    struct persist *p;
    uint64_t epoch;
    struct replay_host *hosts; // by number
    uint32_t host_count;
    int64_t oldest; // of the retention
    uint64_t samples, old, unknown;
};

#define HOSTS_MAX (UINT32_C(1) << 22)

static void forget_host(struct replay_host *host)
{
    host_unref(host->host);
    mem_free(host->series);
    *host = (struct replay_host){.host = NULL};
}

static void forget_all(struct replay *r)
{
    for (uint32_t i = 0; i < r->host_count; i++)
        forget_host(&r->hosts[i]);
}

static int define_host(void *ctx, uint32_t number, struct slice cluster, struct slice name, struct error *err)
{
    struct replay *r = ctx;
    if (number >= HOSTS_MAX)
        return error_set(err, ERR_CORRUPT, "host number %u", number);
    if (number >= r->host_count) {
        uint32_t count = MAX(number + 1, r->host_count + r->host_count / 2);
        r->hosts = mem_grow_array(r->hosts, r->host_count, count, sizeof(*r->hosts));
        r->host_count = count;
    }
    struct replay_host *host = &r->hosts[number];
    if (host->host && slice_eq_cstr(name, host->host->name) &&
        slice_eq_cstr(cluster, host->host->cluster->name))
        return 0;
    forget_host(host);
    if (!host_name_is_usable(cluster) ||
        !host_name_is_usable(name)) // they become paths; no batch has such a name
        return 0;
    host->host = store_add_host(r->p->store, cluster, name);
    return 0;
}

static struct replay_host *find_host(struct replay *r, uint32_t number)
{
    return number < r->host_count && r->hosts[number].host ? &r->hosts[number] : NULL;
}

static int define_series(void *ctx, uint32_t number, uint32_t series, struct slice metric_name,
                         const struct slice *path, size_t depth, struct error *err UNUSED)
{
    struct replay *r = ctx;
    struct replay_host *host = find_host(r, number);
    if (!host)
        return 0; // its definition was in a damaged record
    if (series >= host->count) {
        uint32_t count = MAX(series + 1, host->count + host->count / 2);
        host->series = mem_grow_array(host->series, host->count, count, sizeof(*host->series));
        host->count = count;
    }
    struct replay_series *entry = &host->series[series];
    *entry = (struct replay_series){.known = false};
    const struct metric *metric =
        store_find_metric(r->p->store, slice_from_cstr(host->host->cluster->name), metric_name);
    if (!metric)
        return 0;
    for (size_t i = 0; i < depth; i++)
        if (path[i].len > NAME_MAX_BYTES)
            return 0;
    uint32_t level = LEVEL_HOST;
    for (size_t i = 0; i < depth; i++)
        level = host_add_level(host->host, level, intern_add(r->p->store->names, path[i]));
    struct group *group = host_add_group(host->host, metric);
    *entry = (struct replay_series){.member = host_add_member(host->host, group, level),
                                    .group = (uint16_t)(group - host->host->groups),
                                    .known = true};
    return 0;
}

static int take_samples(void *ctx, uint32_t number, uint32_t first, int64_t ts,
                        const struct series_value *values, size_t count, struct error *err UNUSED)
{
    struct replay *r = ctx;
    struct replay_host *replay_host = find_host(r, number);
    if (!persist_is_time(ts)) { // no batch has such a time
        r->unknown += count;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t n = first + (uint32_t)i;
        if (!replay_host || n >= replay_host->count || !replay_host->series[n].known) {
            r->unknown++;
            continue;
        }
        struct host *host = replay_host->host;
        struct group *group = &host->groups[replay_host->series[n].group];
        struct series_env env = host_env(host, group);
        int64_t slot = series_write(&group->members[replay_host->series[n].member], &env, ts, &values[i]);
        host->dirty_from = MIN(host->dirty_from, slot);
        if (host->dirty_epoch == 0)
            host->dirty_epoch = r->epoch;
        r->samples++;
        r->old += ts < r->oldest;
    }
    return 0;
}

static int replay_record(void *ctx, uint64_t epoch, struct slice record, struct error *err)
{
    static const struct wal_decoder_ops ops = {
        .host = define_host, .series = define_series, .samples = take_samples};
    struct replay *r = ctx;
    struct error why = ERROR_INIT;
    if (epoch != r->epoch) {
        forget_all(r);
        r->epoch = epoch;
    }
    // The checksum was right: what cannot be read was written by another version or a bug. The rest is still good.
    if (wal_record_decode(record, &ops, r, &why) < 0)
        persist_report(r->p, LOG_LEVEL_ERROR, "a record of the log cannot be understood and is left out: %s",
                       why.text);
    (void)err;
    return 0;
}

// The retention holds from the start. Without a snapshot, of which is told, the data stay in memory for now.
static void retire_old(struct persist *p, int64_t oldest)
{
    if (store_secure_before(p->store, oldest))
        ignore_result(store_retain(p->store, oldest, NULL, NULL)); // a number for logs
}

// Hosts without a sample leave nothing behind (MS-56).
static void drop_empty(struct persist *p)
{
    size_t count;
    struct host **hosts = store_list_hosts(p->store, (struct slice){.ptr = NULL}, &count);
    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&hosts[i]->lock);
        ignore_result(host_compact(hosts[i], LEVEL_NONE)); // what is empty goes with the next line
        store_account(p->store, hosts[i]);
        pthread_mutex_unlock(&hosts[i]->lock);
    }
    store_release_hosts(hosts, count);
    store_remove_empty(p->store, (struct slice){.ptr = NULL}, true);
}

static void report_damage(struct persist *p)
{
    struct wal_stats log;
    wal_stats(p->wal, &log);
    if (log.damaged_regions)
        persist_report(
            p, LOG_LEVEL_ERROR,
            "the log in '%s' is damaged in %llu places, %llu bytes: what was in them is lost, all else "
            "was read; the files are set aside as <name>.corrupt",
            p->options.directory, (unsigned long long)log.damaged_regions,
            (unsigned long long)log.damaged_bytes);
    if (log.missing_segments)
        persist_report(p, LOG_LEVEL_ERROR, "%llu files are missing in the middle of the log in '%s'",
                       (unsigned long long)log.missing_segments, p->options.directory);
    if (log.torn_bytes)
        persist_report(p, LOG_LEVEL_INFO, "log: %llu bytes of a batch that was not finished were cut off",
                       (unsigned long long)log.torn_bytes);
}

int persist_replay(struct persist *p, struct error *err)
{
    int64_t window_s = p->store->options.retention_s;
    struct replay r = {.p = p, .oldest = window_s > 0 ? p->options.now_s - window_s : INT64_MIN};
    struct mono_time begin = clock_mono();
    int rc = wal_replay(p->wal, replay_record, &r, err);
    forget_all(&r);
    mem_free(r.hosts);
    p->replay_s = (double)mono_diff_ns(clock_mono(), begin) / 1e9;
    persist_count(&p->counters.replayed_samples, r.samples);
    persist_count(&p->counters.unknown_series, r.unknown);
    report_damage(p);
    if (rc == 0 && r.old)
        retire_old(p, r.oldest);
    if (r.samples || r.unknown)
        persist_report(
            p, LOG_LEVEL_INFO,
            "log replayed: samples=%llu older than the retention=%llu of unknown series=%llu seconds=%.2f",
            (unsigned long long)r.samples, (unsigned long long)r.old, (unsigned long long)r.unknown,
            p->replay_s);
    if (r.unknown)
        persist_report(p, LOG_LEVEL_WARN,
                       "log: %llu samples belong to metrics that are not configured or to damaged records",
                       (unsigned long long)r.unknown);
    drop_empty(p);
    return rc;
}
