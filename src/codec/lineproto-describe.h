// SPDX-License-Identifier: MIT
// One line of text per entry, for comparison in tests and fuzzers only. Needs no escaping: what differs looks different.
#ifndef CODEC_LINEPROTO_DESCRIBE_H
#define CODEC_LINEPROTO_DESCRIBE_H

#include "codec/lineproto.h"

static inline void lineproto_describe_value(struct buf *out, const struct lineproto_value *v)
{
    switch (v->kind) {
    case LINEPROTO_FLOAT:
        buf_printf(out, "f:%.17g", v->f64);
        break;
    case LINEPROTO_INT:
        buf_printf(out, "i:%lld", (long long)v->i64);
        break;
    case LINEPROTO_UINT:
        buf_printf(out, "u:%llu", (unsigned long long)v->u64);
        break;
    case LINEPROTO_BOOL:
        buf_printf(out, "b:%d", v->boolean);
        break;
    case LINEPROTO_STRING:
        buf_printf(out, "s:%.*s", SLICE_FMT(v->string));
        break;
    }
}

static inline void lineproto_describe(struct buf *out, const struct lineproto_entry *e)
{
    buf_printf(out, "%d [%.*s]", e->line, SLICE_FMT(e->measurement));
    for (size_t i = 0; i < e->tag_count; i++)
        buf_printf(out, " {%.*s=%.*s}", SLICE_FMT(e->tags[i].key), SLICE_FMT(e->tags[i].value));
    for (size_t i = 0; i < e->field_count; i++) {
        buf_printf(out, " %.*s=", SLICE_FMT(e->fields[i].key));
        lineproto_describe_value(out, &e->fields[i].value);
    }
    if (e->has_timestamp)
        buf_printf(out, " @%lld", (long long)e->timestamp);
    buf_append_byte(out, '\n');
}

#endif
