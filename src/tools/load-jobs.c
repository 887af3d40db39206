// SPDX-License-Identifier: MIT
#include "tools/load-jobs.h"

#include <stdlib.h>

#include "base/mem.h"
#include "tools/load-random.h"

static const struct load_profile profiles[] = {
    {.name = "dense solver",
     .user = 0.98,
     .flops = 0.62,
     .bandwidth = 0.20,
     .memory = 0.45,
     .ipc = 0.80,
     .network = 0.10,
     .files = 0.01,
     .accelerator = 0.9,
     .ramp = 0.03},
    {.name = "stencil",
     .user = 0.99,
     .flops = 0.12,
     .bandwidth = 0.88,
     .memory = 0.60,
     .ipc = 0.25,
     .network = 0.20,
     .files = 0.02,
     .accelerator = 0.6,
     .ramp = 0.02},
    {.name = "molecular dynamics",
     .user = 0.96,
     .flops = 0.35,
     .bandwidth = 0.15,
     .memory = 0.10,
     .ipc = 0.60,
     .network = 0.45,
     .files = 0.03,
     .accelerator = 0.8,
     .ramp = 0.02,
     .burst = 0.15,
     .burst_period = 600},
    {.name = "weather model",
     .user = 0.92,
     .flops = 0.18,
     .bandwidth = 0.55,
     .memory = 0.50,
     .ipc = 0.35,
     .network = 0.55,
     .files = 0.40,
     .accelerator = 0,
     .ramp = 0.05,
     .burst = 0.6,
     .burst_period = 900},
    {.name = "post-processing",
     .user = 0.25,
     .flops = 0.02,
     .bandwidth = 0.10,
     .memory = 0.70,
     .ipc = 0.15,
     .network = 0.05,
     .files = 0.90,
     .accelerator = 0,
     .ramp = 0.01,
     .burst = 0.8,
     .burst_period = 300},
    {.name = "unbalanced mesh",
     .user = 0.90,
     .flops = 0.30,
     .bandwidth = 0.40,
     .memory = 0.35,
     .ipc = 0.45,
     .network = 0.30,
     .files = 0.02,
     .accelerator = 0.3,
     .ramp = 0.04,
     .unbalance = 0.7},
    {.name = "idle node",
     .user = 0.97,
     .flops = 0.40,
     .bandwidth = 0.30,
     .memory = 0.30,
     .ipc = 0.55,
     .network = 0.15,
     .files = 0.02,
     .accelerator = 0.5,
     .ramp = 0.02,
     .idle_node = true},
    {.name = "deadlock",
     .user = 0.95,
     .flops = 0.30,
     .bandwidth = 0.35,
     .memory = 0.40,
     .ipc = 0.50,
     .network = 0.25,
     .files = 0.02,
     .accelerator = 0.4,
     .ramp = 0.02,
     .stalls = true},
};

struct slot {
    size_t first_node, node_count;
    int64_t offset_s; // of its windows
};

struct load_jobs {
    struct slot *slots;
    size_t slot_count, slot_capacity;
    size_t *slot_of_node;
    int64_t window_s;
    uint64_t seed;
};

struct load_jobs *load_jobs_new(size_t node_count, int64_t window_s, uint64_t seed)
{
    static const size_t sizes[] = {1, 1, 1, 2, 2, 4, 4, 8, 16};
    struct load_jobs *jobs = NEW(struct load_jobs);

    jobs->window_s = window_s;
    jobs->seed = load_mix(seed ^ 0x4a4f4253);
    jobs->slot_of_node = NEW_ARRAY(size_t, node_count + 1);
    for (size_t node = 0; node < node_count;) {
        uint64_t hash = load_hash(jobs->seed, 1, node);
        size_t size = MIN(sizes[load_below(hash, ARRAY_LEN(sizes))], MAX(node_count / 4, (size_t)1));
        struct slot slot = {.first_node = node,
                            .node_count = MIN(size, node_count - node),
                            .offset_s = (int64_t)(load_mix(hash) % (uint64_t)window_s)};
        ENSURE_CAPACITY(jobs->slots, jobs->slot_capacity, jobs->slot_count + 1);
        for (size_t i = 0; i < slot.node_count; i++)
            jobs->slot_of_node[node++] = jobs->slot_count;
        jobs->slots[jobs->slot_count++] = slot;
    }
    return jobs;
}

void load_jobs_free(struct load_jobs **jobs)
{
    if (!*jobs)
        return;
    mem_free((*jobs)->slots);
    mem_free((*jobs)->slot_of_node);
    mem_free(*jobs);
    *jobs = NULL;
}

static const char *final_state(uint64_t hash, bool stalls)
{
    uint64_t percent = load_below(load_mix(hash ^ 7), 100);

    if (stalls)
        return "timeout";
    return percent < 4 ? "failed" : percent < 6 ? "cancelled" : "completed";
}

// The job of a slot in one of its windows; false: the nodes stay idle.
static bool job_in_window(const struct load_jobs *jobs, size_t slot, int64_t window, struct load_job *ret)
{
    const struct slot *nodes = &jobs->slots[slot];
    uint64_t hash = load_hash(jobs->seed, slot + 2, (uint64_t)window);
    double length = (double)jobs->window_s;

    if (load_below(hash, 8) == 0)
        return false;
    int64_t begin = window * jobs->window_s - nodes->offset_s;
    int64_t wait = (int64_t)(load_unit(load_mix(hash ^ 1)) * length * 0.15);
    int64_t run = (int64_t)((0.3 + 0.5 * load_unit(load_mix(hash ^ 2))) * length);
    const struct load_profile *profile = &profiles[load_below(load_mix(hash ^ 3), ARRAY_LEN(profiles))];
    *ret = (struct load_job){
        .id = window * (int64_t)jobs->slot_count + (int64_t)slot,
        .first_node = nodes->first_node,
        .node_count = nodes->node_count,
        .start_s = begin + wait,
        .stop_s = begin + wait + run,
        .walltime_s = profile->stalls ? run : (run / 600 + 2) * 600,
        .state = final_state(hash, profile->stalls),
        .user = (int)load_below(load_mix(hash ^ 5), 12),
        .profile = profile,
    };
    return true;
}

bool load_job_at(const struct load_jobs *jobs, size_t node, int64_t ts, struct load_job *ret)
{
    size_t slot = jobs->slot_of_node[node];
    int64_t window = (ts + jobs->slots[slot].offset_s) / jobs->window_s;

    return job_in_window(jobs, slot, window, ret) && ts >= ret->start_s && ts < ret->stop_s;
}

static int by_start(const void *a, const void *b)
{
    const struct load_job *x = a, *y = b;

    return x->start_s != y->start_s ? (x->start_s < y->start_s ? -1 : 1) : (x->id > y->id) - (x->id < y->id);
}

static int by_stop_time(const void *a, const void *b)
{
    const struct load_job *x = a, *y = b;

    return x->stop_s != y->stop_s ? (x->stop_s < y->stop_s ? -1 : 1) : (x->id > y->id) - (x->id < y->id);
}

struct load_job *load_jobs_between(const struct load_jobs *jobs, int64_t from, int64_t to, bool by_stop,
                                   size_t *ret_count)
{
    struct load_job *found = NULL, job;
    size_t count = 0, capacity = 0;

    for (size_t slot = 0; slot < jobs->slot_count; slot++) {
        int64_t offset_s = jobs->slots[slot].offset_s;
        int64_t last = (to + offset_s) / jobs->window_s;
        for (int64_t window = (from + offset_s) / jobs->window_s - 1; window <= last; window++) {
            if (!job_in_window(jobs, slot, window, &job))
                continue;
            int64_t when = by_stop ? job.stop_s : job.start_s;
            if (when < from || when >= to)
                continue;
            ENSURE_CAPACITY(found, capacity, count + 1);
            found[count++] = job;
        }
    }
    if (count > 1)
        qsort(found, count, sizeof(*found), by_stop ? by_stop_time : by_start);
    *ret_count = count;
    return found;
}
