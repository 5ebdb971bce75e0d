"""What is accepted and what is refused, as data: every way we know to write one request so that two
readers see two.

A case is accepted if `verdict` is a body: that of the one request it is read as, by every reader of
RFC 9112. Otherwise `verdict` is the status it is refused with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

POST: Final = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n"
GET: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED: Final = POST + b"Transfer-Encoding: chunked\r\n\r\n"
HELLO: Final = b"5\r\nhello\r\n0\r\n\r\n"


class Case(NamedTuple):
    """One way to write a request."""

    name: str
    wire: bytes
    verdict: bytes | int


def _lengths() -> Iterator[Case]:
    verdicts: dict[bytes, bytes | int] = {
        b" 5": b"hello",
        b"5": b"hello",
        b" 5 ": b"hello",
        b"\t5\t": b"hello",
        b" +5": 400,
        b" -5": 400,
        b" 0x5": 400,
        b" 5.0": 400,
        b" 5e0": 400,
        b" 05": 400,
        b" 0000000000000000000005": 400,
        b" " + b"0" * 5000 + b"5": 400,
        b" 5 5": 400,
        b" 5,5": 400,
        b" 5, 5": 400,
        b" 5, 6": 400,
        b" 5;": 400,
        b" 1_0": 400,
        b" \xb5": 400,
        b" \xd9\xa5": 400,
        b" 5\x0b": 400,
        b" \x0c5": 400,
        b"": 400,
        b" ": 400,
        b": 5": 400,
        b" 4194305": 413,
        b" 4294967301": 413,
        b" 9999999999999999999": 413,
        b" 18446744073709551621": 400,
        b" 99999999999999999999999999": 400,
    }
    for value, verdict in verdicts.items():
        wire = POST + b"Content-Length:" + value + b"\r\n\r\nhello"
        yield Case(f"Content-Length:{_short(value)}", wire, verdict)
    for name, lines in {
        "twice": b"Content-Length: 5\r\nContent-Length: 5\r\n",
        "twice, and not the same": b"Content-Length: 5\r\nContent-Length: 6\r\n",
        "twice, in two cases": b"Content-Length: 5\r\ncontent-length: 5\r\n",
        "folded": b"Content-Length:\r\n 5\r\n",
        "folded behind a digit": b"Content-Length: 5\r\n 0\r\n",
        "space before its colon": b"Content-Length : 5\r\n",
        "tab before its colon": b"Content-Length\t: 5\r\n",
        "space in its name": b"Content Length: 5\r\n",
        "NUL in its name": b"Content-Length\0: 5\r\n",
        "space before its name": b" Content-Length: 5\r\n",
    }.items():
        yield Case(f"Content-Length {name}", POST + lines + b"\r\nhello", 400)
    # An underscore is another name, and so there is no body.
    yield Case("Content_Length", POST + b"Content_Length: 5\r\n\r\n", b"")


def _codings() -> Iterator[Case]:
    verdicts: dict[bytes, bytes | int] = {
        b" chunked": b"hello",
        b"chunked": b"hello",
        b" Chunked": b"hello",
        b" CHUNKED": b"hello",
        b"\tchunked": b"hello",
        b" chunked ": b"hello",
        b" chunked, identity": 400,
        b" identity, chunked": 501,
        b" gzip, chunked": 501,
        b" chunked, chunked": 400,
        b" chunked,": 400,
        b" ,chunked": 501,
        b" xchunked": 400,
        b" chunkedx": 400,
        b" chun ked": 400,
        b" chunk": 400,
        b" chunked;q=1": 400,
        b' "chunked"': 400,
        b" identity": 400,
        b"": 400,
        b" chunked\x0b": 400,
        b" \x0bchunked": 400,
        b" chunked\0": 400,
        b" chunked\xa0": 400,
        b" chunked gzip": 400,
    }
    for value, verdict in verdicts.items():
        wire = POST + b"Transfer-Encoding:" + value + b"\r\n\r\n" + HELLO
        yield Case(f"Transfer-Encoding:{_short(value)}", wire, verdict)
    for name, lines, status in (
        ("twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("and identity", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400),
        ("behind identity", b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", 501),
        ("and an empty one", b"Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", 400),
        ("folded", b"Transfer-Encoding:\r\n chunked\r\n", 400),
        ("folded behind", b"Transfer-Encoding: chunked\r\n , identity\r\n", 400),
        ("space before its colon", b"Transfer-Encoding : chunked\r\n", 400),
        ("space before its name", b" Transfer-Encoding: chunked\r\n", 400),
        ("bare CR before it", b"X: y\rTransfer-Encoding: chunked\r\n", 400),
        ("bare LF before it", b"X: y\nTransfer-Encoding: chunked\r\n", 400),
        ("and a length", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("behind a length", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        ("unknown, and a length", b"Content-Length: 5\r\nTransfer-Encoding: x\r\n", 400),
        ("empty, and a length", b"Content-Length: 5\r\nTransfer-Encoding:\r\n", 400),
        ("in the other case, and a length", b"content-length: 0\r\ntransfer-ENCODING: chunked\r\n", 400),
    ):  # fmt: skip
        yield Case(f"Transfer-Encoding {name}", POST + lines + b"\r\n" + HELLO, status)
    old = POST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Connection: keep-alive\r\n"
    yield Case("Transfer-Encoding in HTTP/1.0", old + b"Transfer-Encoding: chunked\r\n\r\n" + HELLO, 400)  # fmt: skip
    yield Case("Transfer_Encoding", POST + b"Transfer_Encoding: chunked\r\n\r\n", b"")
    yield Case("a GET with a chunked body", GET + b"Transfer-Encoding: chunked\r\n\r\n" + HELLO, b"hello")  # fmt: skip
    yield Case("a GET with a body", GET + b"Content-Length: 5\r\n\r\nhello", b"hello")


def _chunks() -> Iterator[Case]:
    last = b"0\r\n\r\n"
    verdicts: dict[str, tuple[bytes, bytes | int]] = {
        "two of them": (b"3\r\nhel\r\n2\r\nlo\r\n" + last, b"hello"),
        "none": (last, b""),
        "digits of either case": (b"a\r\n0123456789\r\nA\r\n0123456789\r\n" + last, b"0123456789" * 2),
        "zeros before the size": (b"0005\r\nhello\r\n" + last, b"hello"),
        "a last one of three zeros": (b"5\r\nhello\r\n000\r\n\r\n", b"hello"),
        "an extension": (b"5;a=b\r\nhello\r\n" + last, b"hello"),
        "an extension without a value": (b"5;a\r\nhello\r\n" + last, b"hello"),
        "a quoted extension": (b'5;a="b;\\"c"\r\nhello\r\n' + last, b"hello"),
        "a trailer": (b"5\r\nhello\r\n0\r\nX-Late: y\r\n\r\n", b"hello"),
        "five thousand zeros": (b"0" * 5000 + b"5\r\nhello\r\n" + last, 400),
        "white space before an extension": (b"5 ;a\r\nhello\r\n" + last, 400),
        "white space behind the size": (b"5 \r\nhello\r\n" + last, 400),
        "a tab behind the size": (b"5\t\r\nhello\r\n" + last, 400),
        "white space before the size": (b" 5\r\nhello\r\n" + last, 400),
        "an extension that ends with LF": (b"5;a\nhello\r\n" + last, 400),
        "an extension with CR": (b"5;a\rb\r\nhello\r\n" + last, 400),
        "an extension with NUL": (b"5;a\0b\r\nhello\r\n" + last, 400),
        "an extension of CRLF in quotes": (b'5;a="\r\nhello\r\n' + last, 400),
        "an extension without a name": (b"5;\r\nhello\r\n" + last, 400),
        "extensions without end": (b"5;" + b"a" * 5000 + b"\r\nhello\r\n" + last, 400),
        "too many extensions": ((b"1;" + b"a" * 500 + b"\r\nx\r\n") * 10 + last, 400),
        "LF behind the size": (b"5\nhello\r\n" + last, 400),
        "LF behind the data": (b"5\r\nhello\n" + last, 400),
        "LF behind the last": (b"5\r\nhello\r\n0\n\r\n", 400),
        "LF at the very end": (b"5\r\nhello\r\n0\r\n\n", 400),
        "CR only": (b"5\rhello\r0\r\r", 400),
        "0x5": (b"0x5\r\nhello\r\n" + last, 400),
        "+5": (b"+5\r\nhello\r\n" + last, 400),
        "-5": (b"-5\r\nhello\r\n" + last, 400),
        "5_0": (b"5_0\r\nhello\r\n" + last, 400),
        "no size": (b"\r\nhello\r\n" + last, 400),
        "an extension instead of a size": (b";a\r\nhello\r\n" + last, 400),
        "2^64 and 5": (b"10000000000000005\r\nhello\r\n" + last, 400),
        "2^63": (b"8000000000000000\r\nhello\r\n" + last, 413),
        "2^32 and 5": (b"100000005\r\nhello\r\n" + last, 413),
        "no CRLF behind the data": (b"5\r\nhello" + last, 400),
        "a size too small": (b"4\r\nhello\r\n" + last, 400),
        "a size too large": (b"6\r\nhello\r\n" + last, 400),
        "no end": (b"5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        "a folded trailer": (b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n", 400),
        "a trailer with a space before its colon": (b"5\r\nhello\r\n0\r\nX : y\r\n\r\n", 400),
        "a trailer with a space before it": (b"5\r\nhello\r\n0\r\n X: y\r\n\r\n", 400),
        "a trailer without colon": (b"5\r\nhello\r\n0\r\nX\r\n\r\n", 400),
        "a trailer that ends with LF": (b"5\r\nhello\r\n0\r\nX: y\n\r\n", 400),
        "a trailer with NUL": (b"5\r\nhello\r\n0\r\nX: y\0\r\n\r\n", 400),
        "a trailer with CR": (b"5\r\nhello\r\n0\r\nX: y\rZ: w\r\n\r\n", 400),
    }  # fmt: skip
    for name, (body, verdict) in verdicts.items():
        yield Case(f"chunks: {name}", CHUNKED + body, verdict)
    for name_ in (
        b"Content-Length", b"transfer-encoding", b"Host", b"Connection", b"Upgrade", b"Expect",
        b"Content-Type", b"Authorization", b"Origin", b"Cookie", b"Mcp-Session-Id", b"X-Forwarded-For",
    ):  # fmt: skip
        wire = CHUNKED + b"5\r\nhello\r\n0\r\n" + name_ + b": close\r\n\r\n"
        yield Case(f"chunks: {name_.decode()} as a trailer", wire, 400)


def _lines() -> Iterator[Case]:
    first = b"GET / HTTP/1.1"
    host = b"Host: localhost"
    end = b"\r\n\r\n"
    verdicts: dict[str, tuple[bytes, bytes | int]] = {
        "empty lines before": (b"\r\n\r\n" + GET + b"\r\n", b""),
        "a tab in a value": (GET + b"X: a\tb\r\n\r\n", b""),
        "Latin-1 in a value": (GET + b"X: \xe9\r\n\r\n", b""),
        "values that are empty": (GET + b"X:\r\nY: \r\n\r\n", b""),
        "every character of a name": (GET + b"!#$%&'*+-.^_`|~1aZ: x\r\n\r\n", b""),
        "too many empty lines before": (b"\r\n" * 100 + GET + b"\r\n", 400),
        "LF only": (GET.replace(b"\r", b"") + b"\n", 400),
        "LF behind the first line": (first + b"\n" + host + end, 400),
        "LF behind a header": (first + b"\r\n" + host + b"\nX: y" + end, 400),
        "LF at the end of the head": (GET + b"\n", 400),
        "LF before": (b"\n" + GET + b"\r\n", 400),
        "CR before": (b"\r" + GET + b"\r\n", 400),
        "CR behind the first line": (first + b"\r" + host + end, 400),
        "CR behind a header": (first + b"\r\n" + host + b"\rX: y" + end, 400),
        "CR CR LF": (first + b"\r\n" + host + b"\r" + end, 400),
        "CR at the end of the head": (GET + b"\rX", 400),
        "NUL in a value": (GET + b"X: a\0b" + end, 400),
        "NUL in a name": (GET + b"X\0: a" + end, 400),
        "a control character in a value": (GET + b"X: a\x01" + end, 400),
        "DEL in a value": (GET + b"X: a\x7f" + end, 400),
        "a folded value": (GET + b"X: a\r\n b" + end, 400),
        "a value folded with a tab": (GET + b"X: a\r\n\tb" + end, 400),
        "an empty value, folded": (GET + b"X:\r\n b" + end, 400),
        "a folded Host": (GET + b" .evil.example" + end, 400),
        "a line of white space": (GET + b" \r\nX: y" + end, 400),
        "white space before the first header": (first + b"\r\n " + host + end, 400),
        "a tab before the first header": (first + b"\r\n\t" + host + end, 400),
        "white space before a colon": (GET + b"X : a" + end, 400),
        "a tab before a colon": (GET + b"X\t: a" + end, 400),
        "no colon": (GET + b"X" + end, 400),
        "no name": (GET + b": a" + end, 400),
        "a name with parentheses": (GET + b"X(y): a" + end, 400),
        "a name with Latin-1": (GET + b"X\xe9: a" + end, 400),
        "a name with a slash": (GET + b"X/Y: a" + end, 400),
        "a name with quotes": (GET + b'"X": a' + end, 400),
        "no Host": (first + end, 400),
        "two Hosts": (GET + host + end, 400),
        "two Hosts, one empty": (first + b"\r\nHost:\r\n" + host + end, 400),
        "two Hosts, in two cases": (GET + b"HOST: evil.example" + end, 400),
        "two media types": (GET + b"Content-Type: application/json\r\nContent-Type: text/plain" + end, 400),
        "two Origins": (GET + b"Origin: null\r\nOrigin: http://localhost" + end, 400),
        "two Authorizations": (GET + b"Authorization: a\r\nAuthorization: b" + end, 400),
        "two sessions": (GET + b"Mcp-Session-Id: a\r\nMcp-Session-Id: b" + end, 400),
        "two versions of MCP": (GET + b"MCP-Protocol-Version: a\r\nMCP-Protocol-Version: a" + end, 400),
    }  # fmt: skip
    for name, (wire, verdict) in verdicts.items():
        yield Case(name, wire, verdict)
    for value in (
        b"a, localhost", b"u@localhost", b"localhost/x", b"local host", b"localhost:80:80", b"localhost:http",
        b"[::1", b"[::1]x", b"[localhost]", b"::1", b"localhost#", b"localhost?x", b"localhost\\x", b"\xe9",
    ):  # fmt: skip
        yield Case(f"Host: {_short(value)}", first + b"\r\nHost: " + value + end, 400)


def _first_lines() -> Iterator[Case]:
    host = b"\r\nHost: localhost\r\n\r\n"
    verdicts: dict[bytes, bytes | int] = {
        b"GET / HTTP/1.1": b"",
        b"OPTIONS * HTTP/1.1": b"",
        b"OPTIONS /mcp HTTP/1.1": b"",
        b"TRACE / HTTP/1.1": b"",
        b"GET http://localhost/x HTTP/1.1": b"",
        b"GET HTTPS://LOCALHOST HTTP/1.1": b"",
        b"GET http://localhost?x HTTP/1.1": b"",
        b"GET /mcp?a=http://b/../%zz HTTP/1.1": b"",
        b"GET /caf%C3%A9/%252e%252e/a...b HTTP/1.1": b"",
        b"GET http://evil.example/ HTTP/1.1": 400,
        b"GET http://localhost:80/ HTTP/1.1": 400,
        b"GET http://u@localhost/ HTTP/1.1": 400,
        b"GET http:///x HTTP/1.1": 400,
        b"GET http:// HTTP/1.1": 400,
        b"GET http:/x HTTP/1.1": 400,
        b"GET ftp://localhost/ HTTP/1.1": 400,
        b"GET localhost:80 HTTP/1.1": 400,
        b"GET localhost HTTP/1.1": 400,
        b"GET ?x HTTP/1.1": 400,
        b"GET * HTTP/1.1": 400,
        b"OPTIONS *x HTTP/1.1": 400,
        b"CONNECT localhost:80 HTTP/1.1": 501,
        b"CONNECT /mcp HTTP/1.1": 501,
        b"get / HTTP/1.1": 501,
        b"Get / HTTP/1.1": 501,
        b"GETX / HTTP/1.1": 501,
        b"BREW / HTTP/1.1": 501,
        b"GET/ HTTP/1.1": 400,
        b"G\0ET / HTTP/1.1": 400,
        b" GET / HTTP/1.1": 400,
        b"GET  / HTTP/1.1": 400,
        b"GET /  HTTP/1.1": 400,
        b"GET\t/ HTTP/1.1": 400,
        b"GET /\tHTTP/1.1": 400,
        b"GET / HTTP/1.1 ": 400,
        b"GET / HTTP/1.1 HTTP/1.1": 400,
        b"GET /a b HTTP/1.1": 400,
        b"GET  HTTP/1.1": 400,
        b"GET HTTP/1.1": 400,
        b"GET /": 400,
        b"GET": 400,
        b"GET / HTTP/0.9": 505,
        b"GET / HTTP/1.2": 505,
        b"GET / HTTP/2.0": 505,
        b"GET / HTTP/3.0": 505,
        b"GET / HTTP/9.9": 505,
        b"PRI * HTTP/2.0": 505,
        b"GET / http/1.1": 400,
        b"GET / Http/1.1": 400,
        b"GET / HTTP/1.10": 400,
        b"GET / HTTP/01.1": 400,
        b"GET / HTTP/1.": 400,
        b"GET / HTTP/1,1": 400,
        b"GET / HTTP/1": 400,
        b"GET / HTTP /1.1": 400,
        b"GET / RTSP/1.0": 400,
        b"DESCRIBE / RTSP/1.1": 400,
        b"SOURCE / ICE/1.0": 400,
        b"GET / XTTP/1.1": 400,
        b"GET /\0 HTTP/1.1": 400,
        b"GET /\x01 HTTP/1.1": 400,
        b"GET /\x7f HTTP/1.1": 400,
        b"GET /\xc3\xa9 HTTP/1.1": 400,
        b"GET /#x HTTP/1.1": 400,
        b"GET /?a#x HTTP/1.1": 400,
        b"GET /\\mcp HTTP/1.1": 400,
        b'GET /" HTTP/1.1': 400,
        b"GET /<x> HTTP/1.1": 400,
        b"GET /%zz HTTP/1.1": 400,
        b"GET /% HTTP/1.1": 400,
        b"GET /%4 HTTP/1.1": 400,
        b"GET /%u002f HTTP/1.1": 400,
        b"GET /%00 HTTP/1.1": 400,
        b"GET /%0d%0aX:%20y HTTP/1.1": 400,
        b"GET /%7f HTTP/1.1": 400,
        b"GET /%c2%85 HTTP/1.1": 400,
        b"GET /mcp%2fx HTTP/1.1": 400,
        b"GET /mcp%2Fx HTTP/1.1": 400,
        b"GET /mcp%5cx HTTP/1.1": 400,
        b"GET /mcp/../x HTTP/1.1": 400,
        b"GET /mcp/./x HTTP/1.1": 400,
        b"GET /mcp/.. HTTP/1.1": 400,
        b"GET /mcp/%2e%2e/x HTTP/1.1": 400,
        b"GET /mcp/.%2E HTTP/1.1": 400,
        b"GET /%c0%af HTTP/1.1": 400,
        b"GET /%c0%ae%c0%ae/x HTTP/1.1": 400,
        b"GET /%e0%80%af HTTP/1.1": 400,
        b"GET /%ff HTTP/1.1": 400,
        b"GET /%ed%a0%80 HTTP/1.1": 400,
        b"GET /%f8%80%80%80%af HTTP/1.1": 400,
    }
    for line, verdict in verdicts.items():
        yield Case(_short(line), line + host, verdict)
    yield Case("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)
    yield Case("a hello of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400)
    yield Case("a request of SOCKS", b"\x05\x01\x00", 400)
    old = b"GET http://evil.example/ HTTP/1.0\r\nConnection: keep-alive\r\n"
    yield Case("HTTP/1.0 with another Host than target", old + b"Host: localhost\r\n\r\n", 400)


def _offers() -> Iterator[Case]:
    h2c = POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
    expect = POST + b"Content-Length: 5\r\nExpect: "
    yield Case("h2c with a body", h2c + b"Content-Length: 5\r\n\r\nhello", b"hello")
    yield Case("h2c with chunks", h2c + b"Transfer-Encoding: chunked\r\n\r\n" + HELLO, b"hello")
    yield Case("h2c without a body", h2c + b"\r\n", b"")
    yield Case("h2c with two lengths", h2c + b"Content-Length: 5\r\nContent-Length: 4\r\n\r\nhello", 400)  # fmt: skip
    yield Case("h2c with both framings", h2c + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + HELLO, 400)  # fmt: skip
    yield Case("Upgrade without Connection", POST + b"Upgrade: h2c\r\n\r\n", b"")
    yield Case("Connection: content-length", POST + b"Connection: content-length\r\nContent-Length: 5\r\n\r\nhello", b"hello")  # fmt: skip
    yield Case("Expect: 100-Continue", expect + b"100-Continue\r\n\r\nhello", b"hello")
    yield Case("Expect: tea", expect + b"tea\r\n\r\nhello", 417)
    yield Case("Expect: 100-continue, tea", expect + b"100-continue, tea\r\n\r\nhello", 417)
    yield Case("two Expects", expect + b"100-continue\r\nExpect: 100-continue\r\n\r\nhello", 400)
    yield Case("Expect with a body too large", POST + b"Expect: 100-continue\r\nContent-Length: 4194305\r\n\r\n", 413)  # fmt: skip


def _sizes() -> Iterator[Case]:
    yield Case("a target of 8 KB", b"GET /" + b"a" * 8191 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"")  # fmt: skip
    yield Case("a target too long", b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414)  # fmt: skip
    yield Case("a target without end", b"GET /" + b"a" * 200_000, 414)
    yield Case("a method without end", b"G" * 200_000, 400)
    yield Case("one header too long", GET + b"X: " + b"a" * 40_000 + b"\r\n\r\n", 431)
    yield Case("one header without end", GET + b"X: " + b"a" * 200_000, 431)
    yield Case("a name without end", GET + b"X" * 200_000, 431)
    yield Case("99 more headers", GET + b"X: y\r\n" * 99 + b"\r\n", b"")
    yield Case("100 more headers", GET + b"X: y\r\n" * 100 + b"\r\n", 431)
    yield Case("100 names", GET + b"".join(b"X%d: y\r\n" % n for n in range(100)) + b"\r\n", 431)
    yield Case("chunks too large together", CHUNKED + (b"40000\r\n" + b"x" * 0x40000 + b"\r\n") * 17, 413)  # fmt: skip
    yield Case("a trailer too long", CHUNKED + b"0\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 431)
    yield Case("trailers without end", CHUNKED + b"0\r\n" + b"X: y\r\n" * 5000, 431)


def _short(value: bytes) -> str:
    text = repr(value)[2:-1]
    return text if len(text) < 60 else f"{text[:50]}… ({len(value)} bytes)"


CASES: Final = tuple(
    case
    for group in (_lengths, _codings, _chunks, _lines, _first_lines, _offers, _sizes)
    for case in group()
)
