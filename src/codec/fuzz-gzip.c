// SPDX-License-Identifier: MIT
#include "codec/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

// Foreign bytes: bounded output, no crash. Own bytes: they come back.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct slice input = slice_of((const char *)bytes, len);
    struct buf packed, out;
    buf_init(&packed, BUF_MAX_DEFAULT);
    buf_init(&out, (size_t)1 << 20);
    struct error err = ERROR_INIT;
    int rc = gzip_decompress(input, &out, &err);
    ASSERT(rc == 0 || err.text[0]);
    buf_clear(&out);
    rc = gzip_compress(input, len ? bytes[0] % 10 : 0, &packed, &err);
    ASSERT(rc == 0);
    rc = gzip_decompress(buf_slice(&packed), &out, &err);
    ASSERT(len > out.max_bytes || (rc == 0 && slice_eq(buf_slice(&out), input)));
    buf_release(&packed);
    buf_release(&out);
    return 0;
}
