// SPDX-License-Identifier: MIT
// How many bytes does a sealed value take: series of an archived job as they were measured, and float32 values that
// nothing can compress? All blocks with their headers, the allocator's overhead and the place in the series' list; the time
// of coding and decoding a value.
//
//     bench-store-blocks [data.json.gz ...]        without files: the incompressible values only
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/mem.h"
#include "codec/gzip.h"
#include "codec/json.h"
#include "store/block.h"
#include "store/series.h"

struct tally {
    size_t values, bytes, kinds[BLOCK_DICT64 + 1];
    int64_t encode_ns, decode_ns;
};

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void add_block(struct tally *t, const double *values, size_t count)
{
    double out[BLOCK_MAX_VALUES];
    int64_t begin_ns = cpu_ns();
    struct block *block = block_encode(values, count);
    int64_t coded_ns = cpu_ns();
    block_decode(block, 0, count, out);
    t->decode_ns += cpu_ns() - coded_ns;
    t->encode_ns += coded_ns - begin_ns;
    t->values += count;
    t->bytes += block_memory_bytes(block) + sizeof(struct piece);
    t->kinds[block->kind]++;
    mem_free(block);
}

static void report(const char *name, const struct tally *t)
{
    printf("store-block-%s %.3f B/value (%zu values, coded in %.1f ns, decoded in %.1f ns a value; blocks by "
           "kind:",
           name, (double)t->bytes / (double)t->values, t->values, (double)t->encode_ns / (double)t->values,
           (double)t->decode_ns / (double)t->values);
    for (size_t i = 0; i < ARRAY_LEN(t->kinds); i++)
        printf(" %zu", t->kinds[i]);
    printf(")\n");
}

static void add_series(struct tally *t, const struct json_value *data)
{
    double values[BLOCK_MAX_VALUES];
    size_t count = json_count(data);
    for (size_t first = 0; first < count; first += BLOCK_MAX_VALUES) {
        size_t n = MIN(count - first, (size_t)BLOCK_MAX_VALUES);
        for (size_t i = 0; i < n; i++)
            values[i] = json_double(json_at(data, first + i), NAN);
        add_block(t, values, n);
    }
}

static void add_document(struct tally *t, const struct json_value *root)
{
    for (size_t m = 0; m < json_count(root); m++) {
        const struct json_value *scopes = json_member_at(root, m, NULL);
        for (size_t s = 0; s < json_count(scopes); s++) {
            const struct json_value *series = json_get(json_member_at(scopes, s, NULL), "series");
            for (size_t i = 0; i < json_count(series); i++)
                add_series(t, json_get(json_at(series, i), "data"));
        }
    }
}

static int add_file(struct tally *t, const char *path)
{
    struct buf packed, text;
    struct json_doc *doc = NULL;
    struct error err = ERROR_INIT;
    buf_init(&packed, (size_t)1 << 28);
    buf_init(&text, (size_t)1 << 30);
    int rc = file_read(path, (size_t)1 << 28, &packed, &err);
    if (rc == 0)
        rc = gzip_decompress(buf_slice(&packed), &text, &err);
    if (rc == 0)
        rc = json_parse(buf_slice(&text), &doc, &err);
    if (rc == 0)
        add_document(t, json_root(doc));
    else
        fprintf(stderr, "bench-store-blocks: %s: %s\n", path, err.text);
    json_doc_free(&doc);
    buf_release(&packed);
    buf_release(&text);
    return rc;
}

static void incompressible(void)
{
    struct tally t = {.values = 0};
    uint64_t random = 20231114;
    for (int block = 0; block < 2000; block++) {
        double values[BLOCK_MAX_VALUES];
        for (size_t i = 0; i < BLOCK_MAX_VALUES; i++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            values[i] = (double)((float)(random >> 33) * 1.2345e-7f);
        }
        add_block(&t, values, BLOCK_MAX_VALUES);
    }
    report("incompressible-float32", &t);
}

int main(int argc, char **argv)
{
    struct tally t = {.values = 0};
    incompressible();
    for (int i = 1; i < argc; i++) {
        if (add_file(&t, argv[i]))
            return 1;
    }
    if (t.values)
        report("archive", &t);
    return 0;
}
