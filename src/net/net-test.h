// SPDX-License-Identifier: MIT
// For tests that talk to a server over real loopback sockets.
#ifndef NET_NET_TEST_H
#define NET_NET_TEST_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/strnum.h"

// Sanitizers keep memory of their own: what a test says about memory does not hold with them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED true
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED false
#endif

// $CC_TEST_SLOW multiplies deadlines (sanitizers).
static inline int64_t test_slow(int64_t ms)
{
    const char *text = getenv("CC_TEST_SLOW");
    uint64_t factor = 1;

    if (!text || strnum_parse_u64(slice_from_cstr(text), &factor, NULL) < 0 || factor == 0)
        factor = 1;
    return ms * (int64_t)factor;
}

static inline int test_connect(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

// False: the peer does not take it.
static inline bool test_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

static inline bool test_send_text(int fd, const char *text)
{
    return test_send(fd, text, strlen(text));
}

// Appends what is there within the deadline; 1: something came, 0: closed or reset, -1: nothing came in time.
static inline int test_receive(int fd, struct buf *in, int64_t timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (poll(&p, 1, (int)test_slow(timeout_ms)) <= 0)
        return -1;
    char *room = buf_reserve(in, 65536);
    ssize_t got = room ? recv(fd, room, 65536, 0) : 0;
    if (got <= 0)
        return 0;
    buf_commit(in, (size_t)got);
    return 1;
}

struct test_answer {
    int status;     // 0: no answer
    struct buf raw; // head and body as received
    struct slice head, body;
    bool closed; // the server closed behind it
};

static inline struct slice test_answer_header(const struct test_answer *a, const char *name)
{
    struct slice rest = a->head;

    while (rest.ptr) {
        struct slice line = slice_trim(slice_split(&rest, '\n'));
        struct slice key = slice_split(&line, ':');

        if (line.ptr && slice_eq_ignore_case(key, slice_from_cstr(name)))
            return slice_trim(line);
    }
    return SLICE_EMPTY;
}

static inline bool test_parse_head(struct test_answer *a)
{
    struct slice all = buf_slice(&a->raw);
    ptrdiff_t end = slice_find(all, SLICE_LITERAL("\r\n\r\n"));
    uint64_t status = 0;

    if (end < 0 || all.len < 12)
        return false;
    a->head = slice_of(all.ptr, (size_t)end);
    a->body = slice_skip(all, (size_t)end + 4);
    if (strnum_parse_u64(slice_of(all.ptr + 9, 3), &status, NULL) < 0)
        return false;
    a->status = (int)status;
    return true;
}

static inline bool test_answer_complete(struct test_answer *a, bool to_head)
{
    uint64_t length;

    if (!test_parse_head(a))
        return false;
    if (to_head || a->status == 204 || a->status == 304)
        return true;
    if (slice_eq_cstr(test_answer_header(a, "Transfer-Encoding"), "chunked"))
        return slice_ends_with(a->body, SLICE_LITERAL("0\r\n\r\n"));
    return strnum_parse_u64(test_answer_header(a, "Content-Length"), &length, NULL) == 0 &&
           a->body.len >= length;
}

// Reads one answer. 100-continue answers are passed over. raw keeps what came behind it.
static inline void test_read_answer(int fd, struct test_answer *ret, bool to_head)
{
    int got = 1;

    *ret = (struct test_answer){.status = 0};
    buf_init(&ret->raw, (size_t)256 << 20);
    while (!test_answer_complete(ret, to_head) || ret->status == 100) {
        if (ret->status == 100) {
            buf_consume(&ret->raw, ret->head.len + 4);
            ret->status = 0;
            continue;
        }
        got = test_receive(fd, &ret->raw, 20000);
        if (got <= 0)
            break;
    }
    if (got == 0) {
        ret->closed = true;
        test_parse_head(ret);
    }
}

static inline void test_answer_release(struct test_answer *a)
{
    buf_release(&a->raw);
}

// One request on a connection of its own, sent whole, then the sending side is closed.
static inline void test_request(unsigned port, const char *text, struct test_answer *ret)
{
    int fd = test_connect(port);

    test_send_text(fd, text);
    shutdown(fd, SHUT_WR);
    test_read_answer(fd, ret, strncmp(text, "HEAD ", 5) == 0);
    close(fd);
}

#endif
