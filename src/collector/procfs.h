// SPDX-License-Identifier: MIT
// Parsers of files of /proc and /sys: bytes in, plain structs out, no I/O, no allocation. Slices point into
// the text. Formats: Documentation/filesystems/proc.rst and admin-guide/iostats.rst of the kernel, proc(5).
//
// The _next functions take one record off *rest: 1 a record, 0 the end, ERR_INVALID a malformed line (it is
// skipped, go on). Lines that are no records of the wanted kind are passed over.
#ifndef COLLECTOR_PROCFS_H
#define COLLECTOR_PROCFS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

// /proc/loadavg
struct procfs_loadavg {
    double load[3];         // over 1, 5, 15 minutes
    int64_t running, total; // scheduling entities
};
int procfs_loadavg_parse(struct slice text, struct procfs_loadavg *ret, struct error *err) MUST_CHECK;

// /proc/stat, lines cpu and cpuN; columns in clock ticks
#define PROCFS_CPU_COLUMNS 10
#define PROCFS_CPU_TOTAL   (-1)
#define PROCFS_CPU_MAX     65535
struct procfs_cpu {
    int id;           // PROCFS_CPU_TOTAL: the sum line
    unsigned columns; // 4 on the oldest kernels, 10 today; more are ignored
    uint64_t ticks[PROCFS_CPU_COLUMNS];
};
int procfs_cpu_next(struct slice *rest, struct procfs_cpu *ret, struct error *err) MUST_CHECK;

// /proc/meminfo and /sys/devices/system/node/node*/meminfo ("Node n" in front)
struct procfs_meminfo {
    struct slice key; // without colon
    uint64_t value;
    struct slice unit; // "kB" or empty
};
int procfs_meminfo_next(struct slice *rest, struct procfs_meminfo *ret, struct error *err) MUST_CHECK;

// /proc/net/dev
struct procfs_netdev {
    struct slice name;
    uint64_t bytes_in, packets_in, bytes_out, packets_out;
};
int procfs_netdev_next(struct slice *rest, struct procfs_netdev *ret, struct error *err) MUST_CHECK;

// /proc/diskstats, columns from the fourth on
#define PROCFS_DISK_COLUMNS 17
struct procfs_disk {
    struct slice name;
    unsigned columns; // 11 up to Linux 4.17, 15 up to 5.4, then 17
    uint64_t values[PROCFS_DISK_COLUMNS];
};
int procfs_disk_next(struct slice *rest, struct procfs_disk *ret, struct error *err) MUST_CHECK;

// /proc/self/mounts
#define PROCFS_PATH_SIZE 1024
struct procfs_mount {
    struct slice device;         // as written
    char path[PROCFS_PATH_SIZE]; // octal escapes decoded, terminated
};
int procfs_mount_next(struct slice *rest, struct procfs_mount *ret, struct error *err) MUST_CHECK;

#endif
