// SPDX-License-Identifier: MIT
// Streaming JSON output into a buf, byte for byte as Go's encoding/json: no blanks, < > & U+2028 U+2029
// escaped, invalid UTF-8 replaced by U+FFFD. Commas are kept track of; nesting is checked by ASSERT.
#ifndef CODEC_JSON_WRITER_H
#define CODEC_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define JSON_WRITER_DEPTH 64

struct json_writer {
    struct buf *out; // borrowed
    int depth;
    bool need_comma[JSON_WRITER_DEPTH];
    bool after_key;
};

void json_writer_init(struct json_writer *w, struct buf *out);
void json_write_object_begin(struct json_writer *w);
void json_write_object_end(struct json_writer *w);
void json_write_array_begin(struct json_writer *w);
void json_write_array_end(struct json_writer *w);
void json_write_key(struct json_writer *w, const char *key);
void json_write_key_slice(struct json_writer *w, struct slice key);
void json_write_string(struct json_writer *w, struct slice text);
void json_write_cstr(struct json_writer *w, const char *text); // NULL writes null
void json_write_int(struct json_writer *w, int64_t v);
void json_write_uint(struct json_writer *w, uint64_t v);
void json_write_bool(struct json_writer *w, bool v);
void json_write_null(struct json_writer *w);
void json_write_double(struct json_writer *w, double v);              // number_format_json
void json_write_fixed(struct json_writer *w, double v, int decimals); // number_format_fixed, NaN: null
void json_write_raw(struct json_writer *w, struct slice json);        // one finished value, inserted as it is
// Appends a quoted, escaped string without any bookkeeping.
void json_append_quoted(struct buf *out, struct slice text);

#endif
