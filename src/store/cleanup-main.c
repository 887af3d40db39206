// SPDX-License-Identifier: MIT
// Cleans up or archives a checkpoint directory: a test program, not installed. tests/test_parquet.py reads what it writes.
#include "base/cmdline.h"
#include "store/cleanup.h"

struct options {
    const char *checkpoints, *archive;
    int64_t cutoff;
};

static const struct cmdline_flag flags[] = {
    {"checkpoints", CMDLINE_STRING, offsetof(struct options, checkpoints), "", "checkpoint directory"},
    {"archive", CMDLINE_STRING, offsetof(struct options, archive), "", "archive directory; none: delete"},
    {"cutoff", CMDLINE_INT, offsetof(struct options, cutoff), "0", "snapshots that end before go"},
    {0},
};

static void report(UNUSED void *ctx, const char *text)
{
    fprintf(stderr, "%s\n", text);
}

int main(int argc, char **argv)
{
    struct options o;
    int rest;
    if (cmdline_parse(flags, &o, argc, argv, stderr, &rest) != CMDLINE_OK)
        return 2;
    struct cleanup_options options = {.directory = o.checkpoints,
                                      .archive_directory = o.archive[0] ? o.archive : NULL,
                                      .cutoff_s = o.cutoff,
                                      .report = report};
    struct cleanup_result result;
    struct error err = ERROR_INIT;
    int rc = cleanup_run(&options, &result, &err);
    printf("files=%llu rows=%llu bytes=%llu failed_files=%llu failed_clusters=%llu\n",
           (unsigned long long)result.files, (unsigned long long)result.rows,
           (unsigned long long)result.bytes, (unsigned long long)result.failed_files,
           (unsigned long long)result.failed_clusters);
    if (rc < 0)
        fprintf(stderr, "%s\n", err.text);
    return rc < 0;
}
