#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cc-metric-store over HTTP: ingest of the workloads of cc-load-generator, memory, and the latency of queries.

Prints one line per figure: name, value, unit, ... Every figure is the median of some runs (--runs, each with a fresh
server). CPU is that of the server alone, from /proc; 'wall' has sender and server on the same processors.

    bench/bench-http.py [--runs N] [--port N] [part-of-a-name ...]
"""
import argparse
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("CC_BIN_DIR", ROOT / "build" / "release" / "bin")).resolve()
TICK = os.sysconf("SC_CLK_TCK")
DAY = 86400
TIDY_S = 6  # memory is looked at when the store has tidied up, which it does every 5 s

# name, arguments of the generator
WORKLOADS = [
    ("w1", ["-preset", "w1"]),
    ("w1-shuffled", ["-preset", "w1", "-shuffle"]),
    ("small-batches", ["-preset", "small-batches"]),
    ("fresh", ["-preset", "fresh"]),
]
# name, queries of one host; asked for all hosts of W1 over its 24 hours
NODE_METRICS = [f"node_metric_{i:02d}" for i in range(20)]
THREAD_METRICS = [f"thread_metric_{i:02d}" for i in range(5)]
QUERIES = [
    ("job-page-full", NODE_METRICS, {}, {}),
    ("job-page-600s", NODE_METRICS, {"resolution": 600}, {}),
    ("job-page-240s", NODE_METRICS, {"resolution": 240}, {}),
    ("job-page-statistics", NODE_METRICS, {}, {"with-data": False}),
    ("threads-to-node-full", THREAD_METRICS, {}, {}),
    ("threads-to-node-statistics", THREAD_METRICS, {}, {"with-data": False}),
]


class Server:
    def __init__(self, folder, port, metrics):
        self.port = port
        (folder / "config.json").write_text(json.dumps({
            "main": {"addr": f"127.0.0.1:{port}", "authentication": "off"}, "metrics": metrics,
            "metric-store": {"retention-in-memory": "72h", "memory-cap": 16}}))
        self.proc = subprocess.Popen([BIN / "cc-metric-store", "-config", "config.json", "-loglevel", "err"], cwd=folder,
                                     stdout=subprocess.DEVNULL)
        for _ in range(1000):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.01)
        sys.exit("cc-metric-store does not listen")

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.proc.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def rss(self):
        text = pathlib.Path(f"/proc/{self.proc.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) * 1024

    def stop(self):
        self.proc.terminate()
        self.proc.wait()

    def ask(self, sock, body):
        """Answer bytes and seconds of one query on an open connection, read as fast as the socket gives."""
        head = b"POST /api/query HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        begin = time.perf_counter()
        sock.sendall(head + body)
        total, tail, buffer = 0, b"", bytearray(1 << 20)
        view = memoryview(buffer)
        length = None
        while True:
            got = sock.recv_into(buffer)
            if got == 0:
                sys.exit("the server closed the connection")
            if total == 0:
                if not buffer.startswith(b"HTTP/1.1 200"):
                    sys.exit(bytes(view[:500]))
                end = bytes(view[:got]).index(b"\r\n\r\n")
                found = re.search(rb"(?i)content-length: (\d+)", view[:end])
                length = end + 4 + int(found[1]) if found else None
            total += got
            tail = (tail + bytes(view[max(0, got - 8):got]))[-8:]
            if total == length or (length is None and tail.endswith(b"\r\n0\r\n\r\n")):
                return total, time.perf_counter() - begin


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def generator(*args):
    done = subprocess.run([BIN / "cc-load-generator", *args], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done.stdout


def ingest(server, args, to):
    before = server.cpu_s()
    text = generator(*args, "-to", str(to), "-url", f"http://127.0.0.1:{server.port}")
    sent = dict(re.findall(r"(\w+)=(\S+)", text.splitlines()[-1]))
    samples, cpu = int(sent["samples"]), server.cpu_s() - before
    time.sleep(TIDY_S)
    return {"samples": samples, "per_cpu": samples / cpu / 1e6, "wall": samples / float(sent["seconds"]) / 1e6,
            "rss": server.rss(), "bytes": server.rss() / samples}


def query_body(metrics, per_query, per_request, hosts, to):
    queries = [dict({"metric": m, "host": h}, **per_query) for h in hosts for m in metrics]
    return json.dumps(dict({"cluster": "simulated", "from": to - DAY, "to": to, "queries": queries}, **per_request)).encode()


def measure_queries(server, wanted, to):
    hosts = [f"sim{i + 1:03d}" for i in range(64)]
    for name, metrics, per_query, per_request in QUERIES:
        if not wanted(f"http-query-{name}"):
            continue
        body = query_body(metrics, per_query, per_request, hosts, to)
        times, cpus = [], []
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            for _ in range(21):
                before = server.cpu_s()
                size, seconds = server.ask(sock, body)
                times.append(seconds)
                cpus.append(server.cpu_s() - before)
        print(f"http-query-{name} {statistics.median(times[1:]) * 1000:.2f} ms, "
              f"{statistics.mean(cpus[1:]) * 1000:.1f} ms server CPU, {size / 1e6:.2f} MB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()

    def wanted(name):
        return not options.names or any(part in name for part in options.names)

    to = int(time.time()) // 60 * 60
    queries_wanted = any(wanted(f"http-query-{q[0]}") for q in QUERIES)
    for name, args in WORKLOADS:
        with_queries = name == "w1" and queries_wanted
        if not wanted(f"http-ingest-{name}") and not with_queries:
            continue
        runs = []
        for run in range(options.runs if wanted(f"http-ingest-{name}") else 1):
            with tempfile.TemporaryDirectory() as folder:
                metrics = json.loads(generator(*args, "-print-metrics"))
                server = Server(pathlib.Path(folder), options.port or free_port(), metrics)
                runs.append(ingest(server, args, to))
                if with_queries and run == 0:
                    measure_queries(server, wanted, to)
                server.stop()
        middle = {key: statistics.median(r[key] for r in runs) for key in runs[0]}
        if wanted(f"http-ingest-{name}"):
            print(f"http-ingest-{name} {middle['per_cpu']:.2f} M samples / server CPU s, {middle['wall']:.2f} M/s wall, "
                  f"{middle['bytes']:.2f} B/sample RSS, {middle['rss'] / 1e6:.0f} MB RSS, {middle['samples'] / 1e6:.1f} M samples",
                  flush=True)


main()
