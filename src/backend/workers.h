// SPDX-License-Identifier: MIT
// What the server does every now and then, one after another in one thread (spec backend.md 7): stored
// durations and footprints of running jobs, retention and housekeeping of the engine. A worker runs first one
// interval after start.
#ifndef BACKEND_WORKERS_H
#define BACKEND_WORKERS_H

#include "backend/config.h"
#include "backend/jobs.h"

struct workers;

// Both are borrowed.
struct workers *workers_new(const struct jobs *jobs, const struct config *config);
void workers_free(struct workers **workers); // waits for the one that runs

// Single steps, for tests.
int workers_update_durations(const struct jobs *jobs, struct error *err) MUST_CHECK;
int workers_update_footprints(const struct jobs *jobs, int64_t *ret_updated, struct error *err) MUST_CHECK;
// Drops samples older than the retention; hosts of running jobs keep theirs. Returns freed chunks.
uint64_t workers_retain(const struct jobs *jobs, int64_t retention_s);

#endif
