// SPDX-License-Identifier: MIT
#include "collector/condition.h"

// What stands between quotes when 'text' is exactly one quoted word without quotes or backslashes inside.
static bool quoted_word(struct slice text, struct slice *ret)
{
    if (text.len < 2 || (text.ptr[0] != '\'' && text.ptr[0] != '"') || text.ptr[text.len - 1] != text.ptr[0])
        return false;
    struct slice word = slice_of(text.ptr + 1, text.len - 2);
    if (slice_find_byte(word, '\\') >= 0 || slice_find_byte(word, '\'') >= 0 ||
        slice_find_byte(word, '"') >= 0)
        return false;
    *ret = word;
    return true;
}

int condition_parse(struct slice text, struct arena *arena, struct condition *ret, struct error *err)
{
    struct slice s = slice_trim(text);
    if (s.len == 0)
        return error_set(err, ERR_INVALID, "condition is empty");
    if (slice_eq_cstr(s, "true")) {
        *ret = (struct condition){.always = true};
        return 0;
    }
    struct slice word;
    if (slice_starts_with(s, SLICE_LITERAL("name"))) {
        struct slice rest = slice_trim(slice_skip(s, 4));
        if (slice_starts_with(rest, SLICE_LITERAL("==")) &&
            quoted_word(slice_trim(slice_skip(rest, 2)), &word)) {
            *ret = (struct condition){.name = arena_copy(arena, word)};
            return 0;
        }
    }
    return error_set(err, ERR_UNSUPPORTED, "condition '%.*s' is not supported: use true or name == 'text'",
                     SLICE_FMT(s));
}

bool condition_holds(const struct condition *condition, struct slice name)
{
    return condition->always || slice_eq(condition->name, name);
}
