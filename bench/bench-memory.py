#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Memory of cc-metric-store: resident against accounted bytes after workload W1, after 696 k new series, and at the memory cap under load
and after a restart.

  memory-rss-*, memory-accounted-*   what the process has and what it says (cc_store_memory_bytes), at rest
  memory-gap-*                       how much more is resident than accounted, in percent
  memory-cap-*                       a cap of 1 GB and values that nothing can compress, sent over the whole retention, oldest first:
                                     the highest resident and accounted bytes over the cap, in percent (negative: below)
  memory-restart-*                   the same while a store with that cap loads snapshots of more than it may hold

    bench/bench-memory.py [--steps N] [--cap-samples N] [part-of-a-name ...]
"""
import argparse
import multiprocessing
import random
import socket
import struct
import time

from benchlib import (CLUSTER, NODE_METRICS, SERIES, STEP_S, THREAD_METRICS, THREADS, TIDY_S, Store, Watch, exchange, figure,
                      generator, host_names, metrics_of, post_request, progress, report_of, work_folder)

CAP_GB = 1
CAP_HOSTS = 64
CONNECTIONS = 8
POOL = 1 << 16  # values in a sender's pool; a body takes a run of them


def measure_rest(name, args, to, wanted):
    if not any(wanted(f"memory-{f}-{name}") for f in ("rss", "accounted", "gap")):
        return
    with work_folder() as folder, Store(folder, metrics_of(*args)) as server:
        samples = report_of(generator(*args, "-to", to, "-url", f"http://127.0.0.1:{server.port}"))["samples"]
        highest = server.memory("VmHWM")
        time.sleep(TIDY_S)
        rss, accounted = server.rss(), server.accounted()
    figure(f"memory-rss-{name}", rss / 1e6, "MB", f"{highest / 1e6:.0f} MB the most while samples came in")
    figure(f"memory-accounted-{name}", accounted / 1e6, "MB", f"{samples / 1e6:.1f} M samples")
    figure(f"memory-gap-{name}", (rss / accounted - 1) * 100, "%", f"{(rss - accounted) / 1e6:.1f} MB")


# ---- the cap

def random_floats(seed):
    """Float32 values in full precision, as text with 9 digits."""
    made = random.Random(seed)
    return [b"%.9g" % struct.unpack("<f", struct.pack("<f", made.uniform(1, 1000)))[0] for _ in range(POOL)]


def heads_of(host):
    node = [f"{m},cluster={CLUSTER},hostname={host},type=node value=" for m in NODE_METRICS]
    thread = [f"{m},cluster={CLUSTER},hostname={host},type=hwthread,type-id={t} value=" for m in THREAD_METRICS
              for t in range(THREADS)]
    return [h.encode() for h in node + thread]


def send_lane(port, lane, begin, steps, sent):
    """One connection: its hosts at all times, oldest first. Counts accepted and refused samples in the shared array. The values of a body
    are a run of the pool with a random beginning: joining texts is all the work there is."""
    hosts = host_names(CAP_HOSTS)[lane::CONNECTIONS]
    pool, starts = random_floats(lane), random.Random(1000 + lane)
    parts = {}
    for host in hosts:
        parts[host] = [b""] * (3 * SERIES)
        parts[host][0::3] = heads_of(host)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for step in range(steps):
            tail = [b" %d\n" % (begin + step * STEP_S)] * SERIES
            for host in hosts:
                first = starts.randrange(POOL - SERIES)
                parts[host][1::3], parts[host][2::3] = pool[first:first + SERIES], tail
                status, _ = exchange(sock, post_request("/api/write", b"".join(parts[host])))
                sent[lane * 2 + (status != 200)] += SERIES


def load_to_the_cap(port, begin, steps):
    """Accepted and refused samples, seconds."""
    sent = multiprocessing.Array("q", CONNECTIONS * 2, lock=False)
    lanes = [multiprocessing.Process(target=send_lane, args=(port, lane, begin, steps, sent), daemon=True)
             for lane in range(CONNECTIONS)]
    began = time.perf_counter()
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    return sum(sent[0::2]), sum(sent[1::2]), time.perf_counter() - began


def measure_cap(samples):
    """The retention is just longer than what is sent, so that the store finds old data to free all the time."""
    steps = max(1, samples // (CAP_HOSTS * SERIES))
    now = int(time.time()) // STEP_S * STEP_S
    hours = steps * STEP_S // 3600 + 2
    with work_folder() as folder:
        with Store(folder, metrics_of("-preset", "w1"), cap_gb=CAP_GB, retention=f"{hours}h") as server, Watch(server) as watch:
            progress(f"sending {steps * CAP_HOSTS * SERIES / 1e6:.0f} M samples that cannot be compressed")
            accepted, refused, seconds = load_to_the_cap(server.port, now - steps * STEP_S, steps)
            time.sleep(TIDY_S)
            rss, accounted, freed = server.rss(), server.accounted(), server.page().get("cc_store_freed_chunks_total", 0)
    cap = CAP_GB * 1e9
    if not freed:
        for name in ("rss", "accounted"):
            figure(f"memory-cap-{name}", None, "%", f"never reached: {watch.max_accounted / 1e6:.0f} MB accounted at most, "
                   f"{accepted / 1e6:.0f} M samples; more --cap-samples")
        return
    figure("memory-cap-rss", (watch.max_rss / cap - 1) * 100, "%",
           f"{watch.max_rss / 1e6:.0f} MB at most, {rss / 1e6:.0f} MB at rest, cap {cap / 1e6:.0f} MB")
    figure("memory-cap-accounted", (watch.max_accounted / cap - 1) * 100, "%",
           f"{watch.max_accounted / 1e6:.0f} MB at most, {accounted / 1e6:.0f} MB at rest")
    figure("memory-cap-rate", accepted / seconds / 1e6, "M samples/s",
           f"{accepted / 1e6:.0f} M accepted, {refused / 1e6:.1f} M refused, {freed:.0f} chunks freed")


def load_snapshots(server):
    """Waits until the background has read all, and a moment more."""
    deadline = time.monotonic() + 600
    while server.page().get("cc_snapshot_unloaded_hosts", 0) > 0 and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(TIDY_S)


def measure_restart(samples):
    steps = max(1, samples // (CAP_HOSTS * SERIES))
    begin = int(time.time()) // STEP_S * STEP_S - steps * STEP_S
    retention = f"{steps * STEP_S // 3600 + 2}h"
    metrics = metrics_of("-preset", "w1")
    with work_folder() as folder:
        with Store(folder, metrics, cap_gb=16 * CAP_GB, retention=retention) as server:
            progress(f"sending {steps * CAP_HOSTS * SERIES / 1e6:.0f} M samples to a store without a cap")
            load_to_the_cap(server.port, begin, steps)
            full = server.accounted()
        with Store(folder, metrics, cap_gb=CAP_GB, retention=retention) as server, Watch(server) as watch:
            load_snapshots(server)
            rss, accounted = server.rss(), server.accounted()
    cap = CAP_GB * 1e9
    note = f"{full / 1e6:.0f} MB before the restart"
    figure("memory-restart-rss", (watch.max_rss / cap - 1) * 100, "%",
           f"{watch.max_rss / 1e6:.0f} MB at most, {rss / 1e6:.0f} MB at rest, {note}")
    figure("memory-restart-accounted", (watch.max_accounted / cap - 1) * 100, "%",
           f"{watch.max_accounted / 1e6:.0f} MB at most, {accounted / 1e6:.0f} MB at rest")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=0, help="times to send of W1, to try it out (0: all)")
    parser.add_argument("--cap-samples", type=int, default=450_000_000)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()

    def wanted(name):
        return not options.names or any(part in name for part in options.names)

    to = int(time.time()) // STEP_S * STEP_S
    steps = ["-steps", options.steps] if options.steps else []
    measure_rest("w1", ["-preset", "w1", *steps], to, wanted)
    measure_rest("fresh", ["-preset", "fresh"], to, wanted)
    if any(wanted(f"memory-cap-{f}") for f in ("rss", "accounted", "rate")):
        measure_cap(options.cap_samples)
    if any(wanted(f"memory-restart-{f}") for f in ("rss", "accounted")):
        measure_restart(options.cap_samples)


main()
