// SPDX-License-Identifier: MIT
// cc-metric-store as a whole: command line in, exit code out (spec metric-store.md 1).
//
// Signals: SIGTERM and SIGINT stop cleanly (exit 0, "Graceful shutdown completed!" on standard output;
// further ones are ignored). SIGHUP loads the TLS certificate and key again; without TLS there is nothing to
// load again, and it stops the program like SIGTERM (upstream dies of it).
#ifndef METRICSTORE_SERVER_H
#define METRICSTORE_SERVER_H

int metricstore_main(int argc, char **argv);

#endif
