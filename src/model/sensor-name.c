// SPDX-License-Identifier: MIT
#include "model/sensor-name.h"

#include <stdio.h>

static void append(char *text, size_t *len, struct slice s)
{
    size_t room = SENSOR_NAME_SIZE - 1 - *len;
    size_t take = MIN(room, s.len);
    memcpy(text + *len, s.ptr, take);
    *len += take;
}

bool sensor_metric_name(struct slice chip, struct slice label, char *ret)
{
    char text[SENSOR_NAME_SIZE];
    size_t len = 0;
    if ((chip.len == 0 && label.len == 0) || chip.len + label.len + sizeof("temp__") > SENSOR_NAME_SIZE)
        return false;
    bool intel_core =
        slice_eq_cstr(chip, "coretemp") && (slice_starts_with(label, SLICE_LITERAL("Core ")) ||
                                            slice_starts_with(label, SLICE_LITERAL("Package id ")));
    if (intel_core)
        append(text, &len, SLICE_LITERAL("temp"));
    else
        append(text, &len, chip);
    if (len && label.len)
        append(text, &len, SLICE_LITERAL("_"));
    append(text, &len, label);
    for (size_t i = 0; i < len; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] - 'A' + 'a');
        else if (text[i] == ' ')
            text[i] = '_';
    }
    bool has_temp = slice_contains(slice_of(text, len), SLICE_LITERAL("temp"));
    snprintf(ret, SENSOR_NAME_SIZE, "%s%.*s", has_temp ? "" : "temp_", (int)len, text);
    return true;
}

void sensor_limit_name(const char *metric, const char *replacement, char *ret)
{
    struct slice name = slice_from_cstr(metric);
    ptrdiff_t at = slice_find(name, SLICE_LITERAL("temp"));
    size_t before = at < 0 ? name.len : (size_t)at;
    snprintf(ret, SENSOR_NAME_SIZE + 8, "%.*s%s%s", (int)before, metric, at < 0 ? "" : replacement,
             at < 0 ? "" : metric + before + 4);
}

bool sensor_path_has(struct slice path, struct slice key)
{
    while (key.len && key.ptr[0] == '/')
        key = slice_skip(key, 1);
    while (key.len && key.ptr[key.len - 1] == '/')
        key.len--;
    if (key.len == 0)
        return false;
    for (size_t at = 0; at + key.len <= path.len; at++) {
        bool starts = at == 0 || path.ptr[at - 1] == '/';
        bool ends = at + key.len == path.len || path.ptr[at + key.len] == '/';
        if (starts && ends && memcmp(path.ptr + at, key.ptr, key.len) == 0)
            return true;
    }
    return false;
}
