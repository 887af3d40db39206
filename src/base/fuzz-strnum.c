// SPDX-License-Identifier: MIT
#include "base/strnum.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

// A signed number that is accepted comes back from its text.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct slice text = slice_of((const char *)bytes, len);
    uint64_t u;
    int64_t v, back = 0;
    char again[20];

    ignore_result(strnum_parse_u64(text, &u, NULL));     // only crashes are looked for
    ignore_result(strnum_parse_hex_u64(text, &u, NULL)); // only crashes are looked for
    if (strnum_parse_i64(text, &v, NULL) != 0)
        return 0;
    int rc = strnum_parse_i64(slice_of(again, strnum_format_i64(v, again)), &back, NULL);
    ASSERT(rc == 0 && back == v);
    return 0;
}
