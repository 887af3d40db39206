// SPDX-License-Identifier: MIT
#include "codec/json.h"

#include <math.h>

#include "base/mem.h"
#include "codec/json-private.h"

// Each byte of a text makes at most one value, so this bounds what a document can cost.
#define JSON_ARENA_BYTES ((size_t)2 << 30)

int json_parse(struct slice text, struct json_doc **ret_doc, struct error *err)
{
    if (text.len > JSON_MAX_TEXT_BYTES)
        return error_set(err, ERR_LIMIT, "JSON text of %zu bytes is longer than %zu", text.len,
                         JSON_MAX_TEXT_BYTES);
    struct json_doc *doc = NEW(struct json_doc);
    doc->arena = arena_new(JSON_ARENA_BYTES);
    int rc = json_parse_text(doc, arena_copy(doc->arena, text), err);
    if (rc < 0) {
        json_doc_free(&doc);
        return rc;
    }
    *ret_doc = doc;
    return 0;
}

void json_doc_free(struct json_doc **doc)
{
    if (!*doc)
        return;
    arena_free(&(*doc)->arena);
    mem_free(*doc);
    *doc = NULL;
}

const struct json_value *json_root(const struct json_doc *doc)
{
    return &doc->root;
}

enum json_type json_type(const struct json_value *v)
{
    return v ? v->type : JSON_NULL;
}

const char *json_type_name(const struct json_value *v)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "boolean", [JSON_INT] = "integer",  [JSON_REAL] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "array",  [JSON_OBJECT] = "object"};
    return names[json_type(v)];
}

bool json_bool(const struct json_value *v, bool otherwise)
{
    return json_type(v) == JSON_BOOL ? v->boolean : otherwise;
}

int64_t json_int(const struct json_value *v, int64_t otherwise)
{
    if (json_type(v) == JSON_INT)
        return v->integer;
    // Both bounds are exact doubles; the upper one is the first that does not fit.
    if (json_type(v) == JSON_REAL && v->real >= -0x1p63 && v->real < 0x1p63 && trunc(v->real) == v->real)
        return (int64_t)v->real;
    return otherwise;
}

double json_double(const struct json_value *v, double otherwise)
{
    if (json_type(v) == JSON_INT)
        return v->integer == 0 && v->source.ptr[0] == '-' ? -0.0 : (double)v->integer;
    return json_type(v) == JSON_REAL ? v->real : otherwise;
}

struct slice json_string(const struct json_value *v)
{
    return json_type(v) == JSON_STRING ? v->string : SLICE_EMPTY;
}

struct slice json_source(const struct json_value *v)
{
    return v ? v->source : SLICE_EMPTY;
}

int json_line(const struct json_value *v)
{
    return v ? (int)v->line : 0;
}

int json_column(const struct json_value *v)
{
    return v ? (int)v->column : 0;
}

size_t json_count(const struct json_value *v)
{
    return json_type(v) == JSON_ARRAY || json_type(v) == JSON_OBJECT ? v->container.count : 0;
}

const struct json_value *json_at(const struct json_value *array, size_t index)
{
    return json_type(array) == JSON_ARRAY && index < array->container.count ? &array->container.items[index]
                                                                            : NULL;
}

const struct json_value *json_member_at(const struct json_value *object, size_t index, struct slice *ret_key)
{
    if (json_type(object) != JSON_OBJECT || index >= object->container.count)
        return NULL;
    const struct json_value *member = &object->container.items[index];
    if (ret_key)
        *ret_key = member->key;
    return member;
}

const struct json_value *json_get(const struct json_value *object, const char *key)
{
    struct slice wanted = slice_from_cstr(key), have;
    for (size_t i = 0; i < json_count(object); i++) {
        const struct json_value *member = json_member_at(object, i, &have);
        if (member && slice_eq(have, wanted))
            return member;
    }
    return NULL;
}

const struct json_value *json_get_fold(const struct json_value *object, const char *key)
{
    const struct json_value *found = json_get(object, key);
    struct slice wanted = slice_from_cstr(key), have;
    for (size_t i = json_count(object); !found && i-- > 0;) { // from behind: the last one wins
        const struct json_value *member = json_member_at(object, i, &have);
        if (member && slice_eq_ignore_case(have, wanted))
            found = member;
    }
    return found;
}
