# SPDX-License-Identifier: MIT
"""Runs the recorded scenarios of the metric store (tests/recorded/store) against our program and compares the outcomes
by the rules of the README there. One Scenario object is one run in one empty folder."""
import contextlib
import http.client
import http.server
import json
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import tempfile
import threading
import time
import zlib

import pytest

import ed25519
import harness
import parquet_reader
import nats_client
import store_files
from store_files import TIME, Mismatch, expect, quote_times

FOLDER = harness.ROOT / "tests" / "recorded" / "store"
COMPARED_HEADERS = ("content-type", "allow", "location", "x-content-type-options")
PLACEHOLDER = re.compile(r"\$\{(\w+)(?::(\w+))?([+-]\d+)?(\*\d+)?\}")
READER = "binaryCheckpointReader"
DATA_SUFFIXES = (".bin", ".json", ".wal", ".parquet", ".tmp")


class Number(str):
    """A number of a JSON text, compared by its text."""


def parse_json(text):
    """JSON with numbers as texts; only the first value is looked at, constants such as NaN are refused."""
    def refuse(name):
        raise ValueError(f"{name} is not JSON")
    decoder = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=refuse,
                               object_pairs_hook=lambda pairs: Object(pairs))
    return decoder.decode(text.strip())


class Object(list):
    """A JSON object as list of (key, value): the order counts."""


def as_json(text):
    try:
        return parse_json(quote_times(text))
    except ValueError:
        return None


def encode_bytes(items, resolve):
    """Section 4 of the README."""
    widths = {"u8": "<B", "u16": "<H", "u32": "<I", "i64": "<q", "f32": "<f"}

    def number(value, kind):
        value = resolve(value) if isinstance(value, str) else value
        if kind == "f32":
            return b"\x00\x00\xc0\x7f" if str(value) == "NaN" else struct.pack("<f", float(value))
        return struct.pack(widths[kind], int(value))

    def text(value, kind):
        data = resolve(value).encode()
        return number(len(data), kind) + data

    def log_record(stamp, metric, selector, value):
        body = number(stamp, "i64") + text(metric, "u16") + number(len(selector), "u8")
        body += b"".join(text(s, "u8") for s in selector) + number(value, "f32")
        return number(store_files.RECORD_MAGIC, "u32") + number(len(body), "u32") + body + number(zlib.crc32(body), "u32")

    def level(tree):
        out = number(len(tree.get("metrics", {})), "u32")
        for name, (frequency, start, values) in tree.get("metrics", {}).items():
            out += text(name, "u16") + number(frequency, "i64") + number(start, "i64") + number(len(values), "u32")
            out += b"".join(number(v, "f32") for v in values)
        out += number(len(tree.get("children", {})), "u32")
        return out + b"".join(text(n, "u16") + level(c) for n, c in tree.get("children", {}).items())

    out = b""
    for item in items:
        (kind, value), = item.items()
        if kind == "hex":
            out += bytes.fromhex(value)
        elif kind == "str":
            out += resolve(value).encode()
        elif kind in widths:
            out += number(value, kind)
        elif kind in ("str8", "str16"):
            out += text(value, "u" + kind[3:])
        elif kind == "crc":
            inner = encode_bytes(value, resolve)
            out += inner + number(zlib.crc32(inner), "u32")
        elif kind == "wal":
            out += log_record(*value)
        elif kind == "snapshot":
            out += number(store_files.SNAPSHOT_MAGIC, "u32") + number(value[0], "i64") + number(value[1], "i64")
            out += level(value[2])
        elif kind == "cut":
            out += encode_bytes(value[0], resolve)[:value[1]]
        else:
            raise NotImplementedError(f"bytes item '{kind}'")
    return out


class FixedBackend:
    """A web server with fixed answers, which keeps the requests."""

    def __init__(self, port, routes):
        self.requests = requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                requests.append({"request": f"GET {self.path}", "authorization": self.headers.get("Authorization")})
                route = routes.get(self.path.split("?")[0], {"status": 404, "body": ""})
                body = route["body"].encode()
                self.send_response(route["status"])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Scenario:
    def __init__(self, name, cwd, skip_steps=()):
        self.folder = FOLDER / name
        self.data = json.loads((self.folder / "scenario.json").read_text(encoding="utf-8"))
        self.cwd = pathlib.Path(cwd)
        self.skip_steps = skip_steps
        now, align = int(time.time()), self.data.get("align", 60)
        ports = harness.free_ports(3)
        self.values = {"PORT": ports[0], "NATS": ports[1], "BACKEND": ports[2], "DIR": str(self.cwd),
                       "CMD": str(harness.BIN / "cc-metric-store"), "READER": str(harness.BIN / READER),
                       "T": now // align * align}
        self.spans = {}  # id of a step: first and last second
        self.store = None
        self.cleanup = contextlib.ExitStack()

    @property
    def port(self):
        return self.values["PORT"]

    # ---- placeholders

    def resolve(self, text):
        def value(found):
            name, argument, plus, times = found.groups()
            if name == "time":
                return found.group()
            if name == "jwt":
                return self.token(argument)
            base = int(time.time()) if name == "NOW" else self.values[name]
            if not plus and not times:
                return str(base)
            return str((base + int(plus or 0)) * int((times or "*1")[1:]))
        return PLACEHOLDER.sub(value, text)

    def token(self, name):
        made = self.data["tokens"][name]
        return ed25519.token_from_texts(bytes.fromhex(made["seed"]), self.resolve(made["header"]),
                                        self.resolve(made["claims"]))

    def time_range(self, found):
        first, last = self.spans[found.group(1)]
        shift = int(found.group(2) or 0)
        return first - 1 + shift, last + 1 + shift

    def time_pattern(self, text):
        """A regular expression of the text with every ${time:..} as any of its seconds."""
        parts, at = [], 0
        for found in TIME.finditer(text):
            low, high = self.time_range(found)
            parts += [re.escape(text[at:found.start()]), "(?:" + "|".join(map(str, range(low, high + 1))) + ")"]
            at = found.end()
        return "".join(parts) + re.escape(text[at:])

    # ---- comparison

    def same_value(self, want, got, any_order=False):
        if isinstance(want, str) and not isinstance(want, Number):
            whole = TIME.fullmatch(want)
            if whole and isinstance(got, Number):
                low, high = self.time_range(whole)
                return low <= int(got) <= high
            return type(got) is str and re.fullmatch(self.time_pattern(want), got) is not None
        if type(want) is not type(got):
            return False
        if isinstance(want, Object):
            if any_order:
                want, got = sorted(want, key=lambda m: m[0]), sorted(got, key=lambda m: m[0])
            return len(want) == len(got) and all(
                a[0] == b[0] and self.same_value(a[1], b[1], any_order) for a, b in zip(want, got))
        if isinstance(want, list):
            return len(want) == len(got) and all(self.same_value(a, b, any_order) for a, b in zip(want, got))
        return want == got

    def compare_error(self, want, got, rules):
        if want == "":
            return expect(got == "", f"the body must be empty, got {got!r}")
        want, got = dict(parse_json(want)), dict(parse_json(got))
        expect(want["status"] == got.get("status"), f"status text {got.get('status')!r}, wanted {want['status']!r}")
        expect(bool(got.get("error")), "an error text is missing")
        expect(got["error"].startswith(rules.get("error_starts", "")), f"error text {got['error']!r}")
        line = re.match(r"at line \d+:", want["error"])
        if rules["compare"] == "error-line" and line:
            expect(got["error"].startswith(line.group()), f"error text {got['error']!r}, wanted {line.group()}")

    def compare_body(self, want, got, rules):
        rule = rules.get("compare", "json")
        if rule in ("error-line", "error-any"):
            return self.compare_error(want, got, rules)
        if rule == "debug":
            want = re.sub(r",(\s*})", r"\1", want)
        parsed = as_json(want) if want else None
        if parsed is None:
            return expect(re.fullmatch(self.time_pattern(want), got), f"body\n{got!r}\nwanted\n{want!r}")
        try:
            answer = parse_json(got)
        except ValueError as error:
            raise Mismatch(f"the body is not JSON ({error}): {got[:2000]!r}") from error
        if rule == "unordered":
            expect(self.pairs(parsed) == self.pairs(answer), f"body\n{got[:3000]}\nwanted in any order\n{want[:3000]}")
        else:
            expect(self.same_value(parsed, answer, rule == "debug"), f"body\n{got[:3000]}\nwanted\n{want[:3000]}")

    @staticmethod
    def pairs(answer):
        answer = dict(answer)
        return sorted(repr(p) for p in zip(answer.get("queries", []), answer["results"]))

    def compare_http(self, want, got, rules):
        expect(got["status"] == want["status"], f"status {got['status']}, wanted {want['status']}: {got.get('body')!r}")
        ignore = rules.get("compare") == "ignore"
        for name in COMPARED_HEADERS if "headers" in want else ():
            if ignore and name == "content-type":
                continue
            wanted, sent = want["headers"].get(name), got["headers"].get(name)
            if name == "allow" and wanted and sent:
                missing = {m.strip() for m in ",".join(wanted).split(",")} - {
                    m.strip() for m in ",".join(sent).split(",")}
                expect(not missing, f"header allow: {sent} lacks {missing}")
            elif wanted is not None or not ignore:
                expect(set(wanted or []) == set(sent or []), f"header {name}: {sent}, wanted {wanted}")
        body = want.get("body")
        if "body_file" in want:
            body = (self.folder / want["body_file"]).read_text(encoding="utf-8")
        if body is not None and not ignore and not want.get("no_body"):
            self.compare_body(self.resolve(body), got["body"].decode("utf-8"), rules)
        if "body_hex" in want and not ignore:
            expect(got["body"].hex() == want["body_hex"], f"body {got['body'].hex()}, wanted {want['body_hex']}")

    def compare_end(self, want, got, rules):
        for key in ("ready", "exit", "running"):
            if key in want or key in got:
                expect(want.get(key) == got.get(key), f"{key} is {got.get(key)!r}, wanted {want.get(key)!r}; "
                       f"{got.get('stdout', '')}{got.get('stderr', '')}")
        for stream in ("stdout", "stderr"):
            for text in rules.get(f"{stream}_has", []):
                text = self.resolve(text)
                expect(text in got.get(stream, ""), f"{text!r} is not in {stream}: {got.get(stream)!r}")

    def compare_log(self, want, got, rules):
        for text, count in want["counts"].items():
            if count == 0:
                expect(got["counts"][text] == 0, f"{text!r} stands {got['counts'][text]} times in the log")
            elif text in rules.get("present", []):
                expect(got["counts"][text] > 0, f"{text!r} is not in the log")

    def compare_ls(self, want, got, rules):
        expect(want["exists"] == got["exists"], f"exists is {got['exists']}")
        patterns = [self.time_pattern(self.resolve(f)) for f in want.get("files", [])]
        for pattern in patterns:
            expect(any(re.fullmatch(pattern, f) for f in got["files"]), f"no file {pattern} among {got['files']}")
        for name in got["files"]:
            if name.endswith(DATA_SUFFIXES):
                expect(any(re.fullmatch(p, name) for p in patterns), f"'{name}' should not be there")

    def compare_backend_requests(self, want, got, rules):
        expect(len(want["requests"]) == len(got["requests"]), f"requests {got['requests']}")
        for a, b in zip(want["requests"], got["requests"]):
            expect(re.fullmatch(self.time_pattern(self.resolve(a["request"])), b["request"]), f"{b}, wanted {a}")
            expect(a["authorization"] == b["authorization"], f"{b}, wanted {a}")

    def same_int(self, want, got):
        if isinstance(want, str) and TIME.fullmatch(want):
            low, high = self.time_range(TIME.fullmatch(want))
            return low <= got <= high
        return int(want) == got

    def same_text(self, want, got):
        return re.fullmatch(self.time_pattern(want), got) is not None

    def compare_file(self, want, got, rules):
        expect(want["found"] == got["found"], f"{got['found']} files, wanted {want['found']}")
        if want.get("name_is_from"):
            expect(got["name"] == str(got["from"]), f"'{got['name']}' begins at {got['from']}")
        if set(want) & {"content", "text"}:
            _, compare = store_files.KINDS[rules["as"]]
            compare(self.resolve_all(want), got, rules, self)

    def resolve_all(self, value):
        """Placeholders of all texts below, keys too."""
        if isinstance(value, dict):
            return {self.resolve(k): self.resolve_all(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.resolve_all(v) for v in value]
        return self.resolve(value) if isinstance(value, str) else value

    def compare_reader(self, want, got, rules):
        self.compare_end({"exit": want["exit"]}, got, rules)
        store_files.compare_text({"text": self.resolve(want["stdout"])}, {"text": got["stdout"]}, rules, self)

    COMPARE = {"http": compare_http, "slow_stop": compare_http, "start": compare_end, "stop": compare_end,
               "run": compare_end, "log": compare_log, "ls": compare_ls, "file": compare_file,
               "reader": compare_reader, "backend_requests": compare_backend_requests}

    def compare(self, step, got):
        compare = self.COMPARE[step["do"]]
        sound = step.get("sound")
        rules = dict(step)
        if not sound:
            compare(self, step["expect"], got, rules)
            if step["do"] == "slow_stop":
                self.compare_end(step["expect"], {"exit": got["exit"]}, rules)
            return
        rules.update(compare="json", stdout_has=[], stderr_has=[])
        rules.update(sound.get("with", {}))
        if "unchecked" in sound:
            return
        failures = []
        for want in sound.get("any_of") or [sound["expect"]]:
            if want.get("unchecked"):
                return
            try:
                compare(self, want, got if "exit" in want or step["do"] != "slow_stop" else
                        {k: v for k, v in got.items() if k != "exit"}, rules)
                return
            except Mismatch as mismatch:
                failures.append(str(mismatch))
        raise Mismatch(f"sound ({sound.get('mark')}): " + "; or ".join(failures))

    # ---- steps

    def run(self):
        """Runs all steps; gives the numbers of those that were left out."""
        left_out = []
        try:
            for number, step in enumerate(self.data["steps"]):
                if number in self.skip_steps:
                    left_out.append(number)
                    continue
                self.run_step(number, step)
        finally:
            if self.store:
                self.store.kill()
            self.cleanup.close()
        return left_out

    def run_step(self, number, step):
        begin = int(time.time())
        got = getattr(self, "do_" + step["do"])(step)
        if "id" in step:
            self.spans[step["id"]] = (begin, int(time.time()))
        if "expect" not in step:
            return
        try:
            self.compare(step, got)
        except Mismatch as mismatch:
            errors = self.store.stderr[-1500:] if self.store else ""
            raise AssertionError(f"step {number} ({step['do']} {step.get('note', '')} {step.get('path', '')} "
                                 f"{str(step.get('body', step.get('args', '')))[:600]}): {mismatch}\n{errors}") from None

    @staticmethod
    def without_key(text):
        """Upstream serves everybody when there is no key; our program wants that said by name. The text stays what it is
        otherwise, mistakes included."""
        if '"jwt-public-key"' in text:
            return text
        return re.sub(r'"main"\s*:\s*\{(\s*\})?',
                      lambda found: '"main": {"authentication": "off"' + ("}" if found.group(1) else ", "), text, count=1)

    def write_config(self, step):
        text = step["config_text"] if "config_text" in step else json.dumps(step.get("config") or self.data["config"])
        (self.cwd / "config.json").write_text(self.resolve(self.without_key(text)), encoding="utf-8")

    def launch(self, step):
        self.write_config(step)
        args = [self.resolve(a) for a in step.get("args", ["-config", "config.json"])]
        return harness.Program("cc-metric-store", args, cwd=self.cwd, port=self.port)

    @staticmethod
    def ended(program):
        code = program.proc.poll()
        return {"exit": f"signal {-code}" if code < 0 else code, "stdout": program.stdout, "stderr": program.stderr}

    def do_start(self, step):
        self.store = self.launch(step)
        harness.wait_until(lambda: self.store.proc.poll() is not None or harness.port_open(self.port), 15,
                           "the store to listen or to end", step=0.01)
        if hasattr(self, "nats"):  # connections wait until all is there, subscriptions too: an answer tells
            harness.http_request(self.port, "GET", "/metrics")
        return {"ready": True} if self.store.proc.poll() is None else self.ended(self.store)

    def do_run(self, step):
        program, server = self.launch(step), step.get("server", True)
        deadline = time.monotonic() + step.get("timeout", 15) * harness.SLOW
        while program.proc.poll() is None and time.monotonic() < deadline:
            if server and harness.port_open(self.port):
                break
            time.sleep(0.01)
        if program.proc.poll() is not None:
            return self.ended(program)
        program.kill()
        return {"exit": None, "running": True}

    def do_stop(self, step):
        self.store.signal(getattr(signal, "SIG" + step["signal"]))
        for name in step.get("then", []):
            time.sleep(0.05)
            with contextlib.suppress(ProcessLookupError):
                self.store.signal(getattr(signal, "SIG" + name))
        self.store.wait()
        return self.ended(self.store)

    def do_reset(self, step):
        if self.store:
            self.store.kill()

    def connect(self, step):
        sock = socket.create_connection(("127.0.0.1", self.port), 30 * harness.SLOW)
        if step.get("tls"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(sock)
        return sock

    def body_of(self, step):
        if "body_file" in step:
            return self.resolve((self.folder / step["body_file"]).read_text(encoding="utf-8")).encode()
        if "body_hex" in step:
            return bytes.fromhex(step["body_hex"])
        return self.resolve(step["body"]).encode() if "body" in step else None

    def head_of(self, step, body):
        version = step.get("http", "1.1")
        lines = [f"{step['method']} {self.resolve(step['path'])} HTTP/{version}", f"Host: 127.0.0.1:{self.port}",
                 "Connection: close"]
        lines += [f"{k}: {self.resolve(v)}" for k, v in step.get("headers", [])]
        if "chunked" in step:
            lines.append("Transfer-Encoding: chunked")
        elif body is not None or step["method"] in ("POST", "PUT"):
            lines.append(f"Content-Length: {len(body or b'')}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    @staticmethod
    def chunks(body, size):
        pieces = [body[i:i + size] for i in range(0, len(body), size)]
        return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"

    @staticmethod
    def answer(sock, method):
        response = http.client.HTTPResponse(sock, method=method)
        try:
            response.begin()
            body = response.read()
        except (http.client.HTTPException, ConnectionError):
            return {"status": None, "closed": True, "headers": {}, "body": b""}
        finally:
            response.close()
        headers = {}
        for key, value in response.getheaders():
            headers.setdefault(key.lower(), []).append(value)
        return {"status": response.status, "headers": headers, "body": body}

    def do_http(self, step):
        body = self.body_of(step)
        with contextlib.closing(self.connect(step)) as sock:
            with contextlib.suppress(ConnectionError):
                sock.sendall(self.head_of(step, body))
                time.sleep(step.get("pause", 0))
                if body:
                    sock.sendall(self.chunks(body, step["chunked"]) if "chunked" in step else body)
            return self.answer(sock, step["method"])

    def do_slow_stop(self, step):
        body = self.body_of(step)
        with contextlib.closing(self.connect(step)) as sock:
            sock.sendall(self.head_of(dict(step, method="POST"), body) + body[:len(body) // 2])
            time.sleep(0.3)
            self.store.signal(signal.SIGTERM)
            time.sleep(step["delay"])
            sock.sendall(body[len(body) // 2:])
            answer = self.answer(sock, "POST")
        self.store.wait()
        return dict(answer, exit=self.ended(self.store)["exit"])

    def do_wait(self, step):
        if "until" in step:
            target = int(self.resolve(step["until"])) + step.get("fraction", 0)
        elif "phase" in step:
            now = time.time()
            target = int(now) + step["phase"] + (1 if now % 1 > step["phase"] else 0)
        else:
            target = time.time() + step["seconds"]
        time.sleep(max(0.0, target - time.time()))

    def do_clock(self, step):
        self.values[step["name"]] = int(time.time()) + 1

    def do_place(self, step):
        for file in step["files"]:
            path = self.cwd / self.resolve(file["path"])
            if file.get("dir"):
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if "text" in file:
                path.write_text(self.resolve(file["text"]), encoding="utf-8")
            elif "copy" in file:
                shutil.copyfile(self.folder / file["copy"], path)
            else:
                path.write_bytes(bytes.fromhex(file["hex"]) if "hex" in file else
                                 encode_bytes(file["bytes"], self.resolve))

    def do_remove(self, step):
        path = self.cwd / self.resolve(step["path"])
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def as_upstream_left_it(self):
        """The folder with our log turned into the current.wal files that upstream's store would have: what the export tool makes of
        a copy. Scenarios that look at a live current.wal apply to it."""
        logs = list(self.cwd.rglob(".cc-log"))
        if not logs:
            return self.cwd
        copy = pathlib.Path(self.cleanup.enter_context(tempfile.TemporaryDirectory())) / "copy"
        shutil.copytree(self.cwd, copy)
        for log in logs:
            done = harness.run_program("cc-store-log", ["export", str(copy / log.parent.relative_to(self.cwd))])
            expect(done.returncode == 0, f"cc-store-log: {done.stdout}{done.stderr}")
        return copy

    def do_ls(self, step):
        top = self.as_upstream_left_it() / self.resolve(step["path"])
        if not top.exists():
            return {"exists": False, "files": []}
        files = [str(p.relative_to(top)) + ("/" if p.is_dir() else "") for p in top.rglob("*")
                 if p.is_file() or not any(p.iterdir())]
        return {"exists": True, "files": sorted(files)}

    def do_file(self, step):
        found = sorted(self.as_upstream_left_it().glob(self.resolve(step["path"])))
        if len(found) != 1:
            return {"found": len(found)}
        if step["as"] not in store_files.KINDS:
            raise NotImplementedError(f"files as '{step['as']}'")
        decode, _ = store_files.KINDS[step["as"]]
        if step["as"] == "parquet":  # read by a reader that is not ours, which may not be there
            reason = parquet_reader.unavailable()
            if reason:
                pytest.skip(reason)
            return {"content": parquet_reader.content(found[0]), "found": 1, "name": found[0].stem}
        return dict(decode(found[0].read_bytes()), found=1, name=found[0].stem)

    def do_reader(self, step):
        done = harness.run_program(READER, [self.resolve(a) for a in step["args"]], cwd=self.cwd)
        return {"exit": done.returncode, "stdout": done.stdout, "stderr": done.stderr}

    def do_log(self, step):
        text = self.store.stdout + self.store.stderr
        counts = {t: text.count(t) for t in step.get("texts", [])}
        counts.update({p: len(re.findall(p, text, re.MULTILINE)) for p in step.get("patterns", [])})
        return {"counts": counts}

    def do_occupy(self, step):
        self.blocker = self.cleanup.enter_context(contextlib.closing(socket.socket()))
        self.blocker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.blocker.bind(("127.0.0.1", self.port))
        self.blocker.listen()

    def do_release(self, step):
        self.blocker.close()

    def do_backend(self, step):
        self.backend = self.cleanup.enter_context(contextlib.closing(
            FixedBackend(self.values["BACKEND"], step["routes"])))

    def do_backend_requests(self, step):
        return {"requests": self.backend.requests[:step["first"]]}

    def do_nats_start(self, step):
        if not hasattr(self, "nats"):
            args = [self.resolve(a) for a in step.get("args", [])]
            self.nats = nats_client.Server(self.cwd.parent, self.values["NATS"], args=args)
            self.cleanup.callback(self.nats.kill)
        self.nats.start()

    def do_nats_stop(self, step):
        self.nats.stop()

    def do_nats_pub(self, step):
        login = {"user": step.get("user"), "password": step.get("pass")}
        if "seed" in step:
            login = {"seed": bytes.fromhex(step["seed"]), "jwt": self.resolve(step["jwt"])}
        with nats_client.Client(self.values["NATS"], **login) as client:
            for message in step["messages"]:
                client.publish(self.resolve(message["subject"]), self.resolve(message["text"]))
            client.flush()
        time.sleep(step.get("settle", 0.3))
