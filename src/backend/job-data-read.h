// SPDX-License-Identifier: MIT
// Reader of data.json (docs/formats/job-archive.md): a pull scanner that goes over the bytes once and keeps
// only names and numbers, because such documents reach tens of megabytes. Members may come in any order,
// unknown ones are skipped, null is a gap, and whatever stands behind the first value is ignored. Damage is
// an error with line and column; the input is foreign, so depth, counts and memory are bounded.
#ifndef BACKEND_JOB_DATA_READ_H
#define BACKEND_JOB_DATA_READ_H

#include "backend/job-data.h"

// Memory from the arena, whose maximum bounds the result (ERR_LIMIT). ERR_CORRUPT for anything that is no
// such document.
int job_data_read(struct slice text, struct arena *arena, struct job_data *ret, struct error *err) MUST_CHECK;

#endif
