// SPDX-License-Identifier: MIT
// Reading the segments of a log (wal.h).
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/wal-private.h"
#include "store/wal-record.h"
#include "store/wal-segment.h"

// A segment may have one more record than fits.
#define FILE_MAX_BYTES (2 * WAL_RECORD_MAX_BYTES + ((size_t)1 << 30))

char *wal_segment_path(const char *directory, uint64_t epoch)
{
    char name[WAL_SEGMENT_NAME_SIZE];
    wal_segment_name(name, epoch);
    return file_join(directory, name);
}

static bool parse_aside(char *name, uint64_t *ret_epoch)
{
    size_t len = strlen(name), ending = sizeof(WAL_CORRUPT_ENDING) - 1;
    if (len <= ending || strcmp(name + len - ending, WAL_CORRUPT_ENDING) != 0)
        return false;
    name[len - ending] = '\0';
    return wal_segment_parse_name(name, ret_epoch);
}

int wal_list_segments(const char *directory, uint64_t **ret_epochs, size_t *ret_count, uint64_t *ret_highest,
                      struct error *err)
{
    char **names = NULL;
    size_t count = 0, found = 0;
    uint64_t highest = 0;
    int rc = file_list(directory, &names, &count, err);
    if (rc < 0)
        return rc;
    uint64_t *epochs = NEW_ARRAY(uint64_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        uint64_t epoch = 0;
        if (wal_segment_parse_name(names[i], &epoch))
            epochs[found++] = epoch;
        else if (!parse_aside(names[i], &epoch))
            continue;
        highest = MAX(highest, epoch);
    }
    file_list_free(&names, count);
    *ret_epochs = epochs;
    *ret_count = found;
    *ret_highest = highest;
    return 0;
}

// A walk over segments.
struct replay {
    const struct io *io;
    const char *directory;
    wal_replay_fn *fn;
    void *ctx;
    struct wal *wal; // NULL: change nothing
    struct wal_stats stats;
    struct buf bytes;
};

static int replay_records(struct replay *r, struct wal_segment_reader *reader, struct error *err)
{
    struct slice record;
    int rc = 0;
    while (rc == 0 && wal_segment_next(reader, &record))
        rc = r->fn(r->ctx, reader->epoch, record, err);
    r->stats.replayed_records += reader->records;
    r->stats.replayed_bytes += reader->record_size;
    return rc;
}

static struct wal_file *find_file(struct wal *wal, uint64_t epoch)
{
    for (size_t i = 0; i < wal->file_count; i++)
        if (wal->files[i].epoch == epoch)
            return &wal->files[i];
    return NULL;
}

// What could not be cut is seen again at the next start: as damage then, because the segment is no longer the newest.
static void cut_tail(struct replay *r, const char *path, const struct wal_segment_reader *reader)
{
    int fd = r->io->ops->open(r->io->ctx, path, O_WRONLY, 0);
    if (fd < 0)
        return;
    if (r->io->ops->ftruncate(r->io->ctx, fd, (off_t)reader->good_end) == 0)
        r->io->ops->fsync(r->io->ctx, fd);
    r->io->ops->close(r->io->ctx, fd);
}

static void note_damage(struct replay *r, const struct wal_segment_reader *reader)
{
    r->stats.damaged_regions += reader->damaged_regions;
    r->stats.damaged_bytes += reader->damaged_bytes;
    if (!r->wal || reader->damaged_regions == 0)
        return;
    pthread_mutex_lock(&r->wal->lock);
    struct wal_file *file = find_file(r->wal, reader->epoch);
    if (file)
        file->damaged = true;
    pthread_mutex_unlock(&r->wal->lock);
}

static void note_tail(struct replay *r, const char *path, const struct wal_segment_reader *reader)
{
    r->stats.torn_bytes += reader->bytes.len - reader->good_end;
    if (!r->wal)
        return;
    cut_tail(r, path, reader);
    pthread_mutex_lock(&r->wal->lock);
    struct wal_file *file = find_file(r->wal, reader->epoch);
    if (file)
        file->bytes = reader->good_end;
    pthread_mutex_unlock(&r->wal->lock);
}

// Behind the last record only zeros, which the writer puts there ahead (wal.c), or something else?
static bool is_torn(const struct wal_segment_reader *reader)
{
    const char *at = reader->bytes.ptr + reader->good_end, *end = reader->bytes.ptr + reader->bytes.len;
    while (at < end && *at == 0)
        at++;
    return at < end;
}

static int replay_segment(struct replay *r, const char *path, uint64_t epoch, uint64_t before, bool newest,
                          struct error *err)
{
    struct wal_segment_reader reader;
    buf_clear(&r->bytes);
    int rc = io_read_file(r->io, path, FILE_MAX_BYTES, &r->bytes, err);
    if (rc == 0)
        rc = wal_segment_reader_init(&reader, buf_slice(&r->bytes), epoch, err);
    if (rc < 0)
        return rc;
    rc = replay_records(r, &reader, err);
    if (rc < 0)
        return rc;
    r->stats.missing_segments += before && reader.has_header && reader.previous > before;
    bool has_tail = is_torn(&reader);
    if (has_tail && !newest) {
        reader.damaged_regions++;
        reader.damaged_bytes += reader.bytes.len - reader.good_end;
    }
    note_damage(r, &reader);
    if (has_tail && newest)
        note_tail(r, path, &reader);
    return 0;
}

static int replay_all(struct replay *r, const uint64_t *epochs, size_t count, struct error *err)
{
    int rc = 0;
    buf_init(&r->bytes, FILE_MAX_BYTES);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char *path = wal_segment_path(r->directory, epochs[i]);
        rc = replay_segment(r, path, epochs[i], i ? epochs[i - 1] : 0, i == count - 1, err);
        if (rc < 0)
            error_prefix(err, "log segment '%s'", path);
        mem_free(path);
    }
    buf_release(&r->bytes);
    return rc;
}

static void add_counters(struct wal_stats *total, const struct wal_stats *more)
{
    total->replayed_records += more->replayed_records;
    total->replayed_bytes += more->replayed_bytes;
    total->torn_bytes += more->torn_bytes;
    total->damaged_regions += more->damaged_regions;
    total->damaged_bytes += more->damaged_bytes;
    total->missing_segments += more->missing_segments;
}

int wal_replay(struct wal *wal, wal_replay_fn *fn, void *ctx, struct error *err)
{
    struct replay r = {.io = &wal->io, .directory = wal->directory, .fn = fn, .ctx = ctx, .wal = wal};
    size_t count = 0;
    pthread_mutex_lock(&wal->lock);
    uint64_t *epochs = NEW_ARRAY(uint64_t, wal->file_count + 1);
    while (count < wal->file_count && wal->files[count].epoch < wal->first_epoch) {
        epochs[count] = wal->files[count].epoch;
        count++;
    }
    pthread_mutex_unlock(&wal->lock);
    int rc = replay_all(&r, epochs, count, err);
    pthread_mutex_lock(&wal->lock);
    add_counters(&wal->counters, &r.stats);
    pthread_mutex_unlock(&wal->lock);
    mem_free(epochs);
    return rc;
}

// ERR_BUSY when a wal has the directory. *ret_fd: -1 when there was never one.
static int lock_for_reading(const char *directory, int *ret_fd, struct error *err)
{
    char *path = file_join(directory, WAL_LOCK_NAME);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    mem_free(path);
    *ret_fd = fd;
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 0;
    close(fd);
    *ret_fd = -1;
    return error_set(err, ERR_BUSY, "the log in '%s' is in use by another process", directory);
}

int wal_read_directory(const char *directory, wal_replay_fn *fn, void *ctx, struct wal_stats *ret_stats,
                       struct error *err)
{
    struct replay r = {.io = &io_system, .directory = directory, .fn = fn, .ctx = ctx};
    uint64_t *epochs = NULL, highest = 0;
    size_t count = 0;
    int lock_fd = -1;
    int rc = lock_for_reading(directory, &lock_fd, err);
    if (rc == 0)
        rc = wal_list_segments(directory, &epochs, &count, &highest, err);
    if (rc == 0)
        rc = replay_all(&r, epochs, count, err);
    r.stats.epoch = highest + 1;
    r.stats.oldest_epoch = count ? epochs[0] : highest + 1;
    r.stats.segments = count;
    *ret_stats = r.stats;
    mem_free(epochs);
    if (lock_fd >= 0)
        close(lock_fd);
    return rc;
}
