// SPDX-License-Identifier: MIT
// Child processes, signals, host name, systemd notification.
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

// Blocks these signals in the calling thread (call before threads start, they inherit the mask) and gives a
// signalfd that delivers them. SIGPIPE is ignored for the process.
int process_signal_fd(const int *signals, size_t count, int *ret_fd, struct error *err) MUST_CHECK;
// Waits up to timeout_ms (-1: for ever) for a signal on that descriptor: 1 and *ret_signal, 0 on time-out.
int process_wait_signal(int signal_fd, int timeout_ms, int *ret_signal, struct error *err) MUST_CHECK;

// Raises the soft limit of open files to the hard one (for servers: one descriptor per connection), ignores SIGUSR1, SIGUSR2
// and SIGALRM, and lets memory blocks of 1 MiB and more come from the kernel one by one, so that they go back to it when they
// are freed, whatever order that happens in. Call at the start, before threads. A failure leaves things as they are and is
// logged.
void process_prepare_server(void);

// Resident memory of this process; 0 when /proc does not say.
uint64_t process_resident_bytes(void);

struct process_result {
    int exit_status; // of the command, when it ended by itself
    int signal;      // when a signal ended it, else 0
    bool timed_out;  // it was killed at the deadline (whole process group)
};
// Runs argv (NULL-terminated, argv[0] searched in PATH) in a process group of its own, without a shell,
// standard input from /dev/null, standard output into *out (up to its maximum), error output discarded.
int process_run(char *const argv[], int64_t timeout_ms, struct buf *out, struct process_result *ret,
                struct error *err) MUST_CHECK;

// gethostname() up to the first dot. text gets at most size bytes, terminated.
int process_short_hostname(char *text, size_t size, struct error *err) MUST_CHECK;

// Sends a datagram such as "READY=1\nSTATUS=running" to $NOTIFY_SOCKET; without that variable does nothing.
// Returns true when it was sent. See sd_notify(3) for the protocol.
bool process_sd_notify(const char *state);
bool process_sd_notifyf(const char *fmt, ...) PRINTF_LIKE(1, 2); // up to 1 KiB, longer texts are cut
// For work between READY=1 or STOPPING=1 and its end that may take longer than the unit's time-out (loading, final
// snapshots): systemd waits 'seconds' from now on. Call again before they are over; 'status' may be NULL.
bool process_sd_extend_timeout(unsigned seconds, const char *status);
// Within this many milliseconds "WATCHDOG=1" is expected again and again (WatchdogSec= of the unit); 0: it is not.
int64_t process_sd_watchdog_ms(void);

// Drops to user and group (either may be NULL or empty: unchanged; a user without a group brings its own):
// supplementary groups of the user (or none), setgid, setuid, and checks that
// the way back is closed. 'user' is a user name, 'group' a group name.
int process_drop_privileges(const char *user, const char *group, struct error *err) MUST_CHECK;

#endif
