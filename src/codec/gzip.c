// SPDX-License-Identifier: MIT
#include "codec/gzip.h"

#include <limits.h>
#include <zlib.h>

#define WINDOW_BITS  15
#define GZIP_WRAPPER 16 // added to the window bits: gzip header and trailer
#define STEP_BYTES   ((size_t)64 << 10)

uint32_t crc32_ieee(uint32_t crc, const void *bytes, size_t len)
{
    return (uint32_t)crc32_z(crc, bytes, len);
}

static int zlib_error(struct error *err, const char *what, int code, const z_stream *z)
{
    enum error_code kind = code == Z_MEM_ERROR ? ERR_LIMIT : ERR_CORRUPT;
    return error_set(err, kind, "gzip: cannot %s: %s", what, z->msg ? z->msg : zError(code));
}

// zlib counts input in 32 bits.
static void feed(z_stream *z, struct slice *in)
{
    if (z->avail_in > 0 || in->len == 0)
        return;
    size_t part = MIN(in->len, (size_t)INT_MAX);
    z->next_in = (Bytef *)(uintptr_t)in->ptr; // zlib does not write there
    z->avail_in = (uInt)part;
    *in = slice_skip(*in, part);
}

// The room left in *out, at least one byte; NULL when it is full.
static char *output_room(struct buf *out, size_t *ret_len)
{
    *ret_len = MIN(STEP_BYTES, out->max_bytes > out->len ? out->max_bytes - out->len : 0);
    return *ret_len ? buf_reserve(out, *ret_len) : NULL;
}

static int too_long(struct buf *out, struct error *err)
{
    return error_set(err, ERR_LIMIT, "gzip: more than %zu bytes", out->max_bytes);
}

static int deflate_all(z_stream *z, struct slice in, struct buf *out, struct error *err)
{
    int code = Z_OK;
    while (code != Z_STREAM_END) {
        feed(z, &in);
        size_t room;
        char *to = output_room(out, &room);
        if (!to)
            return too_long(out, err);
        z->next_out = (Bytef *)to;
        z->avail_out = (uInt)room;
        code = deflate(z, in.len ? Z_NO_FLUSH : Z_FINISH);
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return zlib_error(err, "compress", code, z);
        buf_commit(out, room - z->avail_out);
    }
    return 0;
}

int gzip_compress(struct slice in, int level, struct buf *out, struct error *err)
{
    z_stream z = {0};
    int code = deflateInit2(&z, level > 0 ? level : Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                            WINDOW_BITS + GZIP_WRAPPER, 8, Z_DEFAULT_STRATEGY);
    if (code != Z_OK)
        return zlib_error(err, "start", code, &z);
    gz_header header = {.os = 255}; // unknown system, no name, no time
    deflateSetHeader(&z, &header);
    size_t start = out->len;
    int rc = deflate_all(&z, in, out, err);
    deflateEnd(&z);
    // zlib notes the level in the extra flags (0: default, 2: best, 4: fastest); upstream's files have 0
    // there.
    if (rc == 0 && out->len > start + 8)
        out->ptr[start + 8] = 0;
    return rc;
}

// Reads members until the input is used up. At least one is needed.
static int inflate_all(z_stream *z, struct slice in, struct buf *out, struct error *err)
{
    int code = Z_OK;
    for (;;) {
        feed(z, &in);
        size_t room;
        char *to = output_room(out, &room);
        char beyond; // when the output is full only a stream that ends here is right
        z->next_out = (Bytef *)(to ? to : &beyond);
        z->avail_out = to ? (uInt)room : 1;
        code = inflate(z, Z_NO_FLUSH);
        if (code == Z_OK || code == Z_STREAM_END) {
            if (!to && z->avail_out == 0)
                return too_long(out, err);
            buf_commit(out, to ? room - z->avail_out : 0);
        }
        if (code == Z_STREAM_END && z->avail_in == 0 && in.len == 0)
            return 0;
        if (code == Z_STREAM_END)
            code = inflateReset(z);
        if (code == Z_BUF_ERROR || (code == Z_OK && z->avail_in == 0 && in.len == 0 && z->avail_out > 0))
            return error_set(err, ERR_CORRUPT, "gzip: unexpected end of data");
        if (code != Z_OK)
            return zlib_error(err, "decompress", code, z);
    }
}

int gzip_decompress(struct slice in, struct buf *out, struct error *err)
{
    if (in.len == 0)
        return error_set(err, ERR_CORRUPT, "gzip: unexpected end of data");
    z_stream z = {0};
    int code = inflateInit2(&z, WINDOW_BITS + GZIP_WRAPPER);
    if (code != Z_OK)
        return zlib_error(err, "start", code, &z);
    int rc = inflate_all(&z, in, out, err);
    inflateEnd(&z);
    return rc;
}
