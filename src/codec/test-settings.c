// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "codec/settings.h"

// ---- a table with every type ------------------------------------------------------------------------------

struct inner {
    const char *directory;
    int64_t max_size;
};

struct sample {
    const char *addr, *mode, *password;
    bool debug;
    int64_t workers, interval_ns;
    double factor;
    struct setting_list names;
    struct inner checkpoints;
    const struct json_value *raw;
};

static const char *const modes[] = {"archive", "delete", NULL};

static const struct setting inner_table[] = {{.key = "directory",
                                              .type = SETTING_STRING,
                                              .offset = offsetof(struct inner, directory),
                                              .default_text = "./cp",
                                              .help = "where snapshots go"},
                                             {.key = "max-size",
                                              .type = SETTING_INT,
                                              .offset = offsetof(struct inner, max_size),
                                              .max = 1000,
                                              .help = "bytes"},
                                             {0}};

static const struct setting table[] = {
    {.key = "addr",
     .type = SETTING_STRING,
     .offset = offsetof(struct sample, addr),
     .flags = SETTING_REQUIRED,
     .help = "listen address"},
    {.key = "mode",
     .type = SETTING_STRING,
     .offset = offsetof(struct sample, mode),
     .default_text = "delete",
     .choices = modes,
     .help = "what to do"},
    {.key = "password",
     .type = SETTING_STRING,
     .offset = offsetof(struct sample, password),
     .flags = SETTING_SECRET,
     .help = "secret"},
    {.key = "debug",
     .type = SETTING_BOOL,
     .offset = offsetof(struct sample, debug),
     .flags = SETTING_NULLABLE,
     .default_text = "true",
     .help = "talk"},
    {.key = "num-workers",
     .type = SETTING_INT,
     .offset = offsetof(struct sample, workers),
     .default_text = "4",
     .min = 1,
     .max = 64,
     .flags = SETTING_RELOADABLE,
     .help = "threads"},
    {.key = "interval",
     .type = SETTING_DURATION,
     .offset = offsetof(struct sample, interval_ns),
     .default_text = "12h",
     .min = 1000000000,
     .max = 86400000000000,
     .help = "between snapshots"},
    {.key = "factor",
     .type = SETTING_REAL,
     .offset = offsetof(struct sample, factor),
     .default_text = "0.5",
     .help = "scale"},
    {.key = "names",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct sample, names),
     .default_text = "[\"a\",\"b\"]",
     .help = "list"},
    {.key = "checkpoints",
     .type = SETTING_OBJECT,
     .offset = offsetof(struct sample, checkpoints),
     .fields = inner_table,
     .help = "snapshots"},
    {.key = "raw", .type = SETTING_RAW, .offset = offsetof(struct sample, raw), .help = "anything"},
    {0}};

struct fixture {
    struct arena *arena;
    struct json_doc *doc;
    struct sample values;
    struct error err;
};

static int decode(struct fixture *f, const char *text, enum settings_mode mode)
{
    *f = (struct fixture){.arena = arena_new(1 << 20)};
    if (text)
        assert_int_equal(json_parse(slice_from_cstr(text), &f->doc, NULL), 0);
    return settings_decode(table, f->doc ? json_root(f->doc) : NULL, "conf.json", mode, f->arena, &f->values,
                           &f->err);
}

static void fixture_release(struct fixture *f)
{
    json_doc_free(&f->doc);
    arena_free(&f->arena);
}

// ---- decoding ---------------------------------------------------------------------------------------------

static void test_defaults(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(decode(&f, NULL, SETTINGS_STRICT), 0);
    assert_string_equal(f.values.addr, "");
    assert_string_equal(f.values.mode, "delete");
    assert_true(f.values.debug);
    assert_int_equal(f.values.workers, 4);
    assert_int_equal(f.values.interval_ns, 43200000000000);
    assert_true(f.values.factor == 0.5);
    assert_int_equal(f.values.names.count, 2);
    assert_string_equal(f.values.names.items[1], "b");
    assert_string_equal(f.values.checkpoints.directory, "./cp");
    assert_int_equal(f.values.checkpoints.max_size, 0);
    assert_null(f.values.raw);
    fixture_release(&f);
}

static void test_values(void **state)
{
    (void)state;
    struct fixture f;
    int rc = decode(
        &f,
        "{\"ADDR\":\"x\",\"addr\":\"127.0.0.1:0\",\"mode\":\"archive\",\"debug\":false,\"num-workers\":64,"
        "\"interval\":\"1h30m\",\"factor\":3,\"names\":[\"\xC3\xA4\\n\"],\"checkpoints\":{\"max-size\":7},"
        "\"raw\":{\"any\":[1]}}",
        SETTINGS_STRICT);
    if (rc < 0)
        fail_msg("%s", f.err.text);
    assert_string_equal(f.values.addr, "127.0.0.1:0");
    assert_string_equal(f.values.mode, "archive");
    assert_false(f.values.debug);
    assert_int_equal(f.values.workers, 64);
    assert_int_equal(f.values.interval_ns, 5400000000000);
    assert_true(f.values.factor == 3);
    assert_int_equal(f.values.names.count, 1);
    assert_string_equal(f.values.names.items[0], "\xC3\xA4\n");
    assert_string_equal(f.values.checkpoints.directory, "./cp"); // merged over the defaults
    assert_int_equal(f.values.checkpoints.max_size, 7);
    assert_true(slice_eq_cstr(json_source(f.values.raw), "{\"any\":[1]}"));
    fixture_release(&f);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"addr\":\"\",\n \"adr\":1}", "conf.json:2:8: json: unknown field \"adr\" (did you mean 'addr'?)"},
        {"{\"addr\":\"\",\"num-worker\":1}",
         "conf.json:1:25: json: unknown field \"num-worker\" (did you mean 'num-workers'?)"},
        {"{\"addr\":\"\",\"zzz\":1}", "conf.json:1:18: json: unknown field \"zzz\""},
        {"{\"addr\":\"\",\"checkpoints\":{\"x\":1}}",
         "conf.json:1:31: json: unknown field \"x\" in 'checkpoints'"},
        {"{}", "conf.json:1:1: missing key 'addr'"},
        {"[]", "conf.json:1:1: expected object, but got array"},
        {"null", "conf.json:1:1: expected object, but got null"},
        {"{\"addr\":5}", "conf.json:1:9: key 'addr': expected string, but got integer"},
        {"{\"addr\":\"\\u0000\"}", "conf.json:1:9: key 'addr': the string holds a zero byte"},
        {"{\"addr\":\"\",\"mode\":\"x\"}",
         "conf.json:1:19: key 'mode': value must be one of \"archive\", \"delete\", but got \"x\""},
        {"{\"addr\":\"\",\"debug\":1}", "conf.json:1:20: key 'debug': expected boolean, but got integer"},
        {"{\"addr\":\"\",\"num-workers\":60.0}",
         "conf.json:1:26: key 'num-workers': expected integer, but got 60.0"},
        {"{\"addr\":\"\",\"num-workers\":1e1}",
         "conf.json:1:26: key 'num-workers': expected integer, but got 1e1"},
        {"{\"addr\":\"\",\"num-workers\":9223372036854775808}",
         "conf.json:1:26: key 'num-workers': expected integer, but got 9223372036854775808"},
        {"{\"addr\":\"\",\"num-workers\":\"4\"}",
         "conf.json:1:26: key 'num-workers': expected integer, but got string"},
        {"{\"addr\":\"\",\"num-workers\":65}",
         "conf.json:1:26: key 'num-workers': must be from 1 to 64, but is 65"},
        {"{\"addr\":\"\",\"checkpoints\":{\"max-size\":-1}}",
         "conf.json:1:38: key 'checkpoints.max-size': must be from 0 to 1000, but is -1"},
        {"{\"addr\":\"\",\"checkpoints\":[]}",
         "conf.json:1:26: key 'checkpoints': expected object, but got array"},
        {"{\"addr\":\"\",\"interval\":\"48\"}",
         "conf.json:1:23: key 'interval': time: missing unit in duration \"48\""},
        {"{\"addr\":\"\",\"interval\":48}",
         "conf.json:1:23: key 'interval': expected duration string, but got integer"},
        {"{\"addr\":\"\",\"interval\":\"0s\"}",
         "conf.json:1:23: key 'interval': must be from 1s to 24h0m0s, but is 0s"},
        {"{\"addr\":\"\",\"factor\":\"1\"}", "conf.json:1:21: key 'factor': expected number, but got string"},
        {"{\"addr\":\"\",\"names\":\"a\"}", "conf.json:1:20: key 'names': expected array, but got string"},
        {"{\"addr\":\"\",\"names\":[\"a\",1]}",
         "conf.json:1:25: key 'names.1': expected string, but got integer"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        int rc = decode(&f, cases[i].text, SETTINGS_STRICT);
        if (rc != ERR_INVALID || strcmp(f.err.text, cases[i].message) != 0)
            fail_msg("%s: %d '%s', expected '%s'", cases[i].text, rc, f.err.text, cases[i].message);
        fixture_release(&f);
    }
}

static void test_modes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool strict, schema, lenient; // accepted?
    } cases[] = {
        {"{\"addr\":\"x\"}", true, true, true},
        {"{\"addr\":null}", true, false, true},
        {"{\"addr\":\"x\",\"num-workers\":null}", true, false, true},
        {"{\"addr\":\"x\",\"checkpoints\":null}", true, false, true},
        {"{\"addr\":\"x\",\"debug\":null}", true, true, true},
        {"{\"Addr\":\"x\"}", true, false, true},
        {"{\"addr\":\"x\",\"MODE\":\"archive\"}", true, true, true},
        {"{\"addr\":\"x\",\"zzz\":1}", false, false, true},
        {"{\"addr\":\"x\",\"checkpoints\":{\"zzz\":1}}", false, false, true},
        {"{\"addr\":1}", false, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static const enum settings_mode modes_tried[] = {SETTINGS_STRICT, SETTINGS_SCHEMA, SETTINGS_LENIENT,
                                                         SETTINGS_IGNORE};
        const bool expected[] = {cases[i].strict, cases[i].schema, cases[i].lenient, cases[i].lenient};
        for (size_t m = 0; m < ARRAY_LEN(modes_tried); m++) {
            struct fixture f;
            int rc = decode(&f, cases[i].text, modes_tried[m]);
            if ((rc == 0) != expected[m])
                fail_msg("%s in mode %zu: %d %s", cases[i].text, m, rc, f.err.text);
            fixture_release(&f);
        }
    }
}

static void collect(void *ctx, const char *text)
{
    buf_printf(ctx, "%s\n", text);
}

static void test_warnings(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(
        decode(&f, "{\"addr\":\"x\",\"mod\":1,\n\"checkpoints\":{\"y\":1,\"max-size\":2}}", SETTINGS_LENIENT),
        0);
    struct buf out;
    buf_init(&out, 4096);
    settings_warn_unknown(table, json_root(f.doc), "conf.json", collect, &out);
    assert_string_equal(buf_cstr(&out), "conf.json:1:19: json: unknown field \"mod\" (did you mean 'mode'?)\n"
                                        "conf.json:2:20: json: unknown field \"y\" in 'checkpoints'\n");
    buf_release(&out);
    fixture_release(&f);
}

static void test_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *key, *nearest;
    } cases[] = {{"adr", "addr"},
                 {"ADDRESS", NULL},
                 {"numworkers", "num-workers"},
                 {"num_workers", "num-workers"},
                 {"chekpoint", "checkpoints"},
                 {"", NULL},
                 {"intervall", "interval"},
                 {"unrelated", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *nearest = settings_nearest(table, slice_from_cstr(cases[i].key));
        if (slice_cmp(slice_from_cstr(nearest), slice_from_cstr(cases[i].nearest)) != 0)
            fail_msg("'%s': %s", cases[i].key, nearest ? nearest : "none");
    }
    char longer[200];
    memset(longer, 'a', sizeof(longer));
    assert_null(settings_nearest(table, slice_of(longer, sizeof(longer))));
}

static void test_print(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(
        decode(&f, "{\"addr\":\"a\\\"b\",\"password\":\"secret\",\"raw\":[1, 2]}", SETTINGS_STRICT), 0);
    struct buf out;
    buf_init(&out, 4096);
    settings_print(table, &f.values, 0, &out);
    assert_string_equal(buf_cstr(&out), "{\n"
                                        "  \"addr\": \"a\\\"b\",\n"
                                        "  \"mode\": \"delete\",\n"
                                        "  \"password\": \"***\",\n"
                                        "  \"debug\": true,\n"
                                        "  \"num-workers\": 4,\n"
                                        "  \"interval\": \"12h0m0s\",\n"
                                        "  \"factor\": 0.5,\n"
                                        "  \"names\": [\"a\", \"b\"],\n"
                                        "  \"checkpoints\": {\n"
                                        "    \"directory\": \"./cp\",\n"
                                        "    \"max-size\": 0\n"
                                        "  },\n"
                                        "  \"raw\": [1, 2]\n"
                                        "}");
    buf_release(&out);
    fixture_release(&f);
}

static void test_document(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    settings_document(table, "main.", &out);
    struct slice text = buf_slice(&out);
    static const char *const rows[] = {
        ("| Key | Type | Default | Meaning |\n|---|---|---|---|\n| `main.addr` | string | required | listen "
         "address |\n"),
        "\n| `main.mode` | string | `delete` | what to do; one of `archive`, `delete` |\n",
        "\n| `main.num-workers` | integer | `4` | threads; takes effect on reload |\n",
        "\n| `main.checkpoints.directory` | string | `./cp` | where snapshots go |\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!slice_contains(text, slice_from_cstr(rows[i])))
            fail_msg("no row '%s' in\n%.*s", rows[i], SLICE_FMT(text));
    }
    buf_release(&out);
}

// ---- files ------------------------------------------------------------------------------------------------

static int make_dir(void **state)
{
    char *dir = mem_strdup("/tmp/test-settings-XXXXXX");
    *state = dir;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    int rc = file_remove_tree(*state, NULL);
    mem_free(*state);
    return rc;
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char *path = file_join(dir, name);
    assert_int_equal(io_replace_file(&io_system, path, slice_from_cstr(text), 0644, NULL), 0);
    mem_free(path);
}

static int load(const char *dir, const char *name, struct settings_file **file, struct error *err)
{
    char *path = file_join(dir, name);
    int rc = settings_load(path, file, err);
    mem_free(path);
    return rc;
}

static void test_sections(void **state)
{
    const char *dir = *state;
    write_file(dir, "main.json",
               "{\"main\":{\"a\":1},\"metrics-file\":\"metrics.json\",\"metric-store-file\":\"x\",\"file\":2}"
               " trailing");
    write_file(dir, "metrics.json", "\n{\"cpu\":{}}");
    struct settings_file *file = NULL;
    struct error err = ERROR_INIT;
    if (load(dir, "main.json", &file, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(settings_section_count(file), 4);
    assert_true(slice_eq_cstr(settings_section_name(file, 1), "metrics"));
    assert_int_equal(settings_section_name(file, 4).len, 0);
    const char *origin = NULL;
    const struct json_value *metrics = settings_section(file, "metrics", &origin);
    assert_int_equal(json_type(json_get(metrics, "cpu")), JSON_OBJECT);
    assert_int_equal(json_line(metrics), 2);
    assert_true(
        slice_ends_with(slice_from_cstr(origin), SLICE_LITERAL("/metrics.json"))); // beside the main file
    assert_int_equal(json_type(settings_section(file, "metric-store-file", NULL)),
                     JSON_STRING); // two dashes: no reference
    assert_int_equal(json_int(json_get(settings_section(file, "main", &origin), "a"), 0), 1);
    assert_true(slice_ends_with(slice_from_cstr(origin), SLICE_LITERAL("/main.json")));
    assert_null(settings_section(file, "Main", NULL));
    settings_free(&file);
    assert_null(file);
}

// Both places have the file; which one counts depends on the caller, but a folder where anybody may write never does.
static void test_lookup_order(void **state)
{
    const char *dir = *state;
    static const struct {
        enum settings_lookup lookup;
        mode_t mode; // of the working directory
        bool in_working_dir, in_main_dir;
        int expected; // 0: not found
    } cases[] = {
        {SETTINGS_WORKING_DIR_FIRST, 0755, true, true, 1}, {SETTINGS_WORKING_DIR_FIRST, 0755, false, true, 2},
        {SETTINGS_MAIN_FILE_FIRST, 0755, true, true, 2},   {SETTINGS_MAIN_FILE_FIRST, 0755, true, false, 1},
        {SETTINGS_MAIN_FILE_FIRST, 01777, true, false, 0}, {SETTINGS_MAIN_FILE_FIRST, 01777, true, true, 2},
    };
    char here[4096], path[4200];
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(path, sizeof(path), "%s/wd", dir);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(chdir(path), 0);
    write_file(dir, "main.json", "{\"part-file\": \"part.json\"}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct settings_file *file = NULL;
        struct error err = ERROR_INIT;
        unlink("part.json");
        snprintf(path, sizeof(path), "%s/part.json", dir);
        unlink(path);
        assert_int_equal(chmod(".", cases[i].mode), 0);
        if (cases[i].in_working_dir)
            write_file(".", "part.json", "1");
        if (cases[i].in_main_dir)
            write_file(dir, "part.json", "2");
        snprintf(path, sizeof(path), "%s/main.json", dir);
        int rc = settings_load_lookup(path, cases[i].lookup, &file, &err);
        int64_t got = rc == 0 ? json_int(settings_section(file, "part", NULL), -1) : 0;
        if (got != cases[i].expected)
            fail_msg("case %zu: %lld (%s), expected %d", i, (long long)got, err.text, cases[i].expected);
        settings_free(&file);
    }
    assert_int_equal(chdir(here), 0);
}

static void test_the_same_section_twice(void **state)
{
    const char *dir = *state;
    struct settings_file *file = NULL;
    struct error err = ERROR_INIT;
    write_file(dir, "main.json", "{\"main\": {\"a\": 1}, \"main-file\": \"good.json\"}");
    write_file(dir, "good.json", "{\"a\": 1}");
    if (load(dir, "main.json", &file, &err) < 0)
        fail_msg("good.json: %s", err.text);
    assert_int_equal(settings_section_count(file), 1);
    settings_free(&file);
}

static void test_missing_file_is_empty(void **state)
{
    struct settings_file *file = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(load(*state, "absent.json", &file, &err), 0);
    assert_int_equal(err.code, ERR_NONE);
    assert_int_equal(settings_section_count(file), 0);
    settings_free(&file);
    assert_int_equal(settings_load("", &file, &err), 0);
    assert_int_equal(settings_section_count(file), 0);
    settings_free(&file);
    assert_int_equal(settings_load_text(SLICE_LITERAL("null"), "x", &file, &err), 0);
    assert_int_equal(settings_section_count(file), 0);
    settings_free(&file);
}

static void test_bad_files(void **state)
{
    const char *dir = *state;
    static const struct {
        const char *text, *message; // behind the path
    } cases[] = {
        {"", ":1:1: could not decode: EOF"},
        {"{\n", ":2:1: could not decode: unexpected EOF"},
        {"{\"main\":{},}",
         ":1:12: could not decode: invalid character '}' looking for beginning of object key string"},
        {"[]", ":1:1: could not decode: expected object, but got array"},
        {"{\"main-file\":{}}", ":1:14: key 'main-file': expected string, but got object"},
        {"{\"main\":1,\"main-file\":\"good.json\"}",
         "good.json:1:1: section 'main' is given both here and in "},
        {"{\"main-file\":\"absent.json\"}", ":1:14: key 'main-file': "},
        {"{\"main-file\":\".\"}", ":1:14: key 'main-file': "},
        {"{\"main-file\":\"bad.json\"}",
         "bad.json:2:2: could not decode: invalid character 'x' looking for beginning of value"},
    };
    write_file(dir, "good.json", "{}");
    write_file(dir, "bad.json", "[\n x]");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        write_file(dir, "main.json", cases[i].text);
        struct settings_file *file = NULL;
        struct error err = ERROR_INIT;
        int rc = load(dir, "main.json", &file, &err);
        if (rc == 0 || file || !slice_contains(slice_from_cstr(err.text), slice_from_cstr(cases[i].message)))
            fail_msg("%s: %d '%s', expected '%s'", cases[i].text, rc, err.text, cases[i].message);
    }
    struct settings_file *file = NULL;
    struct error err = ERROR_INIT;
    assert_true(settings_load(dir, &file, &err) < 0); // a directory is not a missing file
    assert_non_null(strstr(err.text, dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_document),
        cmocka_unit_test_setup_teardown(test_sections, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_lookup_order, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_the_same_section_twice, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_missing_file_is_empty, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_bad_files, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
