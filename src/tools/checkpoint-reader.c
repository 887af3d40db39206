// SPDX-License-Identifier: MIT
// binaryCheckpointReader FILE.wal|FILE.bin: what a log or a snapshot of a host holds, as text in FILE.txt, byte for byte as
// upstream's tool of this name writes it (metric-store.md 9).
//
// It walks snapshots on its own instead of through checkpoint_parse: a damaged file, or one that our loader refuses, is to be
// shown up to the byte where it breaks.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "codec/number.h"
#include "store/checkpoint.h"
#include "store/host-wal.h"

#define MAX_FILE_BYTES  ((size_t)64 << 30)
#define READ_STEP_BYTES ((size_t)1 << 20)
#define SPILL_BYTES     ((size_t)64 << 10) // output is written in pieces of about this size
#define MAX_DEPTH       32                 // upstream has no limit (MS-36)
#define VALUES_A_ROW    10
#define TIME_SIZE       48

#define ERA_DAYS            UINT64_C(146097) // 400 years
#define CALENDAR_BEGIN_ERAS UINT64_C(730692556)
// From the begin of the calendar to 1970-01-01, which is 719468 days after 0000-03-01.
#define CALENDAR_BEGIN_S ((CALENDAR_BEGIN_ERAS * ERA_DAYS + 719468) * 86400)

struct dump {
    const char *path; // of the input, as given
    struct slice in;
    size_t at;
    struct buf out;
    int fd;
    int write_errno; // of the first write that failed; nothing is written after it
};

// ---- output -----------------------------------------------------------------------------------------------

static void spill(struct dump *d)
{
    struct error err = ERROR_INIT;
    errno = 0;
    if (!d->write_errno && io_write_all(&io_system, d->fd, buf_slice(&d->out), "output", &err) < 0)
        d->write_errno = errno ? errno : EIO;
    if (buf_failed(&d->out) && !d->write_errno)
        d->write_errno = ENOMEM;
    buf_clear(&d->out);
}

static void spill_when_full(struct dump *d)
{
    if (d->out.len >= SPILL_BYTES)
        spill(d);
}

// Gregorian date for every second: libc stops at years beyond int. Counts from the first of March of a year that is far enough back
// and a multiple of 400: leap days then end years, and nothing is negative. Upstream counts from there too, so that even
// the seconds below (the first 258 years of int64) come out as the same odd dates.
static char *format_time(int64_t seconds, char *text)
{
    uint64_t since = (uint64_t)seconds + CALENDAR_BEGIN_S, of_day = since % 86400, days = since / 86400;
    uint64_t era = days / ERA_DAYS, day = days % ERA_DAYS;
    uint64_t of_era = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint64_t of_year = day - (365 * of_era + of_era / 4 - of_era / 100), month = (5 * of_year + 2) / 153;
    int64_t year = (int64_t)(era * 400 + of_era) - (int64_t)CALENDAR_BEGIN_ERAS * 400 + (month >= 10);
    snprintf(text, TIME_SIZE, "%s%04" PRId64 "-%02d-%02dT%02d:%02d:%02dZ", year < 0 ? "-" : "",
             year < 0 ? -year : year, (int)(month < 10 ? month + 3 : month - 9),
             (int)(of_year - (153 * month + 2) / 5 + 1), (int)(of_day / 3600), (int)(of_day / 60 % 60),
             (int)(of_day % 60));
    return text;
}

static void put_time(struct dump *d, int64_t seconds)
{
    char text[TIME_SIZE];
    buf_printf(&d->out, "%" PRId64 " (%s)\n", seconds, format_time(seconds, text));
}

static void put_value(struct dump *d, float v)
{
    char *text = buf_reserve(&d->out, NUMBER_TEXT_SIZE);
    if (text)
        buf_commit(&d->out, number_format_f32_text(v, text));
}

// ---- logs -------------------------------------------------------------------------------------------------

static void put_selectors(struct dump *d, const struct host_wal_record *record)
{
    struct slice rest = record->all_selectors;
    buf_append_cstr(&d->out, "  Selectors:   ");
    if (record->selector_count == 0) {
        buf_append_cstr(&d->out, "(none)\n");
        return;
    }
    for (size_t i = 0; i < record->selector_count; i++) {
        size_t len = (unsigned char)rest.ptr[0];
        buf_append_cstr(&d->out, i ? ", " : "[");
        buf_append_slice(&d->out, slice_of(rest.ptr + 1, len));
        rest = slice_skip(rest, 1 + len);
    }
    buf_append_cstr(&d->out, "]\n");
}

static void put_record(struct dump *d, uint64_t number, const struct host_wal_record *record)
{
    buf_printf(&d->out, "--- Record #%" PRIu64 " ---\n  Timestamp:   ", number);
    put_time(d, record->ts);
    buf_append_cstr(&d->out, "  Metric:      ");
    buf_append_slice(&d->out, record->metric);
    buf_append_byte(&d->out, '\n');
    put_selectors(d, record);
    buf_append_cstr(&d->out, "  Value:       ");
    put_value(d, record->value);
    buf_append_cstr(&d->out, "\n\n");
}

static int dump_wal(struct dump *d, struct error *err)
{
    struct host_wal_reader reader;
    struct host_wal_record record;
    struct error why = ERROR_INIT;
    if (d->in.len == 0) {
        buf_append_cstr(&d->out, "WAL file is empty (0 bytes).\n");
        return 0;
    }
    host_wal_reader_init(&reader, d->in);
    int rc = host_wal_next(&reader, &record, &why);
    if (!reader.started)
        return error_set(err, why.code, "%s", why.text);
    buf_printf(&d->out, "=== WAL File Dump ===\nFile:        %s\nFile Magic:  0x%08X (valid)\n\n", d->path,
               HOST_WAL_MAGIC);
    for (; rc == 1; rc = host_wal_next(&reader, &record, &why)) {
        put_record(d, reader.records, &record);
        spill_when_full(d);
    }
    if (rc < 0)
        buf_printf(&d->out,
                   "--- Record #%" PRIu64 ": ERROR ---\n  Error: %s\n"
                   "  (stopping replay — likely truncated trailing record)\n\n",
                   reader.records + 1, why.text);
    buf_printf(&d->out, "=== Total valid records: %" PRIu64 " ===\n", reader.records);
    return 0;
}

// ---- snapshots --------------------------------------------------------------------------------------------

static int take_bytes(struct dump *d, size_t len, struct slice *ret, struct error *err)
{
    size_t left = d->in.len - d->at;
    if (left < len)
        return error_set(err, ERR_CORRUPT, "%s", left ? "unexpected EOF" : "EOF");
    *ret = slice_of(d->in.ptr + d->at, len);
    d->at += len;
    return 0;
}

static int take(struct dump *d, size_t width, uint64_t *ret, struct error *err)
{
    struct slice bytes = SLICE_EMPTY;
    int rc = take_bytes(d, width, &bytes, err);
    *ret = 0;
    if (rc == 0)
        memcpy(ret, bytes.ptr, width);
    return rc;
}

static int take_name(struct dump *d, struct slice *ret, struct error *err)
{
    uint64_t len = 0;
    int rc = take(d, 2, &len, err);
    return rc ? rc : take_bytes(d, (size_t)len, ret, err);
}

static void put_name(struct dump *d, int indent, struct slice name)
{
    buf_append_fill(&d->out, ' ', (size_t)indent);
    buf_append_cstr(&d->out, "  [");
    buf_append_slice(&d->out, name);
    buf_append_cstr(&d->out, "]\n");
}

static int dump_values(struct dump *d, int indent, uint64_t start, uint64_t frequency, uint64_t count,
                       struct error *err)
{
    char text[TIME_SIZE];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        float v;
        int rc = take(d, sizeof(v), &bits, err);
        if (rc)
            return error_prefix(err, "read value[%" PRIu64 "]", i);
        memcpy(&v, &bits, sizeof(v));
        if (i % VALUES_A_ROW == 0) {
            spill_when_full(d);
            format_time((int64_t)(start + i * frequency), text); // wraps around, as upstream
            buf_printf(&d->out, "%s%*s      [%.8s] ", i ? "\n" : "", indent, "", strchr(text, 'T') + 1);
        }
        put_value(d, v);
        buf_append_byte(&d->out, ' ');
    }
    buf_append_byte(&d->out, '\n');
    return 0;
}

static int dump_metric(struct dump *d, int indent, struct slice name, struct error *err)
{
    uint64_t frequency = 0, start = 0, count = 0;
    int rc = take(d, 8, &frequency, err);
    if (rc)
        return error_prefix(err, "read frequency");
    rc = take(d, 8, &start, err);
    if (rc)
        return error_prefix(err, "read start");
    rc = take(d, 4, &count, err);
    if (rc)
        return error_prefix(err, "read num_values");
    put_name(d, indent, name);
    buf_printf(&d->out, "%*s    Frequency:  %" PRId64 " s\n", indent, "", (int64_t)frequency);
    buf_printf(&d->out, "%*s    Start:      ", indent, "");
    put_time(d, (int64_t)start);
    buf_printf(&d->out, "%*s    Values (%" PRIu64 "):%s\n", indent, "", count, count ? "" : " (none)");
    return count ? dump_values(d, indent, start, frequency, count, err) : 0;
}

// "read value[3]: EOF" becomes "read value[3] for NAME: EOF".
static int name_metric(struct slice name, struct error *err)
{
    char reason[ERROR_TEXT_SIZE];
    memcpy(reason, err->text, sizeof(reason));
    char *colon = strchr(reason, ':');
    return error_set(err, err->code, "%.*s for %.*s%s", colon ? (int)(colon - reason) : 0, reason,
                     (int)MIN(name.len, (size_t)256), name.ptr, colon ? colon : reason);
}

static int dump_metrics(struct dump *d, int indent, struct error *err)
{
    uint64_t count = 0;
    int rc = take(d, 4, &count, err);
    if (rc)
        return error_prefix(err, "read num_metrics");
    if (count)
        buf_printf(&d->out, "%*sMetrics (%" PRIu64 "):\n", indent, "", count);
    for (uint64_t i = 0; i < count; i++) {
        struct slice name = SLICE_EMPTY;
        if (take_name(d, &name, err) < 0)
            return error_prefix(err, "read metric name [%" PRIu64 "]", i);
        if (dump_metric(d, indent, name, err) < 0)
            return name_metric(name, err);
        spill_when_full(d);
    }
    return 0;
}

static int dump_level(struct dump *d, int depth, struct error *err)
{
    uint64_t count = 0;
    int indent = 4 * depth, rc = dump_metrics(d, indent, err);
    if (rc)
        return rc;
    if (take(d, 4, &count, err) < 0)
        return error_prefix(err, "read num_children");
    if (count && depth == MAX_DEPTH)
        return error_set(err, ERR_CORRUPT, "more than %d nested levels", MAX_DEPTH);
    if (count)
        buf_printf(&d->out, "%*sChildren (%" PRIu64 "):\n", indent, "", count);
    for (uint64_t i = 0; i < count; i++) {
        struct slice name = SLICE_EMPTY;
        if (take_name(d, &name, err) < 0)
            return error_prefix(err, "read child name [%" PRIu64 "]", i);
        put_name(d, indent, name);
        if (dump_level(d, depth + 1, err) < 0)
            return error_prefix(err, "read child %.*s", (int)MIN(name.len, (size_t)256), name.ptr);
        spill_when_full(d);
    }
    return 0;
}

static int dump_snapshot(struct dump *d, struct error *err)
{
    uint64_t magic = 0, from = 0, to = 0;
    bool has_checksum = false;
    if (take(d, 4, &magic, err) < 0)
        return error_prefix(err, "read magic");
    if (magic != CHECKPOINT_MAGIC)
        return error_set(err, ERR_CORRUPT, "invalid snapshot magic 0x%08X (expected 0x%08X)", (unsigned)magic,
                         CHECKPOINT_MAGIC);
    if (take(d, 8, &from, err) < 0)
        return error_prefix(err, "read from");
    if (take(d, 8, &to, err) < 0)
        return error_prefix(err, "read to");
    buf_printf(&d->out,
               "=== Binary Snapshot Dump ===\nFile:    %s\nMagic:   0x%08X (valid)\nFrom:    ", d->path,
               CHECKPOINT_MAGIC);
    put_time(d, (int64_t)from);
    buf_append_cstr(&d->out, "To:      ");
    put_time(d, (int64_t)to);
    buf_append_byte(&d->out, '\n');
    int rc = dump_level(d, 0, err);
    return rc ? rc : checkpoint_check_checksum(d->in, d->at, &has_checksum, err);
}

// ---- files ------------------------------------------------------------------------------------------------

// Texts of the system as upstream shows them: they begin with a small letter.
static const char *reason(int code, char *text, size_t size)
{
    snprintf(text, size, "%s", strerror(code));
    if (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
        text[0] = (char)(text[0] | 0x20);
    return text;
}

static int complain(const char *what, const char *path, const char *call, int code)
{
    char text[128];
    fprintf(stderr, "Error %s %s: %s %s: %s\n", what, path, call, path, reason(code, text, sizeof(text)));
    return 1;
}

static int read_input(int fd, struct buf *in)
{
    for (;;) {
        char *space = buf_reserve(in, MAX(READ_STEP_BYTES, in->len / 2));
        if (!space)
            return ENOMEM;
        ssize_t n = read(fd, space, MAX(READ_STEP_BYTES, in->len / 2));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        buf_commit(in, (size_t)n);
    }
}

// Dumps from one open file into the other. The exit code.
static int convert(int in_fd, int out_fd, const char *path, const char *out_path, bool is_log)
{
    struct dump d = {.path = path, .fd = out_fd};
    struct buf in;
    struct error err = ERROR_INIT;
    char text[128];
    buf_init(&in, MAX_FILE_BYTES);
    buf_init(&d.out, MAX_FILE_BYTES);
    int read_errno = read_input(in_fd, &in);
    d.in = buf_slice(&in);
    int rc = read_errno ? error_set(&err, ERR_IO, "read %s: read %s: %s", is_log ? "file header" : "magic",
                                    path, reason(read_errno, text, sizeof(text)))
             : is_log   ? dump_wal(&d, &err)
                        : dump_snapshot(&d, &err);
    spill(&d);
    if (close(out_fd) < 0 && !d.write_errno)
        d.write_errno = errno;
    if (rc)
        fprintf(stderr, "Error reading %s: %s\n", path, err.text);
    if (d.write_errno)
        complain("writing", out_path, "write", d.write_errno);
    buf_release(&d.out);
    buf_release(&in);
    return rc || d.write_errno ? 1 : 0;
}

static int dump_file(const char *path, struct slice stem, bool is_log)
{
    int in_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (in_fd < 0)
        return complain("opening", path, "open", errno);
    struct buf out_path;
    buf_init(&out_path, BUF_MAX_DEFAULT);
    buf_printf(&out_path, "%.*s.txt", SLICE_FMT(stem));
    const char *name = buf_cstr(&out_path);
    int out_fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int rc = out_fd < 0 ? complain("creating output", name, "open", errno)
                        : convert(in_fd, out_fd, path, name, is_log);
    if (rc == 0)
        printf("Output written to %s\n", name);
    buf_release(&out_path);
    close(in_fd);
    return rc;
}

// From the last point of the last part of the path; empty when there is none.
static struct slice extension_of(struct slice path)
{
    for (size_t i = path.len; i > 0 && path.ptr[i - 1] != '/'; i--) {
        if (path.ptr[i - 1] == '.')
            return slice_skip(path, i - 1);
    }
    return SLICE_EMPTY;
}

static void complain_about_extension(struct slice extension)
{
    fputs("Error: file must have .wal or .bin extension, got \"", stderr);
    for (size_t i = 0; i < extension.len; i++) {
        unsigned char c = (unsigned char)extension.ptr[i];
        c = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
        if (c < ' ' || c == 0x7f)
            fprintf(stderr, "\\x%02x", c);
        else
            fprintf(stderr, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    fputs("\"\n", stderr);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "Usage: %s <file.wal|file.bin>\n", argv[0]);
        return 1;
    }
    struct slice path = slice_from_cstr(argv[1]), extension = extension_of(path);
    bool is_log = slice_eq_ignore_case(extension, SLICE_LITERAL(".wal"));
    if (!is_log && !slice_eq_ignore_case(extension, SLICE_LITERAL(".bin"))) {
        complain_about_extension(extension);
        return 1;
    }
    int rc = dump_file(argv[1], slice_of(path.ptr, path.len - extension.len), is_log);
    return fflush(stdout) == 0 ? rc : 1;
}
