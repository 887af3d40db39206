// SPDX-License-Identifier: MIT
// What the engine and its endpoints tell about themselves.
#include <stddef.h>

#include "codec/openmetrics.h"
#include "store/store-api-private.h"

static const double latency_bounds_s[LATENCY_BUCKETS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                         0.1,    0.25,  0.5,    1,     2.5,  5,     10};

void store_api_record(struct endpoint *endpoint, int status, struct mono_time begin)
{
    int64_t ns = mono_diff_ns(clock_mono(), begin);
    size_t bucket = 0;

    while (bucket < LATENCY_BUCKETS && (double)ns > latency_bounds_s[bucket] * 1e9)
        bucket++;
    atomic_fetch_add_explicit(&endpoint->latency[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&endpoint->latency_sum_ns, (uint64_t)ns, memory_order_relaxed);
    _Atomic uint64_t *answers = status < 400   ? &endpoint->answers_2xx
                                : status < 500 ? &endpoint->answers_4xx
                                               : &endpoint->answers_5xx;
    atomic_fetch_add_explicit(answers, 1, memory_order_relaxed);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#define STAT(member) offsetof(struct store_stats, member)

static const struct openmetrics_row store_rows[] = {
    {"cc_store_samples", OPENMETRICS_COUNTER, "", STAT(samples_stored), "Samples stored."},
    {"cc_store_batches", OPENMETRICS_COUNTER, "", STAT(batches), "Batches of lines taken."},
    {"cc_store_dropped_lines", OPENMETRICS_COUNTER, "{reason=\"unknown_metric\"}", STAT(lines_skipped),
     "Lines that were not stored, by reason."},
    {"cc_store_dropped_lines", OPENMETRICS_COUNTER, "{reason=\"syntax\"}", STAT(lines_rejected_syntax), NULL},
    {"cc_store_dropped_lines", OPENMETRICS_COUNTER, "{reason=\"name\"}", STAT(lines_rejected_name), NULL},
    {"cc_store_dropped_lines", OPENMETRICS_COUNTER, "{reason=\"too_old\"}", STAT(lines_rejected_old), NULL},
    {"cc_store_dropped_lines", OPENMETRICS_COUNTER, "{reason=\"in_the_future\"}", STAT(lines_rejected_future),
     NULL},
    {"cc_store_queries", OPENMETRICS_COUNTER, "", STAT(queries), "Queries answered."},
    {"cc_store_freed_chunks", OPENMETRICS_COUNTER, "", STAT(freed_chunks),
     "Chunks freed by retention, memory cap or request."},
    {"cc_store_hosts", OPENMETRICS_GAUGE, "", STAT(hosts), "Hosts known."},
    {"cc_store_series", OPENMETRICS_GAUGE, "", STAT(series), "Series known."},
    {"cc_store_chunks", OPENMETRICS_GAUGE, "{state=\"open\"}", STAT(open_chunks), "Chunks in memory."},
    {"cc_store_chunks", OPENMETRICS_GAUGE, "{state=\"sealed\"}", STAT(sealed_chunks), NULL},
    {"cc_store_memory_bytes", OPENMETRICS_GAUGE, "{kind=\"open\"}", STAT(bytes_open),
     "Accounted memory of the engine."},
    {"cc_store_memory_bytes", OPENMETRICS_GAUGE, "{kind=\"sealed\"}", STAT(bytes_sealed), NULL},
    {"cc_store_memory_bytes", OPENMETRICS_GAUGE, "{kind=\"index\"}", STAT(bytes_index), NULL},
};

static void write_latency(const struct endpoint *endpoint, struct buf *out)
{
    uint64_t count = 0;

    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        count += load(&endpoint->latency[i]);
        buf_printf(out, "cc_store_request_duration_seconds_bucket{endpoint=\"%s\",le=\"%g\"} %llu\n",
                   endpoint->path, latency_bounds_s[i], (unsigned long long)count);
    }
    count += load(&endpoint->latency[LATENCY_BUCKETS]);
    buf_printf(out, "cc_store_request_duration_seconds_bucket{endpoint=\"%s\",le=\"+Inf\"} %llu\n",
               endpoint->path, (unsigned long long)count);
    buf_printf(out, "cc_store_request_duration_seconds_count{endpoint=\"%s\"} %llu\n", endpoint->path,
               (unsigned long long)count);
    buf_printf(out, "cc_store_request_duration_seconds_sum{endpoint=\"%s\"} %.9f\n", endpoint->path,
               (double)load(&endpoint->latency_sum_ns) / 1e9);
}

static void write_answers(const struct endpoint *endpoint, struct buf *out)
{
    const struct {
        const char *code;
        const _Atomic uint64_t *count;
    } rows[] = {
        {"2xx", &endpoint->answers_2xx}, {"4xx", &endpoint->answers_4xx}, {"5xx", &endpoint->answers_5xx}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        buf_printf(out, "cc_store_requests_total{endpoint=\"%s\",code=\"%s\"} %llu\n", endpoint->path,
                   rows[i].code, (unsigned long long)load(rows[i].count));
}

void store_api_metrics(const struct store_api *api, struct buf *out)
{
    struct store_stats stats = {0};

    store_stats(api->store, &stats);
    openmetrics_rows(out, store_rows, ARRAY_LEN(store_rows), &stats);
    openmetrics_family(out, "cc_store_requests", OPENMETRICS_COUNTER, "Requests answered.");
    for (size_t i = 0; i < ENDPOINT_COUNT; i++)
        write_answers(&api->endpoints[i], out);
    openmetrics_family(out, "cc_store_request_duration_seconds", OPENMETRICS_HISTOGRAM,
                       "Time from the whole request to the last piece of the answer.");
    for (size_t i = 0; i < ENDPOINT_COUNT; i++)
        write_latency(&api->endpoints[i], out);
}
