// SPDX-License-Identifier: MIT
// Source "tempstat": temperatures of /sys/class/hwmon (spec collector.md 4.12). Files hold milli-degrees
// Celsius (Documentation/hwmon/sysfs-interface.rst); values are whole degrees, cut towards zero. Sensors are
// found at start.
//
// tag_override: keys are compared with whole components of the path below /sys/class/hwmon and of the path
// that "device" leads to (numbers of hwmon may change between boots, device paths do not); the longest key
// wins.
#include "base/file.h"
#include "base/mem.h"
#include "base/strnum.h"
#include "collector/kept-file.h"
#include "collector/sources/sources.h"
#include "model/sensor-name.h"

#define TAGS_MAX 16

struct tempstat_options {
    struct setting_list exclude_metrics;
    const struct json_value *tag_override;
    bool report_max_temperature, report_critical_temperature;
};

struct sensor {
    struct kept_file file;
    series_id temperature;   // SERIES_NONE: excluded
    series_id max, critical; // SERIES_NONE: not reported
    int64_t max_degrees, critical_degrees;
};

struct tempstat {
    struct sensor *sensors;
    size_t count, cap;
};

static const struct setting tempstat_settings[] = {
    {.key = "exclude_metrics",
     .type = SETTING_STRING_LIST,
     .offset = offsetof(struct tempstat_options, exclude_metrics),
     .help = "names of metrics to leave out"},
    {.key = "tag_override",
     .type = SETTING_RAW,
     .offset = offsetof(struct tempstat_options, tag_override),
     .help = "object: part of the sensor's path -> tags instead of type=node"},
    {.key = "report_max_temperature",
     .type = SETTING_BOOL,
     .offset = offsetof(struct tempstat_options, report_max_temperature),
     .help = "also max_temp_*"},
    {.key = "report_critical_temperature",
     .type = SETTING_BOOL,
     .offset = offsetof(struct tempstat_options, report_critical_temperature),
     .help = "also crit_temp_*"},
    {0},
};

static int check_overrides(const struct json_value *overrides, struct error *err)
{
    if (json_type(overrides) != JSON_NULL && json_type(overrides) != JSON_OBJECT)
        return error_set(err, ERR_INVALID, "'tag_override' must be an object");
    for (size_t i = 0; i < json_count(overrides); i++) {
        struct slice key, tag;
        const struct json_value *tags = json_member_at(overrides, i, &key);
        bool good = json_type(tags) == JSON_OBJECT && json_count(tags) < TAGS_MAX;
        for (size_t k = 0; good && k < json_count(tags); k++)
            good = json_type(json_member_at(tags, k, &tag)) == JSON_STRING && tag.len > 0;
        if (!good)
            return error_set(err, ERR_INVALID, "'tag_override': '%.*s' must be an object of up to %d strings",
                             SLICE_FMT(key), TAGS_MAX - 1);
    }
    return 0;
}

// The override with the longest key that fits one of the two paths, or NULL.
static const struct json_value *find_override(const struct json_value *overrides, struct slice path,
                                              struct slice device_path)
{
    const struct json_value *best = NULL;
    size_t best_len = 0;
    for (size_t i = 0; i < json_count(overrides); i++) {
        struct slice key;
        const struct json_value *tags = json_member_at(overrides, i, &key);
        if (key.len > best_len && (sensor_path_has(path, key) || sensor_path_has(device_path, key))) {
            best = tags;
            best_len = key.len;
        }
    }
    return best;
}

// Memory of the texts is the arena's.
static void make_tags(const struct json_value *override, struct arena *arena, struct source_tag *tags)
{
    if (!override) {
        memcpy(tags, source_tags_node, 2 * sizeof(*tags));
        return;
    }
    size_t count = json_count(override);
    for (size_t i = 0; i < count; i++) {
        struct slice key;
        const struct json_value *value = json_member_at(override, i, &key);
        tags[i] = (struct source_tag){arena_strdup(arena, key), arena_strdup(arena, json_string(value))};
    }
    tags[count] = (struct source_tag){NULL, NULL};
}

// A short file beside the sensor, trimmed; empty when there is none.
static struct slice read_text(struct arena *arena, const char *folder, const char *name)
{
    struct buf text;
    buf_init(&text, 4096);
    char *path = file_join(folder, name);
    struct slice result = SLICE_EMPTY;
    if (file_read(path, text.max_bytes, &text, NULL) == 0)
        result = arena_copy(arena, slice_trim(buf_slice(&text)));
    mem_free(path);
    buf_release(&text);
    return result;
}

// Declares the limit of a sensor when its file has one other than 0.
static series_id declare_limit(const struct source_env *env, struct arena *arena, const char *folder,
                               const char *file, const char *metric, const char *replacement,
                               const struct source_tag *tags, int64_t *ret_degrees)
{
    char name[SENSOR_NAME_SIZE + 8];
    int64_t value;
    if (strnum_parse_i64(read_text(arena, folder, file), &value, NULL) < 0 || value / 1000 == 0)
        return SERIES_NONE;
    *ret_degrees = value / 1000;
    sensor_limit_name(metric, replacement, name);
    return source_declare(env, name, tags, "degC", LINEPROTO_INT);
}

struct chip {
    const char *entry;  // "hwmon0"
    const char *folder; // its path
    struct slice name, device_path;
};

static void add_sensor(struct tempstat *s, const struct tempstat_options *o, const struct source_env *env,
                       struct arena *arena, const struct chip *chip, const char *input)
{
    char metric[SENSOR_NAME_SIZE];
    struct source_tag tags[TAGS_MAX + 1];
    struct slice base = slice_of(input, strlen(input) - strlen("_input")); // "temp1"
    struct slice label = read_text(arena, chip->folder, arena_printf(arena, "%.*s_label", SLICE_FMT(base)));
    if (!sensor_metric_name(chip->name, label, metric) || source_list_has(&o->exclude_metrics, metric))
        return;
    struct slice path = slice_from_cstr(arena_printf(arena, "sys/class/hwmon/%s/%s", chip->entry, input));
    make_tags(find_override(o->tag_override, path, chip->device_path), arena, tags);
    ENSURE_CAPACITY(s->sensors, s->cap, s->count + 1);
    struct sensor *sensor = &s->sensors[s->count];
    *sensor = (struct sensor){.max = SERIES_NONE, .critical = SERIES_NONE};
    if (kept_file_open(&sensor->file, env->root, arena_printf(arena, "/%.*s", SLICE_FMT(path)), NULL) < 0)
        return;
    s->count++;
    sensor->temperature = source_declare(env, metric, tags, "degC", LINEPROTO_INT);
    if (o->report_max_temperature)
        sensor->max =
            declare_limit(env, arena, chip->folder, arena_printf(arena, "%.*s_max", SLICE_FMT(base)), metric,
                          "max_temp", tags, &sensor->max_degrees);
    if (o->report_critical_temperature)
        sensor->critical =
            declare_limit(env, arena, chip->folder, arena_printf(arena, "%.*s_crit", SLICE_FMT(base)), metric,
                          "crit_temp", tags, &sensor->critical_degrees);
}

static void add_chip(struct tempstat *s, const struct tempstat_options *o, const struct source_env *env,
                     struct arena *arena, const char *class_folder, const char *entry)
{
    char **names = NULL;
    size_t count = 0;
    struct chip chip = {.entry = entry, .folder = arena_printf(arena, "%s/%s", class_folder, entry)};
    char *device = realpath(arena_printf(arena, "%s/device", chip.folder), NULL);
    chip.name = read_text(arena, chip.folder, "name");
    chip.device_path = slice_from_cstr(device);
    if (file_list(chip.folder, &names, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++) {
            struct slice name = slice_from_cstr(names[i]);
            if (slice_starts_with(name, SLICE_LITERAL("temp")) &&
                slice_ends_with(name, SLICE_LITERAL("_input")))
                add_sensor(s, o, env, arena, &chip, names[i]);
        }
    }
    file_list_free(&names, count);
    free(device);
}

static int find_sensors(struct tempstat *s, const struct tempstat_options *o, const struct source_env *env,
                        struct error *err)
{
    char **entries = NULL;
    size_t count = 0;
    char *folder = file_join(env->root, "sys/class/hwmon");
    struct arena *arena = arena_new(64 << 20);
    if (file_list(folder, &entries, &count, NULL) == 0)
        for (size_t i = 0; i < count; i++)
            add_chip(s, o, env, arena, folder, entries[i]);
    file_list_free(&entries, count);
    arena_free(&arena);
    mem_free(folder);
    return s->count ? 0 : error_set(err, ERR_NOT_FOUND, "no temperature sensors found");
}

static void tempstat_close(void *state)
{
    struct tempstat *s = state;
    for (size_t i = 0; i < s->count; i++)
        kept_file_close(&s->sensors[i].file);
    mem_free(s->sensors);
    mem_free(s);
}

static int tempstat_init(const void *options, const struct source_env *env, const struct reading *first,
                         void **ret_state, struct error *err)
{
    (void)first;
    const struct tempstat_options *o = options;
    struct tempstat *s = NEW(struct tempstat);
    int rc = check_overrides(o->tag_override, err);
    if (rc == 0)
        rc = find_sensors(s, o, env, err);
    if (rc < 0) {
        tempstat_close(s);
        return rc;
    }
    *ret_state = s;
    return 0;
}

// A sensor that cannot be read (its device sleeps) has no value; when none can, the read has failed.
static int tempstat_read(void *state, const struct reading *reading, struct error *err)
{
    struct tempstat *s = state;
    char text[32];
    size_t good = 0;
    int rc = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct sensor *sensor = &s->sensors[i];
        struct slice value;
        int64_t milli;
        int got = kept_file_read_attribute(&sensor->file, text, sizeof(text), &value, err);
        if (got == 0)
            got = strnum_parse_i64(value, &milli, err);
        if (got < 0) {
            rc = got;
            continue;
        }
        good++;
        batch_add_i64(reading->batch, sensor->temperature, milli / 1000);
        batch_add_i64(reading->batch, sensor->max, sensor->max_degrees);
        batch_add_i64(reading->batch, sensor->critical, sensor->critical_degrees);
    }
    return good ? 0 : rc;
}

const struct source_ops source_tempstat_ops = {
    .key = "tempstat",
    .class_name = "TempCollector",
    .group = "IPMI",
    .settings = tempstat_settings,
    .options_size = sizeof(struct tempstat_options),
    .init = tempstat_init,
    .read = tempstat_read,
    .close = tempstat_close,
};
