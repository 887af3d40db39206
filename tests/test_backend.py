# SPDX-License-Identifier: MIT
"""cc-backend from outside: bad flags and configuration, bad input, the life of a job through crashes, files and headers."""
import concurrent.futures
import gzip
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import time

import pytest

import harness

SITE = harness.ROOT / "tests" / "recorded" / "backend" / "fixtures" / "site"


def write_site(folder, port, **sections):
    shutil.copytree(SITE, folder, dirs_exist_ok=True)
    config = {"main": {"addr": f"127.0.0.1:{port}"}, "archive": {"kind": "file", "path": "./var/job-archive"},
              "metric-store": {"retention-in-memory": "48h", "memory-cap": 1}}
    config.update(sections)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def demo(folder, port, *args):
    return harness.Program("cc-backend", ["-server", "-demo", *args], cwd=folder, port=port).wait_ready()


@pytest.fixture
def server(tmp_path):
    port = harness.free_port()
    with demo(write_site(tmp_path, port), port) as program:
        yield program


def job(job_id, start, **more):
    return {"cluster": "alpha", "user": "ann", "project": "p", "jobId": job_id, "numNodes": 1,
            "resources": [{"hostname": "a01"}], "startTime": start, **more}


def start(server, job_id, begin, **more):
    return server.post("/api/jobs/start_job/", job(job_id, begin, **more))


def stop(server, job_id, end, **more):
    return server.post("/api/jobs/stop_job/", {"jobId": job_id, "stopTime": end, **more})


def get_job(server, number):
    return server.get(f"/api/jobs/{number}").json["Meta"]


def wait_archived(server, number):
    harness.wait_until(lambda: get_job(server, number).get("monitoringStatus") == 3, 20, f"job {number} to be archived")


def write_samples(server, host, begin, values, metric="cpu_load"):
    lines = "".join(f"{metric},hostname={host},type=node value={v} {begin + 60 * i}\n" for i, v in enumerate(values))
    assert server.post("/api/write?cluster=alpha", lines).status == 200


# ---- command line and configuration ------------------------------------------------------------------------------

def run(folder, *args, env=None):
    return harness.run_program("cc-backend", args, cwd=folder, env=env)


def store_section(key, value):
    return json.dumps({"main": {}, "metric-store": {"retention-in-memory": "48h", "memory-cap": 1, key: value}})


def test_unknown_flag_names_what_is_left_out(tmp_path):
    done = run(tmp_path, "-import-job", "x")
    assert done.returncode == 2
    assert "flag provided but not defined: -import-job" in done.stderr
    assert "Not part of this release" in done.stderr


def test_missing_configuration(tmp_path):
    done = run(tmp_path, "-server", "-config", "nowhere.json")
    assert done.returncode == 1 and "main configuration must be present" in done.stderr


@pytest.mark.parametrize("text, wanted", [
    ("", "could not decode: EOF"),
    ("{", "could not decode: unexpected EOF"),
    ("[]", "could not decode"),
    ('{"main": {"addr": 5}}', "addr"),
    ('{"main": {"adr": "x"}}', "adr"),
    ('{"main": {"resampling": {"trigger": 30}}}', "resolutions"),
    ('{"main": {}, "auth": {"jwt": {}}}', "jwt"),
    ('{"main": {}, "auth": {}}', "jwts"),
    ('{"main": {}, "auth": {"jwts": {"max-age": "2 days"}}}', "max-age"),
    ('{"main": {}, "cron": {"duration-worker": "soon"}}', "duration-worker"),
    ('{"main": {}, "archive": {"kind": "tape"}}', "kind"),
    ('{"main": {}, "archive": {"kind": "s3", "path": "x"}}', "kind 'file' only"),
    ('{"main": {}, "archive": {"kind": "file", "path": "./nowhere"}}', "./nowhere"),
    ('{"main": {}, "archive": {"kind": "file", "path": "./var/job-archive"}}', "missing metricstore configuration"),
    ('{"main": {}, "metric-store": {"memory-cap": 1}}', "retention-in-memory"),
    ('{"main": {}, "metric-store": {"retention-in-memory": "2 days", "memory-cap": 1}}', "retention-in-memory"),
    ('{"main": {}, "metric-store": {"retention-in-memory": "48h", "memory-cap": -1}}', "memory-cap"),
    (store_section("checkpoint-interval", "0s"), "checkpoint-interval must be positive"),
    (store_section("checkpoints", {"directory": ""}), "'directory' must not be empty"),
    (store_section("checkpoints", {"durability": "maybe"}), "durability"),
    (store_section("checkpoints", {"direktory": "x"}), "did you mean 'directory'"),
    (store_section("cleanup", {"mode": "archive"}), "needs a 'directory'"),
    (store_section("cleanup", {"mode": "burn"}), "mode"),
    (store_section("nats-subscriptions", [{"cluster-tag": "alpha"}]), "subscribe-to"),
    (store_section("nats-subscriptions", [{"subscribe-to": "x", "jetstream-stream": "S"}]), "need each other"),
])
def test_broken_configuration_is_refused_with_the_place(tmp_path, text, wanted):
    shutil.copytree(SITE, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").write_text(text)
    done = run(tmp_path, "-check-config", "-demo")
    assert done.returncode == 1, done.stdout
    assert wanted in done.stdout + done.stderr


def test_check_and_print_config(tmp_path):
    write_site(tmp_path, 18080)
    done = run(tmp_path, "-check-config")
    assert done.returncode == 0 and "2 clusters" in done.stdout
    done = run(tmp_path, "-print-config")
    printed = json.loads(done.stdout)
    assert printed["main"]["addr"] == "127.0.0.1:18080"
    assert printed["main"]["db"] == "./var/job.db"


def test_demo_serves_this_machine_only(tmp_path):
    write_site(tmp_path, 0, main={"addr": "0.0.0.0:18080"})
    done = run(tmp_path, "-server", "-demo")
    assert done.returncode == 1 and "loopback" in done.stderr


def test_port_in_use(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(write_site(tmp_path, port), "-server", "-demo")
    assert done.returncode == 1
    assert f"starting listener on '127.0.0.1:{port}'" in done.stderr and "address already in use" in done.stderr
    assert not (tmp_path / "var" / "checkpoints").exists()  # found out before files are looked at


def test_unreadable_cluster_description(tmp_path):
    write_site(tmp_path, 18080)
    (tmp_path / "var" / "job-archive" / "alpha" / "cluster.json").write_text('{"name": "alpha"')
    done = run(tmp_path, "-server", "-demo")
    assert done.returncode == 1 and "failed to load cluster config for 'alpha'" in done.stderr


def test_stray_folder_in_the_archive_is_no_cluster(tmp_path):
    """UPSTREAM DEFECT job-archive.md 2.1: lost+found prevented the start."""
    write_site(tmp_path, 18080)
    (tmp_path / "var" / "job-archive" / "lost+found").mkdir()
    (tmp_path / "var" / "job-archive" / ".git").mkdir()
    assert run(tmp_path, "-check-config").returncode == 0


def test_database_of_another_version(tmp_path):
    write_site(tmp_path, 18080)
    assert run(tmp_path, "-migrate-db").returncode == 0
    with sqlite3.connect(tmp_path / "var" / "job.db") as db:
        db.execute("UPDATE schema_migrations SET version = 9")
    db.close()
    for args in (["-server", "-demo"], ["-migrate-db"]):
        done = run(tmp_path, *args)
        assert done.returncode == 1
        assert "unsupported database version 9, need 11.\nPlease backup your database file" in done.stdout


def test_init_makes_a_folder_that_starts(tmp_path):
    """UPSTREAM DEFECTS backend.md 1.3, auth.md 3.3: random keys, not readable by others, nothing overwritten."""
    assert run(tmp_path, "-init").returncode == 0
    assert os.stat(tmp_path / ".env").st_mode & 0o077 == 0
    keys = (tmp_path / ".env").read_text()
    assert "kzfYrYy+TzpanWZHJ5qSdMj5uKUWgq74BWhQG6copP0=" not in keys
    again = run(tmp_path, "-init")
    assert again.returncode == 0 and "already exists" in again.stdout
    assert (tmp_path / ".env").read_text() == keys
    shutil.copytree(SITE, tmp_path, dirs_exist_ok=True)
    port = harness.free_port()
    config = json.loads((tmp_path / "config.json").read_text())
    config["main"]["addr"] = f"127.0.0.1:{port}"
    (tmp_path / "config.json").write_text(json.dumps(config))
    token = run(tmp_path, "-jwt", "me").stdout.split("': ")[1].split()[0]
    with harness.Program("cc-backend", ["-server"], cwd=tmp_path, port=port).wait_ready() as program:
        assert program.get("/api/jobs/").status == 401
        assert program.get("/api/jobs/", headers={"X-Auth-Token": token}).status == 200
        assert program.get("/api/jobs/", headers={"Authorization": "Bearer " + token}).status == 200
        assert program.get("/ui/api/info").status == 401
        assert program.get("/healthz").status == 200
        assert program.get("/metrics").status == 401


def test_secrets_only_in_the_environment(tmp_path):
    """UPSTREAM DEFECT backend.md 1.4: a missing .env was fatal."""
    write_site(tmp_path, 18080)
    assert run(tmp_path, "-migrate-db").returncode == 0
    done = run(tmp_path, env={"SESSION_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="})
    assert done.returncode == 0 and "No errors" in done.stdout
    done = run(tmp_path, env={"SESSION_KEY": ""})
    assert done.returncode == 1 and "SESSION_KEY" in done.stderr


# ---- jobs ----------------------------------------------------------------------------------------------------------

def test_life_of_a_job(server):
    begin = int(time.time()) - 600
    write_samples(server, "a01", begin, [1, 2, 3, 4, 5])
    assert start(server, 7, begin, metaData={"jobName": "first light"}).status == 201
    listed = server.get("/api/jobs/?state=running").json["jobs"]
    assert [j["jobId"] for j in listed] == [7]
    live = server.get("/api/jobs/metrics/1?metric=cpu_load").json["data"]["jobMetrics"][0]
    assert live["metric"]["series"][0]["data"][:5] == [1, 2, 3, 4, 5]
    assert stop(server, 7, begin + 300, jobState="failed").json["duration"] == 300
    wait_archived(server, 1)
    assert get_job(server, 1)["metaData"] == {"jobName": "first light"}
    archived = server.get("/api/jobs/metrics/1?metric=cpu_load").json["data"]["jobMetrics"][0]
    assert archived["metric"]["series"][0]["statistics"] == {"min": 1, "avg": 3, "max": 5}
    folder = server.cwd / "var" / "job-archive" / "alpha" / "0" / "007" / str(begin)
    assert json.loads((folder / "meta.json").read_text())["statistics"]["cpu_load"]["avg"] == 3
    assert "cpu_load" in json.loads((folder / "data.json").read_text())


def test_stopped_twice_and_never_started(server):
    now = int(time.time())
    assert stop(server, 1, now).status == 404
    assert start(server, 1, now - 100).status == 201
    assert start(server, 1, now - 100).status == 422
    assert stop(server, 1, now - 200).status == 400
    assert stop(server, 1, now).status == 200
    twice = stop(server, 1, now)
    assert twice.status == 422 and "already been stopped (state is: completed)" in twice.json["error"]
    assert server.get("/metrics").text.count("cc_backend_db_refused_total") == 1


@pytest.mark.parametrize("body, wanted", [
    ("", "EOF"), ("{", "unexpected EOF"), ("[1]", "cannot unmarshal array"), ('{"jobId": "x"}', "cannot unmarshal string"),
    ('{"jobId": 1.5}', "number 1.5"), ('{"job": 1}', 'unknown field \\"job\\"'), ("\xff\xfe", "invalid character"),
    ("[" * 100000, "parsing request body failed"),
], ids=["empty", "open", "list", "text", "fraction", "unknown", "binary", "deep"])
@pytest.mark.parametrize("path", ["/api/jobs/start_job/", "/api/jobs/stop_job/"])
def test_bodies_that_are_no_request(server, path, body, wanted):
    answer = server.post(path, body.encode("latin-1"))
    assert answer.status == 400
    assert wanted in answer.text
    assert server.get("/healthz").status == 200


def test_body_of_100_megabytes(server):
    text = json.dumps(job(9, int(time.time()), metaData={"jobScript": "x" * (100 << 20)}))
    for path in ("/api/jobs/start_job/", "/api/jobs/stop_job/", "/ui/api/job-plots"):
        answer = server.post(path, text, timeout=60)
        assert answer.status == 413 and "larger than" in answer.json["error"]
    assert server.get("/api/jobs/").json["jobs"] == []
    assert server.post("/api/write?cluster=alpha", b"\x00" * (100 << 20), timeout=60).status == 400
    assert server.get("/healthz").status == 200


@pytest.mark.parametrize("query, status", [
    ("state=unknown", 400), ("items-per-page=0", 400), ("page=0", 400), ("page=x", 400), ("start-time=5", 400),
    ("start-time=a-b", 400), ("nonsense=1", 400), ("page=9223372036854775807&items-per-page=9223372036854775807", 400),
    ("cluster=nope", 200), ("project=%27%20OR%201=1", 200),
])
def test_list_parameters(server, query, status):
    assert server.get("/api/jobs/?" + query).status == status


def test_unknown_cluster_of_a_job(tmp_path):
    """UPSTREAM DEFECT backend.md 4.5.2: a job of a cluster that is no longer configured was a panic."""
    port = harness.free_port()
    write_site(tmp_path, port)
    assert run(tmp_path, "-migrate-db").returncode == 0
    with sqlite3.connect(tmp_path / "var" / "job.db") as db:
        db.execute("INSERT INTO job (job_id, cluster, subcluster, hpc_user, project, duration, walltime, job_state, resources,"
                   " num_nodes, shared, start_time, monitoring_status) VALUES (1, 'gone', 's', 'u', 'p', 1, 0, 'completed',"
                   " '[{\"hostname\":\"x\"}]', 1, 'none', 5, 3)")
    db.close()
    with demo(tmp_path, port) as server:
        assert server.get("/api/jobs/1").status == 200
        answer = server.get("/api/jobs/1?all-metrics=true")
        assert answer.status == 422 and "not configured" in answer.json["error"]


def test_null_columns_and_damaged_json_are_read(tmp_path):
    """Rows of other writers (backend.md 2.5): NULL, BLOB, text that is no JSON."""
    port = harness.free_port()
    write_site(tmp_path, port)
    assert run(tmp_path, "-migrate-db").returncode == 0
    with sqlite3.connect(tmp_path / "var" / "job.db") as db:
        db.execute("INSERT INTO job (job_id, cluster, subcluster, hpc_user, project, duration, walltime, job_state, resources,"
                   " num_nodes, shared, start_time, monitoring_status, meta_data, footprint) VALUES (1, 'alpha', 'main', 'u',"
                   " 'p', 1, 0, 'completed', ?, 1, 'none', 5, 2, ?, '{broken')", (b'[{"hostname":"a01"}]', b'{"a":"b"}'))
    db.close()
    with demo(tmp_path, port) as server:
        row = server.get("/api/jobs/?with-metadata=true").json["jobs"][0]
        assert row["resources"] == [{"hostname": "a01"}] and row["metaData"] == {"a": "b"} and row["footprint"] is None


def test_with_metadata_false_is_false(server):
    """UPSTREAM DEFECT backend.md 4.5.1."""
    start(server, 1, int(time.time()) - 10, metaData={"a": "b"})
    for query, wanted in (("", None), ("?with-metadata=false", None), ("?with-metadata", {"a": "b"}), ("?with-metadata=true", {"a": "b"})):
        assert server.get("/api/jobs/" + query).json["jobs"][0]["metaData"] == wanted


def test_kill_between_stop_and_archive(tmp_path):
    """UPSTREAM DEFECT backend.md 6.4: the queue was in memory only. A job stopped just now waits some seconds for its last
    samples; the server is killed meanwhile, and the next one archives it."""
    port = harness.free_port()
    with demo(write_site(tmp_path, port), port) as server:
        now = int(time.time())
        assert start(server, 1, now - 100).status == 201
        assert stop(server, 1, now).status == 200
        server.proc.send_signal(signal.SIGKILL)
        server.proc.wait()
    assert not list((tmp_path / "var" / "job-archive" / "alpha").glob("0/001/*/meta.json"))
    with demo(tmp_path, port) as server:
        wait_archived(server, 1)
    assert list((tmp_path / "var" / "job-archive" / "alpha").glob("0/001/*/meta.json"))


def test_kill_under_load_loses_no_answered_start(tmp_path):
    port = harness.free_port()
    answered = []
    with demo(write_site(tmp_path, port), port) as server:
        def starts(first):
            for i in range(first, first + 400):
                try:
                    if start(server, i, 1760100000).status == 201:
                        answered.append(i)
                except OSError:
                    return
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            work = [pool.submit(starts, 1000 * k) for k in range(1, 5)]
            harness.wait_until(lambda: len(answered) > 100, 30, "100 starts")
            server.proc.send_signal(signal.SIGKILL)
            concurrent.futures.wait(work)
    with demo(tmp_path, port) as server:
        listed = {j["jobId"] for j in server.get("/api/jobs/?items-per-page=100000").json["jobs"]}
    assert set(answered) <= listed, sorted(set(answered) - listed)


def test_jobs_in_the_cache_of_upstream_are_taken_over(tmp_path):
    """Backend.md 2.6: rows that table job refuses stay and are reported."""
    port = harness.free_port()
    write_site(tmp_path, port)
    assert run(tmp_path, "-migrate-db").returncode == 0
    with sqlite3.connect(tmp_path / "var" / "job.db") as db:
        for job_id, start_time in ((1, 5), (2, 6)):
            db.execute("INSERT INTO job_cache (job_id, cluster, subcluster, hpc_user, project, duration, walltime, job_state,"
                       " resources, num_nodes, shared, start_time) VALUES (?, 'alpha', 'main', 'u', 'p', 0, 0, 'running',"
                       " '[]', 1, 'none', ?)", (job_id, start_time))
        db.execute("INSERT INTO job (job_id, cluster, subcluster, hpc_user, project, duration, walltime, job_state, resources,"
                   " num_nodes, shared, start_time) VALUES (2, 'alpha', 'main', 'u', 'p', 0, 0, 'running', '[]', 1, 'none', 6)")
    db.close()
    with demo(tmp_path, port) as server:
        assert sorted(j["jobId"] for j in server.get("/api/jobs/").json["jobs"]) == [1, 2]
        assert "refused by table job" in server.stderr
    with sqlite3.connect(tmp_path / "var" / "job.db") as db:
        assert db.execute("SELECT job_id FROM job_cache").fetchall() == [(2,)]
    db.close()


# ---- the interface's own routes ----------------------------------------------------------------------------------------

def test_info_lists_nodes(server):
    begin = int(time.time()) - 120
    write_samples(server, "a02", begin, [1, 2])
    start(server, 1, begin)
    info = server.get("/ui/api/info").json
    assert info["demo"] is True and info["authentication"] is False and abs(info["now"] - time.time()) < 60 * harness.SLOW
    nodes = {n["host"]: n for c in info["clusters"] if c["name"] == "alpha" for n in c["nodes"]}
    assert sorted(nodes) == ["a01", "a02"]
    assert nodes["a01"]["lastSeen"] is None and nodes["a01"]["subcluster"] == "main"
    assert abs(nodes["a02"]["lastSeen"] - (begin + 60)) <= 60


def test_simulated_clusters_are_labelled(tmp_path):
    port = harness.free_port()
    write_site(tmp_path, port)
    done = harness.run_program("cc-load-generator", ["-cluster", "made-up", "-nodes", "2", "-write-archive", "var/job-archive"],
                               cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with demo(tmp_path, port) as server:
        labels = {c["name"]: c["simulated"] for c in server.get("/ui/api/info").json["clusters"]}
        assert labels["made-up"] is True and labels["alpha"] is False


def test_job_list_filters_and_order(server):
    now = int(time.time())
    for i, (user, name) in enumerate([("ann", "alpha run"), ("bob", "100%_sure"), ("ann", "other")]):
        assert start(server, 10 + i, now - 1000 + i, user=user, metaData={"jobName": name},
                     resources=[{"hostname": f"a0{i + 1}"}]).status == 201
    stop(server, 12, now - 900)

    def ids(query):
        answer = server.get("/ui/api/jobs?" + query).json
        assert answer["total"] == len(answer["jobs"])
        return [j["jobId"] for j in answer["jobs"]]
    assert ids("") == [12, 11, 10]
    assert ids("user=ann") == [12, 10]
    assert ids("host=a02") == [11]
    assert ids("name=RUN") == [10]
    assert ids("name=%25_") == [11]
    assert ids("sort=duration&order=asc&state=completed") == [12]
    assert ids("sort=jobId&order=asc") == [10, 11, 12]
    page = server.get("/ui/api/jobs?items-per-page=1&page=2").json
    assert page["total"] == 3 and [j["jobId"] for j in page["jobs"]] == [11]
    for bad in ("sort=colour", "order=up", "nonsense=1"):
        assert server.get("/ui/api/jobs?" + bad).status == 400


def test_job_plots(server):
    begin = int(time.time()) // 60 * 60 - 1200
    write_samples(server, "a01", begin, range(10))
    write_samples(server, "a02", begin, [10 * v for v in range(10)])
    start(server, 1, begin, numNodes=2, resources=[{"hostname": "a01"}, {"hostname": "a02"}])
    for _ in ("live", "archived"):
        plots = server.post("/ui/api/job-plots", {"ids": [1, 99], "metrics": ["cpu_load", "nope"], "points": 5}).json["jobs"]
        plot = plots["1"]["cpu_load"]
        assert plots["99"] == {} and list(plots["1"]) == ["cpu_load"]
        width = plot["step"] // 60
        assert plot["from"] == begin and len(plot["mean"]) <= 5
        assert plot["min"][0] == 0 and plot["max"][0] == 10 * (width - 1)
        assert plot["mean"][0] == pytest.approx(11 * (width - 1) / 4, abs=0.01)
        stop(server, 1, begin + 600)
        wait_archived(server, 1)
    for bad in ({}, {"ids": [1], "metrics": []}, {"ids": list(range(1000)), "metrics": ["a"]}, {"ids": [1], "metrics": ["a"], "points": 1}):
        assert server.post("/ui/api/job-plots", bad).status == 400


# ---- TLS and settings ---------------------------------------------------------------------------------------------------

def make_certificate(folder, name):
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                           "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", f"/CN={name}",
                           "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr


def served_name(port):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}"], input=b"", capture_output=True, timeout=30)
    found = re.search(rb"subject=\s*CN\s*=\s*(\S+)", done.stdout)
    return found and found[1].decode()


def tls_main(port, **more):
    return {"addr": f"127.0.0.1:{port}", "https-cert-file": "cert.pem", "https-key-file": "key.pem", **more}


def test_tls(tmp_path):
    port = harness.free_port()
    write_site(tmp_path, port, main=tls_main(port))
    make_certificate(tmp_path, "first")
    with demo(tmp_path, port) as server:
        trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        conn = http.client.HTTPSConnection("127.0.0.1", port, context=trust, timeout=30 * harness.SLOW)
        conn.request("POST", "/api/jobs/start_job/", json.dumps(job(1, int(time.time()) - 10)))
        assert conn.getresponse().status == 201
        conn.close()
        with pytest.raises((OSError, http.client.HTTPException)):
            server.get("/healthz")  # plain HTTP
        make_certificate(tmp_path, "second")
        server.signal(signal.SIGHUP)
        harness.wait_until(lambda: served_name(port) == "second", what="the new certificate")
        (tmp_path / "cert.pem").write_text("broken")
        server.signal(signal.SIGHUP)
        harness.wait_until(lambda: "reading the certificate again" in server.stderr, what="the error")
        assert served_name(port) == "second"
        assert server.stop() == 0


def test_tls_with_broken_certificate(tmp_path):
    port = harness.free_port()
    write_site(tmp_path, port, main=tls_main(port))
    make_certificate(tmp_path, "x")
    for name in ("cert.pem", "key.pem"):
        whole = (tmp_path / name).read_text()
        for text in ("broken", ""):
            (tmp_path / name).write_text(text)
            done = run(tmp_path, "-server", "-demo")
            assert done.returncode == 1 and "starting listener" in done.stderr, (name, text, done.stderr)
        (tmp_path / name).write_text(whole)


def test_redirect_of_port_80(tmp_path):
    """Port 80 is the only fixed port of all tests: without the right to it, or when it is taken, the server says so and serves
    its own address."""
    port = harness.free_port()
    write_site(tmp_path, port, main={"addr": f"127.0.0.1:{port}", "redirect-http-to": "https://example.org/x"})
    with demo(tmp_path, port) as server:
        assert server.get("/healthz").status == 200
        if "redirect of port 80" not in server.stderr:
            answer = harness.http_request(80, "GET", "/jobs/5?x=y")
            assert answer.status == 301 and answer.header("Location") == "https://example.org/x"


def test_settings_without_effect_are_named(tmp_path):
    port = harness.free_port()
    write_site(tmp_path, port, nats={"address": "nats://localhost"}, ui={}, **{
        "main": {"addr": f"127.0.0.1:{port}", "emission-constant": 400}, "metric-store-external": [{"scope": "*"}]})
    with demo(tmp_path, port) as server:
        for name in ("section 'nats'", "section 'ui'", "section 'metric-store-external'", "'main.emission-constant'"):
            assert server.stderr.count(f"configuration: {name} has no effect in this release") == 1
        assert server.stderr.count("has no effect") == 4


# ---- files and headers ----------------------------------------------------------------------------------------------------

def test_pages_and_files(server):
    page = server.get("/jobs/17")
    assert page.status == 200 and page.header("Content-Type").startswith("text/html")
    assert page.header("Cache-Control") == "no-cache"
    policy = page.header("Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    missing = server.get("/assets/nothing-00000000.js")
    assert missing.status == 404
    assert server.get("/secret").status == 404
    assert server.post("/jobs", "x").status in (404, 405)
    if page.header("ETag") is None:
        pytest.skip("built without the web interface: nothing more to serve")
    again = server.get("/jobs", headers={"If-None-Match": page.header("ETag")})
    assert again.status == 304 and again.body == b""
    packed = server.get("/", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.body) == page.body
    assert server.get("/", headers={"Accept-Encoding": "gzip;q=0"}).body == page.body
    script = page.text.split('src="/assets/')[1].split('"')[0]
    asset = server.get("/assets/" + script)
    assert asset.status == 200 and asset.header("Cache-Control") == "public, max-age=31536000, immutable"


def test_paths_do_not_leave_the_interface(server):
    for path in ("/../config.json", "/assets/../config.json", "/%2e%2e/config.json", "/assets/%2e%2e%2fconfig.json", "/.env"):
        answer = server.get(path)
        assert answer.status in (301, 307, 308, 404), path
        assert b"metric-store" not in answer.body


def test_cross_site_requests_are_refused(server):
    answer = server.post("/api/jobs/start_job/", job(1, 5), headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403 and "cross-site request blocked" in answer.text
    assert server.get("/api/jobs/", headers={"Sec-Fetch-Site": "cross-site"}).status == 200


def test_queries_of_the_store_are_there(server):
    begin = int(time.time()) - 300
    write_samples(server, "a01", begin, [1, 2, 3])
    answer = server.post("/api/query", {"cluster": "alpha", "from": begin, "to": begin + 180,
                                        "queries": [{"metric": "cpu_load", "host": "a01"}]})
    assert answer.status == 200 and 2 in answer.json["results"][0][0]["data"]


def test_metrics_and_health(server):
    assert server.get("/healthz").json == {"status": "ok"}
    text = server.get("/metrics").text
    assert text.endswith("# EOF\n")
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(names) == len(set(names)) and "cc_backend_archive_waiting" in names


def test_clean_shutdown(tmp_path):
    port = harness.free_port()
    with demo(write_site(tmp_path, port), port) as server:
        assert server.stop() == 0
        assert server.stdout.strip().splitlines()[-1] == "Graceful shutdown completed!"
