// SPDX-License-Identifier: MIT
// How many nanoseconds does number text take per value? A page of a job has 1.8 million values with three
// decimals. One line per case: name, nanoseconds per value (best of seven passes), checksum.
#include <math.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "codec/number.h"

#define COUNT  200000
#define PASSES 7

struct data {
    double values[COUNT];
    char *texts[COUNT]; // the same, three decimals
    struct slice slices[COUNT], shortest[COUNT];
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// As a store holds them: single precision, some constant, some slow, some noisy, of three magnitudes.
static struct data *make_data(void)
{
    static const double scales[] = {1, 100, 30000};
    struct data *d = NEW(struct data);
    uint64_t seed = 88172645463325252;
    for (size_t i = 0; i < COUNT; i++) {
        double scale = scales[i / 1000 % 3];
        double v = i % 10 == 0 ? scale : (double)(next_random(&seed) >> 11) * 0x1p-53 * scale;
        d->values[i] = (double)(float)v;
        char text[NUMBER_TEXT_SIZE];
        size_t len = number_format_fixed(v, 3, text);
        d->texts[i] = mem_strndup(text, len);
        d->slices[i] = slice_of(d->texts[i], len);
        len = number_format_shortest(v, text);
        d->shortest[i] = slice_of(mem_strndup(text, len), len);
    }
    return d;
}

static size_t fixed3(const struct data *d, size_t i, char *out)
{
    return number_format_fixed(d->values[i], 3, out);
}

static size_t fixed2(const struct data *d, size_t i, char *out)
{
    return number_format_fixed(d->values[i], 2, out);
}

static size_t snprintf3(const struct data *d, size_t i, char *out)
{
    return (size_t)snprintf(out, NUMBER_TEXT_SIZE, "%.3f", d->values[i]);
}

static size_t shortest(const struct data *d, size_t i, char *out)
{
    return number_format_shortest(d->values[i], out);
}

static size_t json_f32(const struct data *d, size_t i, char *out)
{
    return number_format_json_f32((float)d->values[i], out);
}

static size_t parse(struct slice text)
{
    double v = 0;
    ignore_result(number_parse_double(text, &v, NULL)); // written by ourselves
    return (size_t)(v * 1000);
}

static size_t parse3(const struct data *d, size_t i, char *out)
{
    (void)out;
    return parse(d->slices[i]);
}

static size_t parse_shortest(const struct data *d, size_t i, char *out)
{
    (void)out;
    return parse(d->shortest[i]);
}

static size_t strtod3(const struct data *d, size_t i, char *out)
{
    (void)out;
    return (size_t)(strtod(d->texts[i], NULL) * 1000);
}

static const struct {
    const char *name;
    size_t (*run)(const struct data *d, size_t i, char *out);
} cases[] = {{"format-fixed-3", fixed3},          {"format-fixed-2", fixed2},
             {"snprintf-fixed-3", snprintf3},     {"format-shortest", shortest},
             {"format-json-float32", json_f32},   {"parse-3-decimals", parse3},
             {"parse-17-digits", parse_shortest}, {"strtod-3-decimals", strtod3}};

int main(void)
{
    struct data *d = make_data();
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        double best = INFINITY;
        size_t sum = 0;
        for (int pass = 0; pass < PASSES; pass++) {
            char out[NUMBER_TEXT_SIZE];
            struct mono_time start = clock_mono();
            for (size_t i = 0; i < COUNT; i++)
                sum += cases[c].run(d, i, out);
            double ns = (double)mono_diff_ns(clock_mono(), start) / COUNT;
            best = ns < best ? ns : best;
        }
        printf("number-%s %.2f ns/value (%zu)\n", cases[c].name, best, sum);
    }
    return 0;
}
