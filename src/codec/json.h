// SPDX-License-Identifier: MIT
// Small JSON documents in memory (configuration, requests). A document is parsed whole (RFC 8259) with the
// position and source text of every value kept, so that later checks can name line and column. Only the first
// JSON value is read; trailing bytes are ignored, and bytes that are no UTF-8 read as U+FFFD (both as Go's
// decoder does). The document keeps a copy of the text; slices that are handed out live as long as the
// document and are not terminated. After parsing it is read-only: any number of threads may read it. Big
// numeric output: codec/json-writer.h. Why not a library: docs/decisions/json.md.
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct json_doc;   // owns all values
struct json_value; // borrowed from its document

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_REAL, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

#define JSON_MAX_DEPTH      128                 // deeper nesting is ERR_LIMIT
#define JSON_MAX_TEXT_BYTES ((size_t)256 << 20) // longer texts are ERR_LIMIT

// Errors carry line and column; the texts are those of Go's encoding/json ("invalid character 'x' looking for
// beginning of value"), because they are part of answers. An empty text is ERR_INVALID with text "EOF", one
// that is cut off "unexpected EOF". Duplicate keys: the last one wins, the earlier ones are not there.
// Integers outside int64 become JSON_REAL; numbers that no double holds (1e400) are ERR_INVALID.
int json_parse(struct slice text, struct json_doc **ret_doc, struct error *err) MUST_CHECK;
void json_doc_free(struct json_doc **doc);
const struct json_value *json_root(const struct json_doc *doc);

enum json_type json_type(const struct json_value *v); // v may be NULL: JSON_NULL
const char *
json_type_name(const struct json_value *v); // "null" "boolean" "integer" "number" "string" "array" "object"
bool json_bool(const struct json_value *v, bool otherwise);
int64_t json_int(const struct json_value *v, int64_t otherwise); // also from reals without fraction
double json_double(const struct json_value *v, double otherwise);
struct slice json_string(const struct json_value *v); // empty when it is no string
// The exact text of the value in the document (for numbers: to tell 60 from 60.0).
struct slice json_source(const struct json_value *v);
int json_line(const struct json_value *v);   // 1-based position of the value
int json_column(const struct json_value *v); // in bytes, 1-based

size_t json_count(const struct json_value *v); // members or elements; 0 for anything else
const struct json_value *json_at(const struct json_value *array, size_t index); // NULL outside
// Members in the order of the document.
const struct json_value *json_member_at(const struct json_value *object, size_t index, struct slice *ret_key);
const struct json_value *json_get(const struct json_value *object, const char *key); // NULL when absent
// As Go's decoder: exact match first, else ASCII case-insensitive.
const struct json_value *json_get_fold(const struct json_value *object, const char *key);

#endif
