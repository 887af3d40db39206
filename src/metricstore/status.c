// SPDX-License-Identifier: MIT
#include "metricstore/status.h"

#include "base/process.h"

#define BYTES_PER_MB 1000000

static void write_persist(const struct persist_stats *persist, int64_t now_s, struct buf *out)
{
    buf_printf(out, "; log %llu MB, %llu hosts to snapshot",
               (unsigned long long)(persist->wal.bytes / BYTES_PER_MB),
               (unsigned long long)persist->dirty_hosts);
    if (persist->oldest_dirty_s > 0 && persist->oldest_dirty_s <= now_s)
        buf_printf(out, ", oldest data %lld min", (long long)((now_s - persist->oldest_dirty_s) / 60));
    if (persist->unloaded_hosts > 0)
        buf_printf(out, ", %llu hosts not read from disk yet", (unsigned long long)persist->unloaded_hosts);
    if (persist->wal.failed_commits + persist->failed_snapshots + persist->failed_loads +
            persist->corrupt_files >
        0)
        buf_printf(
            out,
            "; FAILED since the start (see the journal): %llu writes to the log, %llu snapshots, %llu reads; "
            "%llu corrupt files",
            (unsigned long long)persist->wal.failed_commits, (unsigned long long)persist->failed_snapshots,
            (unsigned long long)persist->failed_loads, (unsigned long long)persist->corrupt_files);
}

void status_text(const struct store_stats *store, const struct persist_stats *persist, int64_t now_s,
                 struct buf *out)
{
    uint64_t bytes = store->bytes_open + store->bytes_sealed + store->bytes_index;

    buf_printf(out, "%llu hosts, %llu series, %llu MB of data", (unsigned long long)store->hosts,
               (unsigned long long)store->series, (unsigned long long)(bytes / BYTES_PER_MB));
    if (persist)
        write_persist(persist, now_s, out);
}

void status_notify(const struct store_stats *store, const struct persist_stats *persist, int64_t now_s)
{
    struct buf text;

    buf_init(&text, 1024);
    status_text(store, persist, now_s, &text);
    ignore_result(process_sd_notifyf("STATUS=%s", buf_cstr(&text))); // nobody may listen
    buf_release(&text);
}
