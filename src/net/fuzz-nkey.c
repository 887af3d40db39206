// SPDX-License-Identifier: MIT
// The text of a seed or credentials file.
#include <stdint.h>
#include <string.h>

#include "base/macros.h"
#include "net/nkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct slice text = slice_of((const char *)bytes, len);
    char key[NKEY_PUBLIC_LEN + 1];
    struct error err = ERROR_INIT;

    struct slice seed = nkey_find_seed(text);
    int rc = nkey_public_from_seed(seed.len ? seed : text, key, &err);
    ASSERT(rc == 0 ? strlen(key) == NKEY_PUBLIC_LEN && key[0] == 'U' : err.text[0] != '\0');
    return 0;
}
