// SPDX-License-Identifier: MIT
#include "base/queue.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/testing.h"

static char items[8];

static void test_first_in_first_out(void **state)
{
    struct queue *queue = queue_new(3);
    void *item = NULL;
    (void)state;

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(queue_try_push(queue, &items[i], NULL), 0);
        assert_int_equal(queue_length(queue), 3);
        for (int i = 0; i < 3 - round % 2; i++) {
            assert_int_equal(queue_pop(queue, 0, &item), 1);
            assert_ptr_equal(item, &items[i]);
        }
        if (round % 2)
            assert_int_equal(queue_pop(queue, -1, &item), 1);
    }
    queue_free(&queue);
    assert_null(queue);
    queue_free(&queue);
}

static void test_full_and_empty(void **state)
{
    struct queue *queue = queue_new(1);
    struct error err = ERROR_INIT;
    void *item = &items[7];
    (void)state;

    assert_int_equal(queue_pop(queue, 0, &item), 0);
    assert_int_equal(queue_pop(queue, 5, &item), 0);
    assert_ptr_equal(item, &items[7]);
    assert_int_equal(queue_push(queue, &items[0], &err), 0);
    assert_int_equal(queue_try_push(queue, &items[1], &err), ERR_BUSY);
    assert_string_equal(err.text, "queue is full (1 items)");
    assert_int_equal(queue_pop(queue, 0, &item), 1);
    queue_free(&queue);
}

static void test_closed_queue_drains(void **state)
{
    struct queue *queue = queue_new(4);
    void *item = NULL;
    (void)state;

    assert_int_equal(queue_push(queue, &items[0], NULL), 0);
    assert_int_equal(queue_push(queue, &items[1], NULL), 0);
    queue_close(queue);
    assert_int_equal(queue_push(queue, &items[2], NULL), ERR_CLOSED);
    assert_int_equal(queue_try_push(queue, &items[2], NULL), ERR_CLOSED);
    assert_int_equal(queue_pop(queue, -1, &item), 1);
    assert_int_equal(queue_pop(queue, -1, &item), 1);
    assert_int_equal(queue_pop(queue, -1, &item), 0);
    queue_free(&queue);
}

#define COUNT ((uintptr_t)20000)

static void *produce(void *arg)
{
    struct queue *queue = arg;

    for (uintptr_t i = 1; i <= COUNT; i++)
        if (queue_push(queue, (void *)i, NULL) != 0)
            return (void *)"push failed";
    return NULL;
}

static void *consume(void *arg)
{
    struct queue *queue = arg;
    uintptr_t sum = 0;
    void *item;

    while (queue_pop(queue, -1, &item))
        sum += (uintptr_t)item;
    return (void *)sum;
}

static void test_threads_lose_nothing(void **state)
{
    struct queue *queue = queue_new(7);
    pthread_t producers[2], consumers[2];
    uintptr_t sum = 0;
    void *result;
    (void)state;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&consumers[i], NULL, consume, queue), 0);
        assert_int_equal(pthread_create(&producers[i], NULL, produce, queue), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(producers[i], &result), 0);
        assert_null(result);
    }
    queue_close(queue);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(consumers[i], &result), 0);
        sum += (uintptr_t)result;
    }
    assert_int_equal(sum, COUNT * (COUNT + 1));
    queue_free(&queue);
}

static void *push_to_full(void *arg)
{
    return queue_push(arg, &items[1], NULL) == ERR_CLOSED ? NULL : (void *)"push did not end with ERR_CLOSED";
}

static void test_closing_frees_a_waiting_push(void **state)
{
    struct queue *queue = queue_new(1);
    pthread_t thread;
    void *problem, *item;
    (void)state;

    assert_int_equal(queue_push(queue, &items[0], NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, push_to_full, queue), 0);
    clock_sleep_ns(5 * NS_PER_MS); // most likely it waits by now; both orders must end well
    queue_close(queue);
    assert_int_equal(pthread_join(thread, &problem), 0);
    EXPECT(problem == NULL, "%s", (char *)problem);
    assert_int_equal(queue_pop(queue, 0, &item), 1);
    queue_free(&queue);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_in_first_out),           cmocka_unit_test(test_full_and_empty),
        cmocka_unit_test(test_closed_queue_drains),          cmocka_unit_test(test_threads_lose_nothing),
        cmocka_unit_test(test_closing_frees_a_waiting_push),
    };

    return TEST_MAIN(argc, argv, tests);
}
