// SPDX-License-Identifier: MIT
// Any bytes as a batch, sent twice so that lines are known the second time. The engine must give the same answer as a
// plain reference: the decoder alone, keeping the last value of each bin of one series.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "codec/lineproto.h"
#include "store/store.h"

#define F   60
#define NOW INT64_C(1700003600)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What the decoder alone says about the lines for metric m of host h with no other tags.
struct reference {
    int64_t start;
    bool any;
    size_t stored;
    double bins[512];
    size_t count;
    bool complex; // a sample outside of the first buffer, or a line of m with other tags
};

static bool is_plain_host_line(const struct lineproto_entry *e)
{
    return slice_eq_cstr(e->measurement, "m") && e->tag_count == 1 &&
           slice_eq_cstr(e->tags[0].key, "hostname") && slice_eq_cstr(e->tags[0].value, "h") &&
           e->field_count == 1 && slice_eq_cstr(e->fields[0].key, "value") &&
           e->fields[0].value.kind <= LINEPROTO_UINT;
}

static double number_of(const struct lineproto_value *v)
{
    return v->kind == LINEPROTO_FLOAT ? v->f64 : v->kind == LINEPROTO_INT ? (double)v->i64 : (double)v->u64;
}

static void reference_put(struct reference *r, int64_t ts, double v)
{
    if (ts > NOW + 600)
        return;
    r->stored++;
    if (!r->any) {
        r->any = true;
        r->start = ts - F / 2;
    }
    int64_t bin = ts < r->start ? -1 : (ts - r->start) / F;
    if (bin < 0 || bin >= 512) {
        r->complex = true;
        return;
    }
    for (; r->count <= (size_t)bin; r->count++)
        r->bins[r->count] = NAN;
    r->bins[bin] = v;
}

static void read_reference(struct slice body, struct reference *r)
{
    struct lineproto_decoder *decoder = lineproto_decoder_new(LINEPROTO_LINE_MAX_DEFAULT);
    struct lineproto_entry *entry = NEW(struct lineproto_entry);
    struct error err;
    int rc;
    lineproto_decoder_reset(decoder, body, true);
    while ((rc = lineproto_next(decoder, entry, NULL, NULL, &err)) != 0) {
        if (rc < 0)
            continue;
        if (is_plain_host_line(entry))
            reference_put(r, entry->has_timestamp ? lineproto_guess_seconds(entry->timestamp) : NOW,
                          number_of(&entry->fields[0].value));
        else
            r->complex = r->complex || slice_eq_cstr(entry->measurement, "m");
    }
    mem_free(entry);
    lineproto_decoder_free(&decoder);
}

static void check_query(struct store *store, const struct reference *r)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    struct store_query query = {
        .cluster = SLICE_LITERAL("c"), .host = SLICE_LITERAL("h"), .metric = SLICE_LITERAL("m")};
    struct store_query_range range = {
        .from = r->start, .to = r->start + 512 * F, .with_data = true, .with_stats = true};
    struct store_series *entries;
    size_t count;
    struct error err = ERROR_INIT;
    ASSERT(store_query_run(store, &query, &range, arena, &entries, &count, &err) == 0);
    ASSERT(count == 1 && entries[0].count == r->count && entries[0].from == r->start + F / 2);
    for (size_t i = 0; i < r->count; i++) {
        double want = r->bins[i] + 0.0;
        ASSERT(isnan(want) ? isnan(entries[0].data[i])
                           : memcmp(&want, &entries[0].data[i], sizeof(want)) == 0);
    }
    arena_free(&arena);
}

static void check_debug(struct store *store)
{
    struct buf out;
    struct error err = ERROR_INIT;
    buf_init(&out, 64 << 20);
    ASSERT(store_debug(store, NULL, 0, &out, &err) == 0 && out.len > 2);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct store_metric metrics[] = {{NULL, "m", F, AGGREGATION_SUM},
                                                  {NULL, "n", 1, AGGREGATION_AVG}};
    struct store_options options = {.metrics = metrics, .metric_count = ARRAY_LEN(metrics)};
    struct store *store = NULL;
    struct error err = ERROR_INIT;
    struct reference *r = NEW(struct reference);
    struct store_write_result first, second;
    ASSERT(store_new(&options, &store, &err) == 0);
    struct store_write write = {
        .body = slice_of((const char *)data, size), .default_cluster = SLICE_LITERAL("c"), .now_s = NOW};
    int rc = store_ingest(store, &write, &first);
    ASSERT(rc == store_ingest(store, &write, &second));
    ASSERT(first.stored == second.stored && first.rejected == second.rejected &&
           first.skipped == second.skipped);
    ASSERT(strcmp(first.first_error.text, second.first_error.text) == 0);
    read_reference(write.body, r);
    ASSERT(first.stored >= r->stored);
    if (r->any && !r->complex)
        check_query(store, r);
    check_debug(store);
    store_free_before(store, NULL, 0, INT64_MAX);
    store_free(&store);
    mem_free(r);
    return 0;
}
