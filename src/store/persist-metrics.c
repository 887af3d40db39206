// SPDX-License-Identifier: MIT
#include "store/persist-metrics.h"

#include <stddef.h>

#define AT(member) offsetof(struct persist_stats, member)

// In order of output. The suffix of counters (_total) is added; a name that ends in _bytes or _seconds carries its unit.
static const struct {
    const char *family, *type;
    size_t offset; // of a uint64_t
    const char *help;
} rows[] = {
    {"cc_wal_size_bytes", "gauge", AT(wal.bytes), "Size of all segments of the log."},
    {"cc_wal_segments", "gauge", AT(wal.segments), "Segment files of the log."},
    {"cc_wal_pending_bytes", "gauge", AT(wal.pending_bytes), "Bytes that are not written to the log yet."},
    {"cc_wal_records", "counter", AT(wal.records), "Records written to the log."},
    {"cc_wal_written_bytes", "counter", AT(wal.written_bytes), "Bytes written to the log."},
    {"cc_wal_commits", "counter", AT(wal.commits), "Writes and syncs of the log."},
    {"cc_wal_failed_commits", "counter", AT(wal.failed_commits), "Writes or syncs of the log that failed."},
    {"cc_wal_failed_records", "counter", AT(wal.failed_records),
     "Records that did not reach the disk; their senders were told."},
    {"cc_wal_waits", "counter", AT(wal.waits), "Batches that waited because too much was pending."},
    {"cc_wal_replayed_records", "counter", AT(wal.replayed_records), "Records replayed at the start."},
    {"cc_wal_replayed_bytes", "counter", AT(wal.replayed_bytes), "Bytes replayed at the start."},
    {"cc_wal_torn_bytes", "counter", AT(wal.torn_bytes), "Bytes cut from the end of the log at the start."},
    {"cc_wal_damaged_regions", "counter", AT(wal.damaged_regions),
     "Damaged places that the replay passed over."},
    {"cc_wal_damaged_bytes", "counter", AT(wal.damaged_bytes), "Bytes of the damaged places."},
    {"cc_wal_missing_segments", "counter", AT(wal.missing_segments),
     "Gaps between the segments of the log at the start."},
    {"cc_wal_failed_drops", "counter", AT(wal.failed_drops),
     "Segments that could not be removed, each time."},
    {"cc_wal_replayed_samples", "counter", AT(replayed_samples), "Samples taken from the log at the start."},
    {"cc_wal_unknown_samples", "counter", AT(unknown_samples),
     "Samples of the log that belong to metrics that are not configured or to damaged records."},
    {"cc_snapshots", "counter", AT(snapshots), "Snapshots of hosts written."},
    {"cc_snapshot_written_bytes", "counter", AT(snapshot_bytes), "Bytes of the snapshots written."},
    {"cc_failed_snapshots", "counter", AT(failed_snapshots), "Snapshots that could not be written."},
    {"cc_rewritten_snapshots", "counter", AT(rewritten_snapshots),
     "Snapshots written again because of late data."},
    {"cc_snapshot_dirty_hosts", "gauge", AT(dirty_hosts), "Hosts with data that no snapshot has yet."},
    {"cc_snapshot_unloaded_hosts", "gauge", AT(unloaded_hosts), "Hosts whose snapshots were not read yet."},
    {"cc_snapshot_loaded_files", "counter", AT(loaded_files), "Snapshots read."},
    {"cc_snapshot_loaded_bytes", "counter", AT(loaded_bytes), "Bytes of the snapshots read."},
    {"cc_snapshot_corrupt_files", "counter", AT(corrupt_files), "Snapshots that were damaged."},
    {"cc_snapshot_failed_loads", "counter", AT(failed_loads), "Snapshots that could not be read."},
};

static bool ends_with(const char *name, const char *suffix)
{
    return slice_ends_with(slice_from_cstr(name), slice_from_cstr(suffix));
}

static void write_head(const char *family, const char *type, const char *help, struct buf *out)
{
    buf_printf(out, "# TYPE %s %s\n", family, type);
    if (ends_with(family, "_bytes") || ends_with(family, "_seconds"))
        buf_printf(out, "# UNIT %s %s\n", family, ends_with(family, "_bytes") ? "bytes" : "seconds");
    buf_printf(out, "# HELP %s %s\n", family, help);
}

void persist_metrics(const struct persist_stats *stats, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const uint64_t *value = (const uint64_t *)(const void *)((const char *)stats + rows[i].offset);

        write_head(rows[i].family, rows[i].type, rows[i].help, out);
        buf_printf(out, "%s%s %llu\n", rows[i].family, rows[i].type[0] == 'c' ? "_total" : "",
                   (unsigned long long)*value);
    }
    write_head("cc_wal_commit_seconds", "summary", "Time of the syncs of the log.", out);
    buf_printf(out, "cc_wal_commit_seconds_count %llu\ncc_wal_commit_seconds_sum %.9f\n",
               (unsigned long long)stats->wal.commits, (double)stats->wal.sync_ns_sum / 1e9);
    write_head("cc_wal_longest_commit_seconds", "gauge", "Longest sync of the log since the start.", out);
    buf_printf(out, "cc_wal_longest_commit_seconds %.9f\n", (double)stats->wal.sync_ns_max / 1e9);
    write_head("cc_wal_oldest_data_timestamp_seconds", "gauge",
               "Unix time of the oldest sample that no snapshot has yet, 0: none.", out);
    buf_printf(out, "cc_wal_oldest_data_timestamp_seconds %lld\n", (long long)stats->oldest_dirty_s);
    write_head("cc_wal_replay_seconds", "gauge", "How long the replay of the log took at the start.", out);
    buf_printf(out, "cc_wal_replay_seconds %.6f\n", stats->replay_s);
}
