// SPDX-License-Identifier: MIT
#include "net/nkey.h"

#include <stdint.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define SEED_LEN    58 // letters
#define SEED_BYTES  36 // 2 of prefix, 32 of seed, 2 of checksum
#define KEY_BYTES   32
#define PREFIX_SEED (18 << 3) // the letter S
#define PREFIX_USER (20 << 3) // the letter U

static uint16_t crc16(const uint8_t *bytes, size_t len)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc = (uint16_t)(crc ^ (bytes[i] << 8));
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

static int base32_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

// Whole bytes of the text; bits that are left over at the end are dropped.
static int base32_decode(struct slice text, uint8_t *out, size_t size)
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t used = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base32_digit(text.ptr[i]);
        if (digit < 0)
            return ERR_INVALID;
        bits = (bits << 5 | (uint32_t)digit) & 0xfff;
        count += 5;
        if (count < 8)
            continue;
        count -= 8;
        if (used == size)
            return ERR_INVALID;
        out[used++] = (uint8_t)(bits >> count);
    }
    return used == size ? 0 : ERR_INVALID;
}

static void base32_encode(const uint8_t *bytes, size_t len, char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < len; i++) {
        bits = (bits << 8 | bytes[i]) & 0xfff;
        for (count += 8; count >= 5; count -= 5)
            *out++ = letters[bits >> (count - 5) & 31];
    }
    if (count > 0)
        *out++ = letters[bits << (5 - count) & 31];
    *out = '\0';
}

static int public_of(const uint8_t *seed, uint8_t *ret_public)
{
    size_t len = KEY_BYTES;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_BYTES);
    bool ok = pkey && EVP_PKEY_get_raw_public_key(pkey, ret_public, &len) == 1 && len == KEY_BYTES;
    EVP_PKEY_free(pkey);
    return ok ? 0 : ERR_INTERNAL;
}

int nkey_public_from_seed(struct slice seed, char ret_public[NKEY_PUBLIC_LEN + 1], struct error *err)
{
    uint8_t raw[SEED_BYTES], key[1 + KEY_BYTES + 2] = {PREFIX_USER};
    struct slice text = slice_trim(seed);
    if (text.len != SEED_LEN || base32_decode(text, raw, sizeof(raw)) < 0)
        return error_set(err, ERR_INVALID, "this is no NKey seed");
    uint16_t crc = crc16(raw, SEED_BYTES - 2);
    unsigned kind = (raw[0] & 7u) << 5 | raw[1] >> 3;
    int rc = 0;
    if ((raw[0] & 0xf8) != PREFIX_SEED || raw[SEED_BYTES - 2] != (crc & 0xff) ||
        raw[SEED_BYTES - 1] != crc >> 8)
        rc = error_set(err, ERR_INVALID, "the NKey seed is damaged");
    else if (kind != PREFIX_USER)
        rc = error_set(err, ERR_INVALID, "the NKey seed is not that of a user");
    else if (public_of(raw + 2, key + 1) < 0)
        rc = error_set(err, ERR_INTERNAL, "cannot derive the public key");
    OPENSSL_cleanse(raw, sizeof(raw));
    if (rc < 0)
        return rc;
    crc = crc16(key, 1 + KEY_BYTES);
    key[1 + KEY_BYTES] = (uint8_t)crc;
    key[2 + KEY_BYTES] = (uint8_t)(crc >> 8);
    base32_encode(key, sizeof(key), ret_public);
    return 0;
}

struct slice nkey_find_seed(struct slice text)
{
    while (text.ptr && text.len > 0) {
        struct slice word = slice_trim(slice_split(&text, '\n'));
        if (word.len == SEED_LEN && slice_starts_with(word, SLICE_LITERAL("SU")))
            return word;
    }
    return SLICE_EMPTY;
}
