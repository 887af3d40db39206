// SPDX-License-Identifier: MIT
// Writes a Parquet file that uses all the writer can do: a test program, not installed. tests/test_parquet.py knows the same
// formulas and has the file read by readers that are not ours.
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "base/cmdline.h"
#include "base/file.h"
#include "base/mem.h"
#include "codec/parquet.h"

enum { FEW, MANY, PLAIN, LONG, NUMBER, NUMBER_FEW, VALUE, NOTHING, COLUMN_COUNT };
enum { BATCH = 1000 };

static const struct parquet_column columns[COLUMN_COUNT] = {
    [FEW] = {"few", PARQUET_STRING, true},
    [MANY] = {"many", PARQUET_STRING, true}, // more than a dictionary holds
    [PLAIN] = {"plain", PARQUET_STRING, false},
    [LONG] = {"long", PARQUET_STRING, true}, // longer than bounds may be
    [NUMBER] = {"number", PARQUET_INT64, false},
    [NUMBER_FEW] = {"number_few", PARQUET_INT64, true},
    [VALUE] = {"value", PARQUET_FLOAT, false},
    [NOTHING] = {"nothing", PARQUET_FLOAT, false}, // NaN only
};
static const unsigned sorted_by[] = {MANY};
static const struct parquet_schema schema = {"Sample", columns, COLUMN_COUNT, sorted_by, 1};

struct options {
    const char *out;
    int64_t rows, group;
};

static const struct cmdline_flag flags[] = {
    {"out", CMDLINE_STRING, offsetof(struct options, out), "sample.parquet", "file to write"},
    {"rows", CMDLINE_INT, offsetof(struct options, rows), "1000", "number of rows"},
    {"group", CMDLINE_INT, offsetof(struct options, group), "1000000", "rows of a row group"},
    {0},
};

struct batch {
    char texts[4][BATCH][128];
    struct slice strings[4][BATCH];
    int64_t numbers[2][BATCH];
    float values[2][BATCH];
};

static void fill_row(struct batch *b, size_t at, int64_t row)
{
    snprintf(b->texts[FEW][at], 128, "name \xc3\xa4 %d", (int)(row / 1000 % 7));
    snprintf(b->texts[MANY][at], 128, "row %012lld of the table", (long long)row);
    snprintf(b->texts[PLAIN][at], 128, "%lld", (long long)(row * 7919 % 100003));
    snprintf(b->texts[LONG][at], 128, "%080d%d", 0, (int)(row / 100 % 5));
    for (int i = 0; i < 4; i++)
        b->strings[i][at] = slice_from_cstr(b->texts[i][at]);
    b->numbers[0][at] = (row - 500) * 1000000007;
    b->numbers[1][at] = row % 3 - 1;
    b->values[0][at] = row % 5 == 0 ? NAN : row % 7 == 0 ? -INFINITY : (float)row / 4;
    b->values[1][at] = NAN;
}

static int write_file(void *ctx, struct slice bytes, struct error *err)
{
    return io_write_all(&io_system, *(int *)ctx, bytes, "sample", err);
}

static int write_rows(struct parquet_writer *w, const struct options *o, struct batch *b, struct error *err)
{
    int rc = 0;
    for (int64_t first = 0; rc == 0 && first < o->rows; first += BATCH) {
        size_t count = (size_t)MIN(BATCH, o->rows - first);
        for (size_t i = 0; i < count; i++)
            fill_row(b, i, first + (int64_t)i);
        struct parquet_values values[COLUMN_COUNT] = {{.strings = b->strings[0]}, {.strings = b->strings[1]},
                                                      {.strings = b->strings[2]}, {.strings = b->strings[3]},
                                                      {.i64 = b->numbers[0]},     {.i64 = b->numbers[1]},
                                                      {.f32 = b->values[0]},      {.f32 = b->values[1]}};
        rc = parquet_append(w, values, count, err);
        if (rc == 0 && (int64_t)parquet_row_group_rows(w) >= o->group)
            rc = parquet_end_row_group(w, err);
    }
    return rc == 0 ? parquet_finish(w, err) : rc;
}

int main(int argc, char **argv)
{
    struct options o;
    struct error err = ERROR_INIT;
    int rest;
    if (cmdline_parse(flags, &o, argc, argv, stderr, &rest) != CMDLINE_OK)
        return 2;
    int fd = open(o.out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return 2;
    struct batch *batch = NEW(struct batch);
    struct parquet_writer *w = parquet_writer_new(&schema, write_file, &fd);
    int rc = write_rows(w, &o, batch, &err);
    if (rc < 0)
        fprintf(stderr, "%s\n", err.text);
    parquet_writer_free(&w);
    mem_free(batch);
    close(fd);
    return rc < 0;
}
