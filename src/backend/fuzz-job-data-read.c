// SPDX-License-Identifier: MIT
// Archived data documents: what is read can be written, and that reads back to the same bytes. (Invalid UTF-8 is read too,
// but written as U+FFFD, which may make two names one.)
#include "backend/job-data-read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int pass(struct slice text, struct buf *out)
{
    struct arena *arena = arena_new((size_t)256 << 20);
    struct job_data data;
    int rc = job_data_read(text, arena, &data, NULL);
    if (rc == 0) {
        job_data_sort(&data);
        job_data_encode(&data, out);
    }
    arena_free(&arena);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct buf once, twice;
    buf_init(&once, (size_t)64 << 20);
    buf_init(&twice, (size_t)64 << 20);
    if (pass(text, &once) == 0 && slice_is_utf8(text)) {
        int rc = pass(buf_slice(&once), &twice);
        ASSERT(rc == 0 && slice_eq(buf_slice(&once), buf_slice(&twice)));
    }
    buf_release(&once);
    buf_release(&twice);
    return 0;
}
