// SPDX-License-Identifier: MIT
// What the collector's unit tests share: folders that stand for a machine. Only test-*.c files include this.
#ifndef COLLECTOR_TESTING_H
#define COLLECTOR_TESTING_H

#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/testing.h"
#include "codec/json.h"

static inline char *testing_make_root(void)
{
    char text[] = "/tmp/cc-test-XXXXXX";
    assert_non_null(mkdtemp(text));
    return mem_strdup(text);
}

static inline void testing_remove_root(char **root)
{
    assert_int_equal(file_remove_tree(*root, NULL), 0);
    mem_free(*root);
    *root = NULL;
}

// Writes <root>/<name>, folders included.
static inline void testing_write(const char *root, const char *name, const char *contents)
{
    char *path = file_join(root, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(io_make_dirs(&io_system, path, 0755, NULL), 0);
    *slash = '/';
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(contents, f);
    fclose(f);
    mem_free(path);
}

// The file's text on the heap, "" when there is none.
static inline char *testing_read(const char *path)
{
    struct buf text;
    buf_init(&text, 1 << 24);
    if (file_exists(path))
        assert_int_equal(file_read(path, 1 << 24, &text, NULL), 0);
    char *result = slice_to_cstr(buf_slice(&text));
    buf_release(&text);
    return result;
}

// Parses JSON written with ' for ".
static inline struct json_doc *testing_json(const char *text)
{
    struct json_doc *doc = NULL;
    struct error err = ERROR_INIT;
    char *copy = mem_strdup(text);
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    if (json_parse(slice_from_cstr(copy), &doc, &err) < 0)
        fail_msg("test's JSON: %s: %s", copy, err.text);
    mem_free(copy);
    return doc;
}

#endif
