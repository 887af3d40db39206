// SPDX-License-Identifier: MIT
// What is computed from the metric data of a finished (or running) job: statistics, footprint, energy (spec
// backend.md 6.4-6.6). Pure; memory from the arena.
#ifndef BACKEND_JOB_STATS_H
#define BACKEND_JOB_STATS_H

#include "backend/job-data.h"
#include "model/job.h"

// Per metric with node scope data: avg over the hosts that have values, min of minima, max of maxima, rounded
// to two decimals. Series without any value count for nothing; a metric of which no host has values is left
// out.
void job_stats_compute(const struct job_data *data, const struct subcluster *sub, struct arena *arena,
                       struct job *job);
// "<metric>_<avg|min|max>" for each metric of the sub-cluster's footprint; 0 where there are no statistics.
// The statistic is the sub-cluster's own setting (which falls back to the cluster's when there is no
// override).
void job_stats_footprint(const struct subcluster *sub, struct arena *arena, struct job *job);
// kWh per metric of the energy footprint, and the sum: avg [W] x nodes x duration [h] / 1000, rounded.
// Metrics that count joules give 0 (compatible).
void job_stats_energy(const struct subcluster *sub, struct arena *arena, struct job *job);

#endif
