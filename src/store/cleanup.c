// SPDX-License-Identifier: MIT
// A cluster is archived in two passes: all old snapshots are read into the archive, and when that is on disk they are removed. In
// between the engine may have replaced one of them; such a file has changed and stays.
#include "store/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "store/archive.h"
#include "store/checkpoint.h"

#define MAX_FILE_BYTES  ((size_t)256 << 20)
#define MAX_ARENA_BYTES ((size_t)2 << 30)
#define BATCH_BYTES                                                                                          \
    ((size_t)16 << 20) // snapshots of one host that are held in memory at once, beyond the first

// What a file was when it was looked at.
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

// An old snapshot.
struct snapshot {
    char *name;
    enum checkpoint_format format;
    int64_t from, to;
    struct stamp stamp;
    bool done; // it may be removed
};

struct host {
    char *name;
    char *path;
    struct snapshot *snapshots;
    size_t count, cap;
};

struct run {
    const struct cleanup_options *options;
    const struct io *io;
    struct cleanup_result result;
    struct error first; // the first that was reported
};

static void report(struct run *run, const struct error *err)
{
    if (run->first.code == ERR_NONE)
        run->first = *err;
    if (run->options->report)
        run->options->report(run->options->ctx, err->text);
}

static bool begin_host(struct run *run, const char *cluster, const struct host *host)
{
    const struct cleanup_options *o = run->options;
    return !o->begin_host || o->begin_host(o->ctx, slice_from_cstr(cluster), slice_from_cstr(host->name));
}

static void end_host(struct run *run, const char *cluster, const struct host *host, bool removed)
{
    const struct cleanup_options *o = run->options;
    if (o->end_host)
        o->end_host(o->ctx, slice_from_cstr(cluster), slice_from_cstr(host->name), removed);
}

static void host_release(struct host *host)
{
    for (size_t i = 0; i < host->count; i++)
        mem_free(host->snapshots[i].name);
    mem_free(host->snapshots);
    mem_free(host->name);
    mem_free(host->path);
}

// ---- looking at files -------------------------------------------------------------------------------------

static int take_stamp(const struct io *io, const char *path, struct stamp *ret, struct error *err)
{
    struct stat st;
    int fd = io->ops->open(io->ctx, path, O_RDONLY, 0);
    if (fd < 0)
        return error_set_errno(err, "cannot open '%s'", path);
    int rc = io->ops->fstat(io->ctx, fd, &st) == 0 ? 0 : error_set_errno(err, "cannot stat '%s'", path);
    io->ops->close(io->ctx, fd);
    if (rc == 0)
        *ret = (struct stamp){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
    return rc;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

// The first bytes of a file, or all of a shorter one.
static int read_head(const struct io *io, const char *path, char *bytes, size_t len, size_t *ret_len,
                     struct error *err)
{
    int fd = io->ops->open(io->ctx, path, O_RDONLY, 0);
    if (fd < 0)
        return error_set_errno(err, "cannot open '%s'", path);
    ssize_t n = 1;
    for (*ret_len = 0; *ret_len < len && n != 0;) {
        n = io->ops->read(io->ctx, fd, bytes + *ret_len, len - *ret_len);
        if (n < 0 && errno != EINTR)
            break;
        *ret_len += n > 0 ? (size_t)n : 0;
    }
    int rc = n < 0 && *ret_len < len ? error_set_errno(err, "cannot read '%s'", path) : 0;
    io->ops->close(io->ctx, fd);
    return rc;
}

// A file and what stands in it.
struct loaded {
    struct buf bytes;
    struct checkpoint checkpoint;
};

static int load(const struct io *io, const char *path, enum checkpoint_format format, struct arena *arena,
                struct loaded *loaded, struct error *err)
{
    buf_init(&loaded->bytes, MAX_FILE_BYTES);
    int rc = io_read_file(io, path, MAX_FILE_BYTES, &loaded->bytes, err);
    if (rc < 0)
        return rc;
    rc = checkpoint_parse(format, buf_slice(&loaded->bytes), arena, &loaded->checkpoint, err);
    return rc < 0 ? error_prefix(err, "'%s'", path) : 0;
}

// Time behind the last value, as far as it fits into 64 bits.
static int64_t end_of_data(const struct checkpoint_level *level)
{
    int64_t end = INT64_MIN;
    for (size_t i = 0; i < level->metric_count; i++) {
        const struct checkpoint_metric *metric = &level->metrics[i];
        int64_t span, last;
        if (__builtin_mul_overflow((int64_t)metric->values.count, metric->frequency_s, &span) ||
            __builtin_add_overflow(metric->start, span, &last))
            return INT64_MAX;
        end = MAX(end, last);
    }
    for (size_t i = 0; i < level->child_count; i++)
        end = MAX(end, end_of_data(&level->children[i]));
    return end;
}

static int read_whole_end(const struct io *io, const char *path, enum checkpoint_format format,
                          int64_t *ret_to, struct error *err)
{
    struct arena *arena = arena_new(MAX_ARENA_BYTES);
    struct loaded loaded;
    int rc = load(io, path, format, arena, &loaded, err);
    if (rc == 0) {
        int64_t to = loaded.checkpoint.to; // 0: an old JSON file without it
        *ret_to = to ? to : MAX(loaded.checkpoint.from, end_of_data(&loaded.checkpoint.root));
    }
    buf_release(&loaded.bytes);
    arena_free(&arena);
    return rc;
}

// Where the snapshot ends. Of a binary file only the first bytes are read.
static int read_end(const struct io *io, const char *path, enum checkpoint_format format, int64_t *ret_to,
                    struct error *err)
{
    if (format == CHECKPOINT_JSON)
        return read_whole_end(io, path, format, ret_to, err);
    char bytes[CHECKPOINT_HEADER_BYTES];
    size_t len = 0;
    int64_t from;
    int rc = read_head(io, path, bytes, sizeof(bytes), &len, err);
    if (rc < 0)
        return rc;
    rc = checkpoint_parse_header(slice_of(bytes, len), &from, ret_to, err);
    if (rc < 0)
        return error_prefix(err, "'%s'", path);
    return *ret_to ? 0 : read_whole_end(io, path, format, ret_to, err);
}

// Files vanish while we look: the engine renames damaged ones, and somebody may clean up by hand.
static void count_failed_file(struct run *run, const struct error *err)
{
    if (err->code == ERR_NOT_FOUND)
        return;
    run->result.failed_files++;
    report(run, err);
}

// Adds the file to the host when it is an old snapshot (MS-39: by its end).
static void examine(struct run *run, struct host *host, const char *name)
{
    struct snapshot snapshot = {0};
    if (!checkpoint_parse_name(slice_from_cstr(name), &snapshot.from, &snapshot.format) ||
        snapshot.from == 0 || snapshot.from >= run->options->cutoff_s)
        return; // 0.json was never a snapshot of upstream's, and it never removes it
    struct error err = ERROR_INIT;
    char *path = file_join(host->path, name);
    int rc = take_stamp(run->io, path, &snapshot.stamp, &err);
    if (rc == 0)
        rc = read_end(run->io, path, snapshot.format, &snapshot.to, &err);
    mem_free(path);
    if (rc < 0) {
        count_failed_file(run, &err);
        return;
    }
    if (snapshot.to >= run->options->cutoff_s)
        return;
    snapshot.name = mem_strdup(name);
    ENSURE_CAPACITY(host->snapshots, host->cap, host->count + 1);
    host->snapshots[host->count++] = snapshot;
}

// By end, then by begin: of two that overlap the one that was written later comes later.
static int compare_snapshots(const void *left, const void *right)
{
    const struct snapshot *a = left, *b = right;
    if (a->to != b->to)
        return a->to > b->to ? 1 : -1;
    return (a->from > b->from) - (a->from < b->from);
}

static int find_snapshots(struct run *run, struct host *host, struct error *err)
{
    char **names = NULL;
    size_t count = 0;
    int rc = file_list(host->path, &names, &count, err);
    if (rc < 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    for (size_t i = 0; i < count; i++)
        examine(run, host, names[i]);
    file_list_free(&names, count);
    if (host->count > 1)
        qsort(host->snapshots, host->count, sizeof(*host->snapshots), compare_snapshots);
    return 0;
}

// ---- removing ---------------------------------------------------------------------------------------------

static void remove_snapshot(struct run *run, const struct host *host, const struct snapshot *snapshot)
{
    struct error err = ERROR_INIT;
    struct stamp now;
    char *path = file_join(host->path, snapshot->name);
    int rc = take_stamp(run->io, path, &now, &err);
    if (rc == 0 && !same_stamp(&snapshot->stamp, &now))
        rc = error_set(&err, ERR_BUSY, "'%s' changed meanwhile and stays", path);
    if (rc == 0 && run->io->ops->unlink(run->io->ctx, path) != 0)
        rc = error_set_errno(&err, "cannot remove '%s'", path);
    if (rc == 0)
        run->result.files++;
    else
        count_failed_file(run, &err);
    mem_free(path);
}

static void remove_snapshots(struct run *run, const struct host *host)
{
    for (size_t i = 0; i < host->count; i++)
        if (host->snapshots[i].done)
            remove_snapshot(run, host, &host->snapshots[i]);
}

// Nothing is lost by taking an empty directory away, so the io table needs no function for it.
static bool remove_if_empty(const char *path)
{
    return rmdir(path) == 0;
}

static bool remove_host(struct run *run, const struct host *host)
{
    bool removed = remove_if_empty(host->path);
    run->result.removed_hosts += removed;
    return removed;
}

static void delete_host(struct run *run, const char *cluster, struct host *host)
{
    if (!begin_host(run, cluster, host))
        return;
    struct error err = ERROR_INIT;
    if (find_snapshots(run, host, &err) < 0)
        count_failed_file(run, &err);
    for (size_t i = 0; i < host->count; i++)
        host->snapshots[i].done = true;
    remove_snapshots(run, host);
    end_host(run, cluster, host, remove_host(run, host));
}

// ---- archiving --------------------------------------------------------------------------------------------

// Snapshots of one host on their way into the archive.
struct intake {
    struct archive *archive;
    struct archive_rows *rows;
    struct arena *arena;
    struct loaded *files;
    size_t count, cap, bytes;
};

static void intake_clear(struct intake *in)
{
    archive_rows_clear(in->rows);
    for (size_t i = 0; i < in->count; i++)
        buf_release(&in->files[i].bytes);
    in->count = in->bytes = 0;
    arena_clear(in->arena);
}

static int intake_flush(struct intake *in, const struct host *host, bool host_ends, struct error *err)
{
    archive_rows_sort(in->rows);
    int rc = store_archive_add(in->archive, host->name, in->rows, host_ends, err);
    intake_clear(in);
    return rc;
}

// Reads one file. What is no good is counted and stays; the others go on.
static void intake_read(struct run *run, struct intake *in, const struct host *host,
                        struct snapshot *snapshot)
{
    struct error err = ERROR_INIT;
    struct loaded loaded;
    char *path = file_join(host->path, snapshot->name);
    int rc = load(run->io, path, snapshot->format, in->arena, &loaded, &err);
    if (rc == 0 && archive_rows_add(in->rows, &loaded.checkpoint, &err) < 0)
        rc = error_prefix(&err, "'%s'", path);
    mem_free(path);
    if (rc < 0) {
        buf_release(&loaded.bytes);
        count_failed_file(run, &err);
        return;
    }
    snapshot->done = true;
    in->bytes += loaded.bytes.len;
    ENSURE_CAPACITY(in->files, in->cap, in->count + 1);
    in->files[in->count++] = loaded;
}

static int intake_host(struct run *run, struct intake *in, struct host *host, struct error *err)
{
    int rc = find_snapshots(run, host, err);
    for (size_t i = 0; rc == 0 && i < host->count; i++) {
        intake_read(run, in, host, &host->snapshots[i]);
        if (in->bytes >= BATCH_BYTES && i + 1 < host->count)
            rc = intake_flush(in, host, false, err);
    }
    return rc == 0 ? intake_flush(in, host, true, err) : rc;
}

static int write_archive(struct run *run, const char *cluster, struct host *hosts, size_t count,
                         struct error *err)
{
    struct archive_options options = {.directory = run->options->archive_directory,
                                      .cluster = cluster,
                                      .cutoff_s = run->options->cutoff_s,
                                      .host_count = count,
                                      .io = run->io};
    struct intake in = {.archive = store_archive_new(&options),
                        .rows = archive_rows_new(),
                        .arena = arena_new(MAX_ARENA_BYTES)};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (!begin_host(run, cluster, &hosts[i]))
            continue;
        rc = intake_host(run, &in, &hosts[i], err);
        end_host(run, cluster, &hosts[i], false);
    }
    if (rc == 0)
        rc = store_archive_commit(in.archive, err);
    if (rc == 0) {
        run->result.rows += store_archive_row_count(in.archive);
        run->result.bytes += store_archive_file_bytes(in.archive);
    }
    intake_clear(&in);
    mem_free(in.files);
    arena_free(&in.arena);
    archive_rows_free(&in.rows);
    store_archive_free(&in.archive);
    return rc;
}

// What cannot be removed stays and will be in the next archive again.
static void remove_archived(struct run *run, const char *cluster, struct host *host)
{
    if (!begin_host(run, cluster, host)) {
        struct error err = ERROR_INIT;
        error_set(&err, ERR_BUSY, "'%s' is in use: its archived files stay", host->path);
        if (host->count > 0)
            count_failed_file(run, &err);
        return;
    }
    remove_snapshots(run, host);
    end_host(run, cluster, host, remove_host(run, host));
}

static void archive_hosts(struct run *run, const char *cluster, struct host *hosts, size_t count)
{
    struct error err = ERROR_INIT;
    if (write_archive(run, cluster, hosts, count, &err) < 0) {
        error_prefix(&err, "cluster '%s' is not archived", cluster);
        run->result.failed_clusters++;
        report(run, &err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        remove_archived(run, cluster, &hosts[i]);
}

// ---- directories ------------------------------------------------------------------------------------------

static bool is_kept(struct run *run, const char *cluster, const char *host)
{
    const struct cleanup_options *o = run->options;
    return o->keep && o->keep(o->ctx, slice_from_cstr(cluster), slice_from_cstr(host));
}

// A name that no Parquet file can hold; the store takes no such name, so somebody else made the directory.
static bool is_readable_name(struct run *run, const char *path, const char *name)
{
    if (slice_is_utf8(slice_from_cstr(name)))
        return true;
    struct error err = ERROR_INIT;
    error_set(&err, ERR_INVALID, "'%s' is no UTF-8 and stays", path);
    count_failed_file(run, &err);
    return false;
}

static size_t list_hosts(struct run *run, const char *cluster, const char *path, char **names, size_t count,
                         struct host *hosts)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        char *host_path = file_join(path, names[i]);
        if (file_is_directory(host_path) && !is_kept(run, cluster, names[i]) &&
            is_readable_name(run, host_path, names[i]))
            hosts[found++] = (struct host){.name = mem_strdup(names[i]), .path = host_path};
        else
            mem_free(host_path);
    }
    return found;
}

static void clean_cluster(struct run *run, const char *cluster, const char *path)
{
    struct error err = ERROR_INIT;
    char **names = NULL;
    size_t count = 0;
    int rc = file_list(path, &names, &count, &err);
    if (rc < 0) {
        if (rc != ERR_NOT_FOUND) {
            run->result.failed_clusters++;
            report(run, &err);
        }
        return;
    }
    struct host *hosts = NEW_ARRAY(struct host, count + 1);
    size_t host_count = list_hosts(run, cluster, path, names, count, hosts);
    if (run->options->archive_directory) {
        archive_hosts(run, cluster, hosts, host_count);
    } else {
        for (size_t i = 0; i < host_count; i++)
            delete_host(run, cluster, &hosts[i]);
    }
    for (size_t i = 0; i < host_count; i++)
        host_release(&hosts[i]);
    mem_free(hosts);
    file_list_free(&names, count);
    remove_if_empty(path);
}

int cleanup_run(const struct cleanup_options *options, struct cleanup_result *ret, struct error *err)
{
    struct run run = {.options = options, .io = options->io ? options->io : &io_system};
    char **names = NULL;
    size_t count = 0;
    *ret = (struct cleanup_result){0};
    int rc = file_list(options->directory, &names, &count, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++) {
        char *path = file_join(options->directory, names[i]);
        if (strcmp(names[i], WAL_DIRECTORY_NAME) != 0 && file_is_directory(path))
            clean_cluster(&run, names[i], path);
        mem_free(path);
    }
    file_list_free(&names, count);
    *ret = run.result;
    return run.first.code ? error_set(err, ERR_IO, "%s", run.first.text) : 0;
}
