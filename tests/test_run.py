# SPDX-License-Identifier: MIT
"""cc-run: a command as a monitored job, against a stand-in for the backend."""
import getpass
import http.server
import json
import os
import pty
import re
import select
import signal
import subprocess
import threading
import time

import pytest

from harness import BIN, SLOW, Program, free_port, program, run_program, wait_until

START, STOP = "/api/jobs/start_job/", "/api/jobs/stop_job/"
JOB = {"start": (201, {"msg": "success"}), "stop": (200, {"jobState": "completed"})}


class StandIn:
    """Answers start_job and stop_job and keeps what it was asked. Answers: a list per path, the last one again and again;
    each (status, body) or (status, body, seconds to wait)."""

    def __init__(self, start=None, stop=None, port=0):
        self.answers = {START: list(start or [JOB["start"]]), STOP: list(stop or [JOB["stop"]])}
        self.requests = []
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                stand_in.requests.append((self.path, json.loads(text), dict(self.headers)))
                answers = stand_in.answers.get(self.path, [(404, {"error": "no such path"})])
                status, body, *pause = answers.pop(0) if len(answers) > 1 else answers[0]
                time.sleep(pause[0] if pause else 0)
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # the client gave up

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def bodies(self, path):
        return [body for at, body, _ in self.requests if at == path]

    @property
    def start(self):
        (body,) = self.bodies(START)
        return body

    @property
    def stop(self):
        (body,) = self.bodies(STOP)
        return body


def cc_run(url, *args, **kw):
    return run_program("cc-run", ["-url", url, "-cluster", "local", *args], **kw)


class Running:
    """cc-run in the background, with pipes."""

    def __init__(self, url, *args, **kw):
        self.proc = subprocess.Popen([program("cc-run"), "-url", url, "-cluster", "local", *args], text=True,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.communicate()

    def line(self):
        ready, _, _ = select.select([self.proc.stdout], [], [], 20 * SLOW)
        assert ready, "no output of the command"
        return self.proc.stdout.readline().strip()

    def end(self):
        self.proc.wait(20 * SLOW)
        return self.proc.returncode


# ---- what is told ---------------------------------------------------------------------------------------------------
def test_a_job_starts_and_stops(tmp_path):
    with StandIn() as backend:
        before = int(time.time())
        done = cc_run(backend.url, "-token", "secret", "-walltime", "1h30m", "-partition", "p", "-project", "q", "-tag",
                      "kind:demo,a:b c", "-host", "n1", "--", "sh", "-c", "echo 'it works'; exit 3", cwd=tmp_path)
        after = int(time.time())
        assert (done.returncode, done.stdout) == (3, "it works\n")
        start, stop = backend.start, backend.stop
    assert start["cluster"] == "local" and start["partition"] == "p" and start["project"] == "q"
    assert start["user"] == getpass.getuser() and start["jobState"] == "running" and start["walltime"] == 5400
    threads = sorted(os.sched_getaffinity(0))
    assert start["resources"] == [{"hostname": "n1", "hwthreads": threads}]
    assert start["numHwthreads"] == len(threads) and start["numNodes"] == 1
    assert start["tags"] == [{"type": "kind", "name": "demo"}, {"type": "a", "name": "b c"}]
    assert start["metaData"] == {"jobName": "sh", "jobScript": "sh -c 'echo '\\''it works'\\''; exit 3'"}
    assert before <= start["startTime"] <= after and 0 < start["jobId"] < 2**40
    assert stop == {"jobId": start["jobId"], "cluster": "local", "startTime": start["startTime"], "jobState": "failed",
                    "stopTime": stop["stopTime"]}
    assert start["startTime"] <= stop["stopTime"] <= after
    assert all(headers.get("X-Auth-Token") == "secret" for _, _, headers in backend.requests)
    assert "secret" not in done.stderr


def test_defaults_come_from_the_environment(tmp_path):
    with StandIn() as backend:
        env = {"CC_URL": backend.url + "/", "CC_CLUSTER": "env", "CC_TOKEN": "from-env"}
        done = run_program("cc-run", ["-job-id", "77", "-name", "my job", "-user", "me", "true"], cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        assert (backend.start["cluster"], backend.start["jobId"], backend.start["user"]) == ("env", 77, "me")
        assert backend.start["metaData"]["jobName"] == "my job"
        assert backend.start["resources"][0]["hostname"] == os.uname().nodename.split(".")[0]
        assert "walltime" not in backend.start and "tags" not in backend.start and "partition" not in backend.start
        assert backend.stop["jobState"] == "completed"
        assert backend.requests[0][2]["X-Auth-Token"] == "from-env"
    assert re.search(r"cc-run: job 77: monitored \(http", done.stderr)


def test_a_part_of_the_machine_is_named(tmp_path):
    one = min(os.sched_getaffinity(0))
    with StandIn() as backend:
        args = [program("cc-run"), "-url", backend.url, "-cluster", "c", "true"]
        done = subprocess.run(args, preexec_fn=lambda: os.sched_setaffinity(0, {one}), timeout=30 * SLOW)
        assert done.returncode == 0
        assert backend.start["resources"][0]["hwthreads"] == [one]
        assert backend.start["shared"] == ("multi_user" if os.cpu_count() > 1 else "none")


def test_quiet_says_nothing_when_all_goes_well(tmp_path):
    with StandIn() as backend:
        assert cc_run(backend.url, "-quiet", "true", cwd=tmp_path).stderr == ""


@pytest.mark.parametrize("command, code, state", [
    (["true"], 0, "completed"),
    (["false"], 1, "failed"),
    (["sh", "-c", "exit 255"], 255, "failed"),
    (["sh", "-c", "kill -KILL $$"], 137, "failed"),
    (["sh", "-c", "kill -SEGV $$"], 139, "failed"),
    (["sh", "-c", "kill -TERM $$"], 143, "cancelled"),
    (["sh", "-c", "kill -INT $$"], 130, "cancelled"),
])
def test_exit_status_and_state(command, code, state, tmp_path):
    with StandIn() as backend:
        assert cc_run(backend.url, "--", *command, cwd=tmp_path).returncode == code
        assert backend.stop["jobState"] == state


@pytest.mark.parametrize("command, code, text", [
    (["no-such-command-anywhere"], 127, "cannot run 'no-such-command-anywhere': No such file or directory"),
    (["/etc/passwd"], 126, "cannot run '/etc/passwd': Permission denied"),
])
def test_a_command_that_cannot_run_is_no_job(command, code, text, tmp_path):
    with StandIn() as backend:
        done = cc_run(backend.url, "--", *command, cwd=tmp_path)
        assert done.returncode == code and text in done.stderr
        assert backend.requests == []


def test_walltime_ends_the_command(tmp_path):
    with StandIn() as backend:
        assert cc_run(backend.url, "-walltime", "1s", "sleep", "60", cwd=tmp_path).returncode == 143
        assert backend.stop["jobState"] == "timeout"


# ---- signals --------------------------------------------------------------------------------------------------------
SAYS_SIGNALS = """
import os, signal, sys, time
def handler(number, frame):  # may run within the print below, which does not take another print
    os.write(1, signal.Signals(number).name.encode() + b"\\n")
    if number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        sys.exit(5)
for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT):
    signal.signal(s, handler)
print("ready", flush=True)
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("last, state", [("SIGTERM", "cancelled"), ("SIGINT", "cancelled"), ("SIGQUIT", "cancelled")])
def test_signals_reach_the_command(last, state, tmp_path):
    with StandIn() as backend, Running(backend.url, "/usr/bin/python3", "-c", SAYS_SIGNALS, cwd=tmp_path) as run:
        assert run.line() == "ready"
        for name in ("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGCONT", last):
            run.proc.send_signal(getattr(signal, name))
            assert run.line() == name
        assert run.end() == 5
        assert backend.stop["jobState"] == state


def test_signals_reach_the_whole_group(tmp_path):
    script = "trap 'exit 9' TERM; sleep 60 & echo $!; wait"
    with StandIn() as backend, Running(backend.url, "sh", "-c", script, cwd=tmp_path) as run:
        grandchild = int(run.line())
        run.proc.terminate()
        assert run.end() == 9
        wait_until(lambda: not os.path.exists(f"/proc/{grandchild}") or zombie(grandchild), what="end of the grandchild")


def zombie(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def process_state(pid):
    return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0]


def test_stop_and_continue(tmp_path):
    with StandIn() as backend, Running(backend.url, "sh", "-c", "echo $$; exec sleep 60", cwd=tmp_path) as run:
        child = int(run.line())
        run.proc.send_signal(signal.SIGTSTP)
        wait_until(lambda: process_state(child) == "T", what="the command to stop")
        run.proc.send_signal(signal.SIGCONT)
        wait_until(lambda: process_state(child) != "T", what="the command to go on")
        run.proc.terminate()
        assert run.end() == 143


def test_the_command_has_no_blocked_signals(tmp_path):
    with StandIn() as backend:
        done = cc_run(backend.url, "--", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status", cwd=tmp_path)
        masks = dict(line.split(":\t") for line in done.stdout.strip().splitlines())
        assert int(masks["SigBlk"], 16) == 0
        assert int(masks["SigIgn"], 16) & 1 << signal.SIGPIPE - 1 == 0


def test_a_terminal_belongs_to_the_command(tmp_path):
    """Under a terminal the command is in the foreground and Ctrl-C reaches it alone."""
    with StandIn() as backend:
        pid, master = pty.fork()
        if pid == 0:
            script = ("trap 'echo caught; exit 4' INT; set -- $(cat /proc/$$/stat); [ $8 -eq $$ ] && echo in front; "
                      "echo ready; sleep 60")
            os.execv(program("cc-run"), ["cc-run", "-quiet", "-url", backend.url, "-cluster", "c", "sh", "-c", script])
        output = b""
        status = None
        deadline = time.monotonic() + 20 * SLOW
        while status is None:
            assert time.monotonic() < deadline, output
            if select.select([master], [], [], 0.05)[0]:
                try:
                    output += os.read(master, 1000)
                except OSError:
                    pass
            if b"ready" in output and b"caught" not in output:
                os.write(master, b"\x03")
            done, value = os.waitpid(pid, os.WNOHANG)
            status = os.waitstatus_to_exitcode(value) if done else None
        os.close(master)
        assert status == 4
        assert b"in front" in output


# ---- the backend is not as it should be -------------------------------------------------------------------------------
def test_without_a_backend_the_command_runs(tmp_path):
    done = cc_run(f"http://127.0.0.1:{free_port()}", "sh", "-c", "echo out; exit 6", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (6, "out\n")
    assert "cannot tell the backend, the command runs all the same" in done.stderr
    assert "not recorded" in done.stderr


def test_a_backend_that_comes_up_meanwhile_gets_the_job(tmp_path):
    port = free_port()
    os.mkfifo(tmp_path / "wait")
    with Running(f"http://127.0.0.1:{port}", "sh", "-c", "echo ready; read x < wait; exit 0", cwd=tmp_path) as run:
        assert run.line() == "ready"
        wait_until(lambda: select.select([run.proc.stderr], [], [], 0)[0], what="a word on the missing backend")
        with StandIn(port=port) as backend:
            (tmp_path / "wait").write_text("go\n")
            assert run.end() == 0
            assert backend.start["startTime"] <= backend.stop["stopTime"]
            assert backend.stop["jobState"] == "completed"


def test_a_refused_job_is_not_stopped(tmp_path):
    with StandIn(start=[(400, {"status": "Bad Request", "error": "no such cluster: local"})]) as backend:
        done = cc_run(backend.url, "-job-id", "5", "true", cwd=tmp_path)
        assert done.returncode == 0
        assert "cc-run: job 5: refused by the backend, the command runs all the same: status 400: no such cluster: local\n" \
            in done.stderr
        assert [path for path, _, _ in backend.requests] == [START]


def test_a_number_that_is_taken_is_refused_if_it_was_asked_for(tmp_path):
    taken = (422, {"error": "a job with that jobId, cluster and startTime already exists: dbid: 1, jobid: 5"})
    with StandIn(start=[taken]) as backend:
        done = cc_run(backend.url, "-job-id", "5", "true", cwd=tmp_path)
        assert done.returncode == 0 and "already exists" in done.stderr
        assert len(backend.requests) == 1


def test_a_number_that_is_taken_is_replaced_if_it_was_made_up(tmp_path):
    taken = (422, {"error": "already exists"})
    with StandIn(start=[taken, taken, JOB["start"]]) as backend:
        assert cc_run(backend.url, "true", cwd=tmp_path).returncode == 0
        ids = [body["jobId"] for body in backend.bodies(START)]
        assert ids == [ids[0], ids[0] + 1, ids[0] + 2]
        assert backend.stop["jobId"] == ids[2]


def test_stop_is_tried_again(tmp_path):
    with StandIn(stop=[(500, b"<html>oops"), (503, b""), JOB["stop"]]) as backend:
        done = cc_run(backend.url, "true", cwd=tmp_path)
        assert done.returncode == 0 and "by hand" not in done.stderr
        assert len(backend.bodies(STOP)) == 3


def test_a_stop_that_cannot_be_told_can_be_done_by_hand(tmp_path):
    with StandIn(stop=[(500, {"error": "database is locked"})]) as backend:
        done = cc_run(backend.url, "-token", "s3cret", "--", "sh", "-c", "exit 2", cwd=tmp_path)
        assert done.returncode == 2
        assert "its end could not be told to the backend: status 500: database is locked" in done.stderr
        assert "s3cret" not in done.stderr
        line = re.search(r"by hand: (curl .*)", done.stderr).group(1)
        told = backend.bodies(STOP)
        assert len(told) == 3
        backend.answers[STOP] = [JOB["stop"]]
        if subprocess.run(["sh", "-c", "command -v curl"], capture_output=True).returncode != 0:
            pytest.skip("no curl to try the printed line with")
        hand = subprocess.run(["sh", "-c", line], env=dict(os.environ, CC_TOKEN="s3cret"), capture_output=True, text=True)
        assert hand.returncode == 0, hand.stderr
        path, body, headers = backend.requests[-1]
        assert (path, body, headers["X-Auth-Token"]) == (STOP, told[0], "s3cret")


def test_a_refused_stop_is_not_repeated(tmp_path):
    stopped = (422, {"error": "jobId 5 (id 1) on local : job has already been stopped (state is: completed)"})
    with StandIn(stop=[stopped]) as backend:
        done = cc_run(backend.url, "true", cwd=tmp_path)
        assert done.returncode == 0 and "already been stopped" in done.stderr
        assert len(backend.bodies(STOP)) == 1


def test_a_slow_backend_does_not_hold_the_command_up(tmp_path):
    with StandIn(start=[(201, {"msg": "success"}, 2)]) as backend:
        with Running(backend.url, "sh", "-c", "echo ready", cwd=tmp_path) as run:
            assert run.line() == "ready"
            assert not backend.bodies(STOP)
            assert run.end() == 0
            assert len(backend.bodies(STOP)) == 1


def test_an_unclear_start_is_asked_again(tmp_path):
    """A start that was answered 500 may be known all the same: the second try at the end then says 422."""
    with StandIn(start=[(500, b""), (422, {"error": "already exists"})]) as backend:
        assert cc_run(backend.url, "true", cwd=tmp_path).returncode == 0
        assert len(backend.bodies(START)) == 2 and len(backend.bodies(STOP)) == 1


# ---- the real backend ---------------------------------------------------------------------------------------------------
def test_jobs_end_in_the_archive_of_the_real_backend(tmp_path):
    if not (BIN / "cc-backend").exists():
        pytest.skip("cc-backend is not built")
    archive = tmp_path / "archive"
    assert run_program("cc-cluster-init", ["-name", "local", "-archive", archive], cwd=tmp_path).returncode == 0
    port = free_port()
    (tmp_path / "config.json").write_text(json.dumps({
        "main": {"addr": f"127.0.0.1:{port}"}, "archive": {"kind": "file", "path": str(archive)},
        "metric-store": {"retention-in-memory": "1h", "memory-cap": 1, "checkpoints": {"directory": str(tmp_path / "cp")}}}))
    with Program("cc-backend", ["-server", "-demo", "-config", "config.json"], cwd=tmp_path, port=port) as backend:
        backend.wait_ready()
        done = cc_run(f"http://127.0.0.1:{port}", "-job-id", "1234", "-name", "first", "--", "sh", "-c", "exit 3", cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        assert "job 1234: monitored" in done.stderr and "job 1234: failed" in done.stderr, done.stderr
        again = cc_run(f"http://127.0.0.1:{port}", "-job-id", "1234", "true", cwd=tmp_path)
        assert again.returncode == 0 and "already exists" in again.stderr
        jobs = backend.get("/api/jobs/?with-metadata=true").json["jobs"]
        assert [(job["jobId"], job["jobState"]) for job in jobs] == [(1234, "failed")]
        assert jobs[0]["metaData"] == {"jobName": "first", "jobScript": "sh -c 'exit 3'"}
        assert jobs[0]["numHwthreads"] == len(os.sched_getaffinity(0))
        folder = archive / "local" / "1" / "234" / str(jobs[0]["startTime"])
        wait_until(lambda: (folder / "meta.json").exists(), what="the job in the archive")


# ---- command line -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("args, text", [
    ([], "no command given"),
    (["-cluster", "c"], "no command given"),
    (["true"], "no cluster given: use -cluster or set CC_CLUSTER"),
    (["-nosuch", "true"], "flag provided but not defined: -nosuch"),
    (["-job-id", "x", "true"], 'invalid value "x" for flag -job-id: parse error'),
    (["-cluster", "c", "-job-id", "-1", "true"], "-job-id must not be negative"),
    (["-cluster", "c", "-walltime", "soon", "true"], '-walltime: time: invalid duration "soon"'),
    (["-cluster", "c", "-walltime", "-5", "true"], "time limit '-5' is out of range"),
    (["-cluster", "c", "-tag", "x", "true"], "-tag: 'x' is not type:name"),
])
def test_wrong_command_lines(args, text, tmp_path):
    done = run_program("cc-run", args, cwd=tmp_path, env={"CC_CLUSTER": "", "CC_URL": "http://127.0.0.1:9"})
    assert done.returncode == 2 and text in done.stderr, done.stderr


def test_help_and_version(tmp_path):
    done = run_program("cc-run", ["-h"], cwd=tmp_path)
    assert done.returncode == 0 and "-walltime limit" in done.stderr
    assert re.fullmatch(r"cc-run \d+\.\d+\.\d+\n", run_program("cc-run", ["-version"], cwd=tmp_path).stdout)
