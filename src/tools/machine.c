// SPDX-License-Identifier: MIT
#include "tools/machine.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/strnum.h"
#include "codec/number.h"
#include "model/sensor-name.h"

#define FILE_MAX_BYTES ((size_t)16 << 20)
#define SENSORS_MAX    1024

struct reader {
    const char *root;
    struct arena *arena;
    struct buf text;
};

// The trimmed contents of a file below the root, valid until the next one is read; empty when it cannot be
// read.
static struct slice read_text(struct reader *r, const char *path)
{
    buf_clear(&r->text);
    if (file_read(arena_printf(r->arena, "%s%s", r->root, path), FILE_MAX_BYTES, &r->text, NULL) < 0)
        return SLICE_EMPTY;
    return slice_trim(buf_slice(&r->text));
}

static int64_t read_number(struct reader *r, const char *path, int64_t otherwise)
{
    int64_t number;

    return strnum_parse_i64(read_text(r, path), &number, NULL) == 0 ? number : otherwise;
}

// The value of the first line "<key>: <value>" of a text, as in /proc/cpuinfo and /proc/meminfo.
static struct slice find_line(struct slice text, const char *key)
{
    while (text.ptr) {
        struct slice line = slice_split(&text, '\n');

        if (slice_eq_cstr(slice_trim(slice_split(&line, ':')), key) && line.ptr)
            return slice_trim(line);
    }
    return SLICE_EMPTY;
}

// ---- processor --------------------------------------------------------------------------------------------

static bool has_word(struct slice words, const char *word)
{
    while (words.ptr)
        if (slice_eq_cstr(slice_split(&words, ' '), word))
            return true;
    return false;
}

// Two units for multiply and add of the vector length, the usual build of present processors; a nominal
// figure.
static unsigned flops_per_cycle(struct slice flags, struct slice features)
{
    if (has_word(flags, "avx512f"))
        return 32;
    if (has_word(flags, "avx2") && has_word(flags, "fma"))
        return 16;
    if (has_word(flags, "avx") || has_word(features, "asimd"))
        return 8;
    return 4;
}

static void read_processor(struct reader *r, struct machine *ret)
{
    struct slice text = read_text(r, "/proc/cpuinfo");

    ret->processor = arena_strdup(r->arena, find_line(text, "model name"));
    ret->flops_per_cycle = flops_per_cycle(find_line(text, "flags"), find_line(text, "Features"));
    if (number_parse_double(find_line(text, "cpu MHz"), &ret->clock_mhz, NULL) < 0)
        ret->clock_mhz = 0;
    int64_t max_khz = read_number(r, "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", 0);
    if (max_khz > 0)
        ret->clock_mhz = (double)max_khz / 1000;
}

static bool every_core_has_frequency(struct reader *r, const struct hwtopology *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const char *path = arena_printf(r->arena, "%s/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq",
                                        r->root, t->threads[i].core_first);

        if (!file_exists(path))
            return false;
    }
    return true;
}

// ---- memory and network -----------------------------------------------------------------------------------

static uint64_t kib(struct slice meminfo, const char *key)
{
    struct slice value = find_line(meminfo, key);
    uint64_t number;

    return strnum_parse_u64(slice_split(&value, ' '), &number, NULL) == 0 ? number : 0;
}

static void read_memory(struct reader *r, struct machine *ret)
{
    struct slice text = read_text(r, "/proc/meminfo");

    ret->memory_kib = kib(text, "MemTotal");
    ret->swap_kib = kib(text, "SwapTotal");
}

// The kernel's "speed" is in Mbit/s, and -1 where an interface has none
// (Documentation/ABI/testing/sysfs-class-net).
static void read_network(struct reader *r, struct machine *ret)
{
    char **names = NULL;
    size_t count = 0;

    // No such folder: no interface.
    ignore_result(file_list(arena_printf(r->arena, "%s/sys/class/net", r->root), &names, &count, NULL));
    for (size_t i = 0; i < count; i++) {
        int64_t mbit = read_number(r, arena_printf(r->arena, "/sys/class/net/%s/speed", names[i]), 0);

        if (mbit > 0 && mbit < 100000000)
            ret->network_bytes_per_s = MAX(ret->network_bytes_per_s, (uint64_t)mbit * 125000);
    }
    file_list_free(&names, count);
}

// ---- temperatures -----------------------------------------------------------------------------------------

// "<chip>/temp<n>": reads what belongs to one sensor; false when it has no name.
static bool read_sensor(struct reader *r, const char *chip_path, struct slice stem,
                        struct machine_sensor *ret)
{
    const char *base = arena_printf(r->arena, "%s/%.*s", chip_path, SLICE_FMT(stem));
    struct slice chip = arena_copy(r->arena, read_text(r, arena_printf(r->arena, "%s/name", chip_path)));
    struct slice label = arena_copy(r->arena, read_text(r, arena_printf(r->arena, "%s_label", base)));
    char metric[SENSOR_NAME_SIZE];

    if (!sensor_metric_name(chip, label, metric))
        return false;
    ret->metric = arena_printf(r->arena, "%s", metric);
    ret->max_c =
        read_number(r, arena_printf(r->arena, "%s_max", base), 0) / 1000; // files are in milli-degrees
    ret->critical_c = read_number(r, arena_printf(r->arena, "%s_crit", base), 0) / 1000;
    return true;
}

static void read_chip(struct reader *r, const char *chip, struct machine *ret)
{
    const char *path = arena_printf(r->arena, "/sys/class/hwmon/%s", chip);
    struct slice front = SLICE_LITERAL("temp"), back = SLICE_LITERAL("_input");
    char **names = NULL;
    size_t count = 0;

    // A chip without a folder has no sensors.
    ignore_result(file_list(arena_printf(r->arena, "%s%s", r->root, path), &names, &count, NULL));
    for (size_t i = 0; i < count && ret->sensor_count < SENSORS_MAX; i++) {
        struct slice name = slice_from_cstr(names[i]);

        if (!slice_starts_with(name, front) || !slice_ends_with(name, back) ||
            name.len < front.len + back.len)
            continue;
        name.len -= back.len;
        if (read_sensor(r, path, name, &ret->sensors[ret->sensor_count]))
            ret->sensor_count++;
    }
    file_list_free(&names, count);
}

static int compare_sensors(const void *a, const void *b)
{
    return strcmp(((const struct machine_sensor *)a)->metric, ((const struct machine_sensor *)b)->metric);
}

// Sensors of the same metric share a series: one of them stands for all.
static void drop_duplicates(struct machine *m)
{
    size_t kept = 0;

    qsort(m->sensors, m->sensor_count, sizeof(*m->sensors), compare_sensors);
    for (size_t i = 0; i < m->sensor_count; i++)
        if (kept == 0 || strcmp(m->sensors[kept - 1].metric, m->sensors[i].metric) != 0)
            m->sensors[kept++] = m->sensors[i];
    m->sensor_count = kept;
}

static void read_sensors(struct reader *r, struct machine *ret)
{
    char **names = NULL;
    size_t count = 0;

    ret->sensors = ARENA_ARRAY(r->arena, struct machine_sensor, SENSORS_MAX);
    // No such folder: no sensors.
    ignore_result(file_list(arena_printf(r->arena, "%s/sys/class/hwmon", r->root), &names, &count, NULL));
    for (size_t i = 0; i < count; i++)
        read_chip(r, names[i], ret);
    file_list_free(&names, count);
    drop_duplicates(ret);
}

int machine_read(const char *root, struct arena *arena, struct machine *ret, struct error *err)
{
    struct reader r = {.root = strcmp(root, "/") == 0 ? "" : root, .arena = arena};
    struct machine m = {0};
    int rc = hwtopology_read(root, arena, &m.topology, err);

    if (rc < 0)
        return rc;
    buf_init(&r.text, FILE_MAX_BYTES);
    read_processor(&r, &m);
    m.has_cpufreq = every_core_has_frequency(&r, &m.topology);
    read_memory(&r, &m);
    read_network(&r, &m);
    read_sensors(&r, &m);
    buf_release(&r.text);
    *ret = m;
    return 0;
}
