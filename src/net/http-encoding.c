// SPDX-License-Identifier: MIT
#include "net/http-private.h"

// Whether the weight in the parameters behind a coding (";q=0.5") is zero. What cannot be read counts as 1.
static bool weight_is_zero(struct slice params)
{
    while (params.ptr) {
        struct slice param = slice_trim(slice_split(&params, ';'));
        struct slice name = slice_trim(slice_split(&param, '='));
        struct slice value = slice_trim(param.ptr ? param : SLICE_EMPTY);

        if (!slice_eq_ignore_case(name, SLICE_LITERAL("q")) || value.len == 0 || value.ptr[0] != '0')
            continue;
        for (size_t i = 1; i < value.len; i++)
            if (value.ptr[i] != '0' && value.ptr[i] != '.')
                return false;
        return true;
    }
    return false;
}

bool http_accepts_gzip(const char *accept_encoding)
{
    struct slice rest = slice_from_cstr(accept_encoding);
    bool any = false; // what "*" says, for want of gzip itself

    while (rest.ptr && rest.len > 0) {
        struct slice params = slice_split(&rest, ',');
        struct slice coding = slice_trim(slice_split(&params, ';'));

        if (slice_eq_ignore_case(coding, SLICE_LITERAL("gzip")) ||
            slice_eq_ignore_case(coding, SLICE_LITERAL("x-gzip")))
            return !weight_is_zero(params);
        if (slice_eq(coding, SLICE_LITERAL("*")))
            any = !weight_is_zero(params);
    }
    return any;
}

bool http_is_compressible(const char *content_type)
{
    static const char *const types[] = {"application/json",
                                        "application/javascript",
                                        "application/xml",
                                        "application/graphql-response+json",
                                        "application/manifest+json",
                                        "application/openmetrics-text",
                                        "image/svg+xml"};
    struct slice rest = slice_from_cstr(content_type);
    struct slice type = slice_trim(slice_split(&rest, ';'));

    if (type.len > 5 && slice_eq_ignore_case(slice_of(type.ptr, 5), SLICE_LITERAL("text/")))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (slice_eq_ignore_case(type, slice_from_cstr(types[i])))
            return true;
    return false;
}
