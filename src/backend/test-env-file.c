// SPDX-License-Identifier: MIT
#include "backend/env-file.h"

#include "base/buf.h"
#include "base/testing.h"

static const char *lookup(const char *name)
{
    return strcmp(name, "OUTSIDE") == 0 ? "from outside" : NULL;
}

// The pairs as "key=value;".
static const char *parse(const char *text, struct arena *arena, struct error *err)
{
    struct env_pair *pairs = NULL;
    size_t count = 0;
    struct buf out;
    if (env_parse(slice_from_cstr(text), lookup, arena, &pairs, &count, err))
        return arena_printf(arena, "error %d: %s", err->line, err->text);
    buf_init(&out, 65536);
    for (size_t i = 0; i < count; i++)
        buf_printf(&out, "%s=%s;", pairs[i].key, pairs[i].value);
    const char *result = arena_strdup(arena, buf_slice(&out));
    buf_release(&out);
    return result;
}

static void test_syntax(void **state)
{
    static const struct {
        const char *in, *wanted;
    } cases[] = {
        {"", ""},
        {"A=1\nB=2", "A=1;B=2;"},
        {"# comment\n\n  export A = x y  # tail\r\n", "A=x y;"},
        {"A='$B \\n'\nB=\"q\\\"\\n$A${A}\" # tail", "A=$B \\n;B=q\"\n$B \\n$B \\n;"},
        {"A=${OUTSIDE}-${NONE}-$-${", "A=from outside--$-${;"},
        {"A=\nB=\"\"", "A=;B=;"},
        {"A=\"two\nlines\"\nB=1", "A=two\nlines;B=1;"},
        {"KEY=abc#def=", "KEY=abc#def=;"},
        {"A: yaml", "A=yaml;"},
        {"no value", "error 1: line 1: expected KEY=VALUE"},
        {"A=1\n=x", "error 2: line 2: expected KEY=VALUE"},
        {"A=1\nB=\"open\nC=2", "error 2: line 2: unterminated quoted value"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena = arena_new(1 << 24);
        struct error err = ERROR_INIT;
        const char *got = parse(cases[i].in, arena, &err);
        EXPECT(strcmp(got, cases[i].wanted) == 0, "'%s': got '%s', expected '%s'", cases[i].in, got,
               cases[i].wanted);
        arena_free(&arena);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_syntax)};
    return TEST_MAIN(argc, argv, tests);
}
