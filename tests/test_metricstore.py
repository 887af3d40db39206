# SPDX-License-Identifier: MIT
"""cc-metric-store from outside: start and stop, configuration, bad input, slow and broken clients, its own metrics."""
import base64
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest
from prometheus_client.openmetrics import parser as openmetrics

import ed25519
from harness import Program, free_port, http_request, run_program, wait_until
from used_nodes_backend import TOKEN, Backend

T0 = 1700000040  # a multiple of 60
METRICS = {"cpu_load": {"frequency": 60, "aggregation": None}, "flops_any": {"frequency": 60, "aggregation": "sum"},
           "tick": {"frequency": 1, "aggregation": "sum"}}


def config(port, **main):
    if "jwt-public-key" not in main:
        main.setdefault("authentication", "off")
    return {"main": dict({"addr": f"127.0.0.1:{port}"}, **main), "metrics": METRICS,
            "metric-store": {"retention-in-memory": "876000h", "memory-cap": 1}}


def write_config(folder, value):
    text = value if isinstance(value, str) else json.dumps(value, indent=2)
    (folder / "config.json").write_text(text)


def start(folder, port, value=None, env=None, args=()):
    write_config(folder, value or config(port))
    return Program("cc-metric-store", ["-config", "config.json", *args], cwd=folder, port=port, env=env).wait_ready()


@pytest.fixture
def store(tmp_path):
    port = free_port()
    with start(tmp_path, port) as program:
        yield program


def query(store, metric="cpu_load", host="h", start_s=T0, end_s=T0 + 600, headers=None, **more):
    body = {"cluster": "c", "from": start_s, "to": end_s, "queries": [dict({"metric": metric, "host": host}, **more)]}
    return store.get("/api/query", body=body, headers=headers).json["results"][0]


def line(value, ts=T0, host="h", metric="cpu_load"):
    return f"{metric},cluster=c,hostname={host} value={value} {ts}\n"


def metrics_page(store):
    """The counters; those of HTTP are 0 in the moment between the first connection and the end of the start."""
    def page():
        text = store.get("/metrics").text
        assert text.endswith("# EOF\n")
        values = {m[1]: float(m[2]) for m in re.finditer(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}
        return values if values["cc_http_requests_total"] > 0 else None
    return wait_until(page, what="the counters of HTTP")


# ---- start and stop

def test_ready_notification_and_clean_stop(tmp_path):
    port = free_port()
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(20)
        with start(tmp_path, port, env={"NOTIFY_SOCKET": str(path)}) as program:
            assert notify.recv(1000).startswith(b"EXTEND_TIMEOUT_USEC=")  # the replay may take its time
            assert notify.recv(1000) == b"READY=1\nSTATUS=running"
            assert program.stop() == 0
            assert program.stdout == "Graceful shutdown completed!\n"
            assert b"Shutting down ..." in notify.recv(1000)
            assert notify.recv(1000).startswith(b"EXTEND_TIMEOUT_USEC=")  # and so may the last snapshots


def test_status_and_watchdog_notifications(tmp_path):
    """systemctl status shows what is in the store, and the watchdog is fed while the background thread moves."""
    port = free_port()
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(20)
        env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "9000000"}
        with start(tmp_path, port, env=env) as program:
            program.post("/api/write", line(1))
            seen = {}
            while not {"READY", "WATCHDOG", "STATUS"} <= set(seen):
                text = notify.recv(1000).decode()
                seen.update([l.partition("=")[::2] for l in text.splitlines() if "running" not in l])
            assert seen["STATUS"].startswith("1 hosts, 1 series, ") and seen["WATCHDOG"] == "1"
            assert program.stop() == 0


def test_second_signal_changes_nothing(store):
    store.signal(signal.SIGTERM)
    store.signal(signal.SIGINT)
    assert store.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE])
def test_signals_that_are_ignored(store, number):
    store.signal(number)
    assert store.post("/api/write", line(1)).status == 200
    assert store.stop() == 0


def test_no_authentication_is_said_at_the_start(store):
    assert "authentication is OFF" in store.stderr


def test_port_in_use(tmp_path, store):
    folder = tmp_path / "second"
    folder.mkdir()
    write_config(folder, config(store.port))
    done = run_program("cc-metric-store", ["-config", "config.json"], cwd=folder)
    assert done.returncode == 1
    assert f"starting listener on '127.0.0.1:{store.port}'" in done.stderr
    assert "address already in use; stop the program that has the port, or change main.addr" in done.stderr
    assert "Graceful" not in done.stdout


# ---- command line and configuration

@pytest.mark.parametrize("args, code, text", [
    (["-nosuch"], 2, "flag provided but not defined: -nosuch"),
    (["-config"], 2, "flag needs an argument: -config"),
    (["-dev=2"], 2, "invalid boolean value"),
    (["-h"], 0, "-check-config"),
    (["-config", "missing.json"], 1, "main configuration must be present"),
    (["-config", "."], 1, "directory"),
    (["-cleanup-checkpoints"], 1, "main configuration must be present"),
])
def test_wrong_command_line(tmp_path, args, code, text):
    done = run_program("cc-metric-store", args, cwd=tmp_path)
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr


def test_ms_01_cleanup_without_workers_ends(tmp_path):
    old = tmp_path / "cp" / "c" / "h"
    old.mkdir(parents=True)
    (old / "1000.json").write_text(
        '{"metrics":{"m":{"frequency":60,"start":1000,"data":[1]}},"children":{},"from":1000,"to":1060}')
    (tmp_path / "config.json").write_text(json.dumps({
        "main": {}, "metric-store": {"retention-in-memory": "1h", "memory-cap": 1, "checkpoints": {"directory": "./cp"}}}))
    done = run_program("cc-metric-store", ["-config", "config.json", "-cleanup-checkpoints"], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "Cleanup done: 1 checkpoint files deleted."), done.stderr
    assert not (old / "1000.json").exists()


@pytest.mark.parametrize("change, text", [
    ("", "EOF"),
    ("{", "EOF"),
    ('{"main": {}, }', "invalid character"),
    ({"main": {"adr": "x"}}, 'json: unknown field "adr"'),
    ({"main": {"addr": 5}}, "addr"),
    ({"main": {"addr": None}}, "addr"),
    ({"main": {"addr": "127.0.0.1"}}, "missing port in address"),
    ({"main": {"jwt-public-key": "!!!", "authentication": "jwt"}}, "illegal base64 data"),
    ({"main": {"jwt-public-key": "!!!"}}, "'jwt-public-key' is given: remove one of them"),
    ({"main": {"authentication": "none"}}, "authentication"),
    ({"metrics": {"m": {"frequency": 0, "aggregation": "sum"}}}, "frequency"),
    ({"metrics": {"m": {"frequency": 60}}}, "aggregation"),
    ({"metric-store": {"memory-cap": 1}}, "retention-in-memory"),
    ({"metric-store": {"memory-cap": 1, "retention-in-memory": "48"}}, "missing unit in duration"),
    ({"metric-store": {"memory-cap": 1, "retention-in-memory": "48h", "checkpoint-interval": "0s"}},
     "checkpoint-interval must be positive"),
    ({"metric-store": {"memory-cap": 1, "retention-in-memory": "48h", "cleanup": {"mode": "archive"}}}, "directory"),
    ({"main": {"https-cert-file": "none.pem", "https-key-file": "none.pem"}}, "none.pem"),
])
def test_bad_configuration(tmp_path, change, text):
    port = free_port()
    value = change
    if isinstance(change, dict):
        value = config(port)
        for section, keys in change.items():
            value[section] = dict(value["main"], **keys) if section == "main" else keys
    write_config(tmp_path, value)
    done = run_program("cc-metric-store", ["-config", "config.json"], cwd=tmp_path)
    assert done.returncode == 1
    assert text in done.stderr, done.stderr


def test_unknown_key_names_line_and_nearest_key(tmp_path):
    write_config(tmp_path, '{"main": {\n "addr": "127.0.0.1:1",\n "jwt-pulic-key": ""},\n "metrics": {}}')
    done = run_program("cc-metric-store", ["-config", "config.json"], cwd=tmp_path)
    assert done.returncode == 1
    assert "config.json:3" in done.stderr and "jwt-public-key" in done.stderr, done.stderr
    assert 'json: unknown field "jwt-pulic-key"' in done.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_unreadable_configuration(tmp_path):
    write_config(tmp_path, config(free_port()))
    (tmp_path / "config.json").chmod(0)
    done = run_program("cc-metric-store", ["-config", "config.json"], cwd=tmp_path)
    assert done.returncode == 1 and "config.json" in done.stderr


def test_check_and_print_config(tmp_path):
    write_config(tmp_path, config(free_port(), **{"backend-token": "secret-token"}))
    done = run_program("cc-metric-store", ["-config", "config.json", "-check-config"], cwd=tmp_path)
    assert (done.returncode, "configuration is fine" in done.stdout) == (0, True), done.stderr
    done = run_program("cc-metric-store", ["-config", "config.json", "-print-config"], cwd=tmp_path)
    printed = json.loads(done.stdout)
    assert printed["metric-store"]["checkpoint-interval"] == "12h"
    assert printed["metrics"]["flops_any"] == {"frequency": 60, "aggregation": "sum"}
    assert "secret-token" not in done.stdout


def test_print_config_can_be_read_again(tmp_path):
    write_config(tmp_path, config(free_port()))
    done = run_program("cc-metric-store", ["-config", "config.json", "-print-config"], cwd=tmp_path)
    (tmp_path / "again.json").write_text(done.stdout)
    again = run_program("cc-metric-store", ["-config", "again.json", "-check-config"], cwd=tmp_path)
    assert again.returncode == 0, again.stderr


def test_ms_51_address_has_a_default(tmp_path):
    value = config(0)
    del value["main"]["addr"]
    write_config(tmp_path, value)
    done = run_program("cc-metric-store", ["-config", "config.json", "-print-config"], cwd=tmp_path)
    assert json.loads(done.stdout)["main"]["addr"] == "0.0.0.0:8082"


def test_ms_50_key_of_wrong_length_is_refused(tmp_path):
    port = free_port()
    write_config(tmp_path, config(port, **{"jwt-public-key": base64.b64encode(b"short").decode()}))
    done = run_program("cc-metric-store", ["-config", "config.json"], cwd=tmp_path)
    assert done.returncode == 1 and "jwt-public-key" in done.stderr


def test_ms_50_without_a_key_the_store_does_not_start(tmp_path):
    value = config(free_port(), authentication="jwt")
    write_config(tmp_path, value)
    for args in ([], ["-check-config"]):
        done = run_program("cc-metric-store", ["-config", "config.json", *args], cwd=tmp_path)
        assert done.returncode == 1
        assert "jwt-public-key" in done.stderr and "'authentication' to \"off\"" in done.stderr, done.stderr
        assert "fine" not in done.stdout


def test_ms_50_check_config_tries_key_and_certificate(tmp_path):
    def check(**main):
        write_config(tmp_path, config(free_port(), **main))
        return run_program("cc-metric-store", ["-config", "config.json", "-check-config"], cwd=tmp_path)
    done = check(**{"jwt-public-key": base64.b64encode(b"short").decode()})
    assert done.returncode == 1 and "main.jwt-public-key" in done.stderr
    tls = {"https-cert-file": "cert.pem", "https-key-file": "key.pem"}
    assert check(**tls).returncode == 1
    make_certificate(tmp_path, "x")
    done = check(**tls)
    assert done.returncode == 0 and "configuration is fine" in done.stdout, done.stderr
    assert "authentication is OFF" in done.stderr
    (tmp_path / "key.pem").write_text("broken")
    done = check(**tls)
    assert done.returncode == 1 and "key.pem" in done.stderr


def test_ms_50_scopes_are_required_on_request(tmp_path):
    """The whole table is in test-auth.c; here: the key of the configuration, the answers, the counters."""
    seed, stamp = bytes(range(32)), str(T0 + 1)
    requests = [("GET", "/api/query", '{"cluster":"c","from":0,"to":1,"queries":[]}'),
                ("GET", "/api/healthcheck", '{"cluster":"c","nodes":[],"metric-config":[]}'),
                ("POST", "/api/write", line(1)), ("POST", f"/api/free?to={stamp}", ""), ("GET", "/api/debug", "")]
    for strict in (False, True):
        port = free_port()
        value = config(port, **{"jwt-public-key": ed25519.public_key_base64(seed), "require-scopes": strict})
        with start(tmp_path, port, value) as program:
            for claims, allowed in [({"sub": "x", "roles": ["user"]}, "11000"), ({"roles": ["ROLE_API"]}, "11100"),
                                    ({"roles": ["ROLE_ADMIN"]}, "11011"), ({"scope": "write"}, "00100"),
                                    ({"scope": "read write admin"}, "11111")]:
                token = {"Authorization": f"Bearer {ed25519.token(seed, claims)}"}
                for (method, path, body), may in zip(requests, allowed):
                    answer = http_request(port, method, path, body=body, headers=token)
                    if may == "1" or not strict:
                        assert answer.status not in (401, 403), (claims, path, answer.text)
                    else:
                        assert answer.status == 403 and answer.header("content-type") == "application/json"
                        assert answer.json["status"] == "Forbidden" and "scope" in answer.json["error"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can change the user")
def test_ms_02_user_and_group_are_dropped_to(tmp_path):
    port = free_port()
    tmp_path.chmod(0o777)  # checkpoints are written by that user
    with start(tmp_path, port, config(port, user="nobody", group="nogroup")) as program:
        nobody = subprocess.run(["id", "-u", "nobody"], capture_output=True, text=True).stdout.strip()

        def dropped():  # the port is open before that
            text = open(f"/proc/{program.proc.pid}/status").read()
            status = dict(l.split(":\t", 1) for l in text.splitlines() if ":\t" in l)
            return set(status["Uid"].split()) == {nobody} and status
        status = wait_until(dropped, what="the user to change")
        assert "0" not in status["Gid"].split()
        assert "0" not in status["Groups"].split()


# ---- tokens

def test_token_is_needed_and_times_are_checked(tmp_path):
    port, seed = free_port(), bytes(range(32))
    now = int(time.time())
    good = ed25519.token(seed, {"sub": "x", "exp": now + 3600, "iat": now - 5})
    old = ed25519.token(seed, {"sub": "x", "exp": now - 5})
    foreign = ed25519.token(bytes(32), {"sub": "x"})
    with start(tmp_path, port, config(port, **{"jwt-public-key": ed25519.public_key_base64(seed)})) as program:
        for token, status, text in [(good, 200, ""), (good, 200, ""), (old, 401, "Token is expired\n"),
                                    (foreign, 401, "ed25519: verification error\n"),
                                    ("", 401, "Use JWT Authentication\n")]:
            answer = program.post("/api/write", line(1), headers={"Authorization": f"Bearer {token}"})
            assert (answer.status, answer.text) == (status, text)
        assert program.get("/metrics").status == 200
        assert "authentication is OFF" not in program.stderr
        assert "/api/write: refused: peer=127.0.0.1 Token is expired; give the sender a valid token" in program.stderr


# ---- bad input

def test_malformed_lines_in_the_middle(store):
    body = line(1) + "cpu_load,=x value=1\n" + line(2, T0 + 60) + "cpu_load value\n" + line(3, T0 + 120)
    answer = store.post("/api/write", body)
    assert answer.status == 400
    assert answer.json["error"].startswith("at line 2:10: empty tag key (and 1 more bad lines")
    assert query(store)[0]["data"] == [1, 2, 3]
    page = metrics_page(store)
    assert page["cc_store_samples_total"] == 3
    assert page['cc_store_dropped_lines_total{reason="syntax"}'] == 2
    wait_until(lambda: "at line 2:10: empty tag key" in store.stderr, what="the log line")


def test_unknown_metric_is_counted(store):
    assert store.post("/api/write", "nothing,cluster=c,hostname=h value=1\n" + line(1)).status == 200
    assert metrics_page(store)['cc_store_dropped_lines_total{reason="unknown_metric"}'] == 1
    answer = query(store, metric="nothing")
    assert answer[0]["error"] == "[METRICSTORE]> unknown metric: nothing"


def test_body_of_100_mb(store):
    """A million good lines and some bad ones in one body."""
    count = 1_000_000
    body = "".join(f"tick,cluster=c,hostname=host{i % 500:04d},type=hwthread,type-id=0,padding={'x' * 30} "
                   f"value={i}.5 {T0 + i // 500}\n" for i in range(count))
    assert len(body) > 100_000_000
    answer = store.post("/api/write", "tick value\n" + body, timeout=120)
    assert answer.status == 400 and answer.json["error"].startswith("at line 1:")
    assert metrics_page(store)["cc_store_samples_total"] == count
    assert query(store, metric="tick", host="host0499", end_s=T0 + 5)[0]["data"] == [499.5, 999.5, 1499.5, 1999.5, 2499.5]


def test_body_beyond_the_limit_is_refused(tmp_path):
    port = free_port()
    with start(tmp_path, port, config(port, **{"max-request-size": 100_000})) as program:
        with socket.create_connection(("127.0.0.1", port), 30) as sock:
            sock.sendall(b"POST /api/write HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 1000)
            assert sock.recv(100).startswith(b"HTTP/1.1 413")
        assert program.post("/api/write", line(1)).status == 200
        assert metrics_page(program)["cc_http_refused_bodies_total"] == 1


def test_ms_15_endless_line(store):
    answer = store.post("/api/write", line(1) + "cpu_load,cluster=c,hostname=" + "x" * 10_000_000 + " value=1\n" +
                        line(2, T0 + 60))
    assert answer.status == 400 and answer.json["error"].startswith("at line 2:")
    assert query(store)[0]["data"] == [1, 2]


@pytest.mark.parametrize("body", ["{", "[]", '{"from": 1.5}', '{"queries": [1]}', "\x00\xff", '{"a":' * 200 + "1" + "}" * 200])
def test_bad_queries(store, body):
    assert store.get("/api/query", body=body.encode("latin-1")).status == 400


def test_extreme_ranges(store):
    store.post("/api/write", line(1))
    for start_s, end_s in [(-2**63, 2**63 - 1), (0, 2**62), (2**63 - 1, -2**63)]:
        body = {"cluster": "c", "from": start_s, "to": end_s, "queries": [{"metric": "cpu_load", "host": "h"}]}
        assert store.get("/api/query", body=body).status in (200, 400)
    assert query(store)[0]["data"] == [1]


# ---- slow and broken clients

def half_request(port, body):
    sock = socket.create_connection(("127.0.0.1", port), 30)
    sock.sendall(b"POST /api/write HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (len(body) + 100) + body)
    return sock


def test_slow_clients_do_not_hold_up_others(store):
    slow = [half_request(store.port, b"cpu_load,clu") for _ in range(50)]
    for i in range(20):
        assert store.post("/api/write", line(i, T0 + 60 * i)).status == 200
    for sock in slow:
        sock.close()
    assert len(query(store, end_s=T0 + 1200)[0]["data"]) == 20


def test_slow_body_is_taken(store):
    body = line(7).encode()
    with socket.create_connection(("127.0.0.1", store.port), 30) as sock:
        sock.sendall(b"POST /api/write HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        for i in range(0, len(body), 5):
            sock.sendall(body[i:i + 5])
            time.sleep(0.01)
        assert sock.recv(100).startswith(b"HTTP/1.1 200")


def test_half_closed_connection_is_answered(store):
    body = line(8).encode()
    with socket.create_connection(("127.0.0.1", store.port), 30) as sock:
        sock.sendall(b"POST /api/write HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100).startswith(b"HTTP/1.1 200")


def test_ms_14_client_that_dies_in_the_body(store):
    """Whole lines are kept; the line that was cut is not, whatever it looks like."""
    polls = metrics_page(store)["cc_http_requests_total"]

    def head_seen():
        nonlocal polls
        polls += 1  # this one
        return metrics_page(store)["cc_http_requests_total"] > polls

    with half_request(store.port, (line(1) + "cpu_load,cluster=c,hostname=h value=12").encode()) as sock:
        wait_until(head_seen, what="the head of the request")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: metrics_page(store)["cc_http_aborted_requests_total"] == 1, what="the aborted request")
    wait_until(lambda: query(store), what="the whole line")
    assert query(store)[0]["data"] == [1]


def test_reader_that_stops_reading(store):
    """A client that asks for a big answer and reads nothing keeps nobody else waiting."""
    body = "".join(line(i, T0 + i, host=f"h{i % 300:03d}", metric="tick") for i in range(200_000))
    assert store.post("/api/write", body).status == 200
    ask = json.dumps({"cluster": "c", "from": T0, "to": T0 + 200_000, "for-all-nodes": ["tick"]}).encode()
    with socket.create_connection(("127.0.0.1", store.port), 30) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /api/query HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(ask) + ask)
        for i in range(10):
            assert store.post("/api/write", line(i, T0 + 60 * i)).status == 200


def test_pipelined_garbage(store):
    with socket.create_connection(("127.0.0.1", store.port), 30) as sock:
        sock.sendall(b"\x16\x03\x01 garbage\r\n\r\n" * 10)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1000):
            pass
    assert store.post("/api/write", line(1)).status == 200


# ---- retention and the backend

def retention_config(port, url):
    value = config(port, **{"backend-url": url, "backend-token": TOKEN})
    value["metric-store"]["retention-in-memory"] = "4s"
    return value


def has_data(store, host, now):
    return query(store, metric="tick", host=host, start_s=now - 100, end_s=now + 100) != []


def test_ms_03_token_and_wrapped_answer(tmp_path):
    port = free_port()
    with Backend("busy") as backend, \
            start(tmp_path, port, retention_config(port, backend.url)) as program:
        now = int(time.time())
        program.post("/api/write", line(1, now, "busy", "tick") + line(2, now, "idle", "tick"))
        assert has_data(program, "idle", now)
        wait_until(lambda: not has_data(program, "idle", now), 30, "the data of the idle host to go")
        assert has_data(program, "busy", now)
        path, authorization = backend.asked[0]
        assert path.startswith("/api/jobs/used_nodes?ts=") and authorization == f"Bearer {TOKEN}"


def test_ms_03_backend_that_fails_delays_freeing_only(tmp_path):
    port = free_port()
    with Backend(status=401) as backend, start(tmp_path, port, retention_config(port, backend.url)) as program:
        now = int(time.time())
        program.post("/api/write", line(1, now, "h", "tick"))
        wait_until(lambda: not has_data(program, "h", now), 30, "the data to go")
        assert metrics_page(program)["cc_retention_failed_queries_total"] >= 2
        assert "backend-token" in program.stderr


# ---- TLS

def make_certificate(folder, name):
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                           "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", f"/CN={name}"],
                          cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr


def served_name(port):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"], input=b"", capture_output=True,
                          timeout=30)
    found = re.search(rb"subject=\s*CN\s*=\s*(\S+)", done.stdout)
    return found and found[1].decode()


def test_hangup_loads_the_certificate_again(tmp_path):
    port = free_port()
    make_certificate(tmp_path, "first")
    value = config(port, **{"https-cert-file": "cert.pem", "https-key-file": "key.pem"})
    with start(tmp_path, port, value) as program:
        assert served_name(port) == "first"
        make_certificate(tmp_path, "second")
        program.signal(signal.SIGHUP)
        wait_until(lambda: served_name(port) == "second", what="the new certificate")
        (tmp_path / "cert.pem").write_text("broken")
        program.signal(signal.SIGHUP)
        wait_until(lambda: "keeping the old certificate" in program.stderr, what="the error")
        assert served_name(port) == "second"
        assert program.stop() == 0


def rsa_certificate(folder):
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                           "-days", "2", "-subj", "/CN=rsa"], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr


def agreed(port, *args):
    """(protocol, cipher) that openssl s_client comes to with these options, or None when the server refuses."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *args], input="", capture_output=True,
                          text=True, timeout=30)
    found = re.search(r"^New, (\S+), Cipher is (\S+)$", done.stdout, re.MULTILINE)
    return found and found[2] != "(NONE)" and (found[1], found[2]) or None


@pytest.mark.parametrize("make, kind", [(lambda f: make_certificate(f, "ec"), "ECDSA"), (rsa_certificate, "RSA")],
                         ids=["ecdsa", "rsa"])
def test_tls_versions_and_suites(tmp_path, make, kind):
    """Spec 1.4: TLS 1.2 with ECDHE and AES128-GCM-SHA256 alone, TLS 1.3, nothing older, HTTP/1.1 only."""
    port = free_port()
    make(tmp_path)
    lenient = ["-cipher", "ALL:@SECLEVEL=0"]
    with start(tmp_path, port, config(port, **{"https-cert-file": "cert.pem", "https-key-file": "key.pem"})):
        for version in ("-tls1", "-tls1_1"):
            assert agreed(port, version, *lenient) is None, version
        assert agreed(port, "-tls1_2", *lenient) == ("TLSv1.2", f"ECDHE-{kind}-AES128-GCM-SHA256")
        for suite in (f"ECDHE-{kind}-AES256-GCM-SHA384", f"ECDHE-{kind}-CHACHA20-POLY1305", f"ECDHE-{kind}-AES128-SHA256",
                      f"ECDHE-{kind}-AES128-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"):
            assert agreed(port, "-tls1_2", "-cipher", suite + ":@SECLEVEL=0") is None, suite
        assert agreed(port, "-tls1_3") == ("TLSv1.3", "TLS_AES_128_GCM_SHA256")
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-alpn", "h2,http/1.1"], input="",
                              capture_output=True, text=True, timeout=30)
        assert "ALPN protocol: h2" not in done.stdout


def test_plain_http_to_a_tls_port_does_no_harm(tmp_path):
    port = free_port()
    make_certificate(tmp_path, "x")
    with start(tmp_path, port, config(port, **{"https-cert-file": "cert.pem", "https-key-file": "key.pem"})) as program:
        with socket.create_connection(("127.0.0.1", port), 30) as sock:
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                assert b"cc_build" not in sock.recv(1000)
        assert served_name(port) == "x"
        assert program.stop() == 0


def test_hangup_leaves_open_connections_alone(tmp_path):
    """A request that is under way when the certificate changes is answered, on the connection that it has."""
    port = free_port()
    make_certificate(tmp_path, "first")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    body = line(7).encode()
    with start(tmp_path, port, config(port, **{"https-cert-file": "cert.pem", "https-key-file": "key.pem"})) as program, \
            context.wrap_socket(socket.create_connection(("127.0.0.1", port), 30)) as sock:
        for turn in range(3):
            sock.sendall(b"POST /api/write HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:10])
            make_certificate(tmp_path, f"name{turn}")
            program.signal(signal.SIGHUP)
            wait_until(lambda: served_name(port) == f"name{turn}", what="the new certificate")
            sock.sendall(body[10:])
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")


# ---- API explorer

@pytest.fixture
def explored(tmp_path):
    """With a token needed, so that the explorer shows itself without one."""
    port = free_port()
    value = config(port, **{"jwt-public-key": ed25519.public_key_base64(bytes(32))})
    with start(tmp_path, port, value, args=("-dev",)) as program:
        yield program


def test_explorer_pages(explored):
    for path, kind in [("/swagger/", "text/html"), ("/swagger/index.html", "text/html"), ("/swagger/explorer.js", "text/javascript"),
                       ("/swagger/explorer.css", "text/css"), ("/swagger/doc.json", "application/json")]:
        answer = explored.get(path)
        assert answer.status == 200 and answer.header("content-type").startswith(kind), path
        assert "default-src 'none'" in answer.header("content-security-policy")
        outside = re.findall(r"(?:https?:)?//[\w.-]+\.\w+|@import|\burl\(|\son\w+=|style=|<script>|innerHTML", answer.text)
        assert not outside, (path, outside)
        again = explored.get(path, headers={"If-None-Match": answer.header("etag")})
        assert (again.status, again.body) == (304, b"")
    assert explored.get("/swagger").header("location") == "/swagger/"
    for path in ("/swagger/nothing", "/swagger/../swagger/x", "/swagger/%2e%2e/etc/passwd", "/swagger//index.html"):
        assert explored.get(path).status in (307, 404), path
    assert explored.get("/api/debug").status == 401


def test_explorer_describes_the_program(explored):
    """Every endpoint that the program counts, with exactly the methods that it takes."""
    doc = explored.get("/swagger/doc.json").json
    assert doc["openapi"].startswith("3.")
    endpoints = set(re.findall(r'cc_store_requests_total\{endpoint="([^"]+)"', explored.get("/metrics").text))
    assert len(endpoints) == 5 and set(doc["paths"]) == endpoints | {"/metrics"}
    for path, operations in doc["paths"].items():
        allowed = http_request(explored.port, "PUT", path).header("allow")
        assert {m.upper() for m in operations} == {m.strip() for m in allowed.split(",")} - {"HEAD"}, path
        for operation in operations.values():
            needs_token = operation.get("security") != []
            assert needs_token == path.startswith("/api/")
            assert not needs_token or {"401", "403"} <= set(operation["responses"])
    references = set(re.findall(r'"\$ref": ?"#/components/(\w+)/(\w+)"', explored.get("/swagger/doc.json").text))
    assert references and all(name in doc["components"][kind] for kind, name in references)


def test_explorer_examples_are_understood(explored):
    """What stands in the forms is a request that the program takes."""
    token = {"Authorization": f"Bearer {ed25519.token(bytes(32), {})}"}
    for path, operations in explored.get("/swagger/doc.json").json["paths"].items():
        for method, operation in operations.items():
            query_string = "?to=1" if path == "/api/free" else ""
            body = None
            for media in operation.get("requestBody", {}).get("content", {}).values():
                body = media["example"]
            answer = http_request(explored.port, method.upper(), path + query_string, body=body, headers=token)
            assert answer.status == 200, (path, answer.text)


def test_no_explorer_without_dev(store):
    assert store.get("/swagger/").status == 404
    assert store.get("/swagger/doc.json").status == 404


# ---- own metrics

def test_metrics_page_is_strict_open_metrics(tmp_path):
    """Types, units, suffixes, labels, histograms and the order of families are those of the specification; without
    authentication and with it, with data and without."""
    port = free_port()
    with start(tmp_path, port, config(port, **{"jwt-public-key": ed25519.public_key_base64(bytes(32))})) as program:
        program.post("/api/write", line(1))
        program.post("/api/write", line(1), headers={"Authorization": f"Bearer {ed25519.token(bytes(32), {})}"})
        wait_until(lambda: metrics_page(program)["cc_http_connections"] >= 0, what="the counters")
        text = program.get("/metrics").text
    families = {f.name: f for f in openmetrics.text_string_to_metric_families(text)}
    assert all(f.documentation for f in families.values()), [n for n, f in families.items() if not f.documentation]
    assert {f.type for f in families.values()} == {"counter", "gauge", "histogram", "info", "summary"}
    refused = {s.labels["reason"]: s.value for s in families["cc_auth_refused"].samples}
    assert refused == {"token": 1, "scope": 0}
    for name in ("cc_log_suppressed_lines", "cc_http_slow_requests", "cc_http_busy_refusals", "cc_store_dropped_lines",
                 "cc_store_memory_bytes", "cc_store_request_duration_seconds", "process_open_fds"):
        assert name in families


def test_metrics_page(store):
    store.post("/api/write", line(1))
    query(store)
    answer = store.get("/metrics")
    assert answer.header("content-type").startswith("application/openmetrics-text")
    page = metrics_page(store)
    assert page['cc_store_requests_total{endpoint="/api/write",code="2xx"}'] == 1
    assert page['cc_store_request_duration_seconds_count{endpoint="/api/query"}'] == 1
    assert page["cc_store_hosts"] == 1 and page["cc_store_series"] == 1
    assert page["process_resident_memory_bytes"] > 1_000_000
    families = re.findall(r"^# TYPE (\S+)", answer.text, re.MULTILINE)
    assert len(families) == len(set(families))
