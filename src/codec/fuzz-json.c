// SPDX-License-Identifier: MIT
#include "codec/json-writer.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void write_value(struct json_writer *w, const struct json_value *v);

static void write_members(struct json_writer *w, const struct json_value *v)
{
    bool object = json_type(v) == JSON_OBJECT;
    if (object)
        json_write_object_begin(w);
    else
        json_write_array_begin(w);
    for (size_t i = 0; i < json_count(v); i++) {
        struct slice key = SLICE_EMPTY;
        const struct json_value *member = object ? json_member_at(v, i, &key) : json_at(v, i);
        ASSERT(member && json_line(member) >= json_line(v));
        if (object)
            json_write_key_slice(w, key);
        write_value(w, member);
    }
    if (object)
        json_write_object_end(w);
    else
        json_write_array_end(w);
}

static void write_value(struct json_writer *w, const struct json_value *v)
{
    switch (json_type(v)) {
    case JSON_NULL:
        json_write_null(w);
        break;
    case JSON_BOOL:
        json_write_bool(w, json_bool(v, false));
        break;
    case JSON_INT:
        json_write_raw(w, json_source(v)); // keeps -0
        break;
    case JSON_REAL:
        json_write_double(w, json_double(v, 0));
        break;
    case JSON_STRING:
        json_write_string(w, json_string(v));
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        write_members(w, v);
        break;
    }
}

static size_t depth_of(const struct json_value *v)
{
    size_t deepest = 0;
    for (size_t i = 0; i < json_count(v); i++) {
        const struct json_value *member =
            json_type(v) == JSON_OBJECT ? json_member_at(v, i, NULL) : json_at(v, i);
        size_t depth = depth_of(member);
        deepest = MAX(deepest, depth);
    }
    return deepest + 1;
}

static bool rewrite(struct slice text, struct buf *out)
{
    struct json_doc *doc = NULL;
    struct error err = ERROR_INIT;
    if (json_parse(text, &doc, &err) < 0) {
        ASSERT(err.line > 0 && err.column > 0 && err.text[0]);
        return false;
    }
    bool shallow = depth_of(json_root(doc)) < JSON_WRITER_DEPTH;
    if (shallow) {
        struct json_writer w;
        json_writer_init(&w, out);
        write_value(&w, json_root(doc));
    }
    json_doc_free(&doc);
    return shallow;
}

// What is parsed and written parses again and is then written the same way.
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct buf once, twice;
    buf_init(&once, BUF_MAX_DEFAULT);
    buf_init(&twice, BUF_MAX_DEFAULT);
    if (rewrite(slice_of((const char *)bytes, len), &once)) {
        bool again = rewrite(buf_slice(&once), &twice);
        ASSERT(again && slice_eq(buf_slice(&once), buf_slice(&twice)));
    }
    buf_release(&once);
    buf_release(&twice);
    return 0;
}
