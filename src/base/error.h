// SPDX-License-Identifier: MIT
// Errors as values.
//
// A function that can fail returns int: 0 done, or one of the negative ERR_ codes. Where "nothing there" is
// ordinary: 1 got it, 0 none (or not yet), negative error. Its last parameter is 'struct error *err', which may
// be NULL and is left untouched on success. Nothing here allocates.
//
//     return error_set(err, ERR_IO, "cannot open '%s': %s", path, strerror(errno));
//
// On the way up a level may put context in front:   error_prefix(err, "archive: day %d", day);
// Messages: lower case, no full stop, what failed first, user text in single quotes. Libraries return errors,
// programs log them once, where they are handled.
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>

#include "base/macros.h"

enum error_code {
    ERR_NONE = 0,
    ERR_INVALID = -1,   // bad input: syntax, type, range
    ERR_NOT_FOUND = -2, // the thing named does not exist
    ERR_EXISTS = -3,    // it exists already
    ERR_IO = -4,        // the operating system refused
    ERR_NO_SPACE = -5,  // disk full or quota
    ERR_LIMIT = -6,     // a stated maximum would be exceeded
    ERR_CORRUPT = -7,   // stored bytes are damaged
    ERR_DENIED = -8,    // not authorised
    ERR_BUSY = -9,      // locked or queue full: try again later
    ERR_TIMEOUT = -10,
    ERR_CLOSED = -11, // peer or queue is gone
    ERR_UNSUPPORTED = -12,
    ERR_INTERNAL = -13,
};

#define ERROR_TEXT_SIZE 512

struct error {
    enum error_code code;
    int line, column;           // position in the input for parsers, 1-based; 0 when unknown
    char text[ERROR_TEXT_SIZE]; // always terminated; longer messages are cut
};

// Initialiser for a variable on the stack: struct error err = ERROR_INIT;
#define ERROR_INIT                                                                                           \
    {                                                                                                        \
        .code = ERR_NONE                                                                                     \
    }

// Fills *err (if not NULL) and returns code.
int error_set(struct error *err, enum error_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
// The same with a position in the input.
int error_set_at(struct error *err, enum error_code code, int line, int column, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
// As error_set for the present errno: code chosen from it, ": <strerror>" appended.
int error_set_errno(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
// Puts "<formatted>: " in front of err->text; returns err->code. NULL is accepted (returns ERR_INTERNAL).
int error_prefix(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
// Name of a code for logs, such as "corrupt".
const char *error_code_name(enum error_code code);

#endif
