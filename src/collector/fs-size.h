// SPDX-License-Identifier: MIT
// Size of a file system, by statfs(2). Below a root directory, which cannot have mounts of its own, the file
// <root>/statfs.json may stand for it: an object of mount point -> {"bsize", "blocks", "bfree"}; mount points
// that it does not name do not exist.
#ifndef COLLECTOR_FS_SIZE_H
#define COLLECTOR_FS_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct fs_size {
    uint64_t total_bytes, free_bytes; // free for root
};

struct fs_sizes; // how to find out

int fs_sizes_new(const char *root, struct fs_sizes **ret, struct error *err) MUST_CHECK;
void fs_sizes_free(struct fs_sizes **sizes);
// False when there is no such file system or it has no size. May block as long as the file system does.
bool fs_size_get(const struct fs_sizes *sizes, const char *mount_point, struct fs_size *ret);

#endif
