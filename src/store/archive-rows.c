// SPDX-License-Identifier: MIT
#include "store/archive-rows.h"

#include <math.h>

#include "base/arena.h"
#include "base/mem.h"
#include "codec/parquet.h"

// One metric of one level of one snapshot.
struct segment {
    struct slice metric, scope, scope_id;
    struct slice
        path; // names of the levels below the host, each behind a zero byte: tells series of the same scope id apart
    size_t order; // number of the snapshot
    const struct checkpoint_metric *data;
};

struct row {
    int64_t timestamp;
    uint32_t segment;
    float value;
};

struct archive_rows {
    struct segment *segments;
    size_t segment_count, segment_cap;
    size_t snapshots;
    struct arena *arena; // paths
    // The group (metric and scope) that is given out.
    size_t group_end; // in segments
    struct row *rows;
    size_t row_count, row_cap, given;
    struct slice scope_ids[ARCHIVE_BATCH_ROWS];
    int64_t timestamps[ARCHIVE_BATCH_ROWS], frequencies[ARCHIVE_BATCH_ROWS];
    float values[ARCHIVE_BATCH_ROWS];
};

struct archive_rows *archive_rows_new(void)
{
    struct archive_rows *rows = NEW(struct archive_rows);
    rows->arena = arena_new(SIZE_MAX);
    return rows;
}

void archive_rows_free(struct archive_rows **rows)
{
    if (!*rows)
        return;
    mem_free((*rows)->segments);
    mem_free((*rows)->rows);
    arena_free(&(*rows)->arena);
    mem_free(*rows);
    *rows = NULL;
}

void archive_rows_clear(struct archive_rows *rows)
{
    rows->segment_count = rows->snapshots = rows->group_end = rows->row_count = rows->given = 0;
    arena_clear(rows->arena);
}

void archive_scope(struct slice level, struct slice *ret_scope, struct slice *ret_id)
{
    static const struct {
        const char *prefix, *scope;
    } known[] = {
        {"socket", "socket"}, {"memoryDomain", "memoryDomain"}, {"core", "core"}, {"hwthread", "hwthread"},
        {"cpu", "hwthread"},  {"accelerator", "accelerator"},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct slice prefix = slice_from_cstr(known[i].prefix);
        if (!slice_starts_with(level, prefix) || level.len == prefix.len)
            continue;
        char next = level.ptr[prefix.len];
        if (next < '0' || next > '9')
            continue;
        *ret_scope = slice_from_cstr(known[i].scope);
        *ret_id = slice_skip(level, prefix.len);
        return;
    }
    *ret_scope = level;
    *ret_id = SLICE_EMPTY;
}

// ---- adding -----------------------------------------------------------------------------------------------

static int check_name(struct slice name, struct error *err)
{
    if (name.len > PARQUET_MAX_STRING_BYTES || !slice_is_utf8(name))
        return error_set(err, ERR_CORRUPT, "snapshot: '%.*s' is no name", (int)MIN(name.len, (size_t)100),
                         name.ptr);
    return 0;
}

static int check_times(const struct checkpoint_metric *metric, struct error *err)
{
    int64_t span, last;
    if (metric->values.count > 0 &&
        (metric->values.count > UINT32_MAX ||
         __builtin_mul_overflow((int64_t)metric->values.count - 1, metric->frequency_s, &span) ||
         __builtin_add_overflow(metric->start, span, &last)))
        return error_set(err, ERR_CORRUPT, "snapshot: times of '%.*s' do not fit", SLICE_FMT(metric->name));
    return 0;
}

static struct slice path_of(struct archive_rows *rows, struct slice parent, struct slice name)
{
    char *path = arena_alloc(rows->arena, parent.len + 1 + name.len);
    memcpy(path, parent.ptr, parent.len);
    memcpy(path + parent.len + 1, name.ptr, name.len);
    return slice_of(path, parent.len + 1 + name.len);
}

// 'at': the level with scope, id and path filled in. The depth is limited by the reader of snapshots.
static int add_level(struct archive_rows *rows, const struct checkpoint_level *level, struct segment at,
                     struct error *err)
{
    for (size_t i = 0; i < level->metric_count; i++) {
        const struct checkpoint_metric *metric = &level->metrics[i];
        int rc = check_name(metric->name, err);
        if (rc == 0)
            rc = check_times(metric, err);
        if (rc < 0)
            return rc;
        at.metric = metric->name;
        at.data = metric;
        ENSURE_CAPACITY(rows->segments, rows->segment_cap, rows->segment_count + 1);
        rows->segments[rows->segment_count++] = at;
    }
    for (size_t i = 0; i < level->child_count; i++) {
        const struct checkpoint_level *child = &level->children[i];
        int rc = check_name(child->name, err);
        if (rc < 0)
            return rc;
        struct segment below = {.order = at.order, .path = path_of(rows, at.path, child->name)};
        archive_scope(child->name, &below.scope, &below.scope_id);
        rc = add_level(rows, child, below, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int archive_rows_add(struct archive_rows *rows, const struct checkpoint *checkpoint, struct error *err)
{
    size_t before = rows->segment_count;
    struct segment host = {.scope = SLICE_LITERAL("node"),
                           .scope_id = SLICE_EMPTY,
                           .path = SLICE_EMPTY,
                           .order = rows->snapshots};
    int rc = add_level(rows, &checkpoint->root, host, err);
    if (rc < 0)
        rows->segment_count = before;
    else
        rows->snapshots++;
    return rc;
}

// ---- sorting ----------------------------------------------------------------------------------------------

static int compare_groups(const struct segment *a, const struct segment *b)
{
    int order = slice_cmp(a->metric, b->metric);
    return order ? order : slice_cmp(a->scope, b->scope);
}

static int compare_segments(const void *left, const void *right)
{
    const struct segment *a = left, *b = right;
    int order = compare_groups(a, b);
    if (order == 0)
        order = slice_cmp(a->scope_id, b->scope_id);
    if (order == 0)
        order = slice_cmp(a->path, b->path);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

// By time; at one time in the order of the segments.
static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    if (a->timestamp != b->timestamp)
        return a->timestamp > b->timestamp ? 1 : -1;
    return (a->segment > b->segment) - (a->segment < b->segment);
}

void archive_rows_sort(struct archive_rows *rows)
{
    if (rows->segment_count > 1)
        qsort(rows->segments, rows->segment_count, sizeof(*rows->segments), compare_segments);
    rows->group_end = rows->row_count = rows->given = 0;
}

static void add_row(struct archive_rows *rows, size_t segment, size_t value_number)
{
    const struct checkpoint_metric *data = rows->segments[segment].data;
    double value;
    checkpoint_get_values(&data->values, value_number, 1, &value);
    if (isnan(value))
        return;
    rows->rows[rows->row_count++] =
        (struct row){.timestamp = data->start + (int64_t)value_number * data->frequency_s,
                     .segment = (uint32_t)segment,
                     .value = (float)value};
}

// Rows of the group's segments of one snapshot, value by value: in order already where all series have the same times.
static void add_snapshot_rows(struct archive_rows *rows, size_t first, size_t end, size_t order,
                              size_t *members)
{
    size_t longest = 0, count = 0;
    for (size_t i = first; i < end; i++) {
        if (rows->segments[i].order != order)
            continue;
        longest = MAX(longest, rows->segments[i].data->values.count);
        members[count++] = i;
    }
    for (size_t value = 0; value < longest; value++)
        for (size_t i = 0; i < count; i++)
            if (value < rows->segments[members[i]].data->values.count)
                add_row(rows, members[i], value);
}

// Of rows of one series and time the last one stays.
static void drop_overwritten(struct archive_rows *rows)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->row_count; i++) {
        const struct row *row = &rows->rows[i], *next = row + 1;
        if (i + 1 < rows->row_count && next->timestamp == row->timestamp &&
            slice_eq(rows->segments[next->segment].path, rows->segments[row->segment].path))
            continue;
        rows->rows[kept++] = *row;
    }
    rows->row_count = kept;
}

static void gather_rows(struct archive_rows *rows, size_t first, size_t end)
{
    size_t count = 0;
    for (size_t i = first; i < end; i++)
        count += rows->segments[i].data->values.count;
    rows->row_count = rows->given = 0;
    ENSURE_CAPACITY(rows->rows, rows->row_cap, count);
    size_t *members = NEW_ARRAY(size_t, end - first);
    for (size_t order = 0; order < rows->snapshots; order++)
        add_snapshot_rows(rows, first, end, order, members);
    mem_free(members);
    for (size_t i = 1; i < rows->row_count; i++) {
        if (compare_rows(&rows->rows[i - 1], &rows->rows[i]) <= 0)
            continue;
        qsort(rows->rows, rows->row_count, sizeof(*rows->rows), compare_rows);
        break;
    }
    drop_overwritten(rows);
}

// ---- giving out -------------------------------------------------------------------------------------------

static bool next_group(struct archive_rows *rows)
{
    size_t first = rows->group_end;
    if (first == rows->segment_count)
        return false;
    while (rows->group_end < rows->segment_count &&
           compare_groups(&rows->segments[rows->group_end], &rows->segments[first]) == 0)
        rows->group_end++;
    gather_rows(rows, first, rows->group_end);
    return true;
}

bool archive_rows_next(struct archive_rows *rows, struct archive_batch *ret)
{
    while (rows->given == rows->row_count)
        if (!next_group(rows))
            return false;
    size_t count = MIN(rows->row_count - rows->given, (size_t)ARCHIVE_BATCH_ROWS);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows->rows[rows->given + i];
        const struct segment *segment = &rows->segments[row->segment];
        rows->scope_ids[i] = segment->scope_id;
        rows->timestamps[i] = row->timestamp;
        rows->frequencies[i] = segment->data->frequency_s;
        rows->values[i] = row->value;
    }
    rows->given += count;
    const struct segment *any = &rows->segments[rows->group_end - 1];
    *ret = (struct archive_batch){.metric = any->metric,
                                  .scope = any->scope,
                                  .scope_ids = rows->scope_ids,
                                  .timestamps = rows->timestamps,
                                  .frequencies = rows->frequencies,
                                  .values = rows->values,
                                  .count = count};
    return true;
}
