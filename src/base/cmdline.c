// SPDX-License-Identifier: MIT
#include "base/cmdline.h"

#include <string.h>

#include "base/mem.h"
#include "base/strnum.h"

struct parser {
    const struct cmdline_flag *flags;
    char *options; // the struct, as bytes
    const char *program;
    FILE *stream;
};

static bool parse_bool(struct slice text, bool *ret)
{
    static const char *const truths[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const lies[] = {"0", "f", "F", "FALSE", "false", "False"};

    for (size_t i = 0; i < ARRAY_LEN(truths); i++) {
        if (slice_eq_cstr(text, truths[i])) {
            *ret = true;
            return true;
        }
        if (slice_eq_cstr(text, lies[i])) {
            *ret = false;
            return true;
        }
    }
    return false;
}

// Decimal or 0x...; the problem as Go names it, or NULL.
static const char *parse_int(struct slice text, int64_t *ret)
{
    struct error err = ERROR_INIT;
    uint64_t bits;
    int rc;

    if (slice_starts_with(text, SLICE_LITERAL("0x"))) {
        rc = strnum_parse_hex_u64(text, &bits, &err);
        if (rc == 0 && bits > INT64_MAX)
            return "value out of range";
        if (rc == 0)
            *ret = (int64_t)bits;
    } else {
        rc = strnum_parse_i64(text, ret, &err);
    }
    if (rc == 0)
        return NULL;
    return strstr(err.text, "range") ? "value out of range" : "parse error";
}

// Stores the value; the problem or NULL.
static const char *store(const struct cmdline_flag *flag, char *options, const char *value)
{
    void *place = options + flag->offset;

    switch (flag->type) {
    case CMDLINE_STRING:
        *(const char **)place = value;
        return NULL;
    case CMDLINE_BOOL:
        return parse_bool(slice_from_cstr(value), place) ? NULL : "parse error";
    case CMDLINE_INT:
        return parse_int(slice_from_cstr(value), place);
    }
    return "parse error";
}

static void store_defaults(const struct parser *p)
{
    for (const struct cmdline_flag *flag = p->flags; flag->name; flag++) {
        const char *problem = store(flag, p->options, flag->default_value);

        ASSERT(problem == NULL);
    }
}

static const struct cmdline_flag *find_flag(const struct cmdline_flag *flags, struct slice name)
{
    for (; flags->name; flags++)
        if (slice_eq_cstr(name, flags->name))
            return flags;
    return NULL;
}

// The usage that follows every message.
static enum cmdline_outcome fail(const struct parser *p)
{
    cmdline_usage(p->flags, p->program, p->stream);
    return CMDLINE_ERROR;
}

// Double quotes and backslashes as %q prints them, control bytes as \xNN.
static void print_quoted(FILE *stream, const char *text)
{
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(stream, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            fprintf(stream, "\\x%02x", (unsigned char)*text);
        else
            fputc(*text, stream);
    }
    fputc('"', stream);
}

static enum cmdline_outcome fail_value(const struct parser *p, const struct cmdline_flag *flag,
                                       const char *value, const char *problem)
{
    fprintf(p->stream, "invalid %svalue ", flag->type == CMDLINE_BOOL ? "boolean " : "");
    print_quoted(p->stream, value);
    fprintf(p->stream, " for %s-%s: %s\n", flag->type == CMDLINE_BOOL ? "" : "flag ", flag->name, problem);
    return fail(p);
}

// One flag. name: behind the dashes; value: behind '=' or NULL. *next is the argument that follows.
static enum cmdline_outcome take_flag(const struct parser *p, struct slice name, const char *value, int argc,
                                      char **argv, int *next)
{
    const struct cmdline_flag *flag = find_flag(p->flags, name);

    if (!flag && (slice_eq_cstr(name, "help") || slice_eq_cstr(name, "h"))) {
        cmdline_usage(p->flags, p->program, p->stream);
        return CMDLINE_HELP;
    }
    if (!flag) {
        fprintf(p->stream, "flag provided but not defined: -%.*s\n", SLICE_FMT(name));
        return fail(p);
    }
    if (!value && flag->type == CMDLINE_BOOL)
        value = "true";
    if (!value && *next < argc)
        value = argv[(*next)++];
    if (!value) {
        fprintf(p->stream, "flag needs an argument: -%s\n", flag->name);
        return fail(p);
    }
    const char *problem = store(flag, p->options, value);
    return problem ? fail_value(p, flag, value, problem) : CMDLINE_OK;
}

enum cmdline_outcome cmdline_parse(const struct cmdline_flag *flags, void *options, int argc, char **argv,
                                   FILE *usage_stream, int *ret_rest)
{
    struct parser p = {
        .flags = flags, .options = options, .program = argc > 0 ? argv[0] : "", .stream = usage_stream};
    enum cmdline_outcome outcome = CMDLINE_OK;
    int at = 1;

    store_defaults(&p);
    while (outcome == CMDLINE_OK && at < argc) {
        const char *arg = argv[at];

        if (arg[0] != '-' || arg[1] == '\0')
            break;
        at++;
        if (strcmp(arg, "--") == 0)
            break;
        const char *name = arg + (arg[1] == '-' ? 2 : 1);
        if (*name == '\0' || *name == '-' || *name == '=') {
            fprintf(usage_stream, "bad flag syntax: %s\n", arg);
            outcome = fail(&p);
            break;
        }
        const char *equals = strchr(name, '=');
        size_t len = equals ? (size_t)(equals - name) : strlen(name);
        outcome = take_flag(&p, slice_of(name, len), equals ? equals + 1 : NULL, argc, argv, &at);
    }
    *ret_rest = MIN(at, argc);
    return outcome;
}

// ---- usage ------------------------------------------------------------------------------------------------

static const char *type_name(enum cmdline_type type)
{
    switch (type) {
    case CMDLINE_STRING:
        return "string";
    case CMDLINE_INT:
        return "int";
    case CMDLINE_BOOL:
        break;
    }
    return "";
}

static bool default_is_zero(const struct cmdline_flag *flag)
{
    static const char *const zeros[] = {[CMDLINE_STRING] = "", [CMDLINE_BOOL] = "false", [CMDLINE_INT] = "0"};

    return strcmp(flag->default_value, zeros[flag->type]) == 0;
}

// Text between backquotes names the value; elsewhere the quotes are left out.
static void split_help(const struct cmdline_flag *flag, struct slice *ret_value_name, struct slice parts[3])
{
    struct slice help = slice_from_cstr(flag->help);
    ptrdiff_t open = slice_find_byte(help, '`');
    ptrdiff_t close = open < 0 ? -1 : slice_find_byte(slice_skip(help, (size_t)open + 1), '`');

    *ret_value_name = slice_from_cstr(type_name(flag->type));
    parts[0] = help;
    parts[1] = parts[2] = SLICE_EMPTY;
    if (close < 0)
        return;
    parts[0] = slice_of(help.ptr, (size_t)open);
    parts[1] = slice_of(help.ptr + open + 1, (size_t)close);
    parts[2] = slice_skip(help, (size_t)(open + close) + 2);
    *ret_value_name = parts[1];
}

static void print_help_text(FILE *stream, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n')
            fputs("\n    \t", stream);
        else
            fputc(text.ptr[i], stream);
    }
}

static void print_flag(const struct cmdline_flag *flag, FILE *stream)
{
    struct slice value_name, parts[3];

    split_help(flag, &value_name, parts);
    fprintf(stream, "  -%s", flag->name);
    if (value_name.len)
        fprintf(stream, " %.*s", SLICE_FMT(value_name));
    // A switch of one letter has its help on the same line.
    fputs(value_name.len == 0 && strlen(flag->name) == 1 ? "\t" : "\n    \t", stream);
    for (size_t i = 0; i < 3; i++)
        print_help_text(stream, parts[i]);
    if (!default_is_zero(flag)) {
        fputs(" (default ", stream);
        if (flag->type == CMDLINE_STRING)
            print_quoted(stream, flag->default_value);
        else
            fputs(flag->default_value, stream);
        fputc(')', stream);
    }
    fputc('\n', stream);
}

static int compare_flags(const void *a, const void *b)
{
    return strcmp((*(const struct cmdline_flag *const *)a)->name,
                  (*(const struct cmdline_flag *const *)b)->name);
}

void cmdline_usage(const struct cmdline_flag *flags, const char *program, FILE *stream)
{
    size_t count = 0;

    while (flags[count].name)
        count++;
    const struct cmdline_flag **sorted = NEW_ARRAY(const struct cmdline_flag *, count + 1);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &flags[i];
    qsort(sorted, count, sizeof(*sorted), compare_flags);
    fprintf(stream, "Usage of %s:\n", program);
    for (size_t i = 0; i < count; i++)
        print_flag(sorted[i], stream);
    mem_free(sorted);
}
