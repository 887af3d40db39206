// SPDX-License-Identifier: MIT
#include "base/macros.h"
#include "collector/http-post.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct slice text = slice_of((const char *)bytes, len);
    struct http_reply_head head;
    int rc = http_reply_parse(text, &head, NULL);
    if (rc == 1)
        ASSERT(head.head_len <= len && head.status >= 100 && head.content_length >= -1);
    // What is complete must not become incomplete by more bytes, and a part of it must not be more than the
    // whole.
    if (rc == 1 && head.head_len > 0) {
        struct http_reply_head part;
        ASSERT(http_reply_parse(slice_of(text.ptr, head.head_len), &part, NULL) == 1 &&
               part.status == head.status);
    }
    struct http_url url;
    if (http_url_parse(text, &url, NULL) == 0)
        ASSERT(url.host[0] && url.port[0]);
    return 0;
}
