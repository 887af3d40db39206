# SPDX-License-Identifier: MIT
"""Parquet files as readers see them that are not ours: pyarrow and DuckDB, installed from PyPI into build/parquet-venv when
they are first needed. Where that cannot be done unavailable() gives the reason, and tests skip with it."""
import fcntl
import functools
import json
import pathlib
import subprocess

import harness

VENV = harness.ROOT / "build" / "parquet-venv"
PYTHON = VENV / "bin" / "python"
PACKAGES = ["pyarrow>=14", "duckdb>=1.0"]
DUMP = pathlib.Path(__file__).with_name("parquet_dump.py")


def last_line(text):
    return (text.strip().splitlines() or ["no message"])[-1]


def install():
    """Gives the reason why it failed, or None."""
    steps = [["/usr/bin/python3", "-m", "venv", str(VENV)],
             [str(PYTHON), "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "20", *PACKAGES]]
    for step in steps:
        try:
            done = subprocess.run(step, capture_output=True, text=True, timeout=600, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{step[0]}: {error}"
        if done.returncode:
            return last_line(done.stderr or done.stdout)
    (VENV / "complete").touch()
    return None


@functools.lru_cache
def unavailable():
    """Why there is no reader, or None."""
    VENV.parent.mkdir(exist_ok=True)
    with open(VENV.parent / "parquet-venv.lock", "w", encoding="utf-8") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (VENV / "complete").exists():
            return None
        reason = install()
    return f"no Parquet reader could be installed from PyPI: {reason}" if reason else None


class Refused(Exception):
    """The reader does not take the file."""


def dump(command, *args):
    """What parquet_dump.py prints, in the reader's Python."""
    done = subprocess.run([str(PYTHON), str(DUMP), command, *map(str, args)], capture_output=True, text=True, timeout=300,
                          check=False)
    if done.returncode:
        raise Refused(last_line(done.stderr))
    return json.loads(done.stdout)


def content(path):
    """A file in the form of the recorded scenarios (tests/recorded/store/README.md, section 5)."""
    return dump("content", path)


def details(path):
    """Everything of the footer that matters."""
    return dump("details", path)


def query(sql):
    """Rows of a query by DuckDB."""
    return dump("query", sql)
