# SPDX-License-Identifier: MIT
"""cc-metric-store: retention and dynamic retention across restarts, with retentions of seconds and a backend that names the hosts of
running jobs. The memory cap is in src/store/test-memory-cap.c and bench/bench-memory.py: the least one is a gigabyte."""
import contextlib
import json
import re
import time

from harness import Program, free_port, wait_until
from used_nodes_backend import TOKEN, Backend

RETENTION_S = 6


@contextlib.contextmanager
def running(folder, backend=None, retention_s=RETENTION_S):
    port = free_port()
    main = {"addr": f"127.0.0.1:{port}", "authentication": "off"}
    if backend:
        main.update({"backend-url": backend.url, "backend-token": TOKEN})
    (folder / "config.json").write_text(json.dumps({
        "main": main, "metrics": {"tick": {"frequency": 1, "aggregation": "sum"}},
        "metric-store": {"retention-in-memory": f"{retention_s}s", "memory-cap": 1, "checkpoints": {"directory": "cp"}}}))
    with Program("cc-metric-store", ["-config", "config.json"], cwd=folder, port=port).wait_ready() as store:
        yield store
        if store.proc.poll() is None:
            assert store.stop() == 0


def write(store, host, now):
    assert store.post("/api/write", f"tick,cluster=c,hostname={host} value=1 {now}\n").status == 200


def has_data(store, host, at):
    body = {"cluster": "c", "from": at - 100, "to": at + 100, "queries": [{"metric": "tick", "host": host}]}
    entries = store.get("/api/query", body=body).json["results"][0]
    return bool(entries) and 1 in entries[0]["data"]


def page(store):
    return {m[1]: float(m[2]) for m in re.finditer(r"^([^#\s]\S*) (\S+)$", store.get("/metrics").text, re.MULTILINE)}


def snapshots(folder, host):
    return sorted((folder / "cp" / "c" / host).glob("*.bin"))


def wait_for_runs(store, name, more):
    before = page(store)[name]
    wait_until(lambda: page(store)[name] >= before + more, 60, f"{more} more of {name}")


def test_retention_holds_after_restart(tmp_path):
    """Snapshots from before the retention are not loaded, whether the store was stopped or killed."""
    with running(tmp_path) as store:
        old = int(time.time())
        write(store, "old", old)
        assert has_data(store, "old", old)
        wait_until(lambda: not has_data(store, "old", old), 30, "the old data to go")
        new = int(time.time())
        write(store, "new", new)
        store.kill()
    with running(tmp_path) as store:  # the log has both, the window one
        assert has_data(store, "new", new) and not has_data(store, "old", old)
    with running(tmp_path, retention_s=3600) as store:
        assert has_data(store, "new", new)
        assert snapshots(tmp_path, "new")


def test_longer_retention_finds_what_memory_forgot(tmp_path):
    """What retention freed from memory is on disk until the cleanup comes for it."""
    with running(tmp_path, retention_s=3) as store:
        at = int(time.time())
        write(store, "h", at)
        wait_until(lambda: snapshots(tmp_path, "h"), 30, "the snapshot before the data goes")
        store.kill()
    with running(tmp_path, retention_s=3600) as store:
        assert has_data(store, "h", at)


def test_dynamic_retention_holds_after_restart(tmp_path):
    """Hosts of running jobs are loaded beyond the retention and keep data and files; others do not."""
    with running(tmp_path, retention_s=3600) as store:
        at = int(time.time())
        write(store, "busy", at)
        write(store, "idle", at)
    assert snapshots(tmp_path, "busy") and snapshots(tmp_path, "idle")
    time.sleep(RETENTION_S + 2)
    with Backend("busy") as backend:
        with running(tmp_path, backend) as store:
            wait_until(lambda: has_data(store, "busy", at), 30, "the data of the busy host to be loaded")
            assert not has_data(store, "idle", at)
            wait_for_runs(store, "cc_cleanup_runs_total", 2)
            wait_for_runs(store, "cc_retention_runs_total", 2)
            assert has_data(store, "busy", at)
            assert snapshots(tmp_path, "busy") and not snapshots(tmp_path, "idle")
        with running(tmp_path, backend) as store:  # once more, from the files that the cleanup spared
            wait_until(lambda: has_data(store, "busy", at), 30, "the data of the busy host to be loaded again")
            backend.hosts.clear()  # the job ends
            wait_until(lambda: not has_data(store, "busy", at), 30, "the data to go with the job")
            wait_until(lambda: not snapshots(tmp_path, "busy"), 60, "the files to go with the job")


def test_ms_03_after_restart_a_silent_backend_delays_the_cleanup_only(tmp_path):
    """Nobody knows which files running jobs need: they stay for a second retention, and not for ever."""
    with running(tmp_path, retention_s=3600) as store:
        at = int(time.time())
        write(store, "h", at)
    with Backend("h") as backend:
        backend.status = 500
        with running(tmp_path, backend) as store:
            while time.time() < at + 2 * RETENTION_S - 1:
                assert snapshots(tmp_path, "h")
                time.sleep(0.2)
            assert page(store)["cc_cleanup_runs_total"] >= 1 and page(store)["cc_retention_failed_queries_total"] >= 1
            wait_until(lambda: not snapshots(tmp_path, "h"), 60, "the snapshot to be cleaned up")


def test_kept_data_survives_a_crash(tmp_path):
    """The store is killed while it keeps the data of a running job beyond the retention."""
    with Backend("busy") as backend:
        with running(tmp_path, backend) as store:
            at = int(time.time())
            write(store, "busy", at)
            time.sleep(RETENTION_S + 2)
            wait_for_runs(store, "cc_retention_runs_total", 1)
            assert has_data(store, "busy", at)
            store.kill()
        with running(tmp_path, backend) as store:
            wait_until(lambda: has_data(store, "busy", at), 30, "the data of the busy host to be loaded")
            assert backend.asked


def test_libcurl_is_loaded_for_the_backend_only(tmp_path):
    """It and the libraries that it brings take 4 MB (net/curl-on-demand.h)."""
    with running(tmp_path) as store:
        assert "libcurl" not in open(f"/proc/{store.proc.pid}/maps").read()
    with Backend("n1") as backend, running(tmp_path, backend) as store:
        assert "libcurl" in open(f"/proc/{store.proc.pid}/maps").read()
