#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cc-metric-store beside the time series databases of Debian 12, InfluxDB 1.6 and Prometheus 2.42: workload W1 and the queries of a job
page, in one run, with one sender.

Requests are made before anything is timed and sent from a file by 8 connections, each a process with its own nodes: for
cc-metric-store and InfluxDB the same lines, for Prometheus its remote-write messages (protobuf, packed by snappy as one
literal, which is the cheapest to unpack). The figures:

  ingest-cpu   samples per CPU second of the server, settling included (6 s behind the last answer)
  ingest-wall  samples a second, sender and server on the same processors
  rss, disk    resident bytes, and bytes of the data directory, per sample, when it has settled
  query-*      median time of the answer, as JSON

What an answer to a write means differs: cc-metric-store (durable builds) and InfluxDB have synced, Prometheus has not.
Where a peer has no such operation the nearest one is asked: mean (InfluxDB) and the last value (Prometheus) of 600 s instead of
LTTB.

    bench/bench-peers.py [--steps N] [part-of-a-peer's-name ...]

The peers run from the installed packages (script/bootstrap bench) with folders, ports and configurations of their own.
"""
import argparse
import json
import mmap
import multiprocessing
import pathlib
import re
import shutil
import socket
import statistics
import struct
import sys
import time
import urllib.parse

from benchlib import (NODE_METRICS, SERIES, STEP_S, THREAD_METRICS, TIDY_S, Process, Store, ask_raw, exchange, figure,
                      files_below, free_port, generator, get_request, host_names, metrics_of, post_request, progress, query_body,
                      work_folder)

CONNECTIONS = 8
LOCKSTEP = 30  # times between meetings of the senders: Prometheus refuses what is an hour older than the newest
HOSTS = host_names(64)
QUERY_RUNS = 11
QUERY_S = 20  # a slow query is not repeated for longer, but at least once


# ---- requests, made before

class Requests:
    """A file of HTTP requests: those of all nodes at one time, then those at the next."""

    def __init__(self, path):
        self.path, self.places = path, []
        self.file = open(path, "wb")

    def add(self, request):
        self.places.append((self.file.tell(), len(request)))
        self.file.write(request)

    def close(self):
        self.file.close()


def bodies_of(dump):
    """The generator's lines, one body a node and time."""
    with open(dump, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        at = 0
        while at >= 0:
            following = text.find(b"node_metric_00,", at + 1)
            yield text[at:following if following >= 0 else len(text)]
            at = following


def line_requests(dump, path, url):
    requests = Requests(path)
    for body in bodies_of(dump):
        requests.add(post_request(url, body))
    requests.close()
    return requests


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


SAMPLE_BYTES = 9 + 7  # value as double, milliseconds since 1970 as varint of 6 bytes


def series_prefix(line):
    """A TimeSeries message of one sample up to its value."""
    name, rest = line.split(b" ", 1)[0].split(b",", 1)
    labels = [(b"__name__", name)] + [tuple(tag.split(b"=")) for tag in rest.split(b",")]
    text = b"".join(field(1, field(1, key.replace(b"-", b"_")) + field(2, value)) for key, value in sorted(labels))
    return b"\x0a" + varint(len(text) + 2 + SAMPLE_BYTES) + text + b"\x12" + varint(SAMPLE_BYTES) + b"\x09"


def remote_write_message(body, prefixes):
    """prefixes: those of the host's lines, once they are known."""
    lines = body.splitlines()
    if not prefixes:
        prefixes.extend(map(series_prefix, lines))
    values = struct.pack(f"<{len(lines)}d", *map(float, re.findall(rb"value=(\S+)", body)))
    parts = [b"\x10" + varint(int(lines[0].rsplit(b" ", 1)[1]) * 1000)] * (3 * len(lines))
    parts[0::3] = prefixes
    parts[1::3] = [values[i:i + 8] for i in range(0, len(values), 8)]
    return b"".join(parts)


def snappy_literal(message):
    return varint(len(message)) + b"\xfc" + struct.pack("<I", len(message) - 1) + message


def remote_write_requests(dump, path):
    requests, prefixes = Requests(path), {}
    for body in bodies_of(dump):
        host = body[:200].split(b"hostname=", 1)[1].split(b",", 1)[0]
        message = remote_write_message(body, prefixes.setdefault(host, []))
        requests.add(post_request("/api/v1/write", snappy_literal(message), "Content-Encoding: snappy",
                                  "Content-Type: application/x-protobuf", "X-Prometheus-Remote-Write-Version: 0.1.0"))
    requests.close()
    return requests


# ---- sending

def send_lane(port, lane, requests, meeting, failed):
    with open(requests.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text, \
            memoryview(text) as view, socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        meeting.wait()
        for first in range(0, len(requests.places), len(HOSTS)):
            for at, size in requests.places[first + lane:first + len(HOSTS):CONNECTIONS]:
                status, body = exchange(sock, view[at:at + size])
                if status not in (200, 204):
                    failed[lane] += 1
                    if failed[lane] == 1:
                        print(f"status {status}: {body[:200]!r}", file=sys.stderr)
            if first // len(HOSTS) % LOCKSTEP == LOCKSTEP - 1:
                meeting.wait()


def send(port, requests):
    """Seconds; failed requests."""
    failed = multiprocessing.Array("i", CONNECTIONS, lock=False)
    meeting = multiprocessing.Barrier(CONNECTIONS + 1)
    lanes = [multiprocessing.Process(target=send_lane, args=(port, lane, requests, meeting, failed), daemon=True)
             for lane in range(CONNECTIONS)]
    for lane in lanes:
        lane.start()
    meeting.wait()
    begin = time.perf_counter()
    for _ in range(len(requests.places) // len(HOSTS) // LOCKSTEP):
        meeting.wait()
    for lane in lanes:
        lane.join()
    return time.perf_counter() - begin, sum(failed)


# ---- the three stores: start, requests, queries, data folder

class Ours:
    name = "ours"

    def __init__(self, folder):
        self.process = Store(folder, metrics_of("-preset", "w1"))
        self.data = self.process.checkpoints

    @staticmethod
    def requests(dump, path):
        return line_requests(dump, path, "/api/write")

    @staticmethod
    def queries(begin, to):
        def ask(metrics, per_query, per_request):
            queries = [dict({"metric": m, "host": h}, **per_query) for h in HOSTS for m in metrics]
            return post_request("/api/query", query_body(queries, begin, to, **per_request))
        return {"job-page-full": ask(NODE_METRICS, {}, {}), "job-page-600s": ask(NODE_METRICS, {"resolution": 600}, {}),
                "job-page-statistics": ask(NODE_METRICS, {}, {"with-data": False}),
                "threads-to-node-full": ask(THREAD_METRICS, {}, {})}


class Influx:
    """InfluxDB 1.6. Its write-ahead log is synced at each write, which is the default."""
    name = "influxdb"
    program = "influxd"

    def __init__(self, folder):
        port, control = free_port(), free_port()
        self.data = folder / "influx"
        (folder / "influxdb.conf").write_text(f"""
reporting-disabled = true
bind-address = "127.0.0.1:{control}"
[meta]
  dir = "{self.data}/meta"
[data]
  dir = "{self.data}/data"
  wal-dir = "{self.data}/wal"
  query-log-enabled = false
  cache-max-memory-size = "4g"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
""")
        self.process = Process([shutil.which("influxd"), "-config", folder / "influxdb.conf"], folder, port)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            status, body = exchange(sock, post_request("/query?q=CREATE%20DATABASE%20w1", b""))
            if status != 200:
                sys.exit(f"influxd: {body!r}")

    @staticmethod
    def requests(dump, path):
        return line_requests(dump, path, "/write?db=w1&precision=s")

    @staticmethod
    def queries(begin, to):
        where = f"time >= {begin}s AND time < {to}s"

        def ask(text):
            return get_request("/query?" + urllib.parse.urlencode({"db": "w1", "epoch": "s", "q": text}))
        return {
            "job-page-full": ask(f"SELECT value FROM /^node_metric_/ WHERE {where} GROUP BY hostname"),
            "job-page-600s": ask(f"SELECT mean(value) FROM /^node_metric_/ WHERE {where} GROUP BY time(600s), hostname"),
            "job-page-statistics": ask(f"SELECT mean(value), min(value), max(value) FROM /^node_metric_/ WHERE {where} "
                                       "GROUP BY hostname"),
            "threads-to-node-full": ask(f"SELECT sum(value) FROM /^thread_metric_/ WHERE {where} GROUP BY time(60s), hostname")}


class Prometheus:
    """Prometheus 2.42, without scraping. Its log is not synced before it answers."""
    name = "prometheus"
    program = "prometheus"

    def __init__(self, folder):
        port = free_port()
        self.data = folder / "prometheus"
        (folder / "prometheus.yml").write_text("global: {}\n")
        self.process = Process(
            [shutil.which("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={self.data}",
             f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", "--log.level=error"], folder, port)
        for _ in range(600):
            with socket.create_connection(("127.0.0.1", port)) as sock:
                if exchange(sock, get_request("/-/ready"))[0] == 200:
                    return
            time.sleep(0.1)
        sys.exit("prometheus is not ready")

    @staticmethod
    def requests(dump, path):
        return remote_write_requests(dump, path)

    @staticmethod
    def queries(begin, to):
        def over_range(text, step):
            query = {"query": text, "start": begin, "end": to - STEP_S, "step": step}
            return get_request("/api/v1/query_range?" + urllib.parse.urlencode(query))

        def at_end(name, metric):
            text = f"{name}_over_time({metric}[{to - begin}s])"
            return get_request("/api/v1/query?" + urllib.parse.urlencode({"query": text, "time": to - STEP_S}))
        return {"job-page-full": over_range('{__name__=~"node_metric_.*"}', 60),
                "job-page-600s": over_range('{__name__=~"node_metric_.*"}', 600),
                # functions drop __name__, so a metric each
                "job-page-statistics": [at_end(name, m) for m in NODE_METRICS for name in ("avg", "min", "max")],
                "threads-to-node-full": [over_range(f"sum by (hostname) ({m})", 60) for m in THREAD_METRICS]}


# ---- a run of one store

def count_answer(store, begin, to):
    """Values that the full job page gives, to know that all is there."""
    with socket.create_connection(("127.0.0.1", store.process.port)) as sock:
        status, body = exchange(sock, store.queries(begin, to)["job-page-full"])
    if status != 200:
        sys.exit(f"{store.name}: status {status}: {body[:300]!r}")
    if store.name == "ours":
        found = sum(d.count(b",") + 1 - d.count(b"null") for d in re.findall(rb'"data":\[([^\]]+)\]', body))
    elif store.name == "influxdb":
        found = sum(len(s["values"]) for s in json.loads(body)["results"][0]["series"])
    else:
        found = sum(len(s["values"]) for s in json.loads(body)["data"]["result"])
    wanted = len(HOSTS) * len(NODE_METRICS) * ((to - begin) // STEP_S)
    if found != wanted:
        print(f"{store.name}: the job page has {found} values instead of {wanted}", file=sys.stderr)


def measure_queries(store, begin, to):
    found = {}
    for name, requests in store.queries(begin, to).items():
        requests = requests if isinstance(requests, list) else [requests]
        times, size, begun = [], 0, time.perf_counter()
        with socket.create_connection(("127.0.0.1", store.process.port)) as sock:
            while len(times) < QUERY_RUNS and (len(times) < 2 or time.perf_counter() - begun < QUERY_S):
                answers = [ask_raw(sock, request) for request in requests]
                times.append(sum(seconds for _, seconds in answers))
                size = sum(length for length, _ in answers)
        found[f"query-{name}"] = (statistics.median(times[1:]) * 1000, f"{size / 1e6:.2f} MB, {len(times) - 1} times")
    return found


def measure(kind, folder, dump, begin, to):
    progress(f"{kind.name}: making requests")
    requests = kind.requests(dump, folder / f"requests-{kind.name}")
    store = kind(folder)
    with store.process as process:
        progress(f"{kind.name}: sending {len(requests.places)} requests, {requests.path.stat().st_size / 1e9:.2f} GB")
        before = process.cpu_s()
        seconds, failed = send(process.port, requests)
        samples = (len(requests.places) - failed) * SERIES
        progress(f"{kind.name}: sent in {seconds:.0f} s")
        time.sleep(TIDY_S)
        cpu = process.cpu_s() - before
        disk = sum(p.stat().st_blocks * 512 for p in files_below(store.data))
        found = {"ingest-cpu": (samples / cpu / 1e6, f"{failed} requests failed" if failed else ""),
                 "ingest-wall": (samples / seconds / 1e6, ""), "rss": (process.rss() / samples, f"{process.rss() / 1e6:.0f} MB"),
                 "disk": (disk / samples, f"{disk / 1e6:.0f} MB")}
        count_answer(store, begin, to)
        found.update(measure_queries(store, begin, to))
    pathlib.Path(requests.path).unlink()
    shutil.rmtree(store.data, ignore_errors=True)
    return found


UNITS = {"ingest-cpu": "M samples/server CPU s", "ingest-wall": "M samples/s", "rss": "B/sample", "disk": "B/sample"}


def report(peer, ours, theirs):
    for name, (value, note) in theirs.items():
        mine = ours[name][0]
        better = mine / value if name.startswith("ingest") else value / mine if mine else 0
        text = f"ours {mine:.3g}, {better:.3g} times better" if better else f"ours {mine:.3g}"
        figure(f"peers-{peer}-{name}", value, UNITS.get(name, "ms"), text + (f" ({note})" if note else ""), digits=3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1440, help="times to send of W1")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    names = [n for n in options.names if n != "peers"]
    peers = [p for p in (Influx, Prometheus) if not names or any(n in p.name for n in names)]
    for peer in peers:
        if not shutil.which(peer.program):
            figure(f"peers-{peer.name}-ingest-cpu", None, UNITS["ingest-cpu"], "not installed: script/bootstrap bench")
    peers = [p for p in peers if shutil.which(p.program)]
    if not peers:
        return
    to = int(time.time()) // STEP_S * STEP_S
    begin = to - options.steps * STEP_S
    with work_folder() as folder:
        dump = folder / "lines"
        progress("making lines")
        generator("-preset", "w1", "-steps", options.steps, "-to", to, "-dump", dump)
        ours = measure(Ours, folder, dump, begin, to)
        for name, (value, note) in ours.items():
            figure(f"peers-ours-{name}", value, UNITS.get(name, "ms"), note, digits=3)
        for peer in peers:
            report(peer.name, ours, measure(peer, folder, dump, begin, to))


main()
