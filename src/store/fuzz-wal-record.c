// SPDX-License-Identifier: MIT
// Foreign bytes as a record of the log: refused with the place, or read without a step out of bounds; what was taken is coded again
// and comes out the same. Then the bytes as samples: what is coded comes out bit for bit.
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/wal-record.h"

#define MAX_SAMPLES  4096
#define SAMPLE_BYTES 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What a decoder gave, as a checksum of everything in its order; and the same coded again.
struct walk {
    uint64_t sum;
    uint64_t items;
    struct wal_encoder *again; // NULL: only look
};

static void add(struct walk *w, const void *bytes, size_t len)
{
    w->sum = slice_hash_seeded(slice_of(bytes, len), w->sum);
}

static int take_host(void *ctx, uint32_t host, struct slice cluster, struct slice name, struct error *err)
{
    struct walk *w = ctx;
    (void)host, (void)err; // coded again it has another number
    ASSERT(cluster.len > 0 && name.len > 0);
    add(w, cluster.ptr, cluster.len);
    add(w, name.ptr, name.len);
    w->items++;
    if (w->again)
        wal_encoder_define_host(w->again, cluster, name);
    return 0;
}

static int take_series(void *ctx, uint32_t host, uint32_t series, struct slice metric,
                       const struct slice *path, size_t depth, struct error *err)
{
    struct walk *w = ctx;
    (void)host, (void)err;
    ASSERT(series < WAL_MAX_SERIES && metric.len > 0 && depth <= WAL_MAX_DEPTH);
    add(w, &series, sizeof(series));
    add(w, metric.ptr, metric.len);
    for (size_t i = 0; i < depth; i++)
        add(w, path[i].ptr, path[i].len);
    w->items++;
    if (w->again)
        wal_encoder_define_series(w->again, series, metric, path, depth);
    return 0;
}

static int take_samples(void *ctx, uint32_t host, uint32_t first, int64_t ts,
                        const struct series_value *values, size_t count, struct error *err)
{
    struct walk *w = ctx;
    (void)host, (void)err;
    ASSERT(count > 0 && count <= WAL_RUN_VALUES && first + count <= WAL_MAX_SERIES);
    for (size_t i = 0; i < count; i++) {
        const struct series_value *v = &values[i];
        uint32_t series = first + (uint32_t)i;
        ASSERT(v->scale <= BLOCK_MAX_SCALE && v->m < INT64_C(1) << 53 && v->m > -(INT64_C(1) << 53));
        add(w, &series, sizeof(series));
        add(w, &ts, sizeof(ts));
        add(w, &v->wide, sizeof(v->wide));
        add(w, &v->m, sizeof(v->m));
        add(w, (uint8_t[]){v->scale, v->decimal}, 2);
        w->items++;
        if (w->again)
            wal_encoder_sample(w->again, series, ts, v);
    }
    return 0;
}

static const struct wal_decoder_ops walk_ops = {take_host, take_series, take_samples};

static void check_foreign(struct wal_encoder *e, struct slice bytes)
{
    struct error err = ERROR_INIT;
    struct walk first = {.again = e}, second = {.again = NULL};
    wal_encoder_begin(e, 0);
    int rc = wal_record_decode(bytes, &walk_ops, &first, &err);
    if (rc != 0) {
        ASSERT(rc == ERR_CORRUPT && strstr(err.text, "at byte"));
        return;
    }
    struct slice record = wal_encoder_end(e);
    ASSERT((record.len == 0) == (first.items == 0));
    if (record.len == 0)
        return;
    ASSERT(wal_record_decode(record, &walk_ops, &second, &err) == 0);
    ASSERT(second.items == first.items && second.sum == first.sum);
}

// ---- as samples -------------------------------------------------------------------------------------------

struct sample {
    uint32_t series;
    int64_t ts;
    struct series_value value;
};

struct expected {
    const struct sample *samples;
    size_t count, at;
};

static int expect_samples(void *ctx, uint32_t host, uint32_t first, int64_t ts,
                          const struct series_value *values, size_t count, struct error *err)
{
    struct expected *e = ctx;
    (void)host, (void)err;
    for (size_t i = 0; i < count; i++, e->at++) {
        const struct sample *s = &e->samples[e->at];
        ASSERT(e->at < e->count && s->series == first + i && s->ts == ts);
        ASSERT(values[i].decimal == s->value.decimal);
        if (!s->value.decimal || s->value.m == 0) // a zero keeps its sign
            ASSERT(memcmp(&values[i].wide, &s->value.wide, sizeof(double)) == 0);
        ASSERT(values[i].m == s->value.m && values[i].scale == s->value.scale);
    }
    return 0;
}

static const struct wal_decoder_ops expect_ops = {take_host, take_series, expect_samples};

// 12 bytes each: how series and time go on, a number for them, a double or a short decimal.
static size_t make_samples(const uint8_t *data, size_t size, struct sample *samples)
{
    size_t count = 0;
    uint32_t series = 0;
    int64_t ts = 1700000000;
    for (; size >= SAMPLE_BYTES && count < MAX_SAMPLES; data += SAMPLE_BYTES, size -= SAMPLE_BYTES) {
        unsigned jump = data[1] | (unsigned)data[2] << 8 | (unsigned)data[3] << 16;
        double v;
        memcpy(&v, data + 4, sizeof(v));
        if (data[0] & 1)
            series = jump;
        if (data[0] & 2)
            ts += (int64_t)jump - 1000;
        if (data[0] & 4)
            v = (double)(int64_t)(jump << 8 | data[4]) / block_power_of_ten(data[5] % (BLOCK_MAX_SCALE + 1));
        samples[count++] = (struct sample){series, ts, series_value_of(v)};
        series = (series + 1) % WAL_MAX_SERIES;
    }
    return count;
}

static void check_samples(struct wal_encoder *e, const uint8_t *data, size_t size)
{
    struct sample *samples = NEW_ARRAY(struct sample, MAX_SAMPLES);
    struct expected expected = {.samples = samples, .count = make_samples(data, size, samples)};
    wal_encoder_begin(e, 9);
    for (size_t i = 0; i < expected.count; i++)
        wal_encoder_sample(e, samples[i].series, samples[i].ts, &samples[i].value);
    struct slice record = wal_encoder_end(e);
    if (record.len)
        ASSERT(wal_record_decode(record, &expect_ops, &expected, NULL) == 0);
    ASSERT(expected.at == expected.count);
    mem_free(samples);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wal_encoder e;
    wal_encoder_init(&e);
    check_foreign(&e, slice_of((const char *)data, size));
    check_samples(&e, data, size);
    wal_encoder_release(&e);
    return 0;
}
