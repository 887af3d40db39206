// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "net/http-server.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = slice_to_cstr(slice_of((const char *)bytes, len));
    char *host = NULL, *port = NULL;
    struct error err = ERROR_INIT;
    int ret = http_split_address(text, &host, &port, &err);

    if (ret == 0) { // put together again it is the same
        struct buf joined;
        size_t length = strlen(text);

        buf_init(&joined, 1 << 20);
        buf_printf(&joined, text[0] == '[' ? "[%s]:%s" : "%s:%s", host, port);
        ASSERT(joined.len == length && memcmp(joined.ptr, text, length) == 0);
        buf_release(&joined);
    } else {
        ASSERT(ret == ERR_INVALID && err.text[0] != '\0' && !host && !port);
    }
    mem_free(host);
    mem_free(port);
    mem_free(text);
    return 0;
}
