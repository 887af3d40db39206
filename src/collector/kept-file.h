// SPDX-License-Identifier: MIT
// A file of /proc or /sys that is read again and again. It stays open and is read with pread, which costs a third of
// open + read + close. Captured trees below a given root are made of ordinary files that may be replaced or deleted:
// there a file without a name any more is opened anew.
#ifndef COLLECTOR_KEPT_FILE_H
#define COLLECTOR_KEPT_FILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

struct kept_file {
    char *path;    // NULL: not open
    int fd;        // -1: to be opened at the next read
    bool ordinary; // below a root: the name may come to mean another file
};

// path begins with '/'. The file must be readable now.
int kept_file_open(struct kept_file *file, const char *root, const char *path, struct error *err) MUST_CHECK;
void kept_file_close(struct kept_file *file); // accepts a zeroed struct
// Replaces the contents of *out, whose maximum bounds what is read.
int kept_file_read(struct kept_file *file, struct buf *out, struct error *err) MUST_CHECK;
// For attributes of /sys, which are one short text: one system call. Returns the text, trimmed, in 'text'.
int kept_file_read_attribute(struct kept_file *file, char *text, size_t size, struct slice *ret,
                             struct error *err) MUST_CHECK;

#endif
