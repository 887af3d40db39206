// SPDX-License-Identifier: MIT
// What metric sources hand on at a tick: values of series that were declared before. A series (name, tags,
// meta) goes through router and sink rules once, when it is declared; a value then costs one line prefix and
// one number.
#ifndef COLLECTOR_SAMPLE_H
#define COLLECTOR_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/lineproto.h"

typedef uint32_t series_id; // given by router_declare, never reused
#define SERIES_NONE UINT32_MAX

struct sample {
    series_id series;
    enum lineproto_kind kind; // LINEPROTO_FLOAT, LINEPROTO_INT or LINEPROTO_UINT
    union {
        double f64;
        int64_t i64;
        uint64_t u64;
    };
};

// The samples of one read of one source. The memory is kept from tick to tick; owned by the source's slot in
// the scheduler, used by one thread at a time.
struct batch {
    struct wall_time time; // of all samples
    struct sample *items;
    size_t count, cap;
};

static inline struct sample *batch_add(struct batch *batch, series_id series, enum lineproto_kind kind)
{
    ENSURE_CAPACITY(batch->items, batch->cap, batch->count + 1);
    struct sample *s = &batch->items[batch->count++];
    s->series = series;
    s->kind = kind;
    return s;
}
// A sample of SERIES_NONE (a metric that the configuration excludes) is left out.
static inline void batch_add_f64(struct batch *batch, series_id series, double value)
{
    if (series != SERIES_NONE)
        batch_add(batch, series, LINEPROTO_FLOAT)->f64 = value;
}
static inline void batch_add_i64(struct batch *batch, series_id series, int64_t value)
{
    if (series != SERIES_NONE)
        batch_add(batch, series, LINEPROTO_INT)->i64 = value;
}
static inline void batch_add_u64(struct batch *batch, series_id series, uint64_t value)
{
    if (series != SERIES_NONE)
        batch_add(batch, series, LINEPROTO_UINT)->u64 = value;
}

#endif
