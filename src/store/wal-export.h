// SPDX-License-Identifier: MIT
// Going back to upstream's store after a crash: the records of our log into a current.wal for each host, where upstream's store
// looks for them (metric-store.md 7.3). After a clean stop there is no log and nothing to do.
#ifndef STORE_WAL_EXPORT_H
#define STORE_WAL_EXPORT_H

#include <stdint.h>

#include "base/error.h"

struct wal_export_result {
    uint64_t hosts, samples;
    uint64_t damaged_regions, torn_bytes; // of our log, passed over
    uint64_t left_out; // samples that belong to damaged records or that upstream's format cannot hold
};

// Writes <directory>/<cluster>/<host>/current.wal (what is there already stays in front) and then removes the log. Nothing is
// removed unless everything was written and synced; it can be repeated after a failure. ERR_NOT_FOUND: there is no log. ERR_BUSY: a
// store is running on it.
int wal_export(const char *directory, struct wal_export_result *ret, struct error *err) MUST_CHECK;

#endif
