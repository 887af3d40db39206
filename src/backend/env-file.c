// SPDX-License-Identifier: MIT
#include "backend/env-file.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

#define ENV_FILE_MAX_BYTES ((size_t)1 << 20)

struct env_parser {
    struct slice rest;
    int line;
    const char *(*lookup)(const char *name);
    struct arena *arena;
    struct env_pair *pairs;
    size_t count, cap;
    struct error *err;
};

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

static const char *value_of(const struct env_parser *p, const char *name)
{
    for (size_t i = p->count; i > 0; i--) {
        if (strcmp(p->pairs[i - 1].key, name) == 0)
            return p->pairs[i - 1].value;
    }
    return p->lookup ? p->lookup(name) : NULL;
}

// Stands behind '$': takes NAME or {NAME} and appends its value.
static void expand(struct env_parser *p, struct slice *text, struct buf *out)
{
    bool braces = text->len && text->ptr[0] == '{';
    struct slice rest = slice_skip(*text, braces ? 1 : 0);
    size_t n = 0;
    while (n < rest.len && (isalnum((unsigned char)rest.ptr[n]) || rest.ptr[n] == '_'))
        n++;
    if (n == 0 || (braces && (n >= rest.len || rest.ptr[n] != '}'))) {
        buf_append_byte(out, '$');
        return;
    }
    const char *value = value_of(p, arena_strdup(p->arena, slice_of(rest.ptr, n)));
    buf_append_cstr(out, value ? value : "");
    *text = slice_skip(rest, n + (braces ? 1 : 0));
}

// Text up to the closing quote, which may lie some lines further; *text stands behind it afterwards.
static int quoted(struct env_parser *p, struct slice *text, struct buf *out)
{
    char quote = text->ptr[0];
    int first_line = p->line;
    *text = slice_skip(*text, 1);
    while (text->len) {
        char c = text->ptr[0];
        *text = slice_skip(*text, 1);
        if (c == quote)
            return 0;
        if (c == '\n')
            p->line++;
        if (quote == '"' && c == '\\' && text->len) {
            char e = text->ptr[0];
            *text = slice_skip(*text, 1);
            buf_append_byte(out, (char)(e == 'n' ? '\n' : e == 'r' ? '\r' : e == 't' ? '\t' : e));
        } else if (quote == '"' && c == '$') {
            expand(p, text, out);
        } else {
            buf_append_byte(out, c);
        }
    }
    return error_set_at(p->err, ERR_INVALID, first_line, 1, "line %d: unterminated quoted value", first_line);
}

static void unquoted(struct env_parser *p, struct slice line, struct buf *out)
{
    ptrdiff_t comment = slice_find(line, SLICE_LITERAL(" #"));
    if (comment >= 0)
        line.len = (size_t)comment;
    line = slice_trim(line);
    while (line.len) {
        char c = line.ptr[0];
        line = slice_skip(line, 1);
        if (c == '$')
            expand(p, &line, out);
        else
            buf_append_byte(out, c);
    }
}

static void add_pair(struct env_parser *p, struct slice key, const struct buf *value)
{
    if (p->count == p->cap) {
        size_t cap = mem_next_capacity(p->cap, p->count + 1);
        struct env_pair *grown = ARENA_ARRAY(p->arena, struct env_pair, cap);
        for (size_t i = 0; i < p->count; i++)
            grown[i] = p->pairs[i];
        p->pairs = grown;
        p->cap = cap;
    }
    p->pairs[p->count++] = (struct env_pair){.key = arena_strdup(p->arena, key),
                                             .value = arena_strdup(p->arena, buf_slice(value))};
}

static int take_value(struct env_parser *p, struct slice key, struct buf *value)
{
    struct slice text = p->rest;
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = slice_skip(text, 1);
    if (text.len && (text.ptr[0] == '"' || text.ptr[0] == '\'')) {
        int rc = quoted(p, &text, value);
        if (rc)
            return rc;
        p->rest = text;
        slice_split(&p->rest, '\n'); // a comment may follow
    } else {
        p->rest = text;
        unquoted(p, slice_split(&p->rest, '\n'), value);
    }
    add_pair(p, key, value);
    return 0;
}

// One line that is neither blank nor a comment; p->rest stands at its first byte.
static int parse_assignment(struct env_parser *p)
{
    struct slice line = p->rest;
    const struct slice export_word = SLICE_LITERAL("export ");
    if (slice_starts_with(line, export_word))
        line = slice_skip(line, export_word.len);
    while (line.len && line.ptr[0] == ' ')
        line = slice_skip(line, 1);
    size_t n = 0;
    while (n < line.len && is_name_byte(line.ptr[n]))
        n++;
    struct slice key = slice_of(line.ptr, n), rest = slice_skip(line, n);
    while (rest.len && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t'))
        rest = slice_skip(rest, 1);
    if (n == 0 || rest.len == 0 || (rest.ptr[0] != '=' && rest.ptr[0] != ':'))
        return error_set_at(p->err, ERR_INVALID, p->line, 1, "line %d: expected KEY=VALUE", p->line);
    p->rest = slice_skip(rest, 1);
    struct buf value;
    buf_init(&value, ENV_FILE_MAX_BYTES);
    int rc = take_value(p, key, &value);
    buf_release(&value);
    return rc;
}

int env_parse(struct slice text, const char *(*lookup)(const char *name), struct arena *arena,
              struct env_pair **ret_pairs, size_t *ret_count, struct error *err)
{
    struct env_parser p = {.rest = text, .line = 1, .lookup = lookup, .arena = arena, .err = err};
    while (p.rest.ptr && p.rest.len) {
        char c = p.rest.ptr[0];
        if (c == '\n' || c == '\r' || c == ' ' || c == '\t') {
            p.line += c == '\n';
            p.rest = slice_skip(p.rest, 1);
            continue;
        }
        if (c == '#') {
            slice_split(&p.rest, '\n');
        } else {
            int rc = parse_assignment(&p);
            if (rc)
                return rc;
        }
        p.line++;
    }
    *ret_pairs = p.pairs;
    *ret_count = p.count;
    return 0;
}

static const char *from_environment(const char *name)
{
    return getenv(name);
}

int env_load(const char *path, struct error *err)
{
    struct buf text;
    buf_init(&text, ENV_FILE_MAX_BYTES);
    struct arena *arena = arena_new(8 * ENV_FILE_MAX_BYTES);
    struct env_pair *pairs = NULL;
    size_t count = 0;
    struct error read_err = ERROR_INIT;
    int rc = file_read(path, ENV_FILE_MAX_BYTES, &text, &read_err);
    if (rc == ERR_NOT_FOUND) {
        rc = 0;
        goto out;
    }
    if (rc) {
        rc = error_set(err, read_err.code, "loading .env file: %s", read_err.text);
        goto out;
    }
    rc = env_parse(buf_slice(&text), from_environment, arena, &pairs, &count, err);
    if (rc) {
        error_prefix(err, "loading .env file: %s", path);
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        setenv(pairs[i].key, pairs[i].value, 0);
out:
    arena_free(&arena);
    buf_release(&text);
    return rc;
}
