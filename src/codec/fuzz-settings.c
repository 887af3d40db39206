// SPDX-License-Identifier: MIT
#include "codec/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct inner {
    const char *directory;
    int64_t size;
};

struct sample {
    const char *addr, *mode;
    bool debug;
    int64_t workers, interval_ns;
    double factor;
    struct setting_list names;
    struct inner inner;
};

static const char *const modes[] = {"archive", "delete", NULL};

static const struct setting inner_table[] = {
    {.key = "directory", .type = SETTING_STRING, .offset = offsetof(struct inner, directory)},
    {.key = "size", .type = SETTING_INT, .offset = offsetof(struct inner, size), .max = 1000},
    {0}};

static const struct setting table[] = {
    {.key = "addr",
     .type = SETTING_STRING,
     .offset = offsetof(struct sample, addr),
     .flags = SETTING_REQUIRED},
    {.key = "mode",
     .type = SETTING_STRING,
     .offset = offsetof(struct sample, mode),
     .default_text = "delete",
     .choices = modes},
    {.key = "debug", .type = SETTING_BOOL, .offset = offsetof(struct sample, debug)},
    {.key = "workers", .type = SETTING_INT, .offset = offsetof(struct sample, workers)},
    {.key = "interval", .type = SETTING_DURATION, .offset = offsetof(struct sample, interval_ns)},
    {.key = "factor", .type = SETTING_REAL, .offset = offsetof(struct sample, factor)},
    {.key = "names", .type = SETTING_STRING_LIST, .offset = offsetof(struct sample, names)},
    {.key = "inner", .type = SETTING_OBJECT, .offset = offsetof(struct sample, inner), .fields = inner_table},
    {0}};

static void ignore_warning(void *ctx, const char *text)
{
    (void)ctx;
    ASSERT(text[0]);
}

// What is printed decodes in the strictest mode and prints the same again.
static void check_print(const struct sample *values, struct arena *arena)
{
    struct buf once, twice;
    buf_init(&once, BUF_MAX_DEFAULT);
    buf_init(&twice, BUF_MAX_DEFAULT);
    settings_print(table, values, 0, &once);
    struct json_doc *doc = NULL;
    int rc = json_parse(buf_slice(&once), &doc, NULL);
    ASSERT(rc == 0);
    struct sample again;
    rc = settings_decode(table, json_root(doc), NULL, SETTINGS_SCHEMA, arena, &again, NULL);
    ASSERT(rc == 0);
    settings_print(table, &again, 0, &twice);
    ASSERT(slice_eq(buf_slice(&once), buf_slice(&twice)));
    json_doc_free(&doc);
    buf_release(&once);
    buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct json_doc *doc = NULL;
    if (json_parse(slice_of((const char *)bytes, len), &doc, NULL) < 0)
        return 0;
    for (int mode = SETTINGS_STRICT; mode <= SETTINGS_IGNORE; mode++) {
        struct arena *arena = arena_new((size_t)64 << 20);
        struct sample values;
        struct error err = ERROR_INIT;
        int rc = settings_decode(table, json_root(doc), "x", (enum settings_mode)mode, arena, &values, &err);
        ASSERT(rc == 0 || err.text[0]);
        if (rc == 0)
            check_print(&values, arena);
        arena_free(&arena);
    }
    settings_warn_unknown(table, json_root(doc), "x", ignore_warning, NULL);
    json_doc_free(&doc);
    return 0;
}
