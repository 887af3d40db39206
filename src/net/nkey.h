// SPDX-License-Identifier: MIT
// NKeys of NATS: Ed25519 keys as text. A seed is base32 (RFC 4648, no padding) of two prefix bytes, the 32 bytes of the seed and
// a CRC-16 (XMODEM, little-endian); a public key of one prefix byte, the 32 bytes of the key and the CRC.
//
//     seed    SU....  (58 letters)   bits 5+8: kind 'seed', then kind of the key (user, account, operator)
//     public  U.....  (56 letters)
#ifndef NET_NKEY_H
#define NET_NKEY_H

#include "base/error.h"
#include "base/slice.h"

#define NKEY_PUBLIC_LEN 56

// The public key that belongs to a user's seed, terminated. Blanks around the text are skipped. ERR_INVALID: no seed, one of
// another kind than user, or a wrong checksum. Texts never quote the seed.
int nkey_public_from_seed(struct slice seed, char ret_public[NKEY_PUBLIC_LEN + 1],
                          struct error *err) MUST_CHECK;
// The seed in the text of a seed file: the first word that looks like one ("SU..."), also between the lines of a credentials
// file. Empty: none.
struct slice nkey_find_seed(struct slice text);

#endif
