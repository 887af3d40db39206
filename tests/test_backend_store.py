# SPDX-License-Identifier: MIT
"""The store built into cc-backend through restarts and crashes, its files, cleanup and NATS."""
import json
import os
import re
import signal
import subprocess
import time

import pytest
from prometheus_client.openmetrics import parser as openmetrics

import checkpoint_files
import harness
import nats_client
from test_backend import demo, run, start, stop, wait_archived, write_samples, write_site

STEP = 60
METRICS = {"cpu_load": {"frequency": 60, "aggregation": "avg"}, "flops_any": {"frequency": 60, "aggregation": "sum"}}


def minute():
    return int(time.time()) // STEP * STEP


def store_section(**more):
    return {"retention-in-memory": "48h", "memory-cap": 1, **more}


def site(folder, port, nats=None, **more):
    sections = {"metric-store": store_section(**more)}
    if nats is not None:
        sections["nats"] = nats
    return write_site(folder, port, **sections)


def values(server, host, begin, count, metric="cpu_load"):
    """What is there of [begin, begin + count minutes), by number of the minute."""
    entry = server.post("/api/query", {"cluster": "alpha", "from": begin, "to": begin + STEP * count, "with-padding": False,
                                       "queries": [{"metric": metric, "host": host}]}).json["results"][0]
    if not entry or "data" not in entry[0]:
        return {}
    first = (entry[0]["from"] + STEP // 2 - begin) // STEP
    return {first + i: v for i, v in enumerate(entry[0]["data"]) if v is not None}


def wait_values(server, want, host, begin):
    harness.wait_until(lambda: values(server, host, begin, 60) == want, 20, f"{want} of {host}")


def sent(numbers):
    return dict(enumerate(numbers))


def metric(server, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", server.get("/metrics").text, re.M)
    assert found, f"{name} is not there"
    return float(found[1])


def archived_maximum(folder, job_id):
    meta, = (folder / "var" / "job-archive" / "alpha").glob(f"0/{job_id:03}/*/meta.json")
    return json.loads(meta.read_text())["statistics"]["cpu_load"]["max"]


def kill(server):
    server.signal(signal.SIGKILL)
    server.wait()


# ---- restarts ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("file_format, suffix", [("wal", ".bin"), ("json", ".json")])
def test_clean_stop_leaves_snapshots_and_no_log(tmp_path, file_format, suffix):
    """Every sample is there after the restart, and upstream's loader could read the directory."""
    port, begin = harness.free_port(), minute() - 1200
    site(tmp_path, port, checkpoints={"file-format": file_format})
    with demo(tmp_path, port) as server:
        for host in ("a01", "a02"):
            write_samples(server, host, begin, range(15))
        assert server.stop() == 0
    root = tmp_path / "var" / "checkpoints"
    assert not (root / checkpoint_files.LOG_DIRECTORY).exists()
    assert [p.suffix for p in (root / "alpha" / "a01").iterdir()] == [suffix]
    assert set(checkpoint_files.load(root)) == {("alpha", "a01"), ("alpha", "a02")}
    with demo(tmp_path, port) as server:
        assert values(server, "a01", begin, 20) == values(server, "a02", begin, 20) == sent(range(15))
        assert metric(server, "cc_wal_replayed_samples_total") == 0


def test_kill_loses_nothing_that_was_acknowledged(tmp_path):
    """Three lives without a clean stop; ms_29, ms_30: what an earlier log had is still there after a later crash."""
    port, begin = harness.free_port(), minute() - 1200
    site(tmp_path, port)
    for life in range(3):
        with demo(tmp_path, port) as server:
            write_samples(server, "a01", begin + 3 * life * STEP, range(3 * life, 3 * life + 3))
            kill(server)
    with demo(tmp_path, port) as server:
        assert values(server, "a01", begin, 20) == sent(range(9))
        assert metric(server, "cc_wal_replayed_samples_total") == 9


def test_job_stopped_before_a_kill_is_archived_with_its_data(tmp_path):
    port, begin = harness.free_port(), minute() - 600
    with demo(site(tmp_path, port), port) as server:
        write_samples(server, "a01", begin, [1, 2, 3, 4, 5])
        assert start(server, 7, begin).status == 201
        assert stop(server, 7, int(time.time())).status == 200  # not archived yet: the last samples may be under way
        kill(server)
    with demo(tmp_path, port) as server:
        wait_archived(server, 1)
        assert archived_maximum(tmp_path, 7) == 5


def test_jobs_that_need_old_data_keep_it_through_restarts(tmp_path):
    """Hosts of running jobs, and of stopped ones that wait for the archiver, are read from beyond the retention; others are not."""
    port, begin = harness.free_port(), minute() - 3 * 3600
    site(tmp_path, port, **{"retention-in-memory": "1h"})
    root = tmp_path / "var" / "checkpoints" / "alpha"
    with demo(tmp_path, port) as server:
        assert start(server, 1, begin).status == 201
        assert start(server, 2, begin, resources=[{"hostname": "a02"}]).status == 201
        assert server.stop() == 0
    for host in ("a01", "a02", "a03"):
        (root / host).mkdir(parents=True)
        (root / host / f"{begin}.bin").write_bytes(checkpoint_files.write_bin(
            begin, begin + 1200, {(): {"cpu_load": (STEP, begin, [1, 2, 3, 4])}}))
    with demo(tmp_path, port) as server:
        wait_values(server, sent([1, 2, 3, 4]), "a01", begin)
        assert values(server, "a03", begin, 60) == {}
        assert stop(server, 2, int(time.time())).status == 200
        kill(server)
    with demo(tmp_path, port) as server:
        wait_archived(server, 2)
        assert archived_maximum(tmp_path, 2) == 4
        assert values(server, "a01", begin, 60) == sent([1, 2, 3, 4])


def test_stop_without_snapshots_leaves_the_log(tmp_path):
    """Upstream exits after 60 s with what it has. Here what could not be written as a snapshot is in the log for the next start."""
    port, begin = harness.free_port(), minute() - 1200
    with demo(site(tmp_path, port), port) as server:
        write_samples(server, "a01", begin, range(5))
        obstacle = tmp_path / "var" / "checkpoints" / "alpha"
        if obstacle.exists():
            obstacle.rename(tmp_path / "var" / "moved")
        obstacle.write_text("in the way")
        assert server.stop() == 0
        assert "nothing is lost, the log in './var/checkpoints' has it" in server.stderr
    obstacle.unlink()
    with demo(tmp_path, port) as server:
        assert values(server, "a01", begin, 20) == sent(range(5))


class Standalone(harness.Program):
    """cc-metric-store on the checkpoints of a site."""

    def __init__(self, folder, port, file_format):
        (folder / "store.json").write_text(json.dumps({
            "main": {"addr": f"127.0.0.1:{port}", "authentication": "off"}, "metrics": METRICS,
            "metric-store": store_section(checkpoints={"file-format": file_format})}))
        super().__init__("cc-metric-store", ["-config", "store.json"], cwd=folder, port=port)
        self.wait_ready()


@pytest.mark.parametrize("crash", [False, True], ids=["stop", "kill"])
@pytest.mark.parametrize("file_format", ["wal", "json"])
def test_files_move_between_the_two_stores(tmp_path, file_format, crash):
    """Written by one and read by the other, both ways, nothing in between; after a crash the log is read as well."""
    port, begin = harness.free_port(), minute() - 1800
    site(tmp_path, port, checkpoints={"file-format": file_format})

    def end(server):
        if crash:
            kill(server)
        else:
            assert server.stop() == 0
    with Standalone(tmp_path, port, file_format) as store:
        write_samples(store, "a01", begin, range(5))
        assert store.post("/api/write?cluster=alpha", f"flops_any,hostname=a01,type=hwthread,type-id=1 value=0.5 {begin}\n").status == 200
        end(store)
    with demo(tmp_path, port) as server:
        assert values(server, "a01", begin, 20) == sent(range(5))
        assert values(server, "a01", begin, 20, "flops_any") == {0: 0.5}
        write_samples(server, "a01", begin + 5 * STEP, range(5, 10))
        write_samples(server, "a02", begin, [7])
        end(server)
    with Standalone(tmp_path, port, file_format) as store:
        assert values(store, "a01", begin, 20) == sent(range(10))
        assert values(store, "a01", begin, 20, "flops_any") == {0: 0.5}
        assert values(store, "a02", begin, 20) == {0: 7}


def test_one_server_per_directory(tmp_path):
    port = harness.free_port()
    with demo(site(tmp_path, port), port) as server:
        write_samples(server, "a01", minute() - 600, [1])
        (tmp_path / "second.json").write_text((tmp_path / "config.json").read_text().replace(str(port), str(harness.free_port())))
        done = run(tmp_path, "-server", "-demo", "-config", "second.json")
        assert done.returncode == 1 and "metric store" in done.stderr and "var/checkpoints" in done.stderr
        assert values(server, "a01", minute() - 1200, 20) != {}


def test_directory_that_is_a_file(tmp_path):
    port = harness.free_port()
    site(tmp_path, port)
    (tmp_path / "var" / "checkpoints").write_text("no folder")
    done = run(tmp_path, "-server", "-demo")
    assert done.returncode == 1 and "metric store" in done.stderr and "var/checkpoints" in done.stderr


def test_ms_35_damaged_snapshot_is_put_aside(tmp_path):
    port, begin = harness.free_port(), minute() - 1200
    with demo(site(tmp_path, port), port) as server:
        write_samples(server, "a01", begin, range(5))
        assert server.stop() == 0
    host = tmp_path / "var" / "checkpoints" / "alpha" / "a01"
    (host / f"{begin - 60}.bin").write_bytes(b"nonsense")
    with demo(tmp_path, port) as server:
        wait_values(server, sent(range(5)), "a01", begin)
        harness.wait_until(lambda: list(host.glob("*.corrupt*")), 10, "the file to be put aside")


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can change the user")
def test_files_belong_to_the_user_that_the_server_becomes(tmp_path):
    port = harness.free_port()
    write_site(tmp_path, port, main={"addr": f"127.0.0.1:{port}", "user": "nobody", "group": "nogroup"})
    assert run(tmp_path, "-migrate-db").returncode == 0
    subprocess.run(["chown", "-R", "nobody:nogroup", tmp_path / "var"], check=True)
    with demo(tmp_path, port) as server:
        write_samples(server, "a01", minute() - 600, [1, 2])
        assert server.stop() == 0, server.stderr
    files = [tmp_path / "var" / "checkpoints", *(tmp_path / "var" / "checkpoints").rglob("*")]
    assert len(files) == 4 and {p.owner() for p in files} == {"nobody"}


def test_own_metrics(tmp_path):
    port = harness.free_port()
    with demo(site(tmp_path, port), port) as server:
        write_samples(server, "a01", minute() - 600, [1, 2, 3])
        assert metric(server, "cc_wal_records_total") >= 1 and metric(server, "cc_snapshot_dirty_hosts") == 1
        assert metric(server, "cc_memory_cap_runs_total") == metric(server, "cc_cleanup_runs_total") == 0
        text = server.get("/metrics").text
    assert "cc_nats" not in text
    families = {f.name: f for f in openmetrics.text_string_to_metric_families(text)}  # strict
    for name in ("cc_wal_records", "cc_snapshot_dirty_hosts", "cc_retention_runs", "cc_cleanup_files", "cc_backend_archived_jobs"):
        assert families[name].documentation


# ---- cleanup -------------------------------------------------------------------------------------------------------

def old_file(folder, host, end):
    path = folder / "var" / "checkpoints" / "alpha" / host
    path.mkdir(parents=True, exist_ok=True)
    path = path / f"{end - 600}.bin"
    path.write_bytes(checkpoint_files.write_bin(end - 600, end, {(): {"cpu_load": (STEP, end - 600, [1, 2, 3])}}))
    return path


@pytest.mark.parametrize("mode", ["delete", "archive"])
def test_ms_41_cleanup_beside_the_server(tmp_path, mode):
    """The first run comes soon after the start, and leaves the host of a running job alone."""
    port, now = harness.free_port(), minute()
    site(tmp_path, port, **{"retention-in-memory": "2s", "cleanup": {"mode": mode, "directory": "./var/parquet"}})
    busy, idle = old_file(tmp_path, "a01", now - 7200), old_file(tmp_path, "a02", now - 7200)
    with demo(tmp_path, port) as server:
        assert start(server, 1, now - 9000).status == 201
        harness.wait_until(lambda: not idle.exists(), 20, "the cleanup")
        harness.wait_until(lambda: metric(server, "cc_cleanup_files_total") == 1, 5, "the count")
        assert busy.exists() and not idle.parent.exists()
        assert metric(server, "cc_cleanup_failed_runs_total") == 0
    assert len(list((tmp_path / "var").glob("parquet/alpha/*.parquet"))) == (mode == "archive")


@pytest.mark.parametrize("cleanup, text", [
    (None, "Cleanup done: 1 checkpoint files deleted."),
    ({"mode": "other"}, "Cleanup done: 1 checkpoint files deleted."),
    ({"mode": "archive", "directory": "./var/parquet"}, "Cleanup done: 1 checkpoint files archived to parquet."),
])
def test_cleanup_command(tmp_path, cleanup, text):
    site(tmp_path, 18080, **({"cleanup": cleanup} if cleanup else {}))
    assert run(tmp_path, "-migrate-db").returncode == 0
    old, new = old_file(tmp_path, "a01", minute() - 50 * 3600), old_file(tmp_path, "a02", minute() - 40 * 3600)
    done = run(tmp_path, "-cleanup-checkpoints", env={"SESSION_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="})
    assert (done.returncode, done.stdout) == (0, text), done.stderr
    assert new.exists() and not old.exists()
    if "parquet" in text:
        assert len(list(tmp_path.glob("var/parquet/alpha/*.parquet"))) == 1


def test_cleanup_command_errors(tmp_path):
    site(tmp_path, 18080)
    assert run(tmp_path, "-migrate-db").returncode == 0

    def refused(wanted, **sections):
        config = json.loads((tmp_path / "config.json").read_text())
        config.pop("metric-store", None)
        (tmp_path / "config.json").write_text(json.dumps({**config, **sections}))
        done = run(tmp_path, "-demo", "-cleanup-checkpoints")
        assert done.returncode == 1 and wanted in done.stderr
    refused("metric-store configuration required for checkpoint cleanup")
    refused("parsing retention-in-memory", **{"metric-store": {"retention-in-memory": "2 days"}})
    refused("needs a 'directory'", **{"metric-store": store_section(cleanup={"mode": "archive"})})
    refused("nowhere", **{"metric-store": store_section(checkpoints={"directory": "./nowhere"})})


# ---- NATS ----------------------------------------------------------------------------------------------------------

needs_nats = pytest.mark.skipif(not nats_client.PROGRAM, reason=nats_client.MISSING)
PLAIN = [{"subscribe-to": "alpha.>", "cluster-tag": "alpha"}, {"subscribe-to": "any"}]


def lines(begin, numbers, host="a01", tags=""):
    return "".join(f"cpu_load,hostname={host},type=node{tags} value={i} {begin + STEP * i}\n" for i in numbers)


@needs_nats
def test_samples_from_nats(tmp_path):
    """Values arrive, survive a stop that comes at once (ms_47) and a kill."""
    port, begin = harness.free_port(), minute() - 1800
    with nats_client.Server(tmp_path) as broker, nats_client.Client(broker.port) as client:
        site(tmp_path, port, nats={"address": f"nats://127.0.0.1:{broker.port}"}, **{"nats-subscriptions": PLAIN})
        with demo(tmp_path, port) as server:
            harness.wait_until(lambda: metric(server, "cc_nats_connected") == 1, 10, "a connection")
            client.publish("alpha.x", lines(begin, range(5)))
            client.publish("any", lines(begin, range(3), "g01", ",cluster=gpu"))
            wait_values(server, sent(range(5)), "a01", begin)
            assert metric(server, "cc_nats_messages_total") == 2
            client.publish("alpha.y", lines(begin, range(5, 10)))
            client.flush()
            assert server.stop() == 0
        with demo(tmp_path, port) as server:
            assert values(server, "a01", begin, 30) == sent(range(10))
            harness.wait_until(lambda: metric(server, "cc_nats_connected") == 1, 10, "a connection")
            client.publish("alpha.x", lines(begin, range(10, 12)))
            wait_values(server, sent(range(12)), "a01", begin)
            harness.wait_until(lambda: metric(server, 'cc_nats_commits_total{result="done"}') >= 1, 10, "the commit")
            kill(server)
        with demo(tmp_path, port) as server:
            assert values(server, "a01", begin, 30) == sent(range(12))


@needs_nats
def test_stream_is_caught_up_with(tmp_path):
    """What a JetStream stream got while the server was away, or died before it acknowledged, comes later."""
    port, begin = harness.free_port(), minute() - 1800
    durable = [{"subscribe-to": "alpha.>", "cluster-tag": "alpha", "jetstream-stream": "S", "jetstream-durable": "backend"}]
    with nats_client.Server(tmp_path, jetstream=True) as broker, nats_client.Client(broker.port) as client:
        client.jetstream("STREAM.CREATE.S", {"name": "S", "subjects": ["alpha.>"], "storage": "file"})
        site(tmp_path, port, nats={"address": f"nats://127.0.0.1:{broker.port}"}, **{"nats-subscriptions": durable})
        client.publish("alpha.x", lines(begin, range(5)))
        client.flush()
        with demo(tmp_path, port) as server:
            wait_values(server, sent(range(5)), "a01", begin)
            harness.wait_until(lambda: metric(server, 'cc_nats_acknowledgements_total{kind="ack"}') == 1, 10, "the acknowledgement")
            kill(server)
        client.publish("alpha.x", lines(begin, range(5, 10)))
        client.flush()
        with demo(tmp_path, port) as server:
            wait_values(server, sent(range(10)), "a01", begin)
            assert metric(server, "cc_nats_messages_total") == 1  # the first one is done with


def test_ms_46_absent_broker_and_missing_address(tmp_path):
    """Neither keeps the server from its work, nor from a quick stop."""
    port = harness.free_port()
    site(tmp_path, port, nats={"address": f"nats://127.0.0.1:{harness.free_port()}"}, **{"nats-subscriptions": PLAIN})
    with demo(tmp_path, port) as server:
        assert server.get("/healthz").status == 200 and metric(server, "cc_nats_connected") == 0
        assert server.stop(timeout=10) == 0
    site(tmp_path, port, nats={}, **{"nats-subscriptions": PLAIN})
    with demo(tmp_path, port) as server:
        assert "NATS: no address is configured" in server.stderr and server.stop() == 0


def test_mistakes_in_section_nats_are_told(tmp_path):
    """As upstream: a warning, the server starts; the password is not printed."""
    port = harness.free_port()
    site(tmp_path, port, nats={"adress": "nats://x", "username": 5, "password": "secret"})
    with demo(tmp_path, port) as server:
        assert server.get("/healthz").status == 200
        assert "adress" in server.stderr and "username" in server.stderr
    done = run(tmp_path, "-print-config")
    assert json.loads(done.stdout)["nats"]["password"] == "***" and "secret" not in done.stdout
