// SPDX-License-Identifier: MIT
// What unit tests share, on top of cmocka. A test program ends in
//
//     int main(int argc, char **argv)
//     {
//         return TEST_MAIN(argc, argv, tests);
//     }
//
// and then understands --match PATTERN (shell wildcards over test names). EXPECT takes a message with both
// values. Only test-*.c files include this.
#ifndef BASE_TESTING_H
#define BASE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define EXPECT(cond, ...)                                                                                    \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            fail_msg(__VA_ARGS__);                                                                           \
    } while (0)

#define TEST_MAIN(argc, argv, tests)                                                                         \
    (test_set_filter((argc), (argv)), cmocka_run_group_tests((tests), NULL, NULL))

static inline void test_set_filter(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--match") == 0)
            cmocka_set_test_filter(argv[i + 1]);
}

#endif
