// SPDX-License-Identifier: MIT
// Deferred release of memory that readers may still look at.
//
// A reader of a host takes the host's lock, notes which blocks it needs, pins, and decodes after unlocking.
// Whoever takes a block out of a series meanwhile retires it; it is released when the last reader that could
// have seen it unpins. Readers are counted in two generations: new ones join the present generation, retired
// memory waits for the draining one, so that a steady stream of readers cannot keep memory for ever.
//
// All functions are called under the lock of the owner (a host).
#ifndef STORE_RECLAIM_H
#define STORE_RECLAIM_H

#include <stddef.h>

struct retired {
    void **items;
    size_t count, cap;
};

struct reclaim {
    unsigned present;          // generation that new readers join: 0 or 1
    size_t readers[2];         // by generation
    struct retired waiting[2]; // [g]: retired while generation g was present
};

unsigned reclaim_pin(struct reclaim *r); // returns the generation, for reclaim_unpin
void reclaim_unpin(struct reclaim *r, unsigned generation);
void reclaim_retire(struct reclaim *r,
                    void *ptr);          // mem_free now, or when no reader can hold it; NULL is fine
void reclaim_release(struct reclaim *r); // at the end: no reader is left

#endif
