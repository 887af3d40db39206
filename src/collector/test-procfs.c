// SPDX-License-Identifier: MIT
#include "collector/procfs.h"

#include "base/testing.h"

static struct slice text_of(const char *text)
{
    return slice_from_cstr(text);
}

static void test_loadavg(void **state)
{
    (void)state;
    struct procfs_loadavg l;
    struct error err = ERROR_INIT;
    assert_int_equal(procfs_loadavg_parse(text_of("0.08 0.03 0.01 2/345 6789\n"), &l, &err), 0);
    assert_true(l.load[0] == 0.08 && l.load[1] == 0.03 && l.load[2] == 0.01);
    assert_int_equal(l.running, 2);
    assert_int_equal(l.total, 345);
}

static void test_loadavg_malformed(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "\n\n",
                                        "0.08",
                                        "0.08 0.03 0.01",
                                        "0.08 0.03 0.01 2",
                                        "a b c 1/2 3",
                                        "0.08 0.03 0.01 2/",
                                        "0.08 0.03 0.01 /3",
                                        "1 2 3 4/x"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct procfs_loadavg l;
        struct error err = ERROR_INIT;
        if (procfs_loadavg_parse(text_of(cases[i]), &l, &err) != ERR_INVALID)
            fail_msg("'%s' was accepted", cases[i]);
        if (!slice_contains(text_of(err.text), SLICE_LITERAL("loadavg")))
            fail_msg("'%s': message '%s' does not name the file", cases[i], err.text);
    }
}

static void test_stat(void **state)
{
    (void)state;
    struct slice rest =
        text_of("cpu  1400 0 250 5540 20 0 0 0 0 0 77\ncpu0 1 2 3 4\nintr 5 6\ncpu12 1 2 3 4 5 6 7 8\n"
                "ctxt 1\ncpufoo 1 2 3 4\ncpu3 1 2 3\ncpu4 1 x 3 4\ncpu99999 1 2 3 4\n");
    struct procfs_cpu c;
    struct error err = ERROR_INIT;
    assert_int_equal(procfs_cpu_next(&rest, &c, &err), 1);
    assert_int_equal(c.id, PROCFS_CPU_TOTAL);
    assert_int_equal(c.columns, 10);
    assert_int_equal(c.ticks[0], 1400);
    assert_int_equal(c.ticks[3], 5540);
    assert_int_equal(procfs_cpu_next(&rest, &c, &err), 1);
    assert_int_equal(c.id, 0);
    assert_int_equal(c.columns, 4);
    assert_int_equal(c.ticks[9], 0);
    assert_int_equal(procfs_cpu_next(&rest, &c, &err), 1);
    assert_int_equal(c.id, 12);
    for (int i = 0; i < 4; i++) // the four bad ones, each skipped
        assert_int_equal(procfs_cpu_next(&rest, &c, &err), ERR_INVALID);
    assert_int_equal(procfs_cpu_next(&rest, &c, &err), 0);
}

static void test_meminfo(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key, *unit;
        uint64_t value;
        int rc;
    } cases[] = {
        {"MemTotal:       16384000 kB\n", "MemTotal", "kB", 16384000, 1},
        {"HugePages_Total:       7\n", "HugePages_Total", "", 7, 1},
        {"Node 3 MemFree:  12 kB", "MemFree", "kB", 12, 1},
        {"Active(anon): 5 kB", "Active(anon)", "kB", 5, 1},
        {"MemTotal 5 kB", NULL, NULL, 0, ERR_INVALID},
        {"MemTotal: five kB", NULL, NULL, 0, ERR_INVALID},
        {"MemTotal: -5 kB", NULL, NULL, 0, ERR_INVALID},
        {"Node", NULL, NULL, 0, ERR_INVALID},
        {":", NULL, NULL, 0, ERR_INVALID},
        {"", NULL, NULL, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct procfs_meminfo m;
        struct slice rest = text_of(cases[i].text);
        int rc = procfs_meminfo_next(&rest, &m, NULL);
        if (rc != cases[i].rc)
            fail_msg("'%s': result %d, expected %d", cases[i].text, rc, cases[i].rc);
        if (rc == 1 && (!slice_eq_cstr(m.key, cases[i].key) || !slice_eq_cstr(m.unit, cases[i].unit) ||
                        m.value != cases[i].value))
            fail_msg("'%s': got %.*s %llu %.*s", cases[i].text, SLICE_FMT(m.key), (unsigned long long)m.value,
                     SLICE_FMT(m.unit));
    }
}

static void test_netdev(void **state)
{
    (void)state;
    struct slice rest =
        text_of("Inter-|   Receive                    |  Transmit\n face |bytes    packets|bytes\n"
                "    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
                "eth0.100:13505 20 0 0 0 0 0 0 5100 30 0 0 0 0 0 0\n"
                "bad: 1 2 3\nnocolon 1 2\n");
    struct procfs_netdev d;
    assert_int_equal(procfs_netdev_next(&rest, &d, NULL), 1);
    assert_true(slice_eq_cstr(d.name, "lo"));
    assert_int_equal(d.bytes_in, 1);
    assert_int_equal(d.packets_in, 2);
    assert_int_equal(d.bytes_out, 9);
    assert_int_equal(d.packets_out, 10);
    assert_int_equal(procfs_netdev_next(&rest, &d, NULL), 1);
    assert_true(slice_eq_cstr(d.name, "eth0.100"));
    assert_int_equal(d.bytes_in, 13505);
    assert_int_equal(procfs_netdev_next(&rest, &d, NULL), ERR_INVALID);
    assert_int_equal(procfs_netdev_next(&rest, &d, NULL), ERR_INVALID);
    assert_int_equal(procfs_netdev_next(&rest, &d, NULL), 0);
}

static void test_diskstats(void **state)
{
    (void)state;
    struct slice rest =
        text_of("   8  0 sda 1 2 3 4 5 6 7 8 9 10 11\n 259 0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 "
                "17 18\nx 0 sdb 1\n8 1\n8 2 sda2 one\n");
    struct procfs_disk d;
    assert_int_equal(procfs_disk_next(&rest, &d, NULL), 1);
    assert_true(slice_eq_cstr(d.name, "sda"));
    assert_int_equal(d.columns, 11);
    assert_int_equal(procfs_disk_next(&rest, &d, NULL), 1);
    assert_int_equal(d.columns, 17);
    assert_int_equal(d.values[16], 17);
    for (int i = 0; i < 3; i++)
        assert_int_equal(procfs_disk_next(&rest, &d, NULL), ERR_INVALID);
    assert_int_equal(procfs_disk_next(&rest, &d, NULL), 0);
}

static void test_mounts(void **state)
{
    (void)state;
    char text[4096];
    struct procfs_mount m;
    struct slice rest = text_of(
        "/dev/sda1 /mnt/with\\040blank\\134x ext4 rw 0 0\nproc /proc proc rw 0 0\n/dev/sdb /odd\\04 x\n"
        "/dev/sdc /nul\\000x ext4\n/dev/sdd\n");
    assert_int_equal(procfs_mount_next(&rest, &m, NULL), 1);
    assert_true(slice_eq_cstr(m.device, "/dev/sda1"));
    assert_string_equal(m.path, "/mnt/with blank\\x");
    assert_int_equal(procfs_mount_next(&rest, &m, NULL), 1);
    assert_string_equal(m.path, "/proc");
    assert_int_equal(procfs_mount_next(&rest, &m, NULL), 1);
    assert_string_equal(m.path, "/odd\\04");
    assert_int_equal(procfs_mount_next(&rest, &m, NULL), ERR_INVALID);
    assert_int_equal(procfs_mount_next(&rest, &m, NULL), ERR_INVALID);
    assert_int_equal(procfs_mount_next(&rest, &m, NULL), 0);
    memset(text, 'a', sizeof(text) - 1);
    text[0] = 'd';
    text[1] = ' ';
    text[sizeof(text) - 1] = '\0';
    rest = text_of(text); // a path that is too long
    assert_int_equal(procfs_mount_next(&rest, &m, NULL), ERR_INVALID);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loadavg), cmocka_unit_test(test_loadavg_malformed),
        cmocka_unit_test(test_stat),    cmocka_unit_test(test_meminfo),
        cmocka_unit_test(test_netdev),  cmocka_unit_test(test_diskstats),
        cmocka_unit_test(test_mounts),
    };
    return TEST_MAIN(argc, argv, tests);
}
