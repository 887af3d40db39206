# SPDX-License-Identifier: MIT
"""The recorded behaviour of the metric store (tests/recorded/store), one case per scenario."""
import json

import pytest

import harness
import nats_client
import recorded_store
import store_files

SCENARIOS = sorted(p.parent.name for p in recorded_store.FOLDER.glob("*/scenario.json"))


def test_scenarios_are_there():
    assert len(SCENARIOS) > 100


class FixedTimes:
    """Times of a comparison without ${time:..}."""
    @staticmethod
    def same_int(want, got):
        return int(want) == got

    @staticmethod
    def same_text(want, got):
        return want == got


def encode(*items):
    return recorded_store.encode_bytes(items, str)


def test_bytes_of_a_log():
    """The bytes of the real program are read as what it was sent, and written from that; a difference is seen."""
    steps = json.loads((recorded_store.FOLDER / "wal-bytes" / "scenario.json").read_text(encoding="utf-8"))["steps"]
    want = next(s["expect"] for s in steps if s["do"] == "file")
    data = bytes.fromhex(want["hex"])
    decode, compare = store_files.KINDS["wal"]
    compare(want, decode(data), {}, FixedTimes)
    records = [{"wal": [r["timestamp"], r["metric"], r["selector"], r["value"]]} for r in want["content"]["records"]]
    assert encode({"u32": store_files.LOG_MAGIC}, *records) == data
    last = len(encode(records[-1]))
    assert encode({"cut": [[{"u32": store_files.LOG_MAGIC}, *records], -last]}) == data[:-last]
    for changed in (data[:-1], data + b"x", data.replace(b"socket0", b"socket9")):
        with pytest.raises(store_files.Mismatch):
            compare(want, decode(changed), {}, FixedTimes)


def test_bytes_of_a_snapshot():
    """The same for the example of the specification, also with our checksum behind it."""
    corpus = harness.ROOT / "tests" / "corpus" / "checkpoint"
    data = (corpus / "example.bin").read_bytes()
    tree = {"metrics": {"cpu_load": [60, 1700000000, [1.5, "NaN", 0.25]]},
            "children": {"socket0": {"metrics": {"mem_bw": [60, 1700000060, [103.25, 99.5]]}}}}
    want = {"content": {
        "from": 1700000000, "to": 1700000180, "rest": "",
        "metrics": {"cpu_load": {"frequency": 60, "start": 1700000000, "data": ["1.5", "NaN", "0.25"]}},
        "children": {"socket0": {"metrics": {"mem_bw": {"frequency": 60, "start": 1700000060, "data": ["103.25", "99.5"]}},
                                 "children": {}}}}}
    assert encode({"snapshot": [1700000000, 1700000180, tree]}) == data
    decode, compare = store_files.KINDS["bin"]
    compare(want, decode(data), {}, FixedTimes)
    compare(want, decode((corpus / "example-checksum.bin").read_bytes()), {}, FixedTimes)
    for changed in (data[:-1], data + b"x", data.replace(b"socket0", b"socket9"), data.replace(b"\x80>", b"\x81>")):
        with pytest.raises(store_files.Mismatch):
            compare(want, decode(changed), {}, FixedTimes)


@pytest.mark.parametrize("name", SCENARIOS)
def test_recorded(name, tmp_path):
    if name.startswith("nats-") and not nats_client.PROGRAM:
        pytest.skip(nats_client.MISSING)
    left_out = recorded_store.Scenario(name, tmp_path).run()
    assert not left_out
