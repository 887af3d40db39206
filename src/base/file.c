// SPDX-License-Identifier: MIT
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

#define READ_STEP_BYTES ((size_t)4096)

// ---- the real file system ---------------------------------------------------------------------------------

static int system_open(UNUSED void *ctx, const char *path, int flags, mode_t mode)
{
    return open(path, flags | O_CLOEXEC, mode);
}

static int system_close(UNUSED void *ctx, int fd)
{
    return close(fd);
}

static ssize_t system_read(UNUSED void *ctx, int fd, void *bytes, size_t len)
{
    return read(fd, bytes, len);
}

static ssize_t system_pread(UNUSED void *ctx, int fd, void *bytes, size_t len, off_t offset)
{
    return pread(fd, bytes, len, offset);
}

static ssize_t system_write(UNUSED void *ctx, int fd, const void *bytes, size_t len)
{
    return write(fd, bytes, len);
}

static ssize_t system_pwrite(UNUSED void *ctx, int fd, const void *bytes, size_t len, off_t offset)
{
    return pwrite(fd, bytes, len, offset);
}

static int system_fdatasync(UNUSED void *ctx, int fd)
{
    return fdatasync(fd);
}

static int system_fsync(UNUSED void *ctx, int fd)
{
    return fsync(fd);
}

static int system_ftruncate(UNUSED void *ctx, int fd, off_t len)
{
    return ftruncate(fd, len);
}

static int system_fstat(UNUSED void *ctx, int fd, struct stat *st)
{
    return fstat(fd, st);
}

static int system_rename(UNUSED void *ctx, const char *from, const char *to)
{
    return rename(from, to);
}

static int system_unlink(UNUSED void *ctx, const char *path)
{
    return unlink(path);
}

static int system_mkdir(UNUSED void *ctx, const char *path, mode_t mode)
{
    return mkdir(path, mode);
}

static int system_fsync_dir(UNUSED void *ctx, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    int rc = fsync(fd);
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return rc;
}

static const struct io_ops system_ops = {
    .open = system_open,
    .close = system_close,
    .read = system_read,
    .pread = system_pread,
    .write = system_write,
    .pwrite = system_pwrite,
    .fdatasync = system_fdatasync,
    .fsync = system_fsync,
    .ftruncate = system_ftruncate,
    .fstat = system_fstat,
    .rename = system_rename,
    .unlink = system_unlink,
    .mkdir = system_mkdir,
    .fsync_dir = system_fsync_dir,
};

const struct io io_system = {.ops = &system_ops};

// ---- on any table -----------------------------------------------------------------------------------------

int io_write_all(const struct io *io, int fd, struct slice bytes, const char *path, struct error *err)
{
    while (bytes.len) {
        ssize_t n = io->ops->write(io->ctx, fd, bytes.ptr, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, "cannot write '%s'", path);
        if (n == 0)
            return error_set(err, ERR_IO, "cannot write '%s': no progress", path);
        bytes = slice_skip(bytes, (size_t)n);
    }
    return 0;
}

static ssize_t read_some(const struct io *io, int fd, void *bytes, size_t len)
{
    ssize_t n;

    do
        n = io->ops->read(io->ctx, fd, bytes, len);
    while (n < 0 && errno == EINTR);
    return n;
}

// Steps grow with what was read: small files of /proc need one page, large ones few calls.
static size_t read_step(const struct buf *out, size_t total)
{
    size_t free_bytes = out->cap > out->len ? out->cap - out->len - 1 : 0;

    return MAX(MAX(free_bytes, total), READ_STEP_BYTES);
}

static int read_all(const struct io *io, int fd, const char *path, size_t max_bytes, struct buf *out,
                    struct error *err)
{
    size_t max = MIN(max_bytes, out->max_bytes - out->len);

    for (size_t total = 0;;) {
        size_t want = MIN(read_step(out, total), max - total);
        char probe; // at the maximum: tells its end from more to come
        char *space = want ? buf_reserve(out, want) : &probe;

        if (!space)
            return error_set(err, ERR_LIMIT, "cannot read '%s': out of memory", path);
        ssize_t n = read_some(io, fd, space, want ? want : 1);
        if (n < 0)
            return error_set_errno(err, "cannot read '%s'", path);
        if (n == 0)
            return 0;
        if (want == 0)
            return error_set(err, ERR_LIMIT, "'%s' is larger than %zu bytes", path, max);
        buf_commit(out, (size_t)n);
        total += (size_t)n;
    }
}

int io_read_file(const struct io *io, const char *path, size_t max_bytes, struct buf *out, struct error *err)
{
    int fd = io->ops->open(io->ctx, path, O_RDONLY, 0);

    if (fd < 0)
        return error_set_errno(err, "cannot open '%s'", path);
    int rc = read_all(io, fd, path, max_bytes, out, err);
    io->ops->close(io->ctx, fd);
    return rc;
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_strdup(".");
    return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

// Writes and syncs a new file; removes it again when that fails.
static int write_synced(const struct io *io, const char *path, struct slice bytes, mode_t mode,
                        struct error *err)
{
    int fd = io->ops->open(io->ctx, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);

    if (fd < 0)
        return error_set_errno(err, "cannot create '%s'", path);
    int rc = io_write_all(io, fd, bytes, path, err);
    if (rc == 0 && io->ops->fsync(io->ctx, fd) != 0)
        rc = error_set_errno(err, "cannot sync '%s'", path);
    if (io->ops->close(io->ctx, fd) != 0 && rc == 0)
        rc = error_set_errno(err, "cannot close '%s'", path);
    if (rc < 0)
        io->ops->unlink(io->ctx, path);
    return rc;
}

int io_replace_file(const struct io *io, const char *path, struct slice bytes, mode_t mode, struct error *err)
{
    char *parent = parent_of(path);
    size_t len = strlen(path);
    char *temporary = mem_alloc(len + sizeof(".tmp"));

    memcpy(temporary, path, len);
    memcpy(temporary + len, ".tmp", sizeof(".tmp"));
    int rc = write_synced(io, temporary, bytes, mode, err);
    if (rc == 0 && io->ops->rename(io->ctx, temporary, path) != 0) {
        rc = error_set_errno(err, "cannot rename '%s' to '%s'", temporary, path);
        io->ops->unlink(io->ctx, temporary);
    }
    if (rc == 0 && io->ops->fsync_dir(io->ctx, parent) != 0)
        rc = error_set_errno(err, "cannot sync directory '%s'", parent);
    mem_free(temporary);
    mem_free(parent);
    return rc;
}

int io_make_dirs(const struct io *io, const char *path, mode_t mode, struct error *err)
{
    char *part = mem_strdup(path);
    int rc = 0;

    for (char *at = part; rc == 0 && *at;) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        char saved = *at;
        *at = '\0';
        if (*part && io->ops->mkdir(io->ctx, part, mode) != 0 && errno != EEXIST)
            rc = error_set_errno(err, "cannot make directory '%s'", part);
        *at = saved;
    }
    mem_free(part);
    if (rc == 0 && !file_is_directory(path))
        rc = error_set(err, ERR_EXISTS, "'%s' is there but no directory", path);
    return rc;
}

// Without slashes at its end.
static int make_synced(const struct io *io, const char *path, mode_t mode, struct error *err)
{
    bool found = file_is_directory(path);
    int rc = 0;
    if (!found && file_exists(path))
        return error_set(err, ERR_EXISTS, "'%s' is there but no directory", path);
    char *parent = parent_of(path);
    if (!found && !file_is_directory(parent))
        rc = io_make_dirs_synced(io, parent, mode, err);
    if (rc == 0 && !found && io->ops->mkdir(io->ctx, path, mode) != 0 && !file_is_directory(path))
        rc = error_set_errno(err, "cannot make directory '%s'", path);
    if (rc == 0 && io->ops->fsync_dir(io->ctx, parent) != 0 && !(found && errno == EACCES))
        rc = error_set_errno(err, "cannot sync directory '%s'", parent);
    mem_free(parent);
    return rc;
}

int io_make_dirs_synced(const struct io *io, const char *path, mode_t mode, struct error *err)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    char *trimmed = mem_strndup(path, len);
    int rc = make_synced(io, trimmed, mode, err);
    mem_free(trimmed);
    return rc;
}

// ---- plain helpers ----------------------------------------------------------------------------------------

int file_read(const char *path, size_t max_bytes, struct buf *out, struct error *err)
{
    return io_read_file(&io_system, path, max_bytes, out, err);
}

bool file_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

bool file_is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int file_list(const char *path, char ***ret_names, size_t *ret_count, struct error *err)
{
    DIR *dir = opendir(path);
    char **names = NULL;
    size_t count = 0, cap = 0;

    if (!dir)
        return error_set_errno(err, "cannot open directory '%s'", path);
    errno = 0;
    for (struct dirent *entry; (entry = readdir(dir)); errno = 0) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        ENSURE_CAPACITY(names, cap, count + 1);
        names[count++] = mem_strdup(entry->d_name);
    }
    int rc = errno ? error_set_errno(err, "cannot read directory '%s'", path) : 0;
    closedir(dir);
    if (rc < 0) {
        file_list_free(&names, count);
        return rc;
    }
    if (count > 1)
        qsort(names, count, sizeof(*names), compare_names);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

void file_list_free(char ***names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free((*names)[i]);
    mem_free(*names);
    *names = NULL;
}

static int remove_children(const char *path, struct error *err)
{
    char **names = NULL;
    size_t count = 0;
    int rc = file_list(path, &names, &count, err);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        char *child = file_join(path, names[i]);

        rc = file_remove_tree(child, err);
        mem_free(child);
    }
    file_list_free(&names, count);
    return rc;
}

int file_remove_tree(const char *path, struct error *err)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return error_set_errno(err, "cannot stat '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return unlink(path) == 0 ? 0 : error_set_errno(err, "cannot remove '%s'", path);
    int rc = remove_children(path, err);
    if (rc == 0 && rmdir(path) != 0)
        rc = error_set_errno(err, "cannot remove directory '%s'", path);
    return rc;
}

char *file_join(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    bool slash = a_len == 0 || a[a_len - 1] != '/';
    char *path = mem_alloc(a_len + slash + b_len + 1);

    memcpy(path, a, a_len);
    if (slash)
        path[a_len] = '/';
    memcpy(path + a_len + slash, b, b_len);
    return path;
}
