// SPDX-License-Identifier: MIT
// Tells cc-backend about the simulated jobs: start_job and stop_job over REST (spec backend.md 4.4).
#ifndef TOOLS_LOAD_REPORT_H
#define TOOLS_LOAD_REPORT_H

#include <stdint.h>

#include "tools/load-plan.h"

struct load_reporter;

struct load_reported {
    uint64_t started, stopped;
    uint64_t known; // answered 422: an earlier run of the generator with the same seed did it
    uint64_t failed;
    struct error first_failure; // code ERR_NONE: none
};

struct load_reporter *load_reporter_new(const struct load_plan *plan, const char *url,
                                        const char *token); // borrowed
void load_reporter_free(struct load_reporter **reporter);
// Starts the jobs that begin in [from, to), in order.
void load_report_starts(struct load_reporter *reporter, int64_t from, int64_t to);
// Stops the jobs that began at or after 'since' and end in [from, to).
void load_report_stops(struct load_reporter *reporter, int64_t since, int64_t from, int64_t to);
void load_reporter_sum(const struct load_reporter *reporter, struct load_reported *ret);
// The body of start_job, for tests.
void load_print_start(const struct load_plan *plan, const struct load_job *job, struct buf *out);

#endif
