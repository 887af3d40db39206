// SPDX-License-Identifier: MIT
#include "collector/kept-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
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
    *file = (struct kept_file){.path = full, .fd = fd, .ordinary = root_len > 0};
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

// Makes sure that file->fd is the file of that name.
static int refresh(struct kept_file *file, struct error *err)
{
    struct stat st;
    if (file->ordinary && file->fd >= 0 && (fstat(file->fd, &st) < 0 || st.st_nlink == 0)) {
        close(file->fd);
        file->fd = -1;
    }
    return file->fd >= 0 ? 0 : open_path(file->path, &file->fd, err);
}

int kept_file_read(struct kept_file *file, struct buf *out, struct error *err)
{
    int rc = refresh(file, err);
    return rc < 0 ? rc : read_all(file->fd, file->path, out, err);
}

int kept_file_read_attribute(struct kept_file *file, char *text, size_t size, struct slice *ret,
                             struct error *err)
{
    int rc = refresh(file, err);
    if (rc < 0)
        return rc;
    ssize_t n;
    do
        n = pread(file->fd, text, size, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_set_errno(err, "cannot read '%s'", file->path);
    *ret = slice_trim(slice_of(text, (size_t)n));
    return 0;
}
