# SPDX-License-Identifier: MIT
"""The recorded behaviour of the metric store (tests/recorded/store), one case per scenario."""
import pytest

import recorded_store

NEEDS_FILES = "needs snapshots/log/NATS, not part of this release"

# Scenarios that look at files on disk, at the log or at NATS.
LATER = {
    "cleanup-archive", "cleanup-by-start", "cleanup-command-errors", "cleanup-delete", "cleanup-no-workers",
    "load-bin", "load-corrupt", "load-json", "load-odd-entries", "load-window",
    "nats-absent", "nats-basic", "nats-configuration", "nats-log", "nats-no-timestamp", "nats-wildcards",
    "reader-bin", "reader-wal", "restored-shift",
    "snapshot-json-rounding", "snapshot-json-stop", "snapshot-late-data", "snapshot-nothing-new", "snapshot-periodic",
    "snapshot-restart", "snapshot-wal-stop",
    "wal-bytes", "wal-replay", "wal-stop-keeps-order", "wal-torn",
}
# Single steps of the same kind in scenarios that are run otherwise.
LATER_STEPS = {
    "process-signals": {6, 14},  # the snapshot of the stop, and its data after the next start
    "write-path-names": {15},    # the log files below the checkpoint directory
}

SCENARIOS = sorted(p.parent.name for p in recorded_store.FOLDER.glob("*/scenario.json"))


def test_scenarios_are_there():
    assert len(SCENARIOS) > 100
    assert LATER | set(LATER_STEPS) <= set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_recorded(name, tmp_path):
    if name in LATER:
        pytest.skip(NEEDS_FILES)
    left_out = recorded_store.Scenario(name, tmp_path, LATER_STEPS.get(name, ())).run()
    if left_out:
        print(f"steps {left_out} of {name} left out: {NEEDS_FILES}")
