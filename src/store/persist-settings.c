// SPDX-License-Identifier: MIT
#include "store/persist-settings.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static const char *const durabilities[] = {"batch", "interval", "none", NULL};

#define AT(member) offsetof(struct checkpoints_settings, member)
const struct setting checkpoints_fields[] = {
    {.key = "file-format",
     .type = SETTING_STRING,
     .offset = AT(file_format),
     .default_text = "wal",
     .help = "format of snapshots: wal (binary) or json; both are read"},
    {.key = "directory",
     .type = SETTING_STRING,
     .offset = AT(directory),
     .default_text = "./var/checkpoints",
     .help = "root directory of snapshots and log"},
    {.key = "max-wal-size",
     .type = SETTING_INT,
     .offset = AT(max_wal_size),
     .default_text = "0",
     .min = 0,
     .max = INT64_MAX,
     .help = "accepted, no effect: there is one log for all hosts, see log-size"},
    {.key = "durability",
     .type = SETTING_STRING,
     .offset = AT(durability),
     .default_text = "batch",
     .choices = durabilities,
     .help = "when a write is acknowledged: batch: it survives power loss; interval: synced every "
             "sync-interval; none: never "
             "synced (both survive a crash of the program only in part)"},
    {.key = "sync-interval",
     .type = SETTING_DURATION,
     .offset = AT(sync_interval_ns),
     .default_text = "1s",
     .help = "with durability interval: how often the log is synced"},
    {.key = "log-size",
     .type = SETTING_INT,
     .offset = AT(log_size),
     .default_text = "134217728",
     .min = 1 << 18,
     .max = INT64_C(1) << 40,
     .help = "size in bytes that the log is kept below by snapshots of hosts; bounds the replay at the next "
             "start"},
    {0},
};

static const char *const cleanup_modes[] = {"archive", "delete", NULL};
const struct setting cleanup_fields[] = {
    {.key = "mode",
     .type = SETTING_STRING,
     .offset = offsetof(struct cleanup_settings, mode),
     .default_text = "delete",
     .choices = cleanup_modes,
     .help = "what happens to snapshots that end before the retention: deleted, or moved into Parquet files"},
    {.key = "directory",
     .type = SETTING_STRING,
     .offset = offsetof(struct cleanup_settings, directory),
     .help = "root directory of the Parquet archive"},
    {0},
};

static void warn_checkpoints(const struct checkpoints_settings *settings, settings_warn_fn *warn, void *ctx)
{
    char text[256];

    if (settings->max_wal_size > 0)
        warn(ctx, "metric-store: checkpoints: max-wal-size has no effect: one log serves all hosts, log-size "
                  "bounds it");
    if (strcmp(settings->file_format, "wal") == 0 || strcmp(settings->file_format, "json") == 0)
        return;
    (void)snprintf(text, sizeof(text),
                   "metric-store: checkpoints: unknown file-format '%.100s' is taken as json",
                   settings->file_format);
    warn(ctx, text);
}

int persist_check_settings(const struct checkpoints_settings *checkpoints,
                           const struct cleanup_settings *cleanup, int64_t checkpoint_interval_ns,
                           settings_warn_fn *warn, void *ctx, struct error *err)
{
    if (checkpoint_interval_ns <= 0) // a panic upstream (MS-06)
        return error_set(err, ERR_INVALID, "metric-store: checkpoint-interval must be positive");
    if (strcmp(cleanup->mode, "archive") == 0 && !*cleanup->directory)
        return error_set(err, ERR_INVALID, "metric-store: cleanup: mode 'archive' needs a 'directory'");
    if (!*checkpoints->directory)
        return error_set(err, ERR_INVALID, "metric-store: checkpoints: 'directory' must not be empty");
    if (warn)
        warn_checkpoints(checkpoints, warn, ctx);
    return 0;
}

void persist_apply_settings(const struct checkpoints_settings *settings, struct persist_options *ret)
{
    ret->directory = settings->directory;
    ret->format =
        strcmp(settings->file_format, "wal") == 0 ? CHECKPOINT_BIN : CHECKPOINT_JSON; // as upstream reads it
    ret->sync = strcmp(settings->durability, "interval") == 0 ? WAL_SYNC_INTERVAL
                : strcmp(settings->durability, "none") == 0   ? WAL_SYNC_NONE
                                                              : WAL_SYNC_BATCH;
    ret->sync_interval_ms = MAX(settings->sync_interval_ns / NS_PER_MS, INT64_C(1));
    ret->log_max_bytes = (size_t)settings->log_size;
}

const char *cleanup_archive_directory(const struct cleanup_settings *settings)
{
    return strcmp(settings->mode, "archive") == 0 ? settings->directory : NULL;
}

int64_t persist_seconds(int64_t ns)
{
    return ns / NS_PER_S + (ns % NS_PER_S > 0);
}
