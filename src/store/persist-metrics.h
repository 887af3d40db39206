// SPDX-License-Identifier: MIT
// What the log and the snapshots tell about themselves at /metrics.
#ifndef STORE_PERSIST_METRICS_H
#define STORE_PERSIST_METRICS_H

#include "base/buf.h"
#include "store/persist.h"

// OpenMetrics families cc_wal_* and cc_snapshot_*, without "# EOF".
void persist_metrics(const struct persist_stats *stats, struct buf *out);

#endif
