# SPDX-License-Identifier: MIT
"""Ed25519 signatures (RFC 8032, section 5.1) and the JSON web tokens made with them, for tests only: slow, and not safe
against an observer of the time it takes."""
import base64
import hashlib
import json

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)


def _add(a, b):
    """Sum of two points in extended coordinates (X, Y, Z, T), RFC 8032 5.1.4."""
    left = (a[1] - a[0]) * (b[1] - b[0]) % P
    right = (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = right - left, d - c, d + c, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _base_point():
    y = 4 * pow(5, P - 2, P) % P
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * SQRT_MINUS_ONE % P
    if x & 1:
        x = P - x
    return x, y, 1, x * y % P


BASE = _base_point()


def _encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _expand(seed):
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    return scalar, digest[32:]


def public_key(seed):
    return _encode(_multiply(_expand(seed)[0], BASE))


def _challenge(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % ORDER


def sign(seed, message):
    scalar, prefix = _expand(seed)
    nonce = _challenge(prefix, message)
    r = _encode(_multiply(nonce, BASE))
    s = (nonce + _challenge(r, public_key(seed), message) * scalar) % ORDER
    return r + s.to_bytes(32, "little")


def _url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token_from_texts(seed, header, claims):
    """A token of exactly these header and claims texts."""
    body = _url64(header.encode()) + "." + _url64(claims.encode())
    return body + "." + _url64(sign(seed, body.encode()))


def token(seed, claims):
    """A token with the usual header; claims: dict."""
    return token_from_texts(seed, '{"typ":"JWT","alg":"EdDSA"}', json.dumps(claims))


def public_key_base64(seed):
    return base64.b64encode(public_key(seed)).decode()
