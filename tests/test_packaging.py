# SPDX-License-Identifier: MIT
"""Units and man pages: they are accepted by the tools that read them, and say what the programs do."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

import ed25519
from harness import ROOT, Program, free_port, program, run_program, wait_until

UNIT = ROOT / "packaging" / "systemd" / "cc-metric-store.service"
FILTER = ROOT / "tests" / "lib" / "seccomp_exec.py"
MAN = ROOT / "packaging" / "man"
NEEDS_SYSTEMD = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
T0 = 1700000040


def settings(text, section):
    part = re.search(rf"^\[{section}\]$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)[1]
    return re.findall(r"^(\w+)=(.*)$", part, re.MULTILINE)


# ---- the unit

def test_unit_takes_the_place_of_upstreams():
    service = dict(settings(UNIT.read_text(), "Service"))
    assert service["Type"] == "notify"
    assert service["EnvironmentFile"] == "/etc/default/cc-metric-store"
    assert service["ExecStart"] == "/usr/bin/cc-metric-store --config ${CONF_FILE}"
    assert (service["User"], service["Group"]) == ("clustercockpit", "clustercockpit")
    assert (service["Restart"], service["TimeoutStopSec"]) == ("on-failure", "100")
    assert re.search(r"^CONF_FILE=/", (ROOT / "packaging" / "default" / "cc-metric-store").read_text(), re.MULTILINE)


@NEEDS_SYSTEMD
def test_unit_is_understood_and_hardened(tmp_path):
    text = UNIT.read_text().replace("/usr/bin/cc-metric-store", program("cc-metric-store"))
    text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
    unit = tmp_path / UNIT.name
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    complaints = [l for l in done.stderr.splitlines() if UNIT.name in l]
    assert not complaints, complaints
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(unit)], capture_output=True, text=True)
    exposure = float(re.search(r"Overall exposure level.*: ([\d.]+)", done.stdout)[1])
    assert exposure <= 1.6, done.stdout  # without the network it would be no server


def make_certificate(folder):
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                           "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=x"],
                          cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr


@NEEDS_SYSTEMD
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter is written for x86_64")
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_store_lives_with_the_filter_of_its_unit(tmp_path, monkeypatch, tls):
    with open(program("cc-metric-store"), "rb") as binary:
        if re.search(rb"__(asan|tsan)_init", binary.read()):
            pytest.skip("sanitizers make calls of their own")
    port, seed = free_port(), bytes(range(32))
    main = {"addr": f"127.0.0.1:{port}", "jwt-public-key": ed25519.public_key_base64(seed), "backend-url": "http://localhost:1"}
    if tls:
        make_certificate(tmp_path)
        main.update({"https-cert-file": "cert.pem", "https-key-file": "key.pem"})
    (tmp_path / "config.json").write_text(json.dumps({
        "main": main, "metrics": {"m": {"frequency": 60, "aggregation": "sum"}},
        "metric-store": {"retention-in-memory": "4s", "memory-cap": 1}}))
    popen = subprocess.Popen

    def filtered(argv, **more):
        return popen([sys.executable, str(FILTER), str(UNIT), *argv], **more)
    monkeypatch.setattr(subprocess, "Popen", filtered)
    store = Program("cc-metric-store", ["-config", "config.json", "-loglevel", "debug"], cwd=tmp_path, port=port)
    monkeypatch.undo()
    with store:
        store.wait_ready(30)
        curl = ["curl", "-sk", "-H", f"Authorization: Bearer {ed25519.token(seed, {})}", "-o", "/dev/null", "-w", "%{http_code}"]
        url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        for more, path in [(["-d", f"m,cluster=c,hostname=h value=1 {T0}\n"], "/api/write"), ([], "/metrics"),
                           (["-d", '{"cluster":"c","from":0,"to":1,"for-all-nodes":["m"]}'], "/api/query"),
                           ([], "/api/debug"), (["-d", '[["c", "h"]]'], f"/api/free?to={T0}")]:
            done = subprocess.run([*curl, *more, url + path], capture_output=True, text=True)
            assert done.stdout == "200", (path, done, store.stderr)
        wait_until(lambda: "retention: freed=" in store.stderr, 20, "a retention run")  # asks the backend by name
        if tls:
            store.signal(signal.SIGHUP)
            wait_until(lambda: "certificate and key loaded again" in store.stderr, what="the reload")
        assert store.stop() == 0, store.stderr


@NEEDS_SYSTEMD
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter is written for x86_64")
def test_the_filter_kills_what_it_forbids(tmp_path):
    chroot = "import os; os.chroot('/')"
    done = subprocess.run([sys.executable, str(FILTER), str(UNIT), sys.executable, "-c", chroot], capture_output=True)
    assert done.returncode == -signal.SIGSYS
    done = subprocess.run([sys.executable, str(FILTER), str(UNIT), sys.executable, "-c", "print(1)"], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"1\n")


# ---- man pages

def man_pages(folder):
    """Paths of all pages; the ones that are made are made into the folder."""
    made = folder / "cc-metric-store.conf.5"
    subprocess.run([sys.executable, str(ROOT / "script" / "lib" / "man_keys.py"), str(made), str(MAN / f"{made.name}.in"),
                    str(ROOT / "docs" / "configuration" / "cc-metric-store.md")], check=True)
    return [made, *(p for p in MAN.iterdir() if p.suffix != ".in")]


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_man_pages_are_sound(tmp_path):
    pages = man_pages(tmp_path)
    assert len(pages) >= 3
    for page in pages:
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_man_page_has_every_flag():
    done = run_program("cc-metric-store", ["-h"])
    flags = set(re.findall(r"^\s+-([a-z-]+)", done.stdout + done.stderr, re.MULTILINE))
    assert "check-config" in flags
    described = set(re.findall(r"^\.It Fl (\S+)", (MAN / "cc-metric-store.8").read_text(), re.MULTILINE))
    assert described == flags - {"h", "help"}


def test_man_page_has_every_key(tmp_path):
    """Of the program itself, not only of the page in docs/configuration from which it is made."""
    text = man_pages(tmp_path)[0].read_text()
    done = run_program("cc-metric-store", ["-document-config"])
    for section in re.split(r"^## Section ", done.stdout, flags=re.MULTILINE)[1:]:
        name, rows = section.split("\n", 1)
        part = text.split(f".Ss Section {name.strip('`')}\n")[1].split(".El")[0]
        keys = re.findall(r"^\| `([^`]+)`", rows, re.MULTILINE)
        assert keys and re.findall(r"^\.It Ic (\S+) Pq", part, re.MULTILINE) == keys


def test_man_page_names_every_endpoint():
    text = (MAN / "cc-metric-store.8").read_text()
    for path in ("/api/write", "/api/query", "/api/healthcheck", "/api/free", "/api/debug", "/metrics", "/swagger/"):
        assert f".It Pa {path}\n" in text
