// SPDX-License-Identifier: MIT
// Repeats a load at an interval: never two at once, none while the tab is hidden, slower after failures.

export interface Poll {
    /** Loads now, outside the rhythm. */
    now(): void;
    stop(): void;
}

const BACKOFF_MAX_S = 30;

/** Delay before the next try: the interval, doubled for each failure in a row, up to half a minute (or the interval itself). */
export function nextDelay(intervalS: number, failures: number): number {
    return failures === 0
        ? intervalS
        : Math.min(Math.max(intervalS, BACKOFF_MAX_S), Math.max(2, intervalS) * 2 ** (failures - 1));
}

/** `load` is called at once; an interval of 0 calls it once only. The signal ends when the poll is stopped. */
export function startPoll(load: (signal: AbortSignal) => Promise<void>, intervalS: number): Poll {
    const end = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let running = false;
    let failures = 0;

    const run = async (): Promise<void> => {
        if (running || end.signal.aborted) return;
        clearTimeout(timer);
        running = true;
        try {
            await load(end.signal);
            failures = 0;
        } catch {
            failures++; // shown by the banner; here only the rhythm changes
        }
        running = false;
        schedule();
    };
    const schedule = (): void => {
        clearTimeout(timer);
        if (end.signal.aborted || document.hidden || (intervalS <= 0 && failures === 0)) return;
        timer = setTimeout(() => void run(), nextDelay(intervalS, failures) * 1000);
    };
    const wake = (): void => {
        if (document.hidden) clearTimeout(timer);
        else if (intervalS > 0 || failures > 0) void run();
    };
    const retry = (): void => void run();

    document.addEventListener('visibilitychange', wake);
    addEventListener('cc-retry', retry);
    // Not at once: the caller may be a reactive effect, which must not depend on what the load happens to read.
    queueMicrotask(() => void run());
    return {
        now: retry,
        stop: () => {
            end.abort();
            clearTimeout(timer);
            document.removeEventListener('visibilitychange', wake);
            removeEventListener('cc-retry', retry);
        },
    };
}

/** All running polls load at once: the button of the banner. */
export function retryAll(): void {
    dispatchEvent(new Event('cc-retry'));
}
