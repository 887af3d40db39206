// SPDX-License-Identifier: MIT
// Base64 (RFC 4648), standard and URL alphabets. Decoding errors name the byte as Go does:
// "illegal base64 data at input byte <n>".
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include "base/buf.h"
#include "base/error.h"

int base64_decode_std(struct slice text, struct buf *out, struct error *err) MUST_CHECK; // with padding
int base64_decode_raw_url(struct slice text, struct buf *out,
                          struct error *err) MUST_CHECK; // without padding
void base64_encode_std(struct slice bytes, struct buf *out);
void base64_encode_raw_url(struct slice bytes, struct buf *out);

#endif
