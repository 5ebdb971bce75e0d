"""`requestState`: what a client carries from one round of a request to the next, sealed.

A request that needs input from its client is answered, and comes back as a new request with the
answers (MCP 2026-07-28, multi-round-trip requests). What the server wants to remember in between
travels with the client, which must neither read nor change it, nor use it for anybody or anything
else. So it is encrypted and authenticated (AES-256-GCM), with everything it is bound to as
associated data: the caller, and a digest of the request it belongs to. The time of its expiry is
inside.

On the wire: base64url of a version byte, 12 random bytes and the ciphertext. Random nonces are safe
for some 2^32 states per key (NIST SP 800-38D, 8.3), which at a thousand a second is 49 days; a key
that lives longer is to be rotated, which is why `StateSealer` takes several.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import struct
from typing import TYPE_CHECKING, Final

from erlmcp_py.protocol.errors import McpError, refused
from erlmcp_py.protocol.refusals import INVALID_PARAMS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_SIZE: Final = 32
"""Bytes of a key."""

MAX_STATE: Final = 64 * 1024
"""Bytes of a sealed state that are looked at; a longer one is refused unread."""

_VERSION: Final = b"\x01"
_NONCE_SIZE: Final = 12
_TAG_SIZE: Final = 16
_EXPIRY: Final = struct.Struct(">d")


class StateSealer:
    """Seals and opens states with the first of `keys`; the others only open.

    keys: 32 random bytes each; nodes that are to continue each other's requests share them, and so
    does a node with itself before a restart. None: a key of its own, which dies with the object.
    ValueError if a key has another length.
    """

    def __init__(self, keys: tuple[bytes, ...] | None = None) -> None:
        keys = (os.urandom(KEY_SIZE),) if keys is None else keys
        if not keys or any(len(key) != KEY_SIZE for key in keys):
            raise ValueError(f"a StateSealer needs one key or more, of {KEY_SIZE} bytes each")
        self._keys = keys
        self._ciphers: tuple[AESGCM, ...] | None = None

    def seal(self, state: bytes, binding: bytes, expires: float) -> str:
        """`state` as text for the client. binding: what it is good for, exactly (`bind`).

        expires: in seconds of the clock that `open` is told. ValueError if the state is too large
        to be taken back.
        """
        nonce = os.urandom(_NONCE_SIZE)
        plain = _EXPIRY.pack(expires) + state
        sealed = self._all()[0].encrypt(nonce, plain, _VERSION + binding)
        text = base64.urlsafe_b64encode(_VERSION + nonce + sealed).rstrip(b"=").decode()
        if len(text) > MAX_STATE:
            raise ValueError(
                f"the state of this request is {len(text)} bytes when sealed; "
                f"at most {MAX_STATE} can travel"
            )
        return text

    def open(self, text: str, binding: bytes, now: float) -> bytes:
        """The state, if it was sealed for this binding and has not expired.

        Raises McpError -32602, with the same words whatever is wrong with a state that is not ours:
        a forger learns nothing from them. An expired one is told from the others, for its client
        can begin anew.
        """
        raw = _bytes_of(text)
        nonce, sealed = raw[1 : 1 + _NONCE_SIZE], raw[1 + _NONCE_SIZE :]
        for cipher in self._all():
            plain = _decrypted(cipher, nonce, sealed, _VERSION + binding)
            if plain is not None:
                break
        else:
            raise _refused()
        (expires,) = _EXPIRY.unpack_from(plain)
        if now > expires:
            raise refused(INVALID_PARAMS, "requestState has expired; send the request anew")
        return plain[_EXPIRY.size :]

    def _all(self) -> tuple[AESGCM, ...]:
        """The ciphers. Made when they are needed: few nodes ever ask their clients, and the
        library behind them takes its time to load.
        """
        if self._ciphers is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._ciphers = tuple(AESGCM(key) for key in self._keys)
        return self._ciphers


def bind(*parts: str | bytes | None) -> bytes:
    """A digest of everything a state is bound to; None is not the same as empty."""
    digest = hashlib.sha256()
    for part in parts:
        if part is None:
            digest.update(b"-")
            continue
        data = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.digest()


def _bytes_of(text: str) -> bytes:
    if len(text) > MAX_STATE:
        raise _refused()
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise _refused() from None
    if raw[:1] != _VERSION or len(raw) < 1 + _NONCE_SIZE + _EXPIRY.size + _TAG_SIZE:
        raise _refused()
    return raw


def _decrypted(cipher: AESGCM, nonce: bytes, sealed: bytes, binding: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(nonce, sealed, binding)
    except InvalidTag:
        return None


def _refused() -> McpError:
    return refused(INVALID_PARAMS, "requestState is not one that this server gave to this request")
