# SPDX-License-Identifier: MIT
"""Queries of cc-metric-store that only a running program can show: whole clusters, memory, slow readers, long vectors."""
import hashlib
import json
import os
import pathlib
import re
import socket
import time

import pytest

from harness import SLOW, Program, free_port, run_program, wait_until

T0 = 1700000040  # a multiple of 60
HOSTS, METRICS, STEPS = 1000, 30, 120  # of the load generator's preset
LISTED = 3  # times that for-all-nodes names each metric: a larger answer from the same data
GROWTH_LIMIT = 24 << 20


def start(folder, metrics):
    port = free_port()
    (folder / "config.json").write_text(json.dumps({
        "main": {"addr": f"127.0.0.1:{port}", "authentication": "off"}, "metrics": metrics,
        "metric-store": {"retention-in-memory": "876000h", "memory-cap": 4}}))
    return Program("cc-metric-store", ["-config", "config.json"], cwd=folder, port=port).wait_ready()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A store with a cluster of 1,000 hosts."""
    shape = ["-preset", "small-batches", "-nodes", HOSTS, "-steps", STEPS, "-interval", 60, "-to", T0 + STEPS * 60]
    metrics = json.loads(run_program("cc-load-generator", [*shape, "-print-metrics"]).stdout)
    assert len(metrics) == METRICS
    with start(tmp_path_factory.mktemp("cluster"), metrics) as store:
        done = run_program("cc-load-generator", [*shape, "-url", f"http://127.0.0.1:{store.port}"], timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        store.metrics = sorted(metrics)
        yield store


def memory_kb(store, key):
    return int(re.search(key + r":\s+(\d+)", pathlib.Path(f"/proc/{store.proc.pid}/status").read_text())[1])


def whole_cluster(store, listed=LISTED):
    body = json.dumps({"cluster": "simulated", "from": T0, "to": T0 + STEPS * 60,
                       "for-all-nodes": store.metrics * listed}).encode()
    sock = socket.create_connection(("127.0.0.1", store.port), 60 * SLOW)
    sock.sendall(b"POST /api/query HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return sock


def read_to_end(sock):
    """Bytes of an answer, head and borders of chunks included."""
    size = 0
    while piece := sock.recv(1 << 20):
        size += len(piece)
    return size


def read_chunked(sock):
    """The body of an answer in chunks."""
    raw = bytearray()
    while piece := sock.recv(1 << 20):
        raw += piece
    head, _, rest = bytes(raw).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"chunked" in head.lower(), head
    body, at = bytearray(), 0
    while (end := rest.index(b"\r\n", at)) and (size := int(rest[at:end], 16)):
        body += rest[end + 2:end + 2 + size]
        at = end + 2 + size + 2
    return bytes(body)


def check_whole_cluster(store, body):
    answer = json.loads(body)
    assert len(answer["queries"]) == len(answer["results"]) == HOSTS * METRICS
    asked = [(q["host"], q["metric"]) for q in answer["queries"]]
    hosts = sorted({host for host, _ in asked})
    assert asked == [(host, metric) for host in hosts for metric in store.metrics]
    assert all(len(entries) == 1 and len(entries[0]["data"]) == STEPS for entries in answer["results"])


def test_whole_cluster_is_answered_host_by_host(cluster):
    with whole_cluster(cluster, listed=1) as sock:
        check_whole_cluster(cluster, read_chunked(sock))


@pytest.mark.skipif(os.environ.get("CC_FLAVOUR") in ("asan", "tsan"), reason="sanitizers keep freed memory")
def test_whole_cluster_is_streamed_without_a_peak_of_memory(cluster):
    """The answer is many times what the server grows by while it sends it: it is never there as a whole."""
    with whole_cluster(cluster, listed=1) as sock:
        read_to_end(sock)  # threads and their memory are there from now on
    pathlib.Path(f"/proc/{cluster.proc.pid}/clear_refs").write_text("5")  # the peak begins again at what is in use
    before = memory_kb(cluster, "VmHWM")
    with whole_cluster(cluster) as sock:
        size = read_to_end(sock)
    growth = (memory_kb(cluster, "VmHWM") - before) * 1024
    assert size > 3 * GROWTH_LIMIT, f"an answer of {size} bytes shows nothing"
    assert growth < GROWTH_LIMIT, f"{growth} bytes more for an answer of {size} bytes"


def test_slow_reader_of_a_whole_cluster_holds_nobody_up(cluster):
    """While one client reads nothing of a large answer, and another one slowly, batches and queries are served at once."""
    ask = {"cluster": "simulated", "from": T0, "to": T0 + 600, "queries": [{"metric": cluster.metrics[0], "host": "sim0001"}]}
    with whole_cluster(cluster) as stopped, whole_cluster(cluster) as slow:
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")
        longest = 0.0
        for i in range(100):
            begin = time.monotonic()
            line = f"{cluster.metrics[0]},cluster=simulated,hostname=late{i} value=1 {T0}\n"
            assert cluster.post("/api/write", line).status == 200
            assert cluster.get("/api/query", body=ask).status == 200
            longest = max(longest, time.monotonic() - begin)
            slow.recv(65536)
        assert longest < 2 * SLOW, f"a batch and a query took {longest} s"
        assert stopped.recv(65536).startswith(b"HTTP/1.1 200")
    wait_until(lambda: cluster.get("/metrics").text.endswith("# EOF\n"), what="the connections to be closed")


def test_index_list_of_the_long_resampling_vector(tmp_path):
    """metric-store.md 5.4: 1000 values at 60 s to 120 s; all values differ, so the picks can be told from the answer."""
    values = [((i * 7919) % 1009) / 10 for i in range(1000)]
    with start(tmp_path, {"m": {"frequency": 60, "aggregation": None}}) as store:
        lines = "".join(f"m,cluster=c,hostname=h value={v} {T0 + 60 * i}\n" for i, v in enumerate(values))
        assert store.post("/api/write", lines).status == 200
        ask = {"cluster": "c", "from": T0, "to": T0 + 60000, "queries": [{"metric": "m", "host": "h", "resolution": 120}]}
        entry = store.post("/api/query", body=ask).json["results"][0][0]
    picks = [values.index(v) for v in entry["data"]]
    assert (len(picks), entry["resolution"]) == (500, 120)
    assert picks[-10:] == [981, 983, 985, 987, 989, 990, 993, 995, 996, 999]
    assert hashlib.sha256(",".join(map(str, picks)).encode()).hexdigest() == \
        "fd1734d915ed8e0dab6ed1441d5258e40a5913e38d9d10eaaf7d1755701d80ad"
