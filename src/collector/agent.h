// SPDX-License-Identifier: MIT
// The node agent as a whole: builds sinks, router and scheduler from a configuration, ticks, and ends
// cleanly.
//
// Threads: this one (timer, signals), the scheduler's (sources, encoding), one sender per sink.
//
// End: the timer stops, a run that is going is waited for, then all sinks send what they have, for DRAIN_MS
// at most (below the stop time-out of the service manager). Every loss is counted and logged. A second signal
// ends the process at once.
#ifndef COLLECTOR_AGENT_H
#define COLLECTOR_AGENT_H

#include <stdbool.h>

#include "collector/config.h"

struct agent_options {
    const char *root; // "" the real machine
    bool once;        // one collection after one interval, then the end
    // Called in the loop thread once everything runs; may be NULL. The router takes messages from any thread until the
    // process ends. For what puts in messages that are not from a source: the feeding program of the tests.
    void (*started)(void *ctx, struct router *router);
    void *ctx;
};

// Returns the exit status: 0 after an orderly end; 1 when it could not start, or with 'once' delivered
// nothing. Signals must not be blocked or handled by others; call it once, before other threads exist.
int agent_run(const struct config *config, const struct agent_options *options);

#endif
