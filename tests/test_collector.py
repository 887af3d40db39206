# SPDX-License-Identifier: MIT
"""cc-metric-collector as a whole: live data, retry and drain of the http sink, hanging sources, bad input."""
import http.server
import json
import os
import signal
import ssl
import subprocess
import threading
import time

import pytest

import harness
from harness import Program, run_program, wait_until

NAME = "cc-metric-collector"


class Receiver:
    """An HTTP server that answers as it is told and keeps what it was sent."""

    def __init__(self, port=None, tls=None):
        self.bodies, self.requests, self.status, self.headers, self.delay = [], [], 200, {}, 0
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status = owner.status
                owner.requests.append((self.path, dict(self.headers), time.monotonic(), status, self.client_address))
                if status == 200:
                    owner.bodies.append(body)
                time.sleep(owner.delay)
                self.send_response(status)
                for key, value in owner.headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"hello")

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args):
                pass

        self.server = Server(("127.0.0.1", port or 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def lines(self):
        return "".join(self.bodies).splitlines()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def write_config(folder, sinks, collectors=None, interval="200ms", router=None):
    config = {"main": {"interval": interval}, "router": router or {}, "sinks": sinks,
              "collectors": collectors or {"loadavg": {}}, "receivers": {}}
    (folder / "config.json").write_text(json.dumps(config))


def write_root(folder, load="0.08 0.03 0.01 2/345 6789\n"):
    proc = folder / "root" / "proc"
    proc.mkdir(parents=True, exist_ok=True)
    (proc / "loadavg").write_text(load)
    return str(folder / "root")


def start(folder, *args):
    return Program(NAME, ["-config", "config.json", "-root", write_root(folder), *args], cwd=folder)


def http_sink(receiver, **options):
    return {"web": dict({"type": "http", "url": f"http://127.0.0.1:{receiver.port}/api/write?cluster=c",
                         "flush_delay": "50ms", "precision": "ns"}, **options)}


def times(lines, metric="load_one"):
    return [int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(metric + ",")]


def test_samples_of_this_machine_agree_with_proc(tmp_path):
    write_config(tmp_path, {"out": {"type": "stdout"}}, {"loadavg": {}, "memstat": {}, "cpustat": {}}, "300ms")
    total = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    cpus = sum(1 for line in open("/proc/stat") if line.startswith("cpu")) - 1
    with Program(NAME, ["-config", "config.json"], cwd=tmp_path) as p:
        wait_until(lambda: p.stdout.count("mem_total") >= 3, what="three ticks")
        assert p.stop() == 0
    lines = p.stdout.splitlines()
    values = {line.split(",")[0]: line.split("value=")[1].split(" ")[0] for line in lines}
    assert float(values["mem_total"]) == total
    assert values["num_cpus"] == f"{cpus}i"
    assert {"load_one", "cpu_user", "cpu_idle", "mem_used"} <= set(values)
    for line in lines:
        if line.startswith("cpu_idle") and "type=hwthread" in line:
            assert 0 <= float(line.split("value=")[1].split(" ")[0]) < 130, line


def test_batches_arrive_over_one_connection(tmp_path):
    r = Receiver()
    write_config(tmp_path, http_sink(r, jwt="abc.def"))
    with start(tmp_path) as p:
        wait_until(lambda: len(times(r.lines())) >= 4, what="four ticks")
        assert p.stop() == 0
    assert {q[0] for q in r.requests} == {"/api/write?cluster=c"}
    assert {q[1]["Authorization"] for q in r.requests} == {"Bearer abc.def"}
    assert len({q[4] for q in r.requests}) == 1, "the connection is kept"
    assert "Content-Type" not in r.requests[0][1]
    assert len(set(times(r.lines()))) == len(times(r.lines()))


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_messages_06_2_batches_survive_a_receiver_that_cannot(tmp_path, status):
    """messages.md 6.2, mark: no loss while the store restarts; original times, in order."""
    r = Receiver()
    r.status = status
    write_config(tmp_path, http_sink(r))
    with start(tmp_path) as p:
        wait_until(lambda: len(r.requests) >= 2, what="a repeated attempt")
        r.status = 200
        wait_until(lambda: len(times(r.lines())) >= 5, what="everything to arrive")
        assert p.stop() == 0
    got = times(r.lines())
    assert got == sorted(got)
    assert all(0.1e9 < b - a < 0.9e9 * harness.SLOW for a, b in zip(got, got[1:])), f"a hole: {got}"
    assert "0 dropped" in p.stderr


def test_messages_11_a_store_that_is_down_for_ten_intervals(tmp_path):
    """collector.md 9: all samples delivered with their original times when the store is back."""
    port = harness.free_port()
    write_config(tmp_path, {"web": {"type": "http", "url": f"http://127.0.0.1:{port}/", "flush_delay": "50ms",
                                    "precision": "ns"}}, interval="100ms")
    with start(tmp_path) as p:
        wait_until(lambda: "cannot connect" in p.stderr, what="the failure in the log")
        time.sleep(1.0)
        opened = time.time_ns()
        r = Receiver(port)
        wait_until(lambda: len(times(r.lines())) >= 10, what="the backlog")
        assert p.stop() == 0
    got = times(r.lines())
    assert got == sorted(set(got))
    assert got[0] < opened - 9e8, "the oldest sample is from before the store was there"
    assert "0 dropped" in p.stderr


def test_retry_after_is_honoured(tmp_path):
    r = Receiver()
    r.status, r.headers = 503, {"Retry-After": "2"}
    write_config(tmp_path, http_sink(r), interval="100ms")
    with start(tmp_path) as p:
        wait_until(lambda: len(r.requests) >= 2, what="the second attempt")
        p.stop()
    assert r.requests[1][2] - r.requests[0][2] >= 1.9


def test_a_refused_batch_is_dropped_and_counted(tmp_path):
    r = Receiver()
    r.status = 400
    write_config(tmp_path, http_sink(r))
    with start(tmp_path) as p:
        wait_until(lambda: len(r.requests) >= 1, what="the first batch")
        wait_until(lambda: "refused" in p.stderr, what="the log")
        r.status = 200
        wait_until(lambda: len(times(r.lines())) >= 1, what="later batches")
        assert p.stop() == 0
    assert "status 400" in p.stderr
    assert " 0 dropped" not in p.stderr.splitlines()[-1]


def test_what_waits_is_sent_at_the_end(tmp_path):
    r = Receiver()
    r.delay = 0.3
    write_config(tmp_path, http_sink(r, flush_delay="60s"))
    with start(tmp_path) as p:
        time.sleep(1.1)
        assert not r.requests
        assert p.stop() == 0
    assert len(r.requests) == 1 and len(times(r.lines())) >= 2
    assert "0 dropped" in p.stderr


def test_what_cannot_be_sent_at_the_end_is_reported(tmp_path):
    port = harness.free_port()
    write_config(tmp_path, {"web": {"type": "http", "url": f"http://127.0.0.1:{port}/", "flush_delay": "50ms"}})
    with start(tmp_path) as p:
        wait_until(lambda: "cannot connect" in p.stderr, what="the failure")
        assert p.stop(timeout=30) == 0
    assert "could not be delivered" in p.stderr


def test_a_second_signal_ends_at_once(tmp_path):
    port = harness.free_port()
    write_config(tmp_path, {"web": {"type": "http", "url": f"http://127.0.0.1:{port}/", "flush_delay": "50ms"}})
    with start(tmp_path) as p:
        wait_until(lambda: "cannot connect" in p.stderr, what="the failure")
        p.signal(signal.SIGTERM)
        wait_until(lambda: "signal 15" in p.stderr, what="the drain")
        p.signal(signal.SIGTERM)
        assert p.wait(5) == -signal.SIGTERM


def test_half_closed_and_odd_receivers(tmp_path):
    """A receiver that speaks no HTTP, or hangs up, costs attempts but no data."""
    import socket
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]
    seen = []

    def serve():
        for answer in (b"220 mail.example ESMTP\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Le"):
            c, _ = listener.accept()
            c.recv(65536)
            seen.append(answer)
            c.sendall(answer)
            c.close()
        listener.close()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    write_config(tmp_path, {"web": {"type": "http", "url": f"http://127.0.0.1:{port}/", "flush_delay": "50ms",
                                    "precision": "ns"}}, interval="100ms")
    with start(tmp_path) as p:
        wait_until(lambda: len(seen) == 3, timeout=20, what="three odd answers")
        server.join(10)
        r = Receiver(port)
        wait_until(lambda: len(times(r.lines())) >= 10, timeout=20, what="the backlog")
        assert p.stop() == 0
    got = times(r.lines())
    assert got == sorted(set(got)) and "0 dropped" in p.stderr


def tls_receiver(folder):
    """Behind a certificate for localhost that no authority has signed: cert.pem in the folder."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return Receiver(tls=context)


def test_tls_is_verified(tmp_path):
    r = tls_receiver(tmp_path)
    write_config(tmp_path, {"web": {"type": "http", "url": f"https://localhost:{r.port}/", "flush_delay": "50ms",
                                    "timeout": "2s"}})
    with start(tmp_path) as p:
        wait_until(lambda: "messages wait" in p.stderr, what="the refusal")
        p.signal(signal.SIGTERM)
        wait_until(lambda: "signal 15" in p.stderr)
        p.kill()
    assert "certificate" in p.stderr.lower()
    assert not r.requests


def test_delivery_over_tls(tmp_path):
    """With the authority that SSL_CERT_FILE names: every sample arrives, over one connection, what waits at the end too."""
    r = tls_receiver(tmp_path)
    write_config(tmp_path, {"web": {"type": "http", "url": f"https://localhost:{r.port}/api/write?cluster=c", "jwt": "a.b",
                                    "flush_delay": "50ms", "precision": "ns"}})
    with Program(NAME, ["-config", "config.json", "-root", write_root(tmp_path)], cwd=tmp_path,
                 env={"SSL_CERT_FILE": str(tmp_path / "cert.pem")}) as p:
        wait_until(lambda: len(times(r.lines())) >= 3, what="three ticks")
        assert p.stop() == 0
    assert {(q[0], q[1]["Authorization"]) for q in r.requests} == {("/api/write?cluster=c", "Bearer a.b")}
    assert len({q[4] for q in r.requests}) == 1, "the connection is kept"
    assert "load_one,hostname=" in r.lines()[0] and "0 dropped" in p.stderr
    assert len(set(times(r.lines()))) == len(times(r.lines()))


def test_max_retries_is_said_to_have_no_effect(tmp_path):
    r = Receiver()
    write_config(tmp_path, http_sink(r, max_retries=1))
    with start(tmp_path) as p:
        wait_until(lambda: r.requests, what="a batch")
        assert p.stop() == 0
    assert p.stderr.count("max_retries has no effect") == 1


def test_the_program_does_not_carry_libcurl(tmp_path):
    """Its thirty libraries are more memory than the agent may use (net/curl-on-demand.h)."""
    r = Receiver()
    write_config(tmp_path, http_sink(r))
    with start(tmp_path) as p:
        wait_until(lambda: r.requests, what="a batch")
        maps = open(f"/proc/{p.proc.pid}/maps").read()
        p.stop()
    assert "libcurl" not in maps


def test_a_source_that_hangs_stops_nobody_else(tmp_path):
    """collector.md 1.5 and 9. A pipe without a writer hangs whoever opens it."""
    root = write_root(tmp_path)
    os.mkfifo(tmp_path / "root" / "proc" / "meminfo")
    write_config(tmp_path, {"out": {"type": "stdout"}}, {"memstat": {}, "loadavg": {}})
    with Program(NAME, ["-config", "config.json", "-root", root], cwd=tmp_path) as p:
        wait_until(lambda: len(times(p.stdout.splitlines())) >= 5, what="five ticks of the other source")
        wait_until(lambda: "does not return" in p.stderr, what="the report")
        assert p.stop() == 0
    assert p.stderr.count("does not return") == 1


def test_a_source_that_fails_later_recovers(tmp_path):
    write_config(tmp_path, {"out": {"type": "stdout"}}, interval="100ms")
    with start(tmp_path) as p:
        wait_until(lambda: "load_one" in p.stdout, what="a tick")
        write_root(tmp_path, "nonsense\n")
        wait_until(lambda: "malformed" in p.stderr, what="the report")
        write_root(tmp_path, "7 7 7 7/7 7\n")
        wait_until(lambda: "load_one,hostname" in p.stdout and "value=7 " in p.stdout, what="new values")
        assert p.stop() == 0
    assert p.stderr.count("malformed") == 1, "reported once, not per tick"
    assert "works again" in p.stderr


def test_once(tmp_path):
    write_config(tmp_path, {"out": {"type": "stdout"}}, interval="300ms")
    with start(tmp_path, "-once") as p:
        assert p.wait() == 0
    assert len(times(p.stdout.splitlines())) == 1


def test_once_fails_when_nothing_was_delivered(tmp_path):
    write_config(tmp_path, {"out": {"type": "stdout"}}, {"tempstat": {}}, interval="100ms")
    with start(tmp_path, "-once") as p:
        assert p.wait() == 1


def test_log_file_is_appended_to(tmp_path):
    (tmp_path / "agent.log").write_text("old\n")
    write_config(tmp_path, {"out": {"type": "stdout"}}, interval="100ms")
    with start(tmp_path, "-once", "-log", "agent.log") as p:
        p.wait()
    text = (tmp_path / "agent.log").read_text()
    assert text.startswith("old\n") and "ticks" in text and not p.stderr


def test_the_configuration_of_upstreams_own_check(tmp_path):
    """collector.md 9: the configuration with which upstream's CI runs the agent, ten times faster."""
    config = {
        "main": {"interval": "500ms", "duration": "100ms"},
        "collectors": {"tempstat": {}, "diskstat": {}, "memstat": {}, "cpustat": {}},
        "sinks": {"testoutput": {"type": "stdout", "meta_as_tags": ["unit"]}},
        "receivers": {},
        "router": {
            "add_tags": [{"key": "cluster", "value": "testcluster", "if": "*"},
                         {"key": "test", "value": "testing", "if": "name == 'temp_package_id_0'"}],
            "delete_tags": [{"key": "unit", "value": "*", "if": "*"}],
            "interval_aggregates": [{"name": "temp_cores_avg", "function": "avg(values)",
                                     "if": "match('temp_core_%d+', metric.Name())", "tags": {"type": "node"},
                                     "meta": {"group": "<copy>", "unit": "<copy>", "source": "MetricAggregator"}}],
            "interval_timestamp": True}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    done = run_program(NAME, ["-once", "-config", "config.json"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert all("cluster=testcluster" in line and "hostname=" in line for line in lines)
    assert all("unit=kB" in line for line in lines if line.startswith("mem_used"))
    assert not any("unit=" in line for line in lines if line.startswith("cpu_"))
    assert len(set(line.rsplit(" ", 1)[1] for line in lines)) == 1


BAD = [
    ("no-file", None, ["nosuch.json", "main"]),
    ("no-json", "x", ["could not decode", "1:1"]),
    ("empty", "", ["could not decode", "EOF"]),
    ("unknown-main-key", '{"main": {"intervall": "1s"}}', ["intervall", "interval"]),
    ("number-for-text", '{"main": {"interval": 10}}', ["interval"]),
    ("zero", '{"main": {"interval": "0s"}}', ["greater than zero"]),
    ("no-duration", '{"main": {"interval": "soon"}}', ["no valid duration"]),
    ("duration-too-long", '{"main": {"interval": "1s", "duration": "2s"}}', ["greater than duration"]),
    ("no-router", '{"main": {"interval": "1s"}}', ["Metric router configuration file must be set"]),
    ("no-sinks", '{"main": {"interval": "1s"}, "router": {}}', ["Sink configuration file must be set"]),
    ("no-collectors", '{"main": {"interval": "1s"}, "router": {}, "sinks": {"o": {"type": "stdout"}}}',
     ["Metric collector configuration file must be set"]),
    ("missing-reference", '{"main": {"interval": "1s"}, "router-file": "nosuch.json"}', ["nosuch.json"]),
    ("router-key", '{"main": {"interval": "1s"}, "router": {"num_cache_interval": 1}}',
     ["num_cache_interval", "num_cache_intervals"]),
    ("cache", '{"main": {"interval": "1s"}, "router": {"num_cache_intervals": 1}, "sinks": {}, "collectors": {}}',
     ["num_cache_intervals"]),
    ("condition", '{"main": {"interval": "1s"}, "router": {"drop_metrics_if": ["value > 5"]}, '
                  '"sinks": {"o": {"type": "stdout"}}, "collectors": {}}', ["drop_metrics_if", "value > 5"]),
    ("receiver", '{"main": {"interval": "1s"}, "router": {}, "sinks": {"o": {"type": "stdout"}}, "collectors": {}, '
                 '"receivers": {"in": {"type": "http"}}}', ["'in'", "'http'"]),
    ("no-usable-sink", '{"main": {"interval": "1s"}, "router": {}, "sinks": {"o": {"type": "nats"}}, '
                       '"collectors": {}}', ["nats", "found no usable sinks"]),
]


@pytest.mark.parametrize("text,words", [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_configuration_is_refused_by_name(tmp_path, text, words):
    name = "config.json" if text is not None else "nosuch.json"
    if text is not None:
        (tmp_path / name).write_text(text)
    done = run_program(NAME, ["-config", name], cwd=tmp_path)
    assert done.returncode == 1
    for word in words:
        assert word in done.stderr, done.stderr
    assert done.stdout == ""


def test_unreadable_configuration(tmp_path):
    done = run_program(NAME, ["-config", "."], cwd=tmp_path)
    assert done.returncode == 1 and "CONFIG ERROR" in done.stderr


def test_check_and_print(tmp_path):
    write_config(tmp_path, {"web": {"type": "http", "url": "http://h/", "jwt": "secret-token"}})
    done = run_program(NAME, ["-config", "config.json", "-check-config"], cwd=tmp_path)
    assert done.returncode == 0 and "valid" in done.stdout
    done = run_program(NAME, ["-config", "config.json", "-print-config"], cwd=tmp_path)
    assert done.returncode == 0 and "secret-token" not in done.stdout
    shown = json.loads(done.stdout)
    assert shown["main"]["interval"] == "200ms" and shown["sinks"]["web"]["flush_delay"] == "5s"
    assert shown["router"]["hostname_tag"] == "hostname" and shown["collectors"]["loadavg"] == {"exclude_metrics": []}
    write_config(tmp_path, {"web": {"type": "http"}}, {"loadavg": {"x": 1}, "nosuch": {}})
    done = run_program(NAME, ["-config", "config.json", "-check-config"], cwd=tmp_path)
    assert done.returncode == 1
    for word in ("url", "'x'", "nosuch", "found no usable sinks"):
        assert word in done.stderr.replace('"x"', "'x'"), done.stderr


def test_flags(tmp_path):
    assert run_program(NAME, ["-version"], cwd=tmp_path).stdout.startswith(NAME)
    assert run_program(NAME, ["-h"], cwd=tmp_path).returncode == 0
    done = run_program(NAME, ["-nosuch"], cwd=tmp_path)
    assert done.returncode == 2 and "flag provided but not defined: -nosuch" in done.stderr
    done = run_program(NAME, ["-log", "/nosuch/dir/x.log", "-config", "x"], cwd=tmp_path)
    assert done.returncode == 1 and "/nosuch/dir/x.log" in done.stderr


def test_huge_files_do_no_harm(tmp_path):
    """A file beyond every bound is an error of its source alone."""
    root = write_root(tmp_path)
    with open(tmp_path / "root" / "proc" / "stat", "w") as f:
        f.write("cpu 1 2 3 4\n" + "intr " + "1 " * 6_000_000 + "\n")
    (tmp_path / "root" / "proc" / "meminfo").write_bytes(bytes(range(256)) * 64)
    write_config(tmp_path, {"out": {"type": "stdout"}}, {"cpustat": {}, "memstat": {}, "loadavg": {}})
    with Program(NAME, ["-config", "config.json", "-root", root], cwd=tmp_path) as p:
        wait_until(lambda: len(times(p.stdout.splitlines())) >= 2, what="the good source")
        assert p.stop() == 0
    assert "cpustat initialization failed" in p.stderr and "longer than" in p.stderr
    assert "memstat initialization failed" in p.stderr


def test_a_reader_that_has_stopped_does_not_keep_the_program_from_ending(tmp_path):
    """Standard output is a full pipe: nothing can be written, and yet the end comes, with the loss reported."""
    write_config(tmp_path, {"out": {"type": "stdout"}}, {"loadavg": {}}, interval="100ms")
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, b"x" * 65536)
    except BlockingIOError:
        os.set_blocking(write_end, True)
    with open(tmp_path / "err", "wb") as err:
        p = subprocess.Popen([harness.program(NAME), "-config", "config.json", "-root", write_root(tmp_path)],
                             cwd=tmp_path, stdout=write_end, stderr=err)
    time.sleep(1)
    p.terminate()
    assert p.wait(30) == 0
    os.close(read_end)
    os.close(write_end)
    assert "could not be delivered" in (tmp_path / "err").read_text()
