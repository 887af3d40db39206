// SPDX-License-Identifier: MIT
#include "base/cmdline.h"

#include "base/mem.h"
#include "base/testing.h"

struct options {
    const char *config, *empty;
    bool dev, on, v;
    int64_t count;
};

static const struct cmdline_flag flags[] = {
    {"on", CMDLINE_BOOL, offsetof(struct options, on), "true", "starts true"},
    {"config", CMDLINE_STRING, offsetof(struct options, config), "./config.json",
     "Path to `file` of settings"},
    {"count", CMDLINE_INT, offsetof(struct options, count), "3", "how many\nin two lines"},
    {"dev", CMDLINE_BOOL, offsetof(struct options, dev), "false", "explorer"},
    {"empty", CMDLINE_STRING, offsetof(struct options, empty), "", "no default"},
    {"v", CMDLINE_BOOL, offsetof(struct options, v), "false", "talk"},
    {0},
};

static const char usage[] = "Usage of prog:\n"
                            "  -config file\n"
                            "    \tPath to file of settings (default \"./config.json\")\n"
                            "  -count int\n"
                            "    \thow many\n"
                            "    \tin two lines (default 3)\n"
                            "  -dev\n"
                            "    \texplorer\n"
                            "  -empty string\n"
                            "    \tno default\n"
                            "  -on\n"
                            "    \tstarts true (default true)\n"
                            "  -v\ttalk\n";

struct outcome {
    enum cmdline_outcome outcome;
    struct options options;
    int rest;
    char *printed;
    size_t printed_len;
};

// Splits at blanks; "''" is the empty argument.
static struct outcome parse(const char *line)
{
    char copy[200], prog[] = "prog", *argv[20] = {prog};
    struct outcome result = {0};
    int argc = 1;
    char *rest = copy;

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word; (word = strsep(&rest, " "));)
        if (*word)
            argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
    FILE *stream = open_memstream(&result.printed, &result.printed_len);
    result.outcome = cmdline_parse(flags, &result.options, argc, argv, stream, &result.rest);
    fclose(stream);
    // Strings point into 'copy', which ends here; the tests compare them through this static choice.
    result.options.config = strcmp(result.options.config, "./config.json") == 0 ? "default"
                            : strcmp(result.options.config, "x") == 0           ? "x"
                            : *result.options.config == '\0'                    ? ""
                                                                                : "other";
    return result;
}

static void test_good_lines(void **state)
{
    static const struct {
        const char *line, *config;
        bool dev, on;
        int64_t count;
        int rest;
    } cases[] = {
        {"", "default", false, true, 3, 1},
        {"-config x", "x", false, true, 3, 3},
        {"-config=x", "x", false, true, 3, 2},
        {"--config x", "x", false, true, 3, 3},
        {"--config=x", "x", false, true, 3, 2},
        {"-config=", "", false, true, 3, 2},
        {"-config ''", "", false, true, 3, 3},
        {"-config -dev", "other", false, true, 3, 3},
        {"-config=a=b", "other", false, true, 3, 2},
        {"-dev", "default", true, true, 3, 2},
        {"-dev x", "default", true, true, 3, 2},
        {"-dev=true -on=false", "default", true, false, 3, 3},
        {"-dev=T -on=F", "default", true, false, 3, 3},
        {"-dev=1 -on=0", "default", true, false, 3, 3},
        {"-dev -dev=false", "default", false, true, 3, 3},
        {"-count -7", "default", false, true, -7, 3},
        {"-count=0x1F", "default", false, true, 31, 2},
        {"-- -nosuch", "default", false, true, 3, 2},
        {"word -dev", "default", false, true, 3, 1},
        {"-", "default", false, true, 3, 1},
        {"-dev --", "default", true, true, 3, 3},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct outcome got = parse(cases[i].line);
        const struct options *o = &got.options;

        EXPECT(got.outcome == CMDLINE_OK && got.printed_len == 0, "'%s': outcome %d, printed %s",
               cases[i].line, got.outcome, got.printed);
        EXPECT(strcmp(o->config, cases[i].config) == 0 && o->dev == cases[i].dev && o->on == cases[i].on &&
                   o->count == cases[i].count && got.rest == cases[i].rest,
               "'%s': config '%s' dev %d on %d count %lld rest %d", cases[i].line, o->config, o->dev, o->on,
               (long long)o->count, got.rest);
        free(got.printed);
    }
}

static void test_bad_lines(void **state)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"-nosuch", "flag provided but not defined: -nosuch\n"},
        {"--nosuch=1", "flag provided but not defined: -nosuch\n"},
        {"-dev=maybe", "invalid boolean value \"maybe\" for -dev: parse error\n"},
        {"-dev=", "invalid boolean value \"\" for -dev: parse error\n"},
        {"-dev=a\"b\\c", "invalid boolean value \"a\\\"b\\\\c\" for -dev: parse error\n"},
        {"-config", "flag needs an argument: -config\n"},
        {"-count", "flag needs an argument: -count\n"},
        {"-count x", "invalid value \"x\" for flag -count: parse error\n"},
        {"-count 1.5", "invalid value \"1.5\" for flag -count: parse error\n"},
        {"-count=", "invalid value \"\" for flag -count: parse error\n"},
        {"-count 9223372036854775808",
         "invalid value \"9223372036854775808\" for flag -count: value out of range\n"},
        {"-count 0xffffffffffffffff",
         "invalid value \"0xffffffffffffffff\" for flag -count: value out of range\n"},
        {"---config x", "bad flag syntax: ---config\n"},
        {"-=x", "bad flag syntax: -=x\n"},
        {"--=x", "bad flag syntax: --=x\n"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct outcome got = parse(cases[i].line);
        size_t len = strlen(cases[i].message);

        EXPECT(got.outcome == CMDLINE_ERROR, "'%s': outcome %d", cases[i].line, got.outcome);
        EXPECT(strncmp(got.printed, cases[i].message, len) == 0 && strcmp(got.printed + len, usage) == 0,
               "'%s': printed '%s'", cases[i].line, got.printed);
        free(got.printed);
    }
}

static void test_help(void **state)
{
    static const char *const lines[] = {"-h", "-help", "--help", "-dev -h x"};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct outcome got = parse(lines[i]);

        EXPECT(got.outcome == CMDLINE_HELP, "'%s': outcome %d", lines[i], got.outcome);
        assert_string_equal(got.printed, usage);
        free(got.printed);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_lines),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_help),
    };

    return TEST_MAIN(argc, argv, tests);
}
