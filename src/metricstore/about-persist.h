// SPDX-License-Identifier: MIT
// What the log and the snapshots tell about themselves at /metrics.
#ifndef METRICSTORE_ABOUT_PERSIST_H
#define METRICSTORE_ABOUT_PERSIST_H

#include "base/buf.h"
#include "store/persist.h"

// OpenMetrics families cc_wal_* and cc_snapshot_*, without "# EOF".
void about_persist(const struct persist_stats *stats, struct buf *out);

#endif
