#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Restart of cc-metric-store on a directory of snapshots: 1, 5 and 10 GB of <from>.bin files shaped like workload W1 (make-checkpoints),
with the page cache warm and cold, and with a full log after a kill -9 under load.

Measured from the exec of the server:
  first-answer   until a query of one host, chosen at random, gives exactly the generated values of all its snapshots
  first-write    until a sample is accepted, asked for at the same time on another connection
  wrong-answers  answers 200 before that which had other values than the right ones, none included
  loaded, rss    until the background has read all hosts, and the memory then
With the log: its size at the kill, the replay, and acknowledged samples that are not there afterwards.

    bench/bench-restart.py [--sizes 1,5,10] [--runs N] [--log-limit MB] [part-of-a-name ...]

A directory needs its size in free disk space; it is removed afterwards.
"""
import argparse
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

from benchlib import (BENCH_BIN, BIN, CLUSTER, DAY, MEMORY_ONLY, NODE_METRICS, TIDY_S, THREADS, Store, drop_page_cache, exchange,
                      figure, free_bytes, host_names, log_bytes, metrics_of, post_request, progress, query_body, report_of,
                      snapshot_bytes, w1_text, warm_page_cache, work_folder)

FILES = 4  # of 12 h each
SPAN_S = FILES * 43200
BYTES_PER_HOST = FILES * 993378
GB = 1e9
GIVE_UP_S = 120


# ---- directories

class Snapshots:
    """A checkpoint directory below a folder, its last file ending at 'end'."""

    def __init__(self, folder, hosts, end):
        self.folder, self.hosts, self.end = folder, host_names(hosts), end
        made = subprocess.run([BENCH_BIN / "make-checkpoints", folder / "checkpoints", str(hosts), str(FILES), str(end)],
                              capture_output=True, text=True)
        if made.returncode:
            sys.exit(made.stderr)
        self.bytes = int(made.stdout)
        self.metrics = metrics_of("-preset", "w1")
        self.random = random.Random(1)

    def start(self, wait_s=0.0):
        return Store(self.folder, self.metrics, wait_s=wait_s)

    def any_host(self):
        return self.random.randrange(len(self.hosts))

    def query_of(self, node):
        """A query of all snapshots of a host, and the arrays that are its right answer: all node metrics, two threads."""
        begin = self.end - SPAN_S
        host = self.hosts[node]
        queries = [{"metric": m, "host": host} for m in NODE_METRICS]
        queries.append({"metric": "thread_metric_04", "host": host, "type": "hwthread", "type-ids": ["0", "63"]})
        series = [*range(len(NODE_METRICS)), len(NODE_METRICS) + 4 * THREADS, len(NODE_METRICS) + 4 * THREADS + 63]
        return query_body(queries, begin, self.end), [w1_text(node, s, begin, SPAN_S // 60) for s in series]


# ---- the first seconds

def keep_asking(port, request, is_right, deadline, counts):
    """Sends the request until an answer is right; when that was (perf_counter), or None."""
    sock = None
    while time.perf_counter() < deadline:
        try:
            sock = sock or socket.create_connection(("127.0.0.1", port))
            status, body = exchange(sock, request)
        except (OSError, ConnectionError):
            sock = sock and sock.close()
            time.sleep(0.0005)
            continue
        if status == 200 and is_right(body):
            sock.close()
            return time.perf_counter()
        counts["wrong" if status == 200 else "refused"] += 1
        time.sleep(0.002)
    return None


def first_seconds(server, snapshots, deadline_s=GIVE_UP_S):
    """Seconds to the first right answer and to the first accepted write (None: never), and counts of other answers."""
    node, other = snapshots.any_host(), snapshots.any_host()
    body, expected = snapshots.query_of(node)
    now = int(time.time()) // 60 * 60  # behind all that is counted later
    line = f"node_metric_00,cluster={CLUSTER},hostname={snapshots.hosts[other]},type=node value=0.125 {now}\n"
    requests = {"answer": (post_request("/api/query", body), lambda b: re.findall(rb'"data":\[([^\]]*)\]', b) == expected),
                "write": (post_request("/api/write", line.encode()), lambda b: True)}
    began = server.restart()
    found = {"wrong": 0, "refused": 0}
    times = {}

    def ask(name, counts):
        times[name] = keep_asking(server.store.port, *requests[name], began + deadline_s, counts)

    writer = threading.Thread(target=ask, args=("write", {"wrong": 0, "refused": 0}))
    writer.start()
    ask("answer", found)
    writer.join()
    return {**found, **{name: at and at - began for name, at in times.items()}}


class Restart:
    """Starts the server when told to, so that all that the client needs is made before."""

    def __init__(self, snapshots):
        self.snapshots, self.store = snapshots, None

    def restart(self):
        self.store = self.snapshots.start()
        return self.store.begin

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.store:
            self.store.__exit__(*exc)


def wait_until_loaded(server, snapshots):
    """Until no host is left to read, or, where the store does not say that, until each was asked for."""
    while "cc_snapshot_unloaded_hosts" in server.page():
        if server.page()["cc_snapshot_unloaded_hosts"] == 0:
            return time.perf_counter()
        time.sleep(0.02)
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        for host in snapshots.hosts:
            queries = [{"metric": m, "host": host} for m in NODE_METRICS]
            exchange(sock, post_request("/api/query", query_body(queries, snapshots.end - SPAN_S, snapshots.end)))
    return time.perf_counter()


# ---- figures

def name_of(gb):
    return f"{gb:g}gb"


def report_starts(gb, cache, runs, note):
    def middle(name):
        values = [r[name] for r in runs]
        return None if None in values else statistics.median(values)
    reason = note or "not right within the time"
    worst = max((r["answer"] or 0 for r in runs), default=0)
    answered = middle("answer")
    figure(f"restart-first-answer-{name_of(gb)}-{cache}", answered, "s",
           reason if answered is None else f"{worst:.3f} the slowest of {len(runs)}", digits=3)
    written = middle("write")
    figure(f"restart-first-write-{name_of(gb)}-{cache}", written, "s", "" if written is not None else "not accepted", digits=3)


def measure_memory(gb, snapshots, durable):
    if not durable:
        for name, unit in (("loaded", "s"), ("rss", "GB"), ("rss-per-gb", "GB/GB"), ("accounted", "GB")):
            figure(f"restart-{name}-{name_of(gb)}", None, unit, MEMORY_ONLY)
        return
    with snapshots.start(wait_s=GIVE_UP_S) as server:
        done = wait_until_loaded(server, snapshots)
        time.sleep(TIDY_S)
        rss, stored = server.rss(), snapshots.bytes
        figure(f"restart-loaded-{name_of(gb)}", done - server.begin, "s", f"{len(snapshots.hosts)} hosts, page cache warm")
        figure(f"restart-rss-{name_of(gb)}", rss / GB, "GB")
        figure(f"restart-rss-per-gb-{name_of(gb)}", rss / stored, "GB/GB", f"{stored / GB:.2f} GB of snapshots", digits=3)
        figure(f"restart-accounted-{name_of(gb)}", server.accounted() / GB, "GB", f"highest RSS {server.memory('VmHWM') / GB:.2f} GB")
        figure(f"restart-stop-{name_of(gb)}", server.stop(), "s", "clean stop of the loaded store")


def measure_size(gb, options, wanted):
    hosts = max(1, round(gb * GB / BYTES_PER_HOST))
    with work_folder() as folder:
        if free_bytes(folder) < hosts * BYTES_PER_HOST * 1.2:
            figure(f"restart-first-answer-{name_of(gb)}-warm", None, "s", "not enough free disk space")
            return
        progress(f"making {hosts} hosts, {hosts * BYTES_PER_HOST / GB:.1f} GB")
        snapshots = Snapshots(folder, hosts, int(time.time()) // 60 * 60)
        with snapshots.start(wait_s=GIVE_UP_S) as server:
            durable = server.is_durable()
        wrong, how = 0, ""
        for cache in ("warm", "cold"):
            runs = []
            for _ in range(options.runs):
                if cache == "cold":
                    how = drop_page_cache(folder)
                else:
                    warm_page_cache(folder)
                with Restart(snapshots) as server:
                    runs.append(first_seconds(server, snapshots, GIVE_UP_S if durable else 1))
            wrong += sum(r["wrong"] for r in runs) if durable else 0
            report_starts(gb, cache, runs, "" if durable else MEMORY_ONLY)
        figure(f"restart-wrong-answers-{name_of(gb)}", wrong if durable else None, "answers",
               f"cold by {how}" if durable else MEMORY_ONLY)
        if wanted(f"restart-rss-{name_of(gb)}") or wanted(f"restart-loaded-{name_of(gb)}"):
            warm_page_cache(folder)
            measure_memory(gb, snapshots, durable)


# ---- with a full log

def fill_log(server, snapshots, limit, timeout_s=120):
    """Load until the log is nearly as big as it gets, then kill -9. What the sender has acknowledged, and the log's size."""
    sender = subprocess.Popen(
        [BIN / "cc-load-generator", "-preset", "w1", "-nodes", str(len(snapshots.hosts)), "-from", str(snapshots.end),
         "-steps", "1440", "-loglevel", "crit", "-url", f"http://127.0.0.1:{server.port}"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    deadline, highest, size = time.monotonic() + timeout_s, 0, 0
    while sender.poll() is None and time.monotonic() < deadline:
        size = log_bytes(server.checkpoints)
        highest = max(highest, size)
        if size >= 0.9 * limit:
            break
        time.sleep(0.02)
    server.kill()
    size = log_bytes(server.checkpoints)
    sender.send_signal(signal.SIGTERM)
    sent = report_of(sender.communicate()[0])
    return int(sent["samples"]), size, highest


def measure_full_log(options):
    """The hosts of a directory send a day more; that data is in the log, in snapshots that the store wrote meanwhile, or in both."""
    hosts = max(1, round(options.log_gb * GB / BYTES_PER_HOST))
    with work_folder() as folder:
        snapshots = Snapshots(folder, hosts, (int(time.time()) - DAY) // 60 * 60)
        with snapshots.start(wait_s=GIVE_UP_S) as server:
            if not server.is_durable():
                for name, unit in (("log", "MB"), ("first-answer-log", "s"), ("first-write-log", "s"), ("replay", "s"),
                                   ("lost-log", "samples")):
                    figure(f"restart-{name}", None, unit, MEMORY_ONLY)
                return
            acknowledged, size, highest = fill_log(server, snapshots, options.log_limit * 1e6)
        with Restart(snapshots) as restart:
            times = first_seconds(restart, snapshots)
            page = restart.store.page()
            there = restart.store.count_values(snapshots.hosts, snapshots.end, snapshots.end + DAY)
        figure("restart-log", size / 1e6, "MB", f"at the kill; {highest / 1e6:.0f} MB the most, limit {options.log_limit} MB; "
               f"{snapshot_bytes(folder) / GB:.2f} GB of snapshots")
        figure("restart-first-answer-log", times["answer"], "s", f"{times['wrong']} wrong answers before", digits=3)
        figure("restart-first-write-log", times["write"], "s", digits=3)
        replay = page.get("cc_wal_replay_seconds")
        figure("restart-replay", replay, "s", "not in /metrics" if replay is None else "", digits=3)
        figure("restart-lost-log", max(0, acknowledged - there), "samples", f"{acknowledged} acknowledged, {there} there")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1,5,10", help="GB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--log-gb", type=float, default=1, help="GB of snapshots beside the full log")
    parser.add_argument("--log-limit", type=float, default=128, help="size limit of the log that the store keeps, MB")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()

    def wanted(name):
        return not options.names or any(part in name for part in options.names)

    for gb in map(float, options.sizes.split(",")):
        if any(wanted(f"restart-{f}-{name_of(gb)}") for f in ("first-answer", "first-write", "wrong-answers", "loaded", "rss")):
            measure_size(gb, options, wanted)
    if any(wanted(f"restart-{f}") for f in ("log", "replay", "first-answer-log", "first-write-log", "lost-log")):
        measure_full_log(options)


main()
