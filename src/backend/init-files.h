// SPDX-License-Identifier: MIT
// The option -init: a working folder to start from (spec backend.md 1.3). Sound where upstream is not: fresh
// random keys instead of published ones, .env readable by its owner only, existing files are never
// overwritten, and the configuration starts as it is.
#ifndef BACKEND_INIT_FILES_H
#define BACKEND_INIT_FILES_H

#include "base/error.h"

// Works in the current folder and prints what it did. 0 also when 'var' exists already (then nothing is
// written).
int init_files(struct error *err) MUST_CHECK;

#endif
