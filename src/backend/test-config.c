// SPDX-License-Identifier: MIT
#include "backend/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/testing.h"

static int load(const char *text, struct config **ret, enum config_channel *ret_channel, struct error *err)
{
    char path[] = "/tmp/cc-backend-config-XXXXXX";
    int fd = mkstemp(path);
    EXPECT(fd >= 0, "mkstemp failed");
    EXPECT(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "short write");
    close(fd);
    int rc = config_load(path, ret, ret_channel, err);
    unlink(path);
    return rc;
}

static void collect(void *ctx, const char *text)
{
    struct buf *out = ctx;
    buf_printf(out, "%s\n", text);
}

static struct config *must_load_telling(const char *text, struct buf *warnings)
{
    struct config *config = NULL;
    enum config_channel channel;
    struct error err = ERROR_INIT;
    EXPECT(load(text, &config, &channel, &err) == 0, "%s: %s", text, err.text);
    EXPECT(config_load_archive(config, &err) == 0, "%s: %s", text, err.text);
    EXPECT(config_load_store(config, collect, warnings, &err) == 0, "%s: %s", text, err.text);
    return config;
}

static struct config *must_load(const char *text)
{
    struct buf warnings;
    buf_init(&warnings, 65536);
    struct config *config = must_load_telling(text, &warnings);
    EXPECT(warnings.len == 0, "%s: %s", text, buf_cstr(&warnings));
    buf_release(&warnings);
    return config;
}

static void test_defaults(void **state)
{
    (void)state;
    struct config *c = must_load("{\"main\":{}}");
    assert_string_equal(c->main.addr, "localhost:8080");
    assert_string_equal(c->main.db, "./var/job.db");
    assert_int_equal(c->main.short_running_jobs_duration_s, 300);
    assert_int_equal(c->cron.duration_ns, 300 * NS_PER_S);
    assert_string_equal(c->archive.kind, "file");
    assert_false(c->auth.present || c->store.present);
    config_free(&c);
}

static void test_values(void **state)
{
    (void)state;
    struct config *c = must_load(
        "{\"main\":{\"addr\":\":80\",\"api-allowed-ips\":[\"10.0.0.1\"],\"resampling\":{\"trigger\":30,"
        "\"minimum-points\":600,\"resolutions\":[600,60]},\"db-config\":{\"busy-timeout-ms\":5}},"
        "\"auth\":{\"jwts\":{\"max-age\":\"2h\"}},\"metric-store\":{\"retention-in-memory\":\"48h\",\"memory-"
        "cap\":7}}");
    assert_int_equal(c->main.api_allowed_ips.count, 1);
    assert_int_equal(c->main.resampling_default_s, 600);
    assert_int_equal(c->main.resampling_minimum_points, 600);
    assert_int_equal(c->main.db_config.busy_timeout_ms, 5);
    assert_int_equal(c->auth.max_age_ns, 7200 * NS_PER_S);
    assert_int_equal(c->store.retention_ns, 48 * 3600 * NS_PER_S);
    assert_int_equal(c->store.memory_cap_gb, 7);
    config_free(&c);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        enum config_channel channel;
        const char *part;
    } cases[] = {
        {"", CONFIG_PLAIN, "could not decode"},
        {"{\"main\":", CONFIG_PLAIN, "could not decode"},
        {"{}", CONFIG_ERROR, "main configuration must be present"},
        {"{\"main\":{\"adr\":\"x\"}}", CONFIG_STDOUT, "adr"},
        {"{\"main\":{\"addr\":5}}", CONFIG_CRIT, "addr"},
        {"{\"main\":{\"resampling\":{\"trigger\":5}}}", CONFIG_CRIT, "resolutions"},
        {"{\"main\":{\"resampling\":{\"trigger\":5,\"resolutions\":[0]}}}", CONFIG_CRIT, "above 0"},
        {"{\"main\":{},\"auth\":{}}", CONFIG_CRIT, "jwts"},
        {"{\"main\":{},\"auth\":{\"jwts\":{\"max-age\":\"soon\"}}}", CONFIG_CRIT, "max-age"},
        {"{\"main\":{},\"cron\":{\"duration-worker\":\"x\"}}", CONFIG_ERROR, "duration-worker"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config *c = NULL;
        enum config_channel channel = CONFIG_PLAIN;
        struct error err = ERROR_INIT;
        int rc = load(cases[i].text, &c, &channel, &err);
        EXPECT(rc < 0 && !c, "case %zu: accepted", i);
        EXPECT(channel == cases[i].channel && strstr(err.text, cases[i].part), "case %zu: channel %d, '%s'",
               i, (int)channel, err.text);
    }
}

static void test_refused_store(void **state)
{
#define GOOD "\"retention-in-memory\":\"1h\",\"memory-cap\":1"
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"{\"retention-in-memory\":\"0s\",\"memory-cap\":1}", "above 0"},
        {"{\"retention-in-memory\":\"1h\",\"memory-cap\":-1}", "between 0"},
        {"{\"retention-in-memory\":\"1h\",\"memory-cap\":9999999}", "between 0"},
        {"{\"retention-in-memory\":\"1h\"}", "memory-cap"},
        {"{" GOOD ",\"checkpoint-interval\":\"0s\"}", "checkpoint-interval must be positive"},
        {"{" GOOD ",\"checkpoint-interval\":\"soon\"}", "checkpoint-interval"},
        {"{" GOOD ",\"checkpoints\":{\"directory\":\"\"}}", "'directory' must not be empty"},
        {"{" GOOD ",\"checkpoints\":{\"dir\":\"x\"}}", "unknown field"},
        {"{" GOOD ",\"checkpoints\":{\"durability\":\"some\"}}", "durability"},
        {"{" GOOD ",\"checkpoints\":{\"log-size\":1}}", "log-size"},
        {"{" GOOD ",\"cleanup\":{\"mode\":\"burn\"}}", "mode"},
        {"{" GOOD ",\"cleanup\":{\"mode\":\"archive\"}}", "needs a 'directory'"},
        {"{" GOOD ",\"nats-subscriptions\":{}}", "must be an array"},
        {"{" GOOD ",\"nats-subscriptions\":[{\"subscribe-to\":\"a..b\"}]}", "no NATS subject"},
    };
#undef GOOD
    char text[512];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config *c = NULL;
        struct buf warnings;
        enum config_channel channel;
        struct error err = ERROR_INIT;
        snprintf(text, sizeof(text), "{\"main\":{},\"metric-store\":%s}", cases[i].text);
        buf_init(&warnings, 65536);
        EXPECT(load(text, &c, &channel, &err) == 0, "%s", err.text);
        EXPECT(config_load_store(c, collect, &warnings, &err) < 0, "accepted: %s", cases[i].text);
        EXPECT(strstr(err.text, cases[i].part), "case %zu: '%s'", i, err.text);
        buf_release(&warnings);
        config_free(&c);
    }
}

// What is accepted for compatibility and changes nothing is named, and nothing else is.
static void test_unused_keys_are_named(void **state)
{
    static const struct {
        const char *text, *warnings;
    } cases[] = {
        {"{\"main\":{\"addr\":\":80\",\"validate\":false,\"embed-static-files\":true,\"static-files\":\"\"}}",
         ""},
        {"{\"main\":{\"validate\":true,\"embed-static-files\":false}}",
         "configuration: 'main.embed-static-files' has no effect in this release\n"
         "configuration: 'main.validate' has no effect in this release\n"},
        {"{\"main\":{\"db-config\":{\"soft-heap-limit-mb\":1,\"cache-size-mb\":1}}}",
         "configuration: 'main.db-config.soft-heap-limit-mb' has no effect in this release\n"},
        {"{\"main\":{},\"archive\":{\"kind\":\"file\",\"path\":\"x\",\"retention\":{\"policy\":\"none\"}},"
         "\"metric-store\":{\"retention-in-memory\":\"1h\",\"memory-cap\":1,\"num-workers\":4,\"debug\":{}}}",
         "configuration: 'archive.retention' has no effect in this release\n"
         "configuration: 'metric-store.debug' has no effect in this release\n"},
        {"{\"main\":{},\"nats\":{\"address\":\"x\"},\"ui\":{}}",
         "configuration: section 'nats' has no effect in this release\n"
         "configuration: section 'ui' has no effect in this release\n"},
        {"{\"main\":{},\"metric-store\":{\"retention-in-memory\":\"1h\",\"memory-cap\":1,"
         "\"nats-subscriptions\":[{\"subscribe-to\":\"m\"}]},\"nats\":{\"address\":\"x\",\"username\":\"u\"}"
         "}",
         ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        struct config *c = must_load(cases[i].text);
        buf_init(&out, 65536);
        config_warn_unused(c, collect, &out);
        EXPECT(strcmp(buf_cstr(&out), cases[i].warnings) == 0, "case %zu:\n%s", i, buf_cstr(&out));
        buf_release(&out);
        config_free(&c);
    }
}

// Mistakes in section nats are told and cost themselves only.
static void test_nats(void **state)
{
    struct buf warnings;
    (void)state;
    buf_init(&warnings, 65536);
    struct config *c =
        must_load_telling("{\"main\":{},\"metric-store\":{\"retention-in-memory\":\"1h\",\"memory-cap\":1,"
                          "\"nats-subscriptions\":[{\"subscribe-to\":\"m.>\",\"cluster-tag\":\"alex\"}]},"
                          "\"nats\":{\"address\":\"nats://h\",\"username\":5}}",
                          &warnings);
    assert_string_equal(c->nats.address, "nats://h");
    assert_string_equal(c->nats.username, "");
    EXPECT(strstr(buf_cstr(&warnings), "nats: ") && strstr(buf_cstr(&warnings), "username"), "%s",
           buf_cstr(&warnings));
    assert_int_equal(c->store.subscription_count, 1);
    assert_string_equal(c->store.subscriptions[0].subject, "m.>");
    assert_string_equal(c->store.subscriptions[0].cluster_tag, "alex");
    buf_release(&warnings);
    config_free(&c);
}

static void test_print_is_a_configuration(void **state)
{
    struct buf out;
    struct error err = ERROR_INIT;
    struct json_doc *doc = NULL;
    (void)state;
    struct config *c = must_load("{\"main\":{\"addr\":\":81\"}}");
    buf_init(&out, 1 << 20);
    config_print(c, &out);
    EXPECT(json_parse(buf_slice(&out), &doc, &err) == 0, "%s", err.text);
    assert_true(slice_eq_cstr(json_string(json_get(json_get(json_root(doc), "main"), "addr")), ":81"));
    json_doc_free(&doc);
    buf_clear(&out);
    config_document(&out);
    assert_non_null(strstr(buf_cstr(&out), "retention-in-memory"));
    buf_release(&out);
    config_free(&c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_defaults),
                                       cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_refused_store),
                                       cmocka_unit_test(test_unused_keys_are_named),
                                       cmocka_unit_test(test_nats),
                                       cmocka_unit_test(test_print_is_a_configuration)};
    return TEST_MAIN(argc, argv, tests);
}
