// SPDX-License-Identifier: MIT
// Bounded queue of pointers between threads, first in first out. Full: queue_push waits (back-pressure) or
// queue_try_push says ERR_BUSY. After queue_close pushes fail with ERR_CLOSED and queue_pop drains what is left,
// then returns 0. Items are owned by the queue's user.
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct queue;

struct queue *queue_new(size_t capacity);
void queue_free(struct queue **queue); // must be empty or its items are leaked; the caller drains
int queue_push(struct queue *queue, void *item, struct error *err) MUST_CHECK;
int queue_try_push(struct queue *queue, void *item, struct error *err) MUST_CHECK;
// 1 and *ret_item; 0 when closed and empty, or on time-out (timeout_ms < 0: wait for ever).
int queue_pop(struct queue *queue, int64_t timeout_ms, void **ret_item) MUST_CHECK;
void queue_close(struct queue *queue);
size_t queue_length(const struct queue *queue);

#endif
