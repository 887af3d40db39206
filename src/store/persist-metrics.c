// SPDX-License-Identifier: MIT
#include "store/persist-metrics.h"

#include <stddef.h>

#include "codec/openmetrics.h"

#define AT(member) offsetof(struct persist_stats, member)

// In order of output.
static const struct openmetrics_row rows[] = {
    {"cc_wal_size_bytes", OPENMETRICS_GAUGE, "", AT(wal.bytes), "Size of all segments of the log."},
    {"cc_wal_segments", OPENMETRICS_GAUGE, "", AT(wal.segments), "Segment files of the log."},
    {"cc_wal_pending_bytes", OPENMETRICS_GAUGE, "", AT(wal.pending_bytes),
     "Bytes that are not written to the log yet."},
    {"cc_wal_records", OPENMETRICS_COUNTER, "", AT(wal.records), "Records written to the log."},
    {"cc_wal_written_bytes", OPENMETRICS_COUNTER, "", AT(wal.written_bytes), "Bytes written to the log."},
    {"cc_wal_commits", OPENMETRICS_COUNTER, "", AT(wal.commits), "Writes and syncs of the log."},
    {"cc_wal_failed_commits", OPENMETRICS_COUNTER, "", AT(wal.failed_commits),
     "Writes or syncs of the log that failed."},
    {"cc_wal_failed_records", OPENMETRICS_COUNTER, "", AT(wal.failed_records),
     "Records that did not reach the disk; their senders were told."},
    {"cc_wal_waits", OPENMETRICS_COUNTER, "", AT(wal.waits),
     "Batches that waited because too much was pending."},
    {"cc_wal_replayed_records", OPENMETRICS_COUNTER, "", AT(wal.replayed_records),
     "Records replayed at the start."},
    {"cc_wal_replayed_bytes", OPENMETRICS_COUNTER, "", AT(wal.replayed_bytes),
     "Bytes replayed at the start."},
    {"cc_wal_torn_bytes", OPENMETRICS_COUNTER, "", AT(wal.torn_bytes),
     "Bytes cut from the end of the log at the start."},
    {"cc_wal_damaged_regions", OPENMETRICS_COUNTER, "", AT(wal.damaged_regions),
     "Damaged places that the replay passed over."},
    {"cc_wal_damaged_bytes", OPENMETRICS_COUNTER, "", AT(wal.damaged_bytes), "Bytes of the damaged places."},
    {"cc_wal_missing_segments", OPENMETRICS_COUNTER, "", AT(wal.missing_segments),
     "Gaps between the segments of the log at the start."},
    {"cc_wal_failed_drops", OPENMETRICS_COUNTER, "", AT(wal.failed_drops),
     "Segments that could not be removed, each time."},
    {"cc_wal_replayed_samples", OPENMETRICS_COUNTER, "", AT(replayed_samples),
     "Samples taken from the log at the start."},
    {"cc_wal_unknown_samples", OPENMETRICS_COUNTER, "", AT(unknown_samples),
     "Samples of the log that belong to metrics that are not configured or to damaged records."},
    {"cc_snapshots", OPENMETRICS_COUNTER, "", AT(snapshots), "Snapshots of hosts written."},
    {"cc_snapshot_written_bytes", OPENMETRICS_COUNTER, "", AT(snapshot_bytes),
     "Bytes of the snapshots written."},
    {"cc_failed_snapshots", OPENMETRICS_COUNTER, "", AT(failed_snapshots),
     "Snapshots that could not be written."},
    {"cc_rewritten_snapshots", OPENMETRICS_COUNTER, "", AT(rewritten_snapshots),
     "Snapshots written again because of late data."},
    {"cc_snapshot_dirty_hosts", OPENMETRICS_GAUGE, "", AT(dirty_hosts),
     "Hosts with data that no snapshot has yet."},
    {"cc_snapshot_unloaded_hosts", OPENMETRICS_GAUGE, "", AT(unloaded_hosts),
     "Hosts whose snapshots were not read yet."},
    {"cc_snapshot_loaded_files", OPENMETRICS_COUNTER, "", AT(loaded_files), "Snapshots read."},
    {"cc_snapshot_loaded_bytes", OPENMETRICS_COUNTER, "", AT(loaded_bytes), "Bytes of the snapshots read."},
    {"cc_snapshot_corrupt_files", OPENMETRICS_COUNTER, "", AT(corrupt_files), "Snapshots that were damaged."},
    {"cc_snapshot_failed_loads", OPENMETRICS_COUNTER, "", AT(failed_loads),
     "Snapshots that could not be read."},
};

void persist_metrics(const struct persist_stats *stats, struct buf *out)
{
    openmetrics_rows(out, rows, ARRAY_LEN(rows), stats);
    openmetrics_family(out, "cc_wal_commit_seconds", OPENMETRICS_SUMMARY, "Time of the syncs of the log.");
    buf_printf(out, "cc_wal_commit_seconds_count %llu\ncc_wal_commit_seconds_sum %.9f\n",
               (unsigned long long)stats->wal.commits, (double)stats->wal.sync_ns_sum / 1e9);
    openmetrics_family(out, "cc_wal_longest_commit_seconds", OPENMETRICS_GAUGE,
                       "Longest sync of the log since the start.");
    buf_printf(out, "cc_wal_longest_commit_seconds %.9f\n", (double)stats->wal.sync_ns_max / 1e9);
    openmetrics_family(out, "cc_wal_oldest_data_timestamp_seconds", OPENMETRICS_GAUGE,
                       "Unix time of the oldest sample that no snapshot has yet, 0: none.");
    buf_printf(out, "cc_wal_oldest_data_timestamp_seconds %lld\n", (long long)stats->oldest_dirty_s);
    openmetrics_family(out, "cc_wal_replay_seconds", OPENMETRICS_GAUGE,
                       "How long the replay of the log took at the start.");
    buf_printf(out, "cc_wal_replay_seconds %.6f\n", stats->replay_s);
}
