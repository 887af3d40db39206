// SPDX-License-Identifier: MIT
// cc-run: runs a command as a monitored job without a scheduler.
//
//   command starts ──> reporter thread: start_job ─┐
//   signals ──> process group of the command       ├─> stop_job (state, time) ──> exit status of the command
//   command ends ──────────────────────────────────┘
//
// The command never waits for the backend, and its exit status is ours.
#ifndef RUN_RUN_H
#define RUN_RUN_H

// The whole program; returns the exit status: that of the command (128 + n for signal n), 127 when there is
// no such command, 126 when it cannot be executed, 2 for a wrong command line.
int run_main(int argc, char **argv);

#endif
