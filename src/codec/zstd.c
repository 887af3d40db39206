// SPDX-License-Identifier: MIT
#include "codec/zstd.h"

#include <zstd.h>

#include "base/mem.h"

struct zstd {
    ZSTD_CCtx *context;
};

struct zstd *zstd_new(void)
{
    struct zstd *z = NEW(struct zstd);
    z->context = ZSTD_createCCtx();
    ASSERT(z->context); // small; as all of mem.h
    return z;
}

void zstd_free(struct zstd **z)
{
    if (!*z)
        return;
    ZSTD_freeCCtx((*z)->context);
    mem_free(*z);
    *z = NULL;
}

int zstd_compress(struct zstd *z, struct slice in, struct buf *out, struct error *err)
{
    size_t bound = ZSTD_compressBound(in.len);
    size_t room = MIN(bound, out->max_bytes - out->len); // a full buffer may still hold what comes out
    char *to = room && !ZSTD_isError(bound) ? buf_reserve(out, room) : NULL;
    if (!to)
        return error_set(err, ERR_LIMIT, "zstd: no room for %zu bytes", in.len);
    size_t len = ZSTD_compressCCtx(z->context, to, room, in.ptr, in.len, ZSTD_CLEVEL_DEFAULT);
    if (ZSTD_isError(len))
        return error_set(err, ERR_LIMIT, "zstd: cannot compress %zu bytes: %s", in.len,
                         ZSTD_getErrorName(len));
    buf_commit(out, len);
    return 0;
}

int zstd_decompress(struct slice in, struct buf *out, struct error *err)
{
    unsigned long long len = ZSTD_getFrameContentSize(in.ptr, in.len);
    if (len == ZSTD_CONTENTSIZE_ERROR || len == ZSTD_CONTENTSIZE_UNKNOWN)
        return error_set(err, ERR_CORRUPT, "zstd: no frame with a length");
    if (len > out->max_bytes - out->len)
        return error_set(err, ERR_LIMIT, "zstd: more than %zu bytes", out->max_bytes);
    char *to = buf_reserve(out, MAX((size_t)len, 1));
    if (!to)
        return error_set(err, ERR_LIMIT, "zstd: no room for %llu bytes", len);
    size_t got = ZSTD_decompress(to, (size_t)len, in.ptr, in.len);
    if (ZSTD_isError(got) || got != len)
        return error_set(err, ERR_CORRUPT, "zstd: cannot decompress: %s",
                         ZSTD_isError(got) ? ZSTD_getErrorName(got) : "wrong length");
    buf_commit(out, got);
    return 0;
}
