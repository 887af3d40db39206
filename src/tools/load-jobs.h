// SPDX-License-Identifier: MIT
// Jobs of the simulated cluster. The nodes are cut into groups of 1 to 16; the time of a group into windows,
// each with at most one job, so that the job at any time is found without a history. Jobs have one of a few
// characters (compute, memory bound, communicating, input and output, one idle node, unbalanced, stalled) and
// phases.
#ifndef TOOLS_LOAD_JOBS_H
#define TOOLS_LOAD_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct load_jobs;

// Fractions of the peak, 0 to 1.
struct load_profile {
    const char *name;
    double user, flops, bandwidth, memory, ipc, network, files, accelerator;
    double ramp;         // fraction of the run that starts up with little activity
    double burst;        // depth of the periodic bursts, 0: steady
    double burst_period; // seconds
    double unbalance;    // the last hardware threads do less by this
    bool stalls;         // nothing happens any more after 60 % of the run
    bool idle_node;      // the last node of the job does nothing
};

struct load_job {
    int64_t id;
    size_t first_node, node_count;
    int64_t start_s, stop_s; // Unix seconds
    int64_t walltime_s;
    const char *state; // at the end
    int user;          // user simNN of project pNN
    const struct load_profile *profile;
};

struct load_jobs *load_jobs_new(size_t node_count, int64_t window_s, uint64_t seed);
void load_jobs_free(struct load_jobs **jobs);
// The job on a node at a time; false: idle.
bool load_job_at(const struct load_jobs *jobs, size_t node, int64_t ts, struct load_job *ret);
// All jobs with start_s (by_stop: stop_s) in [from, to), sorted by it; heap, the caller frees with mem_free.
struct load_job *load_jobs_between(const struct load_jobs *jobs, int64_t from, int64_t to, bool by_stop,
                                   size_t *ret_count);

#endif
