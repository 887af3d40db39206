# SPDX-License-Identifier: MIT
"""Files of the metric store as outcomes of recorded scenarios (tests/recorded/store/README.md, section 5): decoders that know
nothing of our program, and the rules of comparison of section 6.

KINDS has one entry per value of `as`: decode(data) gives the outcome without `found`, compare(want, got, rules, times)
raises Mismatch. `want` has its placeholders resolved but for ${time:..}, which times.same_int and times.same_text know.
"""
import json
import math
import re
import struct
import zlib

LOG_MAGIC, RECORD_MAGIC = 0xCC1DA701, 0xCC1DA7A1
SNAPSHOT_MAGIC, CHECKSUM_MAGIC = 0xCC5B0001, 0xCC5B5C32
TIME = re.compile(r"\$\{time:(\w+)([+-]\d+)?\}")


class Mismatch(AssertionError):
    pass


def expect(condition, text):
    if not condition:
        raise Mismatch(text)


def quote_times(text):
    """${time:..} outside of strings becomes a string, so that the text is JSON."""
    out, in_string, i = [], False, 0
    while i < len(text):
        found = TIME.match(text, i)
        if found and not in_string:
            out.append(f'"{found.group()}"')
            i = found.end()
            continue
        if text[i] == '"' and (i == 0 or text[i - 1] != "\\"):
            in_string = not in_string
        out.append(text[i])
        i += 1
    return "".join(out)


def f32(text):
    """The value of a float32 as bytes; all NaN are one."""
    value = float(text)
    return "NaN" if math.isnan(value) else struct.pack("<f", value)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, count):
        expect(count <= len(self.data) - self.at, f"the file ends at byte {len(self.data)}")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, kind):
        return struct.unpack("<" + kind, self.bytes(struct.calcsize("<" + kind)))[0]

    def text(self, kind):
        return self.bytes(self.number(kind)).decode("utf-8")


# ---- current.wal

def log_record(reader):
    """One record, or None where no whole one with a right checksum stands."""
    data, at = reader.data, reader.at
    if len(data) - at < 12:
        return None
    magic, size = struct.unpack_from("<II", data, at)
    if magic != RECORD_MAGIC or size > 1 << 20 or len(data) - at < 12 + size:
        return None
    payload = Reader(data[at + 8:at + 8 + size])
    if zlib.crc32(payload.data) != struct.unpack_from("<I", data, at + 8 + size)[0]:
        return None
    reader.at += 12 + size
    return {"timestamp": payload.number("q"), "metric": payload.text("H"),
            "selector": [payload.text("B") for _ in range(payload.number("B"))], "value": payload.number("f")}


def decode_wal(data):
    reader, records = Reader(data), []
    magic = reader.bytes(min(4, len(data)))
    if magic == struct.pack("<I", LOG_MAGIC):
        while (record := log_record(reader)) is not None:
            records.append(record)
    return {"content": {"magic": magic.hex(), "records": records, "rest": data[reader.at:].hex()}, "hex": data.hex()}


def compare_wal(want, got, rules, times):
    content, have = want["content"], got["content"]
    for key in ("magic", "rest"):
        expect(content[key] == have[key], f"{key} is {have[key]}, wanted {content[key]}")
    expect(len(content["records"]) == len(have["records"]), f"{len(have['records'])} records, wanted {content['records']}")
    for a, b in zip(content["records"], have["records"]):
        expect(times.same_int(a["timestamp"], b["timestamp"]) and a["metric"] == b["metric"] and
               a["selector"] == b["selector"] and f32(a["value"]) == f32(b["value"]), f"record {b}, wanted {a}")
    if "hex" in want:
        expect(want["hex"] == got["hex"], f"bytes {got['hex']}, wanted {want['hex']}")


# ---- <from>.bin

def snapshot_level(reader):
    level = {"metrics": {}, "children": {}}
    for _ in range(reader.number("I")):
        name = reader.text("H")
        expect(name not in level["metrics"], f"metric '{name}' stands there twice")
        metric = level["metrics"][name] = {"frequency": reader.number("q"), "start": reader.number("q")}
        metric["data"] = [reader.number("f") for _ in range(reader.number("I"))]
    for _ in range(reader.number("I")):
        name = reader.text("H")
        expect(name not in level["children"], f"level '{name}' stands there twice")
        level["children"][name] = snapshot_level(reader)
    return level


def decode_bin(data):
    reader = Reader(data)
    expect(reader.number("I") == SNAPSHOT_MAGIC, f"magic is {data[:4].hex()}")
    content = {"from": reader.number("q"), "to": reader.number("q")}
    content.update(snapshot_level(reader))
    rest = data[reader.at:]
    # Our checksum; upstream ignores what stands there.
    checksum = struct.pack("<II", CHECKSUM_MAGIC, zlib.crc32(data[:reader.at]))
    content["rest"] = "" if rest == checksum else rest.hex()
    return {"content": content, "from": content["from"]}


def compare_level(want, got, same_int, where):
    for kind in ("metrics", "children"):
        expect(want[kind].keys() == got[kind].keys(), f"{kind} of {where} are {sorted(got[kind])}, wanted {sorted(want[kind])}")
    for name, metric in want["metrics"].items():
        have = got["metrics"][name]
        expect(same_int(metric["frequency"], have["frequency"]) and same_int(metric["start"], have["start"]) and
               list(map(f32, metric["data"])) == list(map(f32, have["data"])), f"{name} of {where} is {have}, wanted {metric}")
    for name, level in want["children"].items():
        compare_level(level, got["children"][name], same_int, f"{where}/{name}")


def compare_bin(want, got, rules, times):
    content, have = want["content"], got["content"]
    for key in ("from", "to"):
        expect(times.same_int(content[key], have[key]), f"'{key}' is {have[key]}, wanted {content[key]}")
    expect(content["rest"] == have["rest"], f"behind the tree stands {have['rest']}")
    compare_level(content, have, times.same_int, "the host")


# ---- <from>.json, texts

def decode_json(data):
    text = data.decode("utf-8")
    return {"text": text, "from": json.loads(text).get("from")}


def same_json(want, got, same_int):
    """By value, keys in any order."""
    if isinstance(want, str) and TIME.fullmatch(want) and isinstance(got, int):
        return same_int(want, got)
    if isinstance(want, dict) and isinstance(got, dict):
        return want.keys() == got.keys() and all(same_json(v, got[k], same_int) for k, v in want.items())
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(same_json(a, b, same_int) for a, b in zip(want, got))
    return want == got


def compare_json(want, got, rules, times):
    expect(same_json(json.loads(quote_times(want["text"])), json.loads(got["text"]), times.same_int),
           f"the file holds\n{got['text']}\nwanted\n{want['text']}")


def fixed_lines(text, rules):
    """The lines without what a reader tool may word otherwise."""
    lines = [re.sub(r"^\s*\(.*\)$", "()", line) for line in text.split("\n")]
    return [re.sub(r"Error:.*", "Error:", line) for line in lines] if rules.get("free_reason") else lines


def decode_text(data):
    return {"text": data.decode("utf-8", "replace")}


def compare_text(want, got, rules, times):
    same = len(wanted := fixed_lines(want["text"], rules)) == len(have := fixed_lines(got["text"], rules))
    expect(same and all(map(times.same_text, wanted, have)), f"the file holds\n{got['text']}\nwanted\n{want['text']}")


def decode_parquet(data):
    raise NotImplementedError("read by parquet_reader")


def compare_parquet(want, got, rules, times):
    """Columns and the set of rows, neither row groups nor order."""
    def rows(content):
        return sorted(tuple(str(row[name]) for name, *_ in content["columns"]) for row in content["rows"])
    expect(got["content"]["columns"] == want["content"]["columns"], f"columns {got['content']['columns']}")
    expect(rows(got["content"]) == rows(want["content"]), f"rows {rows(got['content'])}, wanted {rows(want['content'])}")


# `as` of the step: (decode, compare).
KINDS = {"wal": (decode_wal, compare_wal), "bin": (decode_bin, compare_bin), "json": (decode_json, compare_json),
         "text": (decode_text, compare_text), "parquet": (decode_parquet, compare_parquet)}
