// SPDX-License-Identifier: MIT
// Interning: each distinct text gets a small number and lives once, until the table goes. Numbers start at 0
// and have no gaps. intern_find and intern_text may run beside one intern_add (readers take a read lock inside).
#ifndef BASE_INTERN_H
#define BASE_INTERN_H

#include <stdint.h>

#include "base/slice.h"

#define INTERN_NONE UINT32_MAX

struct intern;

struct intern *intern_new(void);
void intern_free(struct intern **table);
uint32_t intern_add(struct intern *table, struct slice text);        // existing number or a new one
uint32_t intern_find(const struct intern *table, struct slice text); // INTERN_NONE when absent
struct slice intern_text(const struct intern *table, uint32_t id);   // valid for the life of the table
uint32_t intern_count(const struct intern *table);
size_t intern_memory_bytes(const struct intern *table);

#endif
