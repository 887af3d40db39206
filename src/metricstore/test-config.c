// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "metricstore/config.h"

#define STORE_SECTION "\"metric-store\":{\"retention-in-memory\":\"48h\",\"memory-cap\":0}"
#define SUBSCRIPTION(members)                                                                                \
    "\"metric-store\":{\"retention-in-memory\":\"48h\",\"memory-cap\":0,\"nats-subscriptions\":[{" members   \
    "}]}"
#define JETSTREAM(stream, durable, deliver)                                                                  \
    "\"subscribe-to\":\"m.>\",\"jetstream-stream\":\"" stream "\",\"jetstream-durable\":\"" durable          \
    "\",\"jetstream-deliver\":\"" deliver "\""
#define METRICS "\"metrics\":{\"m\":{\"frequency\":60,\"aggregation\":\"sum\"}}"

#define OPEN "\"main\":{\"authentication\":\"off\"}"

struct warnings {
    int count;
    char last[256];
};

static void remember_warning(void *ctx, const char *text)
{
    struct warnings *warnings = ctx;

    warnings->count++;
    (void)snprintf(warnings->last, sizeof(warnings->last), "%s", text);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *part; // of the message
    } cases[] = {
        {"{}", ERR_NOT_FOUND, "main configuration must be present"},
        {"{\"main\":{}}", ERR_NOT_FOUND, "missing metrics configuration"},
        {"{\"main\":{}," METRICS "}", ERR_NOT_FOUND, "missing metricstore configuration"},
        {"{\"main\":[]}", ERR_INVALID, "must be an object"},
        {"{\"main\":null}", ERR_INVALID, "must be an object"},
        {"{\"main\":{\"user\":null}}", ERR_INVALID, "'user' must not be null"},
        {"{\"main\":{\"debug\":{\"gops\":null}}}", ERR_INVALID, "'gops' must not be null"},
        {"{\"main\":{\"debug\":{\"x\":1}}}", ERR_UNSUPPORTED, "json: unknown field \"x\""},
        {"{\"main\":{\"max-request-size\":1}}", ERR_INVALID, "max-request-size"},
        {"{\"main\":{},\"metrics\":{\"m\":{\"frequency\":60,\"aggregation\":\"sum\",\"unit\":\"x\"}}}",
         ERR_UNSUPPORTED, "json: unknown field \"unit\""},
        {"{\"main\":{},\"metrics\":{\"m\":{\"frequency\":1.5,\"aggregation\":\"sum\"}}}", ERR_INVALID,
         "frequency"},
        {"{\"main\":{},\"metrics\":{\"m\":{\"aggregation\":\"sum\"}}}", ERR_INVALID, "frequency"},
        {"{\"main\":{},\"metrics\":{\"m\":{\"frequency\":60}}}", ERR_INVALID, "aggregation"},
        {"{\"main\":{},\"metrics\":{\"m\":null}}", ERR_INVALID, "must be an object"},
        {"{\"main\":{}," METRICS ",\"metric-store\":{\"memory-cap\":1}}", ERR_INVALID, "retention-in-memory"},
        {"{\"main\":{}," METRICS ",\"metric-store\":{\"retention-in-memory\":\"48h\"}}", ERR_INVALID,
         "memory-cap"},
        {"{\"main\":{}," METRICS ",\"metric-store\":{\"retention-in-memory\":\"2d\",\"memory-cap\":1}}",
         ERR_INVALID, "retention-in-memory"},
        {"{\"main\":{}," METRICS ",\"metric-store\":{\"retention-in-memory\":\"1h\",\"memory-cap\":1,"
         "\"nats-subscriptions\":[{\"cluster-tag\":\"x\"}]}}",
         ERR_INVALID, "subscribe-to"},
        {"{\"main\":{}," METRICS ",\"metric-store\":{\"retention-in-memory\":\"1h\",\"memory-cap\":1,"
         "\"nats-subscriptions\":{}}}",
         ERR_INVALID, "must be an array"},
        {"{\"main\":{}," METRICS "," SUBSCRIPTION("\"subscribe-to\":\"a b\"") "}", ERR_INVALID,
         "no NATS subject"},
        {"{\"main\":{}," METRICS "," SUBSCRIPTION("\"subscribe-to\":\"a\",\"cluster-tag\":null") "}",
         ERR_INVALID, "cluster-tag"},
        {"{\"main\":{}," METRICS "," SUBSCRIPTION("\"subscribe-to\":\"a\",\"tag\":\"x\"") "}",
         ERR_UNSUPPORTED, "json: unknown field \"tag\""},
        {"{\"main\":{}," METRICS "," SUBSCRIPTION("\"subscribe-to\":\"a\",\"jetstream-stream\":\"S\"") "}",
         ERR_INVALID, "need each other"},
        {"{\"main\":{}," METRICS "," SUBSCRIPTION(JETSTREAM("S", "d.x", "all")) "}", ERR_INVALID, "d.x"},
        {"{\"main\":{}," METRICS "," SUBSCRIPTION(JETSTREAM("S", "d", "last")) "}", ERR_INVALID,
         "jetstream-deliver"},
        {"{\"main\":{}," METRICS ",\"metric-store\":{\"retention-in-memory\":\"1h\",\"memory-cap\":1,"
         "\"cleanup\":{\"mode\":\"other\"}}}",
         ERR_INVALID, "mode"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config *config = NULL;
        struct error err = ERROR_INIT;
        int rc = config_load_text(slice_from_cstr(cases[i].text), NULL, NULL, &config, &err);
        if (rc != cases[i].code || !strstr(err.text, cases[i].part))
            fail_msg("%s\n  got %d '%s'\n  expected %d '%s'", cases[i].text, rc, err.text, cases[i].code,
                     cases[i].part);
        config_free(&config);
    }
}

// A mistake costs its own key only (spec 2.2).
static void test_nats(void **state)
{
    const char *text = "{" OPEN "," METRICS "," SUBSCRIPTION(JETSTREAM(
        "S", "d",
        "new")) ",\"nats\":{\"address\":\"tls://h:1,h:2\",\"username\":5,\"password\":\"p\",\"unknown\":1,"
                "\"nkey-seed-file\":\"f\",\"tls-ca-file\":\"ca\"}}";
    struct warnings warnings = {0};
    struct config *config = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    if (config_load_text(slice_from_cstr(text), remember_warning, &warnings, &config, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(warnings.count, 2);
    assert_string_equal(config->nats.address, "tls://h:1,h:2");
    assert_string_equal(config->nats.username, "");
    assert_string_equal(config->nats.password, "p");
    assert_string_equal(config->nats.nkey_seed_file, "f");
    assert_string_equal(config->nats.tls_ca_file, "ca");
    assert_int_equal(config->store.subscription_count, 1);
    assert_string_equal(config->store.subscriptions[0].subject, "m.>");
    assert_string_equal(config->store.subscriptions[0].stream, "S");
    assert_string_equal(config->store.subscriptions[0].durable, "d");
    assert_true(config->store.subscriptions[0].deliver_new);
    config_free(&config);
}

// Non-positive intervals panic upstream.
static void test_ms_06_intervals(void **state)
{
    static const char *const texts[] = {
        "{" OPEN ",\"metrics\":{\"m\":{\"frequency\":0,\"aggregation\":\"sum\"}}," STORE_SECTION "}",
        "{" OPEN ",\"metrics\":{\"m\":{\"frequency\":-5,\"aggregation\":\"sum\"}}," STORE_SECTION "}",
        "{" OPEN "," METRICS ",\"metric-store\":{\"retention-in-memory\":\"1h\",\"memory-cap\":1,"
        "\"checkpoint-interval\":\"0s\"}}",
        "{" OPEN "," METRICS ",\"metric-store\":{\"retention-in-memory\":\"1h\",\"memory-cap\":1,"
        "\"checkpoint-interval\":\"-5m\"}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct config *config = NULL;
        struct error err = ERROR_INIT;
        if (config_load_text(slice_from_cstr(texts[i]), NULL, NULL, &config, &err) != ERR_INVALID)
            fail_msg("accepted: %s", texts[i]);
    }
}

static void test_accepted_with_warning(void **state)
{
    static const struct {
        const char *text;
        const char *warning; // part of it; NULL: none
    } cases[] = {
        {"{" OPEN "," METRICS "," STORE_SECTION "}", NULL},
        {"{\"main\":{\"ADDR\":\"x:1\",\"authentication\":\"off\"}," METRICS "," STORE_SECTION ",\"other\":5}",
         NULL},
        {"{" OPEN ",\"metrics\":{\"m\":{\"frequency\":60,\"aggregation\":\"max\"}}," STORE_SECTION "}",
         "unknown aggregation 'max'"},
        {"{" OPEN ",\"metrics\":{\"\":{\"frequency\":60,\"aggregation\":null}}," STORE_SECTION "}",
         "without a name"},
        {"{\"main\":{\"https-cert-file\":\"x\",\"jwt-public-key\":\"k\"}," METRICS "," STORE_SECTION "}",
         "must both be given"},
        {"{" OPEN "," METRICS "," STORE_SECTION ",\"nats\":{\"adress\":\"x\"}}", "adress"},
        {"{" OPEN "," METRICS "," STORE_SECTION ",\"nats\":{\"address\":5}}", "address"},
        {"{" OPEN "," METRICS "," STORE_SECTION ",\"nats\":[]}", "must be an object"},
        {"{" OPEN "," METRICS ",\"metric-store\":{\"retention-in-memory\":\"1h\",\"memory-cap\":-1,"
         "\"checkpoint-interval\":\"soon\"}}",
         "using 12h"},
        {"{" OPEN "," METRICS ",\"metric-store\":{\"retention-in-memory\":\"1h\",\"memory-cap\":-1,"
         "\"checkpoints\":{\"file-format\":\"\"}}}",
         "file-format"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct warnings warnings = {0};
        struct config *config = NULL;
        struct error err = ERROR_INIT;
        if (config_load_text(slice_from_cstr(cases[i].text), remember_warning, &warnings, &config, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.text);
        if (cases[i].warning ? !strstr(warnings.last, cases[i].warning) : warnings.count > 0)
            fail_msg("%s: warning '%s'", cases[i].text, warnings.last);
        config_free(&config);
    }
}

static void test_values(void **state)
{
    static const char text[] =
        "{\"main\":{\"addr\":\":1\",\"jwt-public-key\":\"k\"},\"metrics\":{\"a\":{\"frequency\":10,"
        "\"aggregation\":\"avg\"},\"b\":{\"frequency\":60,\"aggregation\":null}},\"metric-store\":{"
        "\"retention-in-memory\":\"1h30m\",\"memory-cap\":5,\"checkpoints\":{\"directory\":\"/d\"}}}";
    struct config *config = NULL;
    struct error err = ERROR_INIT;

    (void)state;
    if (config_load_text(SLICE_LITERAL(text), NULL, NULL, &config, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(config->main.addr, ":1");
    assert_string_equal(config->main.jwt_public_key, "k");
    assert_int_equal(config->main.max_request_size, 268435456);
    assert_int_equal(config->store.retention_ns / 1000000000, 5400);
    assert_int_equal(config->store.memory_cap_gb, 5);
    assert_string_equal(config->store.checkpoints.directory, "/d");
    assert_string_equal(config->store.checkpoints.file_format, "wal"); // merged over the defaults
    assert_int_equal(config->store.checkpoint_interval_ns / 1000000000, 12 * 3600);
    assert_int_equal(config->metric_count, 2);
    assert_int_equal(config->metrics[0].aggregation, AGGREGATION_AVG);
    assert_int_equal(config->metrics[1].aggregation, AGGREGATION_NONE);
    config_free(&config);
}

// An empty key is no way to say that nobody needs one.
static void test_ms_50_ms_51_off_by_name(void **state)
{
    static const struct {
        const char *main;
        const char *part; // of the message; NULL: accepted
    } cases[] = {
        {"{}", "'jwt-public-key' is missing"},
        {"{\"jwt-public-key\":\"\"}", "'authentication' to \"off\""},
        {"{\"authentication\":\"jwt\"}", "'jwt-public-key' is missing"},
        {"{\"require-scopes\":true}", "'jwt-public-key' is missing"},
        {"{\"authentication\":\"OFF\"}", "authentication"},
        {"{\"authentication\":\"\"}", "authentication"},
        {"{\"authentication\":false}", "authentication"},
        {"{\"authentication\":\"off\",\"jwt-public-key\":\"k\"}", "'jwt-public-key' is given"},
        {"{\"authentication\":\"off\",\"require-scopes\":true}", "'require-scopes' is given"},
        {"{\"authentication\":\"off\",\"jwt-public-key\":\"\"}", NULL},
        {"{\"authentication\":\"jwt\",\"jwt-public-key\":\"k\",\"require-scopes\":true}", NULL},
        {"{\"jwt-public-key\":\"k\"}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config *config = NULL;
        struct error err = ERROR_INIT;
        char text[512];

        (void)snprintf(text, sizeof(text), "{\"main\":%s," METRICS "," STORE_SECTION "}", cases[i].main);
        int rc = config_load_text(slice_from_cstr(text), NULL, NULL, &config, &err);
        if (cases[i].part ? rc != ERR_INVALID || !strstr(err.text, cases[i].part) : rc != 0)
            fail_msg("%s: %d '%s'", cases[i].main, rc, err.text);
        if (rc == 0)
            assert_true(config->main.authentication_off == (strstr(cases[i].main, "off") != NULL));
        config_free(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_nats),
        cmocka_unit_test(test_ms_06_intervals), cmocka_unit_test(test_accepted_with_warning),
        cmocka_unit_test(test_values),          cmocka_unit_test(test_ms_50_ms_51_off_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
