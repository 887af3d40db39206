# SPDX-License-Identifier: MIT
"""What the benchmarks of the store share: programs started and watched, HTTP without detours, the values of workload W1, folders on a
real disk, and the one way in which a figure is printed.

A figure is a line "name value unit, note"; "n/a" stands where this build or machine cannot give the value, and the note says
why. script/bench joins the lines with bench/bars.tsv.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("CC_BIN_DIR", ROOT / "build" / "release" / "bin")).resolve()
BENCH_BIN = BIN.parent / "bench"
TICK = os.sysconf("SC_CLK_TCK")
DAY = 86400
TIDY_S = 6  # memory is looked at when the store has tidied up, which it does every 5 s

NODE_METRICS = [f"node_metric_{i:02d}" for i in range(20)]
THREAD_METRICS = [f"thread_metric_{i:02d}" for i in range(5)]
THREADS = 64
SERIES = len(NODE_METRICS) + len(THREAD_METRICS) * THREADS
THREAD_IDS = [str(i) for i in range(THREADS)]
STEP_S = 60
CLUSTER = "simulated"


def figure(name, value, unit, note="", digits=2):
    """value None: n/a, and the note is the reason."""
    text = "n/a" if value is None else str(value) if isinstance(value, int) else f"{value:.{digits}f}"
    print(f"{name} {text} {unit}{', ' + note if note else ''}", flush=True)


def progress(text):
    print(f"  ... {text}", file=sys.stderr, flush=True)


# ---- folders

def _end(number, frame):
    sys.exit(128 + number)  # so that servers are stopped and folders removed


signal.signal(signal.SIGTERM, _end)


@contextlib.contextmanager
def work_folder():
    """A folder on a real disk (syncs mean nothing in memory): $CC_BENCH_DIR, else below build/."""
    root = pathlib.Path(os.environ.get("CC_BENCH_DIR", ROOT / "build" / "bench-data")).resolve()
    root.mkdir(parents=True, exist_ok=True)
    kind = subprocess.run(["stat", "-f", "-c", "%T", root], capture_output=True, text=True).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        progress(f"{root} is in memory ({kind}): figures of syncs and of cold starts mean nothing; set CC_BENCH_DIR")
    with tempfile.TemporaryDirectory(dir=root) as folder:
        yield pathlib.Path(folder)


def free_bytes(folder):
    return shutil.disk_usage(folder).free


def files_below(folder):
    return [pathlib.Path(top) / name for top, _, names in os.walk(folder) for name in names]


def size_of(path):
    """Bytes; 0 when the file has gone meanwhile."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def snapshot_bytes(folder):
    return sum(size_of(p) for p in files_below(folder) if p.suffix in (".bin", ".json"))


def log_bytes(folder):
    """The log is everything in a checkpoint directory that is no snapshot."""
    return sum(size_of(p) for p in files_below(folder) if p.suffix not in (".bin", ".json", ".tmp", ".corrupt"))


def drop_page_cache(folder):
    """Makes the next reads come from the disk; says how."""
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n")
        return "drop_caches"
    except OSError:
        for path in files_below(folder):
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return "posix_fadvise, directories stay cached"


def warm_page_cache(folder):
    buffer = bytearray(1 << 20)
    for path in files_below(folder):
        with open(path, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def measure_fdatasync_ms(folder, count=200):
    """Median of appending 4 KiB and fdatasync, what the machine gives at best."""
    times = []
    with open(folder / "fdatasync", "wb", buffering=0) as file:
        for _ in range(count):
            file.write(bytes(4096))
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begin)
    os.unlink(folder / "fdatasync")
    return sorted(times)[count // 2] * 1000


# ---- processes

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    """A server under measurement."""

    def __init__(self, args, folder, port, wait_s=60.0, output=subprocess.DEVNULL):
        self.port = port
        self.begin = time.perf_counter()
        self.proc = subprocess.Popen(args, cwd=folder, stdout=output, stderr=output)
        deadline = time.monotonic() + wait_s
        while wait_s > 0:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if self.proc.poll() is not None or time.monotonic() > deadline:
                self.stop()
                sys.exit(f"{pathlib.Path(args[0]).name} does not listen")
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.proc.poll() is None:
            self.stop()

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.proc.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self, key):
        text = pathlib.Path(f"/proc/{self.proc.pid}/status").read_text()
        return int(re.search(key + r":\s+(\d+)", text)[1]) * 1024

    def rss(self):
        return self.memory("VmRSS")

    def stop(self):
        """Clean stop; seconds that it took."""
        begin = time.perf_counter()
        self.proc.terminate()
        try:
            self.proc.wait(timeout=600)
        except subprocess.TimeoutExpired:
            self.kill()
        return time.perf_counter() - begin

    def kill(self):
        self.proc.kill()
        self.proc.wait()

    def ask(self, sock, body):
        """Answer bytes and seconds of one query on an open connection, read as fast as the socket gives."""
        return ask_raw(sock, b"POST /api/query HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def ask_raw(sock, request):
    """Length of the answer and seconds; the answer must be 200."""
    begin = time.perf_counter()
    sock.sendall(request)
    total, tail, buffer = 0, b"", bytearray(1 << 20)
    view = memoryview(buffer)
    length = None
    while True:
        got = sock.recv_into(buffer)
        if got == 0:
            sys.exit("the server closed the connection")
        if total == 0:
            if not buffer.startswith(b"HTTP/1.1 200"):
                sys.exit(bytes(view[:min(got, 500)]))
            end = bytes(view[:got]).index(b"\r\n\r\n")
            found = re.search(rb"(?i)content-length: (\d+)", view[:end])
            length = end + 4 + int(found[1]) if found else None
        total += got
        tail = (tail + bytes(view[max(0, got - 8):got]))[-8:]
        if total == length or (length is None and tail.endswith(b"\r\n0\r\n\r\n")):
            return total, time.perf_counter() - begin


def exchange(sock, request):
    """Status and body of one answer, for small ones and where the bytes are looked at."""
    sock.sendall(request)
    have = b""
    while b"\r\n\r\n" not in have:
        piece = sock.recv(1 << 20)
        if not piece:
            raise ConnectionError("connection closed")
        have += piece
    head, _, rest = have.partition(b"\r\n\r\n")
    status = int(head[9:12])
    found = re.search(rb"(?i)content-length: *(\d+)", head)
    if not found and status != 204:
        return status, _read_chunks(sock, rest)
    parts, missing = [rest], (int(found[1]) if found else 0) - len(rest)
    while missing > 0:
        piece = sock.recv(min(missing, 1 << 20))
        if not piece:
            raise ConnectionError("connection closed")
        parts.append(piece)
        missing -= len(piece)
    return status, b"".join(parts)


def _read_chunks(sock, rest):
    parts = [rest]
    tail = rest[-8:]
    while not (b"\r\n" + tail).endswith(b"\r\n0\r\n\r\n"):
        piece = sock.recv(1 << 20)
        if not piece:
            raise ConnectionError("connection closed")
        parts.append(piece)
        tail = (tail + piece)[-8:]
    text, out, at = b"".join(parts), [], 0
    while True:
        end = text.index(b"\r\n", at)
        size = int(text[at:end], 16)
        if size == 0:
            return b"".join(out)
        out.append(text[end + 2:end + 2 + size])
        at = end + size + 4


def post_request(path, body, *headers):
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n" + "".join(h + "\r\n" for h in headers)
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def get_request(path):
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def _knows_key(key):
    done = subprocess.run([BIN / "cc-metric-store", "-document-config"], capture_output=True, text=True)
    return f"`{key}`" in done.stdout


class Store(Process):
    """cc-metric-store with its configuration in the folder; files in folder/checkpoints."""

    def __init__(self, folder, metrics, port=0, cap_gb=16, retention="72h", wait_s=60.0):
        port = port or free_port()
        main = {"addr": f"127.0.0.1:{port}"}
        if _knows_key("authentication"):
            main["authentication"] = "off"
        self.checkpoints = folder / "checkpoints"
        (folder / "config.json").write_text(json.dumps({
            "main": main, "metrics": metrics,
            "metric-store": {"retention-in-memory": retention, "memory-cap": cap_gb,
                             "checkpoints": {"directory": str(self.checkpoints)}}}))
        with open(folder / "store.log", "ab") as log:
            super().__init__([BIN / "cc-metric-store", "-config", "config.json", "-loglevel", "err"], folder, port, wait_s, log)

    def page(self):
        """/metrics as a dictionary from name with labels to number."""
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            _, body = exchange(sock, get_request("/metrics"))
        return {m[1]: float(m[2]) for m in re.finditer(r"^([^#\s]\S*) (\S+)$", body.decode(), re.MULTILINE)}

    def is_durable(self):
        return "cc_wal_records_total" in self.page()

    def accounted(self):
        return sum(value for name, value in self.page().items() if name.startswith("cc_store_memory_bytes{"))

    def count_values(self, hosts, begin, to):
        """Values that queries give for all series of W1 of these hosts."""
        total = 0
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            for host in hosts:
                queries = [{"metric": m, "host": host} for m in NODE_METRICS]
                queries += [{"metric": m, "host": host, "type": "hwthread", "type-ids": THREAD_IDS} for m in THREAD_METRICS]
                status, body = exchange(sock, post_request("/api/query", query_body(queries, begin, to)))
                if status != 200:
                    sys.exit(f"query: status {status}: {body[:300]!r}")
                for data in re.findall(rb'"data":\[([^\]]+)\]', body):
                    total += data.count(b",") + 1 - data.count(b"null")
        return total


MEMORY_ONLY = "this build keeps data in memory only"


def query_body(queries, begin, to, **per_request):
    return json.dumps(dict({"cluster": CLUSTER, "from": begin, "to": to, "queries": queries}, **per_request)).encode()


class Watch:
    """Samples memory of a store in a thread; keeps the highest values."""

    def __init__(self, store, interval_s=0.1):
        self.store, self.interval_s = store, interval_s
        self.max_rss = self.max_accounted = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(self.interval_s):
            with contextlib.suppress(OSError, ConnectionError):
                self.max_rss = max(self.max_rss, self.store.rss())
                self.max_accounted = max(self.max_accounted, self.store.accounted())


# ---- the workload

def generator(*args):
    done = subprocess.run([BIN / "cc-load-generator", *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done.stdout


def metrics_of(*args):
    return json.loads(generator(*args, "-print-metrics"))


def report_of(text):
    """The last line of the generator's output, as numbers."""
    return {key: float(value) for key, value in re.findall(r"(\w+)=([\d.]+)(?:\s|$)", text.splitlines()[-1])}


def host_names(count):
    return [f"sim{i + 1:03d}" if count < 1000 else f"sim{i + 1:06d}" for i in range(count)]


MASK = (1 << 64) - 1


def _mix(x):
    x = (x + 0x9e3779b97f4a7c15) & MASK
    x = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & MASK
    x = ((x ^ (x >> 27)) * 0x94d049bb133111eb) & MASK
    return x ^ (x >> 31)


def _below(value, bound):
    return ((value >> 32) * bound) >> 32


def w1_values(node, series, first_ts, count):
    """Thousandths that the generator (seed 1) sends for one series: src/tools/load-plan.c, written down once more, so that neither
    the store nor bench/make-checkpoints.c can agree with its own mistake."""
    index = node * SERIES + series
    seed = _mix(_mix(1 ^ ((index * 0xd6e8feb86659fd93) & MASK)) ^ 0x736572)
    tenth, period = _below(_mix(seed ^ 0x73686170), 10), 15 + _below(seed, 46)
    first = first_ts // STEP_S
    if tenth < 1:
        return [_below(_mix(seed), 1000000)] * count
    divisor = period if tenth < 6 else 1
    return [_below(_mix((seed + step // divisor) & MASK), 1000000) for step in range(first, first + count)]


def w1_text(node, series, first_ts, count):
    """The same as it stands between the brackets of "data" in an answer."""
    return b",".join(b"%d.%03d" % divmod(v, 1000) for v in w1_values(node, series, first_ts, count))
