// SPDX-License-Identifier: MIT
#include "store/cleanup.h"
int cleanup_run(const struct cleanup_options *options, struct cleanup_result *ret, struct error *err)
{
    (void)options;
    (void)ret;
    return error_set(err, ERR_UNSUPPORTED, "not yet");
}
