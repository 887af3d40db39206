// SPDX-License-Identifier: MIT
#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *cond, const char *file, int line, const char *func)
{
    fprintf(stderr, "<2>[CRITICAL] %s:%d: %s: broken invariant: %s\n", file, line, func, cond);
    fflush(stderr);
    abort();
}
