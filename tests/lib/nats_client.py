# SPDX-License-Identifier: MIT
"""The real nats-server in a temporary folder, and a small client of its protocol, for tests: publish, subscribe, requests to JetStream."""
import base64
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import time
from signal import SIGKILL, SIGTERM

import ed25519
import harness

PROGRAM = shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
MISSING = "nats-server is not installed (Debian package nats-server)"


class Server:
    """nats-server on 127.0.0.1. config: more lines of its configuration file; jetstream: with a storage folder, which a restart
    finds again."""

    def __init__(self, cwd, port=None, config="", args=(), jetstream=False):
        assert PROGRAM, MISSING
        self.cwd, self.port, self.args = pathlib.Path(cwd), port or harness.free_port(), [str(a) for a in args]
        self.config, self.log = self.cwd / f"nats-{self.port}.conf", self.cwd / f"nats-{self.port}.log"
        if jetstream:
            config += f'\njetstream {{ store_dir: "{self.cwd}/jetstream-{self.port}" }}\n'
        self.config.write_text(f'host: "127.0.0.1"\nport: {self.port}\n{config}\n')
        self.proc = None

    def start(self):
        with open(self.log, "ab") as log:
            self.proc = subprocess.Popen([PROGRAM, "-c", str(self.config), *self.args], cwd=self.cwd, stdin=subprocess.DEVNULL,
                                         stdout=log, stderr=log, start_new_session=True)

        def ready():
            assert self.proc.poll() is None, self.log.read_text(errors="replace")
            return harness.port_open(self.port)
        harness.wait_until(ready, 15, "nats-server to listen")
        return self

    def stop(self, number=SIGTERM):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(number)
            try:
                self.proc.wait(15 * harness.SLOW)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()

    def kill(self):
        self.stop(SIGKILL)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.kill()


class Client:
    """One connection. user and password; or seed (32 bytes) with the public NKey or a user's token; tls: an ssl.SSLContext."""

    def __init__(self, port, user=None, password=None, seed=None, nkey=None, jwt=None, tls=None, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), 10 * harness.SLOW)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(10 * harness.SLOW)
        self.data, self.next_sid, self.messages = b"", 1, []
        info = json.loads(self.line()[len("INFO "):])
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=host)
        options = {"verbose": False, "pedantic": False, "lang": "python", "version": "0", "protocol": 1, "headers": True,
                   "no_responders": True}
        if user:
            options.update({"user": user, "pass": password})
        if seed:
            signature = ed25519.sign(seed, info["nonce"].encode())
            options.update({"sig": base64.urlsafe_b64encode(signature).rstrip(b"=").decode(), "jwt" if jwt else "nkey": jwt or nkey})
        self.send(f"CONNECT {json.dumps(options)}\r\n".encode())
        self.flush()

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        while b"\r\n" not in self.data:
            self.more()
        line, self.data = self.data.split(b"\r\n", 1)
        return line.decode()

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("nats-server closed the connection")
        self.data += data

    def take(self, count):
        while len(self.data) < count + 2:
            self.more()
        payload, self.data = self.data[:count], self.data[count + 2:]
        return payload

    def step(self):
        """Reads one thing that the server says; gives its word."""
        words = self.line().split()
        if words[0] == "PING":
            self.send(b"PONG\r\n")
        elif words[0] in ("MSG", "HMSG"):
            sizes = 2 if words[0] == "HMSG" else 1
            head = int(words[-2]) if sizes == 2 else 0
            payload = self.take(int(words[-1]))
            reply = words[3] if len(words) > 3 + sizes else None
            self.messages.append((words[1], reply, payload[head:], payload[:head]))
        elif words[0] == "-ERR":
            raise ConnectionError(" ".join(words))
        return words[0]

    def flush(self):
        """Until the server has taken everything."""
        self.send(b"PING\r\n")
        while self.step() != "PONG":
            pass

    def publish(self, subject, payload, reply=""):
        payload = payload.encode() if isinstance(payload, str) else payload
        self.send(f"PUB {subject} {reply + ' ' if reply else ''}{len(payload)}\r\n".encode() + payload + b"\r\n")

    def subscribe(self, subject):
        self.send(f"SUB {subject} {self.next_sid}\r\n".encode())
        self.next_sid += 1

    def request(self, subject, payload=""):
        inbox = f"_INBOX.{time.monotonic_ns()}"
        self.subscribe(inbox)
        self.publish(subject, payload, inbox)
        while not any(m[0] == inbox for m in self.messages):
            self.step()
        found = next(m for m in self.messages if m[0] == inbox)
        self.messages.remove(found)
        assert not found[3].startswith(b"NATS/1.0 503"), f"nobody answers {subject}"
        return found[2]

    def jetstream(self, call, body=None):
        answer = json.loads(self.request("$JS.API." + call, json.dumps(body) if body is not None else ""))
        assert "error" not in answer, f"{call}: {answer['error']}"
        return answer

    def add_stream(self, name, subjects):
        return self.jetstream(f"STREAM.CREATE.{name}", {"name": name, "subjects": subjects, "retention": "limits", "storage": "file",
                                                        "discard": "old", "num_replicas": 1, "max_consumers": -1, "max_msgs": -1,
                                                        "max_bytes": -1, "max_age": 0})

    def consumer(self, stream, durable):
        return self.jetstream(f"CONSUMER.INFO.{stream}.{durable}")

    def publish_to_stream(self, subject, payload):
        """Waits until the stream has it; gives the number there."""
        answer = json.loads(self.request(subject, payload))
        assert "error" not in answer, answer
        return answer["seq"]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def trusting(ca_file, cert=None, key=None):
    context = ssl.create_default_context(cafile=str(ca_file))
    if cert:
        context.load_cert_chain(str(cert), str(key))
    return context
