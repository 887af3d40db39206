# SPDX-License-Identifier: MIT
"""cc-metric-store with the real nats-server: plain subscriptions, logins, TLS, restarts, a slow consumer, JetStream with one and several
stores. docs/nats.md says what these tests show."""
import json
import re
import subprocess
import time
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

import harness
import nats_client
import nkeys
import test_backend
from harness import wait_until
from nats_client import Client, Server

pytestmark = pytest.mark.skipif(not nats_client.PROGRAM, reason=nats_client.MISSING)

T = 1700000000
STREAM = {"jetstream-stream": "METRICS"}


class Store(harness.Program):
    """cc-metric-store with these subscriptions, in a folder of its own."""

    def __init__(self, cwd, subscriptions, nats=None, name="store", workers=1, port=None):
        folder = cwd / name
        folder.mkdir(exist_ok=True)
        port = port or harness.free_port()
        (folder / "config.json").write_text(json.dumps({
            "main": {"addr": f"127.0.0.1:{port}", "authentication": "off"},
            "metrics": {"load": {"frequency": 1, "aggregation": "sum"}},
            "metric-store": {"retention-in-memory": "876000h", "memory-cap": 0, "num-workers": workers,
                             "checkpoints": {"directory": "./cp"}, "nats-subscriptions": subscriptions},
            "nats": nats or {}}))
        super().__init__("cc-metric-store", ["-config", "config.json", "-loglevel", "info"], cwd=folder, port=port)
        self.wait_ready()
        self.get("/metrics")  # connections wait until all is there, subscriptions too: an answer tells

    def values(self, host="h", cluster="c", start=T, count=1000):
        """Time -> value of what is there."""
        answer = self.get("/api/query", body={"cluster": cluster, "from": start, "to": start + count,
                                              "queries": [{"metric": "load", "host": host}], "with-padding": False}).json
        found = {}
        for series in answer["results"][0]:
            for i, value in enumerate(series.get("data") or []):
                if value is not None:
                    found[series["from"] + i * series["resolution"]] = value
        return found

    def metric(self, name):
        text = self.get("/metrics").text
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
        assert found, f"{name} is not in\n{text}"
        return float(found.group(1))

    def wait_connected(self):
        wait_until(lambda: self.metric("cc_nats_connected") == 1, 15, f"a connection\n{self.stderr}")
        return self

    def wait_values(self, want, **kw):
        try:
            wait_until(lambda: self.values(**kw) == want, 20, "the values")
        except AssertionError:
            got = self.values(**kw)
            raise AssertionError(f"{len(got)} values, wanted {len(want)}; missing {sorted(set(want) - set(got))[:10]}, "
                                 f"different {[k for k in got if want.get(k) != got[k]][:10]}\n{self.stderr[-3000:]}") from None


def line(i, host="h", cluster="c", value=None):
    return f"load,cluster={cluster},hostname={host} value={i if value is None else value} {T + i}"


def expected(numbers):
    return {T + i: float(i) for i in numbers}


def url(server, user="", scheme="nats"):
    return f"{scheme}://{user}127.0.0.1:{server.port}"


def plain(subject="m", **more):
    return [dict({"subscribe-to": subject}, **more)]


def durable(name="store-1", subject="metrics.>", **more):
    return [dict(STREAM, **{"subscribe-to": subject, "jetstream-durable": name}, **more)]


# ---- plain subscriptions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_messages_and_wildcards(tmp_path, workers):
    subscriptions = [{"subscribe-to": "hpc.*.metrics", "cluster-tag": "c"}, {"subscribe-to": "site.>", "cluster-tag": "d"}]
    with Server(tmp_path) as server, Store(tmp_path, subscriptions, {"address": url(server)}, workers=workers) as store, \
            Client(server.port) as client:
        for i in range(200):
            client.publish("hpc.a.metrics", f"load,hostname=h value={i} {T + i}\nload,hostname=g value=1 {T + i}\n")
            client.publish("site.x.y", f"load,hostname=h value={1000 + i} {T + i}")
            client.publish("hpc.a.b.metrics", f"load,hostname=h value=-1 {T + i}")
        client.flush()
        store.wait_values(expected(range(200)))
        store.wait_values({T + i: 1000.0 + i for i in range(200)}, cluster="d")
        assert store.values("g") == {T + i: 1.0 for i in range(200)}
        assert store.metric("cc_nats_messages_total") == 400
        assert store.stop() == 0


def test_ms_45_same_subject_twice_is_stored_once(tmp_path):
    with Server(tmp_path) as server, Store(tmp_path, plain(**{"cluster-tag": "c"}) + plain(**{"cluster-tag": "other"}),
                                           {"address": url(server)}, workers=4) as store, Client(server.port) as client:
        for i in range(50):
            client.publish("m", f"load,hostname=h value={i} {T + i}")
        client.flush()
        store.wait_values(expected(range(50)))
        assert store.values(cluster="other") == {}
        assert store.metric("cc_nats_messages_total") == 50
        assert "'m' is configured twice" in store.stderr


def test_bad_lines_are_logged_and_counted(tmp_path):
    with Server(tmp_path) as server, Store(tmp_path, plain(), {"address": url(server)}) as store, Client(server.port) as client:
        for i in range(100):
            client.publish("m", f"{line(i)}\nload,hostname=h value=broken 1\n")
        client.flush()
        store.wait_values(expected(range(100)))
        wait_until(lambda: store.metric("cc_nats_messages_with_errors_total") == 100, 5, "the counter")
        logged = store.stderr.count("NATS: subject=m at line 2")
        assert 1 <= logged <= 20, store.stderr  # rate-limited


def test_reply_subjects_of_publishers_are_ignored(tmp_path):
    with Server(tmp_path) as server, Store(tmp_path, plain(), {"address": url(server)}) as store, Client(server.port) as client:
        client.subscribe("_INBOX.me")
        client.publish("m", line(1), "_INBOX.me")
        client.flush()
        store.wait_values(expected([1]))
        assert store.stop() == 0
        client.flush()
        assert not client.messages


def test_ms_47_stop_keeps_what_was_received(tmp_path):
    """The store is stopped under load: what it says it received, it stored before the exit."""
    with Server(tmp_path) as server, Store(tmp_path, plain(), {"address": url(server)}, workers=4) as store, \
            Client(server.port) as client:
        body = "".join(f"load,cluster=c,hostname=h{k} value=1 {T + i}\n" for i in range(100) for k in range(20))
        for _ in range(300):
            client.publish("m", body)
        client.flush()  # the server has them, and has sent them on
        begin = time.monotonic()
        assert store.stop() == 0
        assert "Graceful shutdown completed!" in store.stdout
        assert time.monotonic() - begin < 15 * harness.SLOW
        assert re.search(r"NATS: stopped: messages=\d+ dropped=0 lost=0$", store.stderr, re.M)
        assert "connection is lost" not in store.stderr


# ---- connection -------------------------------------------------------------------------------------------------------


def test_ms_46_server_that_comes_later(tmp_path):
    server = Server(tmp_path)
    with Store(tmp_path, plain(), {"address": url(server)}) as store:
        wait_until(lambda: store.metric("cc_nats_failed_connects_total") >= 2, 10, "attempts")
        assert store.stderr.count("cannot connect") == 1
        assert store.metric("cc_nats_connected") == 0
        with server, Client(server.port) as client:
            store.wait_connected()
            wait_until(lambda: subscriptions(client, store, "m"), 5, "the subscription")
            store.wait_values(expected([0]))


def subscriptions(client, store, subject):
    """Publishes until something arrives: whether the subscription is there."""
    client.publish(subject, line(0))
    client.flush()
    return store.metric("cc_nats_messages_total") > 0


def test_ms_46_server_restart(tmp_path):
    """Also longer than upstream's patience would be with the same number of attempts."""
    with Server(tmp_path) as server, Store(tmp_path, plain(), {"address": url(server)}) as store:
        for turn in range(3):
            with Client(server.port) as client:
                client.publish("m", line(turn))
                client.flush()
            store.wait_values(expected(range(turn + 1)))
            server.stop() if turn % 2 else server.kill()
            wait_until(lambda: store.metric("cc_nats_connected") == 0, 10, "the loss to be seen")
            time.sleep(0.5)
            server.start()
            store.wait_connected()
        assert store.metric("cc_nats_disconnects_total") == 3
        assert store.metric("cc_nats_connects_total") == 4
        assert "the connection is lost" in store.stderr and "connected again" in store.stderr


def test_several_addresses(tmp_path):
    absent = harness.free_port()
    with Server(tmp_path) as server, Store(tmp_path, plain(), {
            "address": f"nats://127.0.0.1:{absent}, {url(server)}"}) as store, Client(server.port) as client:
        store.wait_connected()
        client.publish("m", line(7))
        client.flush()
        store.wait_values(expected([7]))


def test_stop_without_server_is_quick(tmp_path):
    with Store(tmp_path, plain(), {"address": f"nats://127.0.0.1:{harness.free_port()}"}) as store:
        begin = time.monotonic()
        assert store.stop() == 0
        assert time.monotonic() - begin < 5 * harness.SLOW


PASSWORD = 'authorization { user: "u", password: "secret" }'


@pytest.mark.parametrize("login", [lambda s: {"address": url(s), "username": "u", "password": "secret"},
                                   lambda s: {"address": url(s, "u:secret@")}], ids=["keys", "url"])
def test_user_and_password(tmp_path, login):
    with Server(tmp_path, config=PASSWORD) as server, Store(tmp_path, plain(), login(server)) as store, \
            Client(server.port, user="u", password="secret") as client:
        store.wait_connected()
        client.publish("m", line(1))
        client.flush()
        store.wait_values(expected([1]))
        assert "secret" not in store.stderr


def test_ms_46_refused_user_is_tried_for_ever(tmp_path):
    """The library itself gives up when it is refused twice."""
    server = Server(tmp_path, config=PASSWORD.replace("secret", "other"))
    with server, Store(tmp_path, plain(), {"address": url(server), "username": "u", "password": "secret"}) as store:
        wait_until(lambda: store.metric("cc_nats_failed_connects_total") >= 4, 20, "attempts")
        server.stop()
        server = Server(tmp_path, port=server.port, config=PASSWORD)
        with server, Client(server.port, user="u", password="secret") as client:
            store.wait_connected()
            wait_until(lambda: subscriptions(client, store, "m"), 5, "the subscription")
            server.stop()  # and now a connection that was there is refused
            with Server(tmp_path, port=server.port, config=PASSWORD.replace("secret", "other")) as refusing:
                wait_until(lambda: "Authorization Violation" in store.stderr, 20, "the refusal")
                failed = store.metric("cc_nats_failed_connects_total")
                wait_until(lambda: store.metric("cc_nats_failed_connects_total") > failed, 30, "more attempts")
                refusing.stop()
                with Server(tmp_path, port=server.port, config=PASSWORD):
                    store.wait_connected()


def test_password_without_user_is_not_used(tmp_path):
    with Server(tmp_path) as server, Store(tmp_path, plain(), {"address": url(server), "password": "x"}) as store:
        store.wait_connected()


def test_credentials_file(tmp_path):
    site, seed = nkeys.Site(), b"\3" * 32
    (tmp_path / "store.creds").write_text(site.credentials(seed, "store"))
    with Server(tmp_path, config=site.server_config()) as server, \
            Store(tmp_path, plain(), {"address": url(server), "creds-file-path": str(tmp_path / "store.creds")}) as store, \
            Client(server.port, seed=b"\4" * 32, jwt=site.user_token(b"\4" * 32, "node")) as client:
        store.wait_connected()
        client.publish("m", line(1))
        client.flush()
        store.wait_values(expected([1]))


def test_nkey_seed_file(tmp_path):
    seed = b"\5" * 32
    (tmp_path / "store.nk").write_text(nkeys.seed_text(seed) + "\n")
    config = f"authorization {{ users: [ {{ nkey: {nkeys.public_text(seed)} }} ] }}"
    with Server(tmp_path, config=config) as server, \
            Store(tmp_path, plain(), {"address": url(server), "nkey-seed-file": str(tmp_path / "store.nk")}) as store, \
            Client(server.port, seed=seed, nkey=nkeys.public_text(seed)) as client:
        store.wait_connected()
        client.publish("m", line(1))
        client.flush()
        store.wait_values(expected([1]))
        assert nkeys.seed_text(seed) not in store.stderr


def test_missing_seed_file_may_come_later(tmp_path):
    seed = b"\5" * 32
    config = f"authorization {{ users: [ {{ nkey: {nkeys.public_text(seed)} }} ] }}"
    with Server(tmp_path, config=config) as server, \
            Store(tmp_path, plain(), {"address": url(server), "nkey-seed-file": str(tmp_path / "store.nk")}) as store:
        wait_until(lambda: "store.nk" in store.stderr, 5, "the complaint")
        (tmp_path / "store.nk").write_text(nkeys.seed_text(seed) + "\n")
        store.wait_connected()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A CA, and certificates for the server and a client."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)
    for ca in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={ca}",
                "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for name in ("server", "client"):
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "names", "-out", f"{name}.pem")
    return folder


def tls_config(folder, more=""):
    return f'tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.key"\n{more} }}'


def test_tls(tmp_path, certificates):
    with Server(tmp_path, config=tls_config(certificates)) as server, \
            Store(tmp_path, plain(), {"address": url(server, scheme="tls"), "tls-ca-file": f"{certificates}/ca.pem"}) as store, \
            Client(server.port, tls=nats_client.trusting(certificates / "ca.pem")) as client:
        store.wait_connected()
        client.publish("m", line(1))
        client.flush()
        store.wait_values(expected([1]))


@pytest.mark.parametrize("ca", ["other", None])
def test_tls_of_an_unknown_authority_is_refused(tmp_path, certificates, ca):
    nats = {"tls-ca-file": f"{certificates}/{ca}.pem"} if ca else {}
    with Server(tmp_path, config=tls_config(certificates)) as server, \
            Store(tmp_path, plain(), dict(nats, address=url(server, scheme="tls"))) as store:
        wait_until(lambda: store.metric("cc_nats_failed_connects_total") >= 2, 10, "attempts")
        assert store.metric("cc_nats_connected") == 0
        assert "certificate" in store.stderr


def test_tls_with_client_certificate(tmp_path, certificates):
    config = tls_config(certificates, f'ca_file: "{certificates}/ca.pem"\nverify: true')
    keys = {"tls-ca-file": f"{certificates}/ca.pem", "tls-cert-file": f"{certificates}/client.pem",
            "tls-key-file": f"{certificates}/client.key"}
    with Server(tmp_path, config=config) as server, Store(tmp_path, plain(), dict(keys, address=url(server))) as store, \
            Client(server.port, tls=nats_client.trusting(certificates / "ca.pem", certificates / "client.pem",
                                                         certificates / "client.key")) as client:
        store.wait_connected()
        client.publish("m", line(1))
        client.flush()
        store.wait_values(expected([1]))


def test_plain_text_server_is_refused_when_tls_is_wanted(tmp_path, certificates):
    with Server(tmp_path) as server, Store(tmp_path, plain(), {
            "address": url(server, scheme="tls"), "tls-ca-file": f"{certificates}/ca.pem"}) as store:
        wait_until(lambda: store.metric("cc_nats_failed_connects_total") >= 2, 10, "attempts")
        assert store.metric("cc_nats_connects_total") == 0


def test_missing_permission_is_logged(tmp_path):
    config = 'authorization { users: [ { user: "u", password: "p", permissions: { subscribe: "other" } } ] }'
    with Server(tmp_path, config=config) as server, \
            Store(tmp_path, plain(), {"address": url(server), "username": "u", "password": "p"}) as store:
        wait_until(lambda: "Permissions Violation" in store.stderr, 10, "the refusal")


# ---- slow consumer ----------------------------------------------------------------------------------------------------


def test_slow_consumer_is_counted_and_logged(tmp_path):
    """More than queue (64 MiB) and client library (64 MiB) hold, faster than one worker takes it."""
    body = b"load,cluster=c,hostname=h value=x 1\n" * 29000  # a megabyte of refused lines: the slow path
    with Server(tmp_path) as server, Store(tmp_path, plain(), {"address": url(server)}) as store, Client(server.port) as client:
        client.sock.settimeout(120)
        sent = 0
        while sent < 3000 and not (sent % 100 == 0 and "slow consumer" in store.stderr):
            client.publish("m", body)
            sent += 1
        client.flush()
        client.publish("m", line(1))
        client.flush()

        def settled():
            counts = [store.metric("cc_nats_messages_total"), store.metric('cc_nats_lost_messages_total{reason="slow_consumer"}')]
            return counts if sum(counts) == sent + 1 else None
        taken, dropped = wait_until(settled, 120, "every message to be counted")
        assert dropped > 0 and taken > 0
        wait_until(lambda: re.search(r"slow consumer: subject=m dropped=\d+", store.stderr), 5, "the log")
        assert store.metric("cc_nats_connected") == 1
        wait_until(lambda: store.metric("cc_nats_queued_bytes") == 0, 60, "an empty queue")
        client.publish("m", line(2))
        client.flush()
        wait_until(lambda: T + 2 in store.values(), 20, "the store to go on")


def test_server_that_cuts_a_slow_consumer(tmp_path):
    """The server closes the connection of a client that does not read; the client comes back."""
    with Server(tmp_path, config='max_pending: 2MB\nwrite_deadline: "1s"') as server, \
            Store(tmp_path, plain(), {"address": url(server)}) as store, Client(server.port) as client:
        store.signal(SIGSTOP)
        try:
            for _ in range(60):
                client.publish("m", b"load,cluster=c,hostname=h value=1 1\n" * 10000)
            client.flush()
            wait_until(lambda: "Slow Consumer" in server.log.read_text(), 20, "the server to lose patience")
        finally:
            store.signal(SIGCONT)
        wait_until(lambda: store.metric("cc_nats_disconnects_total") >= 1, 20, "the loss to be seen")
        store.wait_connected()
        client.publish("m", line(2))
        client.flush()
        wait_until(lambda: subscriptions(client, store, "m") and T + 0 in store.values(), 20, "the store to go on")


# ---- JetStream ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stream(tmp_path):
    """A server with the stream METRICS over metrics.>, and a client."""
    with Server(tmp_path, jetstream=True) as server, Client(server.port) as client:
        client.add_stream("METRICS", ["metrics.>"])
        yield server, client


def publish(client, numbers, subject="metrics.c", host="h", cluster="c"):
    for i in numbers:
        client.publish_to_stream(subject, line(i, host, cluster))


def wait_done(client, name="store-1"):
    """Until the consumer has delivered everything and nothing waits for its acknowledgement."""
    def done():
        info = client.consumer("METRICS", name)
        return info if info["num_pending"] == 0 and info["num_ack_pending"] == 0 else None
    return wait_until(done, 60, "all messages to be acknowledged", step=0.1)


def test_stream_is_caught_up_with_after_an_outage(tmp_path, stream):
    """Messages sent while the store is down come when it is back: none is lost, none is taken twice."""
    server, client = stream
    port = harness.free_port()
    with Store(tmp_path, durable(), {"address": url(server)}, port=port) as store:
        publish(client, range(100))
        store.wait_values(expected(range(100)))
        wait_done(client)
        assert store.metric('cc_nats_acknowledgements_total{kind="ack"}') == 100
        assert store.stop() == 0
    publish(client, range(100, 400))
    assert client.consumer("METRICS", "store-1")["num_pending"] == 300  # the consumer survived the stop
    with Store(tmp_path, durable(), {"address": url(server)}, port=port) as store:
        wait_until(lambda: set(expected(range(100, 400))) <= set(store.values()), 20, "the missed values")
        assert {k: v for k, v in store.values().items() if k >= T + 100} == expected(range(100, 400))
        info = wait_done(client)
        assert info["num_redelivered"] == 0
        assert store.metric("cc_nats_messages_total") == 300  # each once
        assert store.metric("cc_nats_redelivered_messages_total") == 0
        assert store.metric("cc_nats_stream_pending_messages") == 0


def test_stream_with_many_messages_and_workers(tmp_path, stream):
    server, client = stream
    for i in range(5000):
        client.publish("metrics.c", line(i % 1000, f"h{i // 1000}"))
    client.flush()
    with Store(tmp_path, durable(), {"address": url(server)}, workers=4) as store:
        for k in range(5):
            store.wait_values(expected(range(1000)), host=f"h{k}")
        wait_done(client)
        assert store.metric("cc_nats_messages_total") == 5000


def test_redelivered_messages_do_not_count_twice(tmp_path, stream):
    """What a store took before it was killed, without an acknowledgement, comes again."""
    server, client = stream
    client.jetstream("CONSUMER.DURABLE.CREATE.METRICS.store-1", {"stream_name": "METRICS", "config": {
        "durable_name": "store-1", "ack_policy": "explicit", "ack_wait": 500_000_000, "filter_subject": "metrics.>",
        "deliver_policy": "all", "max_deliver": -1, "replay_policy": "instant"}})
    publish(client, range(20))
    client.subscribe("_INBOX.taker")  # somebody takes them and dies
    client.publish("$JS.API.CONSUMER.MSG.NEXT.METRICS.store-1", '{"batch":20,"expires":1000000000}', "_INBOX.taker")
    while sum(m[0].startswith("metrics") for m in client.messages) < 20:
        client.step()
    with Store(tmp_path, durable(), {"address": url(server)}) as store:
        store.wait_values(expected(range(20)))
        wait_done(client)
        assert store.metric("cc_nats_redelivered_messages_total") == 20


def test_stream_survives_a_restart_of_the_server(tmp_path, stream):
    server, client = stream
    with Store(tmp_path, durable(), {"address": url(server)}) as store:
        publish(client, range(50))
        store.wait_values(expected(range(50)))
        wait_done(client)
        server.stop()
        server.start()
        with Client(server.port) as again:
            publish(again, range(50, 100))
            store.wait_values(expected(range(100)))
            wait_done(again)


def test_stream_that_comes_later(tmp_path):
    with Server(tmp_path, jetstream=True) as server, Store(tmp_path, durable(), {"address": url(server)}) as store, \
            Client(server.port) as client:
        wait_until(lambda: re.search(r"stream 'METRICS', consumer 'store-1': .*not found", store.stderr), 10, "the complaint")
        client.add_stream("METRICS", ["metrics.>"])
        publish(client, range(3))
        store.wait_values(expected(range(3)))


def test_server_without_jetstream_is_reported(tmp_path):
    with Server(tmp_path) as server, Store(tmp_path, durable(), {"address": url(server)}) as store:
        wait_until(lambda: "stream 'METRICS', consumer 'store-1'" in store.stderr, 10, "the complaint")
        assert store.stop() == 0


def test_consumer_with_another_subject_is_not_used(tmp_path, stream):
    server, client = stream
    with Store(tmp_path, durable(subject="metrics.other"), {"address": url(server)}) as store:
        store.wait_connected()
        wait_until(lambda: client.consumer("METRICS", "store-1"), 5, "the consumer")
        assert store.stop() == 0
    with Store(tmp_path, durable(), {"address": url(server)}) as store:
        wait_until(lambda: "it exists with the subject 'metrics.other', not 'metrics.>'" in store.stderr, 10, "the complaint")
        client.jetstream("CONSUMER.DELETE.METRICS.store-1")  # as the message says
        publish(client, range(3))
        store.wait_values(expected(range(3)))


def test_consumer_that_is_removed_is_made_again(tmp_path, stream):
    server, client = stream
    with Store(tmp_path, durable(), {"address": url(server)}) as store:
        publish(client, range(3))
        store.wait_values(expected(range(3)))
        client.jetstream("CONSUMER.DELETE.METRICS.store-1")
        publish(client, range(3, 6))
        store.wait_values(expected(range(6)))


def test_new_messages_only(tmp_path, stream):
    server, client = stream
    publish(client, range(5))
    with Store(tmp_path, durable(**{"jetstream-deliver": "new"}), {"address": url(server)}) as store:
        publish(client, range(5, 10))
        store.wait_values(expected(range(5, 10)))


def test_lines_without_time_get_that_of_the_stream(tmp_path, stream):
    server, client = stream
    before = int(time.time())
    client.publish_to_stream("metrics.c", "load,cluster=c,hostname=h value=5")
    after = int(time.time())
    time.sleep(2.1)
    with Store(tmp_path, durable(), {"address": url(server)}) as store:
        found = wait_until(lambda: store.values(start=before - 5, count=60), 10, "the value")
        assert len(found) == 1 and before <= min(found) <= after and list(found.values()) == [5.0]


def test_stream_with_the_permissions_of_the_manual(tmp_path):
    """Those that docs/nats.md names, and no others."""
    text = (harness.ROOT / "docs" / "nats.md").read_text()
    listed = re.search(r"subscribe `(.*?)`; publish (.*?)\.\n", text, re.S)
    allowed = re.findall(r"`(.*?)`", listed.group(2))
    config = (f'authorization {{ users: [ {{ user: "store", password: "p", permissions: {{ subscribe: "{listed.group(1)}", '
              f'publish: {json.dumps(allowed)} }} }}, {{ user: "admin", password: "p" }} ] }}')
    with Server(tmp_path, config=config, jetstream=True) as server, Client(server.port, user="admin", password="p") as client:
        client.add_stream("METRICS", ["metrics.>"])
        publish(client, range(5))
        with Store(tmp_path, durable(), {"address": url(server), "username": "store", "password": "p"}) as store:
            store.wait_values(expected(range(5)))
            wait_done(client)
            assert "Permissions Violation" not in store.stderr


# ---- several stores -------------------------------------------------------------------------------------------------


def test_two_stores_with_all_data(tmp_path, stream):
    """One of them is down for a while and catches up; the other does not notice."""
    server, client = stream
    port = harness.free_port()
    with Store(tmp_path, durable("store-1"), {"address": url(server)}, name="one") as one:
        with Store(tmp_path, durable("store-2"), {"address": url(server)}, name="two", port=port) as two:
            publish(client, range(50))
            one.wait_values(expected(range(50)))
            two.wait_values(expected(range(50)))
            wait_done(client, "store-2")
            assert two.stop() == 0
        publish(client, range(50, 150))
        one.wait_values(expected(range(150)))
        with Store(tmp_path, durable("store-2"), {"address": url(server)}, name="two", port=port) as two:
            wait_until(lambda: set(expected(range(50, 150))) <= set(two.values()), 20, "the missed values")
            wait_done(client, "store-2")
            assert two.metric("cc_nats_messages_total") == 100


def test_three_stores_by_cluster(tmp_path, stream):
    """Sharded: each store has the subject of its cluster, and its data only."""
    server, client = stream
    clusters = ["alex", "fritz", "woody"]
    stores = []
    try:
        for cluster in clusters:
            stores.append(Store(tmp_path, durable(f"store-{cluster}", f"metrics.{cluster}.>", **{"cluster-tag": cluster}),
                                {"address": url(server)}, name=cluster))
        for i in range(60):
            for cluster in clusters:
                client.publish_to_stream(f"metrics.{cluster}.h", f"load,hostname=h value={i} {T + i}")
        for store, cluster in zip(stores, clusters):
            store.wait_values(expected(range(60)), cluster=cluster)
            wait_done(client, f"store-{cluster}")
            assert store.metric("cc_nats_messages_total") == 60
            for other in set(clusters) - {cluster}:
                assert store.values(cluster=other) == {}
        assert [s.stop() for s in stores] == [0, 0, 0]
    finally:
        for store in stores:
            store.kill()


def test_two_stores_by_sub_cluster_beside_one_with_all(tmp_path, stream):
    server, client = stream
    parts = {"main": "metrics.fritz.main.>", "spr": "metrics.fritz.spr.>", "all": "metrics.fritz.>"}
    stores = {}
    try:
        for name, subject in parts.items():
            stores[name] = Store(tmp_path, durable(f"store-{name}", subject), {"address": url(server)}, name=name)
        publish(client, range(30), "metrics.fritz.main.m1", "m1", "fritz")
        publish(client, range(30), "metrics.fritz.spr.s1", "s1", "fritz")
        stores["main"].wait_values(expected(range(30)), host="m1", cluster="fritz")
        stores["spr"].wait_values(expected(range(30)), host="s1", cluster="fritz")
        for host in ("m1", "s1"):
            stores["all"].wait_values(expected(range(30)), host=host, cluster="fritz")
        assert stores["main"].values("s1", "fritz") == {} and stores["spr"].values("m1", "fritz") == {}
    finally:
        for store in stores.values():
            store.kill()


# ---- the store within cc-backend -----------------------------------------------------------------------------------


def test_backend_takes_messages_too(tmp_path, stream):
    server, client = stream
    port, now = harness.free_port(), int(time.time()) // 60 * 60 - 600
    test_backend.write_site(tmp_path, port, nats={"address": url(server)}, **{"metric-store": {
        "retention-in-memory": "48h", "memory-cap": 1, "num-workers": 2,
        "nats-subscriptions": plain(**{"cluster-tag": "alpha"}) + durable("backend", **{"cluster-tag": "alpha"})}})
    client.publish_to_stream("metrics.c", f"cpu_load,hostname=a01 value=1 {now}")  # before it is there
    with test_backend.demo(tmp_path, port, "-loglevel", "info") as backend:
        client.publish("m", f"cpu_load,hostname=a01 value=2 {now + 60}")
        client.flush()

        def values():
            answer = backend.get("/api/query", body={"cluster": "alpha", "from": now, "to": now + 120, "queries": [
                {"metric": "cpu_load", "host": "a01"}]}).json
            return [series["data"] for series in answer["results"][0]]
        wait_until(lambda: values() == [[1.0, 2.0]], 20, "the values")
        assert "cc_nats_messages_total 2" in backend.get("/metrics").text
        assert "has no effect" not in backend.stderr
        assert backend.stop() == 0
        assert "NATS: stopped: messages=2 dropped=0 lost=0" in backend.stderr
    assert client.consumer("METRICS", "backend")["num_ack_pending"] == 0


# ---- with the log of the store: what is acknowledged survives a crash ---------------------------------------------------


@pytest.fixture(scope="module")
def store_with_log(tmp_path_factory):
    """Skips where the store keeps its data in memory only: looks whether a value survives kill -9."""
    folder, port = tmp_path_factory.mktemp("log"), harness.free_port()
    with Store(folder, [], port=port) as store:
        assert store.post("/api/write", line(1)).status == 200
        store.kill()
    with Store(folder, [], port=port) as store:
        if store.values() != expected([1]):
            pytest.skip("this store keeps its data in memory only: it has no log to find it in after a crash")


@pytest.mark.parametrize("stores", [1, 2])
def test_needs_log_kill_under_load_loses_nothing(tmp_path, stream, store_with_log, stores):
    """kill -9 again and again while messages are published: in the end each sample is there, with its value."""
    server, client = stream
    names = [f"store-{i}" for i in range(stores)]
    ports = harness.free_ports(stores)
    for name in names:  # a short ack_wait, so that the test need not wait a minute for what was in flight
        client.jetstream(f"CONSUMER.DURABLE.CREATE.METRICS.{name}", {"stream_name": "METRICS", "config": {
            "durable_name": name, "ack_policy": "explicit", "ack_wait": 1_000_000_000, "filter_subject": "metrics.>",
            "deliver_policy": "all", "max_deliver": -1, "replay_policy": "instant", "max_ack_pending": 5000}})
    sent = 0
    for _ in range(4):
        running = [Store(tmp_path, durable(n), {"address": url(server)}, name=n, port=p, workers=2) for n, p in zip(names, ports)]
        end = time.monotonic() + 0.7
        while time.monotonic() < end:
            client.publish("metrics.c", line(sent))
            sent += 1
            if sent % 50 == 0:
                client.flush()
        for store in running:
            store.signal(SIGKILL)
            store.wait()
    client.flush()
    wait_until(lambda: client.jetstream("STREAM.INFO.METRICS")["state"]["messages"] == sent, 10, "the stream to have all")
    running = [Store(tmp_path, durable(n), {"address": url(server)}, name=n, port=p) for n, p in zip(names, ports)]
    try:
        for store, name in zip(running, names):
            wait_done(client, name)
            store.wait_values(expected(range(sent)), count=sent)
    finally:
        for store in running:
            store.kill()


def test_needs_log_ms_47_stop_keeps_what_was_received(tmp_path, store_with_log):
    """Plain messages that the server had before the stop are in the store after it."""
    port = harness.free_port()
    with Server(tmp_path) as server, Client(server.port) as client:
        with Store(tmp_path, plain(), {"address": url(server)}, workers=4, port=port) as store:
            for k in range(300):
                client.publish("m", "".join(line(i, f"h{k}") + "\n" for i in range(100)))
            client.flush()
            assert store.stop() == 0
        with Store(tmp_path, plain(), {"address": url(server)}, port=port) as store:
            for k in range(300):
                assert store.values(f"h{k}") == expected(range(100)), k


def test_needs_log_acknowledged_messages_survive_a_crash(tmp_path, stream, store_with_log):
    server, client = stream
    port = harness.free_port()
    with Store(tmp_path, durable(), {"address": url(server)}, port=port) as store:
        publish(client, range(200))
        wait_done(client)
        store.kill()
    with Store(tmp_path, durable(), {"address": url(server)}, port=port) as store:
        assert store.values() == expected(range(200))  # from the log: nothing came again
        assert store.metric("cc_nats_messages_total") == 0
