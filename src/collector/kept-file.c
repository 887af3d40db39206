// SPDX-License-Identifier: MIT
#include "collector/kept-file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"

#define READ_STEP_BYTES ((size_t)8 << 10)

static int open_path(const char *path, int *ret_fd, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, "cannot open '%s'", path);
    *ret_fd = fd;
    return 0;
}

int kept_file_open(struct kept_file *file, const char *root, const char *path, struct error *err)
{
    int fd = -1;
    size_t root_len = strlen(root), path_len = strlen(path);
    char *full = mem_alloc(root_len + path_len + 1);
    memcpy(full, root, root_len);
    memcpy(full + root_len, path, path_len);
    int rc = open_path(full, &fd, err);
    if (rc < 0) {
        mem_free(full);
        return rc;
    }
    *file = (struct kept_file){.path = full, .fd = fd};
    if (root_len) {
        close(fd);
        file->fd = -1;
    }
    return 0;
}

void kept_file_close(struct kept_file *file)
{
    if (file->path && file->fd >= 0)
        close(file->fd);
    mem_free(file->path);
    *file = (struct kept_file){.fd = -1};
}

static int read_all(int fd, const char *path, struct buf *out, struct error *err)
{
    buf_clear(out);
    for (;;) {
        char *at = buf_reserve(out, READ_STEP_BYTES);
        if (!at)
            return error_set(err, ERR_LIMIT, "'%s' is longer than %zu bytes", path, out->max_bytes);
        ssize_t n = pread(fd, at, out->cap - out->len - 1, (off_t)out->len);
        if (n > 0)
            buf_commit(out, (size_t)n);
        else if (n == 0)
            return 0;
        else if (errno != EINTR)
            return error_set_errno(err, "cannot read '%s'", path);
    }
}

int kept_file_read(const struct kept_file *file, struct buf *out, struct error *err)
{
    int fd = file->fd;
    if (fd < 0) {
        int rc = open_path(file->path, &fd, err);
        if (rc < 0)
            return rc;
    }
    int rc = read_all(fd, file->path, out, err);
    if (file->fd < 0)
        close(fd);
    return rc;
}

int kept_file_read_attribute(const struct kept_file *file, char *text, size_t size, struct slice *ret,
                             struct error *err)
{
    int fd = file->fd;
    if (fd < 0) {
        int rc = open_path(file->path, &fd, err);
        if (rc < 0)
            return rc;
    }
    ssize_t n;
    do
        n = pread(fd, text, size, 0);
    while (n < 0 && errno == EINTR);
    int rc = n < 0 ? error_set_errno(err, "cannot read '%s'", file->path) : 0;
    if (file->fd < 0)
        close(fd);
    if (rc == 0)
        *ret = slice_trim(slice_of(text, (size_t)n));
    return rc;
}
