// SPDX-License-Identifier: MIT
// gzip (RFC 1952) on top of zlib, and the checksums of zlib; only this module includes zlib.
#ifndef CODEC_GZIP_H
#define CODEC_GZIP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

// One member, header 1f 8b 08 00 00 00 00 00 00 ff as upstream writes it. level 1..9, 0: default.
int gzip_compress(struct slice in, int level, struct buf *out, struct error *err) MUST_CHECK;
// All members; the output is bounded by the maximum of *out (ERR_LIMIT).
int gzip_decompress(struct slice in, struct buf *out, struct error *err) MUST_CHECK;
uint32_t crc32_ieee(uint32_t crc, const void *bytes, size_t len); // start with 0

#endif
