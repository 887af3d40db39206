// SPDX-License-Identifier: MIT
// A cluster description (cluster.json, spec job-archive.md 3.1) of one machine, for the metrics that
// cc-metric-collector measures there. Thresholds follow from the hardware; flop rates and memory bandwidth
// are nominal figures, which a measurement should replace.
#ifndef TOOLS_DESCRIBE_H
#define TOOLS_DESCRIBE_H

#include "base/buf.h"
#include "tools/machine.h"

struct describe_options {
    const char *cluster, *host;
    int64_t timestep_s;
};

// Appends the document: short objects on one line, so that people can edit it.
void describe_machine(const struct machine *machine, const struct describe_options *options, struct buf *out);

#endif
