// SPDX-License-Identifier: MIT
#include "base/file-fault.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/testing.h"

static int set_up(void **state)
{
    char *dir = mem_strdup("/tmp/test-file-fault-XXXXXX");

    *state = dir;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    int rc = file_remove_tree(*state, NULL);

    mem_free(*state);
    return rc;
}

static int open_for_writing(const struct io *io, const char *path)
{
    return io->ops->open(io->ctx, path, O_RDWR | O_CREAT, 0644);
}

static void test_error_at_the_nth_call(void **state)
{
    static const struct {
        bool sticky;
        int results[5]; // of five writes, the second of which is call 3
    } cases[] = {{false, {1, -1, 1, 1, 1}}, {true, {1, -1, -1, -1, -1}}};
    char *path = file_join(*state, "x");

    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        struct io_fault_plan plan = {
            .kind = IO_FAULT_ERRNO, .at_call = 3, .error_number = ENOSPC, .sticky = cases[c].sticky};
        struct io_fault *fault = io_fault_new(&plan);
        struct io io = io_fault_io(fault);
        int fd = open_for_writing(&io, path);

        for (int i = 0; i < 5; i++) {
            errno = 0;
            ssize_t n = io.ops->write(io.ctx, fd, "x", 1);
            EXPECT(n == cases[c].results[i], "case %zu, write %d: got %zd", c, i, n);
            EXPECT(n > 0 || errno == ENOSPC, "case %zu, write %d: errno %d", c, i, errno);
        }
        assert_int_equal(io_fault_calls(fault), 6);
        io.ops->close(io.ctx, fd);
        io_fault_free(&fault);
        assert_null(fault);
    }
    mem_free(path);
}

static void test_crash_stops_everything(void **state)
{
    struct io_fault_plan plan = {.kind = IO_FAULT_CRASH, .at_call = 2};
    struct io_fault *fault = io_fault_new(&plan);
    struct io io = io_fault_io(fault);
    char *path = file_join(*state, "x");
    struct stat st;

    int fd = open_for_writing(&io, path);
    assert_int_equal(io.ops->write(io.ctx, fd, "12345678", 8), -1); // half of it got through
    assert_int_equal(errno, EIO);
    assert_int_equal(io.ops->fsync(io.ctx, fd), -1);
    assert_int_equal(io.ops->unlink(io.ctx, path), -1);
    assert_int_equal(io.ops->rename(io.ctx, path, *state), -1);
    assert_int_equal(io.ops->mkdir(io.ctx, "/tmp", 0755), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(io.ops->close(io.ctx, fd), -1);
    assert_int_equal(close(fd), -1); // and yet the descriptor is gone
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4);
    io_fault_free(&fault);
    mem_free(path);
}

static void fill(char *bytes, char letter)
{
    memset(bytes, letter, 4096);
}

// A synced 4 KB of 'a', then: overwritten in part, and 4 KB appended, without a sync. Over many seeds each
// sector is wholly old or new, the length a multiple of a sector and never below the durable one; and all
// outcomes appear.
static void test_power_loss_keeps_sectors_whole(void **state)
{
    char *path = file_join(*state, "x");
    bool seen_old = false, seen_new = false, seen_short = false, seen_long = false;
    char bytes[4096];

    for (uint64_t seed = 0; seed < 60; seed++) {
        struct io_fault *fault = io_fault_new(&(struct io_fault_plan){.kind = IO_FAULT_NONE});
        struct io io = io_fault_io(fault);
        struct buf out;
        int fd = io.ops->open(io.ctx, path, O_RDWR | O_CREAT | O_TRUNC, 0644);

        assert_int_equal(io.ops->fsync_dir(io.ctx, *state), 0); // its name stays
        fill(bytes, 'a');
        assert_int_equal(io.ops->write(io.ctx, fd, bytes, sizeof(bytes)), sizeof(bytes));
        assert_int_equal(io.ops->fdatasync(io.ctx, fd), 0);
        fill(bytes, 'b');
        assert_int_equal(io.ops->pwrite(io.ctx, fd, bytes, 1024, 1024), 1024);
        assert_int_equal(io.ops->pwrite(io.ctx, fd, bytes, sizeof(bytes), 4096), sizeof(bytes));
        io.ops->close(io.ctx, fd);
        io_fault_power_loss(fault, seed);
        io_fault_free(&fault);

        buf_init(&out, 1 << 20);
        assert_int_equal(file_read(path, 1 << 20, &out, NULL), 0);
        EXPECT(out.len >= 4096 && out.len <= 8192 && out.len % 512 == 0, "seed %llu: %zu bytes are left",
               (unsigned long long)seed, out.len);
        seen_short = seen_short || out.len < 8192;
        seen_long = seen_long || out.len > 4096;
        for (size_t i = 0; i < out.len; i++) {
            bool changed = (i >= 1024 && i < 2048) || i >= 4096;
            char old = i >= 4096 ? '\0' : 'a', c = out.ptr[i];

            EXPECT(c == old || (changed && c == 'b'), "seed %llu: byte %zu is %d", (unsigned long long)seed,
                   i, c);
            EXPECT(i % 512 == 0 || c == out.ptr[i - 1], "seed %llu: torn inside a sector at %zu",
                   (unsigned long long)seed, i);
            seen_old = seen_old || (changed && c == old);
            seen_new = seen_new || (changed && c == 'b');
        }
        buf_release(&out);
    }
    assert_true(seen_old && seen_new && seen_short && seen_long);
    mem_free(path);
}

static void test_power_loss_spares_what_was_synced(void **state)
{
    struct io_fault *fault = io_fault_new(&(struct io_fault_plan){.kind = IO_FAULT_NONE});
    struct io io = io_fault_io(fault);
    char *path = file_join(*state, "x");
    struct buf out;

    buf_init(&out, 1 << 20);
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_int_equal(io_replace_file(&io, path, SLICE_LITERAL("durable"), 0644, NULL), 0);
        io_fault_power_loss(fault, seed);
        buf_clear(&out);
        assert_int_equal(file_read(path, 1 << 20, &out, NULL), 0);
        assert_string_equal(buf_cstr(&out), "durable");
    }
    buf_release(&out);
    io_fault_free(&fault);
    mem_free(path);
}

// A truncation that was not synced may be undone.
static void test_power_loss_undoes_truncation(void **state)
{
    char *path = file_join(*state, "x");
    bool seen_old = false, seen_new = false;

    for (uint64_t seed = 0; seed < 40; seed++) {
        struct io_fault *fault = io_fault_new(&(struct io_fault_plan){.kind = IO_FAULT_NONE});
        struct io io = io_fault_io(fault);
        struct stat st;

        assert_int_equal(io_replace_file(&io, path, SLICE_LITERAL("some text"), 0644, NULL), 0);
        int fd = io.ops->open(io.ctx, path, O_RDWR | O_TRUNC, 0);
        io.ops->close(io.ctx, fd);
        io_fault_power_loss(fault, seed);
        io_fault_free(&fault);
        assert_int_equal(stat(path, &st), 0);
        EXPECT(st.st_size == 0 || st.st_size == 9, "seed %llu: %lld bytes", (unsigned long long)seed,
               (long long)st.st_size);
        seen_old = seen_old || st.st_size == 9;
        seen_new = seen_new || st.st_size == 0;
    }
    assert_true(seen_old && seen_new);
    mem_free(path);
}

// ---- names ------------------------------------------------------------------------------------------------

static void write_file(const struct io *io, const char *path, const char *text)
{
    int fd = io->ops->open(io->ctx, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(io->ops->write(io->ctx, fd, text, strlen(text)), strlen(text));
    assert_int_equal(io->ops->fsync(io->ctx, fd), 0);
    assert_int_equal(io->ops->close(io->ctx, fd), 0);
}

// What the file holds, or "-" when there is none; in 'text'.
static const char *content_of(const char *path, char *text, size_t size)
{
    struct buf out;

    buf_init(&out, size - 1);
    if (file_read(path, size - 1, &out, NULL) == 0)
        snprintf(text, size, "%s", buf_cstr(&out));
    else
        snprintf(text, size, "-");
    buf_release(&out);
    return text;
}

struct names {
    struct io_fault *fault;
    struct io io;
    char *a, *b, *sub, *in_sub;
};

static struct names names_new(const char *dir)
{
    struct names n = {.fault = io_fault_new(&(struct io_fault_plan){.kind = IO_FAULT_NONE})};

    n.io = io_fault_io(n.fault);
    n.a = file_join(dir, "a");
    n.b = file_join(dir, "b");
    n.sub = file_join(dir, "sub");
    n.in_sub = file_join(n.sub, "c");
    return n;
}

static void names_free(struct names *n)
{
    io_fault_free(&n->fault);
    ignore_result(file_remove_tree(n->a, NULL)); // what is left of the round; most of it never came to be
    ignore_result(file_remove_tree(n->b, NULL));
    ignore_result(file_remove_tree(n->sub, NULL));
    mem_free(n->a);
    mem_free(n->b);
    mem_free(n->sub);
    mem_free(n->in_sub);
}

// A synced file in a directory that was not synced may be gone; never after a sync of the directory.
static void test_power_loss_takes_new_names(void **state)
{
    bool seen[2][2] = {{false}};

    for (uint64_t seed = 0; seed < 40; seed++) {
        for (int synced = 0; synced < 2; synced++) {
            struct names n = names_new(*state);
            char text[32];

            write_file(&n.io, n.a, "new");
            if (synced)
                assert_int_equal(n.io.ops->fsync_dir(n.io.ctx, *state), 0);
            io_fault_power_loss(n.fault, seed);
            bool there = strcmp(content_of(n.a, text, sizeof(text)), "new") == 0;
            EXPECT(there || strcmp(text, "-") == 0, "seed %llu: '%s'", (unsigned long long)seed, text);
            seen[synced][there] = true;
            names_free(&n);
        }
    }
    assert_true(seen[0][0] && seen[0][1] && seen[1][1] && !seen[1][0]);
}

// Over many seeds: both states of a rename onto another file, and nothing else.
static void test_power_loss_undoes_renames(void **state)
{
    bool seen_old = false, seen_new = false;

    for (uint64_t seed = 0; seed < 40; seed++) {
        struct names n = names_new(*state);
        char a[32], b[32];
        struct stat st;

        write_file(&n.io, n.a, "one");
        write_file(&n.io, n.b, "two");
        assert_int_equal(n.io.ops->fsync_dir(n.io.ctx, *state), 0);
        assert_int_equal(n.io.ops->rename(n.io.ctx, n.a, n.b), 0);
        io_fault_power_loss(n.fault, seed);
        content_of(n.a, a, sizeof(a));
        content_of(n.b, b, sizeof(b));
        bool old = strcmp(a, "one") == 0 && strcmp(b, "two") == 0;
        bool new = strcmp(a, "-") == 0 && strcmp(b, "one") == 0;
        EXPECT(old || new, "seed %llu: '%s', '%s'", (unsigned long long)seed, a, b);
        assert_int_equal(stat(n.b, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        seen_old = seen_old || old;
        seen_new = seen_new || new;
        names_free(&n);
    }
    assert_true(seen_old && seen_new);
}

// A removed file comes back with its durable bytes, not with those that were never synced.
static void test_power_loss_brings_removed_files_back(void **state)
{
    bool seen_back = false, seen_gone = false;

    for (uint64_t seed = 0; seed < 40; seed++) {
        struct names n = names_new(*state);
        char text[32];

        write_file(&n.io, n.a, "durable");
        assert_int_equal(n.io.ops->fsync_dir(n.io.ctx, *state), 0);
        int fd = n.io.ops->open(n.io.ctx, n.a, O_WRONLY, 0);
        assert_int_equal(n.io.ops->write(n.io.ctx, fd, "fleeting", 8), 8);
        n.io.ops->close(n.io.ctx, fd);
        assert_int_equal(n.io.ops->unlink(n.io.ctx, n.a), 0);
        io_fault_power_loss(n.fault, seed);
        bool gone = strcmp(content_of(n.a, text, sizeof(text)), "-") == 0;
        EXPECT(gone || strcmp(text, "durable") == 0, "seed %llu: '%s'", (unsigned long long)seed, text);
        seen_gone = seen_gone || gone;
        seen_back = seen_back || !gone;
        names_free(&n);
    }
    assert_true(seen_gone && seen_back);
}

// The newest changes are undone, so that a file written, renamed and replaced is in one of its states. A directory that vanishes
// takes along what is in it, synced or not.
static void test_power_loss_keeps_the_order_of_changes(void **state)
{
    bool seen[4] = {false}, seen_sub[3] = {false};

    for (uint64_t seed = 0; seed < 200; seed++) {
        struct names n = names_new(*state);
        char a[32], b[32], c[32];

        write_file(&n.io, n.a, "1");                               // 0: nothing, 1: a
        assert_int_equal(n.io.ops->rename(n.io.ctx, n.a, n.b), 0); // 2: b
        write_file(&n.io, n.a, "2");                               // 3: a and b
        assert_int_equal(n.io.ops->mkdir(n.io.ctx, n.sub, 0755), 0);
        write_file(&n.io, n.in_sub, "3");
        if (seed % 2)
            assert_int_equal(n.io.ops->fsync_dir(n.io.ctx, n.sub), 0);
        io_fault_power_loss(n.fault, seed);
        content_of(n.a, a, sizeof(a));
        content_of(n.b, b, sizeof(b));
        content_of(n.in_sub, c, sizeof(c));
        int now = a[0] == '-' ? (b[0] == '-' ? 0 : 2) : (b[0] == '-' ? 1 : 3);
        EXPECT(now != 3 || (a[0] == '2' && b[0] == '1'), "seed %llu: '%s', '%s'", (unsigned long long)seed, a,
               b);
        bool sub = file_exists(n.sub);
        EXPECT(!sub || now == 3, "seed %llu: the newest change stayed, older ones not",
               (unsigned long long)seed);
        EXPECT(!sub || seed % 2 == 0 || c[0] == '3', "seed %llu: a synced name is gone",
               (unsigned long long)seed);
        seen[now] = true;
        seen_sub[sub + (c[0] == '3')] = true;
        names_free(&n);
    }
    assert_true(seen[0] && seen[1] && seen[2] && seen[3] && seen_sub[0] && seen_sub[1] && seen_sub[2]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_error_at_the_nth_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crash_stops_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_loss_keeps_sectors_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_loss_spares_what_was_synced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_loss_undoes_truncation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_loss_takes_new_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_loss_undoes_renames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_loss_brings_removed_files_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_loss_keeps_the_order_of_changes, set_up, tear_down),
    };

    return TEST_MAIN(argc, argv, tests);
}
