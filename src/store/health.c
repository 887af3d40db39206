// SPDX-License-Identifier: MIT
// Health of a node: are the expected metrics there and fresh (metric-store.md 4.10)?
#include "base/macros.h"
#include "store/store-private.h"

#define STALE_INTERVALS 5

static bool is_fresh(const struct series *series, int64_t frequency_s, int64_t now_s)
{
    struct segment newest;
    if (!series_newest_segment(series, &newest))
        return false;
    return now_s - (newest.start + (int64_t)newest.len * frequency_s) <= STALE_INTERVALS * frequency_s;
}

static enum store_metric_health check_group(const struct group *group, int64_t now_s)
{
    enum store_metric_health health = STORE_METRIC_MISSING;
    for (size_t m = 0; group && m < group->count; m++) {
        struct segment newest;
        if (!series_newest_segment(&group->members[m], &newest) || newest.len == 0)
            continue;
        if (!is_fresh(&group->members[m], group->metric->frequency_s, now_s))
            return STORE_METRIC_DEGRADED;
        health = STORE_METRIC_HEALTHY;
    }
    return health;
}

static enum store_health summarize(const enum store_metric_health *metrics, size_t count)
{
    size_t healthy = 0;
    for (size_t i = 0; i < count; i++)
        healthy += metrics[i] == STORE_METRIC_HEALTHY;
    if (healthy == count)
        return STORE_HEALTH_FULL;
    return healthy ? STORE_HEALTH_PARTIAL : STORE_HEALTH_FAILED;
}

enum store_health store_health_check(struct store *store, struct slice cluster, struct slice host_name,
                                     const struct slice *metrics, size_t metric_count, int64_t now_s,
                                     enum store_metric_health *ret_metrics, bool *ret_known)
{
    struct host *host = store_find_host(store, cluster, host_name);
    *ret_known = host != NULL;
    for (size_t i = 0; i < metric_count; i++)
        ret_metrics[i] = STORE_METRIC_MISSING;
    if (!host)
        return STORE_HEALTH_FAILED;
    store_need_host(store, host);
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < metric_count; i++) {
        const struct metric *metric = store_find_metric(store, cluster, metrics[i]);
        if (metric)
            ret_metrics[i] = check_group(host_find_group(host, metric), now_s);
    }
    pthread_mutex_unlock(&host->lock);
    host_unref(host);
    return summarize(ret_metrics, metric_count);
}
