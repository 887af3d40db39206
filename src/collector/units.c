// SPDX-License-Identifier: MIT
#include "collector/units.h"

#include <stdio.h>

struct unit_prefix {
    double factor;
    const char *shown;
    const char *spellings[2];
    bool target_only;
};

struct unit_measure {
    const char *shown;
    // A letter is matched in any case; '?' behind it makes it optional, '=' in front exact.
    const char *patterns[2];
    bool milli_means_mega; // nobody counts milli-bytes: "mb" is a mega-byte
    bool no_prefix;
};

static const struct unit_prefix prefixes[] = {
    {1, "", {"", NULL}, false},          {1e3, "K", {"k", "K"}, false},
    {1e6, "M", {"M", NULL}, false},      {1e9, "G", {"g", "G"}, false},
    {1e12, "T", {"t", "T"}, false},      {1e15, "P", {"p", "P"}, false},
    {1e18, "E", {"e", "E"}, false},      {1e21, "Z", {"z", "Z"}, false},
    {1e24, "Y", {"y", "Y"}, false},      {1e-3, "m", {"m", NULL}, false},
    {1e-6, "u", {"u", NULL}, true},      {1e-9, "n", {"n", NULL}, true},
    {0x1p10, "Ki", {"ki", "Ki"}, false}, {0x1p20, "Mi", {"Mi", NULL}, false},
    {0x1p30, "Gi", {"gi", "Gi"}, false}, {0x1p40, "Ti", {"ti", "Ti"}, false},
    {0x1p50, "Pi", {"pi", "Pi"}, false}, {0x1p60, "Ei", {"ei", "Ei"}, false},
    {0x1p70, "Zi", {"zi", "Zi"}, false}, {0x1p80, "Yi", {"yi", "Yi"}, false},
};
static const struct unit_prefix *const prefix_base = &prefixes[0];
static const struct unit_prefix *const prefix_mega = &prefixes[2];
static const struct unit_prefix *const prefix_peta = &prefixes[5];
static const struct unit_prefix *const prefix_exa = &prefixes[6];
static const struct unit_prefix *const prefix_milli = &prefixes[9];

static const struct unit_measure measures[] = {
    {"B", {"by?t?e?s?", "bibytes?"}, true, false}, // the second for "kibibytes"
    {"Flops", {"fl?o?p?s?", NULL}, true, false},
    {"%", {"%", "p=e=r=c=e=n=t"}, false, true},
    {"degC",
     {"=d=e=gc", "\xc2\xb0"
                 "c"},
     false,
     false},
    {"degF",
     {"=d=e=gf", "\xc2\xb0"
                 "f"},
     false,
     false},
    {"RPM", {"rpm", NULL}, false, false},
    {"Hz", {"he?r?t?z", NULL}, false, false},
    {"s", {"se?c?o?n?d?s?", NULL}, false, false},
    {"cyc", {"cyc?l?e?s?", NULL}, true, false},
    {"W", {"wa?t?t?s?", NULL}, false, false},
    {"J", {"jo?u?l?e?s?", NULL}, false, false},
    {"requests", {"requ?e?s?t?s?", NULL}, true, false},
    {"packets", {"pa?c?ke?ts?", NULL}, true, false},
    {"events", {"ev?e?nts?", NULL}, true, false},
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool matches_pattern(struct slice text, const char *pattern)
{
    size_t pos = 0;
    for (const char *p = pattern; *p; p++) {
        bool exact = *p == '=';
        if (exact)
            p++;
        bool optional = p[1] == '?';
        if (pos < text.len && (exact ? text.ptr[pos] : lower(text.ptr[pos])) == *p)
            pos++;
        else if (!optional)
            return false;
        if (optional)
            p++;
    }
    return pos == text.len;
}

// The measure that 'head' followed by 'tail' names, or NULL.
static const struct unit_measure *measure_find(struct slice head, struct slice tail)
{
    char word[24];
    if (head.len + tail.len >= sizeof(word) || head.len + tail.len == 0)
        return NULL;
    memcpy(word, head.ptr, head.len);
    memcpy(word + head.len, tail.ptr, tail.len);
    struct slice text = slice_of(word, head.len + tail.len);
    for (size_t i = 0; i < ARRAY_LEN(measures); i++)
        for (size_t k = 0; k < 2 && measures[i].patterns[k]; k++)
            if (matches_pattern(text, measures[i].patterns[k]))
                return &measures[i];
    return NULL;
}

const struct unit_prefix *unit_prefix_parse(struct slice text)
{
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        for (size_t k = 0; k < 2 && prefixes[i].spellings[k]; k++)
            if (slice_eq_cstr(text, prefixes[i].spellings[k]))
                return &prefixes[i];
    return NULL;
}

double unit_prefix_factor(const struct unit_prefix *from, const struct unit_prefix *to)
{
    return from->factor / to->factor;
}

bool unit_prefix_is_target_only(const struct unit_prefix *prefix)
{
    return prefix->target_only;
}

static size_t prefix_length(struct slice text)
{
    size_t len = 0;
    if (len < text.len && strchr("kKmMgGtTpPeEzZyY", text.ptr[len]) && text.ptr[len])
        len++;
    if (len < text.len && text.ptr[len] == 'i')
        len++;
    return len;
}

bool unit_parse(struct slice text, struct unit *ret)
{
    struct slice head = slice_of(text.ptr, prefix_length(text));
    struct slice rest = slice_skip(text, head.len);
    struct slice word = slice_split(&rest, '/');
    const struct unit_prefix *prefix = unit_prefix_parse(head);
    const struct unit_measure *measure = measure_find(SLICE_EMPTY, word);
    if (!measure && (prefix == prefix_peta || prefix == prefix_exa)) {
        measure = measure_find(head, word); // "packets", "events": the first letter was no prefix
        prefix = prefix_base;
    }
    if (!prefix || !measure)
        return false;
    if (measure->milli_means_mega && prefix == prefix_milli)
        prefix = prefix_mega;
    if (measure->no_prefix)
        prefix = prefix_base;
    *ret = (struct unit){.prefix = prefix, .measure = measure};
    if (rest.ptr)
        ret->denominator = measure_find(SLICE_EMPTY, slice_split(&rest, '/'));
    return true;
}

char *unit_format_short(const struct unit *unit, char *text)
{
    snprintf(text, UNIT_TEXT_SIZE, "%s%s%s%s", unit->prefix->shown, unit->measure->shown,
             unit->denominator ? "/" : "", unit->denominator ? unit->denominator->shown : "");
    return text;
}
