// SPDX-License-Identifier: MIT
// Files. All access to data that must survive goes through one table of functions, struct io_ops, so that tests
// can inject short writes, EIO, ENOSPC and a crash at the n-th call (file-fault.h). Descriptors are O_CLOEXEC
// from birth. Errors name the path.
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

// Same contracts as the system calls of the same name: -1 and errno on failure, short counts allowed.
struct io_ops {
    int (*open)(void *ctx, const char *path, int flags, mode_t mode);
    int (*close)(void *ctx, int fd);
    ssize_t (*read)(void *ctx, int fd, void *bytes, size_t len);
    ssize_t (*pread)(void *ctx, int fd, void *bytes, size_t len, off_t offset);
    ssize_t (*write)(void *ctx, int fd, const void *bytes, size_t len);
    ssize_t (*pwrite)(void *ctx, int fd, const void *bytes, size_t len, off_t offset);
    int (*fdatasync)(void *ctx, int fd);
    int (*fsync)(void *ctx, int fd);
    int (*ftruncate)(void *ctx, int fd, off_t len);
    int (*fstat)(void *ctx, int fd, struct stat *st);
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*unlink)(void *ctx, const char *path);
    int (*mkdir)(void *ctx, const char *path, mode_t mode);
    int (*fsync_dir)(void *ctx, const char *path); // opens, fsyncs and closes a directory
};

struct io {
    const struct io_ops *ops;
    void *ctx;
};

extern const struct io io_system; // the real thing

int io_write_all(const struct io *io, int fd, struct slice bytes, const char *path,
                 struct error *err) MUST_CHECK;
// Reads the whole file; more than max_bytes is ERR_LIMIT; absent is ERR_NOT_FOUND. Appends to *out.
int io_read_file(const struct io *io, const char *path, size_t max_bytes, struct buf *out,
                 struct error *err) MUST_CHECK;
// Atomic replace: temporary file in the same directory, write, fsync, rename, fsync of the directory. On failure
// the temporary file is removed and the old file is untouched.
int io_replace_file(const struct io *io, const char *path, struct slice bytes, mode_t mode,
                    struct error *err) MUST_CHECK;
int io_make_dirs(const struct io *io, const char *path, mode_t mode,
                 struct error *err) MUST_CHECK; // mkdir -p
// The same with the names on disk, so that nothing hangs in the air after a power loss. The last name is synced
// also when it is there: who made it may have died before that. We may lack the right to for a folder that
// somebody else made.
int io_make_dirs_synced(const struct io *io, const char *path, mode_t mode, struct error *err) MUST_CHECK;

// Plain helpers on the real file system.
int file_read(const char *path, size_t max_bytes, struct buf *out, struct error *err) MUST_CHECK;
bool file_exists(const char *path);
bool file_is_directory(const char *path); // links are followed
// Names of the entries of a directory, sorted bytewise, without . and ..; free with file_list_free.
int file_list(const char *path, char ***ret_names, size_t *ret_count, struct error *err) MUST_CHECK;
void file_list_free(char ***names, size_t count);
int file_remove_tree(const char *path, struct error *err) MUST_CHECK;
// "<a>/<b>" on the heap.
char *file_join(const char *a, const char *b);

#endif
