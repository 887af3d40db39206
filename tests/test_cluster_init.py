# SPDX-License-Identifier: MIT
"""cc-cluster-init: this machine, or a captured one, as a cluster of an archive."""
import json
import os
import pathlib
import re
import shutil
import socket

import pytest

from harness import BIN, ROOT, run_program

TREES = ROOT / "tests" / "recorded" / "collector"


def init(archive, *args, cwd):
    return run_program("cc-cluster-init", ["-archive", archive, *args], cwd=cwd)


def description(archive, name):
    return json.loads((archive / name / "cluster.json").read_text())


def metrics_of(cluster):
    return {m["name"]: m for m in cluster["metricConfig"]}


def test_this_machine(tmp_path):
    archive = tmp_path / "deep" / "archive"
    done = init(archive, "-name", "local", "-timestep", "5", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{archive}/local/cluster.json\n", "")
    assert (archive / "version.txt").read_bytes() == b"3\n"
    cluster = description(archive, "local")
    (sub,) = cluster["subClusters"]
    assert cluster["name"] == "local"
    host = socket.gethostname().split(".")[0]
    assert sub["nodes"] in (host, "*")
    online = pathlib.Path("/sys/devices/system/cpu/online")
    if online.exists():
        threads = [t for part in online.read_text().strip().split(",")
                   for t in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)]
        assert sub["topology"]["node"] == threads
        assert sorted(t for core in sub["topology"]["core"] for t in core) == threads
    total = int(re.search(r"MemTotal:\s+(\d+) kB", pathlib.Path("/proc/meminfo").read_text()).group(1))
    metrics = metrics_of(cluster)
    assert metrics["mem_used"]["peak"] == total
    assert {m["timestep"] for m in metrics.values()} == {5}
    assert {name for name, m in metrics.items() if "footprint" in m} == {"load_one", "mem_used", "cpu_user"}
    # one line per metric: people edit this file
    assert sum('"name":"' in line for line in (archive / "local" / "cluster.json").read_text().splitlines()) == len(metrics)


def test_a_captured_machine(tmp_path):
    root = tmp_path / "root"
    shutil.copytree(TREES / "trees" / "server2s", root, symlinks=True)
    shutil.copytree(TREES / "cs-01-tempstat" / "root", root, symlinks=True, dirs_exist_ok=True)
    (root / "proc").mkdir()
    (root / "proc" / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2.40GHz\ncpu MHz\t\t: 2400.500\n"
                                           "flags\t\t: fpu sse2 fma avx avx2\n\nprocessor\t: 1\nmodel name\t: Other\n")
    (root / "proc" / "meminfo").write_text("MemTotal:       65536000 kB\nMemFree: 1 kB\nSwapTotal:    1000 kB\n")
    for name, speed in (("eth0", "1000"), ("ib0", "100000"), ("lo", None), ("down", "-1")):
        (root / "sys" / "class" / "net" / name).mkdir(parents=True)
        if speed:
            (root / "sys" / "class" / "net" / name / "speed").write_text(speed + "\n")
    archive = tmp_path / "archive"
    done = init(archive, "-name", "c", "-root", root, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    cluster = description(archive, "c")
    (sub,) = cluster["subClusters"]
    metrics = metrics_of(cluster)
    assert sub["processorType"] == "Some CPU @ 2.40GHz"
    assert (sub["socketsPerNode"], sub["coresPerSocket"], sub["threadsPerCore"]) == (2, 4, 2)
    assert metrics["mem_used"]["peak"] == 65536000 and metrics["swap_total"]["peak"] == 1000
    assert metrics["net_bytes_in_bw"]["peak"] == 12.5e9
    expected = json.loads((TREES / "cs-01-tempstat" / "expected.json").read_text())
    sent = set(re.findall(r'"name": "([a-z0-9_]*temp[a-z0-9_]*)"', json.dumps(expected)))
    sent = {name for name in sent if not re.search("max_temp|crit_temp", name)}
    assert sent and {name for name in metrics if "temp" in name} == sent


def test_the_collector_sends_what_is_described(tmp_path):
    if not (BIN / "cc-metric-collector").exists():
        pytest.skip("cc-metric-collector is not built")
    assert init(tmp_path / "archive", "-name", "c", cwd=tmp_path).returncode == 0
    collectors = {"loadavg": {}, "memstat": {}, "cpustat": {}}
    (tmp_path / "config.json").write_text(json.dumps({
        "main": {"interval": "1s"}, "sinks": {"out": {"type": "stdout"}}, "collectors": collectors, "router": {}}))
    done = run_program("cc-metric-collector", ["-config", "config.json", "-once"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    sent = {}
    for line in done.stdout.splitlines():
        sent.setdefault(line.split(",")[0], set()).update(re.findall(r",type=(\w+)", line))
    for name, metric in metrics_of(description(tmp_path / "archive", "c")).items():
        if re.match("load_|proc_|mem_|swap_|cpu_|num_cpus", name):
            assert metric["scope"] in sent.get(name, set()), f"{name} is described but not sent with this scope"


def test_an_existing_description_is_kept(tmp_path):
    archive = tmp_path / "archive"
    assert init(archive, "-name", "c", cwd=tmp_path).returncode == 0
    path = archive / "c" / "cluster.json"
    path.write_text("mine")
    done = init(archive, "-name", "c", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"cc-cluster-init: '{path}' is there already: use -force to replace it\n"
    assert path.read_text() == "mine"
    assert init(archive, "-name", "c", "-force", cwd=tmp_path).returncode == 0
    assert description(archive, "c")["name"] == "c"
    assert init(archive, "-name", "d", cwd=tmp_path).returncode == 0
    assert sorted(os.listdir(archive)) == ["c", "d", "version.txt"]


@pytest.mark.parametrize("args, text", [
    ([], "no cluster named: use -name"),
    (["-name", "a/b"], "'a/b' cannot be a cluster name"),
    (["-name", ".."], "'..' cannot be a cluster name"),
    (["-name", "c", "-archive", ""], "no archive named: use -archive"),
    (["-name", "c", "-timestep", "0"], "-timestep 0 is not between 1 and 86400 seconds"),
    (["-name", "c", "-timestep", "86401"], "-timestep 86401 is not between"),
    (["-name", "c", "-root", "/nonexistent-root"], "'/nonexistent-root/sys/devices/system/cpu'"),
])
def test_wrong_options(args, text, tmp_path):
    done = init(tmp_path / "archive", *args, cwd=tmp_path)
    assert done.returncode == 1 and text in done.stderr, done.stderr
    assert not (tmp_path / "archive").exists()


def test_an_archive_of_another_version_is_left_alone(tmp_path):
    (tmp_path / "version.txt").write_text("2\n")
    done = init(tmp_path, "-name", "c", cwd=tmp_path)
    assert done.returncode == 1 and "is an archive of version '2', not 3" in done.stderr
    assert not (tmp_path / "c").exists()


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    done = init(tmp_path / "file" / "archive", "-name", "c", cwd=tmp_path)
    assert done.returncode == 1 and "Not a directory" in done.stderr


def test_help_version_and_unknown_words(tmp_path):
    done = run_program("cc-cluster-init", ["-h"], cwd=tmp_path)
    assert done.returncode == 0 and "-timestep Seconds" in done.stderr
    assert run_program("cc-cluster-init", ["-version"], cwd=tmp_path).stdout.startswith("cc-cluster-init ")
    assert run_program("cc-cluster-init", ["-nosuch"], cwd=tmp_path).returncode == 2
    done = run_program("cc-cluster-init", ["-name", "c", "word"], cwd=tmp_path)
    assert done.returncode == 2 and "unexpected argument 'word'" in done.stderr
