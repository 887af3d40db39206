// SPDX-License-Identifier: MIT
// The command as a child: in a process group of its own, which gets the terminal when we have it; signals are
// passed on to the group. Prepare before any thread starts (they inherit the signal mask).
#ifndef RUN_CHILD_H
#define RUN_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "run/job.h"

struct run_child {
    pid_t pid; // also the number of its process group
    int signal_fd;
    bool terminal; // standard input is our terminal and we are in front
};

// Blocks the signals that are passed on and opens the descriptor they are read from.
int run_child_prepare(struct run_child *ret, struct error *err) MUST_CHECK;
// Starts argv (searched in PATH). ERR_NOT_FOUND: no such command; other errors: it cannot be executed.
int run_child_start(struct run_child *child, char *const argv[], struct error *err) MUST_CHECK;
// Passes signals on until the command has ended. With a time limit (0: none) the group gets SIGTERM when it
// is reached and SIGKILL half a minute later. Afterwards the terminal is ours again.
int run_child_wait(struct run_child *child, int64_t walltime_s, struct run_outcome *ret,
                   struct error *err) MUST_CHECK;
void run_child_release(struct run_child *child);

#endif
