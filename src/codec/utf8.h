// SPDX-License-Identifier: MIT
// UTF-8, one code point at a time (RFC 3629: shortest forms only, no surrogates, up to U+10FFFF). Pure
// functions.
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xFFFDu // what stands for bytes that are no UTF-8

// Decodes the code point at 'ptr' (len > 0 bytes may be read) and returns its length in bytes, or 0 when the
// bytes there are no UTF-8; the caller then replaces one byte, as Go does.
size_t utf8_decode(const char *ptr, size_t len, uint32_t *ret_code_point);
// Writes 1 to 4 bytes to 'text' and returns their number. Surrogates and numbers beyond U+10FFFF are written
// as U+FFFD.
size_t utf8_encode(uint32_t code_point, char *text);

#endif
