// SPDX-License-Identifier: MIT
// Names and bytes of the checkpoint directory: <directory>/<cluster>/<host>/<from>.bin (metric-store.md 7.1).
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/host-wal.h"
#include "store/persist-private.h"

char *persist_host_path(const struct persist *p, const struct host *host)
{
    char *cluster = file_join(p->options.directory, host->cluster->name);
    char *path = file_join(cluster, host->name);
    mem_free(cluster);
    return path;
}

// ---- lists ------------------------------------------------------------------------------------------------

static int compare_files(const void *a, const void *b)
{
    const struct snapshot_file *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (int)x->format - (int)y->format;
}

int persist_list(const char *path, struct snapshot_list *ret, struct error *err)
{
    char **names = NULL;
    size_t count = 0;
    struct error why = ERROR_INIT;
    *ret = (struct snapshot_list){.count = 0};
    int rc = file_list(path, &names, &count, &why);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return error_set(err, rc, "%s", why.text);
    for (size_t i = 0; i < count; i++) {
        struct snapshot_file file = {.to = INT64_MAX};
        ret->has_host_wal = ret->has_host_wal || strcmp(names[i], HOST_WAL_NAME) == 0;
        if (!checkpoint_parse_name(slice_from_cstr(names[i]), &file.from, &file.format))
            continue;
        char canonical[CHECKPOINT_NAME_SIZE];
        if (strcmp(checkpoint_name(file.from, file.format, canonical), names[i]) != 0) {
            ret->odd_names++;
            continue;
        }
        ENSURE_CAPACITY(ret->items, ret->cap, ret->count + 1);
        ret->items[ret->count++] = file;
    }
    if (ret->count > 1)
        qsort(ret->items, ret->count, sizeof(*ret->items), compare_files);
    file_list_free(&names, count);
    return 0;
}

void persist_list_release(struct snapshot_list *list)
{
    mem_free(list->items);
    *list = (struct snapshot_list){.count = 0};
}

// ---- bytes ------------------------------------------------------------------------------------------------

int persist_read(struct persist *p, const char *path, const char *name, struct buf *bytes, struct error *err)
{
    char *file = file_join(path, name);
    int rc = io_read_file(p->io, file, PERSIST_FILE_MAX_BYTES, bytes, err);
    mem_free(file);
    return rc;
}

static int read_binary_end(struct persist *p, const char *path, struct snapshot_file *file, struct error *err)
{
    char bytes[CHECKPOINT_HEADER_BYTES];
    size_t have = 0;
    int64_t from;
    int fd = p->io->ops->open(p->io->ctx, path, O_RDONLY, 0);
    if (fd < 0)
        return error_set_errno(err, "cannot open '%s'", path);
    int rc = 0;
    while (rc == 0 && have < sizeof(bytes)) {
        ssize_t n = p->io->ops->read(p->io->ctx, fd, bytes + have, sizeof(bytes) - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = error_set_errno(err, "cannot read '%s'", path);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    p->io->ops->close(p->io->ctx, fd);
    return rc ? rc : checkpoint_parse_header(slice_of(bytes, have), &from, &file->to, err);
}

// The end of the newest value; 'to' may be missing in a JSON file.
static int64_t data_end(const struct checkpoint_level *level)
{
    int64_t end = INT64_MIN;
    for (size_t i = 0; i < level->metric_count; i++)
        end = MAX(end, level->metrics[i].start +
                           (int64_t)level->metrics[i].values.count * level->metrics[i].frequency_s);
    for (size_t i = 0; i < level->child_count; i++)
        end = MAX(end, data_end(&level->children[i]));
    return end;
}

int persist_read_snapshot(struct persist *p, const char *path, const struct snapshot_file *file,
                          struct snapshot_read *ret, struct error *err)
{
    ret->arena = arena_new(PERSIST_ARENA_BYTES);
    buf_init(&ret->bytes, PERSIST_FILE_MAX_BYTES);
    checkpoint_name(file->from, file->format, ret->name);
    int rc = persist_read(p, path, ret->name, &ret->bytes, err);
    return rc ? rc
              : checkpoint_parse(file->format, buf_slice(&ret->bytes), ret->arena, &ret->checkpoint, err);
}

void persist_release_snapshot(struct snapshot_read *read)
{
    buf_release(&read->bytes);
    arena_free(&read->arena);
}

static int read_json_end(struct persist *p, const char *path, struct snapshot_file *file, struct error *err)
{
    struct snapshot_read read;
    int rc = persist_read_snapshot(p, path, file, &read, err);
    if (rc == 0)
        file->to = read.checkpoint.to ? read.checkpoint.to : data_end(&read.checkpoint.root);
    persist_release_snapshot(&read);
    return rc;
}

int persist_read_end(struct persist *p, const char *path, struct snapshot_file *file, struct error *err)
{
    char name[CHECKPOINT_NAME_SIZE];
    if (file->format == CHECKPOINT_JSON)
        return read_json_end(p, path, file, err);
    char *full = file_join(path, checkpoint_name(file->from, file->format, name));
    int rc = read_binary_end(p, full, file, err);
    mem_free(full);
    return rc;
}

void persist_set_aside(struct persist *p, const char *path, const char *name, const char *why)
{
    char *from = file_join(path, name);
    size_t len = strlen(from);
    char *to = mem_alloc(len + sizeof(".corrupt"));
    memcpy(to, from, len);
    memcpy(to + len, ".corrupt", sizeof(".corrupt"));
    bool moved = p->io->ops->rename(p->io->ctx, from, to) == 0;
    persist_count(&p->counters.corrupt_files, 1);
    persist_report(p, LOG_LEVEL_ERROR, "'%s' is damaged and %s; its data is missing from answers: %s", from,
                   moved ? "was renamed to <name>.corrupt" : "could not be renamed", why);
    mem_free(from);
    mem_free(to);
}

// ---- directories ------------------------------------------------------------------------------------------

int persist_make_host_directory(struct persist *p, const struct host *host, struct error *err)
{
    char *cluster = file_join(p->options.directory, host->cluster->name);
    char *path = file_join(cluster, host->name);
    int rc = io_make_dirs_synced(p->io, cluster, PERSIST_DIRECTORY_MODE, err);
    if (rc == 0)
        rc = io_make_dirs_synced(p->io, path, PERSIST_DIRECTORY_MODE, err);
    mem_free(path);
    mem_free(cluster);
    return rc;
}
