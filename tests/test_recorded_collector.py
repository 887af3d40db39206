# SPDX-License-Identifier: MIT
"""The recorded behaviour of the node agent (tests/recorded/collector), one test per case."""
import json
import re

import pytest

import harness
import recorded_collector

AGGREGATES = "num_cache_intervals and aggregates are refused in this release"
COLLECTOR = "this collector is not part of this release"
SINK = "this sink is not part of this release"
RECEIVER = "receivers are not part of this release"
FIELDS = "stages that change fields are refused in this release"
CONDITIONS = "conditions beyond the name are refused in this release"
NOT_METRICS = "events, logs and several fields come from receivers only"

# Whole scenarios outside of this release.
LATER = {
    "ag-": AGGREGATES, "to-": AGGREGATES, "re-": RECEIVER, "ex-": CONDITIONS, "cc-": COLLECTOR,
    "cp-15": COLLECTOR, "cp-17": COLLECTOR, "cp-19": COLLECTOR, "cp-20": COLLECTOR, "cp-23": COLLECTOR,
    "cs-03": COLLECTOR, "cs-07": COLLECTOR, "cs-09": COLLECTOR, "cs-12": COLLECTOR, "cs-14": COLLECTOR,
    "si-07": SINK, "si-09": SINK, "si-11": SINK, "si-13": SINK, "si-15": SINK,
    "ro-05": COLLECTOR, "mp-05": FIELDS, "mp-06": FIELDS,
    "lp-01": NOT_METRICS, "lp-02": NOT_METRICS, "lp-03": NOT_METRICS, "lp-09": NOT_METRICS, "un-03": CONDITIONS,
}
# Single cases outside of this release: (scenario, case) -> reason.
LATER_CASES = {
    ("mp-04-meta", "move-to-field"): FIELDS,
    ("mp-04-meta", "move-missing"): FIELDS,
    ("mp-12-in-sink-and-receiver", "receiver"): RECEIVER,
    ("mp-12-in-sink-and-receiver", "all"): RECEIVER,
}
# Here metrics are fed and compared; events, logs and bools are taken out.
METRICS_ONLY = ("mp-", "lp-10", "lp-12")
# Messages that are not compared: (scenario) -> (names, reason).
NOT_COMPARED = {
    "un-04-change-prefix": ("_13$", "'foobar' is no unit (messages.md 5.2)"),
}
# Cases whose name of this machine would have to be another one.
NEEDS_HOST = "needs a host name of its own"


def conditions(config):
    """All conditions in a configuration: of rules, of lists and in the place of keys."""
    if isinstance(config, list):
        for item in config:
            yield from conditions(item)
    if isinstance(config, dict):
        for key, value in config.items():
            if key == "if" and isinstance(value, str):
                yield value
            elif key in ("drop_messages_if", "drop_metrics_if") and isinstance(value, list):
                yield from (v for v in value if isinstance(v, str))
            elif key == "rename_messages_if" and isinstance(value, dict):
                yield from value
            else:
                yield from conditions(value)


def by_name_only(condition):
    return condition in ("true", "*") or re.fullmatch(r"name == '[^'\\]*'", condition)


def cases():
    for path in sorted(recorded_collector.FOLDER.glob("*/scenario.json")):
        scenario = json.loads(path.read_text())
        for case in scenario.get("cases") or [{"id": ""}]:
            yield path.parent.name, case["id"]


ALL = list(cases())


def reason_to_skip(name, case, run):
    for start, reason in LATER.items():
        if name.startswith(start):
            return reason
    if (name, case) in LATER_CASES:
        return LATER_CASES[name, case]
    if run.expected.get("exit", {}).get("code") == 0 and not all(map(by_name_only, conditions(run.sc.get("config")))):
        return CONDITIONS
    if "host" in run.case.get("patch", {}):
        return NEEDS_HOST
    if run.deviation and run.deviation.get("sound", {}) is None:
        return "no sound outcome is written down"
    if run.posts() and not recorded_collector.FEED.exists():
        return f"{recorded_collector.FEED.name} was not built"
    return None


def test_scenarios_are_there():
    assert len(ALL) > 700


@pytest.mark.parametrize("name,case", ALL, ids=[f"{n}/{c}" if c else n for n, c in ALL])
def test_recorded(name, case, tmp_path):
    options = {"numbers_only": name.startswith(METRICS_ONLY), "ignore": NOT_COMPARED.get(name, (None,))[0]}
    run = recorded_collector.Run(name, case, tmp_path, **options)
    reason = reason_to_skip(name, case, run)
    if reason:
        pytest.skip(reason)
    faults = run.compare(run.run())
    if faults and run.sc.get("end", {}).get("ticks"):
        # Ticks of a second on a machine that may stall: once more before looking for a fault.
        again = tmp_path / "again"
        again.mkdir()
        run = recorded_collector.Run(name, case, again, **options)
        faults = run.compare(run.run())
    log = (run.tmp / "err").read_text(errors="replace")
    assert not faults, "\n".join(faults[:10]) + "\n" + log[-2000:]
    assert "AddressSanitizer" not in log and "runtime error" not in log, log
    assert harness.SLOW >= 1
