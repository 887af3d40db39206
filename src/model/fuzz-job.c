// SPDX-License-Identifier: MIT
// Start requests and archived records: whatever comes in, what was decoded encodes and decodes to the same
// bytes.
#include "model/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int encode(struct slice text, bool strict, struct buf *out)
{
    struct arena *arena = arena_new((size_t)256 << 20);
    struct json_doc *doc = NULL;
    struct job job;
    int rc = json_parse(text, &doc, NULL);
    if (rc == 0)
        rc = job_decode(json_root(doc), strict, arena, &job, NULL);
    if (rc == 0)
        job_encode(&job, out);
    json_doc_free(&doc);
    arena_free(&arena);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once, twice;
    buf_init(&once, (size_t)64 << 20);
    buf_init(&twice, (size_t)64 << 20);
    if (size > 1 && encode(slice_of((const char *)data + 1, size - 1), data[0] & 1, &once) == 0) {
        int rc = encode(buf_slice(&once), true, &twice);
        ASSERT(rc == 0 && slice_eq(buf_slice(&once), buf_slice(&twice)));
    }
    buf_release(&once);
    buf_release(&twice);
    return 0;
}
