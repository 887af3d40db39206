# SPDX-License-Identifier: MIT
"""Runs the recorded scenarios of the node agent (tests/recorded/collector, its README says what everything means).

The agent reads a captured machine by -root. What came in through an HTTP receiver when recording is fed through the
test program cc-metric-collector-feed instead, which puts the lines into the router of the very same agent.
"""
import copy
import http.server
import json
import math
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

import harness

FOLDER = harness.ROOT / "tests" / "recorded" / "collector"
FEED = harness.BIN.parent / "src" / "collector" / "cc-metric-collector-feed"
HOST = socket.gethostname().split(".")[0]


def merge_patch(target, patch):
    """JSON Merge Patch, RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def duration(text):
    total = 0.0
    for number, unit in re.findall(r"([\d.]+)(ns|us|ms|s|m|h)", text if isinstance(text, str) else ""):
        total += float(number) * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}[unit]
    return total


# ---- line protocol ---------------------------------------------------------------------------------------------------

def split_outside(text, sep, quotes=False):
    parts, part, quoted, i = [], "", False, 0
    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text):
            part += text[i:i + 2]
            i += 2
            continue
        if quotes and c == '"':
            quoted = not quoted
        if c == sep and not quoted:
            parts.append(part)
            part = ""
        else:
            part += c
        i += 1
    return parts + [part]


def unescape(text):
    return re.sub(r"\\([,= \\])", r"\1", text)


def parse_value(text):
    if text.startswith('"'):
        return ["string", text[1:-1].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")]
    if text in ("true", "false"):
        return ["bool", text]
    if text.endswith("i") and not text.startswith(("i", "+i", "-i")):
        return ["int", text[:-1]]
    if text.endswith("u"):
        return ["uint", text[:-1]]
    float(text)
    return ["float", text]


def parse_line(line):
    try:
        head, fields, *rest = split_outside(line, " ", quotes=True)
        name, *tags = split_outside(head, ",")
        message = {"name": unescape(name), "tags": {}, "fields": {}}
        for tag in tags:
            key, value = split_outside(tag, "=")
            message["tags"][unescape(key)] = unescape(value)
        for field in split_outside(fields, ",", quotes=True):
            key, value = split_outside(field, "=", quotes=True)
            message["fields"][unescape(key)] = parse_value(value)
        message["raw_time"] = int(rest[0]) if rest else None
        return message
    except (ValueError, IndexError):
        return {"name": f"(unreadable) {line}", "tags": {}, "fields": {}, "raw_time": None}


# ---- servers ---------------------------------------------------------------------------------------------------------

class HttpServer:
    """A stand-in that answers as the scenario says and keeps what it was sent."""

    def __init__(self, spec):
        self.spec, self.requests, self.answered, self.lock = spec, [], 0, threading.Lock()
        self.server, self.connections = None, []

    def up(self, answers=None):
        if answers is not None:
            self.spec = dict(self.spec, answers=answers)
            self.answered = 0
        if self.server:
            return
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                owner.connections.append(self.connection)

            def handle_one(self):
                owner.handle(self)

            do_POST = do_PUT = do_GET = do_HEAD = handle_one

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *args):
                pass

        self.server = Server(("127.0.0.1", int(self.spec["port"])), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def down(self):
        if not self.server:
            return
        self.server.shutdown()
        self.server.server_close()
        self.server = None
        for c in self.connections:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.connections.clear()

    def handle(self, h):
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        with self.lock:
            answer = self.spec.get("paths", {}).get(h.path.split("?")[0])
            if answer is None:
                answers = self.spec.get("answers") or [{}]
                answer = answers[min(self.answered, len(answers) - 1)]
                self.answered += 1
            self.requests.append({"method": h.command, "target": h.path, "headers": dict(h.headers.items()),
                                  "body": body.decode("utf-8", "replace"), "time": time.monotonic(),
                                  "status": answer.get("status", 200)})
        time.sleep(answer.get("delay", 0))
        if answer.get("close"):
            h.close_connection = True
            h.connection.shutdown(socket.SHUT_RDWR)
            return
        text = answer.get("body", "").encode()
        h.send_response(answer.get("status", 200))
        for key, value in (answer.get("headers") or {}).items():
            h.send_header(key, value)
        h.send_header("Content-Length", str(len(text)))
        h.end_headers()
        h.wfile.write(text)


# ---- one run ---------------------------------------------------------------------------------------------------------

def is_number(message):
    return list(message["fields"]) == ["value"] and message["fields"]["value"][0] in ("float", "int", "uint")


class Run:
    """numbers_only: events, logs and messages of several fields are taken out of input and expectation. ignore: names of
    messages not to be compared."""

    def __init__(self, name, case, tmp_path, numbers_only=False, ignore=None):
        self.numbers_only = numbers_only
        self.folder = FOLDER / name
        scenario = json.loads((self.folder / "scenario.json").read_text())
        self.case = next((c for c in scenario.get("cases", []) if c["id"] == case), {})
        raw = merge_patch(scenario, copy.deepcopy(self.case.get("patch", {})))
        expected = json.loads((self.folder / "expected.json").read_text())["cases"][case]
        self.deviation = self.case.get("deviation", scenario.get("deviation"))
        self.expected = dict(expected)
        if self.deviation:
            for key, value in (self.deviation.get("sound") or {}).items():
                if value is None:
                    self.expected.pop(key, None)
                else:
                    self.expected[key] = value
        self.tmp = pathlib.Path(tmp_path)
        self.work, self.bin, self.root = self.tmp / "work", self.tmp / "bin", self.tmp / "root"
        for folder in (self.work, self.bin, self.root):
            folder.mkdir()
        self.places = {"@HOST@": HOST, "@DIR@": str(self.work), "@BIN@": str(self.bin)}
        for number in set(re.findall(r"@PORT(\d)@", json.dumps(raw))):
            self.places[f"@PORT{number}@"] = str(harness.free_port())
        self.sc = self.fill(raw)
        config = self.sc.get("config")
        if config is None:
            try:
                config = json.loads(self.sc["files"]["config.json"])
            except (KeyError, ValueError):
                config = {}
        main = config.get("main") if isinstance(config, dict) else None
        self.interval = duration((main or {}).get("interval")) or 10.0
        self.servers, self.fed = {}, False
        if ignore:
            self.sc["ignore"] = ignore
            self.expected["stdout"] = [m for m in self.expected["stdout"] if not re.search(ignore, m["name"])]
        if numbers_only:
            self.keep_numbers()

    def keep_numbers(self):
        def numbers(messages):
            return [m for m in messages if is_number(parse_line(m) if isinstance(m, str) else m)]

        if self.expected.get("stdout"):
            self.expected["stdout"] = numbers(self.expected["stdout"])
        for server in (self.expected.get("servers") or {}).values():
            if "all" in server:
                server["all"] = numbers(server["all"])

    def fill(self, value):
        if isinstance(value, str):
            for key, text in self.places.items():
                value = value.replace(key, text)
            return value
        if isinstance(value, list):
            return [self.fill(v) for v in value]
        if isinstance(value, dict):
            return {self.fill(k): self.fill(v) for k, v in value.items()}
        return value

    def posts(self):
        return [a for a in self.sc.get("timeline", []) if "post" in a]

    def prepare(self):
        self.has_root = bool(self.sc.get("base_tree")) or (self.folder / "root").is_dir() or "statfs" in self.sc
        if self.sc.get("base_tree"):
            shutil.copytree(FOLDER / "trees" / self.sc["base_tree"], self.root, symlinks=True, dirs_exist_ok=True)
        if (self.folder / "root").is_dir() and not self.sc.get("no_overlay"):
            shutil.copytree(self.folder / "root", self.root, symlinks=True, dirs_exist_ok=True)
        for name in self.sc.get("absent", []):
            (self.root / name).unlink(missing_ok=True)
        if "statfs" in self.sc:
            (self.root / "statfs.json").write_text(json.dumps(self.sc["statfs"]))
        config = copy.deepcopy(self.sc.get("config"))
        if config is not None:
            self.fed = bool(self.posts())
            if config.get("receivers"):
                config["receivers"] = {}
            (self.work / "config.json").write_text(json.dumps(config))
        for name, text in self.sc.get("files", {}).items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name, spec in self.sc.get("servers", {}).items():
            self.servers[name] = HttpServer(spec)
            if spec.get("start") != "down":
                self.servers[name].up()

    def start(self):
        program = str(FEED) if self.fed else harness.program("cc-metric-collector")
        args = ["-root", str(self.root)] if self.has_root else []
        args += self.sc["args_only"] if "args_only" in self.sc else ["-config", "config.json"] + self.sc.get("args", [])
        self.out, self.err = open(self.tmp / "out", "wb"), open(self.tmp / "err", "wb")
        self.started, self.started_wall = time.monotonic(), time.time()
        self.proc = subprocess.Popen([program, *args], cwd=self.work / self.sc.get("cwd", ""), stdout=self.out,
                                     stderr=self.err, stdin=subprocess.PIPE, start_new_session=True)

    def sleep_until(self, seconds):
        while self.proc.poll() is None and time.monotonic() < self.started + seconds:
            time.sleep(min(0.02, max(0.0, self.started + seconds - time.monotonic())))

    def apply(self, action):
        if "dir" in action or "step" in action:
            source = self.folder / action.get("dir", action.get("step")) / "root"
            for path in source.rglob("*"):
                target = self.root / path.relative_to(source)
                if path.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(path.read_bytes())
        for name in action.get("remove", []):
            path = self.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def feed(self, post):
        body = post["body"]
        if self.numbers_only:
            body = "".join(line + "\n" for line in body.split("\n") if line and is_number(parse_line(line)))
        data = body.encode()
        try:
            self.proc.stdin.write(b"%d\n" % len(data) + data)
            self.proc.stdin.flush()
        except BrokenPipeError:
            pass

    def act(self, action):
        if "at" in action:
            self.sleep_until(action["at"])
        if "wait" in action:
            self.sleep_until(time.monotonic() - self.started + action["wait"])
        if "post" in action:
            self.feed(action["post"])
        if "until_requests" in action:
            server = self.servers[action["until_requests"]["server"]]
            end = time.monotonic() + 8
            while len(server.requests) < action["until_requests"]["count"] and time.monotonic() < end and \
                    self.proc.poll() is None:
                time.sleep(0.01)
        if "server" in action:
            server = self.servers[action["server"]["name"]]
            if action["server"].get("state") == "down":
                server.down()
            else:
                server.up(action["server"].get("answers"))
        if "signal" in action:
            self.proc.send_signal(getattr(signal, "SIG" + action["signal"]))
        self.apply(action)

    def size(self):
        total = (self.tmp / "out").stat().st_size + sum(len(s.requests) for s in self.servers.values())
        for name in self.sc.get("watch", {}).get("files", {}):
            path = self.work / name
            total += path.stat().st_size if path.exists() else 0
        return total

    def wait_for_end(self):
        end = self.sc.get("end", {})
        if "ticks" in end:
            self.sleep_until((end["ticks"] + 0.5) * self.interval)
        elif "at" in end:
            self.sleep_until(end["at"])
        elif "exit" in end:
            self.sleep_until(end["exit"])
        else:
            last, since, limit = self.size(), time.monotonic(), time.monotonic() + end.get("limit", 6)
            while self.proc.poll() is None and time.monotonic() < min(limit, since + end.get("settle", 0.4)):
                time.sleep(0.02)
                if self.size() != last:
                    last, since = self.size(), time.monotonic()

    def stop(self):
        end = self.sc.get("end", {})
        exit_ = {}
        if self.proc.poll() is None and end.get("signal", "TERM") != "none" and "exit" not in end:
            at = time.monotonic()
            self.proc.send_signal(getattr(signal, "SIG" + end.get("signal", "TERM")))
            try:
                self.proc.wait(end.get("patience", 5) * harness.SLOW)
            except subprocess.TimeoutExpired:
                exit_["running"] = True
            if end.get("seconds"):
                exit_["seconds"] = time.monotonic() - at
        if self.proc.poll() is None:
            exit_["running"] = True
            os.killpg(self.proc.pid, signal.SIGKILL)
            self.proc.wait()
        elif self.proc.returncode < 0:
            exit_["signal"] = signal.Signals(-self.proc.returncode).name[3:]
        else:
            exit_["code"] = self.proc.returncode
        exit_["after"] = time.monotonic() - self.started
        self.ended_wall = time.time()
        return exit_

    def run(self):
        self.prepare()
        self.start()
        try:
            if "timeline" in self.sc:
                for action in self.sc["timeline"]:
                    if self.proc.poll() is not None:
                        break
                    self.act(action)
            else:
                for k, step in enumerate(self.sc.get("steps", []), 1):
                    self.sleep_until((k - 0.5) * self.interval)
                    self.apply(step)
            self.wait_for_end()
            return self.outcome(self.stop())
        finally:
            if self.proc.poll() is None:
                os.killpg(self.proc.pid, signal.SIGKILL)
                self.proc.wait()
            for stream in (self.proc.stdin, self.out, self.err):
                try:
                    stream.close()
                except OSError:
                    pass
            for server in self.servers.values():
                server.down()

    # ---- outcome -----------------------------------------------------------------------------------------------------

    def look(self, text, how, precision="ns"):
        lines = [line for line in text.split("\n") if line]
        if how == "none":
            return None
        if how == "lines":
            return [self.anonymous(line) for line in lines]
        messages = [m for m in map(parse_line, lines)]
        ignore = self.sc.get("ignore")
        if ignore:
            messages = [m for m in messages if not re.search(ignore, m["name"])]
        self.normalise_rates(messages, precision)
        for m in messages:
            m["time"] = self.time_of(m.pop("raw_time"), precision)
            m["tags"] = {k: self.anonymous(v) for k, v in m["tags"].items()}
        if self.sc.get("distinct"):
            messages = list({json.dumps(m, sort_keys=True): m for m in messages}.values())
        return messages

    def anonymous(self, text):
        for key, value in sorted(self.places.items(), key=lambda p: -len(p[1])):
            if key == "@HOST@":
                text = re.sub(r"\b" + re.escape(value) + r"\b", key, text)
            else:
                text = text.replace(value, key)
        return text

    def tick_of(self, raw, unit):
        seconds = raw / unit - self.started_wall
        tick = round(seconds / self.interval)
        return tick if tick >= 1 and abs(seconds - tick * self.interval) < 0.45 * self.interval else None

    def time_of(self, raw, precision):
        if raw is None:
            return "none"
        unit = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[precision]
        if not self.started_wall - 1.5 <= raw / unit <= self.ended_wall + 1.5:
            return f"={raw}"
        tick = self.tick_of(raw, unit)
        return f"tick {tick}" if tick and self.sc.get("times") != "ignore" else "run"

    def normalise_rates(self, messages, precision):
        rates = self.sc.get("rates")
        if not rates:
            return
        unit = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[precision]
        by_tick = {}
        for m in messages:
            by_tick.setdefault(self.tick_of(m["raw_time"], unit), []).append(m["raw_time"] / unit)
        for m in messages:
            if not re.search(rates["name"], m["name"]):
                continue
            tick = self.tick_of(m["raw_time"], unit)
            if tick == 1:
                before = self.started_wall
            elif tick is not None and by_tick.get(tick - 1):
                before = statistics.median_high(by_tick[tick - 1])
            else:
                before = m["raw_time"] / unit - self.interval
            kind, text = m["fields"]["value"]
            m["fields"]["value"] = [kind, repr(round(
                float(text) * (m["raw_time"] / unit - before) / self.interval, 3))]

    def outcome(self, exit_):
        watch = self.sc.get("watch", {})
        outcome = {"exit": exit_, "stdout": self.look((self.tmp / "out").read_text(), watch.get("stdout", "messages"))}
        outcome["files"] = {}
        for name, how in watch.get("files", {}).items():
            path = self.work / name
            outcome["files"][name] = self.look(path.read_text(), how) if path.exists() else None
        outcome["servers"] = {name: self.server_outcome(s, watch.get("servers", {}).get(name, {}))
                              for name, s in self.servers.items()}
        return outcome

    def server_outcome(self, server, watch):
        how, precision = watch.get("body", "messages"), watch.get("precision", "ns")
        requests = [r for r in server.requests if not (watch.get("skip") and re.search(watch["skip"], r["target"]))]
        if watch.get("join"):
            only = watch.get("only_status")
            wanted = [r for r in requests if only is None or r["status"] == only]
            return {"all": self.look("".join(r["body"] for r in wanted), how, precision)}
        result = []
        for r in requests:
            headers = {k.lower(): v for k, v in r["headers"].items()}
            entry = {"method": r["method"], "target": r["target"], "body": self.look(r["body"], how, precision),
                     "headers": {k: headers.get(k) for k in watch.get("headers", [])}}
            if watch.get("times"):
                entry["after"] = r["time"] - requests[0]["time"]
            result.append(entry)
        return {"requests": result}

    # ---- comparing ---------------------------------------------------------------------------------------------------

    def compare(self, got):
        """Differences between what happened and what was to happen, as texts."""
        faults = []
        want = self.expected
        if "exit" in want:
            faults += self.compare_exit(want["exit"], got["exit"])
        if want.get("stdout") is not None and got["stdout"] is not None:
            faults += self.compare_text("stdout", want["stdout"], got["stdout"])
        for name, value in (want.get("files") or {}).items():
            if value is None or got["files"][name] is None:
                faults += [] if value == got["files"][name] else [f"file {name}: {got['files'][name]}, not {value}"]
            else:
                faults += self.compare_text(name, value, got["files"][name])
        for name, value in (want.get("servers") or {}).items():
            faults += self.compare_server(name, value, got["servers"][name])
        return faults

    @staticmethod
    def compare_exit(want, got):
        faults = [f"exit: {got}, not {want}"] if any(
            got.get(k) != want[k] for k in ("code", "signal", "running") if k in want) else []
        if "crash" in want and "code" not in got:
            faults.append(f"exit: {got}")
        for key, base, part in (("after", 0.35, 0.25), ("seconds", 0.4, 0.3)):
            if key in want and abs(got.get(key, math.inf) - want[key]) > (base + part * want[key]) * harness.SLOW:
                faults.append(f"exit: {key} {got.get(key)}, not {want[key]}")
        return faults

    def compare_text(self, where, want, got):
        if want and isinstance(want[0], str) or got and isinstance(got[0], str):
            if self.sc.get("ordered") is False:
                want, got = sorted(want), sorted(got)
            return [] if want == got else [f"{where}: lines {got}, not {want}"]
        if self.sc.get("ordered"):
            pairs = list(zip(want, got))
            faults = [f"{where}: {g}, not {w}" for w, g in pairs if not self.same_message(w, g)]
            return faults + ([f"{where}: {len(got)} messages, not {len(want)}"] if len(want) != len(got) else [])
        left, faults = list(got), []
        for message in want:
            match = next((g for g in left if self.same_message(message, g)), None)
            if match is None:
                faults.append(f"{where}: missing {message}")
            else:
                left.remove(match)
        return faults + [f"{where}: unexpected {m}" for m in left]

    def same_message(self, want, got):
        if want["name"] != got["name"] or want["tags"] != got["tags"] or want["fields"].keys() != got["fields"].keys():
            return False
        times = {want.get("time", "").replace(" shared", ""), got["time"]}
        if len(times) > 1 and not (times <= {"run"} | {t for t in times if t.startswith("tick")} and "run" in times):
            return False
        return all(self.same_value(want["name"], want.get("time", ""), w, got["fields"][k])
                   for k, w in want["fields"].items())

    def same_value(self, name, when, want, got):
        if want[0] != got[0]:
            return False
        any_value = self.sc.get("any_value")
        if any_value and re.search(any_value, name):
            return True
        if want[0] in ("string", "bool") or want[1] == got[1]:
            return want[1] == got[1]
        a, b = float(want[1]), float(got[1])
        rates = self.sc.get("rates")
        if rates and re.search(rates["name"], name):
            rel = rates.get("rel_first", 0.15) if when.startswith("tick 1") else rates.get("rel", 0.03)
            return abs(a - b) <= (rel * max(abs(a), abs(b)) + rates.get("abs", 0)) * harness.SLOW
        for t in self.sc.get("tolerance", []):
            if re.search(t["name"], name) and abs(a - b) <= max(t.get("rel", 0) * max(abs(a), abs(b)), t.get("abs", 0)):
                return True
        return a == b if want[0] == "float" else int(want[1]) == int(got[1])

    def compare_server(self, name, want, got):
        if "all" in want:
            return self.compare_text(name, want["all"], got["all"])
        requests = got["requests"]
        if len(requests) != len(want["requests"]):
            return [f"{name}: {len(requests)} requests, not {len(want['requests'])}: {requests}"]
        faults = []
        for w, g in zip(want["requests"], requests):
            for key in ("method", "target"):
                if w[key] != self.anonymous(g[key]):
                    faults.append(f"{name}: {key} {g[key]}, not {w[key]}")
            skipped = {"user-agent", "accept-encoding", "connection", "content-length", "transfer-encoding"}
            for key, value in w.get("headers", {}).items():
                if key not in skipped and g["headers"].get(key) != value:
                    faults.append(f"{name}: header {key} {g['headers'].get(key)}, not {value}")
            if w.get("body") is not None:
                faults += self.compare_text(name, w["body"], g["body"])
            if "after" in w and abs(w["after"] - g["after"]) > 0.25 * harness.SLOW + 0.15 * w["after"]:
                faults.append(f"{name}: request after {g['after']}, not {w['after']}")
        return faults
