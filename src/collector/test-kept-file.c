// SPDX-License-Identifier: MIT
#include "collector/kept-file.h"

#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/testing.h"

static char *make_root(void)
{
    char text[] = "/tmp/cc-test-XXXXXX";
    assert_non_null(mkdtemp(text));
    return mem_strdup(text);
}

static void write_file(const char *root, const char *name, const char *contents)
{
    char *path = file_join(root, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(contents, f);
    fclose(f);
    mem_free(path);
}

static void test_reads_anew_below_a_root(void **state)
{
    (void)state;
    struct kept_file f = {0};
    struct error err = ERROR_INIT;
    struct buf out;
    struct slice value;
    char text[16], *root = make_root();
    buf_init(&out, 20000);
    assert_int_equal(kept_file_open(&f, root, "/x", &err), ERR_NOT_FOUND);
    write_file(root, "x", " one\n");
    assert_int_equal(kept_file_open(&f, root, "/x", &err), 0);
    assert_int_equal(kept_file_read(&f, &out, &err), 0);
    assert_true(slice_eq_cstr(buf_slice(&out), " one\n"));
    write_file(root, "x", "second\n");
    assert_int_equal(kept_file_read_attribute(&f, text, sizeof(text), &value, &err), 0);
    assert_true(slice_eq_cstr(value, "second"));
    unlink(f.path);
    write_file(root, "x", "third\n"); // another file of that name
    assert_int_equal(kept_file_read_attribute(&f, text, sizeof(text), &value, &err), 0);
    assert_true(slice_eq_cstr(value, "third"));
    unlink(f.path);
    assert_int_equal(kept_file_read(&f, &out, &err), ERR_NOT_FOUND);
    assert_int_equal(kept_file_read_attribute(&f, text, sizeof(text), &value, &err), ERR_NOT_FOUND);
    kept_file_close(&f);
    kept_file_close(&f);
    buf_release(&out);
    assert_int_equal(file_remove_tree(root, NULL), 0);
    mem_free(root);
}

static void test_size_is_bounded(void **state)
{
    (void)state;
    struct kept_file f = {0};
    struct error err = ERROR_INIT;
    struct buf out;
    char *root = make_root(), *big = mem_alloc(50001);
    memset(big, 'x', 50000);
    write_file(root, "x", big);
    buf_init(&out, 20000);
    assert_int_equal(kept_file_open(&f, root, "/x", &err), 0);
    assert_int_equal(kept_file_read(&f, &out, &err), ERR_LIMIT);
    buf_release(&out);
    buf_init(&out, 60000);
    assert_int_equal(kept_file_read(&f, &out, &err), 0);
    assert_int_equal(out.len, 50000);
    buf_release(&out);
    kept_file_close(&f);
    assert_int_equal(file_remove_tree(root, NULL), 0);
    mem_free(root);
    mem_free(big);
}

static void test_the_real_machine_stays_open(void **state)
{
    (void)state;
    struct kept_file f = {0};
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(kept_file_open(&f, "", "/proc/self/stat", NULL), 0);
    assert_true(f.fd >= 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kept_file_read(&f, &out, NULL), 0);
        assert_true(out.len > 50);
    }
    kept_file_close(&f);
    buf_release(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_anew_below_a_root),
        cmocka_unit_test(test_size_is_bounded),
        cmocka_unit_test(test_the_real_machine_stays_open),
    };
    return TEST_MAIN(argc, argv, tests);
}
