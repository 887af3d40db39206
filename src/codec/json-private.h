// SPDX-License-Identifier: MIT
// Shared by json.c (access) and json-parse.c (parser) only.
#ifndef CODEC_JSON_PRIVATE_H
#define CODEC_JSON_PRIVATE_H

#include "base/arena.h"
#include "codec/json.h"

// One value. The members of a container stand side by side in the document's arena; a container is finished,
// and its members moved there, before its own place is final, so pointers never change once handed out.
struct json_value {
    struct slice key;    // when it is a member of an object
    struct slice source; // its text in the document's copy
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct slice string;
        struct {
            const struct json_value *items;
            size_t count;
        } container;
    };
    uint32_t line, column;
    enum json_type type;
};

struct json_doc {
    struct arena *arena; // the text, unescaped strings, members of containers
    struct json_value root;
};

// Parses 'text' (which must live in the document's arena) into doc->root.
int json_parse_text(struct json_doc *doc, struct slice text, struct error *err) MUST_CHECK;

#endif
