"""The opening handshake: what a request for a WebSocket has to say (RFC 6455, 4.2.1), and the answer.

Who may ask is judged before, as for every other request: browsers let any page open a WebSocket to
anywhere, and send its `Origin` along.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha1
from typing import Final

from erlmcp_py.protocol.refusals import INVALID_HEADER, PROTOCOL_ERROR, Refusal

SUBPROTOCOL: Final = b"mcp"
_VERSION: Final = b"13"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_OFFER: Final = (
    (b"Upgrade", b"websocket"),
    (b"Connection", b"Upgrade"),
    (b"Sec-WebSocket-Version", _VERSION),
)

Headers = tuple[tuple[bytes, bytes], ...]


class Unfit(Exception):
    """The request opens no WebSocket. headers: of the answer."""

    def __init__(self, status: int, entry: Refusal, text: str, headers: Headers = ()) -> None:
        super().__init__(text)
        self.status = status
        self.entry = entry
        self.text = text
        self.headers = headers


def asks(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the client wants to go on with WebSocket, if the server does."""
    offers = headers.get(b"upgrade")
    return offers is not None and b"websocket" in _tokens(offers.lower())


def accept(headers: Mapping[bytes, bytes], version: str) -> Headers:
    """Headers of the answer 101. version: of HTTP. Raises Unfit."""
    if (
        version != "1.1"
        or not asks(headers)
        or b"upgrade" not in _tokens(headers.get(b"connection", b"").lower())
    ):
        text = "this is a WebSocket: ask for it with Upgrade: websocket and Connection: Upgrade"
        raise Unfit(426, PROTOCOL_ERROR, text, _OFFER)
    if headers.get(b"sec-websocket-version") != _VERSION:
        text = "Sec-WebSocket-Version must be 13, the only one that is spoken here"
        raise Unfit(426, PROTOCOL_ERROR, text, _OFFER)
    key = headers.get(b"sec-websocket-key", b"")
    if not _is_key(key):
        text = "Sec-WebSocket-Key must be 16 bytes in base64"
        raise Unfit(400, INVALID_HEADER, text)
    answer = [(b"Sec-WebSocket-Accept", b64encode(sha1(key + _GUID).digest()))]
    offered = headers.get(b"sec-websocket-protocol")
    if offered is not None:
        if SUBPROTOCOL not in _tokens(offered):
            text = "Sec-WebSocket-Protocol must offer mcp, or not be sent"
            raise Unfit(400, INVALID_HEADER, text)
        answer.append((b"Sec-WebSocket-Protocol", SUBPROTOCOL))
    return (_OFFER[0], _OFFER[1], *answer)


def _is_key(key: bytes) -> bool:
    try:
        return len(b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip(b" \t") for token in value.split(b",")]
