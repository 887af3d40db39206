// SPDX-License-Identifier: MIT
#include "store/archive.h"

#include <fcntl.h>
#include <inttypes.h>

#include "base/mem.h"
#include "codec/parquet.h"

#define MAX_FILE_BYTES ((uint64_t)1 << 30)
#define GROUP_ROWS     ((uint64_t)4 << 20) // a row group ends behind the host that passes it
#define FILE_SUFFIX    ".parquet"
#define TMP_SUFFIX     ".tmp"

enum { CLUSTER, HOSTNAME, METRIC, SCOPE, SCOPE_ID, TIMESTAMP, FREQUENCY, VALUE, COLUMN_COUNT };

static const struct parquet_column columns[COLUMN_COUNT] = {
    [CLUSTER] = {"cluster", PARQUET_STRING, true},    [HOSTNAME] = {"hostname", PARQUET_STRING, true},
    [METRIC] = {"metric", PARQUET_STRING, true},      [SCOPE] = {"scope", PARQUET_STRING, true},
    [SCOPE_ID] = {"scope_id", PARQUET_STRING, true},  [TIMESTAMP] = {"timestamp", PARQUET_INT64, false},
    [FREQUENCY] = {"frequency", PARQUET_INT64, true}, [VALUE] = {"value", PARQUET_FLOAT, false},
};
static const unsigned sorted_by[] = {CLUSTER, HOSTNAME, METRIC, SCOPE, TIMESTAMP, SCOPE_ID};
static const struct parquet_schema schema = {.name = "ParquetMetricRow",
                                             .columns = columns,
                                             .column_count = COLUMN_COUNT,
                                             .sorted_by = sorted_by,
                                             .sorted_by_count = ARRAY_LEN(sorted_by)};

struct part {
    char *path, *tmp_path;
    bool named; // it has its final name
};

struct archive {
    struct archive_options options;
    char *directory; // of the cluster
    bool made_root;  // the archive's directory is new
    size_t hosts_per_group, hosts_in_group;
    struct part *parts;
    size_t part_count, part_cap;
    unsigned next_number;          // of the next part's name
    struct parquet_writer *writer; // of the last part; NULL: complete
    int fd;
    uint64_t rows, bytes;
    bool committed;
};

struct archive *store_archive_new(const struct archive_options *options)
{
    struct archive *a = NEW(struct archive);
    a->options = *options;
    a->fd = -1;
    a->directory = file_join(options->directory, options->cluster);
    if (a->options.max_file_bytes == 0)
        a->options.max_file_bytes = MAX_FILE_BYTES;
    if (a->options.max_row_groups == 0)
        a->options.max_row_groups = PARQUET_MAX_ROW_GROUPS;
    a->hosts_per_group =
        MAX(1, (options->host_count + a->options.max_row_groups - 1) / a->options.max_row_groups);
    return a;
}

static void remove_parts(struct archive *a)
{
    const struct io *io = a->options.io;
    for (size_t i = 0; i < a->part_count; i++)
        io->ops->unlink(io->ctx, a->parts[i].named ? a->parts[i].path : a->parts[i].tmp_path);
}

void store_archive_free(struct archive **archive)
{
    struct archive *a = *archive;
    if (!a)
        return;
    parquet_writer_free(&a->writer);
    if (a->fd >= 0)
        a->options.io->ops->close(a->options.io->ctx, a->fd);
    if (!a->committed)
        remove_parts(a);
    for (size_t i = 0; i < a->part_count; i++) {
        mem_free(a->parts[i].path);
        mem_free(a->parts[i].tmp_path);
    }
    mem_free(a->parts);
    mem_free(a->directory);
    mem_free(a);
    *archive = NULL;
}

uint64_t store_archive_row_count(const struct archive *archive)
{
    return archive->rows;
}

uint64_t store_archive_file_bytes(const struct archive *archive)
{
    return archive->bytes;
}

// ---- names ------------------------------------------------------------------------------------------------

// <number>.parquet.tmp, <number>-<number>.parquet.tmp: what we call our files until they are complete.
static bool is_leftover(struct slice name)
{
    struct slice suffix = SLICE_LITERAL(FILE_SUFFIX TMP_SUFFIX);
    if (!slice_ends_with(name, suffix))
        return false;
    name.len -= suffix.len;
    for (size_t i = 0; i < name.len; i++)
        if ((name.ptr[i] < '0' || name.ptr[i] > '9') && name.ptr[i] != '-')
            return false;
    return name.len > 0;
}

static int remove_leftovers(struct archive *a, struct error *err)
{
    char **names = NULL;
    size_t count = 0;
    int rc = file_list(a->directory, &names, &count, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++) {
        if (!is_leftover(slice_from_cstr(names[i])))
            continue;
        char *path = file_join(a->directory, names[i]);
        a->options.io->ops->unlink(a->options.io->ctx, path); // one that stays is in nobody's way
        mem_free(path);
    }
    file_list_free(&names, count);
    return 0;
}

static int prepare_directory(struct archive *a, struct error *err)
{
    a->made_root = !file_exists(a->options.directory);
    int rc = io_make_dirs(a->options.io, a->directory, 0755, err);
    return rc < 0 ? rc : remove_leftovers(a, err);
}

// A name that no file has.
static char *next_path(struct archive *a)
{
    for (;; a->next_number++) {
        char name[64];
        if (a->next_number == 0)
            snprintf(name, sizeof(name), "%" PRId64 FILE_SUFFIX, a->options.cutoff_s);
        else
            snprintf(name, sizeof(name), "%" PRId64 "-%u" FILE_SUFFIX, a->options.cutoff_s, a->next_number);
        char *path = file_join(a->directory, name);
        if (!file_exists(path)) {
            a->next_number++;
            return path;
        }
        mem_free(path);
    }
}

static char *with_suffix(const char *path)
{
    size_t len = strlen(path);
    char *text = mem_alloc(len + sizeof(TMP_SUFFIX));
    memcpy(text, path, len);
    memcpy(text + len, TMP_SUFFIX, sizeof(TMP_SUFFIX));
    return text;
}

// ---- parts ------------------------------------------------------------------------------------------------

static int write_part(void *ctx, struct slice bytes, struct error *err)
{
    struct archive *a = ctx;
    return io_write_all(a->options.io, a->fd, bytes, a->parts[a->part_count - 1].tmp_path, err);
}

static int begin_part(struct archive *a, struct error *err)
{
    const struct io *io = a->options.io;
    int rc = a->part_count == 0 ? prepare_directory(a, err) : 0;
    if (rc < 0)
        return rc;
    struct part part = {.path = next_path(a)};
    part.tmp_path = with_suffix(part.path);
    a->fd = io->ops->open(io->ctx, part.tmp_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    if (a->fd < 0) {
        rc = error_set_errno(err, "cannot create '%s'", part.tmp_path);
        mem_free(part.path);
        mem_free(part.tmp_path);
        return rc;
    }
    ENSURE_CAPACITY(a->parts, a->part_cap, a->part_count + 1);
    a->parts[a->part_count++] = part;
    a->writer = parquet_writer_new(&schema, write_part, a);
    a->hosts_in_group = 0;
    return 0;
}

static int end_part(struct archive *a, struct error *err)
{
    const struct io *io = a->options.io;
    const char *path = a->parts[a->part_count - 1].tmp_path;
    int rc = parquet_finish(a->writer, err);
    if (rc < 0)
        return rc;
    a->bytes += parquet_written_bytes(a->writer);
    parquet_writer_free(&a->writer);
    if (io->ops->fsync(io->ctx, a->fd) != 0)
        return error_set_errno(err, "cannot sync '%s'", path);
    int fd = a->fd;
    a->fd = -1;
    return io->ops->close(io->ctx, fd) == 0 ? 0 : error_set_errno(err, "cannot close '%s'", path);
}

// ---- rows -------------------------------------------------------------------------------------------------

static int append_batch(struct archive *a, const char *host, const struct archive_batch *batch,
                        struct error *err)
{
    struct slice cluster = slice_from_cstr(a->options.cluster), hostname = slice_from_cstr(host);
    struct parquet_values values[COLUMN_COUNT] = {
        [CLUSTER] = {.strings = &cluster, .same = true},
        [HOSTNAME] = {.strings = &hostname, .same = true},
        [METRIC] = {.strings = &batch->metric, .same = true},
        [SCOPE] = {.strings = &batch->scope, .same = true},
        [SCOPE_ID] = {.strings = batch->scope_ids},
        [TIMESTAMP] = {.i64 = batch->timestamps},
        [FREQUENCY] = {.i64 = batch->frequencies},
        [VALUE] = {.f32 = batch->values},
    };
    a->rows += batch->count;
    return parquet_append(a->writer, values, batch->count, err);
}

// Row groups hold whole hosts, or a part of one.
static int end_group(struct archive *a, struct error *err)
{
    int rc = parquet_end_row_group(a->writer, err);
    a->hosts_in_group = 0;
    if (rc == 0 && (parquet_written_bytes(a->writer) > a->options.max_file_bytes ||
                    parquet_row_groups(a->writer) >= a->options.max_row_groups))
        rc = end_part(a, err);
    return rc;
}

int store_archive_add(struct archive *a, const char *host, struct archive_rows *rows, bool host_ends,
                      struct error *err)
{
    struct archive_batch batch;
    bool any = false;
    int rc = 0;
    while (rc == 0 && archive_rows_next(rows, &batch)) {
        if (!a->writer)
            rc = begin_part(a, err);
        if (rc == 0)
            rc = append_batch(a, host, &batch, err);
        any = true;
    }
    if (rc < 0 || !any)
        return rc;
    a->hosts_in_group++;
    bool full = a->hosts_in_group >= a->hosts_per_group || parquet_row_group_rows(a->writer) >= GROUP_ROWS;
    return full || !host_ends ? end_group(a, err) : 0;
}

// ---- commit -----------------------------------------------------------------------------------------------

static int sync_parent(struct archive *a, struct error *err)
{
    const struct io *io = a->options.io;
    char *parent = file_join(a->options.directory, "..");
    int rc = io->ops->fsync_dir(io->ctx, parent) == 0 ? 0 : error_set_errno(err, "cannot sync '%s'", parent);
    mem_free(parent);
    return rc;
}

static int sync_directories(struct archive *a, struct error *err)
{
    const struct io *io = a->options.io;
    if (io->ops->fsync_dir(io->ctx, a->directory) != 0)
        return error_set_errno(err, "cannot sync directory '%s'", a->directory);
    if (io->ops->fsync_dir(io->ctx, a->options.directory) != 0)
        return error_set_errno(err, "cannot sync directory '%s'", a->options.directory);
    return a->made_root ? sync_parent(a, err) : 0;
}

int store_archive_commit(struct archive *a, struct error *err)
{
    const struct io *io = a->options.io;
    int rc = a->writer ? end_part(a, err) : 0;
    for (size_t i = 0; rc == 0 && i < a->part_count; i++) {
        struct part *part = &a->parts[i];
        if (io->ops->rename(io->ctx, part->tmp_path, part->path) != 0)
            rc = error_set_errno(err, "cannot rename '%s' to '%s'", part->tmp_path, part->path);
        else
            part->named = true;
    }
    if (rc == 0 && a->part_count > 0)
        rc = sync_directories(a, err);
    a->committed = rc == 0; // otherwise store_archive_free removes them all
    return rc;
}
