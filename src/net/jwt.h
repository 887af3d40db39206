// SPDX-License-Identifier: MIT
// Ed25519 (EdDSA) JSON web tokens in compact form, on OpenSSL. Check order and error texts are those of the Go
// libraries behind the two upstream programs: of the metric store (spec metric-store.md 6) by default, of the backend
// (spec auth.md 9.2) for keys told so with jwt_key_use_backend_rules.
#ifndef NET_JWT_H
#define NET_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

#define JWT_MAX_ROLES 16

struct jwt_key; // Ed25519 public or private key

struct jwt_claims {
    struct slice subject;              // "" when absent or no string
    struct slice roles[JWT_MAX_ROLES]; // the first of them, if there are more
    size_t role_count;
    bool has_scope;     // claim "scope" is there, whatever it holds
    struct slice scope; // names separated by blanks (RFC 8693 4.2); "" when the claim is no string
    int64_t expires_at, not_before, issued_at; // Unix seconds; 0: absent
};

// Public key: standard Base64 of 32 bytes. ERR_INVALID for a bad alphabet or a wrong length.
int jwt_public_key_new(const char *base64, struct jwt_key **ret_key, struct error *err) MUST_CHECK;
// Private key as upstream keeps it: standard Base64 of 64 bytes (seed, then public key), or of the 32-byte
// seed.
int jwt_private_key_new(const char *base64, struct jwt_key **ret_key, struct error *err) MUST_CHECK;
void jwt_key_free(struct jwt_key **key);
// Backend: claim iat is not looked at, claim sub must be a text that is not empty, and the texts differ.
void jwt_key_use_backend_rules(struct jwt_key *key);
// A fresh random pair in the form that the two functions above read; both on the heap.
int jwt_generate_keys(char **ret_public_base64, char **ret_private_base64, struct error *err) MUST_CHECK;

// ERR_DENIED with the text that the client gets. Slices of *ret_claims lie in the arena. now_s: Unix seconds.
int jwt_verify(const struct jwt_key *key, struct slice token, int64_t now_s, struct arena *arena,
               struct jwt_claims *ret_claims, struct error *err) MUST_CHECK;
// Whether the scope claim names exactly this.
bool jwt_claims_have_scope(const struct jwt_claims *claims, struct slice name);
// Signs claims (JSON text of the object) with a private key; *ret_token on the heap.
int jwt_sign(const struct jwt_key *private_key, struct slice claims_json, char **ret_token,
             struct error *err) MUST_CHECK;

// Cache of verified tokens (1024): a hit re-checks the time claims only. When it is full, what has expired goes, else
// everything. Any thread.
struct jwt_cache;
struct jwt_cache *jwt_cache_new(const struct jwt_key *key); // key is borrowed
void jwt_cache_free(struct jwt_cache **cache);
int jwt_cache_verify(struct jwt_cache *cache, struct slice token, int64_t now_s, struct arena *arena,
                     struct jwt_claims *ret_claims, struct error *err) MUST_CHECK;

#endif
