// SPDX-License-Identifier: MIT
// Hardware topology as numbers of hardware threads: what a cluster description says (job-archive.md 3.3), and what
// /sys says of this machine (collector.md 3). Ids of cores, sockets, domains are array indices in the first case.
#ifndef MODEL_TOPOLOGY_H
#define MODEL_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "codec/json.h"

struct topology_group {
    int *threads; // ascending as in the source
    size_t count;
};

struct topology_accelerator {
    const char *id, *type, *model;
};

struct topology {
    struct topology_group node;
    struct topology_group *sockets, *memory_domains, *dies, *cores;
    size_t socket_count, memory_domain_count, die_count, core_count;
    struct topology_accelerator *accelerators;
    size_t accelerator_count;
};

// From the "topology" object of a sub-cluster. Memory from the arena.
int topology_from_json(const struct json_value *value, struct arena *arena, struct topology *ret,
                       struct error *err) MUST_CHECK;
// Indices of the groups that hold at least one of 'threads', ascending; arena memory.
void topology_groups_of_threads(const struct topology_group *groups, size_t group_count, const int *threads,
                                size_t thread_count, struct arena *arena, int **ret_ids, size_t *ret_count);

// ---- this machine -----------------------------------------------------------------------------------------
struct hwthread {
    int id;            // the CPU number of the operating system
    int socket;        // physical_package_id
    int die;           // die_id, else the socket
    int core;          // core_id of the kernel: unique within (socket, die) only
    int core_first;    // lowest hardware thread of the same core: unique name of the core
    int smt;           // position among the threads of its core
    int memory_domain; // NUMA node; 0 where the kernel names none
};

struct hwtopology {
    struct hwthread *threads; // online ones, ascending by id
    size_t count;
    size_t socket_count, die_count, core_count, memory_domain_count, smt_width;
    int *sockets, *memory_domains; // sorted distinct ids (physical package ids, NUMA node numbers)
};

// Reads <root>/sys/devices/system/cpu; root "" or "/" is the real machine. Offline CPUs are left out; older kernels
// (thread_siblings_list) are understood. Memory from the arena.
int hwtopology_read(const char *root, struct arena *arena, struct hwtopology *ret,
                    struct error *err) MUST_CHECK;

#endif
