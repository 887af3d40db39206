// SPDX-License-Identifier: MIT
// How fast is the engine in process, and how much memory does a sample take? Workload W1: 64 nodes with 20
// node metrics and 5 metrics of 64 hardware threads, 1440 steps of 60 s, one batch a node and step; values
// with three decimals, a tenth of the series constant, half of them steps, four tenths noise over the whole
// range. One line a figure; all data is made from a fixed seed. Times are those of the engine's calls alone.
//
//     bench-store [--small] [fresh|random|ordered]      --small: less of everything, to try it out
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "store/store.h"

#define NODE_METRICS   20
#define THREAD_METRICS 5
#define THREADS        64
#define SERIES         (NODE_METRICS + THREAD_METRICS * THREADS)
#define STEP_S         60
#define BEGIN_S        INT64_C(1700000040)
#define VALUE_RANGE    1000000 // thousandths
#define REPEATS        11
#define CLUSTER        SLICE_LITERAL("bench")

static uint64_t mix(uint64_t x) // splitmix64, S. Vigna
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

struct workload {
    unsigned nodes, steps;
    bool shuffled;
    struct buf heads;       // of all lines of all nodes
    struct slice *lines;    // [node * SERIES + series] in heads
    uint64_t *seeds;        // the same
    unsigned order[SERIES]; // of the lines in a batch
    struct buf body;        // the batch at work
    struct store_metric metrics[NODE_METRICS + THREAD_METRICS];
    char names[NODE_METRICS + THREAD_METRICS][16];
    char hosts[2048][16];
};

static void add_head(struct workload *w, unsigned node, unsigned series, size_t *offsets)
{
    unsigned thread = (series - NODE_METRICS) / THREAD_METRICS;
    unsigned metric =
        series < NODE_METRICS ? series : NODE_METRICS + (series - NODE_METRICS) % THREAD_METRICS;
    offsets[node * SERIES + series] = w->heads.len;
    buf_printf(&w->heads, "%s,cluster=bench,hostname=%s,type=", w->names[metric], w->hosts[node]);
    if (series < NODE_METRICS)
        buf_append_cstr(&w->heads, "node value=");
    else
        buf_printf(&w->heads, "hwthread,type-id=%u value=", thread);
}

static void fill_lines(struct workload *w)
{
    size_t count = (size_t)w->nodes * SERIES;
    size_t *offsets = NEW_ARRAY(size_t, count + 1);
    for (unsigned node = 0; node < w->nodes; node++) {
        for (unsigned s = 0; s < SERIES; s++)
            add_head(w, node, s, offsets);
    }
    offsets[count] = w->heads.len;
    w->lines = NEW_ARRAY(struct slice, count);
    w->seeds = NEW_ARRAY(uint64_t, count);
    for (size_t i = 0; i < count; i++) {
        w->lines[i] = slice_of(w->heads.ptr + offsets[i], offsets[i + 1] - offsets[i]);
        w->seeds[i] = mix(i);
    }
    mem_free(offsets);
}

static struct workload *workload_new(unsigned nodes, unsigned steps, bool shuffled)
{
    struct workload *w = NEW(struct workload);
    w->nodes = nodes;
    w->steps = steps;
    w->shuffled = shuffled;
    buf_init(&w->heads, (size_t)1 << 30);
    buf_init(&w->body, (size_t)1 << 26);
    for (unsigned m = 0; m < NODE_METRICS + THREAD_METRICS; m++) {
        snprintf(w->names[m], sizeof(w->names[m]), m < NODE_METRICS ? "node_metric_%02u" : "thread_met_%02u",
                 m);
        w->metrics[m] =
            (struct store_metric){.name = w->names[m], .frequency_s = STEP_S, .aggregation = AGGREGATION_SUM};
    }
    for (unsigned i = 0; i < nodes; i++)
        snprintf(w->hosts[i], sizeof(w->hosts[i]), "node%04u", i);
    for (unsigned i = 0; i < SERIES; i++)
        w->order[i] = i;
    fill_lines(w);
    return w;
}

static void workload_free(struct workload *w)
{
    buf_release(&w->heads);
    buf_release(&w->body);
    mem_free(w->lines);
    mem_free(w->seeds);
    mem_free(w);
}

static unsigned value_at(uint64_t seed, unsigned step)
{
    unsigned tenth = (unsigned)(mix(seed) % 10), period = 15 + (unsigned)(seed % 46);
    if (tenth < 1)
        return (unsigned)(mix(seed + 1) % VALUE_RANGE);
    return (unsigned)(mix(seed + (tenth < 6 ? step / period : step)) % VALUE_RANGE);
}

static char *put_number(char *p, uint64_t v)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    while (count)
        *p++ = digits[--count];
    return p;
}

static void put_line(struct workload *w, size_t line, unsigned step)
{
    char *begin = buf_reserve(&w->body, w->lines[line].len + 64), *p = begin;
    unsigned v = value_at(w->seeds[line], step);
    memcpy(p, w->lines[line].ptr, w->lines[line].len);
    p = put_number(p + w->lines[line].len, v / 1000);
    *p++ = '.';
    *p++ = (char)('0' + v / 100 % 10);
    *p++ = (char)('0' + v / 10 % 10);
    *p++ = (char)('0' + v % 10);
    *p++ = ' ';
    p = put_number(p, (uint64_t)(BEGIN_S + (int64_t)step * STEP_S));
    *p++ = '\n';
    buf_commit(&w->body, (size_t)(p - begin));
}

static void make_body(struct workload *w, unsigned node, unsigned step)
{
    buf_clear(&w->body);
    for (unsigned i = SERIES; w->shuffled && i > 1; i--) {
        unsigned k = (unsigned)(mix(((uint64_t)step << 32) + node * SERIES + i) % i), t = w->order[i - 1];
        w->order[i - 1] = w->order[k];
        w->order[k] = t;
    }
    for (unsigned i = 0; i < SERIES; i++)
        put_line(w, (size_t)node * SERIES + w->order[i], step);
}

// Processor time of this thread: the figures are per core, whatever else runs on the machine.
static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static size_t rss_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    size_t pages = 0;
    if (!f || fscanf(f, "%*s %zu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static struct store *make_store(const struct workload *w)
{
    struct error err = ERROR_INIT;
    struct store *store = NULL;
    struct store_options options = {.metrics = w->metrics, .metric_count = ARRAY_LEN(w->metrics)};
    if (store_new(&options, &store, &err)) {
        fprintf(stderr, "bench-store: %s\n", err.text);
        exit(1);
    }
    return store;
}

// Sends everything; returns the nanoseconds spent in the engine.
static int64_t send_all(struct store *store, struct workload *w)
{
    int64_t spent_ns = 0;
    for (unsigned step = 0; step < w->steps; step++) {
        for (unsigned node = 0; node < w->nodes; node++) {
            make_body(w, node, step);
            struct store_write write = {.body = buf_slice(&w->body),
                                        .now_s = BEGIN_S + (int64_t)step * STEP_S};
            struct store_write_result result;
            int64_t begin_ns = cpu_ns();
            int rc = store_ingest(store, &write, &result);
            spent_ns += cpu_ns() - begin_ns;
            if (rc || result.stored != SERIES) {
                fprintf(stderr, "bench-store: batch refused: %s\n", result.first_error.text);
                exit(1);
            }
        }
    }
    return spent_ns;
}

static void report_memory(const char *name, const struct store *store, size_t rss, double samples)
{
    struct store_stats stats;
    store_stats(store, &stats);
    double accounted = (double)(stats.bytes_open + stats.bytes_sealed + stats.bytes_index);
    printf("%s %.3f B/sample RSS, %.1f MB RSS, %.1f MB accounted (open %.1f, sealed %.1f, index %.1f)\n",
           name, (double)rss / samples, (double)rss / 1e6, accounted / 1e6, (double)stats.bytes_open / 1e6,
           (double)stats.bytes_sealed / 1e6, (double)stats.bytes_index / 1e6);
}

static void ingest(const char *name, unsigned nodes, unsigned steps, bool shuffled, struct store **ret_store,
                   struct workload **ret_workload)
{
    struct workload *w = workload_new(nodes, steps, shuffled);
    make_body(w, 0, 0);
    struct store *store = make_store(w);
    size_t before = rss_bytes();
    int64_t spent_ns = send_all(store, w);
    size_t rss = rss_bytes() - before;
    double samples = (double)nodes * SERIES * steps;
    char label[64];
    snprintf(label, sizeof(label), "store-memory-%s", name);
    printf("store-ingest-%s %.2f M samples/s (%.1f ns/sample)\n", name, samples * 1e3 / (double)spent_ns,
           (double)spent_ns / samples);
    report_memory(label, store, rss, samples);
    fflush(stdout);
    *ret_store = store;
    *ret_workload = w;
}

// ---- queries ----------------------------------------------------------------------------------------------

struct page {
    const char *name;
    unsigned first_metric, metric_count;
    bool threads; // all hardware threads, summed
    bool with_data;
    int64_t resolution_s;
};

static const struct page pages[] = {
    {"job-page-full", 0, NODE_METRICS, false, true, 0},
    {"job-page-600s", 0, NODE_METRICS, false, true, 600},
    {"job-page-240s", 0, NODE_METRICS, false, true, 240},
    {"job-page-statistics", 0, NODE_METRICS, false, false, 0},
    {"threads-to-node-full", NODE_METRICS, THREAD_METRICS, true, true, 0},
    {"threads-to-node-statistics", NODE_METRICS, THREAD_METRICS, true, false, 0},
};

static size_t query_page(struct store *store, const struct workload *w, const struct page *page,
                         struct arena *arena, const struct slice *ids)
{
    struct store_query_range range = {.from = BEGIN_S,
                                      .to = BEGIN_S + (int64_t)w->steps * STEP_S,
                                      .with_stats = true,
                                      .with_data = page->with_data,
                                      .with_padding = true};
    size_t values = 0;
    for (unsigned k = 0; k < w->nodes * page->metric_count; k++) {
        struct store_query query = {
            .cluster = CLUSTER,
            .host = slice_from_cstr(w->hosts[k / page->metric_count]),
            .metric = slice_from_cstr(w->names[page->first_metric + k % page->metric_count]),
            .resolution_s = page->resolution_s,
            .has_type = page->threads,
            .type = SLICE_LITERAL("hwthread"),
            .type_ids = ids,
            .type_id_count = THREADS,
            .aggregate = page->threads};
        struct store_series *entries;
        size_t count;
        struct error err = ERROR_INIT;
        arena_clear(arena);
        if (store_query_run(store, &query, &range, arena, &entries, &count, &err) || count != 1) {
            fprintf(stderr, "bench-store: query failed: %s\n", err.text);
            exit(1);
        }
        values += entries[0].count;
    }
    return values;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void run_page(struct store *store, const struct workload *w, const struct page *page)
{
    struct arena *arena = arena_new((size_t)1 << 28);
    int64_t times[REPEATS];
    char texts[THREADS][4];
    struct slice ids[THREADS];
    size_t values = 0;
    for (unsigned i = 0; i < THREADS; i++)
        ids[i] = slice_of(texts[i], (size_t)(put_number(texts[i], i) - texts[i]));
    for (size_t i = 0; i < REPEATS; i++) {
        int64_t begin_ns = cpu_ns();
        values = query_page(store, w, page, arena, ids);
        times[i] = cpu_ns() - begin_ns;
    }
    qsort(times, REPEATS, sizeof(times[0]), compare_times);
    printf("store-query-%s %.2f ms median (%.2f best), %zu values\n", page->name,
           (double)times[REPEATS / 2] / 1e6, (double)times[0] / 1e6, values);
    fflush(stdout);
    arena_free(&arena);
}

struct stage {
    const char *name;
    unsigned nodes, steps, small_nodes, small_steps;
    bool shuffled, queries;
};

static const struct stage stages[] = {
    {"fresh", 2048, 10, 64, 10, false, false},
    {"random", 64, 360, 64, 144, true, false},
    {"ordered", 64, 1440, 64, 144, false, true},
};

static void run_stage(const struct stage *stage, bool small)
{
    struct store *store;
    struct workload *w;
    ingest(stage->name, small ? stage->small_nodes : stage->nodes, small ? stage->small_steps : stage->steps,
           stage->shuffled, &store, &w);
    for (size_t i = 0; stage->queries && i < ARRAY_LEN(pages); i++)
        run_page(store, w, &pages[i]);
    store_free(&store);
    workload_free(w);
}

int main(int argc, char **argv)
{
    bool small = argc > 1 && strcmp(argv[1], "--small") == 0;
    const char *only = argc > 1 + small ? argv[1 + small] : NULL;
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
        if (only && strcmp(only, stages[i].name) != 0)
            continue;
        pid_t pid =
            fork(); // a process each: memory that one stage gave back does not hide what the next one needs
        if (pid == 0) {
            run_stage(&stages[i], small);
            return 0;
        }
        int status = 1;
        failed |= pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
    }
    return failed;
}
