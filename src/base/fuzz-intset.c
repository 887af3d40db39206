// SPDX-License-Identifier: MIT
#include "base/intset.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

// Whatever the list says, members are ascending, distinct and bounded in number.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct error err = ERROR_INIT;
    struct intset set;

    intset_init(&set);
    int rc = intset_parse_list(&set, slice_of((const char *)bytes, len), &err);
    ASSERT(set.count <= 65536 && (rc == 0 || set.count == 0));
    for (size_t i = 1; i < set.count; i++)
        ASSERT(set.items[i - 1] < set.items[i]);
    intset_release(&set);
    return 0;
}
