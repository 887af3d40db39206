// SPDX-License-Identifier: MIT
// Configuration. A file is one JSON object of sections; "<name>-file": "path" takes section <name> from
// another file (spec: metric-store.md 2.1, collector.md 1.2). Each section has one table, from which parsing,
// validation, -print-config and the documentation come. Errors name file, line, column, key and the nearest
// valid key.
//
// Parse all, validate all, then use: a failed load leaves the typed struct untouched as far as the caller
// goes on using its old one.
#ifndef CODEC_SETTINGS_H
#define CODEC_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "codec/json.h"

// ---- files and sections -----------------------------------------------------------------------------------
struct settings_file;

// A missing file (or path "") gives an empty set of sections, as upstream; syntax errors are errors with
// position. A relative "-file" path is looked up in the working directory, then beside the main file. A
// reference that cannot be read is an error that names it, as is a section that is given in two ways that differ. The top
// level must be an object or null; the sections may be anything (settings_decode checks).
int settings_load(const char *path, struct settings_file **ret_file, struct error *err) MUST_CHECK;
// The same with the order of these two places. Main file first (collector.md 1.9) does not look into a working
// directory at all where anybody may write.
enum settings_lookup { SETTINGS_WORKING_DIR_FIRST, SETTINGS_MAIN_FILE_FIRST };
int settings_load_lookup(const char *path, enum settings_lookup lookup, struct settings_file **ret_file,
                         struct error *err) MUST_CHECK;
int settings_load_text(struct slice text, const char *name, struct settings_file **ret_file,
                       struct error *err) MUST_CHECK;
void settings_free(struct settings_file **file);
// The section, or NULL. *ret_origin (may be NULL): the file it came from, for messages.
const struct json_value *settings_section(const struct settings_file *file, const char *name,
                                          const char **ret_origin);
size_t settings_section_count(const struct settings_file *file);
struct slice settings_section_name(const struct settings_file *file, size_t index);

// ---- typed tables -----------------------------------------------------------------------------------------
enum setting_type {
    SETTING_STRING,      // const char *  (in the arena; never NULL, "" when absent)
    SETTING_BOOL,        // bool
    SETTING_INT,         // int64_t, bounds min..max
    SETTING_REAL,        // double
    SETTING_DURATION,    // int64_t nanoseconds, from a Go duration string, bounds in ns
    SETTING_STRING_LIST, // struct setting_list
    SETTING_OBJECT,      // nested table: 'fields' and the offset of the nested struct
    SETTING_RAW,         // const struct json_value *: the caller looks itself (maps, lists of objects)
};

struct setting_list {
    const char **items;
    size_t count;
};

enum setting_flags {
    SETTING_REQUIRED = 1 << 0,
    SETTING_RELOADABLE = 1 << 1,
    SETTING_SECRET = 1 << 2,   // -print-config shows ***
    SETTING_NULLABLE = 1 << 3, // null leaves the default also in SETTINGS_SCHEMA
};

struct setting {
    const char *key;
    enum setting_type type;
    size_t offset;
    unsigned flags;
    const char *default_text;     // as it would stand in JSON, without quotes for strings; NULL: zero value
    int64_t min, max;             // both 0: unbounded
    const char *const *choices;   // NULL-terminated, for SETTING_STRING
    const struct setting *fields; // for SETTING_OBJECT, ends with key NULL
    const char *help;
};

enum settings_mode {
    SETTINGS_STRICT,  // as Go's strict decoder: an unknown key is an error: json: unknown field "x"
    SETTINGS_SCHEMA,  // STRICT behind a JSON schema (metric-store.md 2.2): besides, null is an error unless
                      // SETTING_NULLABLE, and a required key must be spelled exactly
    SETTINGS_LENIENT, // unknown keys are skipped; settings_warn_unknown tells of them
    SETTINGS_IGNORE   // unknown keys are skipped and nobody wants to know
};

// Fills *ret (a struct described by 'fields') from 'section' (NULL: defaults only). Keys match
// case-insensitively, the last of several wins; null leaves the default; 60.0 is no integer. 'origin' (may be
// NULL) names the file in errors, which read: <origin>:<line>:<column>: key 'a.b': expected string, but got
// number. Memory comes from 'arena'; RAW values point into the document of 'section'. On failure *ret is
// undefined.
int settings_decode(const struct setting *fields, const struct json_value *section, const char *origin,
                    enum settings_mode mode, struct arena *arena, void *ret, struct error *err) MUST_CHECK;
// Calls 'warn' with one line for each unknown key of 'section', nested tables included.
typedef void settings_warn_fn(void *ctx, const char *text);
void settings_warn_unknown(const struct setting *fields, const struct json_value *section, const char *origin,
                           settings_warn_fn *warn, void *ctx);

// The effective values as JSON (pretty, with two blanks), for -print-config.
void settings_print(const struct setting *fields, const void *values, int indent, struct buf *out);
// A Markdown table of the keys, for docs.
void settings_document(const struct setting *fields, const char *prefix, struct buf *out);
// The valid key nearest to 'key' by edit distance, or NULL when none is near.
const char *settings_nearest(const struct setting *fields, struct slice key);

#endif
