// SPDX-License-Identifier: MIT
// What cc-run wants to know of the machine it runs on.
#ifndef RUN_MACHINE_H
#define RUN_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

// Numbers of the hardware threads this process may run on, ascending (sched_getaffinity), in memory of the
// arena.
int run_machine_hwthreads(struct arena *arena, int **ret_ids, size_t *ret_count, bool *ret_all,
                          struct error *err) MUST_CHECK;
// How often the kernel killed a process of our control group for lack of memory (cgroup v2, memory.events:
// oom_kill); -1 where it does not say. root: "" for the real machine.
int64_t run_machine_oom_kills(const char *root);
// Login name and name of the group; the numbers as text where they have no names.
const char *run_machine_user(struct arena *arena);
const char *run_machine_group(struct arena *arena);

#endif
