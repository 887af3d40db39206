# SPDX-License-Identifier: MIT
"""The recorded behaviour of the node agent (tests/recorded/collector), one test per case."""
import json

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
    "lp-": NOT_METRICS, "mp-": NOT_METRICS, "un-": CONDITIONS, "ro-05": COLLECTOR,
}
# Single cases outside of this release: (scenario, case) -> reason.
LATER_CASES = {
    ("ro-01-legacy", "drop_metrics_if"): CONDITIONS,
    ("ro-01-legacy", "delete_tags-if"): CONDITIONS,
    ("ro-04-bad-configuration", "aggregate-metric-name-as-key"): AGGREGATES,
}
# Cases whose name of this machine would have to be another one.
NEEDS_HOST = "needs a host name of its own"


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
    run = recorded_collector.Run(name, case, tmp_path)
    reason = reason_to_skip(name, case, run)
    if reason:
        pytest.skip(reason)
    faults = run.compare(run.run())
    if faults and run.sc.get("end", {}).get("ticks"):
        # Ticks of a second on a machine that may stall: once more before looking for a fault.
        again = tmp_path / "again"
        again.mkdir()
        run = recorded_collector.Run(name, case, again)
        faults = run.compare(run.run())
    log = (run.tmp / "err").read_text(errors="replace")
    assert not faults, "\n".join(faults[:10]) + "\n" + log[-2000:]
    assert "AddressSanitizer" not in log and "runtime error" not in log, log
    assert harness.SLOW >= 1
