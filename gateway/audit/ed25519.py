"""Did this key sign these bytes? Ed25519 (RFC 8032) and ML-DSA-44 (FIPS 204), verification only.

`cryptography` does the work where it is installed. Without it Ed25519 is
computed here in plain Python, some milliseconds a signature, with the same
answers; ML-DSA-44 is then `Unavailable44`, never silently passed.

The signature equation is the cofactorless one, `S` must be below the group
order and encodings canonical, as OpenSSL and Go decide.
"""

from __future__ import annotations

from hashlib import sha512

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)

_Point = tuple[int, int, int, int]


class Unavailable44(Exception):
    """ML-DSA-44 needs the `cryptography` package, which is not installed here."""


def _add(a: _Point, b: _Point) -> _Point:
    e = (a[1] - a[0]) * (b[1] - b[0]) % _P
    f = (a[1] + a[0]) * (b[1] + b[0]) % _P
    g = 2 * a[3] * b[3] * _D % _P
    h = 2 * a[2] * b[2] % _P
    i, j, k, m = f - e, h - g, h + g, f + e
    return i * j % _P, k * m % _P, j * k % _P, i * m % _P


def _times(n: int, point: _Point) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = _add(total, point)
        point = _add(point, point)
        n >>= 1
    return total


def _decode(raw: bytes) -> _Point | None:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _SQRT_M1 % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _encode(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _decode((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def plain_verify_ed25519(key: bytes, signature: bytes, message: bytes) -> bool:
    """RFC 8032 section 5.1.7 without any library."""
    if len(key) != 32 or len(signature) != 64:
        return False
    point = _decode(key)
    s = int.from_bytes(signature[32:], "little")
    if point is None or s >= _L or _BASE is None:
        return False
    challenge = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little") % _L
    minus: _Point = (_P - point[0], point[1], point[2], _P - point[3])
    return _encode(_add(_times(s, _BASE), _times(challenge, minus))) == signature[:32]


def verify_ed25519(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return plain_verify_ed25519(key, signature, message)
    if len(key) != 32 or len(signature) != 64:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify_mldsa44(key: bytes, signature: bytes, message: bytes) -> bool:
    """Raises Unavailable44 where `cryptography` is absent or too old for ML-DSA."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
    except ImportError:
        raise Unavailable44("an ML-DSA-44 signature needs the cryptography package") from None
    if len(key) != 1312 or len(signature) != 2420:
        return False
    try:
        MLDSA44PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def can_verify_mldsa44() -> bool:
    try:
        import cryptography.hazmat.primitives.asymmetric.mldsa  # noqa: F401
    except ImportError:
        return False
    return True
