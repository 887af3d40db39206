// SPDX-License-Identifier: MIT
// Hosts into snapshots (metric-store.md 7.2, 7.4). Under the host's lock is only noted what is dirty, as for a query; decoding and
// writing happen without it.
//
// The time axis of a host is cut into ranges: those of the snapshots that are there, and the gaps between and behind them. What is
// dirty usually lies behind the last one and gives one new file. Late samples fall into ranges of older files: those are read,
// overlaid and replaced, so that nothing depends on what memory still has (MS-33). Snapshots of a host never overlap, which is what
// upstream's loader needs.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "store/host-wal.h"
#include "store/persist-private.h"

#define GAP_S      INT64_C(86400)       // a longer stretch without any sample begins another file
#define MAX_SPAN_S (7 * INT64_C(86400)) // of one file
#define ALL_TIME   (INT64_C(1) << 60)

// Bins of one segment of one series.
struct unit {
    const struct metric *metric;
    uint32_t level;
    int64_t first; // time of the first bin
    struct series_plan plan;
};

struct level_name {
    struct slice name;
    uint32_t parent;
};

// What is to be written of a host, noted under its lock.
struct picture {
    struct arena *arena;
    struct unit *units;
    size_t count, cap;
    struct level_name *levels;
    uint32_t level_count;
};

struct range {
    int64_t from, to;
    const struct snapshot_file *file; // NULL: a gap
    bool last;                        // behind all files
};

struct job {
    struct persist *p;
    struct host *host;
    char *path;
    struct snapshot_list list;
    int64_t now_s, last_snapshot_s, data_end;
    uint64_t bytes;
};

// ---- the picture ------------------------------------------------------------------------------------------

static void add_unit(struct picture *picture, struct unit unit)
{
    if (unit.plan.count == 0)
        return;
    ENSURE_CAPACITY(picture->units, picture->cap, picture->count + 1);
    picture->units[picture->count++] = unit;
}

static void add_series(struct picture *picture, const struct metric *metric, const struct series *series,
                       int64_t from)
{
    struct segment segment;
    int64_t f = metric->frequency_s;
    for (size_t i = 0; series_next_segment(series, &i, &segment);) {
        int64_t first = segment_first_time(&segment, f), end = first + (int64_t)segment.len * f;
        if (end <= from)
            continue;
        if (first < from)
            first += (from - first + f - 1) / f * f;
        struct unit unit = {.metric = metric, .level = series->level, .first = first};
        series_plan(series, f, first, end, picture->arena, &unit.plan);
        add_unit(picture, unit);
    }
}

static void add_levels(struct picture *picture, const struct store *store, const struct host *host)
{
    picture->level_count = host->level_count;
    picture->levels = ARENA_ARRAY(picture->arena, struct level_name, host->level_count);
    for (uint32_t i = 1; i < host->level_count; i++)
        picture->levels[i] = (struct level_name){.name = intern_text(store->names, host->levels[i].name),
                                                 .parent = host->levels[i].parent};
}

static int compare_units(const void *a, const void *b)
{
    const struct unit *x = a, *y = b;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    int order = slice_cmp(x->metric->name, y->metric->name);
    if (order)
        return order;
    return x->first < y->first ? -1 : x->first > y->first;
}

// All bins of the host from this time on. Its lock is held, or nobody else knows it.
static void picture_take(struct picture *picture, struct persist *p, const struct host *host, int64_t from)
{
    *picture = (struct picture){.arena = arena_new(PERSIST_ARENA_BYTES)};
    for (size_t g = 0; g < host->group_count; g++) {
        const struct group *group = &host->groups[g];
        for (size_t m = 0; m < group->count; m++)
            add_series(picture, group->metric, &group->members[m], from);
    }
    add_levels(picture, p->store, host);
}

static void picture_sort(struct picture *picture)
{
    if (picture->count > 1)
        qsort(picture->units, picture->count, sizeof(*picture->units), compare_units);
}

static void picture_release(struct picture *picture)
{
    mem_free(picture->units);
    arena_free(&picture->arena);
}

static int64_t unit_end(const struct unit *unit) // behind its last bin's time
{
    return unit->first + (int64_t)(unit->plan.count - 1) * unit->metric->frequency_s + 1;
}

// First and last time of bins within [from, to); false: none.
static bool unit_within(const struct unit *unit, int64_t from, int64_t to, size_t *ret_first,
                        size_t *ret_count)
{
    int64_t f = unit->metric->frequency_s;
    int64_t skip = from <= unit->first
                       ? 0
                       : (int64_t)(((uint64_t)from - (uint64_t)unit->first + (uint64_t)f - 1) / (uint64_t)f);
    int64_t end = to <= unit->first
                      ? 0
                      : (int64_t)(((uint64_t)to - (uint64_t)unit->first + (uint64_t)f - 1) / (uint64_t)f);
    end = MIN(end, (int64_t)unit->plan.count);
    if (skip >= end)
        return false;
    *ret_first = (size_t)skip;
    *ret_count = (size_t)(end - skip);
    return true;
}

static bool picture_span(const struct picture *picture, int64_t from, int64_t to, int64_t *ret_first,
                         int64_t *ret_end)
{
    bool any = false;
    *ret_first = INT64_MAX;
    *ret_end = INT64_MIN;
    for (size_t i = 0; i < picture->count; i++) {
        const struct unit *unit = &picture->units[i];
        size_t first, count;
        if (!unit_within(unit, from, to, &first, &count))
            continue;
        int64_t time = unit->first + (int64_t)first * unit->metric->frequency_s;
        *ret_first = MIN(*ret_first, time);
        *ret_end = MAX(*ret_end, time + (int64_t)(count - 1) * unit->metric->frequency_s + 1);
        any = true;
    }
    return any;
}

// ---- the tree of a file -----------------------------------------------------------------------------------

static void place_values(const struct unit *unit, size_t first, size_t count, int64_t start, size_t total,
                         double *out)
{
    double values[SEGMENT_BINS];
    int64_t f = unit->metric->frequency_s, left = start - f / 2;
    series_decode(&unit->plan, first + count, values);
    for (size_t i = first; i < first + count; i++) {
        if (isnan(values[i]))
            continue;
        size_t slot = (size_t)((unit->first + (int64_t)i * f - left) / f);
        if (!isnan(out[slot]) && slot + 1 < total &&
            isnan(out[slot + 1])) // grids that differ by less than one interval
            slot++;
        out[slot] = values[i];
    }
}

// Units [begin, end) are those of one series.
static bool fill_metric(const struct picture *picture, size_t begin, size_t end, const struct range *range,
                        struct arena *arena, struct checkpoint_metric *ret)
{
    int64_t f = picture->units[begin].metric->frequency_s, start = INT64_MAX, last = INT64_MIN;
    size_t first, count;
    for (size_t i = begin; i < end; i++) {
        const struct unit *unit = &picture->units[i];
        if (!unit_within(unit, range->from, range->to, &first, &count))
            continue;
        start = MIN(start, unit->first + (int64_t)first * f);
        last = MAX(last, unit->first + (int64_t)(first + count - 1) * f);
    }
    if (start > last)
        return false;
    size_t total = (size_t)((last - start + f / 2) / f) + 1;
    double *values = arena_alloc_array(arena, total, sizeof(*values));
    for (size_t i = 0; i < total; i++)
        values[i] = NAN;
    for (size_t i = begin; i < end; i++) {
        if (unit_within(&picture->units[i], range->from, range->to, &first, &count))
            place_values(&picture->units[i], first, count, start, total, values);
    }
    *ret = (struct checkpoint_metric){.name = picture->units[begin].metric->name,
                                      .frequency_s = f,
                                      .start = start,
                                      .values = {.count = total, .f64 = values}};
    return true;
}

static size_t series_units_end(const struct picture *picture, size_t begin)
{
    size_t end = begin + 1;
    while (end < picture->count && picture->units[end].level == picture->units[begin].level &&
           picture->units[end].metric == picture->units[begin].metric)
        end++;
    return end;
}

// Where the units of this level or a later one begin.
static size_t find_level_units(const struct picture *picture, uint32_t level)
{
    size_t low = 0, high = picture->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (picture->units[middle].level < level)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void fill_level_metrics(const struct picture *picture, uint32_t level, const struct range *range,
                               struct arena *arena, struct checkpoint_level *ret)
{
    size_t first = find_level_units(picture, level), behind = find_level_units(picture, level + 1);
    ret->metrics = ARENA_ARRAY(arena, struct checkpoint_metric, behind - first);
    for (size_t i = first, end; i < behind; i = end) {
        end = series_units_end(picture, i);
        ret->metric_count += fill_metric(picture, i, end, range, arena, &ret->metrics[ret->metric_count]);
    }
}

// Levels without data of their own or below are left out. Depth is that of the host's levels: two.
static bool fill_level(const struct picture *picture, uint32_t level, const struct range *range,
                       struct arena *arena, struct checkpoint_level *ret)
{
    *ret = (struct checkpoint_level){.name = level == LEVEL_HOST ? SLICE_EMPTY : picture->levels[level].name};
    fill_level_metrics(picture, level, range, arena, ret);
    size_t children = 0;
    for (uint32_t i = 1; i < picture->level_count; i++)
        children += picture->levels[i].parent == level;
    ret->children = ARENA_ARRAY(arena, struct checkpoint_level, children);
    for (uint32_t i = 1; i < picture->level_count; i++) {
        if (picture->levels[i].parent == level)
            ret->child_count += fill_level(picture, i, range, arena, &ret->children[ret->child_count]);
    }
    return ret->metric_count > 0 || ret->child_count > 0;
}

// ---- files ------------------------------------------------------------------------------------------------

static int write_file(struct job *job, const struct picture *picture, const struct range *range, int64_t from,
                      int64_t to, enum checkpoint_format format, struct error *err)
{
    char name[CHECKPOINT_NAME_SIZE];
    struct checkpoint checkpoint = {.from = from, .to = to};
    struct arena *arena = arena_new(PERSIST_ARENA_BYTES);
    struct buf bytes;
    int rc = 0;
    buf_init(&bytes, PERSIST_FILE_MAX_BYTES);
    if (fill_level(picture, LEVEL_HOST, range, arena, &checkpoint.root)) {
        char *path = file_join(job->path, checkpoint_name(from, format, name));
        checkpoint_format_bytes(format, &checkpoint, &bytes);
        rc = buf_failed(&bytes) ? error_set(err, ERR_LIMIT, "'%s' would be too large", path)
                                : io_replace_file(job->p->io, path, buf_slice(&bytes), 0644, err);
        job->bytes += bytes.len;
        persist_count(&job->p->counters.snapshots, rc == 0);
        mem_free(path);
    }
    buf_release(&bytes);
    arena_free(&arena);
    return rc;
}

static void overlay_unit(struct persist *p, struct host *host, const struct picture *picture,
                         const struct unit *unit, const struct range *range)
{
    uint32_t path[CHECKPOINT_MAX_DEPTH], level = LEVEL_HOST;
    double values[SEGMENT_BINS];
    size_t first, count, depth = 0;
    if (!unit_within(unit, range->from, range->to, &first, &count))
        return;
    for (uint32_t at = unit->level; at != LEVEL_HOST && depth < ARRAY_LEN(path);
         at = picture->levels[at].parent)
        path[depth++] = at;
    while (depth > 0)
        level = host_add_level(host, level, intern_add(p->store->names, picture->levels[path[--depth]].name));
    struct group *group = host_add_group(host, unit->metric);
    struct series *series = host_add_series(host, group, level);
    struct series_env env = host_env(host, group);
    series_decode(&unit->plan, first + count, values);
    for (size_t i = first; i < first + count; i++) {
        struct series_value value = series_value_of(values[i]);
        if (!isnan(values[i]))
            series_write(series, &env, unit->first + (int64_t)i * env.frequency_s, &value);
    }
}

// Whether all values of the tree lie within [from, to).
static bool is_near(const struct checkpoint_level *level, int64_t from, int64_t to)
{
    bool near = true;
    for (size_t i = 0; near && i < level->metric_count; i++) {
        const struct checkpoint_metric *metric = &level->metrics[i];
        near = metric->values.count == 0 ||
               (metric->start >= from &&
                metric->start + ((int64_t)metric->values.count - 1) * metric->frequency_s < to);
    }
    for (size_t i = 0; near && i < level->child_count; i++)
        near = is_near(&level->children[i], from, to);
    return near;
}

static int read_old(struct job *job, const struct range *old, struct host *host, struct error *err)
{
    const struct snapshot_file *file = old->file;
    struct snapshot_read read;
    int rc = persist_read_snapshot(job->p, job->path, file, &read, err);
    if (rc == 0 && !is_near(&read.checkpoint.root, file->from - GAP_S, old->to + MAX_SPAN_S))
        rc = error_set(err, ERR_CORRUPT, "values far from the time that the snapshot is of");
    if (rc == 0)
        persist_add_checkpoint(job->p, host, &read.checkpoint, INT64_MIN);
    if (rc == ERR_CORRUPT) {
        persist_set_aside(job->p, job->path, read.name, err->text);
        rc = 0; // what memory has of that time goes into a new file
    }
    persist_release_snapshot(&read);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int compare_times(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

// Where the data within the range should be cut: behind 'from' the first time at which a long gap ends or the file gets too long.
static int64_t find_cut(const struct picture *picture, int64_t from, int64_t to)
{
    int64_t *spans = NEW_ARRAY(int64_t, 2 * picture->count), end = INT64_MIN, cut = to; // pairs of begin, end
    size_t count = 0;
    for (size_t i = 0; i < picture->count; i++) {
        const struct unit *unit = &picture->units[i];
        if (unit_end(unit) <= from || unit->first >= to)
            continue;
        spans[2 * count] = MAX(unit->first, from);
        spans[2 * count++ + 1] = MIN(unit_end(unit), to);
    }
    if (count > 1)
        qsort(spans, count, 2 * sizeof(*spans), compare_times);
    for (size_t i = 0; i < count && cut == to; i++) {
        if (i > 0 && spans[2 * i] > end && spans[2 * i] - end > GAP_S)
            cut = spans[2 * i];
        else if (spans[2 * i + 1] - spans[0] > MAX_SPAN_S)
            cut = spans[0] + MAX_SPAN_S;
        end = MAX(end, spans[2 * i + 1]);
    }
    mem_free(spans);
    return cut;
}

// Writes the content of an old file and what came late as one file, or as several when there are long gaps. The first one, which
// takes the place of the old file, is written last: until then everything is in the old one.
static int write_merged(struct job *job, const struct picture *merged, const struct range *old,
                        struct error *err)
{
    int64_t first, end, *cuts = NULL, to = old->to;
    size_t count = 0, cap = 0;
    int rc = 0;
    for (int64_t at = old->from; picture_span(merged, at, ALL_TIME, &first, &end);) {
        at = find_cut(merged, first, end);
        if (at >= end || at >= old->to)
            break;
        ENSURE_CAPACITY(cuts, cap, count + 1);
        cuts[count++] = at;
    }
    for (size_t i = count + 1; rc == 0 && i-- > 0;) {
        struct range part = {.from = i ? cuts[i - 1] : -ALL_TIME, .to = i < count ? cuts[i] : ALL_TIME};
        int64_t from = i ? part.from : old->file->from;
        rc = write_file(job, merged, &part, from, MAX(to, from + 1), old->file->format, err);
        to = from;
    }
    mem_free(cuts);
    return rc;
}

// Late samples: the old file with what memory has on top.
static int rewrite_file(struct job *job, const struct picture *picture, const struct range *range,
                        struct error *err)
{
    struct picture merged;
    struct host *host = host_new(job->host->cluster, slice_from_cstr(job->host->name));
    int rc = read_old(job, range, host, err);
    for (size_t i = 0; rc == 0 && i < picture->count; i++)
        overlay_unit(job->p, host, picture, &picture->units[i], range);
    if (rc == 0) {
        picture_take(&merged, job->p, host, -ALL_TIME);
        picture_sort(&merged);
        rc = write_merged(job, &merged, range, err);
        picture_release(&merged);
        persist_count(&job->p->counters.rewritten_snapshots, rc == 0);
    }
    host_unref(host);
    return rc;
}

// One file, or several when there are long gaps.
static int write_gap(struct job *job, const struct picture *picture, const struct range *range,
                     struct error *err)
{
    int64_t at = range->from, first, end;
    while (picture_span(picture, at, range->to, &first, &end)) {
        int64_t cut = find_cut(picture, first, end);
        struct range part = {.from = first, .to = cut};
        bool whole = range->last && at == range->from;
        int64_t from = whole ? MIN(first, MAX(job->last_snapshot_s, range->from)) : first;
        int64_t to = range->last && cut == end ? MAX(job->now_s, end) : cut;
        int rc = write_file(job, picture, &part, from, MAX(to, from + 1), job->p->options.format, err);
        if (rc < 0)
            return rc;
        at = cut;
    }
    return 0;
}

// ---- ranges -----------------------------------------------------------------------------------------------

// The end of each snapshot that the dirty time may touch; damaged ones are set aside.
static int look_at_files(struct job *job, struct error *err)
{
    size_t kept = 0;
    int rc = persist_list(job->path, &job->list, err);
    for (size_t i = 0; rc == 0 && i < job->list.count; i++) {
        struct snapshot_file *file = &job->list.items[i];
        struct error why = ERROR_INIT;
        char name[CHECKPOINT_NAME_SIZE];
        int read_rc = persist_read_end(job->p, job->path, file, &why);
        if (read_rc == ERR_CORRUPT)
            persist_set_aside(job->p, job->path, checkpoint_name(file->from, file->format, name), why.text);
        else if (read_rc < 0 && read_rc != ERR_NOT_FOUND)
            return error_set(err, read_rc, "%s", why.text);
        if (read_rc < 0)
            continue;
        file->to = MAX(file->to, file->from + 1);
        job->list.items[kept++] = *file;
    }
    job->list.count = rc == 0 ? kept : 0;
    for (size_t i = 1; i < job->list.count; i++) // the end is when it was written, data may end before
        job->list.items[i - 1].to = MIN(job->list.items[i - 1].to, job->list.items[i].from);
    return rc;
}

static int write_ranges(struct job *job, const struct picture *picture, struct error *err)
{
    int64_t at = -ALL_TIME, first, end;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < job->list.count; i++) {
        const struct snapshot_file *file = &job->list.items[i];
        bool own_last =
            i + 1 == job->list.count && job->data_end != INT64_MIN; // it has no data behind data_end
        struct range gap = {.from = at, .to = file->from};
        struct range old = {.from = MAX(at, file->from),
                            .to = own_last ? MIN(file->to, job->data_end) : file->to,
                            .file = file};
        if (gap.from < gap.to)
            rc = write_gap(job, picture, &gap, err);
        if (rc == 0 && picture_span(picture, old.from, old.to, &first, &end))
            rc = rewrite_file(job, picture, &old, err);
        at = MAX(at, old.to);
    }
    struct range rest = {.from = at, .to = ALL_TIME, .last = true};
    return rc ? rc : write_gap(job, picture, &rest, err);
}

// ---- one host ---------------------------------------------------------------------------------------------

static int write_picture(struct job *job, const struct picture *picture, int64_t dirty_from,
                         struct error *err)
{
    int rc = 0;
    if (job->data_end == INT64_MIN)
        rc = persist_make_host_directory(job->p, job->host, err);
    if (rc == 0 && (job->data_end == INT64_MIN || dirty_from < job->data_end))
        rc = look_at_files(job, err);
    else if (rc == 0) // all files end before what is dirty
        job->list = (struct snapshot_list){.count = 0};
    if (rc == 0 && job->data_end != INT64_MIN && job->list.count == 0) {
        struct range rest = {.from = job->data_end, .to = ALL_TIME, .last = true};
        return write_gap(job, picture, &rest, err);
    }
    return rc ? rc : write_ranges(job, picture, err);
}

// While it stays, the next start would put its old values over newer snapshots.
static int drop_host_wal(struct job *job, struct error *err)
{
    const struct io *io = job->p->io;
    char *path = file_join(job->path, HOST_WAL_NAME);
    int rc = 0;
    if (io->ops->unlink(io->ctx, path) != 0 && errno != ENOENT)
        rc = error_set_errno(err, "cannot remove '%s'", path);
    else if (io->ops->fsync_dir(io->ctx, job->path) != 0)
        rc = error_set_errno(err, "cannot sync directory '%s'", job->path);
    mem_free(path);
    job->host->files.has_host_wal = rc < 0;
    return rc;
}

// Takes the picture of what is dirty and marks the host clean; false: there was nothing.
static bool begin(struct job *job, struct picture *picture, int64_t *ret_dirty_from, uint64_t *ret_epoch,
                  unsigned *ret_generation)
{
    struct host *host = job->host;
    pthread_mutex_lock(&host->lock);
    *ret_dirty_from = host->dirty_from;
    *ret_epoch = host->dirty_epoch;
    bool dirty = host->dirty_from != INT64_MAX;
    if (dirty) {
        picture_take(picture, job->p, host, host->dirty_from);
        host->dirty_from = INT64_MAX;
        host->snapshot_running = true;
        *ret_generation = reclaim_pin(&host->reclaim);
    }
    pthread_mutex_unlock(&host->lock);
    return dirty;
}

// The log keeps its records until the file is there: dirty_epoch is cleared only now, and only if nothing came in meanwhile.
static void finish(struct job *job, int rc, int64_t dirty_from, uint64_t epoch, unsigned generation,
                   uint64_t begun_epoch)
{
    struct host *host = job->host;
    pthread_mutex_lock(&host->lock);
    reclaim_unpin(&host->reclaim, generation);
    host->snapshot_running = false;
    if (rc < 0)
        host->dirty_from = MIN(host->dirty_from, dirty_from);
    else if (host->dirty_from == INT64_MAX)
        host->dirty_epoch = 0;
    else if (epoch)
        host->dirty_epoch = MAX(epoch, begun_epoch);
    pthread_mutex_unlock(&host->lock);
}

static int snapshot_locked(struct job *job, struct error *err)
{
    struct picture picture;
    int64_t dirty_from, first, end;
    uint64_t epoch;
    unsigned generation;
    persist_load_locked(
        job->p, job->host); // what came in takes the slots of what is there, whatever second it came at
    uint64_t begun_epoch = wal_epoch(job->p->wal);
    if (!begin(job, &picture, &dirty_from, &epoch, &generation))
        return job->host->files.has_host_wal ? drop_host_wal(job, err) : 0; // nothing in it was of use
    picture_sort(&picture);
    int rc = write_picture(job, &picture, dirty_from, err);
    bool any = picture_span(&picture, -ALL_TIME, ALL_TIME, &first, &end);
    if (rc == 0 && job->host->files.has_host_wal)
        rc = drop_host_wal(job, err);
    finish(job, rc, dirty_from, epoch, generation, begun_epoch);
    if (rc == 0 && any) {
        int64_t files_end = INT64_MIN;
        for (size_t i = 0; i < job->list.count; i++)
            files_end = MAX(files_end, job->list.items[i].to);
        job->host->files.data_end = MAX(MAX(job->data_end, files_end), end);
        job->host->files.last_snapshot_s = MAX(job->now_s, end);
    }
    persist_list_release(&job->list);
    picture_release(&picture);
    return rc;
}

int persist_snapshot_host(struct persist *p, struct host *host, int64_t now_s, struct error *err)
{
    struct job job = {.p = p, .host = host, .path = persist_host_path(p, host), .now_s = now_s};
    pthread_mutex_lock(&host->files.lock);
    job.last_snapshot_s = host->files.last_snapshot_s ? host->files.last_snapshot_s : p->options.now_s;
    job.data_end = host->files.data_end;
    int rc = snapshot_locked(&job, err);
    pthread_mutex_unlock(&host->files.lock);
    persist_count(&p->counters.snapshot_bytes, job.bytes);
    persist_count(&p->counters.failed_snapshots, rc < 0);
    mem_free(job.path);
    return rc < 0 ? error_prefix(err, "snapshot of %s/%s", host->cluster->name, host->name) : 0;
}
