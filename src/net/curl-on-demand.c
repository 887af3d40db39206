// SPDX-License-Identifier: MIT
#include "net/curl-on-demand.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>

#define LIBRARY "libcurl.so.4"

int curl_on_demand_load(struct error *err)
{
    // The handle is never closed: libcurl stays for the life of the process.
    if (dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL))
        return 0;
    return error_set(err, ERR_UNSUPPORTED, "cannot load libcurl: %s", dlerror());
}

static void *find(const char *name)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_NOLOAD);
    ASSERT(library); // curl_on_demand_load was called
    void *function = dlsym(library, name);
    ASSERT(function); // part of libcurl's stable interface
    dlclose(library);
    return function;
}

// Defines name(...) to call the library's function. Handles and structs are void * here, enums are int: the calling
// convention is the same, and curl/curl.h stays with its one wrapper.
#define FORWARD(result, name, parameters, arguments)                                                         \
    __attribute__((visibility("hidden"))) result name parameters;                                            \
    result name parameters                                                                                   \
    {                                                                                                        \
        result(*function) parameters;                                                                        \
        *(void **)&function = find(#name);                                                                   \
        return function arguments;                                                                           \
    }

#define FORWARD_VOID(name, parameters, arguments)                                                            \
    __attribute__((visibility("hidden"))) void name parameters;                                              \
    void name parameters                                                                                     \
    {                                                                                                        \
        void(*function) parameters;                                                                          \
        *(void **)&function = find(#name);                                                                   \
        function arguments;                                                                                  \
    }

// The one argument behind 'option' is a pointer, a long or a curl_off_t, each of which is as wide as a pointer.
#define FORWARD_OPTION(name)                                                                                 \
    __attribute__((visibility("hidden"))) int name(void *handle, int option, ...);                           \
    int name(void *handle, int option, ...)                                                                  \
    {                                                                                                        \
        va_list args;                                                                                        \
        va_start(args, option);                                                                              \
        void *value = va_arg(args, void *);                                                                  \
        va_end(args);                                                                                        \
        int (*function)(void *, int, ...);                                                                   \
        *(void **)&function = find(#name);                                                                   \
        return function(handle, option, value);                                                              \
    }

_Static_assert(sizeof(long) == sizeof(void *) && sizeof(int64_t) == sizeof(void *), "see FORWARD_OPTION");

FORWARD(int, curl_global_init, (long flags), (flags))
FORWARD(void *, curl_easy_init, (void), ())
FORWARD_VOID(curl_easy_cleanup, (void *handle), (handle))
FORWARD_VOID(curl_easy_reset, (void *handle), (handle))
FORWARD(int, curl_easy_perform, (void *handle), (handle))
FORWARD(const char *, curl_easy_strerror, (int code), (code))
FORWARD_OPTION(curl_easy_setopt)
FORWARD_OPTION(curl_easy_getinfo)
FORWARD(void *, curl_slist_append, (void *list, const char *text), (list, text))
FORWARD_VOID(curl_slist_free_all, (void *list), (list))
FORWARD_VOID(curl_free, (void *memory), (memory))
FORWARD(void *, curl_url, (void), ())
FORWARD_VOID(curl_url_cleanup, (void *url), (url))
FORWARD(int, curl_url_get, (const void *url, int part, char **text, unsigned flags), (url, part, text, flags))
FORWARD(int, curl_url_set, (void *url, int part, const char *text, unsigned flags), (url, part, text, flags))
