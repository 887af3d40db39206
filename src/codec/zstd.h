// SPDX-License-Identifier: MIT
// Zstandard (RFC 8878) on top of libzstd; only this module includes it. A compressor keeps its work memory (about 1 MiB) from
// one buffer to the next. Used by one thread at a time.
#ifndef CODEC_ZSTD_H
#define CODEC_ZSTD_H

#include "base/buf.h"
#include "base/error.h"

struct zstd;

struct zstd *zstd_new(void);
void zstd_free(struct zstd **z);
// One frame at the library's default level, appended to *out. ERR_LIMIT: *out is full.
int zstd_compress(struct zstd *z, struct slice in, struct buf *out, struct error *err) MUST_CHECK;
// One frame that names its length, as zstd_compress writes it. ERR_LIMIT: longer than *out may become.
int zstd_decompress(struct slice in, struct buf *out, struct error *err) MUST_CHECK;

#endif
