# SPDX-License-Identifier: MIT
"""Runs every group of tests and counts the cases. Called by script/test; see HACKING.md "Tests".

    run_tests.py [--only GROUP[,GROUP]] [--list]
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
JOBS = str(os.cpu_count() or 2)
FUZZ_SECONDS = os.environ.get("CC_FUZZ_SECONDS", "4")


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def run(command, env=None, capture=False):
    print("+", " ".join(str(c) for c in command), flush=True)
    full = dict(os.environ, NO_COLOR="1", **(env or {}))
    full.pop("FORCE_COLOR", None)
    done = subprocess.run([str(c) for c in command], cwd=ROOT, env=full, text=True, errors="replace",
                          stdout=subprocess.PIPE if capture else None,
                          stderr=subprocess.STDOUT if capture else None, stdin=subprocess.DEVNULL)
    if capture:  # some test runners colour their counts when they see a CI
        done.stdout = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    return done


def build(flavour):
    done = run(["script/build", flavour, "--all"] + ([] if flavour == "release" else ["--no-web"]), capture=True)
    if done.returncode != 0:
        print(done.stdout[-8000:])
    return done.returncode == 0


def cmocka_count(text, ok):
    """Cases of one cmocka program from its output; a program that printed none counts as one case."""
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", text))
    failed = sum(int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test", text))
    skipped = sum(int(n) for n in re.findall(r"\[  SKIPPED \] (\d+) test", text))
    if not ok and failed == 0:
        failed = 1
    return Count(passed or (1 if ok and not skipped else 0), failed, skipped)


def units(flavour, suites=()):
    """Unit tests of a flavour through meson."""
    directory = BUILD / flavour
    command = ["meson", "test", "-C", directory, "--no-rebuild", "--num-processes", JOBS, "--suite", "unit"]
    for suite in suites:
        command += ["--suite", suite]
    if suites:
        command.remove("--suite"), command.remove("unit")
    env = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
           "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}
    run(command, env=env, capture=True)
    count = Count()
    log = directory / "meson-logs" / "testlog.json"
    for line in log.read_text(errors="replace").splitlines():
        entry = json.loads(line)
        text = (entry.get("stdout") or "") + (entry.get("stderr") or "")
        ok = entry["result"] == "OK"
        count += cmocka_count(text, ok)
        if not ok:
            print(f"--- {entry['name']}: {entry['result']}\n{text[-4000:]}")
        else:
            for skip in re.findall(r"^skipped: .*$", text, re.M):
                print(f"    {entry['name']}: {skip}")
    return count


def scenarios(flavour, slow, select=None):
    """Scenario tests: the real programs of a flavour, driven by pytest."""
    report = BUILD / f"scenarios-{flavour}.xml"
    report.unlink(missing_ok=True)
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-n", "6", "-c", "tests/pytest.ini", "--rootdir", "tests",
               f"--junitxml={report}", "tests"]
    if select:
        command += ["-k", select]
    env = {"CC_BIN_DIR": str(BUILD / flavour / "bin"), "CC_TEST_SLOW": str(slow), "CC_FLAVOUR": flavour,
           "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99",
           "TSAN_OPTIONS": "halt_on_error=1:exitcode=98"}
    done = run(command, env=env, capture=True)
    if not report.exists():
        print(done.stdout[-6000:])
        return Count(failed=1)
    count = Count()
    reasons = {}
    for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                count += Count(failed=1)
            elif case.find("skipped") is not None:
                count += Count(skipped=1)
                reasons.setdefault(case.find("skipped").get("message"), []).append(case.get("name"))
            else:
                count += Count(passed=1)
    if count.failed:
        print(done.stdout[-12000:])
    for reason, names in sorted(reasons.items()):
        print(f"    skipped {len(names)}: {reason}")
    if not (count.passed or count.failed):
        count.failed = 1
    return count


def checks():
    """House checks (script/check)."""
    done = run(["script/check"], capture=True)
    print(done.stdout, end="")
    return Count(len(re.findall(r"^ok ", done.stdout, re.M)), len(re.findall(r"^FAIL ", done.stdout, re.M)))


def node_count(text):
    """Totals of node's test runner, TAP or spec reporter."""
    def total(word):
        found = re.findall(rf"^(?:#|ℹ) {word} (\d+)$", text, re.M)
        return int(found[-1]) if found else 0
    return Count(total("pass"), total("fail") + total("cancelled"), total("skipped"))


def web_units():
    """Unit tests and type check of the web interface."""
    done = run(["script/build-web", "--test"], capture=True)
    count = node_count(done.stdout)
    found = re.search(r"Tests\s+(?:(\d+) failed[ |]+)?(\d+) passed", done.stdout)
    if found:
        count = Count(int(found.group(2)), int(found.group(1) or 0))
    if done.returncode != 0 or not count.passed:
        print(done.stdout[-6000:])
        count.failed = max(count.failed, 1)
    return count


def browser():
    """The pages in a real Chromium against the real backend."""
    done = run(["web/tests-browser/run"], env={"CC_BIN_DIR": str(BUILD / "release" / "bin")}, capture=True)
    count = node_count(done.stdout)
    if done.returncode != 0 or count.failed or not count.passed:
        print(done.stdout[-8000:])
        count.failed = max(count.failed, 1)
    return count


def fuzz():
    """Every fuzzer over its corpus and a few seconds more."""
    done = run(["script/fuzz", "--seconds", FUZZ_SECONDS], capture=True)
    count = Count(len(re.findall(r"^ok ", done.stdout, re.M)), len(re.findall(r"^FAIL ", done.stdout, re.M)))
    if done.returncode != 0 or not count.passed:
        print(done.stdout[-6000:])
        count.failed = max(count.failed, 1)
    return count


def demo():
    """script/demo --check: the main job, headless."""
    done = run(["script/demo", "--check"], capture=True)
    print(done.stdout[-3000:] if done.returncode == 0 else done.stdout[-8000:])
    return Count(len(re.findall(r"^ok ", done.stdout, re.M)), len(re.findall(r"^FAIL ", done.stdout, re.M)) +
                 (1 if done.returncode != 0 and "\nFAIL " not in done.stdout else 0))


def compiled(flavour, *groups):
    """The groups of a flavour, when it builds."""
    def all_groups():
        if not build(flavour):
            print(f"--- the {flavour} flavour does not build")
            return Count(failed=1)
        count = Count()
        for group in groups:
            count += group()
        return count
    return all_groups


# TSan watches the engine and the servers; the rest has one thread or is covered by units.
TSAN_SCENARIOS = "test_metricstore or test_backend"

GROUPS = {
    "web units": web_units,
    "release: units": compiled("release", lambda: units("release")),
    "release: scenarios": lambda: scenarios("release", 1),
    "release: browser": browser,
    "release: demo": demo,
    "asan: units": compiled("asan", lambda: units("asan")),
    "asan: scenarios": lambda: scenarios("asan", 3),
    "tsan: engine, net": compiled("tsan", lambda: units("tsan", ("base", "net", "store", "metricstore", "backend"))),
    "tsan: servers": lambda: scenarios("tsan", 4, TSAN_SCENARIOS),
    "house checks": checks,
    "fuzz smoke": fuzz,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", help="groups to run, comma separated: any part of a name")
    parser.add_argument("--list", action="store_true", help="list the groups")
    options = parser.parse_args()
    if options.list:
        print("\n".join(GROUPS))
        return 0
    wanted = [n for n in GROUPS if not options.only or any(w in n for w in options.only.split(","))]
    total, lines = Count(), []
    for name in wanted:
        print(f"\n==== {name}", flush=True)
        start = time.monotonic()
        try:
            count = GROUPS[name]()
        except (OSError, ValueError, KeyError) as problem:
            print(f"--- {name}: {problem}")
            count = Count(failed=1)
        lines.append(f"{name:<22} {count}  ({time.monotonic() - start:.0f} s)")
        print(lines[-1], flush=True)
        total += count
    print("\n==== summary\n" + "\n".join(lines) + "\n")
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
