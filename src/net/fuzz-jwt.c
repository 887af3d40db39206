// SPDX-License-Identifier: MIT
// First byte: 0 .. the rest is a token; 1 .. it is the claims of a token that we sign; 2 .. header, claims and signature
// are the lines of the rest.
#include "base/mem.h"
#include "codec/base64.h"
#include "net/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static char *make_token(const uint8_t *bytes, size_t len, const struct jwt_key *private_key)
{
    struct slice rest = slice_of((const char *)bytes + 1, len - 1);
    struct buf token;
    char *text = NULL;

    if (bytes[0] == 1) {
        ignore_result(jwt_sign(private_key, rest, &text, NULL) < 0); // too long: no token
        return text;
    }
    if (bytes[0] != 2)
        return slice_to_cstr(rest);
    buf_init(&token, 1 << 20);
    for (int i = 0; i < 3; i++) {
        if (i > 0)
            buf_append_byte(&token, '.');
        base64_encode_raw_url(rest.ptr ? slice_split(&rest, '\n') : SLICE_EMPTY, &token);
    }
    text = slice_to_cstr(buf_slice(&token));
    buf_release(&token);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct jwt_key *private_key = NULL, *public_key = NULL;
    struct jwt_claims claims, again;

    if (len == 0)
        return 0;
    ASSERT(jwt_private_key_new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &private_key, NULL) == 0);
    ASSERT(jwt_public_key_new("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=", &public_key, NULL) == 0);
    if (len % 2)
        jwt_key_use_backend_rules(public_key);
    char *token = make_token(bytes, len, private_key);
    struct jwt_cache *cache = jwt_cache_new(public_key);
    struct arena *arena = arena_new((size_t)64 << 20);
    if (token) {
        struct slice text = slice_from_cstr(token);
        struct error err = ERROR_INIT;
        int ret = jwt_cache_verify(cache, text, 1763000000, arena, &claims, &err);

        ASSERT(ret == 0 || (ret == ERR_DENIED && err.text[0] != '\0'));
        if (ret == 0) { // a hit says the same
            ASSERT(jwt_cache_verify(cache, text, 1763000000, arena, &again, NULL) == 0);
            ASSERT(slice_eq(claims.subject, again.subject) && claims.role_count == again.role_count);
            ASSERT(claims.has_scope == again.has_scope && slice_eq(claims.scope, again.scope));
        }
    }
    mem_free(token);
    arena_free(&arena);
    jwt_cache_free(&cache);
    jwt_key_free(&private_key);
    jwt_key_free(&public_key);
    return 0;
}
