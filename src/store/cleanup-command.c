// SPDX-License-Identifier: MIT
#include "store/cleanup-command.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

// The keys that matter here; 'mode' is read by hand, because any text is taken.
static const struct setting directory_fields[] = {
    {.key = "directory", .type = SETTING_STRING, .offset = offsetof(struct cleanup_settings, directory)},
    {0}};
static const struct setting fields[] = {
    {.key = "retention-in-memory",
     .type = SETTING_DURATION,
     .offset = offsetof(struct cleanup_command, retention_ns),
     .flags = SETTING_REQUIRED},
    {.key = "checkpoints",
     .type = SETTING_OBJECT,
     .offset = offsetof(struct cleanup_command, checkpoints),
     .fields = checkpoints_fields},
    {.key = "cleanup",
     .type = SETTING_OBJECT,
     .offset = offsetof(struct cleanup_command, cleanup),
     .fields = directory_fields},
    {0},
};

int cleanup_command_load(const struct json_value *section, const char *origin, struct arena *arena,
                         struct cleanup_command *ret, struct error *err)
{
    struct error why = ERROR_INIT;

    struct slice mode = json_string(json_get(json_get(section, "cleanup"), "mode"));
    bool archive = slice_eq_cstr(mode, "archive");
    int rc = settings_decode(fields, section, origin, SETTINGS_IGNORE, arena, ret, &why);
    if (rc < 0) { // upstream's words where it is the duration
        if (strstr(why.text, "'retention-in-memory': time: "))
            error_prefix(&why, "parsing retention-in-memory");
        return error_set(err, rc, "%s", why.text);
    }
    ret->cleanup.mode = archive ? "archive" : "delete";
    if (archive && !*ret->cleanup.directory)
        return error_set(err, ERR_INVALID, "metric-store: cleanup: mode 'archive' needs a 'directory'");
    return 0;
}

int cleanup_command_run(const struct cleanup_command *command, struct error *err)
{
    struct cleanup_result result = {0};
    struct cleanup_options options = {
        .directory = command->checkpoints.directory,
        .archive_directory = cleanup_archive_directory(&command->cleanup),
        .cutoff_s = wall_seconds(clock_wall()) - persist_seconds(command->retention_ns),
        .report = command->report,
        .ctx = command->ctx,
    };

    int rc = cleanup_run(&options, &result, err);
    printf("Cleanup done: %llu checkpoint files %s.", (unsigned long long)result.files,
           options.archive_directory ? "archived to parquet" : "deleted");
    return rc;
}
