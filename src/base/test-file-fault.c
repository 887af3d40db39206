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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_error_at_the_nth_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crash_stops_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_loss_keeps_sectors_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_loss_spares_what_was_synced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_loss_undoes_truncation, set_up, tear_down),
    };

    return TEST_MAIN(argc, argv, tests);
}
