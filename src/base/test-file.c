// SPDX-License-Identifier: MIT
#include "base/file.h"

#include <errno.h>
#include <unistd.h>

#include "base/file-fault.h"
#include "base/mem.h"
#include "base/testing.h"

static int set_up(void **state)
{
    char *dir = mem_strdup("/tmp/test-file-XXXXXX");

    *state = dir;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    int rc = file_remove_tree(*state, NULL);

    mem_free(*state);
    return rc;
}

static void put(const char *path, const char *text)
{
    struct error err = ERROR_INIT;

    EXPECT(io_replace_file(&io_system, path, slice_from_cstr(text), 0644, &err) == 0, "%s", err.text);
}

static void expect_content(const char *path, const char *expected)
{
    struct error err = ERROR_INIT;
    struct buf text;

    buf_init(&text, 1 << 20);
    EXPECT(file_read(path, 1 << 20, &text, &err) == 0, "%s", err.text);
    EXPECT(slice_eq_cstr(buf_slice(&text), expected), "'%s' holds '%s', not '%s'", path, buf_cstr(&text),
           expected);
    buf_release(&text);
}

static void test_read_limits(void **state)
{
    static const struct {
        size_t file_bytes, max_bytes, buf_max;
        int rc;
    } cases[] = {
        {0, 0, 10, 0},
        {1, 0, 10, ERR_LIMIT},
        {10, 10, 10, 0},
        {10, 9, 10, ERR_LIMIT},
        {10, 10, 9, ERR_LIMIT},
        {10, SIZE_MAX, BUF_MAX_DEFAULT, 0},
        {100000, 100000, 100000, 0},
        {100000, 99999, 200000, ERR_LIMIT},
        {8192, 8192, 1 << 20, 0},
    };
    char *path = file_join(*state, "x"), *text = mem_alloc(100001);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = ERROR_INIT;
        struct buf out;

        memset(text, 'x', cases[i].file_bytes);
        text[cases[i].file_bytes] = '\0';
        put(path, text);
        buf_init(&out, cases[i].buf_max);
        int rc = file_read(path, cases[i].max_bytes, &out, &err);
        EXPECT(rc == cases[i].rc, "case %zu: got %d (%s), not %d", i, rc, err.text, cases[i].rc);
        EXPECT(rc != 0 || slice_eq_cstr(buf_slice(&out), text), "case %zu: wrong bytes", i);
        buf_release(&out);
    }
    mem_free(text);
    mem_free(path);
}

static void test_read_appends_and_names_what_is_absent(void **state)
{
    struct error err = ERROR_INIT;
    char expected[ERROR_TEXT_SIZE];
    char *path = file_join(*state, "absent");
    struct buf out;

    buf_init(&out, 100);
    buf_append_cstr(&out, "front ");
    assert_int_equal(file_read(path, 100, &out, &err), ERR_NOT_FOUND);
    snprintf(expected, sizeof(expected), "cannot open '%s': No such file or directory", path);
    assert_string_equal(err.text, expected);
    put(path, "back");
    assert_int_equal(file_read(path, 100, &out, &err), 0);
    assert_string_equal(buf_cstr(&out), "front back");
    assert_int_equal(file_read(*state, 100, &out, &err), ERR_IO); // a directory
    buf_release(&out);
    mem_free(path);
}

static void test_replace(void **state)
{
    char *path = file_join(*state, "x");
    struct stat st;

    put(path, "old");
    put(path, "new");
    expect_content(path, "new");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777 & ~0644, 0);
    char **names;
    size_t count;
    assert_int_equal(file_list(*state, &names, &count, NULL), 0);
    assert_int_equal(count, 1); // no temporary file is left
    file_list_free(&names, count);
    mem_free(path);
}

// Whatever call fails, the file is the old one or the new one, and only a success is reported as such.
static void test_replace_with_every_call_failing(void **state)
{
    static const enum io_fault_kind kinds[] = {IO_FAULT_ERRNO, IO_FAULT_CRASH};
    char *path = file_join(*state, "x"), *temporary = file_join(*state, "x.tmp");

    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        for (uint64_t call = 1; call < 12; call++) {
            struct io_fault_plan plan = {.kind = kinds[k], .at_call = call, .error_number = ENOSPC};
            struct io_fault *fault = io_fault_new(&plan);
            struct io io = io_fault_io(fault);
            struct buf text;

            put(path, "old");
            int rc = io_replace_file(&io, path, SLICE_LITERAL("new text"), 0644, NULL);
            buf_init(&text, 100);
            assert_int_equal(file_read(path, 100, &text, NULL), 0);
            bool is_new = slice_eq_cstr(buf_slice(&text), "new text");
            EXPECT(is_new || slice_eq_cstr(buf_slice(&text), "old"), "kind %d, call %llu: '%s'", kinds[k],
                   (unsigned long long)call, buf_cstr(&text));
            EXPECT(rc != 0 || is_new, "kind %d, call %llu: success, but the old file", kinds[k],
                   (unsigned long long)call);
            EXPECT(rc == 0 || call <= io_fault_calls(fault), "failed without a fault");
            EXPECT(kinds[k] == IO_FAULT_CRASH || !file_exists(temporary), "call %llu left the temporary file",
                   (unsigned long long)call);
            buf_release(&text);
            io_fault_free(&fault);
        }
    mem_free(path);
    mem_free(temporary);
}

static void test_short_writes_are_continued(void **state)
{
    struct io_fault_plan plan = {.kind = IO_FAULT_SHORT_WRITE, .at_call = 1, .sticky = true};
    struct io_fault *fault = io_fault_new(&plan);
    struct io io = io_fault_io(fault);
    char *path = file_join(*state, "x");
    struct io_fault_plan once = {.kind = IO_FAULT_SHORT_WRITE, .at_call = 2};
    struct io_fault *second = io_fault_new(&once);
    struct io second_io = io_fault_io(second);

    assert_int_equal(io_replace_file(&second_io, path, SLICE_LITERAL("0123456789abcdef"), 0644, NULL), 0);
    expect_content(path, "0123456789abcdef");
    int fd = io.ops->open(io.ctx, path, 1 /* O_WRONLY */, 0);
    assert_true(fd >= 0);
    assert_int_equal(io.ops->write(io.ctx, fd, "xxxxxxxx", 8), 4);
    assert_int_equal(io.ops->close(io.ctx, fd), 0);
    expect_content(path, "xxxx456789abcdef");
    assert_int_equal(io_replace_file(&io, path, SLICE_LITERAL("fedcba9876543210"), 0644, NULL), 0);
    expect_content(path, "fedcba9876543210"); // 8, 4, 2, 1 and 1 bytes
    io_fault_free(&fault);
    io_fault_free(&second);
    mem_free(path);
}

struct synced {
    size_t prefix_len;
    struct buf names; // in order, below the test's directory, each with a comma
};

static int note_fsync_dir(void *ctx, const char *path)
{
    struct synced *synced = ctx;
    buf_printf(&synced->names, "%s,", path + MIN(synced->prefix_len, strlen(path)));
    return 0;
}

static int refuse_fsync_dir(void *ctx, const char *path)
{
    (void)ctx, (void)path;
    errno = EACCES;
    return -1;
}

// Every new name is synced in its folder, and the last one also when it is there.
static void test_make_dirs_synced(void **state)
{
    struct io_ops ops = *io_system.ops;
    struct synced synced = {.prefix_len = strlen(*state)};
    struct error err = ERROR_INIT;
    struct io io = {.ops = &ops, .ctx = &synced};
    char *deep = file_join(*state, "a//b/c//"), *file = file_join(*state, "f"), *below = file_join(file, "x");
    ops.fsync_dir = note_fsync_dir;
    buf_init(&synced.names, BUF_MAX_DEFAULT);
    assert_int_equal(io_make_dirs_synced(&io, deep, 0755, &err), 0);
    assert_true(file_is_directory(deep));
    assert_string_equal(buf_cstr(&synced.names), ",/a/,/a//b,");
    buf_clear(&synced.names);
    assert_int_equal(io_make_dirs_synced(&io, deep, 0755, &err), 0);
    assert_string_equal(buf_cstr(&synced.names), "/a//b,");
    assert_int_equal(io_make_dirs_synced(&io, "/", 0755, &err), 0);
    assert_int_equal(io_replace_file(&io_system, file, SLICE_LITERAL("1"), 0644, NULL), 0);
    assert_int_equal(io_make_dirs_synced(&io, file, 0755, &err), ERR_EXISTS);
    assert_true(io_make_dirs_synced(&io, below, 0755, &err) < 0);
    ops.fsync_dir = refuse_fsync_dir;
    assert_int_equal(io_make_dirs_synced(&io, deep, 0755, &err), 0); // somebody else's folder
    char *more = file_join(deep, "d");
    assert_int_equal(io_make_dirs_synced(&io, more, 0755, &err), ERR_IO);
    mem_free(more);
    mem_free(deep);
    mem_free(file);
    mem_free(below);
    buf_release(&synced.names);
}

static void test_make_dirs(void **state)
{
    struct error err = ERROR_INIT;
    char *deep = file_join(*state, "a//b/c/"), *file = file_join(*state, "f"), *below = file_join(file, "g");

    assert_int_equal(io_make_dirs(&io_system, deep, 0755, &err), 0);
    assert_true(file_exists(deep));
    assert_int_equal(io_make_dirs(&io_system, deep, 0755, &err), 0);
    assert_int_equal(io_make_dirs(&io_system, "/", 0755, &err), 0);
    put(file, "");
    assert_int_equal(io_make_dirs(&io_system, file, 0755, &err), ERR_EXISTS);
    assert_int_equal(io_make_dirs(&io_system, below, 0755, &err), ERR_IO);
    EXPECT(strstr(err.text, below) && strstr(err.text, "Not a directory"), "%s", err.text);
    mem_free(deep);
    mem_free(file);
    mem_free(below);
}

static void test_list_is_sorted(void **state)
{
    static const char *const made[] = {"b", "a10", "a9", ".hidden", "Z"};
    static const char *const expected[] = {".hidden", "Z", "a10", "a9", "b"};
    char **names = NULL;
    size_t count = 0;
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(made); i++) {
        char *path = file_join(*state, made[i]);

        put(path, "");
        mem_free(path);
    }
    assert_int_equal(file_list(*state, &names, &count, &err), 0);
    assert_int_equal(count, ARRAY_LEN(expected));
    for (size_t i = 0; i < count; i++)
        assert_string_equal(names[i], expected[i]);
    file_list_free(&names, count);
    assert_null(names);
    assert_int_equal(file_list("/nonexistent-directory", &names, &count, &err), ERR_NOT_FOUND);
    assert_string_equal(err.text,
                        "cannot open directory '/nonexistent-directory': No such file or directory");
}

static void test_remove_tree_does_not_follow_links(void **state)
{
    char *tree = file_join(*state, "tree"), *kept = file_join(*state, "kept"),
         *link = file_join(tree, "link");

    put(kept, "still here");
    assert_int_equal(io_make_dirs(&io_system, tree, 0755, NULL), 0);
    assert_int_equal(symlink(kept, link), 0);
    assert_int_equal(file_remove_tree(tree, NULL), 0);
    assert_false(file_exists(tree));
    expect_content(kept, "still here");
    assert_int_equal(file_remove_tree(tree, NULL), ERR_NOT_FOUND);
    mem_free(tree);
    mem_free(kept);
    mem_free(link);
}

static void test_join(void **state)
{
    static const struct {
        const char *a, *b, *joined;
    } cases[] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "/b"}, {"/", "proc", "/proc"}, {"a", "", "a/"}};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *joined = file_join(cases[i].a, cases[i].b);

        EXPECT(strcmp(joined, cases[i].joined) == 0, "'%s' and '%s': got '%s'", cases[i].a, cases[i].b,
               joined);
        mem_free(joined);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_appends_and_names_what_is_absent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replace_with_every_call_failing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_short_writes_are_continued, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_make_dirs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_make_dirs_synced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_list_is_sorted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remove_tree_does_not_follow_links, set_up, tear_down),
        cmocka_unit_test(test_join),
    };

    return TEST_MAIN(argc, argv, tests);
}
