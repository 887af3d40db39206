// SPDX-License-Identifier: MIT
// What does the log cost? Coding and decoding a batch of one node (340 lines at one time, three decimals) in nanoseconds a sample,
// its bytes a sample, and how many batches a second writers get through that each wait for the sync of theirs.
//
//     bench-wal [directory]        where the log is written; default: the present one. Its own folder there is removed.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/mem.h"
#include "store/wal-record.h"
#include "store/wal.h"

#define SERIES      340
#define BATCHES     20000
#define STEP_S      60
#define BEGIN_S     INT64_C(1700000040)
#define VALUE_RANGE 1000000 // thousandths
#define SECONDS     2       // a run of writers
#define MAX_WRITERS 64

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

// A tenth constant, half steps, the rest noise: as bench-store has it.
static void fill(struct series_value *values)
{
    uint64_t random = 20231114;
    for (size_t i = 0; i < (size_t)SERIES * 16; i++) {
        uint64_t series = i % SERIES, m = next_random(&random) % VALUE_RANGE;
        if (series % 10 == 0)
            m = series * 1000;
        else if (series % 10 <= 5)
            m = m / 100000 * 100000;
        values[i] = (struct series_value){.m = (int64_t)m, .scale = 3, .decimal = true};
    }
}

static struct slice encode(struct wal_encoder *e, const struct series_value *values, bool shuffled,
                           int64_t ts)
{
    wal_encoder_begin(e, 63);
    for (uint32_t i = 0; i < SERIES; i++)
        wal_encoder_sample(e, shuffled ? i * 7919 % SERIES : i, ts, &values[i]);
    return wal_encoder_end(e);
}

static int take_samples(void *ctx, uint32_t host, uint32_t first, int64_t ts,
                        const struct series_value *values, size_t count, struct error *err)
{
    int64_t *sum = ctx;
    (void)host, (void)ts, (void)first, (void)err;
    for (size_t i = 0; i < count; i++)
        *sum += values[i].m;
    return 0;
}

static void coding(const struct series_value *values, bool shuffled)
{
    const struct wal_decoder_ops ops = {.samples = take_samples};
    struct wal_encoder e;
    int64_t encode_ns = 0, decode_ns = 0, sum = 0;
    size_t bytes = 0;
    wal_encoder_init(&e);
    for (int batch = 0; batch < BATCHES; batch++) {
        int64_t begin_ns = cpu_ns();
        struct slice record =
            encode(&e, values + (size_t)(batch % 16) * SERIES, shuffled, BEGIN_S + batch * STEP_S);
        int64_t coded_ns = cpu_ns();
        if (wal_record_decode(record, &ops, &sum, NULL) != 0)
            abort();
        decode_ns += cpu_ns() - coded_ns;
        encode_ns += coded_ns - begin_ns;
        bytes += record.len;
    }
    double samples = (double)SERIES * BATCHES;
    printf("wal-record-%s %.2f B/sample, coded in %.2f ns, decoded in %.2f ns a sample (checksum %lld)\n",
           shuffled ? "shuffled" : "ordered", (double)bytes / samples, (double)encode_ns / samples,
           (double)decode_ns / samples, (long long)sum);
    wal_encoder_release(&e);
}

// ---- writers ----------------------------------------------------------------------------------------------

struct writer {
    struct wal *wal;
    struct slice record;
    atomic_bool *stop;
    uint64_t batches;
};

static void *write_batches(void *arg)
{
    struct writer *w = arg;
    while (!atomic_load_explicit(w->stop, memory_order_relaxed)) {
        struct wal_span span = {0, 0};
        wal_admit(w->wal);
        while (wal_append(w->wal, wal_epoch(w->wal), w->record, &span) == ERR_BUSY) {
        }
        if (wal_wait(w->wal, &span, NULL) != 0)
            break;
        w->batches++;
    }
    return NULL;
}

static void writers(const char *directory, struct slice record, size_t count)
{
    struct writer all[MAX_WRITERS];
    pthread_t threads[MAX_WRITERS];
    struct wal_options options = {.directory = directory};
    struct wal_stats stats;
    struct error err = ERROR_INIT;
    struct wal *wal = NULL;
    atomic_bool stop = false;
    uint64_t batches = 0;
    if (wal_open(&options, &wal, &err) != 0) {
        fprintf(stderr, "bench-wal: %s\n", err.text);
        exit(1);
    }
    struct mono_time begin = clock_mono();
    for (size_t i = 0; i < count; i++) {
        all[i] = (struct writer){.wal = wal, .record = record, .stop = &stop};
        if (pthread_create(&threads[i], NULL, write_batches, &all[i]) != 0)
            abort();
    }
    clock_sleep_ns(SECONDS * NS_PER_S);
    atomic_store(&stop, true);
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        batches += all[i].batches;
    }
    double seconds = (double)mono_diff_ns(clock_mono(), begin) / (double)NS_PER_S;
    wal_stats(wal, &stats);
    printf(
        "wal-writers-%zu %.0f batches/s, %.0f commits/s, %.2f Msamples/s, sync %.0f us (at most %.0f us)\n",
        count, (double)batches / seconds, (double)stats.commits / seconds,
        (double)batches * SERIES / seconds / 1e6,
        (double)stats.sync_ns_sum / (double)MAX(stats.commits, 1) / 1000, (double)stats.sync_ns_max / 1000);
    if (wal_close(&wal, &err) != 0 || file_remove_tree(directory, &err) != 0)
        fprintf(stderr, "bench-wal: %s\n", err.text);
}

// What a writer spends in wal_append, with its checksum and the copy; nothing is synced.
static void appending(const char *directory, struct slice record)
{
    struct wal_options options = {.directory = directory, .sync = WAL_SYNC_NONE};
    struct error err = ERROR_INIT;
    struct wal *wal = NULL;
    int64_t append_ns = 0;
    if (wal_open(&options, &wal, &err) != 0) {
        fprintf(stderr, "bench-wal: %s\n", err.text);
        exit(1);
    }
    for (int batch = 0; batch < BATCHES; batch++) {
        struct wal_span span = {0, 0};
        wal_admit(wal);
        int64_t begin_ns = cpu_ns();
        while (wal_append(wal, wal_epoch(wal), record, &span) == ERR_BUSY) {
        }
        append_ns += cpu_ns() - begin_ns;
    }
    printf("wal-append %.2f ns a sample\n", (double)append_ns / BATCHES / SERIES);
    if (wal_close(&wal, &err) != 0 || file_remove_tree(directory, &err) != 0)
        fprintf(stderr, "bench-wal: %s\n", err.text);
}

int main(int argc, char **argv)
{
    static const size_t counts[] = {1, 8, MAX_WRITERS};
    struct series_value *values = NEW_ARRAY(struct series_value, (size_t)SERIES * 16);
    char *directory = file_join(argc > 1 ? argv[1] : ".", "bench-wal.log");
    struct wal_encoder e;
    fill(values);
    coding(values, false);
    coding(values, true);
    wal_encoder_init(&e);
    struct slice record = encode(&e, values, false, BEGIN_S);
    appending(directory, record);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        writers(directory, record, counts[i]);
    wal_encoder_release(&e);
    mem_free(directory);
    mem_free(values);
    return 0;
}
