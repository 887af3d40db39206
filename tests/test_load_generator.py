# SPDX-License-Identifier: MIT
"""cc-load-generator: what it sends arrives, the same seed gives the same data, its mistakes are named."""
import json
import re
import signal

import pytest

from harness import Program, free_port, run_program, wait_until


def report(text):
    return dict(re.findall(r"(\w+)=(\S+)", text.splitlines()[-1]))


def start_store(folder, metrics):
    port = free_port()
    (folder / "config.json").write_text(json.dumps({
        "main": {"addr": f"127.0.0.1:{port}"}, "metrics": metrics,
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
