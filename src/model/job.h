// SPDX-License-Identifier: MIT
// The job record of REST, NATS, meta.json and the database (spec backend.md 3.1-3.3). Memory of a decoded job comes
// from the arena given; slices and arrays live as long as it.
#ifndef MODEL_JOB_H
#define MODEL_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "codec/json.h"
#include "model/cluster.h"

enum job_state {
    JOB_STATE_INVALID = 0,
    JOB_BOOT_FAIL,
    JOB_CANCELLED,
    JOB_COMPLETED,
    JOB_DEADLINE,
    JOB_FAILED,
    JOB_NODE_FAIL,
    JOB_OUT_OF_MEMORY,
    JOB_PENDING,
    JOB_PREEMPTED,
    JOB_RUNNING,
    JOB_SUSPENDED,
    JOB_TIMEOUT,
};
enum job_state job_state_from_name(struct slice name); // JOB_STATE_INVALID when unknown
const char *job_state_name(enum job_state state);

enum monitoring_status {
    MONITORING_DISABLED = 0,
    MONITORING_RUNNING_OR_ARCHIVING = 1,
    MONITORING_ARCHIVING_FAILED = 2,
    MONITORING_ARCHIVING_SUCCESSFUL = 3,
};

struct job_resource {
    struct slice hostname;
    struct slice configuration;
    int *hwthreads;
    size_t hwthread_count;
    struct slice *accelerators;
    size_t accelerator_count;
};

struct job_tag {
    struct slice type, name, scope;
    int64_t id;
};

struct job_number { // member of footprint and energyFootprint
    struct slice name;
    double value;
};
struct job_text { // member of metaData
    struct slice key, value;
};
struct job_statistic {
    struct slice metric;
    struct slice unit_base, unit_prefix;
    double avg, min, max;
};

struct job {
    struct slice cluster, subcluster, partition, project, user, shared;
    enum job_state state;
    struct slice state_text; // as received; for messages about invalid states
    struct job_tag *tags;
    size_t tag_count;
    struct job_resource *resources;
    size_t resource_count;
    bool has_energy_footprint, has_footprint, has_meta_data, has_statistics; // false: JSON null
    struct job_number *energy_footprint, *footprint;                         // sorted by name
    size_t energy_footprint_count, footprint_count;
    struct job_text *meta_data; // sorted by key
    size_t meta_data_count;
    struct job_statistic *statistics; // sorted by metric
    size_t statistic_count;
    double energy_kwh;
    int64_t array_job_id, walltime_s, requested_memory_mb, job_id;
    int64_t duration_s, smt, monitoring_status, num_acc, num_hwthreads, num_nodes;
    int64_t id;                      // database id, 0: none
    int64_t submit_time, start_time; // Unix seconds
};

// Strict: unknown members are errors (start requests); lenient: they are ignored (archived meta.json). Defaults:
// shared "none", monitoringStatus 1. Error texts as Go's decoder: json: unknown field "x", ...
int job_decode(const struct json_value *value, bool strict, struct arena *arena, struct job *ret,
               struct error *err) MUST_CHECK;
// One line in the field order of 3.1, without a newline.
void job_encode(const struct job *job, struct buf *out);
// Parts that the database keeps as JSON columns.
void job_encode_resources(const struct job *job, struct buf *out);
int job_decode_resources(const struct json_value *value, bool strict, struct arena *arena, struct job *job,
                         struct error *err) MUST_CHECK;
void job_encode_meta_data(const struct job *job, struct buf *out); // object or null
void job_encode_footprint(const struct job_number *items, size_t count, bool present, struct buf *out);
int job_decode_numbers(const struct json_value *value, struct arena *arena, struct job_number **ret,
                       size_t *ret_count, bool *ret_present, struct error *err) MUST_CHECK;
int job_decode_meta_data(const struct json_value *value, struct arena *arena, struct job *job,
                         struct error *err) MUST_CHECK;

#endif
