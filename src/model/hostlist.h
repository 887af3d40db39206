// SPDX-License-Identifier: MIT
// Host lists: "emmy[01-99],fritz[005-500]" (spec: job-archive.md 3.5). Matching tries all ranges and expansion is
// complete, where upstream is not.
#ifndef MODEL_HOSTLIST_H
#define MODEL_HOSTLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

#define HOSTLIST_EXPAND_MAX 1000000 // names

struct hostlist;

// Error texts are upstream's: "ARCHIVE/NODELIST > unclosed '['", ...
int hostlist_parse(struct slice text, struct hostlist **ret_list, struct error *err) MUST_CHECK;
void hostlist_free(struct hostlist **list);
bool hostlist_contains(const struct hostlist *list, struct slice host);
size_t hostlist_count(const struct hostlist *list); // product over brackets, summed over terms
// Names in order, on the heap; free with hostlist_names_free.
int hostlist_expand(const struct hostlist *list, char ***ret_names, size_t *ret_count,
                    struct error *err) MUST_CHECK;
void hostlist_names_free(char ***names, size_t count);

#endif
