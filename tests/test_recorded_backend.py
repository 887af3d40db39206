# SPDX-License-Identifier: MIT
"""The recorded behaviour of the backend (tests/recorded/backend), one case per scenario."""
import pytest

import recorded_backend

GRAPHQL = "GraphQL is not part of this release"
USERS = "users and their sessions are not part of this release"
PAGES = "upstream's own pages are not part of this release"
IMPORT = "import of archived jobs is not part of this release"
TAGS = "tags are not part of this release"
TAGGERS = "taggers are not part of this release"
CHANGE = "deleting and editing jobs is not part of this release"
NODES = "node states are not part of this release"
EXTERNAL = "external metric stores are not part of this release"
TOOLS = "the archive and key tools are not part of this release"
NATS = "NATS intake of jobs is not part of this release"

# Scenarios that look at what a later release brings.
LATER = {
    **dict.fromkeys([n for n in recorded_backend.names() if n.startswith("gql-")], GRAPHQL),
    **dict.fromkeys([n for n in recorded_backend.names() if n.startswith(("login-", "users-", "ldap-", "cross-login"))], USERS),
    **dict.fromkeys([n for n in recorded_backend.names() if n.startswith(("pages-", "frontend-"))], PAGES),
    **dict.fromkeys([n for n in recorded_backend.names() if n.startswith("tag-")], TAGS),
    **dict.fromkeys([n for n in recorded_backend.names() if n.startswith("tagger-")], TAGGERS),
    **dict.fromkeys([n for n in recorded_backend.names() if n.startswith("tool-")], TOOLS),
    **dict.fromkeys([n for n in recorded_backend.names() if n.startswith("nodestate")], NODES),
    **dict.fromkeys([n for n in recorded_backend.names() if n.startswith("external-store")], EXTERNAL),
    **dict.fromkeys([n for n in recorded_backend.names() if n.startswith(("import-", "init-db"))], IMPORT),
    "list-tags-visibility": TAGS,
    "delete-before": CHANGE, "delete-by-request": CHANGE, "meta-by-request": CHANGE, "meta-null": CHANGE,
    "machine-state": "machine states are not part of this release",
    "nats-subjects-configured": NATS, "notice": PAGES, "oidc-off": USERS, "roles-matrix-session-ann": USERS,
    "search-typed": PAGES, "session-cookie": USERS, "start-with-tags": TAGS,
    "store-external-only": EXTERNAL, "swagger-playground": PAGES,
}
# Requests to these paths are left out in scenarios that are run otherwise.
LATER_PATHS = {"/query": GRAPHQL, "/login": USERS, "/logout": USERS, "/frontend/": USERS, "/config/": USERS, "/userapi/": USERS,
               "/api/users/": USERS, "/api/user/": USERS, "/monitoring/": PAGES, "/global.css": PAGES, "/nope": PAGES,
               "/api/nodestate/": NODES, "/api/tags/": TAGS, "/api/jobs/tag_job/": TAGS, "/swagger/": PAGES, "/playground": PAGES,
               "/secured/": PAGES}
# Other single steps: scenario -> number -> why.
LATER_STEPS = {
    "cli-jwt": {2: USERS},
    "cli-migrate": dict.fromkeys((4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16),
                                 "-revert-db, -force-db and -optimize-db are not part of this release"),
    "jwt-no-max-age": {5: USERS},
    "no-authentication": {15: USERS, 16: USERS},
    "not-found-and-methods": {26: TAGS},
}
# What we answer on purpose instead of what was recorded: step number -> expectation in the form of the recordings, None for
# anything. The reason is the section behind it.
SOUND = {
    "archive-restart-queue": {2: None},                   # backend.md 6.4: archived at once after the restart
    "cli-init": {1: {"read": {}, "tree": ["job-archive/version.txt", "job.db"]}},  # backend.md 1.3: it starts as it is
    "cli-no-database": {1: {"read": {}, "tree": ["job-archive/alpha/cluster.json", "job-archive/gpu/cluster.json",
                                                  "job-archive/version.txt", "job.db"]}},  # no stale -wal and -shm files
    "cli-version-help": {2: {"exit": 1}, 7: {"exit": 1}},  # backend.md 1.4: a missing .env is not fatal, the database is
    "store-debug": dict.fromkeys((1, 2, 3, 6, 7)),         # metric-store.md 5.7: valid JSON (content: test_recorded_store.py), and POST as there
    "store-write": {16: None, 17: None},
    "stop-from-cache": {2: {"rows": [{"n": 2}]},           # backend.md 6.2: started jobs are visible at once
                        3: {"status": 200, "body": "json"},
                        4: {"rows": [{"id": 1, "job_id": 1, "job_state": "running", "duration": 0},
                                     {"id": 2, "job_id": 2, "job_state": "completed", "duration": 10}]},
                        5: {"rows": []}},
}


def test_scenarios_are_there():
    names = set(recorded_backend.names())
    assert len(names) > 130
    assert set(LATER) | set(LATER_STEPS) | set(SOUND) <= names


@pytest.mark.parametrize("name", recorded_backend.names())
def test_recorded(name, tmp_path):
    if name in LATER:
        pytest.skip(LATER[name])
    steps = LATER_STEPS.get(name, {})

    def later(number, step):
        path = step.get("path", "") if step.get("step", "http") == "http" else ""
        return steps.get(number) or next((why for prefix, why in LATER_PATHS.items() if path.startswith(prefix)), None)

    cwd = tmp_path / "work"
    cwd.mkdir()
    for number, reason in recorded_backend.Scenario(name, cwd, later, SOUND.get(name)).run():
        print(f"step {number} of {name} left out: {reason}")
