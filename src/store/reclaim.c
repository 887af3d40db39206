// SPDX-License-Identifier: MIT
#include "store/reclaim.h"

#include "base/macros.h"
#include "base/mem.h"

static void drop_all(struct retired *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->items[i]);
    mem_free(list->items);
    *list = (struct retired){.items = NULL};
}

// Releases what nobody can see: the older generation has drained, so its list goes, and the present one
// becomes the older. Twice, because the new older one may be without readers too.
static void advance(struct reclaim *r)
{
    for (int i = 0; i < 2 && r->readers[!r->present] == 0; i++) {
        drop_all(&r->waiting[!r->present]);
        r->present = !r->present;
    }
}

unsigned reclaim_pin(struct reclaim *r)
{
    r->readers[r->present]++;
    return r->present;
}

void reclaim_unpin(struct reclaim *r, unsigned generation)
{
    ASSERT(r->readers[generation] > 0);
    r->readers[generation]--;
    advance(r);
}

void reclaim_retire(struct reclaim *r, void *ptr)
{
    if (!ptr)
        return;
    if (r->readers[0] + r->readers[1] == 0) {
        mem_free(ptr);
        return;
    }
    struct retired *list = &r->waiting[r->present];
    ENSURE_CAPACITY(list->items, list->cap, list->count + 1);
    list->items[list->count++] = ptr;
}

void reclaim_release(struct reclaim *r)
{
    ASSERT(r->readers[0] + r->readers[1] == 0);
    drop_all(&r->waiting[0]);
    drop_all(&r->waiting[1]);
}
