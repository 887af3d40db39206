// SPDX-License-Identifier: MIT
#include "store/store-private.h"

// Newest time of the first series of the group that has data; 0: none.
static int64_t newest_of(const struct group *group)
{
    int64_t step = group->metric->frequency_s;
    struct segment newest;
    for (uint32_t i = 0; i < group->count; i++) {
        if (series_newest_segment(&group->members[i], &newest) && newest.len > 0)
            return newest.start + step / 2 + (int64_t)(newest.len - 1) * step;
    }
    return 0;
}

bool store_last_sample(struct store *store, struct slice cluster, struct slice host_name, int64_t *ret_ts)
{
    struct host *host = store_find_host(store, cluster, host_name);
    int64_t last = 0;
    if (!host)
        return false;
    store_need_host(store, host);
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->group_count; i++)
        last = MAX(last, newest_of(&host->groups[i]));
    pthread_mutex_unlock(&host->lock);
    host_unref(host);
    if (last)
        *ret_ts = last;
    return last != 0;
}
