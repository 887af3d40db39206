// SPDX-License-Identifier: MIT
// cc-store-log: what to do with the log of a metric store that is not running.
//     cc-store-log export <checkpoint directory>   into current.wal files for upstream's store; the log is removed then
#include <stdio.h>
#include <string.h>

#include "store/wal-export.h"

static int usage(const char *program)
{
    (void)fprintf(stderr, "Usage: %s export <checkpoint directory>\n", program);
    return 2;
}

static int run_export(const char *directory)
{
    struct wal_export_result result;
    struct error err = ERROR_INIT;
    if (wal_export(directory, &result, &err) < 0) {
        (void)fprintf(stderr, "Error: %s\n", err.text);
        return 1;
    }
    printf("%llu samples of %llu hosts exported, the log is removed.\n", (unsigned long long)result.samples,
           (unsigned long long)result.hosts);
    if (result.left_out || result.damaged_regions)
        printf("%llu samples were left out, %llu places of the log were damaged.\n",
               (unsigned long long)result.left_out, (unsigned long long)result.damaged_regions);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return usage(argv[0]);
    if (strcmp(argv[1], "export") == 0)
        return run_export(argv[2]);
    return usage(argv[0]);
}
