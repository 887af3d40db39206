// SPDX-License-Identifier: MIT
#include "base/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

// What is accepted survives formatting and parsing again.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct error err = ERROR_INIT;
    int64_t ns, back;
    char text[40];

    if (duration_parse(slice_of((const char *)bytes, len), &ns, &err) != 0)
        return 0;
    int rc = duration_parse(slice_from_cstr(duration_format(ns, text, sizeof(text))), &back, &err);
    ASSERT(rc == 0 && back == ns);
    return 0;
}
