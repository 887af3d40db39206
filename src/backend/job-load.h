// SPDX-License-Identifier: MIT
// Metric data of a job from the storage engine (spec backend.md 10.2, 10.4): which metrics and scopes, one
// query per host, merged into struct job_data.
#ifndef BACKEND_JOB_LOAD_H
#define BACKEND_JOB_LOAD_H

#include "backend/job-data.h"
#include "model/cluster.h"
#include "model/job.h"
#include "store/store.h"

struct job_load {
    struct store *store;                // borrowed
    const struct cluster_set *clusters; // borrowed
    const struct job *job;              // its duration_s gives the end of the range
    const struct slice *metrics;        // none: all of the sub-cluster
    size_t metric_count;
    const enum scope *scopes;
    size_t scope_count;
    int64_t resolution_s; // 0: native
    bool without_data;    // statistics only
};

struct job_load_result {
    struct job_data data;
    size_t failures; // selectors that the engine could not answer
    struct error first_failure;
};

// ERR_NOT_FOUND: cluster or sub-cluster is not configured. Missing data is no error; single failures are
// counted.
int job_load_run(const struct job_load *load, struct arena *arena, struct job_load_result *ret,
                 struct error *err) MUST_CHECK;
// Scopes that the archive keeps (spec 6.4, sound): node, with at most 8 nodes core, and accelerator for
// metrics whose own scope it is.
size_t job_archive_scopes(const struct job *job, enum scope scopes[3]);

#endif
