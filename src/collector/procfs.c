// SPDX-License-Identifier: MIT
#include "collector/procfs.h"

#include "base/strnum.h"
#include "codec/number.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

// The next line that is not empty, without its end; false at the end of the text.
static bool next_line(struct slice *rest, struct slice *ret)
{
    while (rest->ptr) {
        struct slice line = slice_trim(slice_split(rest, '\n'));
        if (line.len) {
            *ret = line;
            return true;
        }
    }
    return false;
}

// The next word of a line, empty at its end.
static struct slice next_word(struct slice *line)
{
    size_t start = 0;
    while (start < line->len && is_blank(line->ptr[start]))
        start++;
    size_t end = start;
    while (end < line->len && !is_blank(line->ptr[end]))
        end++;
    struct slice word = slice_of(line->ptr + start, end - start);
    *line = slice_skip(*line, end);
    return word;
}

static int malformed(struct error *err, const char *what, struct slice line)
{
    return error_set(err, ERR_INVALID, "%s: malformed line '%.*s'", what, (int)MIN(line.len, (size_t)80),
                     line.ptr);
}

// Up to 'max' numbers from the rest of a line; false when a word is no number.
static bool read_numbers(struct slice line, uint64_t *values, unsigned max, unsigned *ret_count)
{
    unsigned count = 0;
    for (struct slice word = next_word(&line); word.len && count < max; word = next_word(&line))
        if (strnum_parse_u64(word, &values[count++], NULL) < 0)
            return false;
    *ret_count = count;
    return true;
}

int procfs_loadavg_parse(struct slice text, struct procfs_loadavg *ret, struct error *err)
{
    struct procfs_loadavg load;
    struct slice line, rest = text;
    if (!next_line(&rest, &line))
        return error_set(err, ERR_INVALID, "loadavg: empty");
    struct slice words = line;
    for (size_t i = 0; i < 3; i++)
        if (number_parse_double(next_word(&words), &load.load[i], NULL) < 0)
            return malformed(err, "loadavg", line);
    struct slice total = next_word(&words);
    struct slice running = slice_split(&total, '/');
    if (!total.ptr || strnum_parse_i64(running, &load.running, NULL) < 0 ||
        strnum_parse_i64(total, &load.total, NULL) < 0)
        return malformed(err, "loadavg", line);
    *ret = load;
    return 0;
}

int procfs_cpu_next(struct slice *rest, struct procfs_cpu *ret, struct error *err)
{
    struct slice line;
    while (next_line(rest, &line)) {
        struct slice words = line;
        struct slice name = next_word(&words);
        if (!slice_starts_with(name, SLICE_LITERAL("cpu")))
            continue;
        struct procfs_cpu cpu = {.id = PROCFS_CPU_TOTAL};
        uint64_t id;
        if (name.len > 3) {
            if (strnum_parse_u64(slice_skip(name, 3), &id, NULL) < 0 || id > PROCFS_CPU_MAX)
                return malformed(err, "stat", line);
            cpu.id = (int)id;
        }
        if (!read_numbers(words, cpu.ticks, PROCFS_CPU_COLUMNS, &cpu.columns) || cpu.columns < 4)
            return malformed(err, "stat", line);
        *ret = cpu;
        return 1;
    }
    return 0;
}

int procfs_meminfo_next(struct slice *rest, struct procfs_meminfo *ret, struct error *err)
{
    struct slice line;
    if (!next_line(rest, &line))
        return 0;
    struct slice words = line;
    struct slice key = next_word(&words);
    if (slice_eq_cstr(key, "Node")) {
        next_word(&words); // its number, which the path tells as well
        key = next_word(&words);
    }
    struct procfs_meminfo entry;
    if (key.len < 2 || key.ptr[key.len - 1] != ':' ||
        strnum_parse_u64(next_word(&words), &entry.value, NULL) < 0)
        return malformed(err, "meminfo", line);
    entry.key = slice_of(key.ptr, key.len - 1);
    entry.unit = next_word(&words);
    *ret = entry;
    return 1;
}

int procfs_netdev_next(struct slice *rest, struct procfs_netdev *ret, struct error *err)
{
    enum { BYTES_IN = 0, PACKETS_IN = 1, BYTES_OUT = 8, PACKETS_OUT = 9, COLUMNS = 10 };
    struct slice line;
    while (next_line(rest, &line)) {
        if (slice_find_byte(line, '|') >= 0)
            continue; // the two head lines
        struct slice words = line;
        struct slice name = slice_trim(slice_split(&words, ':'));
        uint64_t values[COLUMNS];
        unsigned count;
        if (!words.ptr || name.len == 0 || !read_numbers(words, values, COLUMNS, &count) || count < COLUMNS)
            return malformed(err, "net/dev", line);
        *ret = (struct procfs_netdev){.name = name,
                                      .bytes_in = values[BYTES_IN],
                                      .packets_in = values[PACKETS_IN],
                                      .bytes_out = values[BYTES_OUT],
                                      .packets_out = values[PACKETS_OUT]};
        return 1;
    }
    return 0;
}

int procfs_disk_next(struct slice *rest, struct procfs_disk *ret, struct error *err)
{
    struct slice line;
    if (!next_line(rest, &line))
        return 0;
    struct slice words = line;
    uint64_t number;
    struct procfs_disk disk;
    if (strnum_parse_u64(next_word(&words), &number, NULL) < 0 ||
        strnum_parse_u64(next_word(&words), &number, NULL) < 0)
        return malformed(err, "diskstats", line);
    disk.name = next_word(&words);
    if (disk.name.len == 0 || !read_numbers(words, disk.values, PROCFS_DISK_COLUMNS, &disk.columns))
        return malformed(err, "diskstats", line);
    *ret = disk;
    return 1;
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

// Blanks and the like in paths are written as \ooo.
static bool decode_path(struct slice text, char *path, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\' && i + 3 < text.len && is_octal(text.ptr[i + 1]) && is_octal(text.ptr[i + 2]) &&
            is_octal(text.ptr[i + 3])) {
            c = (char)((text.ptr[i + 1] - '0') * 64 + (text.ptr[i + 2] - '0') * 8 + (text.ptr[i + 3] - '0'));
            i += 3;
        }
        if (c == '\0' || len + 1 >= size)
            return false;
        path[len++] = c;
    }
    path[len] = '\0';
    return len > 0;
}

int procfs_mount_next(struct slice *rest, struct procfs_mount *ret, struct error *err)
{
    struct slice line;
    if (!next_line(rest, &line))
        return 0;
    struct slice words = line;
    ret->device = next_word(&words);
    if (!decode_path(next_word(&words), ret->path, sizeof(ret->path)))
        return malformed(err, "mounts", line);
    return 1;
}
