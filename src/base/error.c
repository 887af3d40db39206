// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void set_text(struct error *err, enum error_code code, int line, int column, const char *fmt,
                     va_list args) __attribute__((format(printf, 5, 0)));

// The text is made aside first: arguments may point into err->text.
static void set_text(struct error *err, enum error_code code, int line, int column, const char *fmt,
                     va_list args)
{
    char text[ERROR_TEXT_SIZE];

    vsnprintf(text, sizeof(text), fmt, args);
    memcpy(err->text, text, strlen(text) + 1);
    err->code = code;
    err->line = line;
    err->column = column;
}

static void append_text(char text[ERROR_TEXT_SIZE], const char *more)
{
    size_t used = strlen(text);
    size_t len = MIN(strlen(more), ERROR_TEXT_SIZE - 1 - used);

    memcpy(text + used, more, len);
    text[used + len] = '\0';
}

int error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
    va_list args;

    if (!err)
        return code;
    va_start(args, fmt);
    set_text(err, code, 0, 0, fmt, args);
    va_end(args);
    return code;
}

int error_set_at(struct error *err, enum error_code code, int line, int column, const char *fmt, ...)
{
    va_list args;

    if (!err)
        return code;
    va_start(args, fmt);
    set_text(err, code, line, column, fmt, args);
    va_end(args);
    return code;
}

static enum error_code code_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ESRCH:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case EAGAIN:
    case EBUSY:
        return ERR_BUSY;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case EPIPE:
    case ECONNRESET:
        return ERR_CLOSED;
    default:
        return ERR_IO;
    }
}

int error_set_errno(struct error *err, const char *fmt, ...)
{
    int number = errno;
    enum error_code code = code_of_errno(number);
    va_list args;

    if (!err)
        return code;
    va_start(args, fmt);
    set_text(err, code, 0, 0, fmt, args);
    va_end(args);
    append_text(err->text, ": ");
    append_text(err->text, strerror(number));
    return code;
}

int error_prefix(struct error *err, const char *fmt, ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list args;

    if (!err)
        return ERR_INTERNAL;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    append_text(text, ": ");
    append_text(text, err->text);
    memcpy(err->text, text, strlen(text) + 1);
    return err->code;
}

const char *error_code_name(enum error_code code)
{
    static const char *const names[] = {"none",     "invalid", "not-found",   "exists",  "io",
                                        "no-space", "limit",   "corrupt",     "denied",  "busy",
                                        "timeout",  "closed",  "unsupported", "internal"};
    int index = -(int)code;

    return index >= 0 && (size_t)index < ARRAY_LEN(names) ? names[index] : "unknown";
}
