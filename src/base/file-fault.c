// SPDX-License-Identifier: MIT
// What a power failure may leave is known by keeping, for each file changed since its last sync, the bytes it
// had then. Files are found by device and inode, so renames do not matter; the image holds a descriptor of
// its own. Changes of names are kept as a list, each with what undoes it, until their directory is synced.
#include "base/file-fault.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"

#define SECTOR_BYTES ((size_t)512)

// Durable bytes of a file with changes that were not synced.
struct image {
    dev_t device;
    ino_t inode;
    int fd; // own descriptor, for undoing
    char *bytes;
    size_t len;
};

enum change_kind { NAME_MADE, NAME_RENAMED, NAME_REMOVED };

// A change of a directory that was not synced.
struct change {
    enum change_kind kind;
    dev_t device; // of the directory
    ino_t inode;
    char *path, *old_path; // old_path: of NAME_RENAMED
    bool had_file;         // NAME_RENAMED, NAME_REMOVED: the path named a file, and this was in it
    char *bytes;
    size_t len;
    mode_t mode;
    bool undo;
};

struct io_fault {
    pthread_mutex_t lock; // tests run engines with several threads
    struct io_fault_plan plan;
    uint64_t calls;
    struct image *images;
    size_t image_count, image_cap;
    struct change *changes; // oldest first
    size_t change_count, change_cap;
};

struct io_fault *io_fault_new(const struct io_fault_plan *plan)
{
    struct io_fault *fault = NEW(struct io_fault);

    pthread_mutex_init(&fault->lock, NULL);
    fault->plan = *plan;
    return fault;
}

static void image_release(struct image *image)
{
    if (image->fd >= 0)
        close(image->fd);
    mem_free(image->bytes);
}

static void change_release(struct change *change)
{
    mem_free(change->path);
    mem_free(change->old_path);
    mem_free(change->bytes);
}

void io_fault_free(struct io_fault **fault)
{
    if (!*fault)
        return;
    for (size_t i = 0; i < (*fault)->change_count; i++)
        change_release(&(*fault)->changes[i]);
    mem_free((*fault)->changes);
    for (size_t i = 0; i < (*fault)->image_count; i++)
        image_release(&(*fault)->images[i]);
    mem_free((*fault)->images);
    pthread_mutex_destroy(&(*fault)->lock);
    mem_free(*fault);
    *fault = NULL;
}

uint64_t io_fault_calls(const struct io_fault *fault)
{
    // Taking the lock changes it, but nothing the caller can see.
    pthread_mutex_t *lock = (pthread_mutex_t *)&fault->lock;

    pthread_mutex_lock(lock);
    uint64_t calls = fault->calls;
    pthread_mutex_unlock(lock);
    return calls;
}

enum verdict { PASS, FAIL, PART }; // PART: do half of a write

// Counts the call and says what becomes of it; errno is set for FAIL.
static enum verdict judge(struct io_fault *fault)
{
    const struct io_fault_plan *plan = &fault->plan;

    pthread_mutex_lock(&fault->lock);
    uint64_t call = ++fault->calls;
    pthread_mutex_unlock(&fault->lock);
    bool hit = call == plan->at_call, later = call > plan->at_call;

    switch (plan->kind) {
    case IO_FAULT_NONE:
        return PASS;
    case IO_FAULT_ERRNO:
        errno = plan->error_number;
        return hit || (later && plan->sticky) ? FAIL : PASS;
    case IO_FAULT_SHORT_WRITE:
        return hit || (later && plan->sticky) ? PART : PASS;
    case IO_FAULT_CRASH:
        errno = EIO;
        return hit ? PART : later ? FAIL : PASS;
    }
    return PASS;
}

// For calls that cannot be done in part: a crash at them is a failure, a short write is none.
static bool refused(struct io_fault *fault)
{
    enum verdict verdict = judge(fault);

    return verdict == FAIL || (verdict == PART && fault->plan.kind == IO_FAULT_CRASH);
}

// ---- images -----------------------------------------------------------------------------------------------

static struct image *find_image(struct io_fault *fault, const struct stat *st)
{
    for (size_t i = 0; i < fault->image_count; i++)
        if (fault->images[i].device == st->st_dev && fault->images[i].inode == st->st_ino)
            return &fault->images[i];
    return NULL;
}

static void read_whole(int fd, struct image *image, size_t size)
{
    image->bytes = mem_alloc(size);
    while (image->len < size) {
        ssize_t n = pread(fd, image->bytes + image->len, size - image->len, (off_t)image->len);

        if (n <= 0)
            break;
        image->len += (size_t)n;
    }
}

// Called before a change: keeps the durable bytes unless that was done since the last sync.
static void remember(struct io_fault *fault, int fd)
{
    char path[64];
    struct stat st;
    int saved_errno = errno;

    pthread_mutex_lock(&fault->lock);
    if (fstat(fd, &st) == 0 && !find_image(fault, &st)) {
        struct image image = {.device = st.st_dev, .inode = st.st_ino};

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        image.fd = open(path, O_RDWR | O_CLOEXEC);
        if (image.fd >= 0)
            read_whole(image.fd, &image, (size_t)st.st_size);
        ENSURE_CAPACITY(fault->images, fault->image_cap, fault->image_count + 1);
        fault->images[fault->image_count++] = image;
    }
    pthread_mutex_unlock(&fault->lock);
    errno = saved_errno;
}

static void forget(struct io_fault *fault, int fd)
{
    struct stat st;

    pthread_mutex_lock(&fault->lock);
    struct image *image = fstat(fd, &st) == 0 ? find_image(fault, &st) : NULL;
    if (image) {
        image_release(image);
        *image = fault->images[--fault->image_count];
    }
    pthread_mutex_unlock(&fault->lock);
}

// A small generator (xorshift64*) for reproducible choices; state must not be 0.
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

// The sector as it was at the last sync; zeros where the file was shorter.
static void restore_sector(const struct image *image, char *bytes, size_t offset, size_t len)
{
    size_t durable = offset < image->len ? MIN(len, image->len - offset) : 0;

    memset(bytes + offset, 0, len);
    if (durable)
        memcpy(bytes + offset, image->bytes + offset, durable);
}

static void rewrite(int fd, const char *bytes, size_t len)
{
    int rc = ftruncate(fd, (off_t)len);
    ssize_t n = len ? pwrite(fd, bytes, len, 0) : 0;

    ASSERT(rc == 0 && n == (ssize_t)len);
}

// Each sector is either the old or the new one; the length is somewhere between the old and the new one.
static void undo(const struct image *image, uint64_t *random)
{
    struct image current = {.fd = image->fd};
    struct stat st;
    int rc = fstat(image->fd, &st);

    ASSERT(rc == 0);
    read_whole(image->fd, &current, (size_t)st.st_size);
    size_t longest = MAX(current.len, image->len), shortest = MIN(current.len, image->len);
    current.bytes = mem_grow_array(current.bytes, current.len, longest, 1);
    for (size_t offset = 0; offset < longest; offset += SECTOR_BYTES)
        if (next_random(random) >> 63 || offset >= current.len)
            restore_sector(image, current.bytes, offset, MIN(SECTOR_BYTES, longest - offset));
    size_t sectors = (longest - shortest + SECTOR_BYTES - 1) / SECTOR_BYTES;
    size_t len = shortest + next_random(random) % (sectors + 1) * SECTOR_BYTES;
    rewrite(image->fd, current.bytes, MIN(len, longest));
    mem_free(current.bytes);
}

// ---- names ------------------------------------------------------------------------------------------------

static bool stat_parent(const char *path, struct stat *st)
{
    const char *slash = strrchr(path, '/');
    char *parent = !slash ? mem_strdup(".") : mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    bool found = stat(parent, st) == 0;

    mem_free(parent);
    return found;
}

// The file that is about to lose its name: its durable bytes.
static void keep_file(struct io_fault *fault, const char *path, struct change *change)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;

    if (fd < 0)
        return;
    struct image now = {.fd = fd};
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        const struct image *image = find_image(fault, &st);

        read_whole(fd, &now, (size_t)st.st_size);
        if (image) {
            mem_free(now.bytes);
            now.bytes = mem_memdup(image->bytes, image->len);
            now.len = image->len;
        }
        change->had_file = true;
        change->bytes = now.bytes;
        change->len = now.len;
        change->mode = st.st_mode & 07777;
    }
    close(fd);
}

// Before the change is made; call settle_change with what became of it.
static struct change begin_change(struct io_fault *fault, enum change_kind kind, const char *path,
                                  const char *old_path)
{
    struct change change = {.kind = kind};
    struct stat st = {.st_dev = 0};

    if (stat_parent(path, &st)) {
        change.device = st.st_dev;
        change.inode = st.st_ino;
        change.path = mem_strdup(path);
    }
    if (old_path)
        change.old_path = mem_strdup(old_path);
    if (kind != NAME_MADE) {
        pthread_mutex_lock(&fault->lock);
        keep_file(fault, path, &change);
        pthread_mutex_unlock(&fault->lock);
    }
    return change;
}

static void settle_change(struct io_fault *fault, struct change *change, bool done)
{
    int saved_errno = errno;

    if (!done || !change->path) {
        change_release(change);
    } else {
        pthread_mutex_lock(&fault->lock);
        ENSURE_CAPACITY(fault->changes, fault->change_cap, fault->change_count + 1);
        fault->changes[fault->change_count++] = *change;
        pthread_mutex_unlock(&fault->lock);
    }
    errno = saved_errno;
}

static bool same_directory(const struct change *change, dev_t device, ino_t inode)
{
    return change->device == device && change->inode == inode;
}

// The directory was synced.
static void forget_changes(struct io_fault *fault, const char *directory)
{
    struct stat st;
    size_t kept = 0;

    if (stat(directory, &st) != 0)
        return;
    pthread_mutex_lock(&fault->lock);
    for (size_t i = 0; i < fault->change_count; i++) {
        if (same_directory(&fault->changes[i], st.st_dev, st.st_ino))
            change_release(&fault->changes[i]);
        else
            fault->changes[kept++] = fault->changes[i];
    }
    fault->change_count = kept;
    pthread_mutex_unlock(&fault->lock);
}

static void write_again(const struct change *change)
{
    int fd = open(change->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, change->mode);

    if (fd < 0)
        return; // its directory is gone, too
    rewrite(fd, change->bytes, change->len);
    close(fd);
}

static void undo_change(const struct change *change)
{
    if (change->kind == NAME_MADE)
        ignore_result(file_remove_tree(change->path, NULL)); // absent when it went with its directory
    else if (change->kind == NAME_RENAMED)
        ignore_result(rename(change->path, change->old_path));
    if (change->had_file)
        write_again(change);
}

// Of the changes of each directory, a random number of the oldest stays.
static void choose_changes(struct io_fault *fault, uint64_t *random)
{
    for (size_t first = 0; first < fault->change_count; first++) {
        const struct change *c = &fault->changes[first];
        size_t count = 0, seen = 0;

        for (size_t i = 0; i < fault->change_count; i++) {
            bool same = same_directory(&fault->changes[i], c->device, c->inode);

            if (same && i < first)
                seen++;
            count += same;
        }
        if (seen) // chosen with the first one of its directory
            continue;
        size_t keep = (next_random(random) >> 32) % (count + 1);
        for (size_t i = first; i < fault->change_count; i++)
            if (same_directory(&fault->changes[i], c->device, c->inode))
                fault->changes[i].undo = seen++ >= keep;
    }
}

static void undo_changes(struct io_fault *fault, uint64_t *random)
{
    choose_changes(fault, random);
    for (size_t i = fault->change_count; i-- > 0;) {
        if (fault->changes[i].undo)
            undo_change(&fault->changes[i]);
        change_release(&fault->changes[i]);
    }
    fault->change_count = 0;
}

void io_fault_power_loss(struct io_fault *fault, uint64_t seed)
{
    uint64_t random = seed * 2 + 1;

    pthread_mutex_lock(&fault->lock);
    for (size_t i = 0; i < fault->image_count; i++) {
        if (fault->images[i].fd >= 0)
            undo(&fault->images[i], &random);
        image_release(&fault->images[i]);
    }
    fault->image_count = 0;
    undo_changes(fault, &random);
    pthread_mutex_unlock(&fault->lock);
}

// ---- the table --------------------------------------------------------------------------------------------

static int fault_open(void *ctx, const char *path, int flags, mode_t mode)
{
    struct io_fault *fault = ctx;

    if (refused(fault))
        return -1;
    if (flags & O_TRUNC) { // the old bytes are durable until the next sync
        int old = open(path, O_RDWR | O_CLOEXEC);

        if (old >= 0) {
            remember(fault, old);
            close(old);
        }
    }
    struct stat st;
    if (!(flags & O_CREAT) || stat(path, &st) == 0)
        return io_system.ops->open(NULL, path, flags, mode);
    struct change change = begin_change(fault, NAME_MADE, path, NULL);
    int fd = io_system.ops->open(NULL, path, flags, mode);
    settle_change(fault, &change, fd >= 0);
    return fd;
}

// The descriptor is closed in any case, as the kernel does when close(2) reports an error.
static int fault_close(void *ctx, int fd)
{
    bool fail = refused(ctx);
    int error_number = errno;
    int rc = close(fd);

    if (!fail)
        return rc;
    errno = error_number;
    return -1;
}

static ssize_t fault_read(void *ctx, int fd, void *bytes, size_t len)
{
    return refused(ctx) ? -1 : read(fd, bytes, len);
}

static ssize_t fault_pread(void *ctx, int fd, void *bytes, size_t len, off_t offset)
{
    return refused(ctx) ? -1 : pread(fd, bytes, len, offset);
}

// offset < 0: at the descriptor's position.
static ssize_t write_judged(struct io_fault *fault, int fd, const void *bytes, size_t len, off_t offset)
{
    enum verdict verdict = judge(fault);
    int error_number = errno;

    if (verdict == FAIL)
        return -1;
    remember(fault, fd);
    if (verdict == PART) // progress for ever, or else callers that try again never end
        len =
            MAX(len / 2, (size_t)(fault->plan.kind == IO_FAULT_SHORT_WRITE && fault->plan.sticky && len > 0));
    ssize_t n = offset < 0 ? write(fd, bytes, len) : pwrite(fd, bytes, len, offset);
    if (verdict == PART && (fault->plan.kind == IO_FAULT_CRASH || n == 0)) {
        errno = fault->plan.kind == IO_FAULT_CRASH ? error_number : EINTR; // EINTR: nothing done, try again
        return -1;
    }
    return n;
}

static ssize_t fault_write(void *ctx, int fd, const void *bytes, size_t len)
{
    return write_judged(ctx, fd, bytes, len, -1);
}

static ssize_t fault_pwrite(void *ctx, int fd, const void *bytes, size_t len, off_t offset)
{
    return write_judged(ctx, fd, bytes, len, offset);
}

static int fault_fdatasync(void *ctx, int fd)
{
    if (refused(ctx))
        return -1;
    forget(ctx, fd);
    return 0;
}

static int fault_ftruncate(void *ctx, int fd, off_t len)
{
    if (refused(ctx))
        return -1;
    remember(ctx, fd);
    return ftruncate(fd, len);
}

static int fault_fstat(void *ctx, int fd, struct stat *st)
{
    return refused(ctx) ? -1 : fstat(fd, st);
}

static int fault_rename(void *ctx, const char *from, const char *to)
{
    if (refused(ctx))
        return -1;
    struct change change = begin_change(ctx, NAME_RENAMED, to, from);
    int rc = rename(from, to);
    settle_change(ctx, &change, rc == 0);
    return rc;
}

static int fault_unlink(void *ctx, const char *path)
{
    if (refused(ctx))
        return -1;
    struct change change = begin_change(ctx, NAME_REMOVED, path, NULL);
    int rc = unlink(path);
    settle_change(ctx, &change, rc == 0);
    return rc;
}

static int fault_mkdir(void *ctx, const char *path, mode_t mode)
{
    if (refused(ctx))
        return -1;
    struct change change = begin_change(ctx, NAME_MADE, path, NULL);
    int rc = mkdir(path, mode);
    settle_change(ctx, &change, rc == 0);
    return rc;
}

static int fault_fsync_dir(void *ctx, const char *path)
{
    if (refused(ctx))
        return -1;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); // nothing is synced in truth, as for files
    if (fd < 0)
        return -1;
    close(fd);
    forget_changes(ctx, path);
    return 0;
}

static const struct io_ops fault_ops = {
    .open = fault_open,
    .close = fault_close,
    .read = fault_read,
    .pread = fault_pread,
    .write = fault_write,
    .pwrite = fault_pwrite,
    .fdatasync = fault_fdatasync,
    .fsync = fault_fdatasync,
    .ftruncate = fault_ftruncate,
    .fstat = fault_fstat,
    .rename = fault_rename,
    .unlink = fault_unlink,
    .mkdir = fault_mkdir,
    .fsync_dir = fault_fsync_dir,
};

struct io io_fault_io(struct io_fault *fault)
{
    return (struct io){.ops = &fault_ops, .ctx = fault};
}
