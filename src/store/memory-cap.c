// SPDX-License-Identifier: MIT
#include "base/macros.h"
#include "store/store-private.h"

#define SPAN_WITHOUT_RETENTION_S (30 * INT64_C(86400))

static uint64_t accounted_bytes(const struct store *store)
{
    struct store_stats stats = {0};

    store_stats(store, &stats);
    return stats.bytes_open + stats.bytes_sealed + stats.bytes_index;
}

bool store_hold_cap(struct store *store, int64_t now_s, struct store_cap_report *ret)
{
    static const double fractions[] = {0.75, 0.5, 0.25, 0.125, 1.0 / 16, 1.0 / 32, 1.0 / 64};
    uint64_t cap = store->options.memory_cap_bytes;
    int64_t retention_s = store->options.retention_s;
    double span_s = (double)(retention_s > 0 ? retention_s : SPAN_WITHOUT_RETENTION_S);

    if (cap == 0)
        return false;
    *ret = (struct store_cap_report){.bytes_before = accounted_bytes(store)};
    ret->bytes_after = ret->bytes_before;
    for (size_t i = 0; i < ARRAY_LEN(fractions) && ret->bytes_after > cap; i++) {
        ret->kept_s = (int64_t)(span_s * fractions[i]);
        store_secure_before(store, now_s - ret->kept_s);
        store->window_s = ret->kept_s; // what is loaded from now on is not older
        ret->freed_chunks += store_free_loaded_before(store, now_s - ret->kept_s);
        store_maintain(store, now_s); // seals and gives back, so that the next look is right
        ret->bytes_after = accounted_bytes(store);
    }
    return ret->bytes_before > cap;
}
