// SPDX-License-Identifier: MIT
// What the fuzzers of checkpoint directories share: a scratch directory, a store on it, and what it holds as one list of values.
//
//     fuzz_scratch(path);                       empty, in memory where that is possible
//     fuzz_write_file(path, "c/h/1.bin", bytes);
//     struct fuzz_store x = fuzz_open(path, 0);
//     struct fuzz_values values = fuzz_collect(x.store);
//     fuzz_close(&x); fuzz_remove(path);
#ifndef STORE_FUZZ_PERSIST_H
#define STORE_FUZZ_PERSIST_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/persist-private.h"

#define FUZZ_NOW       INT64_C(1700003600)
#define FUZZ_PATH_SIZE 96

static int fuzz_no_sync(void *ctx, int fd)
{
    (void)ctx, (void)fd;
    return 0;
}

static int fuzz_no_sync_dir(void *ctx, const char *path)
{
    (void)ctx, (void)path;
    return 0;
}

static int64_t fuzz_now_s(void)
{
    return FUZZ_NOW;
}

// ---- files ------------------------------------------------------------------------------------------------

static inline void fuzz_remove(const char *path)
{
    if (file_exists(path))
        ASSERT(file_remove_tree(path, NULL) == 0);
}

// One path a process: a crash leaves it behind for a look.
static inline void fuzz_scratch(char path[FUZZ_PATH_SIZE])
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    ignore_result(snprintf(path, FUZZ_PATH_SIZE, "%s/cc-fuzz-%ld", parent, (long)getpid()) < 0);
    fuzz_remove(path);
    ASSERT(io_make_dirs(&io_system, path, 0755, NULL) == 0);
}

static inline void fuzz_write_file(const char *directory, const char *name, struct slice bytes)
{
    char *path = file_join(directory, name);
    FILE *file = fopen(path, "wbe");
    ASSERT(file && fwrite(bytes.ptr, 1, bytes.len, file) == bytes.len && fclose(file) == 0);
    mem_free(path);
}

static inline void fuzz_make_directory(const char *directory, const char *name)
{
    char *path = file_join(directory, name);
    ASSERT(io_make_dirs(&io_system, path, 0755, NULL) == 0);
    mem_free(path);
}

// ---- a store ----------------------------------------------------------------------------------------------

struct fuzz_store {
    struct store *store;
    struct persist *persist; // NULL: the directory was refused
};

static inline struct fuzz_store fuzz_open(const char *directory, int64_t retention_s,
                                          enum checkpoint_format format)
{
    static const struct store_metric metrics[] = {
        {.name = "m", .frequency_s = 60, .aggregation = AGGREGATION_SUM},
        {.name = "n", .frequency_s = 1, .aggregation = AGGREGATION_AVG},
        {.name = "cpu_load", .frequency_s = 60},
        {.name = "mem_bw", .frequency_s = 10}};
    struct io_ops ops = *io_system.ops;
    ops.fdatasync = ops.fsync = fuzz_no_sync;
    ops.fsync_dir = fuzz_no_sync_dir;
    struct io_ops *kept = NEW(struct io_ops);
    struct io *io = NEW(struct io);
    *kept = ops;
    *io = (struct io){.ops = kept};
    struct store_options options = {
        .metrics = metrics, .metric_count = ARRAY_LEN(metrics), .retention_s = retention_s};
    struct persist_options persist = {.directory = directory,
                                      .format = format,
                                      .checkpoint_interval_s = 3600,
                                      .workers = 1,
                                      .now_s = FUZZ_NOW,
                                      .clock_s = fuzz_now_s,
                                      .io = io};
    struct fuzz_store x = {.store = NULL};
    struct error err = ERROR_INIT;
    ASSERT(store_new(&options, &x.store, &err) == 0);
    if (persist_open(x.store, &persist, &x.persist, &err) < 0) {
        ASSERT(err.text[0]);
        mem_free(kept);
        mem_free(io);
    }
    return x;
}

// Ends as a kill does: what is not in a snapshot stays in the log.
static inline void fuzz_crash(struct fuzz_store *x)
{
    const struct io *io = x->persist->io;
    persist_abandon(&x->persist);
    mem_free((struct io_ops *)io->ops);
    mem_free((struct io *)io);
    store_free(&x->store);
}

static inline int fuzz_close(struct fuzz_store *x, struct error *err)
{
    int rc = 0;
    if (x->persist) {
        const struct io *io = x->persist->io;
        rc = persist_close(&x->persist, FUZZ_NOW, err);
        mem_free((struct io_ops *)io->ops);
        mem_free((struct io *)io);
    }
    store_free(&x->store);
    return rc;
}

// ---- what a store holds -----------------------------------------------------------------------------------

struct fuzz_value {
    uint64_t key; // cluster, host, path, metric
    int64_t ts;
    float v; // what every format keeps
};

struct fuzz_values {
    struct fuzz_value *items; // in order
    size_t count, cap;
    bool plain; // snapshots keep it exactly: the segments of every series lie on one grid, names are UTF-8
};

static inline uint64_t fuzz_path_key(const struct store *store, const struct host *host, uint32_t level)
{
    if (level == LEVEL_HOST)
        return slice_hash_seeded(slice_from_cstr(host->cluster->name),
                                 slice_hash_seeded(slice_from_cstr(host->name), 1));
    return slice_hash_seeded(intern_text(store->names, host->levels[level].name),
                             fuzz_path_key(store, host, host->levels[level].parent));
}

static inline void fuzz_collect_series(struct fuzz_values *ret, uint64_t key, int64_t f,
                                       const struct series *series)
{
    struct segment segment;
    double values[SEGMENT_BINS];
    bool any = false;
    int64_t grid = 0;
    for (size_t i = 0; series_next_segment(series, &i, &segment);) {
        int64_t phase = segment.start % f;
        ret->plain = ret->plain && (!any || phase == grid);
        grid = phase;
        any = true;
        ASSERT(segment.len <= SEGMENT_BINS);
        series_segment_values(series, &segment, values);
        for (size_t k = 0; k < segment.len; k++) {
            if (!isfinite((float)values[k]))
                continue;
            ENSURE_CAPACITY(ret->items, ret->cap, ret->count + 1);
            ret->items[ret->count++] =
                (struct fuzz_value){key, segment_first_time(&segment, f) + (int64_t)k * f, (float)values[k]};
        }
    }
}

static inline int fuzz_compare_values(const void *a, const void *b)
{
    const struct fuzz_value *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->ts < y->ts ? -1 : x->ts > y->ts;
}

static inline void fuzz_collect(struct store *store, struct fuzz_values *ret)
{
    size_t count;
    struct host **hosts = store_list_hosts(store, (struct slice){.ptr = NULL}, &count);
    *ret = (struct fuzz_values){.plain = true};
    for (size_t i = 0; i < count; host_unref(hosts[i++])) {
        for (uint32_t k = 1; k < hosts[i]->level_count; k++)
            ret->plain = ret->plain && slice_is_utf8(intern_text(store->names, hosts[i]->levels[k].name));
        for (size_t g = 0; g < hosts[i]->group_count; g++) {
            const struct group *group = &hosts[i]->groups[g];
            for (size_t m = 0; m < group->count; m++) {
                uint64_t key = slice_hash_seeded(group->metric->name,
                                                 fuzz_path_key(store, hosts[i], group->members[m].level));
                fuzz_collect_series(ret, key, group->metric->frequency_s, &group->members[m]);
            }
        }
    }
    mem_free(hosts);
    if (ret->count > 1)
        qsort(ret->items, ret->count, sizeof(*ret->items), fuzz_compare_values);
}

static inline void fuzz_check_same(const struct fuzz_values *a, const struct fuzz_values *b)
{
    ASSERT(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        ASSERT(fuzz_compare_values(&a->items[i], &b->items[i]) == 0);
        ASSERT(a->items[i].v == b->items[i].v);
    }
}

// Everything that reads: answers of all kinds and the dump end, within bounds.
static inline void fuzz_read_all(struct store *store, struct slice cluster, struct slice host)
{
    static const char *const metrics[] = {"m", "n", "cpu_load", "mem_bw"};
    struct error err = ERROR_INIT;
    struct store_series *entries;
    struct buf out;
    size_t count;
    struct arena *arena = arena_new((size_t)256 << 20);
    for (size_t i = 0; i < 2 * ARRAY_LEN(metrics); i++) {
        struct store_query query = {.cluster = cluster,
                                    .host = host,
                                    .metric = slice_from_cstr(metrics[i / 2]),
                                    .resolution_s = i % 2 ? 600 : 0,
                                    .aggregate = true};
        struct store_query_range range = {FUZZ_NOW - 86400, FUZZ_NOW + 86400, true, true, i % 2 == 0};
        int rc = store_query_run(store, &query, &range, arena, &entries, &count, &err);
        ASSERT(rc == 0 || rc == ERR_LIMIT || rc == ERR_NOT_FOUND);
    }
    arena_free(&arena);
    buf_init(&out, (size_t)256 << 20);
    ASSERT(store_debug(store, NULL, 0, &out, &err) == 0 && out.len > 2);
    buf_release(&out);
    int64_t last;
    ignore_result(store_last_sample(store, cluster, host, &last));
}

#endif
