// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "codec/number.h"
#include "store/value-text.h"

static void check(const struct value_text *table, const double *values, size_t count)
{
    struct buf out;
    char text[NUMBER_TEXT_SIZE];

    buf_init(&out, BUF_MAX_DEFAULT);
    value_text_append(table, values, count, &out);
    struct slice rest = buf_slice(&out);
    for (size_t i = 0; i < count; i++) {
        struct slice got = slice_split(&rest, ',');
        struct slice want = slice_of(text, number_format_fixed(values[i], 3, text));
        if (!slice_eq(got, want))
            fail_msg("value %zu (%.17g): '%.*s', expected '%.*s'", i, values[i], SLICE_FMT(got),
                     SLICE_FMT(want));
    }
    assert_int_equal(count == 0 ? out.len : rest.len, 0);
    buf_release(&out);
}

// Ties and their neighbours, borders of the fast way, everything that is not a plain number.
static void test_edges(void **state)
{
    static const double values[] = {0,
                                    -0.0,
                                    0.0005,
                                    0.0015,
                                    0.0025,
                                    0.0625,
                                    0.1875,
                                    0.4375,
                                    0.999499999,
                                    0.9995,
                                    0.99950001,
                                    999.9995,
                                    999.9994999,
                                    1,
                                    9.9995,
                                    99.9995,
                                    999,
                                    999.999,
                                    1000,
                                    1000.0005,
                                    1234.567,
                                    10000,
                                    99999.9995,
                                    999999,
                                    999999.999,
                                    999999.9994,
                                    999999.9995,
                                    999999.99999,
                                    1e6,
                                    1000000.0005,
                                    123456789.123,
                                    16777217,
                                    1e15,
                                    1e16,
                                    1e21,
                                    1.7976931348623157e308,
                                    -1,
                                    -0.0004,
                                    -0.0005,
                                    -1e-300,
                                    1e-300,
                                    5e-324,
                                    -123.456,
                                    NAN,
                                    INFINITY,
                                    -INFINITY,
                                    2.5,
                                    4.35,
                                    0.615,
                                    1.005,
                                    64.0005};
    struct value_text table;

    (void)state;
    value_text_init(&table);
    check(&table, values, ARRAY_LEN(values));
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        double around[3] = {nextafter(values[i], -INFINITY), values[i], nextafter(values[i], INFINITY)};
        check(&table, around, 3);
    }
    check(&table, values, 0);
}

static void test_random_values(void **state)
{
    enum { COUNT = 100000 };
    double *values = NEW_ARRAY(double, COUNT);
    uint64_t seed = 1;
    struct value_text table;

    (void)state;
    value_text_init(&table);
    for (size_t i = 0; i < COUNT; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        double unit = (double)(seed >> 11) * 0x1p-53;
        int kind = (int)(seed % 4);
        if (kind == 0)
            values[i] = unit * 1000;
        else if (kind == 1) // exactly on and near the halves of a thousandth, as binary has them
            values[i] = floor(unit * 16000000) / 16000 + 1.0 / 2048;
        else if (kind == 2)
            values[i] = round(unit * 1e9) / 1e3;
        else
            memcpy(&values[i], &seed, sizeof(seed));
    }
    check(&table, values, COUNT);
    mem_free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_random_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
