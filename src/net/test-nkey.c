// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "net/nkey.h"

// Pairs made with an independent implementation (tests/lib/nkeys.py): Ed25519 seeds 00 01 .. 1f and 32 times ff.
static const struct {
    const char *seed, *public_key;
} pairs[] = {
    {"SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y",
     "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK"},
    {"SUAP777777777777777777777777777777777777777777777777775UUA",
     "UB3KCWJAISTOJ5IREZN4U45GATMQWBJJ2HPWAK7DBIM2SJLWMDI7LRYD"},
};

static void test_public_key_belongs_to_the_seed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char got[NKEY_PUBLIC_LEN + 1];
        struct error err = ERROR_INIT;
        assert_int_equal(nkey_public_from_seed(slice_from_cstr(pairs[i].seed), got, &err), 0);
        assert_string_equal(got, pairs[i].public_key);
    }
}

static void test_bad_seeds_are_refused_and_not_quoted(void **state)
{
    static const struct {
        const char *seed, *text;
    } bad[] = {
        {"", "this is no NKey seed"},
        {"SUAAAQEA", "this is no NKey seed"},
        {"su!AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSAI0", "this is no NKey seed"},
        {"SUAAAAICAMCAKBQHBAEQACYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y", "the NKey seed is damaged"},
        {"SAAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4HYMHI", "the NKey seed is not that of a user"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char got[NKEY_PUBLIC_LEN + 1];
        struct error err = ERROR_INIT;
        assert_int_equal(nkey_public_from_seed(slice_from_cstr(bad[i].seed), got, &err), ERR_INVALID);
        assert_string_equal(err.text, bad[i].text);
    }
}

static void test_seed_is_found_in_files(void **state)
{
    char text[512];
    (void)state;
    int len = snprintf(text, sizeof(text),
                       "-----BEGIN NATS USER JWT-----\neyJ0.x.y\n------END NATS USER JWT------\n\n"
                       "-----BEGIN USER NKEY SEED-----\r\n  %s\r\n------END USER NKEY SEED------\n",
                       pairs[0].seed);
    assert_true(slice_eq_cstr(nkey_find_seed(slice_of(text, (size_t)len)), pairs[0].seed));
    assert_true(slice_eq_cstr(nkey_find_seed(slice_from_cstr(pairs[1].seed)), pairs[1].seed));
    assert_int_equal(nkey_find_seed(SLICE_LITERAL("nothing\nhere\n")).len, 0);
    assert_int_equal(nkey_find_seed(SLICE_EMPTY).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public_key_belongs_to_the_seed),
        cmocka_unit_test(test_bad_seeds_are_refused_and_not_quoted),
        cmocka_unit_test(test_seed_is_found_in_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
