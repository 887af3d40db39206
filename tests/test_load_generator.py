# SPDX-License-Identifier: MIT
"""cc-load-generator: what it sends arrives, the same seed gives the same data, its mistakes are named."""
import http.server
import json
import re
import signal
import threading

import pytest

from harness import Program, free_port, run_program, wait_until


def report(text):
    return dict(re.findall(r"(\w+)=(\S+)", text.splitlines()[-1]))


def start_store(folder, metrics):
    port = free_port()
    (folder / "config.json").write_text(json.dumps({
        "main": {"addr": f"127.0.0.1:{port}", "authentication": "off"}, "metrics": metrics,
        "metric-store": {"retention-in-memory": "48h", "memory-cap": 1}}))
    return Program("cc-metric-store", ["-config", "config.json"], cwd=folder, port=port).wait_ready()


def metrics_of(*args):
    return json.loads(run_program("cc-load-generator", [*args, "-print-metrics"]).stdout)


@pytest.mark.parametrize("preset", ["cluster", "w1", "small-batches", "fresh"])
def test_everything_sent_is_stored(tmp_path, preset):
    args = ["-preset", preset, "-nodes", 6, "-steps", 5]
    with start_store(tmp_path, metrics_of(*args)) as store:
        done = run_program("cc-load-generator", [*args, "-url", f"http://127.0.0.1:{store.port}"])
        assert done.returncode == 0, done.stderr
        sent = report(done.stdout)
        assert sent["failures"] == "0" and int(sent["samples"]) > 0
        assert f"cc_store_samples_total {sent['samples']}\n" in store.get("/metrics").text


def test_same_seed_same_lines(tmp_path):
    def make(name, *more):
        args = ["-preset", "w1", "-nodes", 3, "-from", 1700000040, "-steps", 4, "-dump", tmp_path / name, *more]
        return report(run_program("cc-load-generator", args).stdout)["checksum"], (tmp_path / name).read_bytes()
    sum_a, a = make("a")
    sum_b, b = make("b")
    sum_c, c = make("c", "-shuffle")
    sum_d, d = make("d", "-seed", 2)
    assert (sum_a, a) == (sum_b, b)
    assert sum_a == sum_c and a != c and sorted(a.splitlines()) == sorted(c.splitlines())
    assert sum_a != sum_d and a != d


def test_live_sends_until_the_signal(tmp_path):
    args = ["-nodes", 2, "-interval", 1]
    with start_store(tmp_path, metrics_of(*args)) as store:
        live = Program("cc-load-generator", [*args, "-live", "-url", f"http://127.0.0.1:{store.port}"], cwd=tmp_path)
        with live:
            def steps():
                found = re.search(r"cc_store_batches_total (\d+)", store.get("/metrics").text)
                return int(found[1]) >= 8
            wait_until(steps, 30, "four intervals of two nodes")
            assert live.stop(signal.SIGTERM) == 0
            assert int(report(live.stdout)["samples"]) > 0


class JobBackend:
    """Stands in for cc-backend: takes samples and job events in the order they come."""

    def __init__(self, stop_status=200):
        self.events = events = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kind = self.path.split("?")[0].strip("/").split("/")[-1]
                events.append((kind, body, self.headers.get("Authorization")))
                self.send_response({"start_job": 201, "stop_job": stop_status}.get(kind, 200))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, kind):
        return [json.loads(body) for k, body, _ in self.events if k == kind]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()


JOBS = ["-nodes", 8, "-hwthreads", 4, "-from", 1700000100, "-to", 1700014500, "-interval", 300, "-job-window", 3600,
        "-jobs", "-token", "tok"]


def test_jobs_start_before_their_data_and_stop_behind_it():
    with JobBackend() as backend:
        done = run_program("cc-load-generator", [*JOBS, "-url", backend.url])
        assert done.returncode == 0, done.stderr
        sent, kinds = report(done.stdout), [e[0] for e in backend.events]
        starts, stops = backend.of("start_job"), backend.of("stop_job")
        assert len(starts) == int(sent["jobs_started"]) > 5
        assert len(stops) == int(sent["jobs_stopped"]) > 3
        assert kinds == sorted(kinds, key=["start_job", "write", "stop_job"].index)
        assert {e[2] for e in backend.events} == {"Bearer tok"}
        started = {j["jobId"]: j for j in starts}
        for stop in stops:
            job = started[stop["jobId"]]
            assert stop["startTime"] == job["startTime"] < stop["stopTime"] <= 1700014500
            assert len(job["resources"]) == job["numNodes"]
        assert all("simulated" in j["metaData"]["message"] for j in starts)


def test_jobs_known_already_are_no_failure():
    with JobBackend(stop_status=422) as backend:
        done = run_program("cc-load-generator", [*JOBS, "-url", backend.url])
        assert done.returncode == 0, done.stderr
        assert int(report(done.stdout)["jobs_known"]) > 3


def test_description_is_labelled_as_simulated(tmp_path):
    done = run_program("cc-load-generator", ["-cluster", "sim", "-nodes", 4, "-write-archive", tmp_path / "archive"])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "archive" / "version.txt").read_text() == "3\n"
    cluster = json.loads((tmp_path / "archive" / "sim" / "cluster.json").read_text())
    assert cluster["name"] == "sim"
    assert [s["name"] for s in cluster["subClusters"]] == ["simulated"]
    assert cluster["subClusters"][0]["nodes"] == "sim[001-004]"
    assert {m["name"] for m in cluster["metricConfig"]} == set(metrics_of())


def test_store_that_is_not_there():
    done = run_program("cc-load-generator", ["-preset", "small-batches", "-nodes", 1, "-steps", 1, "-url",
                                             f"http://127.0.0.1:{free_port()}"])
    assert done.returncode == 1
    sent = report(done.stdout)
    assert (sent["failures"], sent["lost_samples"], sent["samples"]) == ("1", "30", "0")
    assert "requests failed, the first one" in done.stderr


@pytest.mark.parametrize("args, code, text", [
    (["-nosuch"], 2, "flag provided but not defined"),
    ([], 1, "nothing to do"),
    (["-preset", "x", "-print-metrics"], 1, "unknown -preset 'x'"),
    (["-nodes", "many", "-print-metrics"], 2, "invalid value"),
    (["-hwthreads", 7, "-sockets", 2, "-print-metrics"], 1, "-hwthreads must be a multiple"),
    (["-dump", "/nonexistent/x", "-steps", 1], 1, "/nonexistent/x"),
    (["-dump", "x", "-url", "http://127.0.0.1:1"], 1, "exclude each other"),
    (["-backfill", "4", "-dump", "x"], 1, "missing unit in duration"),
    (["-live"], 1, "need -url"),
    (["-version"], 0, ""),
])
def test_wrong_command_line(tmp_path, args, code, text):
    done = run_program("cc-load-generator", args, cwd=tmp_path)
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr
