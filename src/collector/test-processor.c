// SPDX-License-Identifier: MIT
#include "collector/processor.h"

#include "collector/testing.h"

// The message of most cases: mem_used,type=node,unit=kB value=16384000 with meta a=1.
static struct message *make_message(void)
{
    struct message *m = message_metric_f64(SLICE_LITERAL("mem_used"), 16384000, (struct wall_time){.ns = 5});
    message_set_tag(m, SLICE_LITERAL("type"), SLICE_LITERAL("node"));
    message_set_tag(m, SLICE_LITERAL("unit"), SLICE_LITERAL("kB"));
    message_set_meta(m, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    return m;
}

// The line of a message with its meta as tags "a", "oldname", "unit" and its value converted.
static void line_of(struct message *m, const struct conversion *conversion, struct buf *out)
{
    static const char *const meta[] = {"a", "b", "oldname", "unit"};
    struct lineproto_value value;
    struct error err = ERROR_INIT;
    assert_true(message_field(m, SLICE_LITERAL("value"), &value));
    assert_true(conversion_apply(conversion, &value));
    message_set_field(m, SLICE_LITERAL("value"), value);
    if (message_encode_line(m, PRECISION_NS, meta, ARRAY_LEN(meta), out, &err) < 0)
        fail_msg("%s", err.text);
}

#define PLAIN "mem_used,a=1,type=node,unit=kB value=1.6384e+07 5\n"

static const struct {
    const char *config; // ' for "
    const char *line;   // NULL: dropped
} cases[] = {
    {"{}", PLAIN},
    {"null", PLAIN},
    {"{'drop_messages': ['x', 'mem_used']}", NULL},
    {"{'Drop_Messages': ['mem_used']}", NULL},
    {"{'drop_messages': ['mem']}", PLAIN},
    {"{'drop_by_message_type': ['metric']}", NULL},
    {"{'drop_by_message_type': ['event', 'log', 'control']}", PLAIN},
    {"{'drop_messages_if': ['name == \\u0027mem_used\\u0027']}", NULL},
    {"{'drop_messages_if': ['true']}", NULL},
    {"{'add_tags_if': [{'if': 'true', 'key': 'rack', 'value': 'r1'}]}",
     "mem_used,a=1,rack=r1,type=node,unit=kB value=1.6384e+07 5\n"},
    {"{'add_tags_if': [{'if': 'true', 'key': 'type', 'value': 'x'}, {'if': 'true', 'key': 'type', 'value': "
     "'y'}]}",
     "mem_used,a=1,type=y,unit=kB value=1.6384e+07 5\n"}, // the order of the configuration
    {"{'add_tags_if': [{'if': 'name == \\u0022other\\u0022', 'key': 'rack', 'value': 'r1'}]}", PLAIN},
    {"{'delete_tags_if': [{'if': 'true', 'key': 'type'}]}", "mem_used,a=1,unit=kB value=1.6384e+07 5\n"},
    {"{'move_tag_to_meta_if': [{'if': 'true', 'key': 'type', 'value': 'b'}]}",
     "mem_used,a=1,b=node,unit=kB value=1.6384e+07 5\n"},
    {"{'move_meta_to_tag_if': [{'if': 'true', 'key': 'a', 'value': 'm_a'}, {'if': 'true', 'key': 'no', "
     "'value': 'n'}]}",
     "mem_used,m_a=1,type=node,unit=kB value=1.6384e+07 5\n"},
    {"{'add_meta_if': [{'if': 'true', 'key': 'b', 'value': '2'}]}",
     "mem_used,a=1,b=2,type=node,unit=kB value=1.6384e+07 5\n"},
    {"{'delete_meta_if': [{'if': 'true', 'key': 'a'}]}", "mem_used,type=node,unit=kB value=1.6384e+07 5\n"},
    {"{'rename_messages': {'mem_used': 'used'}}",
     "used,a=1,oldname=mem_used,type=node,unit=kB value=1.6384e+07 5\n"},
    {"{'rename_messages_if': {'true': 'x', 'name == \\u0022x\\u0022': 'y'}}",
     "y,a=1,oldname=x,type=node,unit=kB value=1.6384e+07 5\n"},
    {"{'change_unit_prefix': {'name == \\u0022mem_used\\u0022': 'G'}}",
     "mem_used,a=1,type=node,unit=GB value=16.384 5\n"},
    {"{'change_unit_prefix': {'true': 'X'}}", PLAIN},
    {"{'normalize_units': true}", "mem_used,a=1,type=node,unit=KB value=1.6384e+07 5\n"},
    // Drops see the old name, prefixes the new one.
    {"{'rename_messages': {'mem_used': 'used'}, 'drop_messages': ['used'],"
     " 'change_unit_prefix': {'name == \\u0022used\\u0022': 'M'}}",
     "used,a=1,oldname=mem_used,type=node,unit=MB value=16384 5\n"},
    {"{'stage_order': ['rename', 'drop_by_name'], 'drop_messages': ['used'], 'rename_messages': {'mem_used': "
     "'used'}}",
     NULL},
    {"{'stage_order': ['rename'], 'drop_messages': ['mem_used']}", PLAIN},
    {"{'stage_order': []}", PLAIN},
    {"{'add_base_tags': {'cluster': 'alex'}}", PLAIN}, // an unknown key: a warning only
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_doc *doc = testing_json(cases[i].config);
        struct processor *p = NULL;
        struct error err = ERROR_INIT;
        struct conversion conversion = {0};
        struct message *m = make_message();
        struct buf line;
        buf_init(&line, 1 << 16);
        if (processor_new(json_root(doc), &p, &err) < 0)
            fail_msg("%s: %s", cases[i].config, err.text);
        int rc = processor_apply(p, m, &conversion, &err);
        if (rc != (cases[i].line != NULL))
            fail_msg("%s: result %d", cases[i].config, rc);
        if (rc == 1) {
            line_of(m, &conversion, &line);
            if (strcmp(buf_cstr(&line), cases[i].line) != 0)
                fail_msg("%s: got %s, not %s", cases[i].config, buf_cstr(&line), cases[i].line);
        }
        buf_release(&line);
        message_free(&m);
        processor_free(&p);
        json_doc_free(&doc);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *config, *names; // what the message must name
    } refused[] = {
        {"[]", "process_messages"},
        {"'x'", "process_messages"},
        {"{'drop_messages': 'load_one'}", "drop_messages"},
        {"{'drop_messages': [1]}", "drop_messages"},
        {"{'drop_by_message_type': ['query']}", "query"},
        {"{'drop_messages_if': ['tag.type == 1']}", "drop_messages_if"},
        {"{'add_tags_if': {'if': 'true'}}", "add_tags_if"},
        {"{'add_tags_if': [{'key': 'a', 'value': 'b'}]}", "add_tags_if"},
        {"{'add_tags_if': [{'if': 'true', 'key': 'a', 'value': 5}]}", "add_tags_if"},
        {"{'add_tags_if': ['x']}", "add_tags_if"},
        {"{'rename_messages': ['a']}", "rename_messages"},
        {"{'rename_messages': {'a': 1}}", "rename_messages"},
        {"{'change_unit_prefix': {'value > 5': 'G'}}", "change_unit_prefix"},
        {"{'normalize_units': 'yes'}", "normalize_units"},
        {"{'stage_order': ['rename_messages']}", "rename_messages"},
        {"{'stage_order': ['add_field']}", "add_field"},
        {"{'stage_order': 'rename'}", "stage_order"},
        {"{'add_field_if': []}", "add_field_if"},
        {"{'move_field_to_tag_if': []}", "move_field_to_tag_if"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct json_doc *doc = testing_json(refused[i].config);
        struct processor *p = NULL;
        struct error err = ERROR_INIT;
        if (processor_new(json_root(doc), &p, &err) == 0)
            fail_msg("%s was accepted", refused[i].config);
        if (!slice_contains(slice_from_cstr(err.text), slice_from_cstr(refused[i].names)))
            fail_msg("%s: message '%s' does not name %s", refused[i].config, err.text, refused[i].names);
        assert_null(p);
        json_doc_free(&doc);
    }
}

// messages.md 4.1, second mark: rules of the program's own run although stage_order leaves their stage out.
static void test_built_in_rules_run_in_any_order(void **state)
{
    (void)state;
    struct json_doc *doc =
        testing_json("{'stage_order': ['rename'], 'add_tags_if': [{'if': 'true', 'key': 'z', "
                     "'value': '1'}], 'rename_messages': {'mem_used': 'used'}}");
    struct processor *p = NULL;
    struct conversion conversion = {0};
    struct message *m = make_message();
    struct slice host;
    assert_int_equal(processor_new(json_root(doc), &p, NULL), 0);
    processor_add_default_tag(p, SLICE_LITERAL("hostname"), SLICE_LITERAL("n1"));
    assert_int_equal(processor_apply(p, m, &conversion, NULL), 1);
    assert_true(message_tag(m, SLICE_LITERAL("hostname"), &host) && slice_eq_cstr(host, "n1"));
    assert_true(slice_eq_cstr(message_name(m), "used"));
    message_free(&m);
    processor_free(&p);
    json_doc_free(&doc);
}

static void test_conversion(void **state)
{
    (void)state;
    struct conversion kilo = {.count = 1, .factors = {1e-3}}, twice = {.count = 2, .factors = {1e-3, 1e3}};
    struct conversion huge = {.count = 1, .factors = {1e300}};
    struct lineproto_value v = {.kind = LINEPROTO_INT, .i64 = -1999};
    assert_true(conversion_apply(&kilo, &v));
    assert_int_equal(v.i64, -1); // towards zero
    v = (struct lineproto_value){.kind = LINEPROTO_UINT, .u64 = 1999};
    assert_true(conversion_apply(&twice, &v));
    assert_int_equal(v.u64, 1000); // cut after each factor
    v = (struct lineproto_value){.kind = LINEPROTO_INT, .i64 = 5};
    assert_false(conversion_apply(&huge, &v));
    v = (struct lineproto_value){.kind = LINEPROTO_UINT, .u64 = 5};
    assert_false(conversion_apply(&huge, &v));
    v = (struct lineproto_value){.kind = LINEPROTO_FLOAT, .f64 = 1e300};
    assert_false(conversion_apply(&huge, &v));
    v = (struct lineproto_value){.kind = LINEPROTO_FLOAT, .f64 = 1500};
    assert_true(conversion_apply(&kilo, &v));
    assert_true(v.f64 == 1.5);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_built_in_rules_run_in_any_order),
        cmocka_unit_test(test_conversion),
    };
    return TEST_MAIN(argc, argv, tests);
}
