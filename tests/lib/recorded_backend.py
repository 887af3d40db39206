# SPDX-License-Identifier: MIT
"""Runs the recorded scenarios of the backend (tests/recorded/backend) against our program and compares the outcomes by the
rules of the README there. One Scenario object is one run in one empty folder."""
import base64
import gzip
import http.client
import json
import math
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.parse

import harness

FOLDER = harness.ROOT / "tests" / "recorded" / "backend"
PLACEHOLDER = re.compile(r"\$\{(?:(S|Z|token):?)?([A-Za-z_]\w*)?([+-]\d+)?\}")
WHOLE = re.compile(r"^\$\{T([+-]\d+)?\}$")
COMPARED_HEADERS = ("content-type", "location", "allow", "www-authenticate", "content-encoding")


class Mismatch(AssertionError):
    pass


def load(name):
    return json.loads((FOLDER / "scenarios" / name / "scenario.json").read_text())


def names():
    return sorted(p.parent.name for p in (FOLDER / "scenarios").glob("*/scenario.json"))


class Scenario:
    """later: number and step -> why it is left out, or None. sound: step number -> what we answer on purpose instead, in
    the form of the recordings (None: anything)."""

    dropped = ("tags",)  # members of a later release

    def __init__(self, name, cwd, later=lambda number, step: None, sound=None):
        self.data, self.cwd = load(name), pathlib.Path(cwd)
        self.later, self.sound = later, sound or {}
        self.port, self.base_time = harness.free_port(), int(time.time())
        self.saved, self.program, self.left_out = {}, None, []

    # ---- placeholders ----------------------------------------------------------------------------------------
    def text(self, text):
        def value(found):
            kind, name, offset = found.groups()
            shift = int(offset or 0)
            if kind == "token":
                return self.data["tokens"][name]
            if kind == "Z":
                return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.base_time + shift))
            if name == "T" or (kind == "S" and name == "T"):
                return str(self.base_time + shift)
            known = {"PORT": self.port, "WORK": self.cwd, **self.saved}
            return str(known[name]) if name in known else found.group(0)
        return PLACEHOLDER.sub(value, text)

    def value(self, v):
        if isinstance(v, str):
            found = WHOLE.match(v)
            if found:
                return self.base_time + int(found.group(1) or 0)
            name = re.fullmatch(r"\$\{(\w+)\}", v)
            if name and name.group(1) in self.saved:
                return self.saved[name.group(1)]
            return self.text(v)
        if isinstance(v, list):
            return [self.value(x) for x in v]
        if isinstance(v, dict):
            return {self.text(k): self.value(x) for k, x in v.items()}
        return v

    # ---- set-up ------------------------------------------------------------------------------------------------
    def put_files(self, files):
        for name, content in files.items():
            path = self.cwd / self.text(name)
            if content is None:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            elif name.endswith("/"):
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.content(content))

    def content(self, content):
        if isinstance(content, str):
            return self.text(content).encode()
        if "base64" in content:
            return base64.b64decode(content["base64"])
        text = json.dumps(self.value(content.get("json", content.get("gzip_json")))).encode()
        return gzip.compress(text) if "gzip_json" in content else text

    def environment(self, extra=None):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.cwd), "TZ": "UTC", "LANG": "C.UTF-8"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update({k: self.text(v) for k, v in (self.data.get("env") or {}).items()})
        env.update({k: self.text(v) for k, v in (extra or {}).items()})
        return env

    def command(self, args, extra=None, stdin=None, timeout=30):
        return subprocess.run([harness.program("cc-backend"), *[self.text(a) for a in args]], cwd=self.cwd, input=stdin,
                              env=self.environment(extra), capture_output=True, text=True, errors="replace",
                              timeout=timeout * harness.SLOW)

    def set_up(self):
        for name in self.data.get("fixtures") or []:
            shutil.copytree(FOLDER / "fixtures" / name, self.cwd, dirs_exist_ok=True)
        self.put_files(self.data.get("files") or {})
        if self.data.get("config") is not None:
            (self.cwd / "config.json").write_text(json.dumps(self.value(self.data["config"])))
        for args in self.data.get("setup") or []:
            if args[0] == "-add-user":
                self.add_user(args[1])
                continue
            if args[0] == "-import-job":
                for pair in args[1].split(","):
                    self.import_job(*(self.cwd / part for part in pair.split(":")))
                continue
            done = self.command(args)
            assert done.returncode == 0, f"set-up {args}: {done.stdout}{done.stderr}"

    def add_user(self, text):
        """User management comes with a later release; what the scenarios need of it is the row."""
        name, roles, _ = text.split(":", 2)
        with sqlite3.connect(self.cwd / "var" / "job.db") as db:
            db.execute("INSERT INTO hpc_user (username, roles) VALUES (?, ?)", (name, json.dumps(roles.split(","))))
        db.close()

    def import_job(self, meta_path, data_path):
        """Import comes with a later release; the same outcome as upstream's, so that reading can be compared."""
        meta, data = json.loads(meta_path.read_text()), data_path.read_bytes()
        cluster = json.loads((self.cwd / "var" / "job-archive" / meta["cluster"] / "cluster.json").read_text())
        folder = self.cwd / "var" / "job-archive" / meta["cluster"] / str(meta["jobId"] // 1000) / \
            f"{meta['jobId'] % 1000:03}" / str(meta["startTime"])
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(json.dumps(meta))
        if len(data) > 2000:
            (folder / "data.json.gz").write_bytes(gzip.compress(data))
        else:
            (folder / "data.json").write_bytes(data)
        footprint, energy = self.enrich(meta, cluster)
        row = {"job_id": meta["jobId"], "hpc_user": meta["user"], "project": meta["project"], "cluster": meta["cluster"],
               "subcluster": meta["subCluster"], "cluster_partition": meta.get("partition", ""), "array_job_id":
               meta.get("arrayJobId", 0), "num_nodes": meta["numNodes"], "num_hwthreads": meta.get("numHwthreads", 0), "num_acc":
               meta.get("numAcc", 0), "shared": meta.get("shared", "none"), "monitoring_status": 3, "smt": meta.get("smt", 0),
               "job_state": meta["jobState"], "start_time": meta["startTime"], "duration": meta["duration"], "walltime":
               meta.get("walltime", 0), "footprint": json.dumps(footprint), "energy": round(sum(energy.values()), 2),
               "energy_footprint": json.dumps(energy), "resources": json.dumps(meta["resources"]), "meta_data":
               json.dumps(meta.get("metaData"))}
        with sqlite3.connect(self.cwd / "var" / "job.db") as db:
            db.execute(f"INSERT INTO job ({','.join(row)}) VALUES ({','.join('?' * len(row))})", list(row.values()))
        db.close()

    @staticmethod
    def enrich(meta, cluster):
        footprint, energy = {}, {}
        for metric in cluster["metricConfig"]:
            override = next((o for o in metric.get("subClusters", ()) if o["name"] == meta["subCluster"]), metric)
            stats = meta["statistics"].get(metric["name"], {"avg": 0, "min": 0, "max": 0})
            if override.get("remove"):
                continue
            if override.get("footprint"):
                footprint[f"{metric['name']}_avg"] = stats["avg"]  # always avg: backend.md 6.5
            if override.get("energy"):
                kwh = stats["avg"] * meta["numNodes"] * meta["duration"] / 3600 / 1000
                energy[metric["name"]] = round(kwh, 2) if override["energy"] == "power" else 0
        return footprint, energy

    def launch(self, args=None):
        self.program = Server(args or self.data.get("server_args") or ["-server"], self.cwd, self.environment(), self.port)
        return self.program

    # ---- comparing ------------------------------------------------------------------------------------------------
    def same(self, want, got, rules, path=""):
        if isinstance(want, dict) and any(k.startswith("$") for k in want):
            return self.matches(want, got, rules, path)
        if isinstance(want, str):
            want = self.value(want)
        if isinstance(want, dict) and isinstance(got, dict):
            drop = {*rules.get("drop", ()), *self.dropped}
            w, g = {self.text(k): v for k, v in want.items() if k not in drop}, {k: v for k, v in got.items() if k not in drop}
            if w.keys() != g.keys():
                raise Mismatch(f"{path}: members {sorted(w)} expected, got {sorted(g)}")
            for key in w:
                self.same(w[key], g[key], rules, f"{path}.{key}")
        elif isinstance(want, list) and isinstance(got, list):
            if len(want) != len(got):
                raise Mismatch(f"{path}: {len(want)} elements expected, got {len(got)}: {str(got)[:400]}")
            for i, (a, b) in enumerate(zip(want, got)):
                self.same(a, b, rules, f"{path}[{i}]")
        elif isinstance(want, bool) or isinstance(got, bool) or not isinstance(want, (int, float)) \
                or not isinstance(got, (int, float)):
            if want != got or type(want) is not type(got):
                raise Mismatch(f"{path}: {want!r} expected, got {got!r}")
        elif not math.isclose(want, got, rel_tol=1e-12, abs_tol=1e-12):
            raise Mismatch(f"{path}: {want!r} expected, got {got!r}")
        return True

    def fits(self, want, got, rules, path):
        try:
            return self.same(want, got, rules, path)
        except Mismatch:
            return False

    def matches(self, m, got, rules, path):
        def near(value, tolerance):
            return isinstance(got, (int, float)) and abs(got - value) <= tolerance
        kinds = {"integer": int, "number": (int, float), "string": str, "boolean": bool, "array": list, "object": dict,
                 "null": type(None)}
        if "$set" in m:
            ok = isinstance(got, list) and len(got) == len(m["$set"]) and self.same_set(m["$set"], got, rules, path)
        elif "$near" in m:
            ok = near(*m["$near"])
        elif "$age" in m:
            ok = near(time.time() - m["$age"], m.get("tol", 0) + 2)
        elif "$time" in m:
            ok = near(self.base_time + m["$time"], m.get("tol", 0))
        elif "$rfc3339" in m:
            ok = isinstance(got, str) and any(got == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(
                self.base_time + m["$rfc3339"] + d)) for d in range(-m.get("tol", 0), m.get("tol", 0) + 1))
        elif "$prefix" in m:
            ok = isinstance(got, str) and got != "" and got.startswith(self.text(m["$prefix"]))
        elif "$type" in m:
            ok = isinstance(got, kinds[m["$type"]])
        elif "$oneof" in m:
            ok = any(self.fits(x, got, rules, path) for x in m["$oneof"])
        elif "$re" in m:
            ok = isinstance(got, str) and re.search(m["$re"], got)
        else:
            ok = "$any" in m
        if not ok:
            raise Mismatch(f"{path}: {m} expected, got {str(got)[:600]}")
        return True

    def same_set(self, want, got, rules, path):
        rest = list(got)
        for w in want:
            found = next((i for i, g in enumerate(rest) if self.fits(w, g, rules, path)), None)
            if found is None:
                return False
            del rest[found]
        return True

    # ---- steps ------------------------------------------------------------------------------------------------------
    def run(self):
        self.set_up()
        try:
            if self.data.get("start") is not False:
                self.launch().wait_ready()
            for number, step in enumerate(self.data["steps"]):
                reason = self.later(number, step)
                if reason:
                    self.left_out.append((number, reason))
                    continue
                self.run_step(number, step)
        finally:
            if self.program:
                self.program.kill()
        return self.left_out

    def run_step(self, number, step):
        kind = step.get("step", "http")
        got = getattr(self, "do_" + kind)(step)
        expected = step.get("expect")
        if expected is None or got is None:
            return
        try:
            self.check(kind, step, expected, got)
        except Mismatch as problem:
            if number in self.sound:
                expected = self.sound[number]
            elif "deviation" in step:
                expected = step.get("expected_sound")
            else:
                raise AssertionError(f"step {number} ({step.get('path') or step.get('args') or kind}): {problem}") from None
            if expected is None:
                return  # any answer is acceptable from a sound server
            try:
                self.check(kind, step, expected, got)
            except Mismatch as second:
                raise AssertionError(f"step {number}: neither as recorded ({problem}) nor sound ({second})") from None

    def check(self, kind, step, expected, got):
        getattr(self, "check_" + kind)(step, expected, got)

    # http
    def body_of(self, step):
        if "json" in step:
            return json.dumps(self.value(step["json"])).encode(), "application/json"
        if "text" in step:
            return self.text(step["text"]).encode(), None
        if "base64" in step:
            return base64.b64decode(step["base64"]), None
        if "form" in step:
            return urllib.parse.urlencode(self.value(step["form"])).encode(), "application/x-www-form-urlencoded"
        if "series" in step:
            return self.lines(self.value(step["series"])).encode(), None
        return None, None

    @staticmethod
    def lines(entries):
        out = []
        for e in entries:
            tags = "".join([f",cluster={e['cluster']}" if "cluster" in e else "", f",hostname={e['host']}",
                            f",type={e.get('type', 'node')}", f",type-id={e['id']}" if "id" in e else ""])
            out += [f"{e['metric']}{tags} value={v} {e['from'] + i * e['step']}\n"
                    for i, v in enumerate(e["values"]) if v is not None]
        return "".join(out)

    def do_http(self, step):
        body, kind = self.body_of(step)
        headers = {k: self.text(v) for k, v in (step.get("headers") or {}).items()}
        if kind and not any(k.lower() == "content-type" for k in headers):
            headers["Content-Type"] = kind
        if "as" in step:
            headers["X-Auth-Token"] = self.data["tokens"][step["as"]]
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30 * harness.SLOW)
        try:
            method = step.get("method", "GET")
            conn.putrequest(method, self.text(step["path"]), skip_accept_encoding=True)
            for name, value in headers.items():
                conn.putheader(name, value)
            if body is not None or method in ("POST", "PUT", "PATCH"):
                conn.putheader("Content-Length", str(len(body or b"")))
            conn.endheaders()
            if body:
                conn.send(body)
            answer = conn.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            conn.close()

    def check_http(self, step, expected, got):
        status, headers, body = got
        if expected.get("status", status) != status:
            raise Mismatch(f"status {expected['status']} expected, got {status}: {body[:300]!r}")
        if step.get("compare") == "status":
            return
        if "headers" in expected:
            self.check_headers(step, expected["headers"], headers)
        if step.get("compare") == "headers":
            return
        self.check_body(step, expected, body)

    def check_headers(self, step, want, headers):
        compared = COMPARED_HEADERS + tuple(h.lower() for h in step.get("see_headers", ()))
        got = {}
        for name, value in headers:
            if name.lower() == "allow":
                got.setdefault("allow", []).extend(m.strip() for m in value.split(","))
            elif name.lower() in compared:
                got[name.lower()] = value
        if "allow" in got:
            got["allow"].sort()
        for name in set(compared) & (set(want) | set(got)):
            if name not in want:
                raise Mismatch(f"header {name}: {got[name]!r} not expected")
            if name not in got:
                raise Mismatch(f"header {name} is missing")
            if name == "vary":  # several headers of that name, or one: the same to a client
                continue
            wanted = [want[name]] if name == "allow" and isinstance(want[name], str) else want[name]
            self.same(wanted, got[name], {}, f"header {name}")

    def check_body(self, step, expected, body):
        kind, rules = expected.get("body"), step.get("rules") or {}
        if step.get("exact") and "raw" in expected:
            if self.text(expected["raw"]) != body.decode("utf-8", "replace"):
                raise Mismatch(f"body {self.text(expected['raw'])!r} expected, got {body!r}")
        elif kind == "empty" and body:
            raise Mismatch(f"empty body expected, got {body[:200]!r}")
        elif kind == "json":
            try:
                value = json.loads(body)
            except ValueError:
                raise Mismatch(f"JSON expected, got {body[:200]!r}") from None
            if "json" in expected:
                self.same(expected["json"], value, rules, "body")
            self.save(step, value)
        elif kind == "text" and "text" in expected:
            self.same(expected["text"], body.decode("utf-8", "replace"), {}, "body")

    def save(self, step, value):
        for name, path in (step.get("save") or {}).items():
            part = value
            for member in path.split("."):
                part = part[int(member)] if isinstance(part, list) else part[member]
            self.saved[name] = part

    # command line
    def do_cli(self, step):
        if step.get("args", [""])[:1] == ["-add-user"]:
            return self.add_user(step["args"][1])
        return self.command(step.get("args", []), step.get("env"), step.get("stdin"), step.get("timeout", 30))

    def check_cli(self, step, expected, done):
        out = re.sub(r"ey[\w-]+\.[\w-]+\.[\w-]+", "<jwt>", done.stdout)
        if expected["exit"] != done.returncode:
            raise Mismatch(f"exit {expected['exit']} expected, got {done.returncode}: {done.stdout}{done.stderr}")
        if "stdout" in expected:
            self.same(expected["stdout"], out, {}, "stdout")
        if "stdout_class" in expected and (expected["stdout_class"] == "none") != (out == ""):
            raise Mismatch(f"stdout {expected['stdout_class']} expected, got {out!r}")
        if "stdout_pattern" in expected and not re.search(expected["stdout_pattern"], done.stdout):
            raise Mismatch(f"stdout does not match {expected['stdout_pattern']!r}: {done.stdout!r}")
        if "jwt" in expected:
            self.check_jwt(expected["jwt"], done.stdout)
        if "stderr_class" in expected and not step.get("any_stderr"):
            bad = expected["stderr_class"] in ("error", "crit", "panic")
            if bad != bool(re.search(r"^<[0-3]>", done.stderr, re.M)):
                raise Mismatch(f"stderr of class {expected['stderr_class']} expected, got {done.stderr!r}")

    def check_jwt(self, want, out):
        token = re.search(r"(ey[\w-]+)\.([\w-]+)\.[\w-]+", out)
        if not token:
            raise Mismatch(f"no token in {out!r}")
        header, claims = (json.loads(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4))) for p in token.groups())
        self.same(want["header"], header, {}, "jwt header")
        wanted = dict(want["claims"])
        if isinstance(wanted.get("exp"), str):
            wanted["exp"] = claims["iat"] + int(wanted["exp"].split("+")[1])
        if wanted.get("iat") == "integer":
            wanted["iat"] = {"$type": "integer"}
        self.same(wanted, claims, {}, "jwt claims")

    # waiting
    def do_wait(self, step):
        def jobs():
            token = next((t for n, t in self.data["tokens"].items() if n in ("api", "ops")), None)
            answer = harness.http_request(self.port, "GET", "/api/jobs/?items-per-page=10000",
                                          headers={"X-Auth-Token": token} if token else {})
            return answer.json["jobs"] if answer.status == 200 else []

        def done():
            if "synced" in step:
                return len(jobs()) >= step["synced"]
            if "archived" in step:
                return sum(j.get("monitoringStatus") == 3 for j in jobs() if j["jobState"] != "running") >= step["archived"]
            if "sql" in step:
                return self.fits(step["equals"], self.rows(step), {}, "")
            if "file" in step:
                return (self.cwd / self.text(step["file"])).exists()
            raise AssertionError(f"cannot wait for {step}")
        harness.wait_until(done, step.get("timeout", 15), str({k: v for k, v in step.items() if k != "expect"}), 0.1)

    def rows(self, step):
        path = self.cwd / self.text(step.get("db", "var/job.db"))
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            db.row_factory = sqlite3.Row
            return [{k: self.cell(r[k], k in step.get("json", ())) for k in r.keys()} for r in db.execute(self.text(step["sql"]))]
        finally:
            db.close()

    @staticmethod
    def cell(value, as_json):
        if isinstance(value, bytes):
            value = (gzip.decompress(value) if value[:2] == b"\x1f\x8b" else value).decode()
        return json.loads(value) if as_json and isinstance(value, str) else value

    def do_sql(self, step):
        return self.rows(step)

    def check_sql(self, step, expected, got):
        self.same(expected["rows"], got, step.get("rules") or {}, "rows")

    def do_exec_sql(self, step):
        with sqlite3.connect(self.cwd / "var" / "job.db") as db:
            db.executescript(self.text(step["sql"]))
        db.close()

    # files
    def do_files(self, step):
        return True

    def check_files(self, step, expected, _):
        rules = step.get("rules") or {}
        for name, want in expected.get("read", {}).items():
            self.check_file(self.cwd / self.text(name), want, rules, step.get("exact"))
        if "tree" in expected:
            root = self.cwd / step["tree"]
            got = sorted(str(p.relative_to(root)) + ("/" if p.is_dir() else "") for p in root.rglob("*")
                         if p.is_file() or not any(p.iterdir()))
            self.same(sorted(self.text(x) for x in expected["tree"]), got, {}, "tree")

    def check_file(self, path, want, rules, exact):
        if want["kind"] == "missing":
            if path.exists():
                raise Mismatch(f"{path.name}: should not be there")
            return
        if want["kind"] == "directory":
            if not path.is_dir():
                raise Mismatch(f"{path.name}: not a folder")
            return
        if not path.is_file():
            raise Mismatch(f"{path.name}: missing")
        data = path.read_bytes()
        if (data[:2] == b"\x1f\x8b") != bool(want.get("gzip")):
            raise Mismatch(f"{path.name}: compressed: {not want.get('gzip')}")
        text = (gzip.decompress(data) if want.get("gzip") else data).decode()
        if exact and "raw" in want:
            if self.text(want["raw"]) != text:
                raise Mismatch(f"{path.name}: {self.text(want['raw'])!r} expected, got {text!r}")
        elif want["kind"] == "json":
            if path.name == "meta.json":  # ours carries the final values (backend.md 6.4), upstream's what was known before
                rules = {**rules, "drop": [*rules.get("drop", ()), "energyFootprint", "footprint", "energy"]}
            self.same(self.ordered(want["json"], rules), self.ordered(json.loads(text), rules), rules, path.name)
        elif want["kind"] == "text":
            self.same(want["text"], text, {}, path.name)

    def ordered(self, value, rules):
        """Lists under the names of rules.unordered, made comparable."""
        if isinstance(value, list):
            return [self.ordered(v, rules) for v in value]
        if not isinstance(value, dict):
            return value
        out = {}
        for key, v in value.items():
            v = self.ordered(v, rules)
            if key in rules.get("unordered", ()) and isinstance(v, list):
                drop = set(rules.get("drop", ()))
                v = sorted(v, key=lambda x: json.dumps({k: y for k, y in x.items() if k not in drop}, sort_keys=True)
                           if isinstance(x, dict) else json.dumps(x))
            out[key] = v
        return out

    # the server's life
    def do_put(self, step):
        self.put_files(step["files"])

    def do_start(self, step):
        program = self.launch(step.get("args"))
        try:
            program.wait_ready()
            return {"listening": True}
        except AssertionError:
            return {"listening": False, "exit": program.wait()}

    def check_start(self, step, expected, got):
        for key in ("listening", "exit"):
            if key in expected and expected[key] != got.get(key):
                raise Mismatch(f"{key}: {expected[key]} expected, got {got}: {self.program.stdout}{self.program.stderr}")

    def do_stop(self, step):
        code = self.program.stop(getattr(signal, step.get("signal", "SIGTERM")))
        lines = self.program.stdout.strip().splitlines()
        return {"exit": code, "last_line": lines[-1] if lines else ""}

    def check_stop(self, step, expected, got):
        self.same({k: v for k, v in expected.items() if k in got}, {k: v for k, v in got.items() if k in expected}, {}, "stop")

    def do_sleep(self, step):
        time.sleep(step["seconds"] * harness.SLOW)

    def do_alive(self, step):
        assert self.program.proc.poll() is None, "the server has ended"


class Server(harness.Program):
    """The backend with an environment of its own: nothing of ours leaks in."""

    def __init__(self, args, cwd, env, port):
        self.name, self.port, self.cwd = "cc-backend", port, pathlib.Path(cwd)
        self.out_path = self.cwd.parent / f"{self.cwd.name}-{time.monotonic_ns()}.out"
        self.err_path = self.out_path.with_suffix(".err")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.proc = subprocess.Popen([harness.program("cc-backend"), *map(str, args)], cwd=cwd, env=env, stdout=out,
                                         stderr=err, stdin=subprocess.DEVNULL, start_new_session=True)
