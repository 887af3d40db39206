# SPDX-License-Identifier: MIT
"""binaryCheckpointReader where something is wrong; good files: the recorded scenarios reader-bin and reader-wal."""
import struct

import pytest

from harness import ROOT, program, run_program

SNAPSHOT = (ROOT / "tests/corpus/checkpoint/example.bin").read_bytes()
WITH_CHECKSUM = (ROOT / "tests/corpus/checkpoint/example-checksum.bin").read_bytes()
LOG = (ROOT / "tests/corpus/host-wal/example.wal").read_bytes()


def read(path, cwd):
    return run_program("binaryCheckpointReader", [path], cwd=cwd)


def outcome(path, data, cwd):
    (cwd / path).write_bytes(data)
    done = read(path, cwd)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("args", [[], ["a.wal", "b.wal"]])
def test_usage(tmp_path, args):
    done = run_program("binaryCheckpointReader", args, cwd=tmp_path)
    usage = f"Usage: {program('binaryCheckpointReader')} <file.wal|file.bin>\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", usage)


@pytest.mark.parametrize("path, extension", [("a.TXT", ".txt"), ("wal", ""), ("d.wal/file", ""), ("a.", "."),
                                             ('a.w"\\', '.w\\"\\\\'), ("", ""), ("a.wal.gz", ".gz")])
def test_other_extensions(tmp_path, path, extension):
    done = read(path, tmp_path)
    text = f'Error: file must have .wal or .bin extension, got "{extension}"\n'
    assert (done.returncode, done.stdout, done.stderr) == (1, "", text)


def test_files_that_do_not_open(tmp_path):
    done = read("no.wal", tmp_path)
    assert (done.returncode, done.stderr) == (1, "Error opening no.wal: open no.wal: no such file or directory\n")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.txt").mkdir()
    (tmp_path / "a.bin").write_bytes(SNAPSHOT)
    done = read("a.bin", tmp_path)
    assert (done.returncode, done.stderr) == (1, "Error creating output a.txt: open a.txt: is a directory\n")
    (tmp_path / "d.bin").mkdir()
    done = read("d.bin", tmp_path)
    assert (done.returncode, done.stderr) == (1, "Error reading d.bin: read magic: read d.bin: is a directory\n")


@pytest.mark.parametrize("size, reason", [
    (0, "read magic: EOF"), (3, "read magic: unexpected EOF"), (4, "read from: EOF"), (12, "read to: EOF"),
    (20, "read num_metrics: EOF"), (24, "read metric name [0]: EOF"), (26, "read metric name [0]: EOF"),
    (30, "read metric name [0]: unexpected EOF"), (0x22, "read frequency for cpu_load: EOF"),
    (0x2b, "read start for cpu_load: unexpected EOF"), (0x32, "read num_values for cpu_load: EOF"),
    (0x36, "read value[0] for cpu_load: EOF"), (0x40, "read value[2] for cpu_load: unexpected EOF"),
    (0x42, "read num_children: EOF"), (0x46, "read child name [0]: EOF"), (0x4f, "read child socket0: read num_metrics: EOF"),
    (0x78, "read child socket0: read num_children: unexpected EOF"),
])
def test_cut_snapshots(tmp_path, size, reason):
    """The reason, and all that stands before the cut; upstream may keep the last 4 KiB to itself."""
    assert outcome("cut.bin", SNAPSHOT[:size], tmp_path) == (1, "", f"Error reading cut.bin: {reason}\n")
    assert outcome("all.bin", SNAPSHOT, tmp_path)[0] == 0
    cut, whole = (tmp_path / "cut.txt").read_text(), (tmp_path / "all.txt").read_text()
    assert whole.replace("all.bin", "cut.bin").startswith(cut)
    assert (size < 20) == (cut == "")


def test_other_magic(tmp_path):
    text = "Error reading a.bin: invalid snapshot magic 0xCC1DA701 (expected 0xCC5B0001)\n"
    assert outcome("a.bin", LOG, tmp_path) == (1, "", text)


def test_ms_36_checksum_is_verified(tmp_path):
    assert outcome("good.bin", WITH_CHECKSUM, tmp_path) == (0, "Output written to good.txt\n", "")
    assert outcome("plain.bin", SNAPSHOT + b"trailing", tmp_path)[0] == 0
    changed = bytearray(WITH_CHECKSUM)
    changed[0x38] ^= 1  # a value
    code, stdout, stderr = outcome("bad.bin", bytes(changed), tmp_path)
    assert (code, stdout) == (1, "") and "Error reading bad.bin: snapshot: checksum is " in stderr
    assert "Values (2):" in (tmp_path / "bad.txt").read_text()  # all of it is shown


def test_ms_36_nesting_is_limited(tmp_path):
    def nested(levels):
        return SNAPSHOT[:20] + struct.pack("<IIH", 0, 1, 0) * levels + struct.pack("<II", 0, 0)
    assert outcome("a.bin", nested(32), tmp_path)[0] == 0
    code, _, stderr = outcome("a.bin", nested(100000), tmp_path)
    assert code == 1 and stderr.endswith("more than 32 nested levels\n")


def test_what_the_loader_refuses_is_shown(tmp_path):
    """A frequency of 0 (MS-37), and counts beyond the file (MS-36) up to the end of it."""
    data = SNAPSHOT[:20] + struct.pack("<IH1sqqI", 1, 1, b"m", 0, 1700000000, 2**32 - 1) + struct.pack("<f", 2)
    assert outcome("a.bin", data, tmp_path) == (1, "", "Error reading a.bin: read value[1] for m: EOF\n")
    text = (tmp_path / "a.txt").read_text()
    assert "    Frequency:  0 s\n" in text and text.endswith("    Values (4294967295):\n      [22:13:20] 2 ")


@pytest.mark.parametrize("data, records, reason", [
    (LOG[:-1], 1, "read CRC: unexpected EOF"),
    (LOG[:0x2b], 1, "read payload length: EOF"),
    (LOG[:0x29], 1, "read record magic: unexpected EOF"),
    (LOG + LOG, 2, "invalid record magic 0xCC1DA701 (expected 0xCC1DA7A1)"),
    (LOG[:-1] + b"\0", 1, "CRC mismatch (truncated write or corruption)"),
    (LOG[:8] + struct.pack("<I", 1048577), 0, "record payload too large: 1048577 bytes"),
])
def test_bad_records(tmp_path, data, records, reason):
    assert outcome("a.wal", data, tmp_path) == (0, "Output written to a.txt\n", "")
    text = (tmp_path / "a.txt").read_text()
    assert text.endswith(f"\n\n--- Record #{records + 1}: ERROR ---\n  Error: {reason}\n"
                         "  (stopping replay — likely truncated trailing record)\n\n"
                         f"=== Total valid records: {records} ===\n")
    assert text.count("  Timestamp: ") == records


def test_full_disk(tmp_path):
    (tmp_path / "a.txt").symlink_to("/dev/full")
    text = "Error writing a.txt: write a.txt: no space left on device\n"
    assert outcome("a.bin", SNAPSHOT, tmp_path) == (1, "", text)
    many = LOG[:4] + LOG[4:] * 20000  # more than is kept in memory
    assert outcome("a.wal", many, tmp_path) == (1, "", text)


def test_large_files(tmp_path):
    assert outcome("a.wal", LOG[:4] + LOG[4:] * 20000, tmp_path)[0] == 0
    lines = (tmp_path / "a.txt").read_text().splitlines()
    assert lines[-1] == "=== Total valid records: 40000 ===" and len(lines) == 4 + 40000 * 6 + 1
