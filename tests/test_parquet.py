# SPDX-License-Identifier: MIT
"""Parquet files of ours as others see them: pyarrow, DuckDB, and a reader of the metadata by the book. The files come from two
test programs: cc-parquet-sample uses all that src/codec/parquet.h can do, cc-cleanup archives a checkpoint directory."""
import math
import random
import struct
import subprocess
import zlib

import pytest

import harness
import parquet_reader
import thrift_compact

BUILD = harness.BIN.parent
RECORDED = harness.ROOT / "tests" / "recorded" / "store" / "cleanup-archive" / "cluster-c.parquet"


def run(program, *args):
    path = BUILD / program
    if not path.exists():
        pytest.skip(f"{path.name} is not built (script/build --all)")
    done = subprocess.run([str(path), *map(str, args)], capture_output=True, text=True, timeout=120 * harness.SLOW, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need_reader():
    if parquet_reader.unavailable():
        pytest.skip(parquet_reader.unavailable())


def sample(tmp_path, rows, group):
    path = tmp_path / "sample.parquet"
    run("src/codec/cc-parquet-sample", "-out", path, "-rows", rows, "-group", group)
    return path


def expected_sample(row):
    """The formulas of src/codec/parquet-sample-main.c."""
    value = math.nan if row % 5 == 0 else -math.inf if row % 7 == 0 else row / 4
    return (f"name ä {row // 1000 % 7}", f"row {row:012} of the table", str(row * 7919 % 100003), f"{0:080}{row // 100 % 5}",
            (row - 500) * 1000000007, row % 3 - 1, struct.unpack("<f", struct.pack("<f", value))[0], math.nan)


def same(a, b):
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


# ---- the writer


@pytest.mark.parametrize("rows,group", [(0, 10), (1, 10), (999, 1000), (70000, 60000), (200001, 1000000)])
def test_values_come_back(tmp_path, rows, group):
    need_reader()
    path = sample(tmp_path, rows, group)
    got = list(zip(*parquet_reader.dump("read", path).values()))
    assert len(got) == rows
    for row, values in enumerate(got):
        assert all(map(same, values, expected_sample(row))), (row, values)


def test_duckdb_agrees(tmp_path):
    need_reader()
    path = sample(tmp_path, 100000, 60000)
    rows = [expected_sample(i) for i in range(100000)]
    (count, few, many, low, high, numbers, third), = parquet_reader.query(
        f"select count(*), count(distinct few), count(distinct many), min(number), max(number), sum(number_few), "
        f"sum(value) filter (isfinite(value)) from '{path}'")
    assert (count, few, many) == (100000, 7, 100000)
    assert (low, high) == (rows[0][4], rows[-1][4])
    assert int(numbers) == sum(r[5] for r in rows)
    assert third == pytest.approx(sum(r[6] for r in rows if math.isfinite(r[6])), rel=1e-6)
    # Filters use the statistics, the bounds of long strings too.
    found = parquet_reader.query(f"select count(*) from '{path}' where long = '{0:080}4'")
    assert found == [[sum(r[3].endswith("04") for r in rows)]]
    assert parquet_reader.query(f"select number from '{path}' where many = 'row 000000077777 of the table'") == [[rows[77777][4]]]


def test_statistics(tmp_path):
    need_reader()
    path = sample(tmp_path, 100000, 60000)
    details = parquet_reader.details(path)
    assert details["created_by"].startswith("clustercockpit-c version ")
    assert [g["rows"] for g in details["groups"]] == [60000, 40000]
    first = 0
    for group in details["groups"]:
        rows = [expected_sample(i) for i in range(first, first + group["rows"])]
        first += group["rows"]
        assert group["sorted_by"] == [1] and group["descending"] == [False]
        for i, column in enumerate(group["columns"]):
            values = [r[i] for r in rows if not (isinstance(r[i], float) and math.isnan(r[i]))]
            assert column["compression"] == "ZSTD" and column["nulls"] == 0 and column["rows"] == group["rows"]
            assert column["offset_index"] is True, column
            assert column["column_index"] is bool(values), column  # none without bounds
            assert column["has_min_max"] is bool(values), column
            if column["name"] == "long":
                assert column["min"] == "0" * 64 and column["max"] == "0" * 63 + "1"
            elif values:
                assert (column["min"], column["max"]) == (min(values), max(values)), column["name"]


def read_footer(data):
    assert data[:4] == data[-4:] == b"PAR1"
    length = int.from_bytes(data[-8:-4], "little")
    return thrift_compact.Reader(data, len(data) - 8 - length).struct()


def check_chunk(data, chunk, rows):
    """Page by page: places and sizes of the offset index, checksums, bounds of the column index, sums of the footer."""
    meta = chunk[3]
    offsets = thrift_compact.Reader(data, chunk[4])
    locations = offsets.struct()[1]
    assert offsets.at == chunk[4] + chunk[5]
    at, raw, seen, pages = meta.get(11, meta[9]), 0, 0, []
    end = at + meta[7]
    while at < end:
        reader = thrift_compact.Reader(data, at)
        head = reader.struct()
        body = data[reader.at:reader.at + head[3]]
        assert zlib.crc32(body) == head[4] & 0xFFFFFFFF
        raw += reader.at - at + head[2]
        if head[1] == 3:  # data page, version 2
            assert locations[len(pages)] == {1: at, 2: reader.at - at + head[3], 3: seen}
            assert head[8][2] == 0 and head[8][1] == head[8][3] <= 32768
            seen += head[8][1]
            pages.append(head)
        else:
            assert head[1] == 2 and 11 in meta and not pages
        at = reader.at + head[3]
    assert at == end and raw == meta[6] and seen == rows == meta[5] and len(pages) == len(locations)
    if 6 in chunk:
        index = thrift_compact.Reader(data, chunk[6])
        bounds = index.struct()
        assert index.at == chunk[6] + chunk[7]
        assert len(bounds[1]) == len(bounds[2]) == len(bounds[3]) == len(bounds[5]) == len(pages)
        assert not any(bounds[1]) and not any(bounds[5])
        if meta[1] == 6:  # strings: the chunk's bounds are those of its pages
            assert min(bounds[2]) == meta[12][6] and max(bounds[3]) == meta[12][5]
            assert bounds[4] == (bounds[2] == sorted(bounds[2]) and bounds[3] == sorted(bounds[3]))
    return len(pages)


def check_structure(data):
    """Gives the number of data pages."""
    footer, pages = read_footer(data), 0
    assert footer[3] == sum(g[3] for g in footer[4])
    for number, group in enumerate(footer[4]):
        assert group[7] == number and group[6] == sum(c[3][7] for c in group[1]) and group[2] == sum(c[3][6] for c in group[1])
        for chunk in group[1]:
            pages += check_chunk(data, chunk, group[3])
    return pages


@pytest.mark.parametrize("rows,group", [(0, 10), (1, 10), (100000, 60000)])
def test_pages_and_indexes_by_the_book(tmp_path, rows, group):
    """Needs no reader of others."""
    pages = check_structure(sample(tmp_path, rows, group).read_bytes())
    assert pages >= 8 * (rows > 0) and (rows < 50000 or pages > 8 * 4)


def test_truncated_bounds_are_marked(tmp_path):
    footer = read_footer(sample(tmp_path, 1000, 1000).read_bytes())
    for number, chunk in enumerate(footer[4][0][1][:7]):
        exact = number != 3  # "long"
        assert chunk[3][12][7] is exact and chunk[3][12][8] is exact, number


def test_damage_is_seen(tmp_path):
    """Cut files are refused, and so is a flipped bit in any page (by its checksum). In the metadata it must at least not give
    other values."""
    need_reader()
    path = sample(tmp_path, 3000, 2000)
    data = path.read_bytes()
    footer_at = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    pages_end = max(c[3][9] + c[3][7] for g in read_footer(data)[4] for c in g[1] if 11 not in c[3])
    random.seed(1)
    cuts = [tmp_path / f"cut{i}" for i in range(20)]
    for name in cuts:
        name.write_bytes(data[:random.randrange(len(data))])
    flips = [(tmp_path / f"flip{i}", random.randrange(4, pages_end)) for i in range(150)]
    for name, at in flips:
        name.write_bytes(data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1:])
    verdicts = parquet_reader.dump("try_all", path, *cuts, *(name for name, _ in flips))
    assert verdicts[:20] == ["refused"] * 20
    assert "different" not in verdicts[20:]
    assert verdicts[20:].count("refused") > 120  # the rest: page headers, whose fields the reader may not look at
    assert footer_at > pages_end


# ---- the archive


def snapshot(start, end, metrics, children=()):
    """A binary snapshot (docs/formats/checkpoint.md)."""
    def text(value):
        return struct.pack("<H", len(value.encode())) + value.encode()

    def level(metrics, children):
        out = struct.pack("<I", len(metrics))
        for name, (frequency, first, values) in metrics.items():
            out += text(name) + struct.pack("<qqI", frequency, first, len(values))
            out += struct.pack(f"<{len(values)}f", *(math.nan if v is None else v for v in values))
        out += struct.pack("<I", len(children))
        for name, below in dict(children).items():
            out += text(name) + level(below, {})
        return out
    return struct.pack("<Iqq", 0xCC5B0001, start, end) + level(metrics, children)


def archive(tmp_path, files, cutoff):
    for name, data in files.items():
        path = tmp_path / "cp" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return run("src/store/cc-cleanup", "-checkpoints", tmp_path / "cp", "-archive", tmp_path / "ar", "-cutoff", cutoff)


def test_schema_is_that_of_upstream(tmp_path):
    need_reader()
    archive(tmp_path, {"c/h/1000.bin": snapshot(1000, 1100, {"m": (60, 1000, [1.5])})}, 2000)
    ours = tmp_path / "ar" / "c" / "2000.parquet"
    assert parquet_reader.details(ours)["schema"].split("\n")[1:] == parquet_reader.details(RECORDED)["schema"].split("\n")[1:]
    assert parquet_reader.content(ours)["columns"] == parquet_reader.content(RECORDED)["columns"]
    schema = "select * exclude (file_name, type_length, column_id) from parquet_schema('{}')"
    assert parquet_reader.query(schema.format(ours)) == parquet_reader.query(schema.format(RECORDED))


def test_write_checkpoint_file(tmp_path):
    """The facts of upstream's test of that name."""
    need_reader()
    out = archive(tmp_path, {"fritz/node001/1000.bin": snapshot(
        1000, 1180, {"cpu_load": (60, 1000, [0.5, 0.7, None])}, {"socket0": {"mem_bw": (60, 1000, [100, None, 200])}})}, 2000)
    assert "rows=4 " in out
    content = parquet_reader.content(tmp_path / "ar" / "fritz" / "2000.parquet")
    common = {"cluster": "fritz", "hostname": "node001", "frequency": 60}
    assert content["rows"] == [
        {**common, "metric": "cpu_load", "scope": "node", "scope_id": "", "timestamp": 1000, "value": "0.5"},
        {**common, "metric": "cpu_load", "scope": "node", "scope_id": "", "timestamp": 1060, "value": "0.7"},
        {**common, "metric": "mem_bw", "scope": "socket", "scope_id": "0", "timestamp": 1000, "value": "100"},
        {**common, "metric": "mem_bw", "scope": "socket", "scope_id": "0", "timestamp": 1120, "value": "200"}]


def test_parquet_archive_roundtrip(tmp_path):
    """The facts of upstream's test of that name."""
    need_reader()
    text = ('{"metrics":{"cpu_load":{"frequency":60,"start":1000,"data":[0.5,0.7,0.9]},"mem_used":{"frequency":60,"start":1000,'
            '"data":[45,46,47]}},"children":{"socket0":{"metrics":{"mem_bw":{"frequency":60,"start":1000,"data":[100,110,120]}},'
            '"children":{},"from":1000,"to":1180}},"from":1000,"to":1180}')
    out = archive(tmp_path, {"testcluster/node001/1000.json": text.encode()}, 2000)
    assert out.startswith("files=1 rows=9 ")
    rows = parquet_reader.content(tmp_path / "ar" / "testcluster" / "2000.parquet")["rows"]
    assert len(rows) == 9 and {(r["cluster"], r["hostname"]) for r in rows} == {("testcluster", "node001")}
    assert not (tmp_path / "cp" / "testcluster").exists()


def test_ms_44_hosts_and_rows_are_sorted(tmp_path):
    need_reader()
    files = {}
    for host in ("n3", "n10", "n1"):
        for start in (4000, 1000, 2500):
            files[f"c/{host}/{start}.bin"] = snapshot(
                start, start + 1500, {"b": (60, start, [1] * 25), "a": (60, start, [2] * 25)},
                {name: {"b": (30, start, [3] * 50)} for name in ("core10", "core2", "socket0")})
    archive(tmp_path, files, 10000)
    path = tmp_path / "ar" / "c" / "10000.parquet"
    rows = [tuple(r[k] for k in ("hostname", "metric", "scope", "timestamp", "scope_id"))
            for r in parquet_reader.content(path)["rows"]]
    assert len(rows) == 3 * 3 * 200 and rows == sorted(rows)
    details = parquet_reader.details(path)
    assert [g["rows"] for g in details["groups"]] == [600] * 3
    assert [g["columns"][1]["min"] for g in details["groups"]] == ["n1", "n10", "n3"]
    assert details["groups"][0]["sorted_by"] == [0, 1, 2, 3, 5, 4]
    check_structure(path.read_bytes())


def test_infinite_values(tmp_path):
    need_reader()
    archive(tmp_path, {"c/h/1000.bin": snapshot(1000, 1300, {"m": (60, 1000, [math.inf, -math.inf, -0.0, 3e38])})}, 2000)
    path = tmp_path / "ar" / "c" / "2000.parquet"
    assert parquet_reader.dump("read", path)["value"][:3] == [math.inf, -math.inf, 0]
    value = parquet_reader.details(path)["groups"][0]["columns"][7]
    assert (value["min"], value["max"]) == (-math.inf, math.inf)
