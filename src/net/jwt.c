// SPDX-License-Identifier: MIT
#include "net/jwt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "base/hashmap.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/json.h"

#define KEY_BYTES       32
#define SIGNATURE_BYTES 64
#define MAX_TOKEN_BYTES ((size_t)64 << 10)
#define CACHE_ENTRIES   1024
#define HEADER_JSON     "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}"

enum rules { RULES_STORE, RULES_BACKEND };

struct jwt_key {
    EVP_PKEY *pkey;
    enum rules rules;
};

// ---- texts ------------------------------------------------------------------------------------------------

enum failure {
    BAD_SEGMENTS,
    BAD_BEARER,
    BAD_HEADER_BASE64,
    BAD_HEADER_JSON,
    BAD_CLAIMS_BASE64,
    BAD_CLAIMS_JSON,
    ALG_UNSPECIFIED,
    ALG_UNAVAILABLE,
    ALG_OTHER,
    BAD_SIGNATURE_BASE64,
    BAD_SIGNATURE,
    EXPIRED,
    ISSUED_LATER,
    NOT_YET_VALID,
    NO_SUBJECT,
};

// What stands before the detail (the decoder's message), by rules.
static const char *const failure_texts[][2] = {
    [BAD_SEGMENTS] = {"token contains an invalid number of segments",
                      "token is malformed: token contains an invalid number of segments"},
    [BAD_BEARER] = {"tokenstring should not contain 'bearer '",
                    "token is malformed: tokenstring should not contain 'bearer '"},
    [BAD_HEADER_BASE64] = {"", "token is malformed: could not base64 decode header: "},
    [BAD_HEADER_JSON] = {"", "token is malformed: could not JSON decode header: "},
    [BAD_CLAIMS_BASE64] = {"", "token is malformed: could not base64 decode claim: "},
    [BAD_CLAIMS_JSON] = {"", "token is malformed: could not JSON decode claim: "},
    [ALG_UNSPECIFIED] = {"signing method (alg) is unspecified.",
                         "token is unverifiable: signing method (alg) is unspecified"},
    [ALG_UNAVAILABLE] = {"signing method (alg) is unavailable.",
                         "token is unverifiable: signing method (alg) is unavailable"},
    [ALG_OTHER] = {"only Ed25519/EdDSA supported",
                   "token is unverifiable: error while executing keyfunc: only Ed25519/EdDSA supported"},
    [BAD_SIGNATURE_BASE64] = {"", "token is malformed: could not base64 decode signature: "},
    [BAD_SIGNATURE] = {"ed25519: verification error",
                       "token signature is invalid: ed25519: verification error"},
    [EXPIRED] = {"Token is expired", "token has invalid claims: token is expired"},
    [ISSUED_LATER] = {"Token used before issued", "token has invalid claims: token used before issued"},
    [NOT_YET_VALID] = {"Token is not valid yet", "token has invalid claims: token is not valid yet"},
    [NO_SUBJECT] = {"missing 'sub' claim in JWT", "missing 'sub' claim in JWT"},
};

static int refuse(struct error *err, enum rules rules, enum failure why, const char *detail)
{
    return error_set(err, ERR_DENIED, "%s%s", failure_texts[why][rules], detail ? detail : "");
}

// ---- keys -------------------------------------------------------------------------------------------------

static struct jwt_key *wrap_key(EVP_PKEY *pkey)
{
    ASSERT(pkey); // raw keys of the right length fail only when memory is out
    struct jwt_key *key = NEW(struct jwt_key);
    key->pkey = pkey;
    return key;
}

int jwt_public_key_new(const char *base64, struct jwt_key **ret_key, struct error *err)
{
    struct buf raw;

    buf_init(&raw, 4096);
    int ret = base64_decode_std(slice_from_cstr(base64), &raw, err);
    if (ret == 0 && (buf_failed(&raw) || raw.len != KEY_BYTES))
        ret = error_set(err, ERR_INVALID, "an Ed25519 public key has %d bytes, not %zu", KEY_BYTES, raw.len);
    if (ret == 0)
        *ret_key = wrap_key(
            EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)raw.ptr, KEY_BYTES));
    buf_release(&raw);
    return ret;
}

static void raw_public_key(EVP_PKEY *pkey, unsigned char *ret)
{
    size_t len = KEY_BYTES;

    ASSERT(EVP_PKEY_get_raw_public_key(pkey, ret, &len) == 1 && len == KEY_BYTES);
}

int jwt_private_key_new(const char *base64, struct jwt_key **ret_key, struct error *err)
{
    unsigned char public_key[KEY_BYTES];
    struct buf raw;

    buf_init(&raw, 4096);
    int ret = base64_decode_std(slice_from_cstr(base64), &raw, err);
    if (ret == 0 && (buf_failed(&raw) || (raw.len != KEY_BYTES && raw.len != 2 * KEY_BYTES)))
        ret = error_set(err, ERR_INVALID, "an Ed25519 private key has %d or %d bytes, not %zu", KEY_BYTES,
                        2 * KEY_BYTES, raw.len);
    if (ret < 0)
        goto out;
    struct jwt_key *key = wrap_key(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)raw.ptr, KEY_BYTES));
    raw_public_key(key->pkey, public_key);
    if (raw.len == 2 * KEY_BYTES && memcmp(raw.ptr + KEY_BYTES, public_key, KEY_BYTES) != 0) {
        jwt_key_free(&key);
        ret = error_set(err, ERR_INVALID, "the two halves of the Ed25519 private key do not belong together");
        goto out;
    }
    *ret_key = key;
out:
    if (raw.ptr)
        OPENSSL_cleanse(raw.ptr, raw.cap);
    buf_release(&raw);
    return ret;
}

void jwt_key_free(struct jwt_key **key)
{
    if (!*key)
        return;
    EVP_PKEY_free((*key)->pkey);
    mem_free(*key);
    *key = NULL;
}

void jwt_key_use_backend_rules(struct jwt_key *key)
{
    key->rules = RULES_BACKEND;
}

static char *to_base64(const unsigned char *bytes, size_t len)
{
    struct buf text;
    char *copy;

    buf_init(&text, 1024);
    base64_encode_std(slice_of((const char *)bytes, len), &text);
    copy = slice_to_cstr(buf_slice(&text));
    OPENSSL_cleanse(text.ptr, text.len);
    buf_release(&text);
    return copy;
}

int jwt_generate_keys(char **ret_public_base64, char **ret_private_base64, struct error *err)
{
    unsigned char both[2 * KEY_BYTES];

    if (RAND_priv_bytes(both, KEY_BYTES) != 1)
        return error_set(err, ERR_IO, "no random numbers to be had");
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, both, KEY_BYTES);
    ASSERT(pkey);
    raw_public_key(pkey, both + KEY_BYTES);
    EVP_PKEY_free(pkey);
    *ret_public_base64 = to_base64(both + KEY_BYTES, KEY_BYTES);
    *ret_private_base64 = to_base64(both, sizeof(both));
    OPENSSL_cleanse(both, sizeof(both));
    return 0;
}

// ---- verification -----------------------------------------------------------------------------------------

struct parsed {
    struct slice segments[3], signed_part;
    struct buf header, claims, signature; // decoded
    struct json_doc *header_doc, *claims_doc;
};

static bool begins_with_bearer(struct slice token)
{
    struct slice bearer = SLICE_LITERAL("bearer ");

    return token.len >= bearer.len && slice_eq_ignore_case(slice_of(token.ptr, bearer.len), bearer);
}

static int split_token(struct slice token, struct parsed *p, enum rules rules, struct error *err)
{
    struct slice rest = token;
    size_t count = 0;

    if (token.len > MAX_TOKEN_BYTES)
        return error_set(err, ERR_DENIED, "token is too long");
    while (rest.ptr && count < 3)
        p->segments[count++] = slice_split(&rest, '.');
    if (count != 3 || rest.ptr)
        return refuse(err, rules, BAD_SEGMENTS, NULL);
    p->signed_part = slice_of(token.ptr, token.len - p->segments[2].len - 1);
    return 0;
}

static int decode_segment(struct slice text, struct buf *out, enum rules rules, enum failure why,
                          struct error *err)
{
    struct error cause = ERROR_INIT;

    buf_init(out, MAX_TOKEN_BYTES);
    if (base64_decode_raw_url(text, out, &cause) < 0)
        return refuse(err, rules, why, cause.text);
    return 0;
}

static struct slice without_blanks(struct slice text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[0]) && text.ptr[0])
        text = slice_skip(text, 1);
    return text;
}

// The value must be an object or null. Go's Unmarshal (header) wants nothing behind it, its Decoder (claims) does
// not look, and they word a premature end differently.
static int parse_object(struct slice text, bool is_header, struct json_doc **ret_doc, enum rules rules,
                        enum failure why, struct error *err)
{
    struct error cause = ERROR_INIT;
    char type_error[128];

    if (json_parse(text.len ? text : SLICE_EMPTY, ret_doc, &cause) < 0) {
        bool cut = strcmp(cause.text, "EOF") == 0 || strcmp(cause.text, "unexpected EOF") == 0;

        return refuse(err, rules, why, is_header && cut ? "unexpected end of JSON input" : cause.text);
    }
    const struct json_value *root = json_root(*ret_doc);
    enum json_type type = json_type(root);
    if (type != JSON_OBJECT && type != JSON_NULL) {
        const char *name = type == JSON_INT || type == JSON_REAL ? "number"
                           : type == JSON_BOOL                   ? "bool"
                                                                 : json_type_name(root);

        snprintf(type_error, sizeof(type_error), "json: cannot unmarshal %s into Go value of type %s", name,
                 is_header ? "map[string]interface {}" : "jwt.MapClaims");
        return refuse(err, rules, why, type_error);
    }
    size_t blanks = text.len - without_blanks(text).len;
    struct slice behind =
        slice_skip(text, blanks + json_source(root).len); // the document has a copy of its own
    if (is_header && slice_trim(behind).len > 0) {
        snprintf(type_error, sizeof(type_error), "invalid character '%c' after top-level value",
                 slice_trim(behind).ptr[0]);
        return refuse(err, rules, why, type_error);
    }
    return 0;
}

static int check_algorithm(const struct json_doc *header, enum rules rules, struct error *err)
{
    static const char *const known[] = {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256",
                                        "ES384", "ES512", "PS256", "PS384", "PS512", "none"};
    const struct json_value *alg = json_get(json_root(header), "alg");

    if (json_type(alg) != JSON_STRING)
        return refuse(err, rules, ALG_UNSPECIFIED, NULL);
    if (slice_eq_cstr(json_string(alg), "EdDSA"))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (slice_eq_cstr(json_string(alg), known[i]))
            return refuse(err, rules, ALG_OTHER, NULL);
    return refuse(err, rules, ALG_UNAVAILABLE, NULL);
}

static bool signature_is_valid(EVP_PKEY *pkey, struct slice message, struct slice signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    ASSERT(ctx);
    bool valid = signature.len == SIGNATURE_BYTES && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
                 EVP_DigestVerify(ctx, (const unsigned char *)signature.ptr, signature.len,
                                  (const unsigned char *)message.ptr, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    return valid;
}

enum time_claim { TIME_ABSENT, TIME_NUMBER, TIME_INVALID };

// Fractions are cut, 0 counts as absent, anything but a number violates the claim.
static enum time_claim read_time(const struct json_value *claims, const char *name, int64_t *ret)
{
    const struct json_value *v = json_get(claims, name);

    if (!v)
        return TIME_ABSENT;
    if (json_type(v) != JSON_INT && json_type(v) != JSON_REAL)
        return TIME_INVALID;
    double d = json_double(v, 0);
    if (d == 0)
        return TIME_ABSENT;
    if (json_type(v) == JSON_INT)
        *ret = json_int(v, 0);
    else
        *ret = d >= 9.2e18 ? INT64_MAX : d <= -9.2e18 ? INT64_MIN : (int64_t)d;
    return TIME_NUMBER;
}

// The last violated of exp, iat, nbf is told by the store; the backend tells exp and nbf, iat it does not look at.
static int time_verdict(bool expired, bool issued_later, bool not_yet, enum rules rules, struct error *err)
{
    if (rules == RULES_BACKEND && expired && not_yet)
        return refuse(err, rules, EXPIRED, ", token is not valid yet");
    if (not_yet)
        return refuse(err, rules, NOT_YET_VALID, NULL);
    if (issued_later && rules == RULES_STORE)
        return refuse(err, rules, ISSUED_LATER, NULL);
    return expired ? refuse(err, rules, EXPIRED, NULL) : 0;
}

static int check_times(const struct json_value *root, int64_t now_s, struct jwt_claims *ret, enum rules rules,
                       struct error *err)
{
    enum time_claim exp = read_time(root, "exp", &ret->expires_at);
    enum time_claim iat = read_time(root, "iat", &ret->issued_at);
    enum time_claim nbf = read_time(root, "nbf", &ret->not_before);

    return time_verdict(exp == TIME_INVALID || (exp == TIME_NUMBER && ret->expires_at <= now_s),
                        iat == TIME_INVALID || (iat == TIME_NUMBER && ret->issued_at > now_s),
                        nbf == TIME_INVALID || (nbf == TIME_NUMBER && ret->not_before > now_s), rules, err);
}

static void read_claims(const struct json_value *root, struct arena *arena, struct jwt_claims *ret)
{
    const struct json_value *roles = json_get(root, "roles");
    const struct json_value *scope = json_get(root, "scope");

    ret->has_scope = scope != NULL;
    ret->scope = arena_copy(arena, json_string(scope));
    ret->subject = arena_copy(arena, json_string(json_get(root, "sub")));
    for (size_t i = 0; i < json_count(roles) && ret->role_count < JWT_MAX_ROLES; i++)
        if (json_type(json_at(roles, i)) == JSON_STRING)
            ret->roles[ret->role_count++] = arena_copy(arena, json_string(json_at(roles, i)));
}

bool jwt_claims_have_scope(const struct jwt_claims *claims, struct slice name)
{
    struct slice rest = claims->scope;

    while (rest.ptr)
        if (slice_eq(slice_split(&rest, ' '), name))
            return true;
    return false;
}

static int verify_parsed(const struct jwt_key *key, struct parsed *p, int64_t now_s, struct arena *arena,
                         struct jwt_claims *ret_claims, struct error *err)
{
    struct jwt_claims claims = {.role_count = 0};
    enum rules rules = key->rules;
    int ret = decode_segment(p->segments[0], &p->header, rules, BAD_HEADER_BASE64, err);

    if (ret == 0)
        ret = parse_object(buf_slice(&p->header), true, &p->header_doc, rules, BAD_HEADER_JSON, err);
    if (ret == 0)
        ret = decode_segment(p->segments[1], &p->claims, rules, BAD_CLAIMS_BASE64, err);
    if (ret == 0)
        ret = parse_object(buf_slice(&p->claims), false, &p->claims_doc, rules, BAD_CLAIMS_JSON, err);
    if (ret == 0)
        ret = check_algorithm(p->header_doc, rules, err);
    if (ret == 0)
        ret = decode_segment(p->segments[2], &p->signature, rules, BAD_SIGNATURE_BASE64, err);
    if (ret == 0 && !signature_is_valid(key->pkey, p->signed_part, buf_slice(&p->signature)))
        ret = refuse(err, rules, BAD_SIGNATURE, NULL);
    if (ret == 0)
        ret = check_times(json_root(p->claims_doc), now_s, &claims, rules, err);
    if (ret < 0)
        return ret;
    read_claims(json_root(p->claims_doc), arena, &claims);
    if (rules == RULES_BACKEND && claims.subject.len == 0)
        return refuse(err, rules, NO_SUBJECT, NULL);
    *ret_claims = claims;
    return 0;
}

int jwt_verify(const struct jwt_key *key, struct slice token, int64_t now_s, struct arena *arena,
               struct jwt_claims *ret_claims, struct error *err)
{
    struct parsed p = {.header_doc = NULL};
    struct error cause = ERROR_INIT;
    int ret = split_token(token, &p, key->rules, &cause);

    if (ret == 0)
        ret = verify_parsed(key, &p, now_s, arena, ret_claims, &cause);
    // a token that was given together with its scheme is told so wherever the decoding of the first two parts fails
    if (ret < 0 && begins_with_bearer(token) && key->rules == RULES_STORE &&
        strncmp(cause.text, "illegal base64", 14) == 0)
        ret = refuse(&cause, key->rules, BAD_BEARER, NULL);
    if (ret < 0 && err)
        *err = cause;
    json_doc_free(&p.header_doc);
    json_doc_free(&p.claims_doc);
    buf_release(&p.header);
    buf_release(&p.claims);
    buf_release(&p.signature);
    return ret;
}

// ---- signing ----------------------------------------------------------------------------------------------

int jwt_sign(const struct jwt_key *private_key, struct slice claims_json, char **ret_token, struct error *err)
{
    unsigned char signature[SIGNATURE_BYTES];
    size_t len = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct buf token;

    ASSERT(ctx);
    buf_init(&token, MAX_TOKEN_BYTES);
    base64_encode_raw_url(SLICE_LITERAL(HEADER_JSON), &token);
    buf_append_byte(&token, '.');
    base64_encode_raw_url(claims_json, &token);
    bool ok = EVP_DigestSignInit(ctx, NULL, NULL, NULL, private_key->pkey) == 1 &&
              EVP_DigestSign(ctx, signature, &len, (const unsigned char *)token.ptr, token.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (ok) {
        buf_append_byte(&token, '.');
        base64_encode_raw_url(slice_of((const char *)signature, len), &token);
    }
    int ret = !ok                  ? error_set(err, ERR_INVALID, "the key cannot sign: it is no private key")
              : buf_failed(&token) ? error_set(err, ERR_LIMIT, "token is too long")
                                   : 0;
    if (ret == 0)
        *ret_token = slice_to_cstr(buf_slice(&token));
    buf_release(&token);
    return ret;
}

// ---- cache ------------------------------------------------------------------------------------------------

struct cached {
    struct slice token;       // lies behind the struct, as do the texts of the claims
    struct jwt_claims claims; // of a token that was valid once
};

struct jwt_cache {
    const struct jwt_key *key; // borrowed
    pthread_mutex_t lock;      // guards what follows; nothing slow runs under it
    struct hashmap *by_token;
    struct cached *entries[CACHE_ENTRIES];
    size_t count;
};

struct jwt_cache *jwt_cache_new(const struct jwt_key *key)
{
    struct jwt_cache *cache = NEW(struct jwt_cache);

    cache->key = key;
    cache->by_token = hashmap_new();
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void drop_all(struct jwt_cache *cache)
{
    hashmap_clear(cache->by_token);
    for (size_t i = 0; i < cache->count; i++)
        mem_free(cache->entries[i]);
    cache->count = 0;
}

void jwt_cache_free(struct jwt_cache **cache)
{
    if (!*cache)
        return;
    drop_all(*cache);
    hashmap_free(&(*cache)->by_token);
    pthread_mutex_destroy(&(*cache)->lock);
    mem_free(*cache);
    *cache = NULL;
}

static bool times_hold(const struct jwt_claims *c, int64_t now_s, enum rules rules)
{
    return time_verdict(c->expires_at != 0 && c->expires_at <= now_s, c->issued_at > now_s,
                        c->not_before > now_s, rules, NULL) == 0;
}

static void drop_entry(struct jwt_cache *cache, size_t index)
{
    hashmap_remove(cache->by_token, cache->entries[index]->token);
    mem_free(cache->entries[index]);
    cache->entries[index] = cache->entries[--cache->count];
}

static void make_room(struct jwt_cache *cache, int64_t now_s)
{
    if (cache->count < CACHE_ENTRIES)
        return;
    for (size_t i = cache->count; i-- > 0;)
        if (!times_hold(&cache->entries[i]->claims, now_s, cache->key->rules))
            drop_entry(cache, i);
    if (cache->count == CACHE_ENTRIES)
        drop_all(cache);
}

static struct slice put_text(char **at, struct slice text)
{
    struct slice copy = slice_of(*at, text.len);

    memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

static void remember(struct jwt_cache *cache, struct slice token, const struct jwt_claims *claims,
                     int64_t now_s)
{
    size_t bytes = token.len + claims->subject.len + claims->scope.len;

    for (size_t i = 0; i < claims->role_count; i++)
        bytes += claims->roles[i].len;
    struct cached *entry = mem_alloc(sizeof(*entry) + bytes);
    char *at = (char *)(entry + 1);
    entry->token = put_text(&at, token);
    entry->claims = *claims;
    entry->claims.subject = put_text(&at, claims->subject);
    entry->claims.scope = put_text(&at, claims->scope);
    for (size_t i = 0; i < claims->role_count; i++)
        entry->claims.roles[i] = put_text(&at, claims->roles[i]);

    pthread_mutex_lock(&cache->lock);
    make_room(cache, now_s);
    if (hashmap_has(cache->by_token, token)) { // another thread was faster
        mem_free(entry);
    } else {
        cache->entries[cache->count++] = entry;
        hashmap_put(cache->by_token, entry->token, entry);
    }
    pthread_mutex_unlock(&cache->lock);
}

// An entry whose time claims do not hold any more is left to make_room: verifying again tells why.
static bool recall(struct jwt_cache *cache, struct slice token, int64_t now_s, struct arena *arena,
                   struct jwt_claims *ret)
{
    pthread_mutex_lock(&cache->lock);
    const struct cached *entry = hashmap_get(cache->by_token, token);
    bool hit = entry && times_hold(&entry->claims, now_s, cache->key->rules);
    if (hit) {
        *ret = entry->claims;
        ret->subject = arena_copy(arena, ret->subject); // the entry may go as soon as the lock is open
        ret->scope = arena_copy(arena, ret->scope);
        for (size_t i = 0; i < ret->role_count; i++)
            ret->roles[i] = arena_copy(arena, ret->roles[i]);
    }
    pthread_mutex_unlock(&cache->lock);
    return hit;
}

int jwt_cache_verify(struct jwt_cache *cache, struct slice token, int64_t now_s, struct arena *arena,
                     struct jwt_claims *ret_claims, struct error *err)
{
    struct jwt_claims claims;

    if (recall(cache, token, now_s, arena, ret_claims))
        return 0;
    int ret = jwt_verify(cache->key, token, now_s, arena, &claims, err);
    if (ret < 0)
        return ret;
    remember(cache, token, &claims, now_s);
    *ret_claims = claims;
    return 0;
}
