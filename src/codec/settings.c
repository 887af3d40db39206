// SPDX-License-Identifier: MIT
// Typed tables. Files and sections: settings-file.c.
#include "codec/settings.h"

#include "base/duration.h"
#include "base/strnum.h"
#include "codec/json-writer.h"
#include "codec/number.h"

// Where in the section the decoder is, for messages.
struct key_path {
    const struct key_path *parent; // NULL at the top
    struct slice key;
};

struct decoder {
    const char *origin;
    enum settings_mode mode;
    struct arena *arena;
    struct error *err;
};

// ---- messages ---------------------------------------------------------------------------------------------

static void append_path(struct buf *out, const struct key_path *path)
{
    if (path->parent) {
        append_path(out, path->parent);
        buf_append_byte(out, '.');
    }
    buf_append_slice(out, path->key);
}

static void append_position(struct buf *out, const char *origin, const struct json_value *v)
{
    if (origin && *origin)
        buf_printf(out, "%s:", origin);
    if (json_line(v))
        buf_printf(out, "%d:%d: ", json_line(v), json_column(v));
    else if (out->len)
        buf_append_byte(out, ' ');
}

PRINTF_LIKE(4, 5)
static int fail(struct decoder *d, const struct json_value *v, const struct key_path *path, const char *fmt,
                ...)
{
    struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    append_position(&text, d->origin, v);
    if (path) {
        buf_append_cstr(&text, "key '");
        append_path(&text, path);
        buf_append_cstr(&text, "': ");
    }
    char reason[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    int rc = error_set_at(d->err, ERR_INVALID, json_line(v), json_column(v), "%s%s", buf_cstr(&text), reason);
    buf_release(&text);
    return rc;
}

static int fail_type(struct decoder *d, const struct json_value *v, const struct key_path *path,
                     const char *expected)
{
    return fail(d, v, path, "expected %s, but got %s", expected, json_type_name(v));
}

// What is wrong with a key that the table does not know.
static void describe_unknown(struct buf *out, const struct setting *fields, const struct key_path *path)
{
    buf_append_cstr(out, "json: unknown field ");
    json_append_quoted(out, path->key);
    if (path->parent) {
        buf_append_cstr(out, " in '");
        append_path(out, path->parent);
        buf_append_byte(out, '\'');
    }
    const char *nearest = settings_nearest(fields, path->key);
    if (nearest)
        buf_printf(out, " (did you mean '%s'?)", nearest);
}

// ---- looking up keys --------------------------------------------------------------------------------------

static const struct setting *find_setting(const struct setting *fields, struct slice key)
{
    for (const struct setting *s = fields; s->key; s++) {
        if (slice_eq_cstr(key, s->key))
            return s;
    }
    for (const struct setting *s = fields; s->key; s++) {
        if (slice_eq_ignore_case(key, slice_from_cstr(s->key)))
            return s;
    }
    return NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

#define NEAREST_KEY_MAX 64

// Number of bytes to insert, delete or replace (V. Levenshtein, 1966), without regard to case; longer texts
// are far.
static size_t edit_distance(struct slice a, struct slice b)
{
    if (a.len > NEAREST_KEY_MAX || b.len > NEAREST_KEY_MAX)
        return SIZE_MAX;
    size_t row[NEAREST_KEY_MAX + 1]; // distances of the first i bytes of a to the first k bytes of b
    for (size_t k = 0; k <= b.len; k++)
        row[k] = k;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= b.len; k++) {
            size_t replaced = diagonal + (lower(a.ptr[i - 1]) != lower(b.ptr[k - 1]));
            diagonal = row[k];
            row[k] = MIN(replaced, MIN(row[k], row[k - 1]) + 1);
        }
    }
    return row[b.len];
}

const char *settings_nearest(const struct setting *fields, struct slice key)
{
    const char *nearest = NULL;
    size_t least = MAX(key.len / 3, (size_t)1) + 1; // one byte in three may be wrong
    for (const struct setting *s = fields; s->key; s++) {
        size_t distance = edit_distance(key, slice_from_cstr(s->key));
        if (distance < least) {
            least = distance;
            nearest = s->key;
        }
    }
    return nearest;
}

// ---- defaults ---------------------------------------------------------------------------------------------

static void set_default_list(const struct setting *s, struct arena *arena, struct setting_list *ret)
{
    struct json_doc *doc = NULL;
    int rc = json_parse(slice_from_cstr(s->default_text), &doc, NULL);
    ASSERT(rc == 0 && json_type(json_root(doc)) == JSON_ARRAY); // a table with a bad default is a bug
    size_t count = json_count(json_root(doc));
    ret->items = ARENA_ARRAY(arena, const char *, count + 1);
    ret->count = count;
    for (size_t i = 0; i < count; i++)
        ret->items[i] = arena_strdup(arena, json_string(json_at(json_root(doc), i)));
    json_doc_free(&doc);
}

static void set_defaults(const struct setting *fields, struct arena *arena, void *ret);

static void set_default(const struct setting *s, struct arena *arena, void *at)
{
    struct slice text = slice_from_cstr(s->default_text);
    int rc = 0;
    switch (s->type) {
    case SETTING_STRING:
        *(const char **)at = arena_strdup(arena, text);
        break;
    case SETTING_BOOL:
        *(bool *)at = slice_eq_cstr(text, "true");
        break;
    case SETTING_INT:
        *(int64_t *)at = 0;
        rc = text.len ? strnum_parse_i64(text, at, NULL) : 0;
        break;
    case SETTING_REAL:
        *(double *)at = 0;
        rc = text.len ? number_parse_double(text, at, NULL) : 0;
        break;
    case SETTING_DURATION:
        *(int64_t *)at = 0;
        rc = text.len ? duration_parse(text, at, NULL) : 0;
        break;
    case SETTING_STRING_LIST:
        *(struct setting_list *)at = (struct setting_list){0};
        if (text.len)
            set_default_list(s, arena, at);
        break;
    case SETTING_OBJECT:
        set_defaults(s->fields, arena, at);
        break;
    case SETTING_RAW:
        *(const struct json_value **)at = NULL;
        break;
    }
    ASSERT(rc == 0); // a table with a bad default is a bug
}

static void set_defaults(const struct setting *fields, struct arena *arena, void *ret)
{
    for (const struct setting *s = fields; s->key; s++)
        set_default(s, arena, (char *)ret + s->offset);
}

// ---- decoding ---------------------------------------------------------------------------------------------

// A string as C string. *ret is written on success only.
static int decode_string(struct decoder *d, const struct json_value *v, const struct key_path *path,
                         const char **ret)
{
    if (json_type(v) != JSON_STRING)
        return fail_type(d, v, path, "string");
    struct slice text = json_string(v);
    if (text.len && memchr(text.ptr, 0, text.len))
        return fail(d, v, path, "the string holds a zero byte");
    *ret = arena_strdup(d->arena, text);
    return 0;
}

static int check_choice(struct decoder *d, const struct setting *s, const struct json_value *v,
                        const struct key_path *path, const char *text)
{
    char known[256];
    size_t len = 0;
    for (const char *const *choice = s->choices; choice && *choice; choice++) {
        if (strcmp(text, *choice) == 0)
            return 0;
        if (len < sizeof(known))
            len += (size_t)snprintf(known + len, sizeof(known) - len, "%s\"%s\"", len ? ", " : "", *choice);
    }
    return s->choices ? fail(d, v, path, "value must be one of %s, but got \"%s\"", known, text) : 0;
}

static bool out_of_bounds(const struct setting *s, int64_t value)
{
    return (s->min || s->max) && (value < s->min || value > s->max);
}

static int decode_int(struct decoder *d, const struct setting *s, const struct json_value *v,
                      const struct key_path *path, int64_t *ret)
{
    if (json_type(v) == JSON_REAL) // also 60.0 and what no int64 holds
        return fail(d, v, path, "expected integer, but got %.*s", SLICE_FMT(json_source(v)));
    if (json_type(v) != JSON_INT)
        return fail_type(d, v, path, "integer");
    int64_t value = json_int(v, 0);
    if (out_of_bounds(s, value))
        return fail(d, v, path, "must be from %lld to %lld, but is %lld", (long long)s->min,
                    (long long)s->max, (long long)value);
    *ret = value;
    return 0;
}

static int decode_duration(struct decoder *d, const struct setting *s, const struct json_value *v,
                           const struct key_path *path, int64_t *ret)
{
    if (json_type(v) != JSON_STRING)
        return fail_type(d, v, path, "duration string");
    struct error why = ERROR_INIT;
    int64_t value = 0;
    if (duration_parse(json_string(v), &value, &why) < 0)
        return fail(d, v, path, "%s", why.text);
    if (out_of_bounds(s, value)) {
        char least[40], most[40];
        return fail(d, v, path, "must be from %s to %s, but is %.*s",
                    duration_format(s->min, least, sizeof(least)),
                    duration_format(s->max, most, sizeof(most)), SLICE_FMT(json_string(v)));
    }
    *ret = value;
    return 0;
}

static int decode_list(struct decoder *d, const struct json_value *v, const struct key_path *path,
                       struct setting_list *ret)
{
    if (json_type(v) != JSON_ARRAY)
        return fail_type(d, v, path, "array");
    struct setting_list list = {ARENA_ARRAY(d->arena, const char *, json_count(v) + 1), json_count(v)};
    for (size_t i = 0; i < list.count; i++) {
        char index[24];
        struct key_path item = {path, slice_of(index, (size_t)snprintf(index, sizeof(index), "%zu", i))};
        int rc = decode_string(d, json_at(v, i), &item, &list.items[i]);
        if (rc < 0)
            return rc;
    }
    *ret = list;
    return 0;
}

static int decode_object(struct decoder *d, const struct setting *fields, const struct json_value *object,
                         const struct key_path *path, void *ret);

static int decode_value(struct decoder *d, const struct setting *s, const struct json_value *v,
                        const struct key_path *path, void *at)
{
    switch (s->type) {
    case SETTING_STRING: {
        const char *text = NULL;
        int rc = decode_string(d, v, path, &text);
        if (rc == 0)
            rc = check_choice(d, s, v, path, text);
        if (rc == 0)
            *(const char **)at = text;
        return rc;
    }
    case SETTING_BOOL:
        if (json_type(v) != JSON_BOOL)
            return fail_type(d, v, path, "boolean");
        *(bool *)at = json_bool(v, false);
        return 0;
    case SETTING_INT:
        return decode_int(d, s, v, path, at);
    case SETTING_REAL:
        if (json_type(v) != JSON_INT && json_type(v) != JSON_REAL)
            return fail_type(d, v, path, "number");
        *(double *)at = json_double(v, 0);
        return 0;
    case SETTING_DURATION:
        return decode_duration(d, s, v, path, at);
    case SETTING_STRING_LIST:
        return decode_list(d, v, path, at);
    case SETTING_OBJECT:
        return decode_object(d, s->fields, v, path, at);
    case SETTING_RAW:
        *(const struct json_value **)at = v;
        return 0;
    }
    return 0;
}

static int decode_member(struct decoder *d, const struct setting *fields, const struct json_value *v,
                         const struct key_path *path, void *ret)
{
    const struct setting *s = find_setting(fields, path->key);
    if (s && json_type(v) == JSON_NULL && (d->mode != SETTINGS_SCHEMA || (s->flags & SETTING_NULLABLE)))
        return 0;
    if (s)
        return decode_value(d, s, v, path, (char *)ret + s->offset);
    if (d->mode == SETTINGS_LENIENT || d->mode == SETTINGS_IGNORE)
        return 0;
    struct buf text;
    buf_init(&text, BUF_MAX_DEFAULT);
    describe_unknown(&text, fields, path);
    int rc = fail(d, v, NULL, "%s", buf_cstr(&text));
    buf_release(&text);
    return rc;
}

static int check_required(struct decoder *d, const struct setting *fields, const struct json_value *object,
                          const struct key_path *path)
{
    for (const struct setting *s = fields; s->key; s++) {
        if (!(s->flags & SETTING_REQUIRED))
            continue;
        if (!(d->mode == SETTINGS_SCHEMA ? json_get(object, s->key) : json_get_fold(object, s->key)))
            return fail(d, object, path, "missing key '%s'", s->key);
    }
    return 0;
}

// *ret holds the defaults already.
static int decode_object(struct decoder *d, const struct setting *fields, const struct json_value *object,
                         const struct key_path *path, void *ret)
{
    if (json_type(object) != JSON_OBJECT)
        return fail_type(d, object, path, "object");
    for (size_t i = 0; i < json_count(object); i++) {
        struct key_path member = {path, SLICE_EMPTY};
        const struct json_value *v = json_member_at(object, i, &member.key);
        int rc = decode_member(d, fields, v, &member, ret);
        if (rc < 0)
            return rc;
    }
    return check_required(d, fields, object, path);
}

int settings_decode(const struct setting *fields, const struct json_value *section, const char *origin,
                    enum settings_mode mode, struct arena *arena, void *ret, struct error *err)
{
    struct decoder d = {origin, mode, arena, err};
    set_defaults(fields, arena, ret);
    return section ? decode_object(&d, fields, section, NULL, ret) : 0;
}

// ---- warnings ---------------------------------------------------------------------------------------------

static void warn_unknown(const struct setting *fields, const struct json_value *object,
                         const struct key_path *parent, const char *origin, settings_warn_fn *warn, void *ctx)
{
    for (size_t i = 0; i < json_count(object); i++) {
        struct key_path path = {parent, SLICE_EMPTY};
        const struct json_value *v = json_member_at(object, i, &path.key);
        const struct setting *s = find_setting(fields, path.key);
        if (s && s->type == SETTING_OBJECT && json_type(v) == JSON_OBJECT)
            warn_unknown(s->fields, v, &path, origin, warn, ctx);
        if (s)
            continue;
        struct buf text;
        buf_init(&text, BUF_MAX_DEFAULT);
        append_position(&text, origin, v);
        describe_unknown(&text, fields, &path);
        warn(ctx, buf_cstr(&text));
        buf_release(&text);
    }
}

void settings_warn_unknown(const struct setting *fields, const struct json_value *section, const char *origin,
                           settings_warn_fn *warn, void *ctx)
{
    if (json_type(section) == JSON_OBJECT)
        warn_unknown(fields, section, NULL, origin, warn, ctx);
}

// ---- output -----------------------------------------------------------------------------------------------

static void print_list(const struct setting_list *list, struct buf *out)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        buf_append_cstr(out, i ? ", " : "");
        json_append_quoted(out, slice_from_cstr(list->items[i]));
    }
    buf_append_byte(out, ']');
}

static void print_raw(const struct setting *s, const struct json_value *v, struct buf *out)
{
    if (!v)
        buf_append_cstr(out, "null");
    else if (s->flags & SETTING_SECRET)
        buf_append_cstr(out, "\"***\"");
    else
        buf_append_slice(out, json_source(v));
}

static void print_string(const struct setting *s, const char *text, struct buf *out)
{
    bool hidden = (s->flags & SETTING_SECRET) && text && *text;
    json_append_quoted(out, hidden ? SLICE_LITERAL("***") : slice_from_cstr(text));
}

static void print_value(const struct setting *s, const void *at, int indent, struct buf *out)
{
    char text[NUMBER_TEXT_SIZE];
    switch (s->type) {
    case SETTING_STRING:
        print_string(s, *(const char *const *)at, out);
        break;
    case SETTING_BOOL:
        buf_append_cstr(out, *(const bool *)at ? "true" : "false");
        break;
    case SETTING_INT:
        buf_append(out, text, strnum_format_i64(*(const int64_t *)at, text));
        break;
    case SETTING_REAL:
        buf_append(out, text, number_format_json(*(const double *)at, text));
        break;
    case SETTING_DURATION:
        buf_printf(out, "\"%s\"", duration_format(*(const int64_t *)at, text, sizeof(text)));
        break;
    case SETTING_STRING_LIST:
        print_list(at, out);
        break;
    case SETTING_OBJECT:
        settings_print(s->fields, at, indent, out);
        break;
    case SETTING_RAW:
        print_raw(s, *(const struct json_value *const *)at, out);
        break;
    }
}

void settings_print(const struct setting *fields, const void *values, int indent, struct buf *out)
{
    buf_append_byte(out, '{');
    for (const struct setting *s = fields; s->key; s++) {
        buf_append_cstr(out, s == fields ? "\n" : ",\n");
        buf_append_fill(out, ' ', (size_t)indent + 2);
        json_append_quoted(out, slice_from_cstr(s->key));
        buf_append_cstr(out, ": ");
        print_value(s, (const char *)values + s->offset, indent + 2, out);
    }
    if (fields->key) {
        buf_append_byte(out, '\n');
        buf_append_fill(out, ' ', (size_t)indent);
    }
    buf_append_byte(out, '}');
}

static const char *type_text(enum setting_type type)
{
    static const char *const names[] = {
        [SETTING_STRING] = "string",     [SETTING_BOOL] = "boolean",
        [SETTING_INT] = "integer",       [SETTING_REAL] = "number",
        [SETTING_DURATION] = "duration", [SETTING_STRING_LIST] = "list of strings",
        [SETTING_OBJECT] = "object",     [SETTING_RAW] = "JSON"};
    return names[type];
}

static void document_row(const struct setting *s, const char *prefix, struct buf *out)
{
    buf_printf(out, "| `%s%s` | %s | ", prefix, s->key, type_text(s->type));
    if (s->flags & SETTING_REQUIRED)
        buf_append_cstr(out, "required");
    else if (s->default_text && *s->default_text)
        buf_printf(out, "`%s`", s->default_text);
    buf_printf(out, " | %s", s->help ? s->help : "");
    for (const char *const *choice = s->choices; choice && *choice; choice++)
        buf_printf(out, "%s`%s`", choice == s->choices ? "; one of " : ", ", *choice);
    buf_append_cstr(out, s->flags & SETTING_RELOADABLE ? "; takes effect on reload |\n" : " |\n");
}

static void document_rows(const struct setting *fields, const char *prefix, struct buf *out)
{
    for (const struct setting *s = fields; s->key; s++) {
        if (s->type != SETTING_OBJECT) {
            document_row(s, prefix, out);
            continue;
        }
        char longer[256];
        snprintf(longer, sizeof(longer), "%s%s.", prefix, s->key);
        document_rows(s->fields, longer, out);
    }
}

void settings_document(const struct setting *fields, const char *prefix, struct buf *out)
{
    buf_append_cstr(out, "| Key | Type | Default | Meaning |\n|---|---|---|---|\n");
    document_rows(fields, prefix ? prefix : "", out);
}
