// SPDX-License-Identifier: MIT
#include "codec/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

// Any bytes come back; any text that is accepted decodes to bytes whose text decodes to the same.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct slice input = slice_of((const char *)bytes, len);
    struct buf text, out;
    buf_init(&text, BUF_MAX_DEFAULT);
    buf_init(&out, BUF_MAX_DEFAULT);
    base64_encode_std(input, &text);
    int rc = base64_decode_std(buf_slice(&text), &out, NULL);
    ASSERT(rc == 0 && slice_eq(buf_slice(&out), input));
    buf_clear(&text);
    buf_clear(&out);
    base64_encode_raw_url(input, &text);
    rc = base64_decode_raw_url(buf_slice(&text), &out, NULL);
    ASSERT(rc == 0 && slice_eq(buf_slice(&out), input));
    buf_clear(&out);
    struct error err = ERROR_INIT;
    rc = base64_decode_std(input, &out, &err);
    ASSERT(rc == 0 || (err.column >= 1 && (size_t)err.column <= len + 1));
    buf_clear(&out);
    rc = base64_decode_raw_url(input, &out, &err);
    ASSERT(rc == 0 || (err.column >= 1 && (size_t)err.column <= len + 1));
    buf_release(&text);
    buf_release(&out);
    return 0;
}
