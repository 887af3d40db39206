// SPDX-License-Identifier: MIT
// The program cc-backend: command line, start in the order of spec backend.md 1.4, serving, shutdown.
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

// Returns the exit code.
int backend_main(int argc, char **argv);

#endif
