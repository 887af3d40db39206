// SPDX-License-Identifier: MIT
// Makes a checkpoint directory of any size in upstream's format (<from>.bin, metric-store.md 7.4): hosts with the series and values of
// workload W1 as cc-load-generator -preset w1 (seed 1) would have sent them, 720 steps of 60 s a file, the last file ending at
// 'end'. For bench-restart.py.
//
//     make-checkpoints <directory> <hosts> <files per host> <end, Unix seconds, a multiple of 60>
//
// Prints the bytes it wrote.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strnum.h"
#include "tools/load-random.h"

#define CLUSTER        "simulated"
#define NODE_METRICS   20
#define THREAD_METRICS 5
#define THREADS        64
#define SERIES         (NODE_METRICS + THREAD_METRICS * THREADS)
#define STEP_S         60
#define STEPS          720 // of a file: 12 h
#define VALUE_RANGE    1000000
#define FILE_MAX       ((size_t)4 << 20)
#define BIN_MAGIC      UINT32_C(0xCC5B0001)

struct job {
    const char *directory;
    uint64_t hosts, files, end;
    uint64_t written;
};

// ---- values: as in src/tools/load-plan.c -------------------------------------------------------------------

struct series {
    uint64_t seed;
    uint64_t divisor; // a value lasts so many steps; 0: for ever
};

static struct series series_at(uint64_t node, unsigned index)
{
    struct series series = {.seed = load_hash(1, node * SERIES + index, 0x736572)};
    uint64_t tenth = load_below(load_mix(series.seed ^ 0x73686170), 10);

    series.divisor = tenth < 1 ? 0 : tenth < 6 ? 15 + load_below(series.seed, 46) : 1;
    return series;
}

static float value_at(const struct series *series, uint64_t step)
{
    uint64_t change = series->divisor ? step / series->divisor : 0;

    return (float)((double)load_below(load_mix(series->seed + change), VALUE_RANGE) / 1000);
}

// ---- bytes: little-endian machines only, as the values are copied -------------------------------------------

static void put_u32(struct buf *out, uint32_t v)
{
    buf_append(out, &v, sizeof(v));
}

static void put_i64(struct buf *out, int64_t v)
{
    buf_append(out, &v, sizeof(v));
}

static void put_name(struct buf *out, const char *prefix, unsigned number, int digits)
{
    char text[32];
    uint16_t len = (uint16_t)snprintf(text, sizeof(text), "%s%0*u", prefix, digits, number);

    buf_append(out, &len, sizeof(len));
    buf_append(out, text, len);
}

static void put_values(struct buf *out, const struct series *series, int64_t from)
{
    float values[STEPS];

    put_i64(out, STEP_S);
    put_i64(out, from);
    put_u32(out, STEPS);
    for (unsigned i = 0; i < STEPS; i++)
        values[i] = value_at(series, (uint64_t)from / STEP_S + i);
    buf_append(out, values, sizeof(values));
}

static void put_thread(struct buf *out, uint64_t node, unsigned thread, int64_t from)
{
    put_name(out, "hwthread", thread, 1);
    put_u32(out, THREAD_METRICS);
    for (unsigned m = 0; m < THREAD_METRICS; m++) {
        struct series series = series_at(node, NODE_METRICS + m * THREADS + thread);
        put_name(out, "thread_metric_", m, 2);
        put_values(out, &series, from);
    }
    put_u32(out, 0); // children
}

static void put_file(struct buf *out, uint64_t node, int64_t from)
{
    put_u32(out, BIN_MAGIC);
    put_i64(out, from);
    put_i64(out, from + (int64_t)STEPS * STEP_S);
    put_u32(out, NODE_METRICS);
    for (unsigned m = 0; m < NODE_METRICS; m++) {
        struct series series = series_at(node, m);
        put_name(out, "node_metric_", m, 2);
        put_values(out, &series, from);
    }
    put_u32(out, THREADS);
    for (unsigned t = 0; t < THREADS; t++)
        put_thread(out, node, t, from);
}

// ---- files -------------------------------------------------------------------------------------------------

static int write_file(const char *path, struct slice bytes, struct error *err)
{
    FILE *file = fopen(path, "we");

    if (!file)
        return error_set_errno(err, "cannot write '%s'", path);
    (void)fwrite(bytes.ptr, 1, bytes.len, file); // ferror below tells
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return error_set_errno(err, "cannot write '%s'", path);
    return 0;
}

static int make_host(struct job *job, uint64_t node, struct buf *bytes, struct error *err)
{
    char folder[4096], path[4200];

    (void)snprintf(folder, sizeof(folder), "%s/" CLUSTER "/sim%0*llu", job->directory,
                   job->hosts < 1000 ? 3 : 6, (unsigned long long)node + 1);
    int rc = io_make_dirs(&io_system, folder, 0755, err);
    for (uint64_t f = 0; f < job->files && rc == 0; f++) {
        int64_t from = (int64_t)job->end - (int64_t)(job->files - f) * STEPS * STEP_S;
        buf_clear(bytes);
        put_file(bytes, node, from);
        (void)snprintf(path, sizeof(path), "%s/%lld.bin", folder, (long long)from);
        rc = write_file(path, buf_slice(bytes), err);
        job->written += bytes->len;
    }
    return rc;
}

static int parse_arguments(int argc, char **argv, struct job *job)
{
    uint64_t *numbers[] = {&job->hosts, &job->files, &job->end};

    if (argc != 5 || strlen(argv[1]) > 3900)
        return -1;
    job->directory = argv[1];
    for (int i = 0; i < 3; i++)
        if (strnum_parse_u64(slice_from_cstr(argv[i + 2]), numbers[i], NULL) < 0)
            return -1;
    bool sound = job->hosts > 0 && job->hosts < 1000000 && job->files > 0 && job->files < 1000;
    return sound && job->end % STEP_S == 0 && job->end < (UINT64_C(1) << 40) &&
                   job->end > job->files * STEPS * STEP_S
               ? 0
               : -1;
}

int main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    struct job job = {0};
    struct buf bytes;
    int rc = 0;

    if (parse_arguments(argc, argv, &job) < 0) {
        fputs("usage: make-checkpoints <directory> <hosts> <files per host> <end>\n", stderr);
        return 2;
    }
    buf_init(&bytes, FILE_MAX);
    for (uint64_t node = 0; node < job.hosts && rc == 0; node++)
        rc = make_host(&job, node, &bytes, &err);
    buf_release(&bytes);
    if (rc < 0) {
        fprintf(stderr, "make-checkpoints: %s\n", err.text);
        return 1;
    }
    sync(); // what is measured next does not wait for these files
    printf("%llu\n", (unsigned long long)job.written);
    return 0;
}
