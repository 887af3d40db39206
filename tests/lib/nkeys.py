# SPDX-License-Identifier: MIT
"""NKeys and the JSON web tokens of NATS (operator, account, user), for tests only: what the tool nsc makes."""
import base64
import hashlib
import json
import time

import ed25519

SEED, OPERATOR, ACCOUNT, USER = 18 << 3, 14 << 3, 0, 20 << 3


def _crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc.to_bytes(2, "little")


def _text(data):
    return base64.b32encode(data + _crc16(data)).decode().rstrip("=")


def seed_text(seed, kind=USER):
    return _text(bytes([SEED | kind >> 5, (kind & 31) << 3]) + seed)


def public_text(seed, kind=USER):
    return _text(bytes([kind]) + ed25519.public_key(seed))


def _url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_token(issuer_seed, issuer_kind, subject, name, kind, body):
    """A token of version 2: kind is "operator", "account" or "user"; its id is a hash of the claims."""
    claims = {"iat": int(time.time()), "iss": public_text(issuer_seed, issuer_kind), "name": name, "sub": subject,
              "nats": dict(body, type=kind, version=2)}
    digest = hashlib.new("sha512_256", json.dumps(claims).encode()).digest()
    claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
    return ed25519.token_from_texts(issuer_seed, '{"typ":"JWT","alg":"ed25519-nkey"}', json.dumps(claims))


class Site:
    """One operator with one account: what a server configuration and users need."""
    NO_LIMITS = {"subs": -1, "data": -1, "payload": -1}

    def __init__(self):
        self.operator, self.account = b"\1" * 32, b"\2" * 32
        self.operator_token = claims_token(self.operator, OPERATOR, public_text(self.operator, OPERATOR), "site", "operator", {})
        limits = dict(self.NO_LIMITS, imports=-1, exports=-1, wildcards=True, conn=-1, leaf=-1)
        self.account_id = public_text(self.account, ACCOUNT)
        self.account_token = claims_token(self.operator, OPERATOR, self.account_id, "metrics", "account", {
            "limits": limits, "default_permissions": {"pub": {}, "sub": {}}})

    def server_config(self):
        return (f"operator: {self.operator_token}\nresolver: MEMORY\n"
                f"resolver_preload: {{ {self.account_id}: {self.account_token} }}\n")

    def user_token(self, seed, name):
        return claims_token(self.account, ACCOUNT, public_text(seed), name, "user",
                            dict(self.NO_LIMITS, pub={}, sub={}))

    def credentials(self, seed, name):
        """The text of a credentials file."""
        return (f"-----BEGIN NATS USER JWT-----\n{self.user_token(seed, name)}\n------END NATS USER JWT------\n\n"
                f"-----BEGIN USER NKEY SEED-----\n{seed_text(seed)}\n------END USER NKEY SEED------\n")
