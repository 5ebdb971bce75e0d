"""From the frames of a client to messages, without I/O.

`websockets` reads and checks single frames; what they make together is said here: which may follow which,
what they may add up to, what has to be answered at once, and with which code it ends. Frames are acted on
one by one, in order, so the way the bytes were cut never matters. The first mistake ends it: what comes
behind is not looked at (RFC 6455, 7.1.7).

WHY text is checked although JSON is decoded later: a connection whose text is not UTF-8 has to be closed
(8.1), where a message that is no JSON is answered. A fragment is checked as it comes.
"""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Generator
from typing import Final

import msgspec
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

from erlmcp_py.protocol.refusals import (
    PROTOCOL_ERROR,
    TOO_LARGE,
    UNSUPPORTED_ENCODING,
    Refusal,
)

GOING_AWAY: Final = 1001
PROTOCOL: Final = 1002
UNSUPPORTED: Final = 1003
NOT_UTF8: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009
INTERNAL: Final = 1011

_CONTROL: Final = 125
"""Bytes that a control frame may carry."""
_SLICE: Final = 64
"""Frames of one client after which the others have their turn."""
_Decoder: Final = getincrementaldecoder("utf-8")


class Ending(msgspec.Struct, frozen=True):
    """Why nothing more is read. payload: of the Close frame that says so. entry: what it is of the
    catalogue; None where the client has asked for it.
    """

    payload: bytes
    entry: Refusal | None = None


def ending(code: int, reason: str, entry: Refusal | None = None) -> Ending:
    """Our own. reason: at most 123 bytes."""
    return Ending(Close(code, reason).serialize(), entry)


class Messages:
    """Of one client. limit: bytes of a message. fragments: of which it may consist."""

    __slots__ = (
        "_decoder", "_fragments", "_limit", "_messages", "_parser", "_parts", "_pieces", "_reader",
        "between", "ending", "more", "replies",
    )  # fmt: skip

    def __init__(self, limit: int, fragments: int) -> None:
        self._limit = limit
        self._fragments = fragments
        self._reader = StreamReader()
        self._messages: list[bytes] = []
        self._parts: bytearray | None = None
        """What has come of a message in fragments."""
        self._pieces = 0
        self._decoder: IncrementalDecoder | None = None
        self.more = False
        """There are frames left for the next call, with further bytes or none."""
        self.between = True
        """Whether nothing has come of a further message or frame."""
        self.replies: list[bytes] = []
        """Frames to be sent for those that came; whoever sends them empties it."""
        self.ending: Ending | None = None
        self._parser = self._parse()

    def feed(self, data: bytes) -> list[bytes]:
        """Messages that became complete, with the next `_SLICE` frames."""
        if self.ending is not None:
            return []
        messages = self._messages = []
        self._reader.feed_data(data)
        try:
            next(self._parser, None)
        except ProtocolError as problem:
            self.ending = ending(PROTOCOL, str(problem), PROTOCOL_ERROR)
        except PayloadTooBig:
            self.ending = self._too_big()
        except UnicodeDecodeError:
            self.ending = ending(NOT_UTF8, "the text is not UTF-8", UNSUPPORTED_ENCODING)
        if self.ending is not None:
            self.more = False
            self._reader.discard()
            self._parts = self._decoder = None
        return messages

    def _parse(self) -> Generator[None]:
        reader, taken = self._reader, 0
        while self.ending is None:
            self.between = self._parts is None
            if taken == _SLICE and reader.buffer:
                self.more = True
                yield
                self.more, taken = False, 0
            while not reader.buffer:
                yield
                taken = 0
            self.between = False
            room = self._limit if self._parts is None else self._limit - len(self._parts)
            frame = yield from Frame.parse(
                reader.read_exact, mask=True, max_size=max(room, _CONTROL)
            )
            self._take(frame)
            taken += 1

    def _take(self, frame: Frame) -> None:
        """Act on a frame. Raises ProtocolError, UnicodeDecodeError."""
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                self._data(frame)
            case Opcode.PING:
                self.replies.append(Frame(Opcode.PONG, frame.data).serialize(mask=False))
            case Opcode.CLOSE:
                Close.parse(frame.data)
                self.ending = Ending(bytes(frame.data))
            case Opcode.PONG:
                pass  # that something has come is what counts

    def _data(self, frame: Frame) -> None:
        opcode, data, parts = frame.opcode, frame.data, self._parts
        if (parts is None) is (opcode is Opcode.CONT):
            raise ProtocolError(
                "a continuation of nothing" if parts is None else "a message within another"
            )
        if opcode is Opcode.BINARY:
            text = "messages are sent as text"
            self.ending = ending(UNSUPPORTED, text, UNSUPPORTED_ENCODING)
            return
        if len(data) + (0 if parts is None else len(parts)) > self._limit:
            self.ending = self._too_big()
            return
        if parts is None and frame.fin:
            message = bytes(data)
            if not message.isascii():
                message.decode()
            self._messages.append(message)
            return
        if parts is None:
            parts = self._parts = bytearray()
            self._decoder = _Decoder()
            self._pieces = 0
        self._pieces += 1
        if self._pieces > self._fragments:
            text = f"a message may have at most {self._fragments} fragments"
            self.ending = ending(TOO_BIG, text, TOO_LARGE)
            return
        assert self._decoder is not None
        self._decoder.decode(bytes(data), frame.fin)
        parts += data
        if frame.fin:
            self._messages.append(bytes(parts))
            self._parts = self._decoder = None

    def _too_big(self) -> Ending:
        return ending(TOO_BIG, f"a message may have at most {self._limit} bytes", TOO_LARGE)


def text(message: bytes) -> bytes:
    """A message as it is sent: a frame, not masked (RFC 6455, 5.2)."""
    size = len(message)
    if size < 126:
        return bytes((0x81, size)) + message
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + message
    return b"\x81\x7f" + size.to_bytes(8, "big") + message


def ping() -> bytes:
    """A ping without a payload."""
    return Frame(Opcode.PING, b"").serialize(mask=False)


def close(payload: bytes) -> bytes:
    """The Close frame with this payload."""
    return Frame(Opcode.CLOSE, payload).serialize(mask=False)
