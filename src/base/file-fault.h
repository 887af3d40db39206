// SPDX-License-Identifier: MIT
// An io table for tests: passes calls through to the real file system but fails at the n-th call, writes short,
// or "crashes" (every call after the n-th fails with EIO and, for power loss, unsynced bytes are thrown away
// or torn at a 512-byte border, and names whose directory was not synced go back to what they were). Not for
// production code.
#ifndef BASE_FILE_FAULT_H
#define BASE_FILE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"

struct io_fault;

// A short write does half of it: of one byte nothing (EINTR), or all when it is sticky.
enum io_fault_kind { IO_FAULT_NONE, IO_FAULT_ERRNO, IO_FAULT_SHORT_WRITE, IO_FAULT_CRASH };

struct io_fault_plan {
    enum io_fault_kind kind;
    uint64_t at_call; // 1-based number of the call that fails
    int error_number; // for IO_FAULT_ERRNO: EIO, ENOSPC, ...
    bool sticky;      // later calls fail too
};

struct io_fault *io_fault_new(const struct io_fault_plan *plan);
void io_fault_free(struct io_fault **fault);
struct io io_fault_io(struct io_fault *fault);
uint64_t io_fault_calls(const struct io_fault *fault); // calls seen so far
// What a power failure may leave behind (seeded):
//   bytes   what was written after the last fsync/fdatasync of a file is undone, but for a random multiple of
//           512 bytes of it
//   names   files and directories made, renamed and removed since the last fsync_dir of their directory: a random
//           number of these changes, from the newest on in each directory, is undone. A rename belongs to the
//           directory of the new name. Files that come back have their durable bytes, in a new inode.
void io_fault_power_loss(struct io_fault *fault, uint64_t seed);

#endif
