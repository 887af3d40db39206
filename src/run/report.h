// SPDX-License-Identifier: MIT
// Telling the backend that a job starts and stops. The command matters more than its record: failures are
// told on standard error and never stop anything. One thread at a time.
#ifndef RUN_REPORT_H
#define RUN_REPORT_H

#include <stdbool.h>

#include "run/job.h"

struct run_report;

// What is known of the job at the backend.
enum run_record {
    RUN_RECORD_NONE,    // not told yet, or the backend could not be reached
    RUN_RECORD_DONE,    // it knows the job
    RUN_RECORD_REFUSED, // it does not want the job
};

// url and token are borrowed. quiet: no word about what went well.
struct run_report *run_report_new(const char *url, const char *token, bool quiet);
void run_report_free(struct run_report **report);
// With derived_id a job number that is taken is replaced by the next free one, in *job.
void run_report_start(struct run_report *report, struct run_job *job, bool derived_id);
// Tells the start first where that has not been possible. Tries for a short while; when that fails, says how
// to stop the job by hand.
void run_report_stop(struct run_report *report, struct run_job *job, const char *state, int64_t stop_s);

#endif
