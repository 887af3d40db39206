# SPDX-License-Identifier: MIT
"""Proof that what cc-metric-store acknowledges survives: senders that remember what was acknowledged, kill -9 at random
moments, and the comparison of every acknowledged sample with what the store answers afterwards.

A Directory is one checkpoint directory that lives through many lives of the program. All times lie on multiples of the
metric's interval, give or take less than a quarter of it, so a slot of the store is the multiple that is nearest. A slot holds a
tuple of the values it may have: one after an acknowledgement, several while a batch without an answer may have written it. Each
series has one sender, because the order of two batches under way at once is not defined. Values are exact as float32 and with three
decimals, and each write has one of its own."""
import collections
import http.client
import json
import pathlib
import random
import struct
import threading
import time

import checkpoint_files
from harness import SLOW, Program, free_port

T0 = 1700000040 // 60 * 60
SENDERS = 4
METRICS = {"load": 10, "mem": 60, "tick": 1, "flops": 10, "power": 60, "disk": 5, "wild": 10}
# metric -> components of a host of one sender: (type, id, stype, stype id)
NODE, NONE = ("", "", "", ""), None
WIDTH = {"flops": 3, "power": 1, "disk": 2}
Series = collections.namedtuple("Series", "cluster host metric type id stype sid")
COUNTS = ("runs", "kills", "kills_at_start", "kills_at_stop", "clean_stops", "batches", "acknowledged", "compared", "in_flight",
          "refused", "stale_for_upstream", "lost", "invented")


class Lost(AssertionError):
    pass


def new_counts():
    return dict.fromkeys(COUNTS, 0)


def show_counts(counts):
    return ", ".join(f"{name.replace('_', ' ')} {counts[name]}" for name in COUNTS)


class Connection:
    """POSTs of one sender. The answer's status, or None when there was none: nobody knows then what was stored."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=60 * SLOW)
        self.text = ""

    def post(self, body):
        try:
            self.http.request("POST", "/api/write", body)
            answer = self.http.getresponse()
            self.text = answer.read().decode("utf-8", "replace")
            return answer.status
        except (OSError, http.client.HTTPException):
            self.http.close()
            return None


class Sender:
    """What one sender sends, and what it knows about it: allowed[series][time] = values the slot may have."""

    def __init__(self, number, seed, hosts, pause_s):
        self.pause_s = pause_s
        self.number, self.random = number, random.Random(seed * 1000 + number)
        self.allowed, self.heads, self.next_slot = {}, {}, {}
        self.series, self.serial, self.new_hosts = [], 0, 0
        self.batches = self.acknowledged = self.refused = 0
        self.failure = None
        for cluster, host in hosts:
            self.add_host(cluster, host)

    def add_host(self, cluster, host):
        components = [("hwthread", f"{self.number}{i}", "", "") for i in range(WIDTH["flops"])]
        mine = [Series(cluster, host, "flops", *c) for c in components]
        mine.append(Series(cluster, host, "power", "socket", str(self.number), "", ""))
        mine += [Series(cluster, host, "disk", "device", str(self.number), "part", str(i)) for i in range(WIDTH["disk"])]
        if sum(host.encode()) % SENDERS == self.number:  # series of the host itself have one sender too
            mine += [Series(cluster, host, metric, *NODE) for metric in ("load", "mem", "tick", "wild")]
        for s in mine:
            self.heads[s] = f"{s.metric},cluster={s.cluster},hostname={s.host}" + "".join(
                f",{key}={value}" for key, value in zip(("type", "type-id", "stype", "stype-id"), s[3:]) if value)
            self.allowed[s], self.next_slot[s] = {}, self.random.randrange(50)
        self.series.append(mine)

    def value(self):
        self.serial += 1
        number = (self.serial * SENDERS + self.number) % (1 << 23) / 8  # exact as float32
        return number * self.random.choice((1, 1, 1, -1, 1024))

    def add(self, batch, series, slot):
        """A sample at some second around the middle of the slot; the first of a series is exact."""
        r, spread = self.random, (METRICS[series.metric] - 1) // 4
        off = r.randint(-spread, spread) if r.random() < 0.2 and self.allowed[series] else 0
        batch.append((series, slot, slot + off, self.value()))

    def tick(self, series, batch):
        """The next sample of a series, now and then behind a gap of more than a segment."""
        r, f = self.random, METRICS[series.metric]
        if series.metric == "wild":  # anywhere around the present, ahead of the clock too
            self.add(batch, series, (int(time.time()) + r.randrange(-3000, 500)) // f * f)
            return
        self.next_slot[series] += 1 if r.random() > 0.001 else r.randrange(2, 700)
        self.add(batch, series, T0 + self.next_slot[series] * f)

    def late(self, series, batch):
        if series.metric == "wild":
            self.tick(series, batch)
        else:
            self.add(batch, series, T0 + (self.next_slot[series] - self.random.randrange(1, 1500)) * METRICS[series.metric])

    def overwrite(self, series, batch):
        """Another value for a slot that has one."""
        if self.allowed[series]:
            self.add(batch, series, self.random.choice(list(self.allowed[series])[-400:]))

    def make_batch(self):
        r, batch = self.random, []
        kind = r.random()
        if kind < 0.02:
            self.new_hosts += 1
            self.add_host("beta", f"new-{self.number}-{self.new_hosts}")
        if kind < 0.55:  # every series of some hosts, the same order each time
            for mine in r.sample(self.series, min(len(self.series), r.randrange(1, 20))):
                for series in mine:
                    self.tick(series, batch)
        elif kind < 0.7:
            self.tick(r.choice(r.choice(self.series)), batch)
        else:
            change = self.late if kind < 0.85 else self.overwrite
            for _ in range(r.choice((1, 1, 5, 40))):
                change(r.choice(r.choice(self.series)), batch)
        return batch

    def lines(self, batch):
        return "".join(f"{self.heads[s]} value={v!r} {at}\n" for s, _, at, v in batch)

    def settle(self, batch, sure):
        for series, slot, _, value in batch:
            known = self.allowed[series]
            known[slot] = (value,) if sure else (*known.get(slot, (None,)), value)

    def send(self, connection):
        batch = self.make_batch()
        if not batch:
            return True
        status = connection.post(self.lines(batch))
        self.batches += 1
        self.settle(batch, status == 200)
        if status == 200:
            self.acknowledged += len(batch)
        elif status == 503:
            self.refused += len(batch)
            time.sleep(0.01)
        elif status is not None:
            self.failure = f"status {status}: {connection.text}"
        if self.pause_s:
            time.sleep(self.random.expovariate(1 / self.pause_s))
        return status is not None

    def run(self, port, stop):
        """Until the program is gone or stop is set."""
        try:
            connection = Connection(port)
            while not stop.is_set() and self.failure is None and self.send(connection):
                pass
        except Exception as e:  # a thread's exception would be lost
            self.failure = repr(e)
            raise


def float32(value):
    """A JSON snapshot has the shortest digits that give the float32: 33824768 may come back as 33824770."""
    return None if value is None else struct.unpack("<f", struct.pack("<f", value))[0]


def nearest(ts, f):
    return (ts + f // 2) // f * f


def queries(batch):
    """(query object, from, to) of each series of a list."""
    for s, known in batch:
        q = {"metric": s.metric, "host": s.host}
        if s.type:
            q.update({"type": s.type, "type-ids": [s.id]})
        if s.stype:
            q.update({"subtype": s.stype, "subtype-ids": [s.sid]})
        yield q, min(known), max(known) + METRICS[s.metric]


class Directory:
    def __init__(self, folder, seed, hosts=40, options=None):
        self.folder, self.seed, self.random = pathlib.Path(folder), seed, random.Random(seed)
        self.checkpoints = self.folder / "checkpoints"
        self.options = options or {}
        names = [(("alpha", "beta")[i % 2], f"node{i:03}") for i in range(hosts)]
        pause_s = self.random.choice((0, 0.002, 0.004, 0.008))
        self.senders = [Sender(i, seed, names, pause_s) for i in range(SENDERS)]
        self.counts, self.port, self.program = new_counts(), free_port(), None
        self.history = []  # of what was done to it, for the report of a loss

    # ---- the program ----
    def config(self):
        r = self.random
        checkpoints = {"directory": str(self.checkpoints), "file-format": r.choice(("wal", "wal", "wal", "json")),
                       "log-size": r.choice((262_144, 262_144, 400_000, 5_000_000))}
        checkpoints.update(self.options)
        return {"main": {"addr": f"127.0.0.1:{self.port}", "authentication": "off"},
                "metrics": {name: {"frequency": f, "aggregation": "sum"} for name, f in METRICS.items()},
                "metric-store": {"retention-in-memory": "876000h", "memory-cap": 4, "checkpoints": checkpoints,
                                 "checkpoint-interval": r.choice(("1s", "1s", "3s", "1h"))}}

    def launch(self):
        (self.folder / "config.json").write_text(json.dumps(self.config(), indent=1))
        self.program = Program("cc-metric-store", ["-config", "config.json"], cwd=self.folder, port=self.port)
        return self.program

    def start(self):
        self.launch().wait_ready(60)

    def load(self, seconds, during=lambda: None):
        """All senders at once; after some time 'during' ends the program's life or the load."""
        stop = threading.Event()
        threads = [threading.Thread(target=s.run, args=(self.port, stop)) for s in self.senders]
        for t in threads:
            t.start()
        time.sleep(seconds)
        try:
            during()
        finally:
            stop.set()
            for t in threads:
                t.join()
        for s in self.senders:
            if s.failure:
                raise Lost(f"{self.where()}: sender {s.number}: {s.failure}")

    def where(self):
        tail = self.program.stderr[-2000:] if self.program else ""
        return f"seed {self.seed}, {self.folder}, history {self.history}\n{tail}\n"

    # ---- ways to end a life ----
    def end_by_kill(self):
        self.load(self.random.uniform(0.01, 0.6), self.program.kill)

    def end_by_kill_at_stop(self):
        def stop():
            self.program.signal(15)
            time.sleep(self.random.uniform(0, 0.2))
            self.program.kill()
        self.load(self.random.uniform(0.05, 0.4), stop)
        self.counts["kills_at_stop"] += 1

    def end_by_kill_at_start(self):
        """This life ends under load, the next one while it starts."""
        self.end_by_kill()
        self.launch()
        time.sleep(self.random.uniform(0, 0.12))
        self.program.kill()
        self.counts["kills_at_start"] += 1
        self.counts["kills"] += 1

    def stop_cleanly(self):
        code = self.program.stop()
        if code != 0:
            raise Lost(f"{self.where()}: exit code {code} at a clean stop")
        self.counts["clean_stops"] += 1
        self.check_for_upstream()

    def end_cleanly(self):
        self.load(self.random.uniform(0.05, 0.4), self.stop_cleanly)

    def run_once(self):
        """One life under load, its end by kill -9 (or, now and then, a clean stop before that), and the check."""
        if self.program is None or self.program.proc.poll() is not None:
            self.start()
        if self.random.random() < 0.15:
            self.history.append("clean")
            self.end_cleanly()
            self.start()
            self.compare()
        end = self.random.choices((self.end_by_kill, self.end_by_kill_at_stop, self.end_by_kill_at_start), (7, 2, 1))[0]
        self.history.append(end.__name__)
        end()
        self.counts["runs"] += 1
        self.counts["kills"] += 1
        self.start()
        self.compare()

    # ---- comparing ----
    def all_series(self):
        return [(series, known) for s in self.senders for series, known in s.allowed.items() if known]

    def compare(self):
        """Every slot with what the store says; what was seen is settled from then on."""
        by_cluster = collections.defaultdict(list)
        for series, known in self.all_series():
            by_cluster[series.cluster].append((series, known))
        problems = []
        for cluster, pairs in by_cluster.items():
            for i in range(0, len(pairs), 250):
                self.compare_some(cluster, pairs[i:i + 250], problems)
        for s in self.senders:
            for name in ("batches", "acknowledged", "refused"):
                self.counts[name] += getattr(s, name)
                setattr(s, name, 0)
        if problems:
            raise Lost(f"{self.where()}{len(problems)} differences: " + "; ".join(problems[:12]))

    def compare_some(self, cluster, pairs, problems):
        asked = list(queries(pairs))
        body = {"cluster": cluster, "with-stats": False, "with-padding": False}
        groups = collections.defaultdict(list)
        for pair, (q, start, end) in zip(pairs, asked):  # a request has one range
            groups["wild" if pair[0].metric == "wild" else METRICS[pair[0].metric]].append((pair, q, start, end))
        for members in groups.values():
            body.update({"queries": [q for _, q, _, _ in members], "from": min(m[2] for m in members),
                         "to": max(m[3] for m in members)})
            answer = self.program.get("/api/query", body=body, timeout=120)
            if answer.status != 200:
                raise Lost(f"{self.where()}query: {answer.status} {answer.text}")
            for ((series, known), *_), entries in zip(members, answer.json["results"], strict=True):
                got = self.values(series, entries, problems)
                self.compare_series(series, known, got, problems)

    @staticmethod
    def values(series, entries, problems):
        if not entries:
            return {}
        entry, f = entries[0], METRICS[series.metric]
        if len(entries) != 1 or "error" in entry or entry.get("resolution") != f:
            problems.append(f"{series}: odd answer {str(entries)[:200]}")
            return {}
        start = nearest(entry["from"], f)
        return {start + i * f: v for i, v in enumerate(entry.get("data", ())) if v is not None}

    def compare_series(self, series, known, got, problems, settle=True):
        if len(got) == len(known) and all(len(a) == 1 and got.get(ts) == a[0] for ts, a in known.items()):
            self.counts["compared"] += len(known)
            return
        for ts, values in list(known.items()):
            value = got.pop(ts, None)
            self.counts["compared" if len(values) == 1 else "in_flight"] += 1
            if value not in values and float32(value) not in values:
                self.counts["lost"] += 1
                problems.append(f"{series} at {ts} (T0 {(ts - T0) // METRICS[series.metric]:+}): {value}, may be {values}")
            elif not settle:
                pass
            elif value is None:
                del known[ts]
            else:
                known[ts] = (float32(value),)
        for ts, value in got.items():
            self.counts["invented"] += 1
            problems.append(f"{series} at {ts}: {value}, but nothing was sent")

    def file_values(self, series, chain):
        """What the files hold. Upstream reads the same, but for a slot that stands in two files (times off the middle of the slot
        may do that): it takes the older one. These are counted."""
        f = METRICS[series.metric]
        got = {nearest(ts, f): v for ts, v in checkpoint_files.overlay(chain).items()}
        read = checkpoint_files.read_chain(chain, min(got), max(got) + f) if got else {}
        read = {nearest(ts, f): v for ts, v in read.items()}
        self.counts["stale_for_upstream"] += sum(read.get(ts) != v for ts, v in got.items())
        return got

    def check_for_upstream(self):
        """After a clean stop upstream's store must start from the directory and find every sample."""
        try:
            hosts = checkpoint_files.load(self.checkpoints)
        except checkpoint_files.Refused as e:
            raise Lost(f"{self.where()}upstream would not start: {e}") from e
        problems = []
        for series, known in self.all_series():
            path = tuple(a + b for a, b in ((series.type, series.id), (series.stype, series.sid)) if a)
            chain = hosts.get((series.cluster, series.host), {}).get((path, series.metric))
            got = self.file_values(series, chain) if chain else {}
            self.compare_series(series, known, got, problems, settle=False)
        if problems:
            raise Lost(f"{self.where()}{len(problems)} differences in the files: " + "; ".join(problems[:12]))

    def close(self):
        if self.program:
            self.program.kill()


def torture(folder, seed, runs, lives=8, report=lambda counts, number, finished: None):
    """Kills cc-metric-store 'runs' times, 'lives' times on the same directory, then the next one. Gives the counts; Lost when
    anything is."""
    total, number = new_counts(), 0
    while total["runs"] < runs:
        sub = pathlib.Path(folder) / f"d{number}"
        sub.mkdir()
        directory = Directory(sub, seed + number)
        try:
            for _ in range(min(lives, runs - total["runs"])):
                directory.run_once()
            directory.stop_cleanly()
            directory.start()
            directory.compare()
        finally:
            directory.close()
            for name in COUNTS:
                total[name] += directory.counts[name]
        report(total, number, total["runs"] >= runs)
        number += 1
    return total
