// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http-private.h"

#define FULL_RETRY_MS 10 // how soon a full server looks again whether there is room

struct http_acceptor {
    int fd, wake_fd;
    const struct http_acceptor_ops *ops;
    void *ctx;
    pthread_t thread;
    _Atomic bool stopping;
};

static void pause_ms(struct http_acceptor *a, int ms)
{
    struct pollfd wake = {.fd = a->wake_fd, .events = POLLIN};

    ignore_result(poll(&wake, 1, ms) < 0); // interrupted: looks again earlier
}

// False: nothing to accept now.
static bool accept_one(struct http_acceptor *a)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    int fd = accept4(a->fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        a->ops->accepted(a->ctx, fd, (const struct sockaddr *)&addr, len);
        return true;
    }
    if (errno == EAGAIN)
        return false;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        a->ops->failed(a->ctx);
        pause_ms(a, 100); // the peer stays in the backlog until descriptors are free again
        return false;
    }
    return true; // this peer went away before it was accepted (accept(2), "Error handling")
}

static void *accept_loop(void *arg)
{
    struct http_acceptor *a = arg;
    struct mono_time ticked = clock_mono();

    while (!atomic_load_explicit(&a->stopping, memory_order_acquire)) {
        struct pollfd fds[2] = {{.fd = a->fd, .events = POLLIN}, {.fd = a->wake_fd, .events = POLLIN}};

        if (mono_diff_ns(clock_mono(), ticked) >= HTTP_TICK_MS * NS_PER_MS) {
            a->ops->tick(a->ctx);
            ticked = clock_mono();
        }
        if (!a->ops->has_room(a->ctx)) {
            pause_ms(a, FULL_RETRY_MS);
            continue;
        }
        if (poll(fds, 2, HTTP_TICK_MS) <= 0 || !(fds[0].revents & POLLIN))
            continue;
        while (a->ops->has_room(a->ctx) && accept_one(a))
            ;
    }
    return NULL;
}

int http_acceptor_start(int fd, const struct http_acceptor_ops *ops, void *ctx, struct http_acceptor **ret,
                        struct error *err)
{
    struct http_acceptor *a = NEW(struct http_acceptor);

    a->fd = fd;
    a->ops = ops;
    a->ctx = ctx;
    a->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->wake_fd < 0) {
        int code = error_set_errno(err, "cannot make an event descriptor");

        mem_free(a);
        return code;
    }
    errno = pthread_create(&a->thread, NULL, accept_loop, a);
    if (errno != 0) {
        int code = error_set_errno(err, "cannot start a thread");

        close(a->wake_fd);
        mem_free(a);
        return code;
    }
    *ret = a;
    return 0;
}

void http_acceptor_stop(struct http_acceptor **acceptor)
{
    struct http_acceptor *a = *acceptor;
    const uint64_t one = 1;

    if (!a)
        return;
    atomic_store_explicit(&a->stopping, true, memory_order_release);
    ignore_result(write(a->wake_fd, &one, sizeof(one)) < 0); // only a full counter fails, which wakes as well
    pthread_join(a->thread, NULL);
    close(a->wake_fd);
    mem_free(a);
    *acceptor = NULL;
}
