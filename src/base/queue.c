// SPDX-License-Identifier: MIT
#include "base/queue.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/mem.h"

#define WAIT_MAX_MS (INT64_MAX / NS_PER_MS / 2) // a century and a half

// A ring of 'capacity' places, guarded by 'lock'.
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    void **items;
    size_t capacity, first, count;
    bool closed;
};

struct queue *queue_new(size_t capacity)
{
    ASSERT(capacity > 0);
    struct queue *queue = NEW(struct queue);

    pthread_mutex_init(&queue->lock, NULL);
    clock_cond_init(&queue->not_empty);
    clock_cond_init(&queue->not_full);
    queue->items = NEW_ARRAY(void *, capacity);
    queue->capacity = capacity;
    return queue;
}

void queue_free(struct queue **queue)
{
    if (!*queue)
        return;
    pthread_cond_destroy(&(*queue)->not_empty);
    pthread_cond_destroy(&(*queue)->not_full);
    pthread_mutex_destroy(&(*queue)->lock);
    mem_free((*queue)->items);
    mem_free(*queue);
    *queue = NULL;
}

static int push_locked(struct queue *queue, void *item, struct error *err)
{
    if (queue->closed)
        return error_set(err, ERR_CLOSED, "queue is closed");
    if (queue->count == queue->capacity)
        return error_set(err, ERR_BUSY, "queue is full (%zu items)", queue->capacity);
    queue->items[(queue->first + queue->count++) % queue->capacity] = item;
    pthread_cond_signal(&queue->not_empty);
    return 0;
}

int queue_push(struct queue *queue, void *item, struct error *err)
{
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && queue->count == queue->capacity)
        pthread_cond_wait(&queue->not_full, &queue->lock);
    int rc = push_locked(queue, item, err);
    pthread_mutex_unlock(&queue->lock);
    return rc;
}

int queue_try_push(struct queue *queue, void *item, struct error *err)
{
    pthread_mutex_lock(&queue->lock);
    int rc = push_locked(queue, item, err);
    pthread_mutex_unlock(&queue->lock);
    return rc;
}

static void wait_for_item(struct queue *queue, int64_t timeout_ms)
{
    struct mono_time until = mono_after(clock_mono(), MIN(MAX(timeout_ms, 0), WAIT_MAX_MS) * NS_PER_MS);

    while (queue->count == 0 && !queue->closed && timeout_ms != 0) {
        if (timeout_ms < 0)
            pthread_cond_wait(&queue->not_empty, &queue->lock);
        else if (clock_cond_wait(&queue->not_empty, &queue->lock, until) != 0)
            return;
    }
}

int queue_pop(struct queue *queue, int64_t timeout_ms, void **ret_item)
{
    int got = 0;

    pthread_mutex_lock(&queue->lock);
    wait_for_item(queue, timeout_ms);
    if (queue->count > 0) {
        *ret_item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
        pthread_cond_signal(&queue->not_full);
        got = 1;
    }
    pthread_mutex_unlock(&queue->lock);
    return got;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->not_empty);
    pthread_cond_broadcast(&queue->not_full);
    pthread_mutex_unlock(&queue->lock);
}

size_t queue_length(const struct queue *queue)
{
    // Taking the lock changes it, but nothing the caller can see.
    pthread_mutex_t *lock = (pthread_mutex_t *)&queue->lock;

    pthread_mutex_lock(lock);
    size_t count = queue->count;
    pthread_mutex_unlock(lock);
    return count;
}
