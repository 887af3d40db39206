// SPDX-License-Identifier: MIT
// Property: whatever is written in whatever order, a query answers what a plain reference gives. The reference keeps
// each series as upstream does, as a chain of buffers of doubles, and reads step by step (metric-store.md 4.3, 4.4); late
// samples that no buffer covers are not sent. The seed is printed; CC_TEST_SEED repeats a run.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/strnum.h"
#include "store/store.h"

#define T          INT64_C(1700000000)
#define F          10
#define CAP        512
#define MAX_CHAIN  64
#define COMPONENTS 3
#define ROUNDS     40
#define SAMPLES    3000
#define WANTED_MAX 10000 // more than 60000 s have values

struct buffer {
    int64_t start;
    size_t len;
    double values[CAP];
};

struct chain {
    struct buffer *buffers[MAX_CHAIN];
    size_t count;
};

struct random {
    uint64_t state;
};

static uint64_t next_random(struct random *r, uint64_t below)
{
    r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (r->state >> 33) % below;
}

// ---- reference --------------------------------------------------------------------------------------------------

static struct buffer *covering(struct chain *c, int64_t ts)
{
    for (size_t i = c->count; i-- > 0;) {
        struct buffer *b = c->buffers[i];
        if (ts >= b->start)
            return ts < b->start + CAP * F && (i + 1 == c->count || (size_t)((ts - b->start) / F) < b->len)
                       ? b
                       : NULL;
    }
    return NULL;
}

static bool chain_write(struct chain *c, int64_t ts, double v)
{
    struct buffer *b = covering(c, ts);
    bool newest = c->count == 0 || ts >= c->buffers[c->count - 1]->start;
    if (!b && (!newest || c->count == MAX_CHAIN))
        return false;
    if (!b) {
        b = c->buffers[c->count++] = NEW(struct buffer);
        b->start = ts - F / 2;
    }
    size_t i = (size_t)((ts - b->start) / F);
    while (b->len <= i)
        b->values[b->len++] = NAN;
    b->values[i] = v;
    return true;
}

static size_t chain_read(const struct chain *c, int64_t *from, int64_t *to, double *out)
{
    size_t at = c->count - 1, n = 0;
    while (*from < c->buffers[at]->start + F / 2) {
        if (at == 0) {
            *from = c->buffers[0]->start + F / 2;
            break;
        }
        at--;
    }
    int64_t t = *from;
    for (; t < *to; t += F) {
        const struct buffer *b = c->buffers[at];
        int64_t i = (t - b->start) / F;
        if (i >= CAP) {
            if (at + 1 == c->count)
                break;
            b = c->buffers[++at];
            i = (t - b->start) / F;
        }
        if (t >= b->start && i >= (int64_t)b->len && (at + 1 == c->count || *to <= c->buffers[at + 1]->start))
            break;
        out[n++] = t < b->start || i >= (int64_t)b->len ? NAN : b->values[i];
    }
    *to = t;
    return n;
}

static void chain_release(struct chain *c)
{
    for (size_t i = 0; i < c->count; i++)
        mem_free(c->buffers[i]);
}

// ---- the engine beside it ---------------------------------------------------------------------------------------

struct pair {
    struct store *store;
    struct arena *arena;
    struct chain chains[COMPONENTS];
    struct random random;
    double want[WANTED_MAX];
};

static double random_value(struct random *r, unsigned kind)
{
    switch (kind) {
    case 0:
        return 17.5;
    case 1:
        return (double)next_random(r, 1000000) / 1000;
    case 2:
        return (double)next_random(r, 3) - 1;
    case 3:
        return (double)next_random(r, UINT64_C(1) << 31) * 1e6 / 7;
    default:
        return 1e9 + (double)next_random(r, 100000) / 100;
    }
}

static void send(struct pair *p, const struct buf *lines)
{
    struct store_write write = {.body = buf_slice(lines), .now_s = T + 100000000};
    struct store_write_result result;
    if (store_ingest(p->store, &write, &result))
        fail_msg("refused: %s", result.first_error.text);
}

static void write_samples(struct pair *p)
{
    struct buf lines;
    int64_t now = T + (int64_t)next_random(&p->random, 100);
    unsigned kind = (unsigned)next_random(&p->random, 5);
    buf_init(&lines, 1 << 24);
    for (size_t i = 0; i < SAMPLES; i++) {
        uint64_t what = next_random(&p->random, 1000);
        now += what < 3 ? (int64_t)next_random(&p->random, 20000) : (int64_t)next_random(&p->random, F);
        kind = what > 990 ? (unsigned)next_random(&p->random, 5) : kind;
        int64_t ts = what % 50 == 7 ? now - (int64_t)next_random(&p->random, 8000) : now;
        size_t component = next_random(&p->random, COMPONENTS);
        double v = random_value(&p->random, kind);
        if (chain_write(&p->chains[component], ts, v))
            buf_printf(&lines, "m,cluster=c,hostname=h,type=core,type-id=%zu value=%.17g %lld\n", component,
                       v, (long long)ts);
        if (next_random(&p->random, 100) == 0) {
            send(p, &lines);
            buf_clear(&lines);
            store_maintain(p->store, next_random(&p->random, 2) ? now : T);
        }
    }
    send(p, &lines);
    buf_release(&lines);
}

static bool same(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b;
}

static void expect_stats(const struct store_series *got, const double *want, size_t count, uint64_t seed)
{
    double min = INFINITY, max = -INFINITY, sum = 0;
    size_t valid = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(want[i]))
            continue;
        min = fmin(min, want[i]);
        max = fmax(max, want[i]);
        sum += want[i];
        valid++;
    }
    double avg = valid ? sum / (double)valid : NAN;
    if (valid == 0 ? !isnan(got->avg)
                   : got->min != min || got->max != max || fabs(got->avg - avg) > 1e-9 * fabs(avg) + 1e-9)
        fail_msg("seed %llu: statistics %.17g %.17g %.17g, wanted %.17g %.17g %.17g",
                 (unsigned long long)seed, got->avg, got->min, got->max, avg, min, max);
}

static void query_once(struct pair *p, size_t component, struct store_query_range range, uint64_t seed)
{
    double *want = p->want;
    char id[4];
    struct slice ids = slice_of(id, strnum_format_u64(component, id));
    struct store_query query = {.cluster = SLICE_LITERAL("c"),
                                .host = SLICE_LITERAL("h"),
                                .metric = SLICE_LITERAL("m"),
                                .has_type = true,
                                .type = SLICE_LITERAL("core"),
                                .type_ids = &ids,
                                .type_id_count = 1};
    struct store_series *got;
    size_t count;
    struct error err = ERROR_INIT;
    int64_t from = range.from, to = range.to;
    size_t n = chain_read(&p->chains[component], &from, &to, want);
    arena_clear(p->arena);
    if (store_query_run(p->store, &query, &range, p->arena, &got, &count, &err) || count != 1)
        fail_msg("seed %llu: %zu entries, %s", (unsigned long long)seed, count, err.text);
    if (got->from != from || got->to != to || (range.with_data && got->count != n))
        fail_msg("seed %llu: [%lld, %lld): %zu values %lld..%lld, wanted %zu %lld..%lld",
                 (unsigned long long)seed, (long long)range.from, (long long)range.to, got->count,
                 (long long)got->from, (long long)got->to, n, (long long)from, (long long)to);
    for (size_t i = 0; i < n && range.with_data; i++) {
        if (!same(got->data[i], want[i]))
            fail_msg("seed %llu: value %zu is %.17g, wanted %.17g", (unsigned long long)seed, i, got->data[i],
                     want[i]);
    }
    expect_stats(got, want, n, seed);
}

static void run_round(uint64_t seed)
{
    static const struct store_metric metric = {NULL, "m", F, AGGREGATION_SUM};
    struct pair *p = NEW(struct pair);
    struct error err = ERROR_INIT;
    struct store_options options = {.metrics = &metric, .metric_count = 1};
    p->random.state = seed;
    p->arena = arena_new((size_t)256 << 20);
    assert_int_equal(store_new(&options, &p->store, &err), 0);
    write_samples(p);
    for (size_t i = 0; i < 200; i++) {
        size_t component = next_random(&p->random, COMPONENTS);
        struct store_query_range range = {.from = T - 100 + (int64_t)next_random(&p->random, 60000),
                                          .with_stats = true,
                                          .with_data = next_random(&p->random, 3) > 0};
        range.to = range.from + (int64_t)next_random(&p->random, i % 2 ? 300 : 60000);
        if (p->chains[component].count)
            query_once(p, component, range, seed);
    }
    for (size_t i = 0; i < COMPONENTS; i++)
        chain_release(&p->chains[i]);
    store_free(&p->store);
    arena_free(&p->arena);
    mem_free(p);
}

static void test_queries_agree_with_the_reference(void **state)
{
    (void)state;
    const char *given = getenv("CC_TEST_SEED");
    uint64_t seed = 20231114;
    if (given && strnum_parse_u64(slice_from_cstr(given), &seed, NULL))
        fail_msg("CC_TEST_SEED is no number: '%s'", given);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (uint64_t i = 0; i < (given ? 1 : ROUNDS); i++)
        run_round(seed + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_queries_agree_with_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
