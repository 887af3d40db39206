// SPDX-License-Identifier: MIT
// <from>.json. Layout: docs/formats/checkpoint.md.
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/strnum.h"
#include "codec/json-writer.h"
#include "codec/json.h"
#include "codec/number.h"
#include "store/checkpoint-private.h"

// ---- reading ----------------------------------------------------------------------------------------------

static int refuse(const struct json_value *at, const char *what, struct slice name, struct error *err)
{
    return error_set_at(err, ERR_CORRUPT, json_line(at), json_column(at),
                        "snapshot: line %d, column %d: %s of '%.*s'", json_line(at), json_column(at), what,
                        (int)MIN(name.len, (size_t)100), name.ptr);
}

// Members that are not there or null are left as they are, as Go's decoder does.
static int take_int(const struct json_value *object, const char *key, struct slice name, int64_t *ret,
                    struct error *err)
{
    const struct json_value *v = json_get_fold(object, key);
    if (json_type(v) == JSON_NULL)
        return 0;
    int64_t low = json_int(v, 0), high = json_int(v, 1); // different: not an integer
    if (low != high)
        return refuse(v, "a time that is no whole number", name, err);
    *ret = low;
    return 0;
}

static int take_container(const struct json_value *object, const char *key, enum json_type type,
                          struct slice name, const struct json_value **ret, struct error *err)
{
    const struct json_value *v = json_get_fold(object, key);
    if (json_type(v) != JSON_NULL && json_type(v) != type)
        return refuse(v, type == JSON_ARRAY ? "an array is missing" : "an object is missing", name, err);
    *ret = v;
    return 0;
}

// We write the shortest digits that give the same float32 (MS-42); that float32 is meant then. Upstream writes one decimal, and a
// number with more digits than a float32 has is taken as it stands, as upstream does.
static double meant_value(double v)
{
    char text[NUMBER_TEXT_SIZE];
    double shortest = NAN, tenths = v * 10;
    if (!isfinite(v) || !isfinite((float)v) || (tenths == rint(tenths) && v != rint(v)))
        return v;
    size_t len = number_format_json_f32((float)v, text);
    if (number_parse_json(slice_of(text, len), &shortest, NULL) == 0 && shortest == v)
        return (double)(float)v;
    return v;
}

static int take_values(const struct json_value *data, struct slice name, struct arena *arena,
                       struct checkpoint_values *values, struct error *err)
{
    void *array = NULL;
    size_t count = json_count(data);
    int rc = count ? checkpoint_alloc(arena, count, sizeof(double), &array, err) : 0;
    if (rc)
        return rc;
    double *numbers = array;
    for (size_t i = 0; i < count; i++) {
        const struct json_value *v = json_at(data, i);
        enum json_type type = json_type(v);
        if (type != JSON_INT && type != JSON_REAL && type != JSON_NULL)
            return refuse(v, "a value that is no number", name, err);
        numbers[i] = meant_value(json_double(v, NAN));
    }
    *values = (struct checkpoint_values){.count = count, .f64 = numbers};
    return 0;
}

static int take_name(const struct json_value *at, struct slice key, struct arena *arena,
                     struct slice *ret_name, struct error *err)
{
    if (key.len > UINT16_MAX)
        return refuse(at, "a name that is too long", key, err);
    *ret_name = arena_copy(arena, key);
    return 0;
}

static int take_metric(const struct json_value *object, struct slice key, struct arena *arena,
                       struct checkpoint_metric *metric, struct error *err)
{
    const struct json_value *data = NULL;
    if (json_type(object) != JSON_OBJECT)
        return refuse(object, "an object is missing", key, err);
    int rc = take_name(object, key, arena, &metric->name, err);
    if (rc == 0)
        rc = take_int(object, "frequency", key, &metric->frequency_s, err);
    if (rc == 0)
        rc = take_int(object, "start", key, &metric->start, err);
    if (rc == 0 && metric->frequency_s <= 0) // MS-37
        rc = refuse(object, "no positive frequency", key, err);
    if (rc == 0)
        rc = take_container(object, "data", JSON_ARRAY, key, &data, err);
    return rc ? rc : take_values(data, key, arena, &metric->values, err);
}

static int take_metrics(const struct json_value *metrics, struct arena *arena, struct checkpoint_level *level,
                        struct error *err)
{
    void *array = NULL;
    size_t count = json_count(metrics);
    int rc = count ? checkpoint_alloc(arena, count, sizeof(*level->metrics), &array, err) : 0;
    if (rc)
        return rc;
    level->metrics = array;
    level->metric_count = count;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct slice key;
        const struct json_value *metric = json_member_at(metrics, i, &key);
        rc = take_metric(metric, key, arena, &level->metrics[i], err);
    }
    return rc;
}

static int take_level(const struct json_value *object, int depth, struct arena *arena,
                      struct checkpoint_level *level, struct error *err)
{
    const struct json_value *metrics = NULL, *children = NULL;
    void *array = NULL;
    if (json_type(object) != JSON_OBJECT)
        return refuse(object, "an object is missing", level->name, err);
    if (depth > CHECKPOINT_MAX_DEPTH)
        return refuse(object, "levels are nested too deep", level->name, err);
    int rc = take_container(object, "metrics", JSON_OBJECT, level->name, &metrics, err);
    if (rc == 0)
        rc = take_container(object, "children", JSON_OBJECT, level->name, &children, err);
    if (rc == 0)
        rc = take_metrics(metrics, arena, level, err);
    if (rc == 0 && json_count(children))
        rc = checkpoint_alloc(arena, json_count(children), sizeof(*level->children), &array, err);
    if (rc)
        return rc;
    level->children = array;
    level->child_count = json_count(children);
    for (size_t i = 0; rc == 0 && i < level->child_count; i++) {
        struct slice key;
        const struct json_value *child = json_member_at(children, i, &key);
        rc = take_name(child, key, arena, &level->children[i].name, err);
        if (rc == 0)
            rc = take_level(child, depth + 1, arena, &level->children[i], err);
    }
    return rc;
}

int checkpoint_parse_json(struct slice bytes, struct arena *arena, struct checkpoint *ret, struct error *err)
{
    struct checkpoint checkpoint = {.root.name = SLICE_EMPTY};
    struct json_doc *doc = NULL;
    struct error why = ERROR_INIT;
    int rc = json_parse(bytes, &doc, &why);
    if (rc)
        return error_set_at(err, ERR_CORRUPT, why.line, why.column, "snapshot: line %d, column %d: %s",
                            why.line, why.column, why.text);
    rc = take_level(json_root(doc), 0, arena, &checkpoint.root, err);
    if (rc == 0)
        rc = take_int(json_root(doc), "from", SLICE_EMPTY, &checkpoint.from, err);
    if (rc == 0)
        rc = take_int(json_root(doc), "to", SLICE_EMPTY, &checkpoint.to, err);
    json_doc_free(&doc);
    if (rc == 0)
        *ret = checkpoint;
    return rc;
}

// ---- writing ----------------------------------------------------------------------------------------------

#define VALUES_A_RESERVE 64

static float value_at(const struct checkpoint_values *values, size_t i)
{
    float v;
    if (!values->f32le)
        return (float)values->f64[i];
    memcpy(&v, values->f32le + i * sizeof(v), sizeof(v));
    return v;
}

static void put_values(const struct checkpoint_values *values, struct buf *out)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < values->count;) {
        size_t end = MIN(values->count, i + VALUES_A_RESERVE), len = 0;
        char *text = buf_reserve(out, (end - i) * NUMBER_TEXT_SIZE);
        if (!text)
            return;
        for (; i < end; i++) {
            if (i)
                text[len++] = ',';
            len += number_format_json_f32(value_at(values, i), text + len);
        }
        buf_commit(out, len);
    }
    buf_append_byte(out, ']');
}

static void put_int(const char *key, int64_t v, struct buf *out)
{
    char text[24];
    buf_append_cstr(out, key);
    buf_append(out, text, strnum_format_i64(v, text));
}

static void put_metric(const struct checkpoint_metric *metric, struct buf *out)
{
    json_append_quoted(out, metric->name);
    put_int(":{\"frequency\":", metric->frequency_s, out);
    put_int(",\"start\":", metric->start, out);
    buf_append_cstr(out, ",\"data\":");
    put_values(&metric->values, out);
    buf_append_byte(out, '}');
}

static int compare_metrics(const void *a, const void *b)
{
    const struct checkpoint_metric *const *x = a, *const *y = b;
    return slice_cmp((*x)->name, (*y)->name);
}

static void put_metrics(const struct checkpoint_level *level, struct buf *out)
{
    const struct checkpoint_metric **sorted =
        NEW_ARRAY(const struct checkpoint_metric *, level->metric_count);
    for (size_t i = 0; i < level->metric_count; i++)
        sorted[i] = &level->metrics[i];
    if (level->metric_count)
        qsort(sorted, level->metric_count, sizeof(*sorted), compare_metrics);
    for (size_t i = 0; i < level->metric_count; i++) {
        if (i)
            buf_append_byte(out, ',');
        put_metric(sorted[i], out);
    }
    mem_free(sorted);
}

static int compare_levels(const void *a, const void *b)
{
    const struct checkpoint_level *const *x = a, *const *y = b;
    return slice_cmp((*x)->name, (*y)->name);
}

static void put_level(const struct checkpoint *checkpoint, const struct checkpoint_level *level,
                      struct buf *out)
{
    const struct checkpoint_level **sorted = NEW_ARRAY(const struct checkpoint_level *, level->child_count);
    for (size_t i = 0; i < level->child_count; i++)
        sorted[i] = &level->children[i];
    if (level->child_count)
        qsort(sorted, level->child_count, sizeof(*sorted), compare_levels);
    buf_append_cstr(out, "{\"metrics\":{");
    put_metrics(level, out);
    buf_append_cstr(out, "},\"children\":{");
    for (size_t i = 0; i < level->child_count; i++) {
        if (i)
            buf_append_byte(out, ',');
        json_append_quoted(out, sorted[i]->name);
        buf_append_byte(out, ':');
        put_level(checkpoint, sorted[i], out);
    }
    put_int("},\"from\":", checkpoint->from, out);
    put_int(",\"to\":", checkpoint->to, out);
    buf_append_byte(out, '}');
    mem_free(sorted);
}

void checkpoint_format_json(const struct checkpoint *checkpoint, struct buf *out)
{
    put_level(checkpoint, &checkpoint->root, out);
    buf_append_byte(out, '\n');
}
