// SPDX-License-Identifier: MIT
#include "model/hostlist.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

// A list contains every name it expands to, and as many as it counts.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct hostlist *list = NULL;
    struct error err = ERROR_INIT;
    char **names = NULL;
    size_t count = 0;

    if (hostlist_parse(slice_of((const char *)bytes, len), &list, &err) < 0)
        return 0;
    if (hostlist_count(list) <= 2000) {
        int rc = hostlist_expand(list, &names, &count, &err);

        ASSERT(rc == 0 && count == hostlist_count(list));
        for (size_t i = 0; i < count; i++)
            ASSERT(strlen(names[i]) > 255 || hostlist_contains(list, slice_from_cstr(names[i])));
        hostlist_names_free(&names, count);
    }
    ASSERT(!hostlist_contains(list, SLICE_EMPTY));
    hostlist_free(&list);
    return 0;
}
