// SPDX-License-Identifier: MIT
// Each source on small captured machines: initialised on the first state of the files, read 10 s later on the second.
#include "collector/sources/sources.h"

#include <unistd.h>

#include "collector/sinks/sinks.h"
#include "collector/testing.h"

struct file {
    const char *name, *contents; // contents NULL: deleted
};

static const struct test_case {
    const char *title, *source, *options;
    struct file first[6], second[6]; // end with a name NULL
    const char *lines;               // sorted; NULL: the read fails
    const char *init_error;          // part of the message; NULL: it works
} cases[] = {
    {"loadavg",
     "loadavg",
     "{}",
     {{"proc/loadavg", "1 1 1 1/1 1\n"}},
     {{"proc/loadavg", "0.08 0.03 0.01 2/345 6789\n"}},
     "load_fifteen value=0.01\nload_five value=0.03\nload_one value=0.08\nproc_run value=2i\nproc_total "
     "value=345i\n",
     NULL},
    {"loadavg, two excluded",
     "loadavg",
     "{'exclude_metrics': ['load_one', 'proc_run', 'no']}",
     {{"proc/loadavg", "1 2 3 4/5 6\n"}},
     {{0}},
     "load_fifteen value=3\nload_five value=2\nproc_total value=5i\n",
     NULL},
    {"loadavg, no file", "loadavg", "{}", {{0}}, {{0}}, NULL, "loadavg"},
    {"loadavg, malformed later",
     "loadavg",
     "{}",
     {{"proc/loadavg", "1 2 3 4/5 6\n"}},
     {{"proc/loadavg", "x\n"}},
     NULL,
     NULL},
    {"loadavg, gone later",
     "loadavg",
     "{}",
     {{"proc/loadavg", "1 2 3 4/5 6\n"}},
     {{"proc/loadavg", NULL}},
     NULL,
     NULL},

    // collector.md 4.2, example
    {"cpustat",
     "cpustat",
     "{'exclude_metrics': ['cpu_nice', 'cpu_irq', 'cpu_softirq', 'cpu_steal', 'cpu_guest', "
     "'cpu_guest_nice']}",
     {{"proc/stat", "cpu0 1000 0 200 5000 10 0 0 0 0 0\n"}},
     {{"proc/stat", "cpu0 1400 0 250 5540 20 0 0 0 0 0\nintr 1 2\n"}},
     "cpu_idle[0] value=54\ncpu_iowait[0] value=1\ncpu_system[0] value=5\ncpu_used[0] value=46\n"
     "cpu_user[0] value=40\nnum_cpus value=1i\n",
     NULL},
    {"cpustat counts guest time once",
     "cpustat",
     "{'exclude_metrics': ['cpu_system', 'cpu_iowait', 'cpu_irq', 'cpu_softirq', 'cpu_steal', 'num_cpus']}",
     {{"proc/stat", "cpu 0 0 0 0 0 0 0 0 0 0\n"}},
     {{"proc/stat", "cpu 300 200 0 500 0 0 0 0 300 100\n"}},
     "cpu_guest value=30\ncpu_guest_nice value=10\ncpu_idle value=50\ncpu_nice value=20\ncpu_used value=50\n"
     "cpu_user value=30\n",
     NULL},
    {"cpustat, a CPU comes online and another goes",
     "cpustat",
     "{'exclude_metrics': ['cpu_user', 'cpu_nice', 'cpu_system', 'cpu_iowait', 'cpu_irq', 'cpu_softirq', "
     "'cpu_steal', 'cpu_guest', 'cpu_guest_nice']}",
     {{"proc/stat", "cpu0 0 0 0 0 0\ncpu1 0 0 0 0 0\n"}},
     {{"proc/stat", "cpu0 0 0 0 100 0\ncpu9 0 0 0 700 0\n"}},
     "cpu_idle[0] value=10\ncpu_used[0] value=0\nnum_cpus value=2i\n",
     NULL},
    {"cpustat, a column goes backwards",
     "cpustat",
     "{'exclude_metrics': ['cpu_user', 'cpu_nice', 'cpu_system', 'cpu_irq', 'cpu_softirq', 'cpu_steal', "
     "'cpu_guest', 'cpu_guest_nice', 'num_cpus']}",
     {{"proc/stat", "cpu0 0 0 0 0 500\n"}},
     {{"proc/stat", "cpu0 0 0 0 100 400\n"}},
     "cpu_idle[0] value=10\n",
     NULL},
    {"cpustat, unreadable later: nothing, not even num_cpus",
     "cpustat",
     "{}",
     {{"proc/stat", "cpu0 0 0 0 0\n"}},
     {{"proc/stat", NULL}},
     NULL,
     NULL},
    {"cpustat, empty file", "cpustat", "{}", {{"proc/stat", ""}}, {{0}}, NULL, "no line of a CPU"},

    // collector.md 4.4, example
    {"memstat",
     "memstat",
     "{'exclude_metrics': ['swap_total', 'swap_free', 'mem_sreclaimable', 'mem_slab', 'mem_active', "
     "'mem_inactive', "
     "'mem_dirty', 'mem_writeback', 'mem_anon_pages', 'mem_mapped', 'mem_pagetables', 'mem_locked', "
     "'mem_kernelstack', 'mem_vmalloc_total', 'mem_anon_hugepages', 'mem_shared_hugepages', "
     "'mem_shared_pmd_mapped', 'mem_hugepages_free', 'mem_hugepages_reserved', 'mem_hugepages_surplus', "
     "'mem_hugepages_size', 'mem_direct_mapped_4k', 'mem_direct_mapped_2m', 'mem_direct_mapped_4m']}",
     {{"proc/meminfo", "MemTotal: 16384000 kB\nMemFree: 4000000 kB\nBuffers: 100000 kB\nCached: 3000000 kB\n"
                       "Shmem: 50000 kB\nHugePages_Total: 7\n"}},
     {{0}},
     "mem_available value=0\nmem_buffers value=100000|kB\nmem_cached value=3e+06|kB\nmem_direct_mapped_1g "
     "value=0\n"
     "mem_free value=4e+06|kB\nmem_hugepages_total value=7\nmem_shared value=50000|kB\n"
     "mem_total value=1.6384e+07|kB\nmem_used value=9.234e+06|kB\n",
     NULL},
    {"memstat, all excluded but what cannot be negative",
     "memstat",
     "{'node_stats': false, 'numa_stats': true, 'exclude_metrics': ['mem_available', 'mem_buffers', "
     "'mem_cached', "
     "'swap_total', 'swap_free', 'mem_sreclaimable', 'mem_slab', 'mem_active', 'mem_inactive', 'mem_shared', "
     "'mem_dirty', 'mem_writeback', 'mem_anon_pages', 'mem_mapped', 'mem_pagetables', 'mem_locked', "
     "'mem_kernelstack', 'mem_vmalloc_total', 'mem_anon_hugepages', 'mem_shared_hugepages', "
     "'mem_shared_pmd_mapped', 'mem_hugepages_total', 'mem_hugepages_free', 'mem_hugepages_reserved', "
     "'mem_hugepages_surplus', 'mem_hugepages_size', 'mem_direct_mapped_4k', 'mem_direct_mapped_2m', "
     "'mem_direct_mapped_4m', 'mem_direct_mapped_1g']}",
     {{"sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 100 kB\nNode 0 MemFree: 40 kB\n"},
      {"sys/devices/system/node/node2/meminfo", "Node 2 MemTotal: 10 kB\nNode 2 MemFree: 40 kB\n"},
      {"sys/devices/system/node/possible", "0-2"}},
     {{0}},
     "mem_free[memoryDomain 0] value=40|kB\nmem_free[memoryDomain 2] value=40|kB\n"
     "mem_total[memoryDomain 0] value=100|kB\nmem_total[memoryDomain 2] value=10|kB\n"
     "mem_used[memoryDomain 0] value=60|kB\nmem_used[memoryDomain 2] value=0|kB\n",
     NULL},
    {"memstat, unreadable later",
     "memstat",
     "{}",
     {{"proc/meminfo", "MemTotal: 5 kB\n"}},
     {{"proc/meminfo", NULL}},
     NULL,
     NULL},
    {"memstat, not a meminfo", "memstat", "{}", {{"proc/meminfo", "Hello: 5 kB\n"}}, {{0}}, NULL, "MemTotal"},

    // collector.md 9: 1000 -> 13505 in 10 s
    {"netstat",
     "netstat",
     "{'include_devices': ['eth0', 'lo'], 'send_derived_values': true}",
     {{"proc/net/dev", "Inter-| x\n face | y\n eth0: 1000 10 0 0 0 0 0 0 2000 20 0 0 0 0 0 0\n"
                       " wlan0: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"}},
     {{"proc/net/dev", "Inter-| x\n face | y\n wlan0: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"
                       " eth0: 13505 20 0 0 0 0 0 0 1999 40 0 0 0 0 0 0\n"}},
     "net_bytes_in{eth0} value=13505i|bytes\nnet_bytes_out{eth0} value=1999i|bytes\n"
     "net_pkts_in{eth0} value=20i|packets\nnet_pkts_out{eth0} value=40i|packets\n",
     NULL},
    {"netstat, aliases",
     "netstat",
     "{'include_devices': ['mgmt'], 'interface_aliases': {'mgmt': ['eno1', 'eth7']}}",
     {{"proc/net/dev", "eth7: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n"}},
     {{0}},
     "net_bytes_in{eth7} value=1i|bytes\nnet_bytes_out{eth7} value=3i|bytes\nnet_pkts_in{eth7} "
     "value=2i|packets\n"
     "net_pkts_out{eth7} value=4i|packets\n",
     NULL},
    {"netstat, none chosen",
     "netstat",
     "{}",
     {{"proc/net/dev", "lo: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n"}},
     {{0}},
     NULL,
     "no devices"},
    {"netstat, aliases of a wrong shape",
     "netstat",
     "{'interface_aliases': {'a': 'b'}}",
     {{0}},
     {{0}},
     NULL,
     "interface_aliases"},

    // collector.md 9: column 5 from 2048 to 4096
    {"iostat",
     "iostat",
     "{'exclude_devices': ['sdb']}",
     {{"proc/diskstats", "8 0 sda 1 2 2048 4 5 6 7 8 9 10 11\n8 16 sdb 1 2 3 4 5 6 7 8 9 10 11\n"
                         "7 0 loop0 1 2 3 4 5 6 7 8 9 10 11\n"}},
     {{"proc/diskstats", "8 0 sda 2 2 4096 3 5 6 7 8 4 10 11 12 13\n8 16 sdb 1 2 3 4 5 6 7 8 9 10 11\n"}},
     "io_ioops(sda) value=-5i\nio_ioops_ms(sda) value=0i\nio_ioops_weighted_ms(sda) value=0i\n"
     "io_read_sectors(sda) value=2048i\nio_reads(sda) value=1i\nio_reads_merged(sda) value=0i\n"
     "io_writes(sda) value=0i\nio_writes_merged(sda) value=0i\nio_writes_ms(sda) value=0i\n"
     "io_writes_sectors(sda) value=0i\n",
     NULL},

    // collector.md 9: 500.1 GB with 123.4 GB free
    {"diskstat",
     "diskstat",
     "{}",
     {{"proc/self/mounts", "/dev/sda2 / ext4 rw 0 0\n/dev/sda2 /again ext4 rw 0 0\nproc /proc proc rw 0 0\n"
                           "/dev/loop1 /snap squashfs ro 0 0\n/dev/sda1 /boot/efi vfat rw 0 0\n"
                           "/dev/sdb1 /a\\040b ext4 rw 0 0\n/dev/sdc1 /missing ext4 rw 0 0\n"},
      {"statfs.json", "{\"/\": {\"bsize\": 1000, \"blocks\": 500100000, \"bfree\": 123400000},"
                      " \"/again\": {\"bsize\": 1000, \"blocks\": 500100000, \"bfree\": 1},"
                      " \"/snap\": {\"bsize\": 1000, \"blocks\": 5000000, \"bfree\": 0},"
                      " \"/boot/efi\": {\"bsize\": 1000, \"blocks\": 5000000, \"bfree\": 0},"
                      " \"/a b\": {\"bsize\": 512, \"blocks\": 100, \"bfree\": 0}}"}},
     {{0}},
     "disk_free(/dev/sda2) value=123u|GBytes\ndisk_free(/dev/sdb1) value=0u|GBytes\n"
     "disk_total(/dev/sda2) value=500u|GBytes\ndisk_total(/dev/sdb1) value=0u|GBytes\npart_max_used "
     "value=75i|percent\n",
     NULL},
    {"diskstat, everything excluded",
     "diskstat",
     "{'exclude_mounts': ['/']}",
     {{"proc/self/mounts", "/dev/sda2 / ext4 rw 0 0\n"}},
     {{0}},
     "part_max_used value=0i|percent\n",
     NULL},

    // collector.md 9: 45999 and -500 milli-degrees
    {"tempstat",
     "tempstat",
     "{'report_max_temperature': true, 'report_critical_temperature': true, 'exclude_metrics': "
     "['temp_core_9']}",
     {{"sys/class/hwmon/hwmon0/name", "coretemp\n"},
      {"sys/class/hwmon/hwmon0/temp1_label", "Core 0\n"},
      {"sys/class/hwmon/hwmon0/temp1_input", "1000\n"},
      {"sys/class/hwmon/hwmon0/temp1_max", "80000\n"},
      {"sys/class/hwmon/hwmon0/temp1_crit", "0\n"}},
     {{"sys/class/hwmon/hwmon0/temp1_input", "45999\n"}},
     "max_temp_core_0 value=80i|degC\ntemp_core_0 value=45i|degC\n",
     NULL},
    {"tempstat, below zero, a sensor without name, exact overrides",
     "tempstat",
     "{'tag_override': {'hwmon1': {'type': 'socket', 'type-id': '0'}, 'hwmon10/temp1_input': {'type': "
     "'socket', "
     "'type-id': '1'}, 'hwmon': {'type': 'x'}}}",
     {{"sys/class/hwmon/hwmon10/name", "acpitz\n"},
      {"sys/class/hwmon/hwmon10/temp1_input", "-500\n"},
      {"sys/class/hwmon/hwmon2/temp1_input", "9000\n"}},
     {{0}},
     "temp_acpitz[socket 1] value=0i|degC\n",
     NULL},
    {"tempstat, no sensors", "tempstat", "{}", {{0}}, {{0}}, NULL, "no temperature sensors found"},
    {"tempstat, override of a wrong shape",
     "tempstat",
     "{'tag_override': {'a': {'b': 1}}}",
     {{0}},
     {{0}},
     NULL,
     "tag_override"},

    {"self, nothing chosen", "self", "{}", {{0}}, {{0}}, "", NULL},
    {"unknown option", "self", "{'read_all': true}", {{0}}, {{0}}, NULL, "read_all"},
};

static void write_files(const char *root, const struct file *files)
{
    for (const struct file *f = files; f->name; f++) {
        if (f->contents) {
            testing_write(root, f->name, f->contents);
            continue;
        }
        char *path = file_join(root, f->name);
        unlink(path);
        mem_free(path);
    }
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct slice tag_of(const struct lineproto_entry *e, const char *key)
{
    for (size_t i = 0; i < e->tag_count; i++)
        if (slice_eq_cstr(e->tags[i].key, key))
            return e->tags[i].value;
    return SLICE_EMPTY;
}

// "name[type id]{interface}(device) value=...|unit", short forms for the tests' eyes.
static char *describe(const struct lineproto_entry *e)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    struct slice type = tag_of(e, "type"), id = tag_of(e, "type-id"), unit = tag_of(e, "m_unit");
    buf_append_slice(&b, e->measurement);
    if (slice_eq_cstr(type, "hwthread"))
        buf_printf(&b, "[%.*s]", SLICE_FMT(id));
    else if (!slice_eq_cstr(type, "node"))
        buf_printf(&b, "[%.*s %.*s]", SLICE_FMT(type), SLICE_FMT(id));
    if (tag_of(e, "stype-id").len)
        buf_printf(&b, "{%.*s}", SLICE_FMT(tag_of(e, "stype-id")));
    if (tag_of(e, "device").len)
        buf_printf(&b, "(%.*s)", SLICE_FMT(tag_of(e, "device")));
    struct slice rest = slice_skip(e->source, e->head.len);
    ptrdiff_t time = slice_find(slice_skip(rest, 1), SLICE_LITERAL(" "));
    buf_append(&b, rest.ptr, (size_t)time + 1);
    if (unit.len)
        buf_printf(&b, "|%.*s", SLICE_FMT(unit));
    char *text = mem_strdup(buf_cstr(&b));
    buf_release(&b);
    return text;
}

// The sink's file in short form, sorted.
static char *read_lines(const char *path)
{
    char *text = testing_read(path), **lines = NULL;
    size_t count = 0, cap = 0;
    struct lineproto_decoder *d = lineproto_decoder_new(LINEPROTO_LINE_MAX_DEFAULT);
    struct lineproto_entry *e = NEW(struct lineproto_entry);
    struct error err = ERROR_INIT;
    lineproto_decoder_reset(d, slice_from_cstr(text), true);
    int rc;
    while ((rc = lineproto_next(d, e, NULL, NULL, &err)) != 0) {
        if (rc < 0)
            fail_msg("unreadable line: %s", err.text);
        ENSURE_CAPACITY(lines, cap, count + 1);
        lines[count++] = describe(e);
    }
    if (count)
        qsort(lines, count, sizeof(*lines), compare_lines);
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&out, "%s\n", lines[i]);
        mem_free(lines[i]);
    }
    char *result = mem_strdup(buf_cstr(&out));
    buf_release(&out);
    mem_free(lines);
    mem_free(text);
    mem_free(e);
    lineproto_decoder_free(&d);
    return result;
}

struct fixture {
    char *root, *out_path;
    struct json_doc *sink_config;
    struct sink *sink;
    struct router *router;
    struct arena *arena;
};

static void fixture_init(struct fixture *f)
{
    char config[512];
    f->root = testing_make_root();
    f->out_path = file_join(f->root, "out.lp");
    f->arena = arena_new(1 << 20);
    snprintf(
        config, sizeof(config),
        "{'output_file': '%s', 'process_messages': {'move_meta_to_tag_if': [{'if': 'true', 'key': 'unit', "
        "'value': 'm_unit'}]}}",
        f->out_path);
    f->sink_config = testing_json(config);
    assert_int_equal(sink_new(&sink_stdout_ops, "out", json_root(f->sink_config), "test", &f->sink, NULL), 0);
    struct json_doc *section = testing_json("{}");
    struct router_settings settings;
    assert_int_equal(router_read_settings(json_root(section), "test", f->arena, &settings, NULL), 0);
    assert_int_equal(router_new(&settings, "n1", &f->sink, 1, &f->router, NULL), 0);
    json_doc_free(&section);
}

static void fixture_release(struct fixture *f)
{
    router_free(&f->router);
    sink_free(&f->sink);
    json_doc_free(&f->sink_config);
    arena_free(&f->arena);
    mem_free(f->out_path);
    testing_remove_root(&f->root);
}

static void drain(struct fixture *f)
{
    router_flush(f->router);
    sink_begin_drain(f->sink, 5000);
    assert_int_equal(sink_finish_drain(f->sink), SINK_DELIVERED_ALL);
}

static void check_lines(const struct test_case *c, struct fixture *f)
{
    drain(f);
    char *lines = read_lines(f->out_path);
    if (strcmp(lines, c->lines) != 0)
        fail_msg("%s: got\n%s\nnot\n%s", c->title, lines, c->lines);
    mem_free(lines);
}

static void run_case(const struct test_case *c, struct fixture *f)
{
    const struct source_ops *ops = source_kind_find(slice_from_cstr(c->source));
    struct json_doc *doc = testing_json(c->options);
    void *options = arena_alloc(f->arena, ops->options_size), *state = NULL;
    struct error err = ERROR_INIT;
    struct batch batch = {.time = wall_from_seconds(1700000000)};
    struct buf scratch;
    struct source_env env = {.root = f->root, .ops = ops, .router = f->router, .clock_ticks_per_s = 100};
    struct reading reading = {.mono = {.ns = 50 * NS_PER_S}, .wall = batch.time, .scratch = &scratch};
    buf_init(&scratch, 1 << 20);
    write_files(f->root, c->first);
    int rc = settings_decode(ops->settings, json_root(doc), "test", SETTINGS_STRICT, f->arena, options, &err);
    if (rc == 0)
        rc = ops->init(options, &env, &reading, &state, &err);
    if ((rc < 0) != (c->init_error != NULL))
        fail_msg("%s: init gave %d (%s)", c->title, rc, err.text);
    if (rc < 0 && !slice_contains(slice_from_cstr(err.text), slice_from_cstr(c->init_error)))
        fail_msg("%s: init says '%s'", c->title, err.text);
    if (rc == 0) {
        write_files(f->root, c->second);
        reading.mono.ns += 10 * NS_PER_S;
        reading.batch = &batch;
        rc = ops->read(state, &reading, &err);
        if ((rc < 0) != (c->lines == NULL))
            fail_msg("%s: read gave %d (%s)", c->title, rc, err.text);
        if (rc == 0) {
            router_deliver(f->router, &batch, batch.time);
            check_lines(c, f);
        }
        ops->close(state);
    }
    buf_release(&scratch);
    mem_free(batch.items);
    json_doc_free(&doc);
}

static void test_sources(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        fixture_init(&f);
        run_case(&cases[i], &f);
        fixture_release(&f);
    }
}

// Runs a source on a captured tree and gives the number of lines of one read.
static size_t count_on_tree(const char *tree, const char *key, const char *pattern)
{
    struct fixture f;
    char root[512];
    const struct source_ops *ops = source_kind_find(slice_from_cstr(key));
    struct error err = ERROR_INIT;
    void *state = NULL, *options;
    struct batch batch = {.time = wall_from_seconds(1)};
    struct buf scratch;
    fixture_init(&f);
    snprintf(root, sizeof(root), "%s/trees/%s", TEST_RECORDED, tree);
    options = arena_alloc(f.arena, ops->options_size);
    struct source_env env = {.root = root, .ops = ops, .router = f.router, .clock_ticks_per_s = 100};
    struct reading reading = {.scratch = &scratch};
    buf_init(&scratch, 1 << 20);
    if (ops->init(options, &env, &reading, &state, &err) < 0)
        fail_msg("%s on %s: %s", key, tree, err.text);
    reading.batch = &batch;
    assert_int_equal(ops->read(state, &reading, &err), 0);
    router_deliver(f.router, &batch, batch.time);
    drain(&f);
    char *text = testing_read(f.out_path);
    size_t count = 0;
    for (const char *p = text; (p = strstr(p, pattern)); p++)
        count++;
    mem_free(text);
    ops->close(state);
    buf_release(&scratch);
    mem_free(batch.items);
    fixture_release(&f);
    return count;
}

// collector.md 3 and 4.10: one value per core, cores of two sockets are distinct, offline CPUs are left out, kHz.
static void test_cpufreq_on_trees(void **state)
{
    (void)state;
    static const struct {
        const char *tree;
        size_t cores;
    } trees[] = {{"server2s", 8}, {"hybrid", 8}};
    for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
        size_t n = count_on_tree(trees[i].tree, "cpufreq", "cpufreq,");
        if (n != trees[i].cores)
            fail_msg("%s: %zu cores, not %zu", trees[i].tree, n, trees[i].cores);
        assert_int_equal(count_on_tree(trees[i].tree, "cpufreq", "m_unit=kHz"), n);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_cpufreq_on_trees),
    };
    return TEST_MAIN(argc, argv, tests);
}
