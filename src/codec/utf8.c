// SPDX-License-Identifier: MIT
#include "codec/utf8.h"

#include "base/macros.h"

// By the count of leading one bits of the first byte: bits of it that count, and the least code point that
// needs so many bytes.
static const struct utf8_form {
    unsigned char prefix, prefix_mask;
    uint32_t least;
} forms[] = {{0x00, 0x80, 0}, {0xC0, 0xE0, 0x80}, {0xE0, 0xF0, 0x800}, {0xF0, 0xF8, 0x10000}};

static int is_scalar(uint32_t code_point)
{
    return code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF);
}

size_t utf8_decode(const char *ptr, size_t len, uint32_t *ret_code_point)
{
    unsigned char first = (unsigned char)ptr[0];
    size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    const struct utf8_form *form = &forms[size - 1];
    if (size > len || (first & form->prefix_mask) != form->prefix)
        return 0;
    uint32_t code_point = first & (unsigned char)~form->prefix_mask;
    for (size_t i = 1; i < size; i++) {
        unsigned char next = (unsigned char)ptr[i];
        if ((next & 0xC0) != 0x80)
            return 0;
        code_point = code_point << 6 | (next & 0x3F);
    }
    if (code_point < form->least || !is_scalar(code_point))
        return 0;
    *ret_code_point = code_point;
    return size;
}

size_t utf8_encode(uint32_t code_point, char *text)
{
    if (!is_scalar(code_point))
        code_point = UTF8_REPLACEMENT;
    size_t size = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; code_point >>= 6)
        text[i] = (char)(0x80 | (code_point & 0x3F));
    text[0] = (char)(forms[size - 1].prefix | code_point);
    return size;
}
