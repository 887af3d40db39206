// SPDX-License-Identifier: MIT
// What a machine says of itself in /proc and /sys, as far as a cluster description needs it. Everything is
// read below a root folder, so captured trees of other machines work as well.
#ifndef TOOLS_MACHINE_H
#define TOOLS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/topology.h"

struct machine_sensor {
    const char *metric;        // name of its temperature metric
    int64_t max_c, critical_c; // degrees Celsius; 0: not told
};

struct machine {
    struct hwtopology topology;
    const char *processor; // "" when unknown
    double clock_mhz;      // highest; 0 when unknown
    unsigned
        flops_per_cycle; // of a core: double precision, widest vectors; 4 when the instruction set is unknown
    bool has_cpufreq;    // every core has a file with its frequency
    uint64_t memory_kib, swap_kib;
    uint64_t network_bytes_per_s;   // of the fastest interface; 0 when none tells
    struct machine_sensor *sensors; // ascending by metric, distinct
    size_t sensor_count;
};

// root "" or "/" is the real machine. Only a missing topology is an error; all else may be unknown.
int machine_read(const char *root, struct arena *arena, struct machine *ret, struct error *err) MUST_CHECK;

#endif
