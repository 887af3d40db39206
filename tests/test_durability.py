# SPDX-License-Identifier: MIT
"""What cc-metric-store acknowledged is there again: after kill -9, damage, a full disk, and for upstream's store. The long form
of the first test is script/torture; failing I/O calls and power loss are tried in src/store/test-persist-durability.c."""
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import time

import pytest

import checkpoint_files
import torture
from harness import Program, free_port, run_program, wait_until

T0 = torture.T0
F = 60
SEED = int(os.environ.get("CC_TEST_SEED", random.randrange(1 << 30)))
METRICS = {"cpu_load": {"frequency": 60, "aggregation": None}, "mem_bw": {"frequency": 60, "aggregation": "sum"},
           "tick": {"frequency": 1, "aggregation": "sum"}}


class Store:
    """cc-metric-store with a checkpoint directory that lives through several lives."""

    def __init__(self, folder, retention="876000h", interval="1h", metrics=None, cleanup=None, **checkpoints):
        self.folder, self.port, self.program = pathlib.Path(folder), free_port(), None
        self.checkpoints = pathlib.Path(checkpoints.setdefault("directory", str(self.folder / "checkpoints")))
        self.config = {"main": {"addr": f"127.0.0.1:{self.port}", "authentication": "off"}, "metrics": metrics or METRICS,
                       "metric-store": {"retention-in-memory": retention, "memory-cap": 4, "checkpoint-interval": interval,
                                        "checkpoints": checkpoints}}
        if cleanup:
            self.config["metric-store"]["cleanup"] = cleanup
        self.values = {}  # (host, metric, component) -> {time: value}, of what was acknowledged

    def start(self):
        (self.folder / "config.json").write_text(json.dumps(self.config))
        self.program = Program("cc-metric-store", ["-config", "config.json"], cwd=self.folder, port=self.port).wait_ready(60)
        return self

    def write(self, *samples, status=200):
        """samples: (host, metric, component or "", time, value). Remembers them when they are acknowledged."""
        answer = self.program.post("/api/write", "".join(self.line(*s) for s in samples))
        assert answer.status == status, answer.text
        if status == 200:
            for host, metric, component, ts, value in samples:
                self.values.setdefault((host, metric, component), {})[ts] = value
        return answer

    @staticmethod
    def line(host, metric, component, ts, value):
        kind = re.match(r"([a-z]*)(.*)", component)
        tags = f",type={kind[1]},type-id={kind[2]}" if component else ""
        return f"{metric},cluster=c,hostname={host}{tags} value={value!r} {ts}\n"

    def fill(self, hosts, count, start=T0):
        for i in range(count):
            self.write(*[s for h in hosts for s in ((h, "cpu_load", "", start + i * F, i + 0.125),
                                                     (h, "mem_bw", "socket0", start + i * F, 100 * i + 0.5))])

    def entry(self, host, metric, component="", start=None, end=None):
        kind = re.match(r"([a-z]*)(.*)", component)
        query = {"host": host, "metric": metric, **({"type": kind[1], "type-ids": [kind[2]]} if component else {})}
        body = {"cluster": "c", "from": start, "to": end, "with-padding": False, "queries": [query]}
        answer = self.program.get("/api/query", body=body)
        assert answer.status == 200, answer.text
        entries = answer.json["results"][0]
        return entries[0] if entries else None

    def read(self, host, metric, component="", start=T0 - 86400, end=T0 + 86400):
        entry = self.entry(host, metric, component, start, end)
        if entry is None or "data" not in entry:
            return {}
        step = entry["resolution"]
        return {entry["from"] + i * step: v for i, v in enumerate(entry["data"]) if v is not None}

    def missing(self):
        """What was acknowledged and is not there, as (key, time, wanted, got)."""
        lost = []
        for (host, metric, component), known in self.values.items():
            got = self.read(host, metric, component, min(known), max(known) + 1)
            lost += [(host, metric, component, ts, v, got.get(ts)) for ts, v in known.items() if got.get(ts) != v]
        return lost

    def kill(self):
        self.program.kill()

    def stop(self, code=0):
        assert self.program.stop() == code, self.program.stderr
        return self

    def page(self):
        text = self.program.get("/metrics").text
        return {m[1]: float(m[2]) for m in re.finditer(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}

    def segments(self):
        return sorted(p for p in (self.checkpoints / checkpoint_files.LOG_DIRECTORY).iterdir() if p.is_file())

    def snapshots(self, host="*"):
        return sorted(p for p in self.checkpoints.glob(f"c/{host}/*") if p.suffix in (".bin", ".json"))

    def put(self, host, start, end, levels):
        """A snapshot as upstream writes it."""
        folder = self.checkpoints / "c" / host
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{start}.bin"
        path.write_bytes(checkpoint_files.write_bin(start, end, levels))
        return path


@pytest.fixture
def make(tmp_path):
    stores = []

    def make_store(**options):
        stores.append(Store(tmp_path, **options))
        return stores[-1]
    yield make_store
    for store in stores:
        if store.program:
            store.kill()


# ---- kill -9 under load

@pytest.mark.parametrize("part", range(3))
def test_kill_at_random_moments(tmp_path, part, record_property):
    seed = SEED + 1000 * part
    counts = torture.torture(tmp_path, seed, runs=10, lives=5)
    text = f"seed {seed}: {torture.show_counts(counts)}"
    print(text)
    record_property("counts", text)
    assert (counts["runs"], counts["lost"], counts["invented"]) == (10, 0, 0)
    assert counts["acknowledged"] > 10_000 and counts["compared"] > counts["runs"] * 1000


def test_the_comparison_sees_a_loss(tmp_path):
    directory = torture.Directory(tmp_path, SEED, options={"log-size": 50_000_000})
    try:
        directory.start()
        directory.load(0.4, lambda: directory.program.kill())
        shutil.rmtree(directory.checkpoints)
        directory.start()
        with pytest.raises(torture.Lost, match="None, may be"):
            directory.compare()
        assert directory.counts["lost"] > 100
    finally:
        directory.close()


def test_ms_31_nothing_is_missing_while_snapshots_run(tmp_path):
    """Rotation and snapshots all the time, the kill in the middle."""
    directory = torture.Directory(tmp_path, SEED, hosts=150, options={"log-size": 262_144})
    try:
        directory.start()
        directory.load(2.5, lambda: directory.program.kill())
        assert list(directory.checkpoints.glob("*/node*/*.*")), "no snapshot was written under load"
        directory.start()
        directory.compare()
    finally:
        directory.close()


def test_ms_48_nothing_is_dropped_under_pressure(tmp_path):
    directory = torture.Directory(tmp_path, SEED, hosts=150)
    try:
        for sender in directory.senders:
            sender.pause_s = 0
        directory.start()
        directory.load(1.5, lambda: directory.program.kill())
        directory.start()
        directory.compare()
        assert directory.counts["refused"] == 0 and directory.counts["acknowledged"] > 1000
    finally:
        directory.close()


@pytest.mark.parametrize("durability", ["interval", "none"])
def test_relaxed_durability(make, durability):
    """Not at once, but soon it is in the file; and a clean stop loses nothing."""
    store = make(durability=durability, **{"sync-interval": "50ms"}).start()
    store.fill(["h1", "h2"], 20)
    time.sleep(1)
    store.kill()
    store.start()
    assert not store.missing()
    store.fill(["h1", "h3"], 20, T0 + 20 * F)
    store.stop().start()
    assert not store.missing()


# ---- the log

def test_ms_29_torn_tail_is_cut(make):
    store = make().start()
    store.fill(["h1", "h2"], 5)
    store.kill()
    newest = store.segments()[-1]
    record = newest.read_bytes().rstrip(b"\0")[-60:-7]  # the beginning of a record, at best
    for tail in (record, b"\0" * 700, random.Random(SEED).randbytes(300)):
        newest = store.segments()[-1]
        end = len(newest.read_bytes().rstrip(b"\0")) + 16  # zeros are written ahead; a record may end in some
        newest.write_bytes(newest.read_bytes()[:end] + tail)
        store.start()
        assert not store.missing()
        store.fill(["h1", "h3"], 3, T0 + 1000 * F + 10 * F * len(store.values))
        store.kill()
    store.start()
    assert not store.missing()


def test_log_cut_at_many_lengths(make):
    """What is left is a prefix of what was written, and it can go on from there."""
    store = make().start()
    for i in range(30):
        store.write(("h1", "cpu_load", "", T0 + i * F, i + 0.125))
    store.kill()
    (segment,) = [p for p in store.segments() if p.stat().st_size]
    whole = segment.read_bytes().rstrip(b"\0")  # zeros are written ahead
    seen = set()
    for cut in sorted({0, 1, len(whole) - 1, *random.Random(SEED).sample(range(len(whole)), 12)}):
        shutil.rmtree(store.checkpoints / checkpoint_files.LOG_DIRECTORY)
        segment.parent.mkdir()
        segment.write_bytes(whole[:cut])
        store.start()
        got = store.read("h1", "cpu_load")
        assert got == {T0 + i * F: i + 0.125 for i in range(len(got))}, f"cut at {cut} of {len(whole)}, seed {SEED}"
        seen.add(len(got))
        store.write(("h1", "cpu_load", "", T0 + 500 * F, 77.0))
        store.kill()
        store.start()
        assert store.read("h1", "cpu_load") == {**got, T0 + 500 * F: 77.0}, f"cut at {cut} of {len(whole)}, seed {SEED}"
        store.kill()
    assert 0 in seen and max(seen) >= 20 and len(seen) > 4


def test_flipped_bits_in_the_log(make):
    """Damage costs no more than the record it hits and is told; values are never wrong."""
    store = make().start()
    for i in range(30):
        store.write(("h1", "cpu_load", "", T0 + i * F, i + 0.125))
    store.kill()
    (segment,) = [p for p in store.segments() if p.stat().st_size]
    whole, r = segment.read_bytes(), random.Random(SEED)
    used = len(whole.rstrip(b"\0"))  # zeros are written ahead
    full = {T0 + i * F: i + 0.125 for i in range(30)}
    for at in sorted(r.sample(range(used * 8 * 2 // 3), 10)):
        damaged = bytearray(whole)
        damaged[at // 8] ^= 1 << at % 8
        shutil.rmtree(store.checkpoints)
        segment.parent.mkdir(parents=True)
        segment.write_bytes(damaged)
        store.start()
        got = store.read("h1", "cpu_load")
        where = f"bit {at} of {used * 8}, seed {SEED}, {len(got)} of 30 samples: {store.program.stderr}"
        assert got.items() <= full.items(), where
        assert len(got) >= 29 or at < 100 * 8, where  # the first records define the names
        lost = re.search(r"damaged in 1 places|belong to metrics that are not configured or to damaged", store.program.stderr)
        assert len(got) == 30 or lost, where
        assert len(got) == 30 or store.page()["cc_wal_damaged_bytes_total"] > 0, where
        store.kill()


def test_ms_30_recovered_samples_reach_the_next_snapshot(make):
    store = make(interval="1s").start()
    store.fill(["h1", "h2"], 5)
    store.kill()
    store.start()  # the log is replayed
    wait_until(lambda: store.snapshots("h1") and store.snapshots("h2"), 20, "snapshots of what was replayed")
    store.write(("h3", "cpu_load", "", T0, 1.0))
    time.sleep(1.5)  # segments that are covered may go
    store.kill()
    store.start()
    assert not store.missing()
    store.stop().start()
    assert not store.missing()


# ---- snapshots

def test_ms_28_times_are_those_of_the_samples(make):
    store = make().start()
    for i in range(4):
        store.write(("h1", "cpu_load", "", T0 + 7 + i * F, i + 1.0))
    before = store.entry("h1", "cpu_load", start=T0 - 600, end=T0 + 600)
    store.stop().start()
    assert store.entry("h1", "cpu_load", start=T0 - 600, end=T0 + 600) == before
    assert before["from"] == T0 + 7
    (snapshot,) = checkpoint_files.host_snapshots(store.checkpoints / "c" / "h1")
    assert snapshot.metrics[(), "cpu_load"].start == T0 + 7


def test_ms_32_a_host_that_cannot_be_written_keeps_its_samples(make):
    store = make(interval="1s")
    (store.checkpoints / "c").mkdir(parents=True)
    (store.checkpoints / "c" / "bad").write_text("in the way")
    store.start()
    store.fill(["bad", "good"], 5)
    wait_until(lambda: store.snapshots("good"), 20, "a snapshot of the other host")
    store.fill(["bad", "good"], 5, T0 + 5 * F)
    time.sleep(2.5)
    assert not store.missing()
    assert "bad" in store.program.stderr
    store.kill()
    store.start()
    assert not store.missing()
    store.fill(["good"], 5, T0 + 10 * F)  # what was replayed of the other one must stay in the log
    time.sleep(2.5)
    store.kill()
    store.start()
    assert not store.missing()
    store.program.stop()  # its exit code tells that a host failed, or not: what counts is what is left
    (store.checkpoints / "c" / "bad").unlink()
    store.start()
    assert not store.missing()
    store.stop()
    assert {"bad", "good"} <= {host for _, host in checkpoint_files.load(store.checkpoints)}


@pytest.mark.parametrize("file_format", ["wal", "json"])
def test_ms_33_late_samples_survive_a_clean_stop(make, file_format):
    """Late ones, overwritten ones of a restored part, all older than the start of the program."""
    store = make(**{"file-format": file_format}).start()
    store.fill(["h1"], 30)
    store.stop().start()
    store.write(*[("h1", "cpu_load", "", T0 - i * F, i + 0.25) for i in range(1, 280)])
    store.write(("h1", "cpu_load", "", T0 + 3 * F, 1234.5), ("h1", "mem_bw", "socket0", T0 + 29 * F, -1.0))
    assert not store.missing()
    store.stop()
    chains = checkpoint_files.load(store.checkpoints)["c", "h1"]
    assert checkpoint_files.overlay(chains[(), "cpu_load"]) == store.values["h1", "cpu_load", ""]
    assert checkpoint_files.overlay(chains[("socket0",), "mem_bw"]) == store.values["h1", "mem_bw", "socket0"]
    store.start()
    assert not store.missing()


def test_ms_58_samples_ahead_of_the_clock_survive_a_clean_stop(make):
    store = make().start()
    now = int(time.time())
    store.write(("h1", "tick", "", now, 1.5), ("h1", "tick", "", now + 60, 2.5), ("h2", "cpu_load", "", now + 300, 3.5))
    store.stop().start()
    assert not store.missing()


def test_ms_42_json_keeps_small_values(make):
    store = make(**{"file-format": "json"}).start()
    values = [0.03125, -0.001, 0.049, 1e-30, 3e30, 16777215.0]
    for i, v in enumerate(values):
        store.write(("h1", "cpu_load", "", T0 + i * F, v))
    store.stop()
    assert [p.suffix for p in store.snapshots("h1")] == [".json"]
    (snapshot,) = checkpoint_files.host_snapshots(store.checkpoints / "c" / "h1")
    got = snapshot.metrics[(), "cpu_load"].values
    assert all(struct.pack("<f", a) == struct.pack("<f", b) for a, b in zip(got, values, strict=True)), got
    assert not list(store.checkpoints.glob("c/h1/*.tmp"))


def test_upstream_starts_from_the_directory_after_a_clean_stop(make):
    """Also after kills: and reading as upstream does gives every sample."""
    store = make(interval="1s").start()
    store.fill(["h1", "h2"], 20)
    store.kill()
    store.start()
    store.fill(["h1", "h3"], 20, T0 + 20 * F)
    time.sleep(1.5)
    store.write(("h1", "cpu_load", "", T0 + 5 * F, 555.0))
    store.fill(["h1", "h3"], 20, T0 + 40 * F)
    store.stop()
    hosts = checkpoint_files.load(store.checkpoints)
    for (host, metric, component), known in store.values.items():
        chain = hosts["c", host][(component,) if component else (), metric]
        assert checkpoint_files.read_chain(chain, T0 - 600, T0 + 86400) == known, (host, metric, component)
    log = store.checkpoints / checkpoint_files.LOG_DIRECTORY
    assert not log.exists() or not list(log.iterdir())


# ---- damage

def shutil_copies(store, original, name, contents):
    """One host directory for each of the contents."""
    for i, content in enumerate(contents):
        folder = store.checkpoints / "c" / f"host{i:05}"
        folder.mkdir()
        (folder / name).write_bytes(content)
    shutil.rmtree(original)


def damaged_store(make, file_format, damage):
    """A directory with a host for each of the damaged copies of a small snapshot, and a healthy host beside them. Gives the
    store, started, and what the whole file holds."""
    store = make(**{"file-format": file_format}).start()
    store.fill(["good"], 3)
    store.write(*[("victim", "cpu_load", "", T0 + i * F, i + 0.125) for i in range(4)],
                *[("victim", "mem_bw", c, T0 + i * F, i + 0.5) for i in range(3) for c in ("socket0", "socket1")])
    store.stop()
    (path,) = store.snapshots("victim")
    whole = {k[1:]: v for k, v in store.values.items() if k[0] == "victim"}
    store.values = {k: v for k, v in store.values.items() if k[0] == "good"}
    contents = damage(path.read_bytes())
    shutil_copies(store, path.parent, path.name, contents)
    store.start()
    return store, whole, len(contents)


def check_damaged(store, whole, count, may_differ=lambda host: False):
    """Each host has all that the whole file held, or nothing and a file set aside. Gives how many were set aside."""
    aside = 0
    assert not store.missing()
    for i in range(count):
        host = f"host{i:05}"
        got = {key: store.read(host, *key) for key in whole}
        if got == whole:
            continue
        if may_differ(host):
            continue
        assert not any(got.values()), f"{host}: neither whole nor set aside: {got}"
        corrupt = [p for p in (store.checkpoints / "c" / host).iterdir() if ".corrupt" in p.name]
        assert len(corrupt) == 1, f"{host}: no .corrupt among {os.listdir(store.checkpoints / 'c' / host)}"
        aside += 1
    return aside


def corrupt_counter(store):
    """The counter of snapshots that were set aside, whatever else is counted as corrupt."""
    return max((v for k, v in store.page().items() if "corrupt" in k), default=0)


@pytest.mark.parametrize("file_format", ["wal", "json"])
def test_ms_35_truncated_snapshots_are_set_aside(make, file_format):
    store, whole, count = damaged_store(make, file_format, lambda data: [data[:n] for n in range(len(data))])
    aside = check_damaged(store, whole, count)
    assert count - 20 < aside <= count, f"{aside} of {count}"
    assert corrupt_counter(store) == aside
    assert "host00000" in store.program.stderr and "corrupt" in store.program.stderr
    store.fill(["host00000", "good"], 2, T0 + 100 * F)  # and it works on
    store.stop().start()
    assert not store.missing()
    store.stop()
    assert checkpoint_files.load(store.checkpoints)  # upstream's loader passes .corrupt by


def test_ms_36_flipped_bits_in_snapshots_are_noticed(make):
    """One bit each, all of them: wrong values are never answered."""
    def flip(data):
        return [bytes(b ^ (1 << bit if i == at else 0) for i, b in enumerate(data)) for at in range(len(data)) for bit in range(8)]
    store, whole, count = damaged_store(make, "wal", flip)
    aside = check_damaged(store, whole, count)
    assert aside >= count - 32, f"{aside} of {count}"  # a flip in the checksum's own mark leaves a file without one
    assert corrupt_counter(store) == aside


def test_ms_36_counts_are_checked(make):
    """Files that announce 4 billion values, metrics or children, and nesting without end."""
    head = struct.pack("<Iqq", checkpoint_files.BIN_MAGIC, T0, T0 + 600)
    name, many = struct.pack("<H", 8) + b"cpu_load", struct.pack("<I", 0xFFFFFFFF)
    bodies = [struct.pack("<I", 1) + name + struct.pack("<qq", F, T0) + many, many, many * 1000, struct.pack("<I", 0) + many,
              (struct.pack("<II", 0, 1) + struct.pack("<H", 1) + b"x") * 100_000,
              struct.pack("<I", 1) + name + struct.pack("<qqI", F, T0, 0x40000000) + b"\0" * 4000]
    store = make()
    for i, body in enumerate(bodies):
        folder = store.checkpoints / "c" / f"bad{i}"
        folder.mkdir(parents=True)
        (folder / f"{T0}.bin").write_bytes(head + body)
    store.put("good", T0, T0 + 120, {(): {"cpu_load": (F, T0, [1.5, 2.5])}})
    store.start()
    assert store.read("good", "cpu_load") == {T0: 1.5, T0 + F: 2.5}
    for i in range(len(bodies)):
        assert store.read(f"bad{i}", "cpu_load") == {}
    assert corrupt_counter(store) == len(bodies)
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{store.program.proc.pid}/status") if ":\t" in line)
    assert int(status["VmHWM"].split()[0]) < 1_500_000, status["VmHWM"]


def test_ms_35_odd_entries_do_not_prevent_the_start(make):
    """Wrong names, empty files, folders where files should be and files where folders should be."""
    store = make()
    good = {(): {"cpu_load": (F, T0, [1.5, 2.5])}}
    store.put("good", T0, T0 + 120, good)
    odd = store.put("odd", T0, T0 + 120, good).parent
    (odd / "abc.bin").write_bytes(b"x")
    (odd / "-.bin").write_bytes(b"")
    (odd / f"{T0 - 600}.bin").write_bytes(b"")
    (odd / f"{T0 + 600}.bin").mkdir()
    (odd / f"{T0 + 1200}.json").write_text("{")
    (odd / "99999999999999999999999.bin").write_bytes(b"x")
    (odd / f"{T0 + 60}.bin.tmp").write_bytes(b"half of a snapshot")
    (odd / "current.wal").write_bytes(b"no log")
    (odd / "notes.txt").write_text("x")
    (odd / "old").mkdir()
    (store.checkpoints / "stray").write_text("x")
    (store.checkpoints / "c" / "stray").write_text("x")
    (store.checkpoints / "empty").mkdir()
    (store.checkpoints / "c" / "empty").mkdir()
    (store.checkpoints / "c" / "link").symlink_to("nowhere")
    store.start()
    for host in ("good", "odd"):
        assert store.read(host, "cpu_load") == {T0: 1.5, T0 + F: 2.5}
    assert "stray" in store.program.stderr
    assert corrupt_counter(store) >= 2
    assert (odd / "notes.txt").exists() and (odd / "old").is_dir()
    store.fill(["good", "odd", "empty"], 3, T0 + 30 * F)
    store.stop().start()
    assert not store.missing()
    assert store.read("odd", "cpu_load").items() >= {T0: 1.5, T0 + F: 2.5}.items()


def test_ms_37_other_frequency_in_a_snapshot(make):
    store = make()
    store.put("h10", T0, T0 + 600, {(): {"cpu_load": (10, T0, [float(i) for i in range(60)])}})
    store.put("h300", T0, T0 + 1500, {(): {"cpu_load": (300, T0, [1.0, 2.0, 3.0, 4.0, 5.0])}})
    for i, f in enumerate((0, -60)):
        store.put(f"bad{i}", T0, T0 + 600, {(): {"cpu_load": (f, T0, [1.0])}})
    store.start()
    entry = store.entry("h10", "cpu_load", start=T0 - 600, end=T0 + 3600)
    assert entry["resolution"] == 60 and len(entry["data"]) in (10, 11), entry
    assert all(v is not None and v == int(v) for v in entry["data"])
    entry = store.entry("h300", "cpu_load", start=T0 - 600, end=T0 + 3600)
    assert entry["resolution"] == 60 and [v for v in entry["data"] if v is not None] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert store.read("bad0", "cpu_load") == store.read("bad1", "cpu_load") == {}
    store.write(("h10", "cpu_load", "", T0 + 20 * F, 7.0), ("h300", "cpu_load", "", T0 + 40 * F, 8.0))
    assert not store.missing()
    store.stop().start()
    assert not store.missing()


# ---- cleanup

def old_and_new(make, **options):
    """Retention of one hour; snapshots before, across and within it."""
    now = int(time.time()) // F * F
    store = make(retention="1h", **options)
    store.put("h1", now - 10 * 3600, now - 6 * 3600, {(): {"cpu_load": (F, now - 10 * 3600, [1.0] * 240)}})
    store.put("h1", now - 6 * 3600, now - 1200, {(): {"cpu_load": (F, now - 6 * 3600, [2.0] * 340)}})
    store.put("h1", now - 1200, now - 600, {(): {"cpu_load": (F, now - 1200, [3.0] * 10)}})
    store.put("gone", now - 10 * 3600, now - 6 * 3600, {(): {"cpu_load": (F, now - 10 * 3600, [1.0] * 240)}})
    return store, now


def test_ms_39_cleanup_goes_by_the_end_of_a_snapshot(make):
    store, now = old_and_new(make)
    (store.folder / "config.json").write_text(json.dumps(store.config))
    done = run_program("cc-metric-store", ["-config", "config.json", "-cleanup-checkpoints"], cwd=store.folder)
    assert done.returncode == 0, done.stderr
    assert [p.name for p in store.snapshots("h1")] == [f"{now - 6 * 3600}.bin", f"{now - 1200}.bin"]
    assert not (store.checkpoints / "c" / "gone").exists()  # MS-49


def test_ms_41_ms_49_cleanup_runs_soon_after_the_start(make):
    store, now = old_and_new(make)
    store.start()
    wait_until(lambda: not (store.checkpoints / "c" / "gone").exists(), 60, "the old snapshots to go")
    wait_until(lambda: len(store.snapshots("h1")) == 2, 10, "the old snapshot of h1 to go")
    dump = store.program.get("/api/debug").text
    assert "gone" not in dump and "h1" in dump
    store.stop().start()
    assert "gone" not in store.program.get("/api/debug").text


def test_ms_40_last_snapshot_before_the_window_is_loaded(make):
    now = int(time.time()) // F * F
    store = make(retention="1h")
    store.put("h1", now - 12 * 3600, now - 600, {(): {"cpu_load": (F, now - 12 * 3600, [float(i) for i in range(710)])}})
    store.start()
    got = store.read("h1", "cpu_load", start=now - 3000, end=now)
    assert got == {now - 12 * 3600 + i * F: float(i) for i in range(670, 710)}


# ---- a full disk

@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only the superuser can mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def filled(folder):
    """The disk is full inside."""
    path = folder / "filler"
    with open(path, "wb", buffering=0) as f:
        with contextlib.suppress(OSError):
            while f.write(b"\0" * 4096):
                pass
        with contextlib.suppress(OSError):
            while f.write(b"\0"):
                pass
    try:
        yield
    finally:
        path.unlink()


def write_until_refused(store, start):
    """Batches until one is answered 503; the slots of that one may have either value."""
    for i in range(4000):
        samples = [(f"h{n}", "cpu_load", "", start + i * F, i + n / 8) for n in range(20)]
        answer = store.program.post("/api/write", "".join(store.line(*s) for s in samples))
        if answer.status == 503:
            return answer, start + i * F
        assert answer.status == 200, answer.text
        for host, metric, component, ts, value in samples:
            store.values.setdefault((host, metric, component), {})[ts] = value
    raise AssertionError("the disk never became full")


def test_full_disk(make, small_disk):
    store = make(directory=str(small_disk / "checkpoints"), interval="1s", **{"log-size": 300_000}).start()
    store.fill(["h0", "h1"], 5)
    start = T0 + 100 * F
    for ending in ("go on", "kill", "stop"):
        with filled(small_disk):
            answer, ts = write_until_refused(store, start)
            assert str(small_disk / "checkpoints") in answer.text and "space" in answer.text.lower(), answer.text
            assert store.program.post("/api/write", store.line("h0", "cpu_load", "", ts + F, 5.0)).status == 503
            time.sleep(1.5)  # snapshots fail, too
            assert not store.missing()
            if ending == "kill":
                store.kill()
                store.start()  # on a full disk
                assert not store.missing()
            if ending == "stop":
                store.program.stop()
        if ending == "stop":
            store.start()
        assert not store.missing()
        start = ts + 10 * F
        wait_until(lambda: store.program.post("/api/write", store.line("h0", "cpu_load", "", start, 5.0)).status == 200, 10,
                   "writing to work again")
        store.values["h0", "cpu_load", ""][start] = 5.0
        start += F
    store.fill(["h0", "h1", "h2"], 5, start)
    store.kill()
    store.start()
    assert not store.missing()
    store.stop().start()
    assert not store.missing()
