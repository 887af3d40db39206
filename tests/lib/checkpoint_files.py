# SPDX-License-Identifier: MIT
"""An independent reader of checkpoint directories, by the rules of upstream's loader (metric-store.md 7.1, 7.4 to 7.6): what it
refuses, upstream would not start from. Nothing here comes from the code under test."""
import json
import math
import struct

BIN_MAGIC = 0xCC5B0001
LOG_DIRECTORY = ".cc-log"
NAN32 = struct.pack("<I", 0x7FC00000)


class Refused(Exception):
    """Upstream's loader would end with an error here."""


class Buffer:
    def __init__(self, frequency, start, values, where):
        self.frequency, self.start, self.values, self.where = frequency, start, values, where

    @property
    def end(self):
        return self.start + self.frequency * len(self.values)


class Snapshot:
    """from, to and the metrics as {(path of components), metric name: Buffer}."""

    def __init__(self, start, end):
        self.start, self.end, self.metrics = start, end, {}


class _Reader:
    def __init__(self, data, where):
        self.data, self.at, self.where = data, 0, where

    def take(self, layout):
        size = struct.calcsize(layout)
        if self.at + size > len(self.data):
            raise Refused(f"{self.where}: ends at {len(self.data)} inside a field at {self.at}")
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += size
        return values[0] if len(values) == 1 else values

    def name(self):
        return self.take(f"<{self.take('<H')}s").decode()

    def level(self, snapshot, path):
        for _ in range(self.take("<I")):
            metric = self.name()
            frequency, start, count = self.take("<qqI")
            values = self.take(f"<{count}f") if count != 1 else (self.take("<f"),)
            snapshot.metrics[path, metric] = Buffer(frequency, start, list(values), self.where)
        for _ in range(self.take("<I")):
            self.level(snapshot, path + (self.name(),))


def read_bin(data, where="snapshot"):
    reader = _Reader(data, where)
    magic, start, end = reader.take("<Iqq")
    if magic != BIN_MAGIC:
        raise Refused(f"{where}: magic {magic:#x}")
    snapshot = Snapshot(start, end)
    reader.level(snapshot, ())
    return snapshot


def _json_level(level, snapshot, path, where):
    for metric, m in level.get("metrics", {}).items():
        values = [math.nan if v is None else float(v) for v in m["data"]]
        snapshot.metrics[path, metric] = Buffer(m["frequency"], m["start"], values, where)
    for name, child in level.get("children", {}).items():
        _json_level(child, snapshot, path + (name,), where)


def read_json(data, where="snapshot"):
    try:
        tree = json.loads(data)
    except ValueError as e:
        raise Refused(f"{where}: {e}") from e
    snapshot = Snapshot(tree["from"], tree.get("to", 0))
    _json_level(tree, snapshot, (), where)
    return snapshot


def write_bin(snapshot_from, snapshot_to, levels):
    """A file as upstream writes it. levels: {path: {metric: (frequency, start, [values or None])}}."""
    def text(name):
        return struct.pack("<H", len(name.encode())) + name.encode()

    def level(path):
        metrics = levels.get(path, {})
        out = struct.pack("<I", len(metrics))
        for name, (frequency, start, values) in metrics.items():
            out += text(name) + struct.pack("<qqI", frequency, start, len(values))
            out += b"".join(NAN32 if v is None else struct.pack("<f", v) for v in values)
        children = sorted({p[len(path)] for p in levels if len(p) > len(path) and p[:len(path)] == path})
        out += struct.pack("<I", len(children))
        for child in children:
            out += text(child) + level(path + (child,))
        return out
    return struct.pack("<Iqq", BIN_MAGIC, snapshot_from, snapshot_to) + level(())


def host_snapshots(folder):
    """The snapshots of a host directory in upstream's order: ascending by number."""
    found = []
    for path in folder.iterdir():
        if path.suffix in (".bin", ".json") and path.is_file():
            try:
                found.append((int(path.stem), path))
            except ValueError as e:
                raise Refused(f"{path}: its name is no number") from e
    read = {".bin": read_bin, ".json": read_json}
    return [read[path.suffix](path.read_bytes(), str(path)) for _, path in sorted(found)]


def host_chains(folder):
    """The chain of buffers of each (path, metric), as upstream's loader links them."""
    chains = {}
    for snapshot in host_snapshots(folder):
        for key, buffer in snapshot.metrics.items():
            if buffer.frequency <= 0:
                raise Refused(f"{buffer.where}: {key}: frequency {buffer.frequency}")
            chain = chains.setdefault(key, [])
            if chain and buffer.start < chain[-1].start:
                raise Refused(f"{buffer.where}: {key} starts at {buffer.start}, the file before it at {chain[-1].start}")
            chain.append(buffer)
    return chains


def load(root):
    """{(cluster, host): chains} of a directory; Refused where upstream would not start."""
    hosts = {}
    for cluster in sorted(root.iterdir()):
        if not cluster.is_dir():
            raise Refused(f"{cluster}: a file at the first level")
        for host in sorted(cluster.iterdir()):
            if not host.is_dir():
                raise Refused(f"{host}: a file at the second level")
            hosts[cluster.name, host.name] = host_chains(host)
    return hosts


def overlay(chain):
    """{time: value} of a chain, newer files over older ones."""
    values = {}
    for buffer in chain:
        for i, value in enumerate(buffer.values):
            if not math.isnan(value):
                values[buffer.start + i * buffer.frequency] = value
    return values


def read_chain(chain, start, end):
    """Reads [start, end) of a chain the way upstream does (4.4) and gives {time of the slot: value}. Restored buffers have
    as many slots as values, and their first value's time as left edge (MS-28)."""
    f, at, shift = chain[-1].frequency, len(chain) - 1, 0
    while start < chain[at].start + f // 2:
        if at == 0:
            shift, start = chain[0].start + f // 2 - chain[0].start, chain[0].start + f // 2
            break
        at -= 1
    values, t = {}, start
    while t < end:
        i = (t - chain[at].start) // f
        if i >= len(chain[at].values):
            if at + 1 == len(chain):
                break
            at += 1
            i = (t - chain[at].start) // f
        if i >= len(chain[at].values):
            if at + 1 == len(chain) or end <= chain[at + 1].start:
                break
        elif t >= chain[at].start and not math.isnan(chain[at].values[i]):
            values[t - shift] = chain[at].values[i]
        t += f
    return values
