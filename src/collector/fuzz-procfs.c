// SPDX-License-Identifier: MIT
// Every parser of /proc over the same input.
#include "base/macros.h"
#include "collector/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_inside(struct slice part, struct slice text)
{
    ASSERT(part.len == 0 || (part.ptr >= text.ptr && part.ptr + part.len <= text.ptr + text.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct slice text = slice_of((const char *)bytes, len);
    struct procfs_loadavg load;
    ignore_result(procfs_loadavg_parse(text, &load, NULL));

    struct procfs_cpu cpu;
    int rc;
    for (struct slice rest = text; (rc = procfs_cpu_next(&rest, &cpu, NULL)) != 0;)
        if (rc == 1)
            ASSERT(cpu.columns >= 4 && cpu.columns <= PROCFS_CPU_COLUMNS && cpu.id <= PROCFS_CPU_MAX);

    struct procfs_meminfo mem;
    for (struct slice rest = text; (rc = procfs_meminfo_next(&rest, &mem, NULL)) != 0;)
        if (rc == 1)
            check_inside(mem.key, text);

    struct procfs_netdev net;
    for (struct slice rest = text; (rc = procfs_netdev_next(&rest, &net, NULL)) != 0;)
        if (rc == 1)
            check_inside(net.name, text);

    struct procfs_disk disk;
    for (struct slice rest = text; (rc = procfs_disk_next(&rest, &disk, NULL)) != 0;)
        if (rc == 1)
            ASSERT(disk.columns <= PROCFS_DISK_COLUMNS);

    struct procfs_mount mount;
    for (struct slice rest = text; (rc = procfs_mount_next(&rest, &mount, NULL)) != 0;)
        if (rc == 1)
            ASSERT(strnlen(mount.path, sizeof(mount.path)) < sizeof(mount.path));
    return 0;
}
