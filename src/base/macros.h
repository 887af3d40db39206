// SPDX-License-Identifier: MIT
// Compiler attributes and tiny helpers that every file may use. Nothing here allocates or has state.
#ifndef BASE_MACROS_H
#define BASE_MACROS_H

#include <stddef.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN               __attribute__((noreturn))
#define UNUSED                 __attribute__((unused))
#define ALWAYS_INLINE          inline __attribute__((always_inline))
#define LIKELY(x)              __builtin_expect(!!(x), 1)
#define UNLIKELY(x)            __builtin_expect(!!(x), 0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)    ((a) < (b) ? (a) : (b))
#define MAX(a, b)    ((a) > (b) ? (a) : (b))

// The struct that holds 'member' at address 'ptr'.
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

// Drops a MUST_CHECK result on purpose; say why beside it (gcc does not accept a plain void cast).
#define ignore_result(expr)                                                                                  \
    do {                                                                                                     \
        if (expr) {                                                                                          \
        }                                                                                                    \
    } while (0)

// A broken invariant, that is a bug of ours: prints the place and aborts, in release builds too.
// The condition must have no side effects. Never use it on input, files or the network.
#define ASSERT(cond)                                                                                         \
    do {                                                                                                     \
        if (UNLIKELY(!(cond)))                                                                               \
            assert_failed(#cond, __FILE__, __LINE__, __func__);                                              \
    } while (0)

NORETURN void assert_failed(const char *cond, const char *file, int line, const char *func);

#endif
