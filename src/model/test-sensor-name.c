// SPDX-License-Identifier: MIT
#include "model/sensor-name.h"

#include "base/testing.h"

// Table of collector.md 4.12.
static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *chip, *label, *metric, *max;
    } cases[] = {
        {"coretemp", "Package id 0", "temp_package_id_0", "max_temp_package_id_0"},
        {"coretemp", "Core 3", "temp_core_3", "max_temp_core_3"},
        {"coretemp", "Other", "coretemp_other", "coremax_temp_other"},
        {"k10temp", "Tctl", "k10temp_tctl", "k10max_temp_tctl"},
        {"nvme", "Composite", "temp_nvme_composite", "max_temp_nvme_composite"},
        {"acpitz", "", "temp_acpitz", "max_temp_acpitz"},
        {"amdgpu", "edge", "temp_amdgpu_edge", "max_temp_amdgpu_edge"},
        {"", "Loose Label", "temp_loose_label", "max_temp_loose_label"},
        {"", "", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[SENSOR_NAME_SIZE] = "", max[SENSOR_NAME_SIZE + 8];
        bool found =
            sensor_metric_name(slice_from_cstr(cases[i].chip), slice_from_cstr(cases[i].label), name);
        if (found != (cases[i].metric != NULL) || (found && strcmp(name, cases[i].metric) != 0))
            fail_msg("'%s' '%s' gives '%s'", cases[i].chip, cases[i].label, name);
        if (!found)
            continue;
        sensor_limit_name(name, "max_temp", max);
        if (strcmp(max, cases[i].max) != 0)
            fail_msg("'%s' gives '%s'", name, max);
    }
}

static void test_long_names_are_refused(void **state)
{
    (void)state;
    char text[400], name[SENSOR_NAME_SIZE];
    memset(text, 'x', sizeof(text));
    assert_false(sensor_metric_name(slice_of(text, sizeof(text)), SLICE_EMPTY, name));
    assert_true(sensor_metric_name(slice_of(text, SENSOR_NAME_SIZE - 8), SLICE_EMPTY, name));
}

static void test_path_components(void **state)
{
    (void)state;
    static const struct {
        const char *path, *key;
        bool has;
    } cases[] = {
        {"sys/class/hwmon/hwmon1/temp1_input", "hwmon1", true},
        {"sys/class/hwmon/hwmon10/temp1_input", "hwmon1", false},
        {"sys/class/hwmon/hwmon1/temp1_input", "/sys/class/hwmon/hwmon1/", true},
        {"sys/class/hwmon/hwmon1/temp1_input", "temp1_input", true},
        {"sys/class/hwmon/hwmon1/temp1_input", "temp1", false},
        {"sys/class/hwmon/hwmon1/temp1_input", "hwmon1/temp1_input", true},
        {"a", "", false},
        {"", "a", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (sensor_path_has(slice_from_cstr(cases[i].path), slice_from_cstr(cases[i].key)) != cases[i].has)
            fail_msg("'%s' in '%s' is not %d", cases[i].key, cases[i].path, cases[i].has);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_names_are_refused),
        cmocka_unit_test(test_path_components),
    };
    return TEST_MAIN(argc, argv, tests);
}
