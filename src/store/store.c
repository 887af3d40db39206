// SPDX-License-Identifier: MIT
#include "store/store.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "store/store-private.h"

#define METRICS_MAX         60000 // a host numbers its groups with 16 bits
#define FREQUENCY_MAX_S     (INT64_C(366) * 86400)
#define FUTURE_TOLERANCE_S  600
#define FUTURE_INTERVALS    5
#define RESAMPLE_MINIMUM    1000
#define QUERY_MAX_POINTS    ((size_t)4 << 20)
#define LINE_MAX_BYTES      ((size_t)64 << 10)
#define IDLE_SEAL_INTERVALS 16 // an open part without a sample for so many intervals is sealed

// ---- metrics ----------------------------------------------------------------------------------------------

static int compare_metrics(const void *a, const void *b)
{
    const struct metric *x = a, *y = b;
    int order = slice_cmp(x->name, y->name);
    if (order)
        return order;
    if (!x->cluster.ptr || !y->cluster.ptr)
        return (x->cluster.ptr == NULL) - (y->cluster.ptr == NULL);
    return slice_cmp(x->cluster, y->cluster);
}

static int check_metric(const struct store_metric *metric, struct error *err)
{
    if (!metric->name || !*metric->name)
        return error_set(err, ERR_INVALID, "metric without a name");
    if (metric->frequency_s <= 0 || metric->frequency_s > FREQUENCY_MAX_S)
        return error_set(err, ERR_INVALID, "metric '%s': invalid frequency %lld", metric->name,
                         (long long)metric->frequency_s);
    return 0;
}

static struct slice copy_text(const char *text)
{
    return text ? slice_from_cstr(mem_strdup(text)) : (struct slice){.ptr = NULL};
}

static int add_metrics(struct store *store, const struct store_options *options, struct error *err)
{
    if (options->metric_count > METRICS_MAX)
        return error_set(err, ERR_LIMIT, "%zu metrics, at most %d", options->metric_count, METRICS_MAX);
    store->metrics = NEW_ARRAY(struct metric, options->metric_count + 1);
    for (size_t i = 0; i < options->metric_count; i++) {
        const struct store_metric *from = &options->metrics[i];
        int rc = check_metric(from, err);
        if (rc)
            return rc;
        store->metrics[store->metric_count++] = (struct metric){.name = copy_text(from->name),
                                                                .cluster = copy_text(from->cluster),
                                                                .frequency_s = from->frequency_s,
                                                                .aggregation = from->aggregation};
    }
    qsort(store->metrics, store->metric_count, sizeof(*store->metrics), compare_metrics);
    for (size_t i = 0; i < store->metric_count; i++) {
        struct metric *m = &store->metrics[i];
        if (i > 0 && compare_metrics(m - 1, m) == 0)
            return error_set(err, ERR_EXISTS, "metric '%.*s' is there twice", SLICE_FMT(m->name));
        if (!hashmap_has(store->metric_names, m->name))
            hashmap_put(store->metric_names, m->name, m);
    }
    return 0;
}

const struct metric *store_find_metric(const struct store *store, struct slice cluster, struct slice name)
{
    const struct metric *m = hashmap_get(store->metric_names, name);
    const struct metric *end = store->metrics + store->metric_count;
    for (; m && m < end && slice_eq(m->name, name); m++) {
        if (!m->cluster.ptr || slice_eq(m->cluster, cluster))
            return m;
    }
    return NULL;
}

bool store_has_metric(const struct store *store, struct slice metric)
{
    return hashmap_has(store->metric_names, metric);
}

// ---- life -------------------------------------------------------------------------------------------------

static void fill_defaults(struct store_options *o)
{
    o->metrics = NULL;
    if (o->resample_minimum_points == 0)
        o->resample_minimum_points = RESAMPLE_MINIMUM;
    if (o->query_max_points == 0)
        o->query_max_points = QUERY_MAX_POINTS;
    if (o->max_line_bytes == 0)
        o->max_line_bytes = LINE_MAX_BYTES;
}

static uint64_t random_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
        seed = (uint64_t)clock_mono().ns; // early boot: hard enough to guess
    return seed;
}

int store_new(const struct store_options *options, struct store **ret_store, struct error *err)
{
    struct store *store = NEW(struct store);
    store->options = *options;
    fill_defaults(&store->options);
    store->window_s = MAX(options->retention_s, INT64_C(0));
    store->seed = random_seed();
    store->metric_names = hashmap_new();
    store->names = intern_new();
    store->clusters = hashmap_new();
    pthread_rwlock_init(&store->tree_lock, NULL);
    cap_init(store);
    int rc = add_metrics(store, options, err);
    if (rc)
        store_free(&store);
    else
        *ret_store = store;
    return rc;
}

static void cluster_free(struct cluster *cluster)
{
    void *host;
    for (size_t i = 0; hashmap_next(cluster->hosts, &i, NULL, &host);)
        host_unref(host);
    hashmap_free(&cluster->hosts);
    mem_free(cluster->name);
    mem_free(cluster);
}

void store_free(struct store **store_ptr)
{
    struct store *store = *store_ptr;
    void *cluster;
    if (!store)
        return;
    for (size_t i = 0; hashmap_next(store->clusters, &i, NULL, &cluster);)
        cluster_free(cluster);
    for (size_t i = 0; i < store->metric_count; i++) {
        mem_free((char *)store->metrics[i].name.ptr);
        mem_free((char *)store->metrics[i].cluster.ptr);
    }
    mem_free(store->metrics);
    hashmap_free(&store->metric_names);
    hashmap_free(&store->clusters);
    intern_free(&store->names);
    pthread_rwlock_destroy(&store->tree_lock);
    cap_release(store);
    mem_free(store);
    *store_ptr = NULL;
}

struct time_bounds store_time_bounds(const struct store *store, int64_t now_s, int64_t frequency_s)
{
    const struct store_options *o = &store->options;
    int64_t tolerance = o->future_tolerance_s > 0
                            ? o->future_tolerance_s
                            : MAX((int64_t)FUTURE_TOLERANCE_S, FUTURE_INTERVALS * frequency_s);
    return (struct time_bounds){.min = o->retention_s > 0 ? now_s - o->retention_s : INT64_MIN,
                                .max = now_s + tolerance};
}

// ---- tree -------------------------------------------------------------------------------------------------

static struct cluster *find_cluster(const struct store *store, struct slice name)
{
    struct cluster *cluster = hashmap_get(store->clusters, name);
    return cluster && cluster->exists ? cluster : NULL;
}

struct host *store_find_host(struct store *store, struct slice cluster_name, struct slice name)
{
    pthread_rwlock_rdlock(&store->tree_lock);
    struct cluster *cluster = find_cluster(store, cluster_name);
    struct host *host = cluster ? hashmap_get(cluster->hosts, name) : NULL;
    if (host)
        host_ref(host);
    pthread_rwlock_unlock(&store->tree_lock);
    return host;
}

static struct cluster *add_cluster(struct store *store, struct slice name)
{
    struct cluster *cluster = hashmap_get(store->clusters, name);
    if (!cluster) {
        cluster = NEW(struct cluster);
        cluster->name = mem_strndup(name.ptr, name.len);
        cluster->hosts = hashmap_new();
        hashmap_put(store->clusters, name, cluster);
    }
    cluster->exists = true;
    return cluster;
}

struct host *store_add_host(struct store *store, struct slice cluster_name, struct slice name)
{
    struct host *host = store_find_host(store, cluster_name, name);
    if (host)
        return host;
    pthread_rwlock_wrlock(&store->tree_lock);
    struct cluster *cluster = add_cluster(store, cluster_name);
    host = hashmap_get(cluster->hosts, name);
    if (!host) {
        host = host_new(cluster, name);
        hashmap_put(cluster->hosts, name, host);
        store_account(store, host); // nobody else knows it yet
    }
    host_ref(host);
    pthread_rwlock_unlock(&store->tree_lock);
    return host;
}

static int compare_hosts(const void *a, const void *b)
{
    const struct host *x = *(struct host *const *)a, *y = *(struct host *const *)b;
    int order = x->cluster == y->cluster ? 0 : strcmp(x->cluster->name, y->cluster->name);
    return order ? order : strcmp(x->name, y->name);
}

struct host **store_list_hosts(struct store *store, struct slice cluster_name, size_t *ret_count)
{
    struct host **hosts = NULL;
    size_t count = 0, cap = 0;
    void *item, *host;
    pthread_rwlock_rdlock(&store->tree_lock);
    for (size_t i = 0; hashmap_next(store->clusters, &i, NULL, &item);) {
        const struct cluster *cluster = item;
        if (cluster_name.ptr && !slice_eq_cstr(cluster_name, cluster->name))
            continue;
        for (size_t k = 0; hashmap_next(cluster->hosts, &k, NULL, &host);) {
            ENSURE_CAPACITY(hosts, cap, count + 1);
            hosts[count++] = host_ref(host);
        }
    }
    pthread_rwlock_unlock(&store->tree_lock);
    if (count)
        qsort(hosts, count, sizeof(*hosts), compare_hosts);
    *ret_count = count;
    return hosts;
}

void store_release_hosts(struct host **hosts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        host_unref(hosts[i]);
    mem_free(hosts);
}

void store_hosts(struct store *store, struct slice cluster, struct arena *arena, struct slice **ret_hosts,
                 size_t *ret_count)
{
    size_t count;
    struct slice name = cluster.ptr ? cluster : SLICE_EMPTY;
    struct host **hosts = store_list_hosts(store, name, &count);
    *ret_hosts = ARENA_ARRAY(arena, struct slice, count);
    for (size_t i = 0; i < count; i++)
        (*ret_hosts)[i] = arena_copy(arena, slice_from_cstr(hosts[i]->name));
    store_release_hosts(hosts, count);
    *ret_count = count;
}

// True when the host holds no series, no component and no unread files; it is marked so that writers who found it look again.
static bool retire_host(struct store *store, struct host *host)
{
    if (pthread_mutex_trylock(&host->files.lock) != 0) // its files are being read or written
        return false;
    pthread_mutex_lock(&host->lock);
    bool empty = host->group_count == 0 && !host->files.unloaded;
    for (uint32_t i = 1; i < host->level_count; i++)
        empty = empty && !host->levels[i].exists;
    host->removed = empty;
    store_account(store, host);
    pthread_mutex_unlock(&host->lock);
    pthread_mutex_unlock(&host->files.lock);
    return empty;
}

static void remove_empty_hosts(struct store *store, struct cluster *cluster)
{
    struct slice name;
    void *host;
    struct hashmap *left = hashmap_new();
    for (size_t i = 0; hashmap_next(cluster->hosts, &i, &name, &host);) {
        if (retire_host(store, host))
            host_unref(host);
        else
            hashmap_put(left, name, host);
    }
    hashmap_free(&cluster->hosts);
    cluster->hosts = left;
}

void store_remove_empty(struct store *store, struct slice cluster_name, bool clusters)
{
    void *item;
    pthread_rwlock_wrlock(&store->tree_lock);
    for (size_t i = 0; hashmap_next(store->clusters, &i, NULL, &item);) {
        struct cluster *cluster = item;
        if (cluster_name.ptr && !slice_eq_cstr(cluster_name, cluster->name))
            continue;
        remove_empty_hosts(store, cluster);
        if (clusters && hashmap_count(cluster->hosts) == 0)
            cluster->exists = false;
    }
    pthread_rwlock_unlock(&store->tree_lock);
}

// ---- about itself -----------------------------------------------------------------------------------------

static void add_host_stats(struct host *host, struct store_stats *stats)
{
    pthread_mutex_lock(&host->lock);
    for (size_t g = 0; g < host->group_count; g++)
        stats->series += host->groups[g].count;
    stats->open_chunks += host->memory.open_chunks;
    stats->sealed_chunks += host->memory.sealed_chunks;
    stats->bytes_open += host->memory.open_bytes;
    stats->bytes_sealed += host->memory.sealed_bytes;
    stats->bytes_index += host_index_bytes(host);
    pthread_mutex_unlock(&host->lock);
}

void store_stats(const struct store *store, struct store_stats *ret)
{
    const struct store_counters *c = &store->counters;
    size_t count;
    struct host **hosts = store_list_hosts((struct store *)store, (struct slice){.ptr = NULL}, &count);
    *ret = (struct store_stats){.samples_stored = c->stored,
                                .lines_skipped = c->skipped,
                                .lines_rejected_syntax = c->rejected_syntax,
                                .lines_rejected_name = c->rejected_name,
                                .lines_rejected_old = c->rejected_old,
                                .lines_rejected_future = c->rejected_future,
                                .batches = c->batches,
                                .freed_chunks = c->freed,
                                .queries = c->queries,
                                .hosts = count,
                                .bytes_index = intern_memory_bytes(store->names)};
    for (size_t i = 0; i < count; i++)
        add_host_stats(hosts[i], ret);
    store_release_hosts(hosts, count);
}

static void maintain_host(struct store *store, struct host *host, int64_t now_s)
{
    pthread_mutex_lock(&host->lock);
    for (size_t g = 0; g < host->group_count; g++) {
        struct series_env env = host_env(host, &host->groups[g]);
        for (size_t m = 0; m < host->groups[g].count; m++)
            series_seal_idle(&host->groups[g].members[m], &env,
                             now_s - IDLE_SEAL_INTERVALS * env.frequency_s);
    }
    store_account(store, host);
    pthread_mutex_unlock(&host->lock);
}

void store_maintain(struct store *store, int64_t now_s)
{
    size_t count;
    struct host **hosts = store_list_hosts(store, (struct slice){.ptr = NULL}, &count);
    for (size_t i = 0; i < count; i++)
        maintain_host(store, hosts[i], now_s);
    store_release_hosts(hosts, count);
    malloc_trim(0);
}
