// SPDX-License-Identifier: MIT
// The job that a run of cc-run is: the bodies of start_job and stop_job (spec backend.md 4.4) and the state
// it ends in. No input or output here. Texts are borrowed from the caller.
#ifndef RUN_JOB_H
#define RUN_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct run_job {
    const char *cluster, *host, *name, *project, *partition, *user, *tags;
    int64_t job_id, walltime_s, start_s; // Unix seconds
    const int *hwthreads;                // this process may run on, ascending
    size_t hwthread_count;
    bool whole_node; // they are all there are
    char *const *argv;
};

// How the command ended.
struct run_outcome {
    int exit_status; // when it ended by itself
    int signal;      // when a signal ended it, else 0
    bool stop_asked; // we passed on a signal that asks to end
    bool timed_out;  // we ended it at the time limit
    bool out_of_memory;
};

// A number that no other run has, most likely: milliseconds since 1970 modulo 2^40. Exact in JSON readers
// that have doubles only.
int64_t run_job_derive_id(int64_t unix_ms);
// "type:name,type:name": false when a tag lacks one of both.
bool run_job_tags_valid(const char *tags);
void run_job_start_body(const struct run_job *job, struct buf *out);
// stopTime is never before the start, whatever the clock did.
void run_job_stop_body(const struct run_job *job, const char *state, int64_t stop_s, struct buf *out);
// The arguments as one line for a shell: quoted where needed.
void run_job_command_line(char *const argv[], struct buf *out);
const char *run_job_state(const struct run_outcome *outcome); // a job state name
int run_job_exit_code(const struct run_outcome *outcome);     // the status, or 128 + signal

#endif
