// SPDX-License-Identifier: MIT
// A commit goes wrong in one way only: what was not resolved becomes a failure, the segment is given up, the epoch is over. After a
// failed sync the page cache may hold what the disk has not, so the file is never written again.
#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/wal-private.h"
#include "store/wal-record.h"
#include "store/wal-segment.h"

#define SEGMENT_BYTES     ((size_t)16 << 20)
#define SEGMENT_MAX_BYTES ((size_t)1 << 30) // with a record more a reader still takes it
#define PENDING_MAX_BYTES ((size_t)64 << 20)
#define KEPT_BYTES        ((size_t)8 << 20) // an empty buffer larger than this is given back
#define ROOM_BYTES        ((size_t)1 << 20) // zeros written ahead, see make_room
#define SYNC_INTERVAL_MS  1000
#define FILE_MODE         0644
#define DIRECTORY_MODE    0755

// ---- the segment being written (commit thread) ------------------------------------------------------------

static void count_sync(struct wal *wal, int64_t ns)
{
    pthread_mutex_lock(&wal->lock);
    wal->counters.sync_ns_sum += (uint64_t)ns;
    wal->counters.sync_ns_max = MAX(wal->counters.sync_ns_max, (uint64_t)ns);
    pthread_mutex_unlock(&wal->lock);
}

static int sync_output(struct wal *wal, struct error *err)
{
    struct wal_output *out = &wal->out;
    struct mono_time begin = clock_mono();
    int rc = wal->io.ops->fdatasync(wal->io.ctx, out->fd);
    if (rc != 0)
        rc = error_set_errno(err, "cannot sync '%s'", out->path);
    struct mono_time end = clock_mono();
    count_sync(wal, mono_diff_ns(end, begin));
    out->dirty = false;
    out->synced_ns = end.ns;
    return rc;
}

static void close_output(struct wal *wal)
{
    // What matters was synced before.
    wal->io.ops->close(wal->io.ctx, wal->out.fd);
    wal->out.fd = -1;
    wal->out.dirty = false;
    mem_free(wal->out.path);
    wal->out.path = NULL;
}

static int finish_output(struct wal *wal, struct error *err)
{
    int rc = 0;
    if (wal->out.fd < 0)
        return 0;
    if (wal->out.dirty)
        rc = sync_output(wal, err);
    if (rc < 0) // it is given up
        return rc;
    if (wal->out.room > wal->out.good_len) // when this fails, zeros stay, which readers pass over
        ignore_result(wal->io.ops->ftruncate(wal->io.ctx, wal->out.fd, (off_t)wal->out.good_len));
    close_output(wal);
    return 0;
}

static int write_at(struct wal *wal, struct slice bytes, size_t offset, struct error *err)
{
    const struct wal_output *out = &wal->out;
    while (bytes.len) {
        ssize_t n = wal->io.ops->pwrite(wal->io.ctx, out->fd, bytes.ptr, bytes.len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, "cannot write '%s'", out->path);
        if (n == 0)
            return error_set(err, ERR_IO, "cannot write '%s': no progress", out->path);
        bytes = slice_skip(bytes, (size_t)n);
        offset += (size_t)n;
    }
    return 0;
}

// Zeros ahead of the records: a sync of bytes that the file has already needs no change of its metadata, which makes it several times
// faster. It is only a help: without space for it, records are written at the end of the file.
static void make_room(struct wal *wal, size_t end)
{
    struct wal_output *out = &wal->out;
    size_t room = MIN(ROOM_BYTES, wal->segment_bytes);
    if (end <= out->room)
        return;
    if (!wal->zeros)
        wal->zeros = mem_alloc(room);
    out->room = write_at(wal, slice_of(wal->zeros, room), end, NULL) == 0 ? end + room : end;
}

static int write_header(struct wal *wal, struct error *err)
{
    char header[WAL_SEGMENT_HEADER_BYTES];
    struct wal_output *out = &wal->out;
    wal_segment_header(header, out->epoch, out->previous);
    int rc = write_at(wal, slice_of(header, sizeof(header)), 0, err);
    if (rc < 0 || wal->sync == WAL_SYNC_NONE)
        return rc;
    if (wal->io.ops->fsync(wal->io.ctx, out->fd) != 0)
        return error_set_errno(err, "cannot sync '%s'", out->path);
    if (wal->io.ops->fsync_dir(wal->io.ctx, wal->directory) != 0)
        return error_set_errno(err, "cannot sync directory '%s'", wal->directory);
    return 0;
}

static void list_file(struct wal *wal, uint64_t epoch, uint64_t bytes)
{
    pthread_mutex_lock(&wal->lock);
    ENSURE_CAPACITY(wal->files, wal->file_cap, wal->file_count + 1);
    wal->files[wal->file_count++] = (struct wal_file){.epoch = epoch, .bytes = bytes};
    pthread_mutex_unlock(&wal->lock);
}

static int begin_output(struct wal *wal, uint64_t epoch, struct error *err)
{
    struct wal_output *out = &wal->out;
    char *path = wal_segment_path(wal->directory, epoch);
    int fd = wal->io.ops->open(wal->io.ctx, path, O_WRONLY | O_CREAT | O_EXCL, FILE_MODE);
    if (fd < 0) {
        int rc = error_set_errno(err, "cannot create '%s'", path);
        mem_free(path);
        return rc;
    }
    out->fd = fd;
    out->path = path;
    out->epoch = epoch;
    out->good_len = out->room = 0;
    out->listed = false;
    out->synced_ns = clock_mono().ns;
    int rc = write_header(wal, err);
    if (rc < 0)
        return rc;
    out->good_len = WAL_SEGMENT_HEADER_BYTES;
    return 0;
}

// After a failure: cuts off what was not committed, as far as the disk lets us; a full disk is not littered with segments that hold
// nothing. What cannot be cut does no harm, see wal.h.
static void give_up_output(struct wal *wal)
{
    struct wal_output *out = &wal->out;
    if (out->fd < 0)
        return;
    if (!out->listed)
        wal->io.ops->unlink(wal->io.ctx, out->path);
    else if (wal->io.ops->ftruncate(wal->io.ctx, out->fd, (off_t)out->good_len) == 0)
        wal->io.ops->fdatasync(wal->io.ctx, out->fd);
    close_output(wal);
}

static int commit_chunk(struct wal *wal, uint64_t epoch, struct slice bytes, struct error *err)
{
    struct wal_output *out = &wal->out;
    int rc = 0;
    if (out->fd >= 0 && out->epoch != epoch)
        rc = finish_output(wal, err);
    if (rc == 0 && out->fd < 0)
        rc = begin_output(wal, epoch, err);
    if (rc == 0)
        rc = write_at(wal, bytes, out->good_len, err);
    if (rc == 0)
        make_room(wal, out->good_len + bytes.len);
    if (rc == 0 && wal->sync == WAL_SYNC_BATCH)
        rc = sync_output(wal, err);
    if (rc < 0)
        return rc;
    out->good_len += bytes.len;
    out->dirty = wal->sync == WAL_SYNC_INTERVAL;
    if (!out->listed)
        list_file(wal, epoch, WAL_SEGMENT_HEADER_BYTES); // its records are added when they are published
    out->listed = true;
    out->previous = epoch;
    return 0;
}

// ---- positions (under the lock) ---------------------------------------------------------------------------

static void begin_epoch(struct wal *wal)
{
    atomic_store_explicit(&wal->epoch, wal->epoch + 1, memory_order_release);
    wal->epoch_bytes = 0;
}

static uint64_t chunk_records(const struct wal_pending *p, size_t first)
{
    uint64_t records = 0;
    for (size_t i = first; i < p->count; i++)
        records += p->chunks[i].records;
    return records;
}

static void clear_pending(struct wal_pending *p)
{
    p->count = 0;
    buf_clear(&p->bytes);
    if (p->bytes.cap > KEPT_BYTES)
        buf_release(&p->bytes);
}

// Failures in a row are one. The oldest are forgotten into one that covers all before.
static void add_failure(struct wal *wal, uint64_t begin, uint64_t end, const struct error *error)
{
    struct wal_failure *last = wal->failure_count ? &wal->failures[wal->failure_count - 1] : NULL;
    if (last && last->end == begin) {
        last->end = end;
        last->error = *error;
        return;
    }
    if (wal->failure_count == WAL_FAILURES) {
        wal->forgotten = wal->failures[0];
        wal->forgotten.begin = 0;
        memmove(wal->failures, wal->failures + 1, (WAL_FAILURES - 1) * sizeof(wal->failures[0]));
        wal->failure_count--;
    }
    wal->failures[wal->failure_count++] = (struct wal_failure){.begin = begin, .end = end, .error = *error};
}

static const struct wal_failure *find_failure(const struct wal *wal, const struct wal_span *span)
{
    if (span->begin < wal->forgotten.end)
        return &wal->forgotten;
    for (size_t i = 0; i < wal->failure_count; i++)
        if (span->begin < wal->failures[i].end && wal->failures[i].begin < span->end)
            return &wal->failures[i];
    return NULL;
}

static int span_result(const struct wal *wal, const struct wal_span *span, struct error *err)
{
    const struct wal_failure *failure = find_failure(wal, span);
    if (failure && err)
        *err = failure->error;
    return failure ? (int)failure->error.code : 0;
}

// Returns the waiters whose span is resolved now, with their results; they are woken without the lock.
static struct wal_waiter *resolve(struct wal *wal, uint64_t position)
{
    struct wal_waiter *ready = NULL;
    wal->resolved = position;
    for (struct wal_waiter **place = &wal->waiters; *place;) {
        struct wal_waiter *waiter = *place;
        if (waiter->span.end > position) {
            place = &waiter->next;
            continue;
        }
        *place = waiter->next;
        waiter->rc = span_result(wal, &waiter->span, &waiter->err);
        waiter->next = ready;
        ready = waiter;
    }
    pthread_cond_broadcast(&wal->room);
    return ready;
}

static void wake(struct wal_waiter *waiter)
{
    while (waiter) {
        struct wal_waiter *next = waiter->next; // it is gone as soon as it was told
        waiter->done(waiter);
        waiter = next;
    }
}

// ---- commit thread ----------------------------------------------------------------------------------------

static void publish(struct wal *wal, const struct wal_chunk *chunk)
{
    pthread_mutex_lock(&wal->lock);
    wal->counters.commits++;
    wal->counters.records += chunk->records;
    wal->counters.written_bytes += chunk->len;
    wal->last_rc = 0;
    for (size_t i = wal->file_count; i-- > 0;)
        if (wal->files[i].epoch == chunk->epoch) {
            wal->files[i].bytes += chunk->len;
            break;
        }
    struct wal_waiter *ready = resolve(wal, wal->resolved + chunk->len);
    pthread_mutex_unlock(&wal->lock);
    wake(ready);
}

// Throws away what is not resolved: its records lean on definitions in the segment that is given up.
static void fail(struct wal *wal, size_t first_chunk, int rc, const struct error *error)
{
    give_up_output(wal);
    pthread_mutex_lock(&wal->lock);
    wal->counters.failed_commits++;
    wal->counters.failed_records += chunk_records(&wal->taken, first_chunk) + chunk_records(&wal->pending, 0);
    wal->last_rc = rc;
    wal->last_error = *error;
    if (wal->appended > wal->resolved)
        add_failure(wal, wal->resolved, wal->appended, error);
    clear_pending(&wal->pending);
    begin_epoch(wal);
    struct wal_waiter *ready = resolve(wal, wal->appended);
    pthread_mutex_unlock(&wal->lock);
    wake(ready);
}

static void commit_taken(struct wal *wal)
{
    struct error err = ERROR_INIT;
    size_t at = 0;
    for (size_t i = 0; i < wal->taken.count; i++) {
        const struct wal_chunk *chunk = &wal->taken.chunks[i];
        int rc = commit_chunk(wal, chunk->epoch, slice_of(wal->taken.bytes.ptr + at, chunk->len), &err);
        if (rc < 0) {
            fail(wal, i, rc, &err);
            return;
        }
        publish(wal, chunk);
        at += chunk->len;
    }
}

// Between commits: a segment that is over is closed, and the time may have come to sync.
static void tend_output(struct wal *wal, bool over)
{
    struct error err = ERROR_INIT;
    const struct wal_output *out = &wal->out;
    int rc = 0;
    if (out->fd >= 0 && over)
        rc = finish_output(wal, &err);
    else if (out->fd >= 0 && out->dirty && clock_mono().ns - out->synced_ns >= wal->sync_interval_ns)
        rc = sync_output(wal, &err);
    if (rc < 0)
        fail(wal, wal->taken.count, rc, &err);
}

static bool output_is_over(const struct wal *wal)
{
    return wal->out.fd >= 0 && wal->out.epoch != wal->epoch;
}

// Until there is something to do.
static void wait_for_work(struct wal *wal)
{
    while (wal->pending.count == 0 && !wal->stopping && !output_is_over(wal)) {
        if (!wal->out.dirty) {
            pthread_cond_wait(&wal->work, &wal->lock);
            continue;
        }
        struct mono_time until = {.ns = wal->out.synced_ns + wal->sync_interval_ns};
        if (clock_cond_wait(&wal->work, &wal->lock, until) == ETIMEDOUT)
            return;
    }
}

static void *commit_thread(void *arg)
{
    struct wal *wal = arg;
    pthread_mutex_lock(&wal->lock);
    for (;;) {
        wait_for_work(wal);
        bool stop = wal->stopping && wal->pending.count == 0;
        struct wal_pending empty = wal->taken;
        wal->taken = wal->pending;
        wal->pending = empty;
        wal->taken_epoch = wal->taken.count ? wal->taken.chunks[0].epoch : UINT64_MAX;
        bool over = stop || (wal->taken.count == 0 && output_is_over(wal));
        pthread_mutex_unlock(&wal->lock);
        commit_taken(wal);
        tend_output(wal, over);
        clear_pending(&wal->taken);
        pthread_mutex_lock(&wal->lock);
        wal->taken_epoch = UINT64_MAX;
        if (stop)
            break;
    }
    pthread_mutex_unlock(&wal->lock);
    return NULL;
}

// ---- opening and closing ----------------------------------------------------------------------------------

static int lock_directory(struct wal *wal, struct error *err)
{
    char *path = file_join(wal->directory, WAL_LOCK_NAME);
    int rc = 0;
    wal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (wal->lock_fd < 0)
        rc = error_set_errno(err, "cannot open '%s'", path);
    else if (flock(wal->lock_fd, LOCK_EX | LOCK_NB) != 0)
        rc = errno == EWOULDBLOCK
                 ? error_set(err, ERR_BUSY, "the log in '%s' is in use by another process", wal->directory)
                 : error_set_errno(err, "cannot lock '%s'", path);
    mem_free(path);
    return rc;
}

static uint64_t file_bytes(const char *directory, uint64_t epoch)
{
    char *path = wal_segment_path(directory, epoch);
    struct stat st;
    uint64_t bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    mem_free(path);
    return bytes;
}

static int find_files(struct wal *wal, struct error *err)
{
    uint64_t *epochs = NULL, highest = 0;
    size_t count = 0;
    int rc = wal_list_segments(wal->directory, &epochs, &count, &highest, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        list_file(wal, epochs[i], file_bytes(wal->directory, epochs[i]));
    if (count)
        wal->out.previous = epochs[count - 1];
    mem_free(epochs);
    wal->first_epoch = highest + 1;
    atomic_init(&wal->epoch, wal->first_epoch);
    return 0;
}

static struct wal *wal_new(const struct wal_options *options)
{
    struct wal *wal = NEW(struct wal);
    wal->io = options->io ? *options->io : io_system;
    wal->directory = mem_strdup(options->directory);
    wal->segment_bytes =
        MIN(options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES, SEGMENT_MAX_BYTES);
    wal->pending_max_bytes = options->pending_max_bytes ? options->pending_max_bytes : PENDING_MAX_BYTES;
    wal->sync = options->sync;
    wal->sync_interval_ns =
        (options->sync_interval_ms > 0 ? options->sync_interval_ms : SYNC_INTERVAL_MS) * NS_PER_MS;
    wal->lock_fd = wal->out.fd = -1;
    wal->taken_epoch = UINT64_MAX;
    buf_init(&wal->pending.bytes, SIZE_MAX / 2);
    buf_init(&wal->taken.bytes, SIZE_MAX / 2);
    pthread_mutex_init(&wal->lock, NULL);
    clock_cond_init(&wal->work);
    pthread_cond_init(&wal->room, NULL);
    return wal;
}

static void wal_free(struct wal *wal)
{
    if (wal->lock_fd >= 0)
        close(wal->lock_fd); // unlocks
    pthread_cond_destroy(&wal->work);
    pthread_cond_destroy(&wal->room);
    pthread_mutex_destroy(&wal->lock);
    buf_release(&wal->pending.bytes);
    buf_release(&wal->taken.bytes);
    mem_free(wal->pending.chunks);
    mem_free(wal->taken.chunks);
    mem_free(wal->files);
    mem_free(wal->zeros);
    mem_free(wal->directory);
    mem_free(wal);
}

int wal_open(const struct wal_options *options, struct wal **ret_wal, struct error *err)
{
    struct wal *wal = wal_new(options);
    int rc = io_make_dirs_synced(&wal->io, wal->directory, DIRECTORY_MODE, err);
    if (rc == 0)
        rc = lock_directory(wal, err);
    if (rc == 0)
        rc = find_files(wal, err);
    if (rc == 0 && (errno = pthread_create(&wal->thread, NULL, commit_thread, wal)) != 0)
        rc = error_set_errno(err, "cannot start the thread of the log");
    if (rc < 0) {
        wal_free(wal);
        return rc;
    }
    *ret_wal = wal;
    return 0;
}

int wal_close(struct wal **wal_place, struct error *err)
{
    struct wal *wal = *wal_place;
    if (!wal)
        return 0;
    pthread_mutex_lock(&wal->lock);
    wal->stopping = true;
    pthread_cond_signal(&wal->work);
    pthread_cond_broadcast(&wal->room);
    pthread_mutex_unlock(&wal->lock);
    pthread_join(wal->thread, NULL);
    int rc = wal->last_rc;
    if (rc < 0 && err)
        *err = wal->last_error;
    wal_free(wal);
    *wal_place = NULL;
    return rc;
}

// ---- writing ----------------------------------------------------------------------------------------------

uint64_t wal_epoch(const struct wal *wal)
{
    return atomic_load_explicit(&wal->epoch, memory_order_acquire);
}

void wal_admit(struct wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    if (wal->appended - wal->resolved > wal->pending_max_bytes)
        wal->counters.waits++;
    while (wal->appended - wal->resolved > wal->pending_max_bytes && !wal->stopping)
        pthread_cond_wait(&wal->room, &wal->lock);
    pthread_mutex_unlock(&wal->lock);
}

static int add_frame(struct wal *wal, const char *head, struct slice record, struct wal_span *span)
{
    struct wal_pending *p = &wal->pending;
    size_t len = WAL_FRAME_HEAD_BYTES + record.len;
    if (!buf_reserve(&p->bytes, len)) {
        p->bytes.failed = false; // what is there stays good
        return ERR_LIMIT;
    }
    buf_append(&p->bytes, head, WAL_FRAME_HEAD_BYTES);
    buf_append_slice(&p->bytes, record);
    if (p->count == 0 || p->chunks[p->count - 1].epoch != wal->epoch) {
        ENSURE_CAPACITY(p->chunks, p->cap, p->count + 1);
        p->chunks[p->count++] = (struct wal_chunk){.epoch = wal->epoch};
    }
    p->chunks[p->count - 1].len += len;
    p->chunks[p->count - 1].records++;
    if (span->end == 0)
        span->begin = wal->appended;
    wal->appended += len;
    span->end = wal->appended;
    wal->epoch_bytes += len;
    if (wal->epoch_bytes + WAL_SEGMENT_HEADER_BYTES >= wal->segment_bytes)
        begin_epoch(wal);
    return 0;
}

int wal_append(struct wal *wal, uint64_t epoch, struct slice record, struct wal_span *span)
{
    char head[WAL_FRAME_HEAD_BYTES];
    if (record.len > WAL_RECORD_MAX_BYTES)
        return ERR_LIMIT;
    if (record.len == 0)
        return 0;
    if (epoch != wal_epoch(wal))
        return ERR_BUSY;
    wal_segment_frame_head(head, epoch, record); // the checksum takes its time: not under the lock
    pthread_mutex_lock(&wal->lock);
    bool was_empty = wal->pending.count == 0;
    int rc = epoch == wal->epoch ? add_frame(wal, head, record, span) : ERR_BUSY;
    pthread_mutex_unlock(&wal->lock);
    if (rc == 0 && was_empty) // behind the lock: the thread that wakes up does not wait for it
        pthread_cond_signal(&wal->work);
    return rc;
}

void wal_notify(struct wal *wal, struct wal_waiter *waiter)
{
    pthread_mutex_lock(&wal->lock);
    bool now = waiter->span.end == 0 || wal->sync != WAL_SYNC_BATCH || wal->resolved >= waiter->span.end;
    if (now) {
        waiter->rc = span_result(wal, &waiter->span, &waiter->err);
    } else {
        waiter->next = wal->waiters;
        wal->waiters = waiter;
    }
    pthread_mutex_unlock(&wal->lock);
    if (now)
        waiter->done(waiter);
}

// A thread in wal_wait: it wakes up to find no lock taken.
struct sleeper {
    struct wal_waiter waiter;
    sem_t done;
};

static void wake_sleeper(struct wal_waiter *waiter)
{
    struct sleeper *sleeper = (struct sleeper *)(void *)((char *)waiter - offsetof(struct sleeper, waiter));
    sem_post(&sleeper->done);
}

int wal_wait(struct wal *wal, const struct wal_span *span, struct error *err)
{
    struct sleeper sleeper = {.waiter = {.span = *span, .done = wake_sleeper}};
    if (span->end == 0)
        return 0;
    sem_init(&sleeper.done, 0, 0);
    wal_notify(wal, &sleeper.waiter);
    while (sem_wait(&sleeper.done) != 0) // interrupted
        ;
    sem_destroy(&sleeper.done);
    if (sleeper.waiter.rc < 0 && err)
        *err = sleeper.waiter.err;
    return sleeper.waiter.rc;
}

// ---- segments ---------------------------------------------------------------------------------------------

void wal_stats(const struct wal *wal, struct wal_stats *ret)
{
    // Taking the lock changes it, but nothing the caller can see.
    pthread_mutex_t *lock = (pthread_mutex_t *)&wal->lock;
    pthread_mutex_lock(lock);
    *ret = wal->counters;
    ret->epoch = wal->epoch;
    ret->oldest_epoch = wal->file_count ? wal->files[0].epoch : wal->epoch;
    ret->segments = wal->file_count;
    for (size_t i = 0; i < wal->file_count; i++)
        ret->bytes += wal->files[i].bytes;
    ret->pending_bytes = wal->appended - wal->resolved;
    pthread_mutex_unlock(lock);
}

uint64_t wal_rotate(struct wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    if (wal->epoch_bytes > 0)
        begin_epoch(wal);
    uint64_t epoch = wal->epoch;
    pthread_cond_signal(&wal->work);
    pthread_mutex_unlock(&wal->lock);
    return epoch;
}

static int drop_file(struct wal *wal, const struct wal_file *file, struct error *err)
{
    char *path = wal_segment_path(wal->directory, file->epoch);
    size_t len = strlen(path);
    char *aside = mem_alloc(len + sizeof(WAL_CORRUPT_ENDING));
    memcpy(aside, path, len);
    memcpy(aside + len, WAL_CORRUPT_ENDING, sizeof(WAL_CORRUPT_ENDING));
    int rc = file->damaged ? wal->io.ops->rename(wal->io.ctx, path, aside)
                           : wal->io.ops->unlink(wal->io.ctx, path);
    if (rc != 0 && errno == ENOENT)
        rc = 0;
    if (rc != 0)
        rc = error_set_errno(err, "cannot %s '%s'", file->damaged ? "set aside" : "remove", path);
    mem_free(aside);
    mem_free(path);
    return rc;
}

// Takes those out of the list that may go; the caller has no lock while it removes them.
static size_t take_droppable(struct wal *wal, uint64_t epoch, struct wal_file **ret_files)
{
    size_t count = 0;
    pthread_mutex_lock(&wal->lock);
    epoch = MIN(epoch, MIN(wal->epoch, wal->taken_epoch));
    if (wal->pending.count)
        epoch = MIN(epoch, wal->pending.chunks[0].epoch);
    while (count < wal->file_count && wal->files[count].epoch < epoch)
        count++;
    *ret_files = count ? mem_memdup(wal->files, count * sizeof(**ret_files)) : NULL;
    wal->file_count -= count;
    for (size_t i = 0; count && i < wal->file_count; i++)
        wal->files[i] = wal->files[i + count];
    pthread_mutex_unlock(&wal->lock);
    return count;
}

static void put_back(struct wal *wal, const struct wal_file *files, size_t count)
{
    pthread_mutex_lock(&wal->lock);
    ENSURE_CAPACITY(wal->files, wal->file_cap, wal->file_count + count);
    size_t at = 0; // another thread may have put back older ones
    while (at < wal->file_count && wal->files[at].epoch < files[0].epoch)
        at++;
    memmove(wal->files + at + count, wal->files + at, (wal->file_count - at) * sizeof(*files));
    memcpy(wal->files + at, files, count * sizeof(*files));
    wal->file_count += count;
    wal->counters.failed_drops++;
    pthread_mutex_unlock(&wal->lock);
}

int wal_drop_before(struct wal *wal, uint64_t epoch, struct error *err)
{
    struct wal_file *files = NULL;
    size_t count = take_droppable(wal, epoch, &files), dropped = 0;
    int rc = 0;
    // Each name is gone for good before the next goes: what a power loss brings back is always the end of the log. An old segment
    // without its successors would put old values over newer ones.
    while (rc == 0 && dropped < count) {
        rc = drop_file(wal, &files[dropped], err);
        if (rc == 0 && wal->io.ops->fsync_dir(wal->io.ctx, wal->directory) != 0)
            rc = error_set_errno(err, "cannot sync directory '%s'", wal->directory);
        dropped += rc == 0;
    }
    if (dropped < count)
        put_back(wal, files + dropped, count - dropped);
    mem_free(files);
    return rc;
}
