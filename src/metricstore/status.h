// SPDX-License-Identifier: MIT
// The line that 'systemctl status' shows: what is in the store, what is on disk, what goes wrong.
#ifndef METRICSTORE_STATUS_H
#define METRICSTORE_STATUS_H

#include "base/buf.h"
#include "store/persist.h"
#include "store/store.h"

// "1000 hosts, 21760 series, 512 MB of data; log 12 MB, 40 hosts to snapshot, oldest data 3 min". What has failed since the start
// follows, if something has. persist NULL: nothing is kept on disk.
void status_text(const struct store_stats *store, const struct persist_stats *persist, int64_t now_s,
                 struct buf *out);
// Tells systemd, when it listens.
void status_notify(const struct store_stats *store, const struct persist_stats *persist, int64_t now_s);

#endif
