// SPDX-License-Identifier: MIT
// Names of temperature metrics, and which sensor an override means (spec collector.md 4.12). Pure functions.
#ifndef MODEL_SENSOR_NAME_H
#define MODEL_SENSOR_NAME_H

#include <stdbool.h>

#include "base/slice.h"

#define SENSOR_NAME_SIZE 160

// The metric of a sensor from the contents of its files "name" and "temp*_label" (trimmed; empty: no such
// file). False when it has neither or the name would be too long. ret has SENSOR_NAME_SIZE bytes.
bool sensor_metric_name(struct slice chip, struct slice label, char *ret);
// The same with the first "temp" replaced: max_temp_core_0. ret has SENSOR_NAME_SIZE + 8 bytes.
void sensor_limit_name(const char *metric, const char *replacement, char *ret);
// Whether the components of 'key' ("hwmon1", "coretemp.0/hwmon") stand one after the other in 'path'. Whole
// components only: hwmon1 is not in .../hwmon10/...
bool sensor_path_has(struct slice path, struct slice key);

#endif
