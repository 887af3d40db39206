// SPDX-License-Identifier: MIT
#include "store/wal-export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hashmap.h"
#include "base/macros.h"
#include "base/mem.h"
#include "store/block.h"
#include "store/cleanup.h"
#include "store/host-wal.h"
#include "store/host.h"
#include "store/wal-record.h"
#include "store/wal.h"

#define FLUSH_BYTES    ((size_t)256 << 10) // kept in memory of a host
#define FILE_MAX_BYTES ((size_t)4 << 30)
#define NEW_ENDING     ".new"
#define HOSTS_MAX      (UINT32_C(1) << 22)

struct out_host {
    char *directory, *path, *new_path;
    struct buf bytes; // not yet written
};

struct series_name {
    struct slice metric, path[2]; // heap
    size_t depth;
};

// A host as the segment at work numbers it.
struct numbered {
    struct out_host *out;
    struct series_name *series;
    uint32_t count;
};

struct export
{
    const char *directory;
    struct hashmap *hosts; // "cluster/host" -> struct out_host
    struct numbered *numbers;
    uint32_t number_count;
    uint64_t epoch;
    struct wal_export_result *result;
};

// ---- files ------------------------------------------------------------------------------------------------

static int append_file(const char *path, int flags, struct slice bytes, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0644);
    if (fd < 0)
        return error_set_errno(err, "cannot open '%s'", path);
    int rc = io_write_all(&io_system, fd, bytes, path, err);
    if (rc == 0 && fdatasync(fd) != 0)
        rc = error_set_errno(err, "cannot sync '%s'", path);
    if (close(fd) != 0 && rc == 0)
        rc = error_set_errno(err, "cannot close '%s'", path);
    return rc;
}

// The good part of a log that is there already, or the header of a new one.
static int begin_file(struct out_host *host, struct error *err)
{
    struct host_wal_reader reader;
    struct host_wal_record record;
    struct buf old;
    buf_init(&old, FILE_MAX_BYTES);
    int rc = file_exists(host->path) ? file_read(host->path, FILE_MAX_BYTES, &old, err) : 0;
    if (rc == 0) {
        host_wal_reader_init(&reader, buf_slice(&old));
        while (host_wal_next(&reader, &record, NULL) > 0)
            ;
        struct buf header;
        buf_init(&header, BUF_MAX_DEFAULT);
        host_wal_append_header(&header);
        rc = append_file(host->new_path, O_TRUNC,
                         reader.started ? slice_of(old.ptr, reader.position) : buf_slice(&header), err);
        buf_release(&header);
    }
    buf_release(&old);
    return rc;
}

static int flush_host(struct out_host *host, struct error *err)
{
    int rc = append_file(host->new_path, O_APPEND, buf_slice(&host->bytes), err);
    buf_clear(&host->bytes);
    return rc;
}

static int finish_host(struct out_host *host, struct error *err)
{
    int rc = flush_host(host, err);
    if (rc == 0 && rename(host->new_path, host->path) != 0)
        rc = error_set_errno(err, "cannot rename '%s'", host->new_path);
    if (rc == 0 && io_system.ops->fsync_dir(NULL, host->directory) != 0)
        rc = error_set_errno(err, "cannot sync directory '%s'", host->directory);
    return rc;
}

static char *with_ending(const char *path, const char *ending)
{
    size_t len = strlen(path) + strlen(ending) + 1;
    char *text = mem_alloc(len);
    ignore_result(snprintf(text, len, "%s%s", path, ending) < 0);
    return text;
}

static int add_host(struct export *x, struct slice key, struct out_host **ret, struct error *err)
{
    struct out_host *host = NEW(struct out_host);
    char *name = slice_to_cstr(key);
    host->directory = file_join(x->directory, name);
    host->path = file_join(host->directory, HOST_WAL_NAME);
    host->new_path = with_ending(host->path, NEW_ENDING);
    buf_init(&host->bytes, BUF_MAX_DEFAULT);
    hashmap_put(x->hosts, key, host);
    mem_free(name);
    *ret = host;
    int rc = io_make_dirs(&io_system, host->directory, 0755, err);
    return rc ? rc : begin_file(host, err);
}

// ---- records ----------------------------------------------------------------------------------------------

static void forget_series(struct series_name *series)
{
    mem_free((char *)series->metric.ptr);
    mem_free((char *)series->path[0].ptr);
    mem_free((char *)series->path[1].ptr);
    *series = (struct series_name){.depth = 0};
}

static struct slice copy(struct slice name) // also of names with a zero byte
{
    char *bytes = mem_alloc(name.len + 1);
    memcpy(bytes, name.ptr, name.len);
    return slice_of(bytes, name.len);
}

static void forget_number(struct numbered *number)
{
    for (uint32_t i = 0; i < number->count; i++)
        forget_series(&number->series[i]);
    mem_free(number->series);
    *number = (struct numbered){.out = NULL};
}

static int define_host(void *ctx, uint32_t number, struct slice cluster, struct slice name, struct error *err)
{
    struct export *x = ctx;
    struct buf key;
    if (number >= HOSTS_MAX)
        return error_set(err, ERR_CORRUPT, "host number %u", number);
    if (number >= x->number_count) {
        uint32_t count = MAX(number + 1, 2 * x->number_count);
        x->numbers = mem_grow_array(x->numbers, x->number_count, count, sizeof(*x->numbers));
        x->number_count = count;
    }
    struct numbered *entry = &x->numbers[number];
    if (!host_name_is_usable(cluster) || !host_name_is_usable(name)) { // would become a path: left out
        forget_number(entry);
        return 0;
    }
    buf_init(&key, BUF_MAX_DEFAULT);
    buf_append_slice(&key, cluster);
    buf_append_byte(&key, '/');
    buf_append_slice(&key, name);
    struct out_host *host = hashmap_get(x->hosts, buf_slice(&key));
    int rc = host ? 0 : add_host(x, buf_slice(&key), &host, err);
    buf_release(&key);
    if (entry->out != host) // the same once more keeps its series, as in the replay
        forget_number(entry);
    entry->out = host;
    return rc;
}

static int define_series(void *ctx, uint32_t number, uint32_t series, struct slice metric,
                         const struct slice *path, size_t depth, struct error *err UNUSED)
{
    struct export *x = ctx;
    struct numbered *host = number < x->number_count ? &x->numbers[number] : NULL;
    if (!host || !host->out)
        return 0;
    if (series >= host->count) {
        uint32_t count = MAX(series + 1, 2 * host->count);
        host->series = mem_grow_array(host->series, host->count, count, sizeof(*host->series));
        host->count = count;
    }
    forget_series(&host->series[series]);
    host->series[series] = (struct series_name){.metric = copy(metric), .depth = depth};
    for (size_t i = 0; i < depth; i++)
        host->series[series].path[i] = copy(path[i]);
    return 0;
}

static float value_of(const struct series_value *value)
{
    bool zero = value->decimal && value->m == 0; // 'wide' has its sign
    return (float)(value->decimal && !zero ? (double)value->m / block_power_of_ten(value->scale)
                                           : value->wide);
}

static int take_samples(void *ctx, uint32_t number, uint32_t first, int64_t ts,
                        const struct series_value *values, size_t count, struct error *err)
{
    struct export *x = ctx;
    struct numbered *host = number < x->number_count ? &x->numbers[number] : NULL;
    for (size_t i = 0; i < count; i++) {
        uint32_t n = first + (uint32_t)i;
        if (!host || !host->out || n >= host->count || !host->series[n].metric.ptr) {
            x->result->left_out++;
            continue;
        }
        const struct series_name *name = &host->series[n];
        struct host_wal_record record = {.ts = ts,
                                         .metric = name->metric,
                                         .selector = {name->path[0], name->path[1]},
                                         .selector_count = name->depth,
                                         .value = value_of(&values[i])};
        bool taken = host_wal_append_record(&host->out->bytes, &record);
        *(taken ? &x->result->samples : &x->result->left_out) += 1;
    }
    return host && host->out && host->out->bytes.len >= FLUSH_BYTES ? flush_host(host->out, err) : 0;
}

static int take_record(void *ctx, uint64_t epoch, struct slice record, struct error *err)
{
    static const struct wal_decoder_ops ops = {
        .host = define_host, .series = define_series, .samples = take_samples};
    struct export *x = ctx;
    if (epoch != x->epoch) {
        for (uint32_t i = 0; i < x->number_count; i++)
            forget_number(&x->numbers[i]);
        x->epoch = epoch;
    }
    int rc = wal_record_decode(record, &ops, x, err);
    if (rc != ERR_CORRUPT)
        return rc;
    x->result
        ->damaged_regions++; // another version wrote it, or a bug: the rest is still good, as for the replay
    return 0;
}

// ---- all of it --------------------------------------------------------------------------------------------

static int finish_all(struct export *x, struct error *err)
{
    void *host;
    int rc = 0;
    for (size_t i = 0; rc == 0 && hashmap_next(x->hosts, &i, NULL, &host);)
        rc = finish_host(host, err);
    return rc;
}

static void release(struct export *x)
{
    void *item;
    for (uint32_t i = 0; i < x->number_count; i++)
        forget_number(&x->numbers[i]);
    mem_free(x->numbers);
    for (size_t i = 0; hashmap_next(x->hosts, &i, NULL, &item);) {
        struct out_host *host = item;
        buf_release(&host->bytes);
        mem_free(host->directory);
        mem_free(host->path);
        mem_free(host->new_path);
        mem_free(host);
    }
    hashmap_free(&x->hosts);
}

int wal_export(const char *directory, struct wal_export_result *ret, struct error *err)
{
    struct export x = {.directory = directory, .hosts = hashmap_new(), .result = ret};
    struct wal_stats stats = {0};
    char *log = file_join(directory, WAL_DIRECTORY_NAME);
    *ret = (struct wal_export_result){.hosts = 0};
    int rc = file_exists(log) ? wal_read_directory(log, take_record, &x, &stats, err)
                              : error_set(err, ERR_NOT_FOUND, "there is no log in '%s'", directory);
    if (rc == 0)
        rc = finish_all(&x, err);
    if (rc == 0) // everything is in the hosts' logs and synced
        rc = file_remove_tree(log, err);
    ret->hosts = hashmap_count(x.hosts);
    ret->damaged_regions += stats.damaged_regions;
    ret->torn_bytes = stats.torn_bytes;
    release(&x);
    mem_free(log);
    return rc;
}
