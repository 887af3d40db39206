#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cc-backend over HTTP: starts and stops of jobs, archiving, the job list and the page of an archived job.

Prints one line per figure: name value unit, note. A pair is start_job and stop_job of one job,
one behind the other on one connection that is kept; every one must be answered with 201 and 200, and is counted in the
database afterwards. Sender (Python) and server share the processors. Archived jobs last one hour on one node with 19
metrics of 60 s.

    bench/bench-backend.py [--seconds N] [--list-jobs N] [--archive-jobs N] [part-of-a-name ...]
"""
import argparse
import http.client
import json
import multiprocessing
import os
import pathlib
import selectors
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("CC_BIN_DIR", ROOT / "build" / "release" / "bin")).resolve()
TICK = os.sysconf("SC_CLK_TCK")
METRICS = [f"metric_{i:02d}" for i in range(19)]
HOSTS = 100
STEP = 60
JOB_S = 72 * STEP
BEGIN = int(time.time()) // STEP * STEP - 2 * JOB_S


def cluster():
    threads = list(range(8))
    topology = {"node": threads, "socket": [threads], "memoryDomain": [threads], "core": [[t] for t in threads]}
    flops = {"unit": {"base": "F/s"}, "value": 1}
    metrics = [{"name": name, "unit": {"base": "F/s"}, "scope": "node", "aggregation": "sum", "timestep": STEP, "peak": 4,
                "normal": 3, "caution": 2, "alert": 1} for name in METRICS]
    return {"name": "bench", "metricConfig": metrics, "subClusters": [
        {"name": "main", "nodes": f"n[000-{HOSTS - 1:03d}]", "processorType": "", "socketsPerNode": 1, "coresPerSocket": 8,
         "threadsPerCore": 1, "flopRateScalar": flops, "flopRateSimd": flops, "memoryBandwidth": flops,
         "topology": topology}]}


class Server:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        archive = self.folder / "var" / "job-archive" / "bench"
        archive.mkdir(parents=True)
        (archive.parent / "version.txt").write_text("3\n")
        (archive / "cluster.json").write_text(json.dumps(cluster()))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        (self.folder / "config.json").write_text(json.dumps({
            "main": {"addr": f"127.0.0.1:{self.port}"}, "archive": {"kind": "file", "path": "./var/job-archive"},
            "metric-store": {"retention-in-memory": "48h", "memory-cap": 4}}))
        self.proc = subprocess.Popen([BIN / "cc-backend", "-server", "-demo", "-config", "config.json", "-loglevel", "err"],
                                     cwd=folder, stdout=subprocess.DEVNULL)
        for _ in range(1000):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise SystemExit("cc-backend did not start")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.proc.terminate()
        self.proc.wait()

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.proc.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def rss_mb(self):
        text = pathlib.Path(f"/proc/{self.proc.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def count(self, where):
        db = sqlite3.connect(self.folder / "var" / "job.db", timeout=60)
        try:
            return db.execute(f"SELECT count(*) FROM job WHERE {where}").fetchone()[0]
        finally:
            db.close()


def request(path, body):
    text = json.dumps(body).encode()
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(text), text)


def start_of(job_id, host, disabled):
    return request("/api/jobs/start_job/", {
        "cluster": "bench", "user": f"user{job_id % 50}", "project": f"project{job_id % 7}", "jobId": job_id, "numNodes": 1,
        "resources": [{"hostname": f"n{host:03d}"}], "startTime": BEGIN, "walltime": 86400, "partition": "main",
        "metaData": {"jobName": f"bench {job_id}"}, **({"monitoringStatus": 0} if disabled else {})})


def stop_of(job_id):
    return request("/api/jobs/stop_job/", {"cluster": "bench", "jobId": job_id, "startTime": BEGIN, "stopTime": BEGIN + JOB_S})


class Sender:
    """One connection: the next request goes out when the answer to the last is there."""

    def __init__(self, port, requests):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests, self.have, self.answered = requests, b"", 0

    def send_next(self):
        text, self.expected = next(self.requests, (None, None))
        if text is None:
            return False
        self.sock.sendall(text)
        return True

    def receive(self):
        """True when a whole answer is there."""
        self.have += self.sock.recv(65536)
        head, blank, rest = self.have.partition(b"\r\n\r\n")
        if not blank:
            return False
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(rest) < length:
            return False
        if not head.startswith(b"HTTP/1.1 " + self.expected):
            raise SystemExit(f"unexpected answer: {self.have!r}")
        self.have = rest[length:]
        self.answered += 1
        return True


def pairs_of(first, step, deadline, disabled):
    job_id = first
    while time.monotonic() < deadline:
        yield start_of(job_id, job_id % HOSTS, disabled), b"201"
        yield stop_of(job_id), b"200"
        job_id += step


def drive(port, senders):
    """All connections of one process until their requests are used up; number of answers."""
    selector = selectors.DefaultSelector()
    for s in senders:
        if s.send_next():
            selector.register(s.sock, selectors.EVENT_READ, s)
    while selector.get_map():
        for key, _ in selector.select():
            if key.data.receive() and not key.data.send_next():
                selector.unregister(key.data.sock)
    return sum(s.answered for s in senders)


def send_pairs(port, connections, first, seconds, disabled, result):
    deadline = time.monotonic() + seconds
    senders = [Sender(port, pairs_of(first + k, connections, deadline, disabled)) for k in range(connections)]
    result.put(drive(port, senders) // 2)


def bench_pairs(server, connections, first, seconds, disabled=True):
    """Monitoring is disabled where only the database is looked at, so that the archiver keeps out of the way."""
    results = multiprocessing.Queue()
    cpu, begin = server.cpu_s(), time.monotonic()
    worker = multiprocessing.Process(target=send_pairs, args=(server.port, connections, first, seconds, disabled, results))
    worker.start()
    pairs = results.get()
    worker.join()
    wall, cpu = time.monotonic() - begin, server.cpu_s() - cpu
    stored = server.count(f"job_id >= {first} AND job_state = 'completed'")
    if stored != pairs:
        raise SystemExit(f"{pairs} pairs were answered, {stored} are in the database")
    return pairs, wall, cpu


def post(server, path, body):
    conn = http.client.HTTPConnection("127.0.0.1", server.port)
    conn.request("POST", path, body)
    answer = conn.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status}")


def write_samples(server):
    for host in range(HOSTS):
        lines = "".join(f"{metric},hostname=n{host:03d},type=node value={(host * 7 + k * 3 + t % 11) / 8} {BEGIN + t * STEP}\n"
                        for t in range(JOB_S // STEP + 2) for k, metric in enumerate(METRICS))
        post(server, "/api/write?cluster=bench", lines)


def bench_archive(server, jobs):
    """Seconds for starts and stops; jobs archived per second once all are stopped; overall; server CPU per job. Jobs are archived
    while others are still being stopped, so the rate counts only what was left when the last stop was answered."""
    write_samples(server)
    first = 10_000_000
    requests = [r for i in range(first, first + jobs) for r in ((start_of(i, i % HOSTS, False), b"201"), (stop_of(i), b"200"))]
    begin = time.monotonic()
    cpu = server.cpu_s()
    per = len(requests) // 16 // 2 * 2 or 2
    senders = [Sender(server.port, iter(requests[at:at + per])) for at in range(0, len(requests), per)]
    drive(server.port, senders)
    sent = time.monotonic() - begin
    done_when_sent = server.count(f"job_id >= {first} AND monitoring_status = 3")
    rest_begin = time.monotonic()
    while server.count(f"job_id >= {first} AND monitoring_status = 3") < jobs:
        if server.count(f"job_id >= {first} AND monitoring_status = 2"):
            raise SystemExit("archiving failed")
        time.sleep(0.02)
    rest = time.monotonic() - rest_begin
    return sent, (jobs - done_when_sent) / rest, jobs / (sent + rest), (server.cpu_s() - cpu) / jobs


def latency(server, path, runs):
    conn = http.client.HTTPConnection("127.0.0.1", server.port)
    times = []
    size = 0
    for _ in range(runs):
        begin = time.monotonic()
        conn.request("GET", path)
        answer = conn.getresponse()
        size = len(answer.read())
        times.append((time.monotonic() - begin) * 1000)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
    return times, size


def fill_list(server, jobs):
    """Rows of jobs that are over, as if they had been imported."""
    db = sqlite3.connect(server.folder / "var" / "job.db", timeout=60)
    db.executemany(
        "INSERT INTO job (job_id, cluster, subcluster, hpc_user, project, cluster_partition, duration, walltime, job_state,"
        " resources, num_nodes, shared, start_time, submit_time, monitoring_status, meta_data) VALUES"
        " (?, 'bench', 'main', ?, ?, 'main', ?, 86400, ?, ?, 1, 'none', ?, ?, 0, ?)",
        ((20_000_000 + i, f"user{i % 500}", f"project{i % 50}", i * 7919 % 86400, "failed" if i % 9 == 0 else "completed",
          json.dumps([{"hostname": f"n{i % HOSTS:03d}"}]), BEGIN - 40 * i, BEGIN - 40 * i, json.dumps({"jobName": f"job {i}"}))
         for i in range(jobs)))
    db.commit()
    db.close()


def print_latency(name, times, size):
    times = sorted(times)
    print(f"{name} {statistics.median(times):.2f} ms, p99 {times[int(len(times) * 0.99) - 1]:.2f} ms, {size} bytes", flush=True)


def measure_lists(server, jobs, wanted):
    lists = [("first-page", "/ui/api/jobs?items-per-page=25"), ("filtered", "/ui/api/jobs?user=user7&state=completed"),
             ("by-duration", "/ui/api/jobs?sort=duration"), ("one-node", "/ui/api/jobs?host=n007"),
             ("name", "/ui/api/jobs?name=job%2019"), ("rest", "/api/jobs/?state=completed")]
    if not any(wanted(f"backend-list-{name}") for name, _ in lists):
        return
    fill_list(server, jobs)
    for name, path in lists:
        latency(server, path, 3)
        print_latency(f"backend-list-{name}-{jobs}-jobs", *latency(server, path, 50))  # the bars are for a million


def measure_page(server):
    db = sqlite3.connect(server.folder / "var" / "job.db")
    ids = [row[0] for row in db.execute("SELECT id FROM job WHERE monitoring_status = 3 LIMIT 50")]
    db.close()
    first, size = zip(*(latency(server, f"/api/jobs/{i}?all-metrics=true", 1) for i in ids))
    print_latency("backend-page-first", [t[0] for t in first], size[0])
    print_latency("backend-page-again", *latency(server, f"/api/jobs/{ids[0]}?all-metrics=true", 50))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--list-jobs", type=int, default=20000)
    parser.add_argument("--archive-jobs", type=int, default=5000)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()

    def wanted(name):
        return not options.names or any(part in name for part in options.names)

    with tempfile.TemporaryDirectory() as folder, Server(folder) as server:
        for connections, first in ((8, 1_000_000), (32, 2_000_000), (128, 3_000_000)):
            if wanted(f"backend-pairs-{connections}"):
                pairs, wall, cpu = bench_pairs(server, connections, first, options.seconds)
                print(f"backend-pairs-{connections} {pairs / wall:.0f} pairs/s, {pairs} sent, none lost,"
                      f" {cpu / pairs * 1e6:.0f} us of server CPU each", flush=True)
        pages = wanted("backend-page-first") or wanted("backend-page-again")
        if wanted("backend-archive") or pages:
            sent, rate, overall, cpu = bench_archive(server, options.archive_jobs)
            print(f"backend-archive {rate:.0f} jobs/s, {overall:.0f} jobs/s with start and stop,"
                  f" {cpu * 1e6:.0f} us of server CPU each", flush=True)
        if pages:
            measure_page(server)
        measure_lists(server, options.list_jobs, wanted)
        print(f"backend-rss {server.rss_mb():.0f} MB", flush=True)


main()
