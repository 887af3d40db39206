// SPDX-License-Identifier: MIT
// How many lines per second can one core read? Lines of a node with 5 metrics for 64 hardware threads and 20
// for the node. "predicted": the head is compared with the remembered one and only value and time are read
// (what the store does for senders that repeat their order); "head": its length only, for a look-up;
// "decoder": the full grammar.
#include <math.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/lineproto-scan.h"
#include "codec/lineproto.h"

#define PASSES 200
#define LINES  340

struct batch {
    struct buf text;
    struct slice heads[LINES]; // in text
};

static void append_line(struct batch *b, size_t line, int metric, int thread)
{
    size_t start = b->text.len;
    if (thread >= 0)
        buf_printf(&b->text, "metric_%02d,cluster=alpha,hostname=node0123,type=hwthread,type-id=%d", metric,
                   thread);
    else
        buf_printf(&b->text, "metric_%02d,cluster=alpha,hostname=node0123,type=node", metric);
    b->heads[line].len = b->text.len - start;
    buf_printf(&b->text, " value=%.3f 1700000000\n", (double)(line * 7919 % 100000) / 127.0);
}

static void make_batch(struct batch *b)
{
    buf_init(&b->text, BUF_MAX_DEFAULT);
    size_t line = 0;
    for (int metric = 0; metric < 5; metric++) {
        for (int thread = 0; thread < 64; thread++)
            append_line(b, line++, metric, thread);
    }
    for (int metric = 5; metric < 25; metric++)
        append_line(b, line++, metric, -1);
    const char *p = b->text.ptr;
    for (line = 0; line < LINES; line++) {
        b->heads[line].ptr = p;
        p = (const char *)memchr(p, '\n', 1000) + 1;
    }
}

static double run_predicted(const struct batch *b)
{
    const char *p = b->text.ptr, *end = p + b->text.len;
    double sum = 0, value;
    int64_t timestamp;
    for (size_t line = 0; line < LINES; line++) {
        struct slice head = b->heads[line];
        if ((size_t)(end - p) < head.len || memcmp(p, head.ptr, head.len) != 0)
            break;
        const char *next = lineproto_scan_value_time(p + head.len, end, &value, &timestamp);
        if (!next)
            break; // the last line is too near to the end
        p = next;
        sum += value;
    }
    return sum;
}

static double run_value_only(const struct batch *b)
{
    const char *end = b->text.ptr + b->text.len;
    double sum = 0, value = 0;
    int64_t timestamp;
    for (size_t line = 0; line < LINES; line++) {
        struct slice head = b->heads[line];
        if (lineproto_scan_value_time(head.ptr + head.len, end, &value, &timestamp))
            sum += value;
    }
    return sum;
}

static double run_head(const struct batch *b)
{
    const char *end = b->text.ptr + b->text.len;
    double sum = 0;
    for (size_t line = 0; line < LINES; line++)
        sum += (double)lineproto_scan_head(b->heads[line].ptr, end);
    return sum;
}

static double run_decoder(const struct batch *b)
{
    static _Thread_local struct lineproto_entry entry;
    struct lineproto_decoder *d = lineproto_decoder_new(LINEPROTO_LINE_MAX_DEFAULT);
    lineproto_decoder_reset(d, buf_slice(&b->text), true);
    double sum = 0;
    while (lineproto_next(d, &entry, NULL, NULL, NULL) > 0)
        sum += entry.fields[0].value.f64;
    lineproto_decoder_free(&d);
    return sum;
}

static double run_encoder(const struct batch *b)
{
    (void)b;
    static const struct lineproto_tag tags[] = {{{"cluster", 7}, {"alpha", 5}},
                                                {{"hostname", 8}, {"node0123", 8}},
                                                {{"type", 4}, {"hwthread", 8}},
                                                {{"type-id", 7}, {"17", 2}}};
    struct lineproto_field field = {.key = SLICE_LITERAL("value")};
    struct buf out;
    buf_init(&out, BUF_MAX_DEFAULT);
    for (size_t line = 0; line < LINES; line++) {
        field.value.f64 = (double)line * 0.37;
        ignore_result(
            lineproto_encode(&out, SLICE_LITERAL("metric_01"), tags, 4, &field, 1, 1700000000, NULL));
    }
    double sum = (double)out.len;
    buf_release(&out);
    return sum;
}

static const struct {
    const char *name;
    double (*run)(const struct batch *b);
} cases[] = {{"predicted", run_predicted},
             {"value-and-time-only", run_value_only},
             {"head", run_head},
             {"decoder", run_decoder},
             {"encoder", run_encoder}};

int main(void)
{
    struct batch *b = NEW(struct batch);
    make_batch(b);
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        double best = INFINITY, sum = 0;
        for (int pass = 0; pass < PASSES; pass++) {
            struct mono_time start = clock_mono();
            for (int i = 0; i < 10; i++)
                sum += cases[c].run(b);
            double ns = (double)mono_diff_ns(clock_mono(), start) / (10 * LINES);
            best = ns < best ? ns : best;
        }
        printf("lineproto-%s %.2f ns/line, %.1f M lines/s (%.0f)\n", cases[c].name, best, 1e3 / best, sum);
    }
    return 0;
}
