# SPDX-License-Identifier: MIT
"""What scenario tests share: free ports, temporary folders, programs started and stopped, HTTP with the status kept.

The programs under test are taken from $CC_BIN_DIR (default: build/release/bin), so the same scenarios run against every
flavour. Tests never use fixed ports or the wall clock as an oracle; they wait for a condition with a deadline.
"""
import http.client
import json
import os
import pathlib
import random
import socket
import subprocess
import time
from signal import SIGKILL, SIGTERM

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("CC_BIN_DIR", ROOT / "build" / "release" / "bin")).resolve()
SHARED_DATA = ROOT.parent / "shared" / "data"
# Sanitized programs are slower; every deadline is multiplied by this.
SLOW = float(os.environ.get("CC_TEST_SLOW", "1"))


def program(name):
    path = BIN / name
    assert path.exists(), f"{path} is missing: run script/build"
    return str(path)


def free_ports(count):
    """Different ports that were free a moment ago on 127.0.0.1. They lie below the range from which the kernel takes
    ports of outgoing connections, so that no client of another test gets one in between."""
    ports = []
    while len(ports) < count:
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def free_port():
    return free_ports(1)[0]


def wait_until(condition, timeout=10.0, what="condition", step=0.05):
    """Calls condition() until it gives something true, which is returned."""
    deadline = time.monotonic() + timeout * SLOW
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(step)


def port_open(port, host="127.0.0.1"):
    with socket.socket() as s:
        s.settimeout(0.5)
        return s.connect_ex((host, port)) == 0


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None


def http_request(port, method, path, body=None, headers=None, timeout=30):
    """One request on a new connection to 127.0.0.1. body: bytes, str, or anything else as JSON."""
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout * SLOW)
    try:
        conn.request(method, path, body=body, headers=headers or {})
        resp = conn.getresponse()
        return Answer(resp.status, resp.getheaders(), resp.read())
    finally:
        conn.close()


class Program:
    """A program of ours running in a folder; standard output and error go to files there."""

    def __init__(self, name, args=(), cwd=".", env=None, port=None):
        self.name, self.port = name, port
        self.cwd = pathlib.Path(cwd)
        self.out_path = self.cwd / f"{name}-{time.monotonic_ns()}.out"
        self.err_path = self.out_path.with_suffix(".err")
        full_env = dict(os.environ, TZ="UTC", LANG="C.UTF-8")
        full_env.update(env or {})
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.proc = subprocess.Popen([program(name), *map(str, args)], cwd=self.cwd, env=full_env,
                                         stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)

    @property
    def stdout(self):
        return self.out_path.read_text(errors="replace")

    @property
    def stderr(self):
        return self.err_path.read_text(errors="replace")

    def wait_ready(self, timeout=15):
        def ready():
            if self.proc.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.proc.returncode}:\n{self.stdout}{self.stderr}")
            return port_open(self.port)
        wait_until(ready, timeout, f"{self.name} to listen on {self.port}")
        return self

    def signal(self, number):
        self.proc.send_signal(number)

    def wait(self, timeout=20):
        try:
            return self.proc.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end in time:\n{self.stderr[-3000:]}")

    def stop(self, number=SIGTERM, timeout=20):
        """Sends the signal and gives the exit code."""
        if self.proc.poll() is None:
            self.proc.send_signal(number)
        return self.wait(timeout)

    def kill(self):
        if self.proc.poll() is None:
            try:
                os.killpg(self.proc.pid, SIGKILL)
            except ProcessLookupError:
                pass
            self.proc.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()

    def get(self, path, **kw):
        return http_request(self.port, "GET", path, **kw)

    def post(self, path, body=None, **kw):
        return http_request(self.port, "POST", path, body=body, **kw)


def run_program(name, args=(), cwd=".", env=None, timeout=30, stdin=None):
    """Runs a program to its end: subprocess.CompletedProcess with texts."""
    full_env = dict(os.environ, TZ="UTC", LANG="C.UTF-8")
    full_env.update(env or {})
    return subprocess.run([program(name), *map(str, args)], cwd=cwd, env=full_env, timeout=timeout * SLOW,
                          input=stdin, capture_output=True, text=True, errors="replace")
