#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cc-metric-store over HTTP: ingest of the workloads of cc-load-generator, its log, what a kill -9 behind the last answer loses,
memory, and the latency of queries.

Prints one line per figure: name value unit, note. Every figure is the median of some runs (--runs, each with a fresh
server). CPU is that of the server alone, from /proc; 'wall' has sender and server on the same processors. Files are on a real
disk (benchlib.work_folder).

    bench/bench-http.py [--runs N] [--steps N] [--port N] [part-of-a-name ...]
"""
import argparse
import collections
import socket
import statistics
import time

from benchlib import (DAY, MEMORY_ONLY, NODE_METRICS, THREAD_METRICS, TIDY_S, Store, figure, generator, host_names,
                      measure_fdatasync_ms, metrics_of, query_body, report_of, work_folder)

# name, arguments of the generator, figures
INGEST = ["cpu", "cpu-settled", "wall", "memory", "rss"]
LOG = ["log", "log-records", "sync", "sync-max"]
WORKLOADS = [
    ("w1", ["-preset", "w1"], [*INGEST, *LOG, "lost"]),
    ("w1-shuffled", ["-preset", "w1", "-shuffle"], [*INGEST, "log"]),
    ("small-batches", ["-preset", "small-batches"], [*INGEST, "log", "sync"]),
    ("fresh", ["-preset", "fresh"], [*INGEST, "log"]),
]
UNITS = {"cpu": "M samples/server CPU s", "cpu-settled": "M samples/server CPU s", "wall": "M samples/s",
         "memory": "B/sample RSS", "rss": "MB", "log": "B/sample", "log-records": "samples/record", "sync": "ms",
         "sync-max": "ms", "lost": "samples"}
NOT_IN_METRICS = {"sync": "not in /metrics", "sync-max": "not in /metrics"}
# name, queries of one host; asked for all hosts of W1 over its 24 hours
QUERIES = [
    ("job-page-full", NODE_METRICS, {}, {}),
    ("job-page-600s", NODE_METRICS, {"resolution": 600}, {}),
    ("job-page-240s", NODE_METRICS, {"resolution": 240}, {}),
    ("job-page-statistics", NODE_METRICS, {}, {"with-data": False}),
    ("threads-to-node-full", THREAD_METRICS, {}, {}),
    ("threads-to-node-statistics", THREAD_METRICS, {}, {"with-data": False}),
]
W1_HOSTS = host_names(64)


def log_figures(page, samples):
    """From the counters of the log; nothing when the store has none."""
    if "cc_wal_written_bytes_total" not in page:
        return {}
    found = {"log": page["cc_wal_written_bytes_total"] / samples,
             "log-records": samples / max(page.get("cc_wal_records_total", 0), 1)}
    if page.get("cc_wal_commits_total") and "cc_wal_commit_seconds_sum" in page:
        found["sync"] = page["cc_wal_commit_seconds_sum"] / page["cc_wal_commits_total"] * 1000
    if "cc_wal_longest_commit_seconds" in page:
        found["sync-max"] = page["cc_wal_longest_commit_seconds"] * 1000
    return found


def ingest(server, args, to):
    """Figures of one run, and what was acknowledged. The CPU is what was used until the last answer, as the wall time is; syncs and
    the writing of snapshots meanwhile are in it."""
    before = server.cpu_s()
    sent = report_of(generator(*args, "-to", to, "-url", f"http://127.0.0.1:{server.port}"))
    samples, cpu = sent["samples"], server.cpu_s() - before
    return {"samples": samples, "cpu": samples / cpu / 1e6, "wall": samples / sent["seconds"] / 1e6,
            **log_figures(server.page(), samples)}


def settle(server, samples):
    time.sleep(TIDY_S)
    rss = server.rss()
    return {"rss": rss / 1e6, "memory": rss / samples, "cpu-settled": samples / server.cpu_s() / 1e6}


def measure_queries(server, wanted, to):
    for name, metrics, per_query, per_request in QUERIES:
        if not wanted(f"http-query-{name}"):
            continue
        body = query_body([dict({"metric": m, "host": h}, **per_query) for h in W1_HOSTS for m in metrics], to - DAY, to,
                          **per_request)
        times, cpus, size = [], [], 0
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            for _ in range(21):
                before = server.cpu_s()
                size, seconds = server.ask(sock, body)
                times.append(seconds)
                cpus.append(server.cpu_s() - before)
        figure(f"http-query-{name}", statistics.median(times[1:]) * 1000, "ms",
               f"{statistics.mean(cpus[1:]) * 1000:.1f} ms server CPU, {size / 1e6:.2f} MB")


def lost_after_kill(args, to):
    """Acknowledged samples of W1 that are not there when the server is killed at once behind the last answer, and started again. None:
    not a durable build."""
    with work_folder() as folder:
        metrics = metrics_of(*args)
        with Store(folder, metrics) as server:
            if not server.is_durable():
                return None, MEMORY_ONLY
            sent = report_of(generator(*args, "-to", to, "-url", f"http://127.0.0.1:{server.port}"))
            server.kill()
        with Store(folder, metrics) as server:
            there = server.count_values(W1_HOSTS, to - DAY, to)
    return max(0, int(sent["samples"]) - there), f"{int(sent['samples'])} acknowledged, {there} there"


def print_workload(name, figures, runs, wanted):
    middle = {key: statistics.median(r[key] for r in runs if key in r) for key in collections.ChainMap(*runs)}
    for key in figures:
        full = f"http-{key}-{name}"
        if key == "lost" or not wanted(full):
            continue
        note = {"cpu": f"{middle['samples'] / 1e6:.1f} M samples", "cpu-settled": f"{TIDY_S} s of background work more"}.get(key, "")
        reason = NOT_IN_METRICS.get(key, MEMORY_ONLY) if "log" in middle else MEMORY_ONLY
        figure(full, middle.get(key), UNITS[key], note if key in middle else reason)


def run_workload(name, args, figures, options, wanted, to):
    with_queries = name == "w1" and any(wanted(f"http-query-{q[0]}") for q in QUERIES)
    if not with_queries and not any(wanted(f"http-{f}-{name}") for f in figures if f != "lost"):
        return
    runs = []
    for run in range(options.runs):
        with work_folder() as folder, Store(folder, metrics_of(*args), options.port) as server:
            found = ingest(server, args, to)
            found.update(settle(server, found["samples"]))
            runs.append(found)
            if with_queries and run == 0:
                measure_queries(server, wanted, to)
    print_workload(name, figures, runs, wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0, help="times to send, to try it out (0: all of the workload)")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()

    def wanted(name):
        return not options.names or any(part in name for part in options.names)

    to = int(time.time()) // 60 * 60
    steps = ["-steps", options.steps] if options.steps else []
    if wanted("http-fdatasync"):
        with work_folder() as folder:
            figure("http-fdatasync", measure_fdatasync_ms(folder), "ms", "4 KiB appended, what the disk gives", digits=3)
    for name, args, figures in WORKLOADS:
        run_workload(name, [*args, *steps], figures, options, wanted, to)
    if wanted("http-lost-w1"):
        lost, note = lost_after_kill([*WORKLOADS[0][1], *steps], to)
        figure("http-lost-w1", lost, "samples", note)


main()
