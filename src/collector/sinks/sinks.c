// SPDX-License-Identifier: MIT
#include "collector/sinks/sinks.h"

const struct sink_ops *const sink_kinds[] = {
    &sink_http_ops,
    &sink_stdout_ops,
    NULL,
};

const struct sink_ops *sink_kind_find(struct slice type)
{
    for (const struct sink_ops *const *kind = sink_kinds; *kind; kind++)
        if (slice_eq_cstr(type, (*kind)->type))
            return *kind;
    return NULL;
}
