# SPDX-License-Identifier: MIT
"""Bad input that no program's own tests have: what is true of every program, and cases between two of them."""
import contextlib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

import harness

SITE = harness.ROOT / "tests" / "recorded" / "backend" / "fixtures" / "site"
SERVERS = ("cc-metric-store", "cc-backend", "cc-metric-collector")
T0 = 1700000040


def backend_site(folder, port, **sections):
    shutil.copytree(SITE, folder, dirs_exist_ok=True)
    config = {"main": {"addr": f"127.0.0.1:{port}"}, "archive": {"kind": "file", "path": "./var/job-archive"},
              "metric-store": {"retention-in-memory": "876000h", "memory-cap": 1}}
    config.update(sections)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.fixture
def backend(tmp_path):
    port = harness.free_port()
    backend_site(tmp_path, port)
    with harness.Program("cc-backend", ["-server", "-demo"], cwd=tmp_path, port=port) as program:
        yield program.wait_ready()


def job(job_id, begin):
    return {"cluster": "alpha", "user": "ann", "project": "p", "jobId": job_id, "numNodes": 1,
            "resources": [{"hostname": "a01"}], "startTime": begin}


# ---- configuration of every program ------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("content", [b"\x00" * 4096, b"\xff\xfe{}", b'{"main": {"a": "\x80"}}', b"[" * 200_000, b"null"],
                         ids=["zeros", "utf-16", "no-utf-8", "deep", "null"])
def test_configuration_that_is_no_document(tmp_path, name, content):
    (tmp_path / "config.json").write_bytes(content)
    done = harness.run_program(name, ["-config", "config.json"] + (["-server"] if name == "cc-backend" else []), cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "config" in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize("name", SERVERS)
def test_configuration_that_may_not_be_read(tmp_path, name):
    """Root may read everything: a name that leads round in a circle is unreadable for everybody."""
    os.symlink("config.json", tmp_path / "config.json")
    done = harness.run_program(name, ["-config", "config.json"] + (["-server"] if name == "cc-backend" else []), cwd=tmp_path)
    assert done.returncode == 1 and "config.json" in done.stdout + done.stderr


@pytest.mark.parametrize("main", [{"https-cert-file": "cert.pem"}, {"https-key-file": "key.pem"}])
def test_half_of_the_tls_files_is_warned_about(tmp_path, main):
    """As upstream the store serves plain HTTP then, but it says so."""
    port = harness.free_port()
    config = {"main": {"addr": f"127.0.0.1:{port}", "authentication": "off", **main}, "metrics": {"m": {"frequency": 60, "aggregation": None}},
              "metric-store": {"retention-in-memory": "48h", "memory-cap": 1}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with harness.Program("cc-metric-store", ["-config", "config.json"], cwd=tmp_path, port=port) as p:
        p.wait_ready()
        assert "https-cert-file and https-key-file must both be given" in p.stderr
        assert p.stop() == 0


# ---- cc-backend ---------------------------------------------------------------------------------------------------------

def test_backend_keeps_good_lines_of_a_bad_batch(backend):
    lines = f"cpu_load,hostname=a01 value=1 {T0}\ncpu_load,hostname= value\nnosuch,hostname=a01 value=1 {T0}\n" \
            f"cpu_load,hostname=a01 value=2 {T0 + 60}\n"
    answer = backend.post("/api/write?cluster=alpha", lines)
    assert answer.status == 400 and "line 2" in answer.text, answer.text
    query = {"cluster": "alpha", "from": T0, "to": T0 + 120, "queries": [{"metric": "cpu_load", "host": "a01"}]}
    assert backend.get("/api/query", body=query).json["results"][0][0]["data"][:2] == [1.0, 2.0]
    page = backend.get("/metrics").text
    assert 'dropped_lines_total{reason="unknown_metric"} 1\n' in page and 'dropped_lines_total{reason="syntax"} 1\n' in page


def test_backend_slow_and_half_closed_clients(backend):
    """Requests that never end hold up nobody, one whose sender has closed its side is answered."""
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            s = stack.enter_context(socket.create_connection(("127.0.0.1", backend.port)))
            s.sendall(b"POST /api/jobs/start_job/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert backend.get("/healthz").status == 200
        assert backend.post("/api/jobs/start_job/", job(1, int(time.time()) - 10)).status == 201
    body = json.dumps(job(2, int(time.time()) - 10)).encode()
    with socket.create_connection(("127.0.0.1", backend.port)) as s:
        s.settimeout(20 * harness.SLOW)
        s.sendall(b"POST /api/jobs/start_job/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        s.shutdown(socket.SHUT_WR)
        assert s.recv(4096).startswith(b"HTTP/1.1 201 ")
    assert sorted(j["jobId"] for j in backend.get("/api/jobs/").json["jobs"]) == [1, 2]


def test_backend_refuses_a_repeated_start(backend):
    """UPSTREAM DEFECT backend.md 4.4.1: within a second, before anything was synchronised, from several senders at once."""
    begin, answers = int(time.time()) - 10, []
    threads = [threading.Thread(target=lambda: answers.append(backend.post("/api/jobs/start_job/", job(5, begin)).status))
               for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(answers) == [201] + [422] * 7
    assert backend.post("/api/jobs/start_job/", job(5, begin + 1)).status == 422


def test_backend_stop_as_running_is_refused(backend):
    """UPSTREAM DEFECT backend.md 4.4.2."""
    begin = int(time.time()) - 10
    assert backend.post("/api/jobs/start_job/", job(1, begin)).status == 201
    answer = backend.post("/api/jobs/stop_job/", {"jobId": 1, "stopTime": begin + 5, "jobState": "running"})
    assert answer.status in (400, 422) and "running" in answer.text
    assert backend.get("/api/jobs/1").json["Meta"]["monitoringStatus"] == 1


def test_backend_without_resolutions(tmp_path):
    """UPSTREAM DEFECT backend.md 4.5.2: an empty list crashed the answer; it is as good as none."""
    port = harness.free_port()
    backend_site(tmp_path, port, main={"addr": f"127.0.0.1:{port}", "resampling": {"trigger": 30, "resolutions": []}})
    with harness.Program("cc-backend", ["-server", "-demo"], cwd=tmp_path, port=port) as backend:
        begin = int(time.time()) // 60 * 60 - 300
        assert backend.wait_ready().post("/api/jobs/start_job/", job(1, begin)).status == 201
        assert backend.post("/api/write?cluster=alpha", f"cpu_load,hostname=a01 value=1 {begin}\n").status == 200
        answer = backend.post("/api/jobs/1", ["cpu_load"])
        assert answer.status == 200 and answer.json["Data"][0]["metric"]["timestep"] == 60, answer.text


def test_backend_with_clocks_that_disagree(backend):
    """A job that starts in the future of the server, one that ends before it began, and one of 1970."""
    now = int(time.time())
    assert backend.post("/api/jobs/start_job/", job(1, now + 3600)).status == 201
    answer = backend.post("/api/jobs/stop_job/", {"jobId": 1, "stopTime": now})
    assert answer.status in (400, 422) and "must be larger/equal than startTime" in answer.text
    meta = backend.get("/api/jobs/1").json["Meta"]
    assert meta["jobState"] == "running" and meta["duration"] >= 0
    assert backend.post("/api/jobs/stop_job/", {"jobId": 1, "stopTime": now + 3600}).status == 200
    assert backend.post("/api/jobs/start_job/", job(2, 1)).status == 201
    assert backend.get("/api/jobs/2").status == 200


def test_backend_while_its_database_is_locked(tmp_path):
    """Another program holds the database: the start is refused with the reason, readers go on, and so does all afterwards."""
    port, begin = harness.free_port(), int(time.time()) - 10
    backend_site(tmp_path, port, main={"addr": f"127.0.0.1:{port}", "db-config": {"busy-timeout-ms": 200}})
    with harness.Program("cc-backend", ["-server", "-demo"], cwd=tmp_path, port=port) as backend:
        backend.wait_ready()
        with contextlib.closing(sqlite3.connect(tmp_path / "var" / "job.db", isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            answer = backend.post("/api/jobs/start_job/", job(1, begin))
            assert answer.status >= 500 and "locked" in answer.text, (answer.status, answer.text)
            assert backend.get("/api/jobs/").json["jobs"] == []
            db.execute("ROLLBACK")
        assert backend.post("/api/jobs/start_job/", job(1, begin)).status == 201


def test_backend_database_that_is_none(tmp_path):
    for name, make in (("folder", lambda p: p.mkdir()), ("text", lambda p: p.write_text("no database " * 1000))):
        folder = tmp_path / name
        folder.mkdir()
        backend_site(folder, harness.free_port())
        (folder / "var" / "job.db").unlink(missing_ok=True)
        make(folder / "var" / "job.db")
        done = harness.run_program("cc-backend", ["-server", "-demo"], cwd=folder)
        assert done.returncode == 1 and "job.db" in done.stdout + done.stderr, done.stderr


# ---- cc-load-generator --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"nonsense\r\n\r\n", b""],
                         ids=["status", "half-an-answer", "nonsense", "nothing"])
def test_load_generator_counts_what_a_server_refuses(answer):
    def serve(listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            with s:
                s.recv(1 << 16)
                s.sendall(answer)
                s.shutdown(socket.SHUT_WR)
                while s.recv(1 << 16):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        done = harness.run_program("cc-load-generator", ["-preset", "small-batches", "-nodes", 1, "-steps", 1, "-url",
                                                         f"http://127.0.0.1:{listener.getsockname()[1]}"])
    assert done.returncode == 1, done.stderr
    sent = dict(re.findall(r"(\w+)=(\S+)", done.stdout))
    assert (sent["samples"], sent["lost_samples"]) == ("0", "30"), done.stdout


# ---- a disk that is full: /dev/full ---------------------------------------------------------------------------------------

def test_collector_with_a_full_disk_behind_standard_output(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({
        "main": {"interval": "100ms"}, "router": {}, "sinks": {"out": {"type": "stdout", "output_file": "/dev/full"}},
        "collectors": {"loadavg": {}}, "receivers": {}}))
    with harness.Program("cc-metric-collector", ["-config", "config.json"], cwd=tmp_path) as p:
        harness.wait_until(lambda: "No space left on device" in p.stderr, what="the report")
        p.stop()
    assert p.proc.returncode in (0, 1)
    assert p.stderr.count("No space left on device") < 10, "the same trouble again and again is not told each time"


@pytest.mark.parametrize("name, args", [
    ("cc-metric-store", ["-print-config"]), ("cc-metric-collector", ["-print-config"]), ("cc-backend", ["-print-config"]),
    ("cc-load-generator", ["-preset", "small-batches", "-nodes", "1", "-steps", "2", "-dump", "/dev/full"]),
])
def test_output_that_cannot_be_written(tmp_path, name, args):
    store = {"main": {"addr": "127.0.0.1:1", "authentication": "off"}, "metrics": {"m": {"frequency": 60, "aggregation": None}},
             "metric-store": {"retention-in-memory": "48h", "memory-cap": 1}}
    agent = {"main": {"interval": "1s"}, "router": {}, "sinks": {"o": {"type": "stdout"}}, "collectors": {}}
    if name == "cc-backend":
        backend_site(tmp_path, 18080)
    else:
        (tmp_path / "config.json").write_text(json.dumps(store if name == "cc-metric-store" else agent))
    with open("/dev/full", "w") as full:
        done = subprocess.run([harness.program(name), *args], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=30 * harness.SLOW)
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr, done.stderr
