// SPDX-License-Identifier: MIT
// cc-demo-job: three short programs of clearly different character for script/demo.
//
//     cc-demo-job compute|stream|io [seconds]
//
// compute keeps one hardware thread busy with arithmetic in registers; stream walks through memory larger than
// any cache; io writes and reads a file, waits for the disk each time and sleeps in between.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/slice.h"
#include "base/strnum.h"

#define STREAM_BYTES   ((size_t)384 << 20)
#define IO_BLOCK_BYTES ((size_t)4 << 20)

static bool before(struct mono_time end)
{
    return mono_diff_ns(end, clock_mono()) > 0;
}

static double compute(struct mono_time end)
{
    double x = 0.5;
    while (before(end)) {
        for (int i = 0; i < 1000000; i++)
            x = x * 3.7 * (1.0 - x); // logistic map: never settles, cannot be folded away
    }
    return x;
}

static double stream(struct mono_time end)
{
    size_t count = STREAM_BYTES / (3 * sizeof(double));
    double *a = NEW_ARRAY(double, count), *b = NEW_ARRAY(double, count), *c = NEW_ARRAY(double, count);
    double sum = 0;
    for (int round = 1; before(end); round++) {
        for (size_t i = 0; i < count; i++)
            a[i] = b[i] + 0.5 * c[i] + round;
        for (size_t i = 0; i < count; i++)
            b[i] = a[i];
        sum += a[count / 2];
    }
    mem_free(a);
    mem_free(b);
    mem_free(c);
    return sum;
}

// One round of writing, waiting for the disk and reading back; false when the disk refuses.
static bool io_round(int fd, char *block)
{
    for (int i = 0; i < 4; i++) {
        if (pwrite(fd, block, IO_BLOCK_BYTES, (off_t)(i * (long)IO_BLOCK_BYTES)) < 0)
            return false;
    }
    if (fdatasync(fd) < 0)
        return false;
    return pread(fd, block, IO_BLOCK_BYTES, 0) >= 0;
}

static double io(struct mono_time end)
{
    char path[] = "/var/tmp/cc-demo-job-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        perror("cc-demo-job: temporary file");
        return -1;
    }
    unlink(path);
    char *block = mem_alloc(IO_BLOCK_BYTES);
    double rounds = 0;
    while (before(end)) {
        memset(block, (int)rounds & 0x7f, IO_BLOCK_BYTES);
        if (!io_round(fd, block)) {
            perror("cc-demo-job: disk");
            rounds = -1;
            break;
        }
        rounds++;
        clock_sleep_ns(200 * NS_PER_MS);
    }
    mem_free(block);
    close(fd);
    return rounds;
}

static const struct {
    const char *name;
    double (*run)(struct mono_time end);
} kinds[] = {{"compute", compute}, {"stream", stream}, {"io", io}};

int main(int argc, char **argv)
{
    int64_t seconds = 20;
    if (argc < 2 || argc > 3 ||
        (argc == 3 && (strnum_parse_i64(slice_from_cstr(argv[2]), &seconds, NULL) < 0 || seconds < 1))) {
        fprintf(stderr, "usage: cc-demo-job compute|stream|io [seconds]\n");
        return 2;
    }
    struct mono_time end = {.ns = clock_mono().ns + seconds * NS_PER_S};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) {
            double result = kinds[i].run(end);
            printf("%s: result %g\n", argv[1], result);
            return result < 0 ? 1 : 0;
        }
    }
    fprintf(stderr, "cc-demo-job: unknown kind '%s'\n", argv[1]);
    return 2;
}
