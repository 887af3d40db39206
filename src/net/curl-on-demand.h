// SPDX-License-Identifier: MIT
// libcurl, loaded when a program makes its first HTTP client and not before; private to http-client.c.
//
// Linking libcurl brings some thirty libraries into the process, 4 to 6 MB of resident memory, whether they are used or not;
// the whole agent has a budget of 5 MB. This module defines the functions of libcurl that net/http-client.c calls and
// passes each call on to the library, which curl_on_demand_load loads. The program is then not linked with libcurl
// (a test looks at that); should http-client.c call a function that is missing here, the linker adds the library again.
//
// No state of its own: the library's handle is asked for at each call. Any thread.
#ifndef NET_CURL_ON_DEMAND_H
#define NET_CURL_ON_DEMAND_H

#include "base/error.h"

// Must have succeeded before any function of libcurl is called. ERR_UNSUPPORTED: the library cannot be loaded.
int curl_on_demand_load(struct error *err) MUST_CHECK;

#endif
