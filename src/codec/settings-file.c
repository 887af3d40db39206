// SPDX-License-Identifier: MIT
// Files and sections. Typed tables: settings.c.
#include <libgen.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "codec/settings.h"

#define FILE_MAX_BYTES  ((size_t)64 << 20)
#define PATHS_MAX_BYTES ((size_t)16 << 20)

struct section {
    struct slice name; // in the main document
    const struct json_value *value;
    const char *origin; // in the arena
};

struct settings_file {
    struct arena *arena;
    struct json_doc **docs; // the main one first
    size_t doc_count, doc_cap;
    struct section *sections;
    size_t section_count, section_cap;
    enum settings_lookup lookup;
};

static struct settings_file *file_new(enum settings_lookup lookup)
{
    struct settings_file *file = NEW(struct settings_file);
    file->lookup = lookup;
    file->arena = arena_new(PATHS_MAX_BYTES);
    return file;
}

void settings_free(struct settings_file **file)
{
    struct settings_file *f = *file;
    if (!f)
        return;
    for (size_t i = 0; i < f->doc_count; i++)
        json_doc_free(&f->docs[i]);
    mem_free(f->docs);
    mem_free(f->sections);
    arena_free(&f->arena);
    mem_free(f);
    *file = NULL;
}

// Parses a text and keeps the document.
static int add_document(struct settings_file *file, struct slice text, const char *name,
                        const struct json_value **ret_root, struct error *err)
{
    struct json_doc *doc = NULL;
    int rc = json_parse(text, &doc, err);
    if (rc < 0) {
        if (err)
            error_prefix(err, "%s:%d:%d: could not decode", name, err->line, err->column);
        return rc;
    }
    ENSURE_CAPACITY(file->docs, file->doc_cap, file->doc_count + 1);
    file->docs[file->doc_count++] = doc;
    *ret_root = json_root(doc);
    return 0;
}

static int add_section(struct settings_file *file, struct slice name, const struct json_value *value,
                       const char *origin, struct error *err)
{
    for (size_t i = 0; i < file->section_count; i++) {
        if (!slice_eq(file->sections[i].name, name))
            continue;
        if (slice_eq(json_source(file->sections[i].value), json_source(value)))
            return 0; // which one wins is undefined upstream; when they agree it does not matter
        return error_set_at(err, ERR_INVALID, json_line(value), json_column(value),
                            "%s:%d:%d: section '%.*s' is given both here and in %s", origin, json_line(value),
                            json_column(value), SLICE_FMT(name), file->sections[i].origin);
    }
    ENSURE_CAPACITY(file->sections, file->section_cap, file->section_count + 1);
    file->sections[file->section_count++] = (struct section){name, value, origin};
    return 0;
}

// "<name>-file" with no other dash: *ret_name is what stands before it.
static bool is_reference(struct slice key, struct slice *ret_name)
{
    ptrdiff_t dash = slice_find_byte(key, '-');
    if (dash < 0 || !slice_eq_cstr(slice_skip(key, (size_t)dash + 1), "file"))
        return false;
    *ret_name = slice_of(key.ptr, (size_t)dash);
    return true;
}

static bool anybody_may_write_here(void)
{
    struct stat st;
    return stat(".", &st) < 0 || (st.st_mode & S_IWOTH);
}

// Where 'path' is: one of the working directory and the main file's, in the order of file->lookup.
static const char *find_referenced(const struct settings_file *file, const char *path, const char *main_path)
{
    if (*path == '/' || !main_path || (file->lookup == SETTINGS_WORKING_DIR_FIRST && file_exists(path)))
        return path;
    char *copy = arena_strdup(file->arena, slice_from_cstr(main_path));
    const char *beside = arena_printf(file->arena, "%s/%s", dirname(copy), path);
    bool only_beside = file->lookup == SETTINGS_MAIN_FILE_FIRST && anybody_may_write_here();
    return file_exists(beside) || only_beside ? beside : path;
}

static int load_reference(struct settings_file *file, struct slice name, const struct json_value *v,
                          const char *main_name, const char *main_path, struct error *err)
{
    if (json_type(v) != JSON_STRING)
        return error_set_at(err, ERR_INVALID, json_line(v), json_column(v),
                            "%s:%d:%d: key '%.*s-file': expected string, but got %s", main_name, json_line(v),
                            json_column(v), SLICE_FMT(name), json_type_name(v));
    const char *path = find_referenced(file, arena_strdup(file->arena, json_string(v)), main_path);
    struct buf text;
    buf_init(&text, FILE_MAX_BYTES + 1);
    const struct json_value *root = NULL;
    int rc = file_read(path, FILE_MAX_BYTES, &text, err);
    if (rc < 0 && err)
        error_prefix(err, "%s:%d:%d: key '%.*s-file'", main_name, json_line(v), json_column(v),
                     SLICE_FMT(name));
    if (rc == 0)
        rc = add_document(file, buf_slice(&text), path, &root, err);
    if (rc == 0)
        rc = add_section(file, name, root, path, err);
    buf_release(&text);
    return rc;
}

static int load_sections(struct settings_file *file, const struct json_value *root, const char *name,
                         const char *main_path, struct error *err)
{
    if (json_type(root) == JSON_NULL)
        return 0;
    if (json_type(root) != JSON_OBJECT)
        return error_set_at(err, ERR_INVALID, json_line(root), json_column(root),
                            "%s:%d:%d: could not decode: expected object, but got %s", name, json_line(root),
                            json_column(root), json_type_name(root));
    for (size_t i = 0; i < json_count(root); i++) {
        struct slice key = SLICE_EMPTY, section = SLICE_EMPTY;
        const struct json_value *v = json_member_at(root, i, &key);
        int rc = is_reference(key, &section) ? load_reference(file, section, v, name, main_path, err)
                                             : add_section(file, key, v, name, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int load(struct slice text, const char *name, const char *main_path, enum settings_lookup lookup,
                struct settings_file **ret_file, struct error *err)
{
    struct settings_file *file = file_new(lookup);
    const struct json_value *root = NULL;
    const char *kept_name = arena_strdup(file->arena, slice_from_cstr(name));
    int rc = add_document(file, text, kept_name, &root, err);
    if (rc == 0)
        rc = load_sections(file, root, kept_name, main_path, err);
    if (rc < 0) {
        settings_free(&file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

int settings_load_text(struct slice text, const char *name, struct settings_file **ret_file,
                       struct error *err)
{
    return load(text, name, NULL, SETTINGS_WORKING_DIR_FIRST, ret_file, err);
}

int settings_load(const char *path, struct settings_file **ret_file, struct error *err)
{
    return settings_load_lookup(path, SETTINGS_WORKING_DIR_FIRST, ret_file, err);
}

int settings_load_lookup(const char *path, enum settings_lookup lookup, struct settings_file **ret_file,
                         struct error *err)
{
    struct buf text;
    buf_init(&text, FILE_MAX_BYTES + 1);
    struct error why = ERROR_INIT; // err stays untouched when the file is missing
    int rc = *path ? file_read(path, FILE_MAX_BYTES, &text, &why) : ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND) {
        *ret_file = file_new(lookup);
        rc = 0;
    } else if (rc < 0) {
        rc = error_set(err, why.code, "%s", why.text);
    } else {
        rc = load(buf_slice(&text), path, path, lookup, ret_file, err);
    }
    buf_release(&text);
    return rc;
}

const struct json_value *settings_section(const struct settings_file *file, const char *name,
                                          const char **ret_origin)
{
    for (size_t i = 0; i < file->section_count; i++) {
        if (!slice_eq_cstr(file->sections[i].name, name))
            continue;
        if (ret_origin)
            *ret_origin = file->sections[i].origin;
        return file->sections[i].value;
    }
    return NULL;
}

size_t settings_section_count(const struct settings_file *file)
{
    return file->section_count;
}

struct slice settings_section_name(const struct settings_file *file, size_t index)
{
    return index < file->section_count ? file->sections[index].name : SLICE_EMPTY;
}
