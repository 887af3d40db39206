// SPDX-License-Identifier: MIT
#include "base/mem.h"
#include "net/http-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = slice_to_cstr(slice_of((const char *)bytes, len));
    bool accepted = http_accepts_gzip(text);

    // what does not name a coding with g and z or a star cannot allow gzip
    ASSERT(!accepted || strpbrk(text, "gG*"));
    ignore_result(http_is_compressible(text)); // must only not crash
    mem_free(text);
    return 0;
}
