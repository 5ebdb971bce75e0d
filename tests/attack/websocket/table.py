"""What a server has to do with frames, case by case, after the Autobahn test suite.

The numbers are those of its cases, or the group's where several are one here. The suite's server repeats
messages; ours does not, so a case says which messages come out, which pongs go back, and how it ends.
Compression (12, 13) is not offered. Timing and sheer speed (9) is the business of the bench; its large
messages are here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.erlmcp_py.transports.websocket.client import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    closing,
    frame,
)

LIMIT: Final = 70_000
FRAGMENTS: Final = 50
GREETING: Final = "Hällo-µ@ßöäüàá-UTF-8!!".encode()


class Case(NamedTuple):
    """close: the payload that is repeated, or the code of the node; None: the socket stays open."""

    number: str
    about: str
    wire: bytes
    messages: list[bytes] = []
    pongs: list[bytes] = []
    close: bytes | int | None = None


def cases() -> Iterator[Case]:
    yield from _framing()
    yield from _pings()
    yield from _reserved()
    yield from _opcodes()
    yield from _fragments()
    yield from _utf8()
    yield from _closes()
    yield from _limits()
    yield from _masks()


def _framing() -> Iterator[Case]:
    for n, size in enumerate((0, 125, 126, 127, 128, 65535, 65536), 1):
        data = b"*" * size
        yield Case(f"1.1.{n}", f"text of {size} bytes", frame(TEXT, data), [data])
        yield Case(f"1.2.{n}", f"binary of {size} bytes", frame(BINARY, data), close=1003)
    wide = frame(TEXT, b"abc", length=b"\x7f" + (3).to_bytes(8, "big"))
    yield Case("1.1", "a small length in eight bytes", wide, [b"abc"])
    yield Case("1.1", "a small length in two bytes", frame(TEXT, b"abc", length=b"\x7e\0\3"), [b"abc"])  # fmt: skip


def _pings() -> Iterator[Case]:
    full = bytes(range(125))
    yield Case("2.1", "a ping without payload", frame(PING), pongs=[b""])
    yield Case("2.2", "a ping with text", frame(PING, b"Hello"), pongs=[b"Hello"])
    yield Case("2.3", "a ping with bytes", frame(PING, b"\0\xff\xfe\xfd"), pongs=[b"\0\xff\xfe\xfd"])  # fmt: skip
    yield Case("2.4", "a ping of 125 bytes", frame(PING, full), pongs=[full])
    yield Case("2.5", "a ping of 126 bytes", frame(PING, full + b"!"), close=1002)
    yield Case("2.7", "a pong nobody asked for", frame(PONG))
    yield Case("2.8", "the same with payload", frame(PONG, b"unsolicited"))
    yield Case("2.9", "the same, then a ping", frame(PONG, b"x") + frame(PING, b"y"), pongs=[b"y"])
    ten = [b"payload-%d" % n for n in range(10)]
    yield Case("2.10", "ten pings", b"".join(frame(PING, each) for each in ten), pongs=ten)
    yield Case("2.5", "a pong of 126 bytes", frame(PONG, full + b"!"), close=1002)


def _reserved() -> Iterator[Case]:
    before, after = frame(TEXT, b"before"), frame(TEXT, b"after") + frame(PING)
    for bits in range(1, 8):
        yield Case(f"3.{bits}", f"text with reserved bits {bits:03b}", before + frame(TEXT, b"*", reserved=bits) + after, [b"before"], close=1002)  # fmt: skip
        for name, opcode in (("ping", PING), ("close", CLOSE), ("continuation", CONT)):
            yield Case(f"3.{bits}", f"a {name} with reserved bits {bits:03b}", frame(opcode, reserved=bits) + after, close=1002)  # fmt: skip


def _opcodes() -> Iterator[Case]:
    before, after = frame(TEXT, b"before"), frame(PING)
    for n, opcode in enumerate((3, 4, 5, 6, 7), 1):
        yield Case(f"4.1.{n}", f"the data opcode {opcode}", before + frame(opcode, b"x") + after, [b"before"], close=1002)  # fmt: skip
    for n, opcode in enumerate((11, 12, 13, 14, 15), 1):
        yield Case(f"4.2.{n}", f"the control opcode {opcode}", before + frame(opcode) + after, [b"before"], close=1002)  # fmt: skip


def _fragments() -> Iterator[Case]:
    one = frame(TEXT, b"one", fin=False)
    more, last = frame(CONT, b"two", fin=False), frame(CONT, b"three")
    whole = [b"onethree"]
    yield Case("5.1", "a ping in two", frame(PING, b"a", fin=False) + frame(CONT, b"b"), close=1002)
    yield Case("5.2", "a pong in two", frame(PONG, b"a", fin=False) + frame(CONT, b"b"), close=1002)
    yield Case("5.2", "a close in two", frame(CLOSE, closing(1000), fin=False), close=1002)
    yield Case("5.3", "text in two", one + last, whole)
    yield Case("5.4", "text in three", one + more + last, [b"onetwothree"])
    yield Case("5.6", "a ping between", one + frame(PING, b"p") + last, whole, [b"p"])
    yield Case("5.7", "a pong between", one + frame(PONG, b"p") + last, whole)
    yield Case("5.9", "a continuation of nothing", frame(CONT, b"x") + frame(TEXT, b"y"), close=1002)  # fmt: skip
    yield Case("5.11", "the same, not the last", frame(CONT, b"x", fin=False) + frame(TEXT, b"y"), close=1002)  # fmt: skip
    yield Case("5.12", "a continuation behind a message", frame(TEXT, b"a") + last, [b"a"], close=1002)  # fmt: skip
    yield Case("5.15", "a continuation behind fragments", one + last + more, whole, close=1002)
    yield Case("5.16", "continuations around a message", more + frame(TEXT, b"a"), close=1002)
    yield Case("5.18", "text within text", one + frame(TEXT, b"x"), close=1002)
    yield Case("5.18", "binary within text", one + frame(BINARY, b"x"), close=1002)
    pings = b"".join(frame(PING, b"%d" % n) for n in range(2))
    yield Case("5.19", "pings among many fragments", one + more + pings + more + pings + last, [b"onetwotwothree"], [b"0", b"1"] * 2)  # fmt: skip
    yield Case("6.1.2", "three empty ones", frame(TEXT, fin=False) + frame(CONT, fin=False) + frame(CONT), [b""])  # fmt: skip
    yield Case("6.1.3", "one that is not, among empty ones", frame(TEXT, fin=False) + frame(CONT, b"x", fin=False) + frame(CONT), [b"x"])  # fmt: skip
    yield Case("5", "binary in two", frame(BINARY, b"a", fin=False) + last, close=1003)


_GOOD: Final = {
    "6.2": GREETING,
    "6.5": "κόσμε".encode(),
    "6.6": "𐍈 and the last, \U0010ffff".encode(),
    "6.7 one": b"\x00",
    "6.7 two": b"\xc2\x80",
    "6.7 three": b"\xe0\xa0\x80",
    "6.7 four": b"\xf0\x90\x80\x80",
    "6.9 one": b"\x7f",
    "6.9 two": b"\xdf\xbf",
    "6.9 three": b"\xef\xbf\xbf",
    "6.9 four": b"\xf4\x8f\xbf\xbf",
    "6.11 before surrogates": b"\xed\x9f\xbf",
    "6.11 after surrogates": b"\xee\x80\x80",
    "6.11 the replacement": b"\xef\xbf\xbd",
    "6.22 no character": b"\xef\xbf\xbe",
    "6.23 private use": b"\xee\x80\x81",
}
_BAD: Final = {
    "6.3 a surrogate in the middle": b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    "6.8 five bytes": b"\xf8\x88\x80\x80\x80",
    "6.8 six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "6.10 beyond the last": b"\xf4\x90\x80\x80",
    "6.10 f5": b"\xf5\x80\x80\x80",
    "6.12 a continuation": b"\x80",
    "6.12 another": b"\xbf",
    "6.12 two": b"\x80\xbf",
    "6.13 lonely starts": b"\xc0 \xc1 \xc2 ",
    "6.13 a lonely start": b"\xe0 ",
    "6.14 a byte too few of two": b"\xc3",
    "6.14 of three": b"\xe0\x80",
    "6.14 of four": b"\xf0\x90\x80",
    "6.15 several of them": b"\xc3\xe0\x80\xf0",
    "6.16 fe": b"\xfe",
    "6.16 ff": b"\xff",
    "6.17 an overlong slash in two": b"\xc0\xaf",
    "6.17 in three": b"\xe0\x80\xaf",
    "6.17 in four": b"\xf0\x80\x80\xaf",
    "6.18 the last overlong of two": b"\xc1\xbf",
    "6.18 of three": b"\xe0\x9f\xbf",
    "6.19 an overlong null": b"\xc0\x80",
    "6.20 a high surrogate": b"\xed\xa0\x80",
    "6.20 a low one": b"\xed\xbf\xbf",
    "6.21 a pair": b"\xed\xa0\x80\xed\xb0\x80",
}


def _utf8() -> Iterator[Case]:
    for name, data in _GOOD.items():
        number, _, about = name.partition(" ")
        yield Case(number, about, frame(TEXT, data), [data])
        bytewise = frame(TEXT, data[:1], fin=len(data) == 1)
        for n in range(1, len(data)):
            bytewise += frame(CONT, data[n : n + 1], fin=n == len(data) - 1)
        yield Case(number, f"{about}, a byte in each fragment", bytewise, [data])
    for name, data in _BAD.items():
        number, _, about = name.partition(" ")
        after = frame(PING) + frame(TEXT, b"after")
        yield Case(number, about, frame(TEXT, b"*" + data) + after, close=1007)
        yield Case(number, f"{about}, across fragments", frame(TEXT, data[:1], fin=False) + frame(CONT, data[1:]) + after, close=1007)  # fmt: skip
    bad = frame(TEXT, b"\xce\xba\xf4\x90", fin=False)
    yield Case("6.4", "bad text in a message that goes on", bad, close=1007)
    yield Case("6.4", "bad text in a continuation", frame(TEXT, b"\xf4", fin=False) + frame(CONT, b"\x90", fin=False), close=1007)  # fmt: skip


def _closes() -> Iterator[Case]:
    after = frame(TEXT, b"after") + frame(PING)
    yield Case("7.1.1", "a message before it", frame(TEXT, b"a") + frame(CLOSE), [b"a"], close=b"")
    yield Case("7.1.2", "two of them", frame(CLOSE) * 2, close=b"")
    yield Case("7.1.3", "a ping behind it", frame(CLOSE) + frame(PING), close=b"")
    yield Case("7.1.4", "a message behind it", frame(CLOSE, closing(1000)) + after, close=closing(1000))  # fmt: skip
    yield Case("7.1.5", "in the middle of a message", frame(TEXT, b"a", fin=False) + frame(CLOSE, closing(1000)) + frame(CONT, b"b"), close=closing(1000))  # fmt: skip
    yield Case("7.1.6", "behind a long message", frame(TEXT, b"*" * 65_536) + frame(CLOSE, closing(1000)), [b"*" * 65_536], close=closing(1000))  # fmt: skip
    yield Case("7.3.1", "without a payload", frame(CLOSE), close=b"")
    yield Case("7.3.2", "with one byte", frame(CLOSE, b"a") + after, close=1002)
    yield Case("7.3.3", "with a code", frame(CLOSE, closing(1000)), close=closing(1000))
    for number, size in (("7.3.4", 5), ("7.3.5", 123)):
        payload = closing(1000, b"*" * size)
        yield Case(number, f"with a reason of {size}", frame(CLOSE, payload), close=payload)
    yield Case("7.3.6", "with a reason of 124", frame(CLOSE, closing(1000, b"*" * 124)), close=1002)
    payload = closing(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80")
    yield Case("7.5.1", "with a reason that is no text", frame(CLOSE, payload), close=1007)
    good = (*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999)
    for code in good:
        payload = closing(code)
        yield Case("7.7", f"the code {code}", frame(CLOSE, payload), close=payload)
    bad = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    for code in bad:
        yield Case("7.9", f"the code {code}", frame(CLOSE, closing(code)), close=1002)


def _limits() -> Iterator[Case]:
    most, half = b"*" * LIMIT, b"*" * (LIMIT // 2)
    after = frame(PING)
    yield Case("9", "a message of the limit", frame(TEXT, most), [most])
    yield Case("9", "a byte more", frame(TEXT, most + b"*") + after, close=1009)
    yield Case("9", "announced only", frame(TEXT, b"", length=b"\x7f" + (LIMIT + 1).to_bytes(8, "big")), close=1009)  # fmt: skip
    yield Case("9", "the longest there is", frame(TEXT, b"", length=b"\x7f" + b"\xff" * 8), close=1009)  # fmt: skip
    yield Case("9", "a ping longer than the limit", frame(PING, b"", length=b"\x7f" + b"\0\1" * 4), close=1009)  # fmt: skip
    yield Case("9", "the limit in two", frame(TEXT, half, fin=False) + frame(CONT, half), [most])
    yield Case("9", "a byte more in three", frame(TEXT, half, fin=False) + frame(CONT, half, fin=False) + frame(CONT, b"!"), close=1009)  # fmt: skip
    yield Case("9", "a ping in a full message", frame(TEXT, most, fin=False) + frame(PING, b"p") + frame(CONT), [most], [b"p"])  # fmt: skip
    pieces = frame(TEXT, b"a", fin=False) + frame(CONT, b"a", fin=False) * (FRAGMENTS - 2)
    yield Case("9", "as many fragments as may be", pieces + frame(CONT, b"a"), [b"a" * FRAGMENTS])
    yield Case("9", "one more", pieces + frame(CONT, b"a", fin=False) + frame(CONT, b"a"), close=1009)  # fmt: skip
    yield Case("9", "empty ones without end", frame(TEXT, fin=False) + frame(CONT, fin=False) * 1000, close=1009)  # fmt: skip


def _masks() -> Iterator[Case]:
    after = frame(TEXT, b"after")
    yield Case("mask", "none", frame(TEXT, b"x", mask=None) + after, close=1002)
    yield Case("mask", "none on a ping", frame(PING, mask=None) + after, close=1002)
    yield Case("mask", "none on a close", frame(CLOSE, mask=None), close=1002)
    yield Case("mask", "of zeros", frame(TEXT, b"x", mask=bytes(4)), [b"x"])
    masks = (b"\1\2\3\4", b"\xff" * 4, b"\0\0\0\1")
    yield Case("mask", "another each time", b"".join(frame(TEXT, b"hello", mask=each) for each in masks), [b"hello"] * 3)  # fmt: skip
    text = b"GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield Case("mask", "a request of HTTP instead of frames", text, close=1002)
