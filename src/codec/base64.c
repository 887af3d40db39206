// SPDX-License-Identifier: MIT
#include "codec/base64.h"

static const char alphabet_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// ---- decoding ---------------------------------------------------------------------------------------------

// The next sextet, line ends skipped as Go does; -1 at the end or at something else.
static int next_sextet(struct slice text, size_t *pos, const char *alphabet)
{
    while (*pos < text.len && (text.ptr[*pos] == '\n' || text.ptr[*pos] == '\r'))
        (*pos)++;
    if (*pos == text.len || !text.ptr[*pos])
        return -1;
    const char *found = strchr(alphabet, text.ptr[*pos]);
    if (!found)
        return -1;
    (*pos)++;
    return (int)(found - alphabet);
}

static int fail(struct error *err, size_t pos)
{
    return error_set_at(err, ERR_INVALID, 1, (int)pos + 1, "illegal base64 data at input byte %zu", pos);
}

// Behind the last sextet of a group of 'count': the padding that completes it, then nothing but line ends.
static int check_padding(struct slice text, size_t pos, int count, struct error *err)
{
    for (int missing = 4 - count; missing > 0; missing--) {
        while (pos < text.len && (text.ptr[pos] == '\n' || text.ptr[pos] == '\r'))
            pos++;
        if (count < 2 || pos == text.len || text.ptr[pos] != '=')
            return fail(err, pos);
        pos++;
    }
    while (pos < text.len && (text.ptr[pos] == '\n' || text.ptr[pos] == '\r'))
        pos++;
    return pos == text.len ? 0 : fail(err, pos);
}

// Unused bits of the last sextet may be anything.
static int decode(struct slice text, const char *alphabet, bool padded, struct buf *out, struct error *err)
{
    for (size_t pos = 0;;) {
        uint32_t bits = 0;
        int count = 0;
        for (int sextet; count < 4 && (sextet = next_sextet(text, &pos, alphabet)) >= 0; count++)
            bits |= (uint32_t)sextet << (18 - 6 * count);
        if (count < 4 && padded && (count > 0 || pos < text.len)) {
            int rc = check_padding(text, pos, count, err);
            if (rc < 0)
                return rc;
        }
        if (count < 4 && !padded && (pos < text.len || count == 1))
            return fail(err, pos);
        for (int i = 0; i + 1 < count; i++)
            buf_append_byte(out, (char)(bits >> (16 - 8 * i)));
        if (count < 4)
            return buf_failed(out) ? error_set(err, ERR_LIMIT, "base64 text is too long") : 0;
    }
}

int base64_decode_std(struct slice text, struct buf *out, struct error *err)
{
    return decode(text, alphabet_std, true, out, err);
}

int base64_decode_raw_url(struct slice text, struct buf *out, struct error *err)
{
    return decode(text, alphabet_url, false, out, err);
}

// ---- encoding ---------------------------------------------------------------------------------------------

static void encode(struct slice bytes, const char *alphabet, bool padded, struct buf *out)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = MIN(bytes.len - i, (size_t)3);
        uint32_t bits = 0;
        for (size_t k = 0; k < left; k++)
            bits |= (uint32_t)(unsigned char)bytes.ptr[i + k] << (16 - 8 * k);
        for (size_t k = 0; k <= left; k++)
            buf_append_byte(out, alphabet[bits >> (18 - 6 * k) & 63]);
        if (padded)
            buf_append_fill(out, '=', 3 - left);
    }
}

void base64_encode_std(struct slice bytes, struct buf *out)
{
    encode(bytes, alphabet_std, true, out);
}

void base64_encode_raw_url(struct slice bytes, struct buf *out)
{
    encode(bytes, alphabet_url, false, out);
}
