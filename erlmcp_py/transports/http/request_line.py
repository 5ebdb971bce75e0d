"""The first line of a request: method, target and version, judged as strictly as their grammar is.

llhttp takes a line with several spaces in it, and RTSP's and ICE's requests besides HTTP's. Other
servers do not, so such a line is refused here: see `request` for why.

A target is read in one way or not at all. A path names exactly one place: "%2F" is a slash to those
who decode before they split and none to those who split first, "/a/../b" is "/b" to some, an overlong
"%C0%AF" is a slash to careless decoders, and a NUL ends a string in C. None of them has a use in the
paths that are served here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from erlmcp_py.protocol.refusals import PATH_NOT_CANONICAL, TOO_LARGE
from erlmcp_py.transports.http.access import is_host
from erlmcp_py.transports.http.malformed import Malformed

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_LINE: Final = re.compile(rb"(" + _TOKEN + rb"{1,32}) ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])")
# The same as far as it has come; the target is its only group.
_BEGUN: Final = re.compile(
    _TOKEN + rb"{1,32}(?: (?:([\x21-\x7e]+)"
    rb"(?: (?:H(?:T(?:T(?:P(?:/(?:[0-9](?:\.(?:[0-9]\r?)?)?)?)?)?)?)?)?)?)?)?"
)
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]+)(/[^?]*)?(?:\?(.*))?", re.IGNORECASE)
# RFC 3986, 3.3, and what some clients leave as it is though it should be encoded
_PATH: Final = re.compile(rb"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/|^\[\]]|%[0-9A-Fa-f]{2})*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DOTS: Final = frozenset({".", ".."})
_TLS: Final = b"\x16\x03"
_REMEMBERED: Final = 256


class RequestLine(msgspec.Struct, frozen=True):
    """What the line says. authority: of an absolute target, else None. version: "1.1" or "1.0"."""

    method: str
    path: str
    query: str
    authority: bytes | None
    version: str


def read_line(line: bytes, max_target: int) -> RequestLine:
    """A whole line, without its end. Raises Malformed."""
    if len(line) > max_target:  # else the target cannot be too long
        check_begun(line, max_target)
    return _read(line)


def check_begun(line: bytes, max_target: int) -> None:
    """Judge as much of a line as there is, so that nobody waits for the rest of one that is wrong.

    Raises Malformed, at the same byte however the line was cut.
    """
    begun = _BEGUN.match(line)
    target = None if begun is None else begun[1]
    if target is not None and len(target) > max_target:
        raise Malformed(414, f"the request target is longer than {max_target} bytes", TOO_LARGE)
    if begun is None or begun.end() < len(line):
        raise _malformed(line)


def _malformed(line: bytes) -> Malformed:
    if line.startswith(_TLS[: len(line)]):
        return Malformed(400, "this port speaks HTTP, not TLS")
    return Malformed(400, "a request begins with METHOD TARGET HTTP/1.1, one space between them")


@lru_cache(_REMEMBERED)
def _read(line: bytes) -> RequestLine:
    found = _LINE.fullmatch(line)
    if found is None:
        raise _malformed(line)
    method, target, version = found[1].decode(), found[2], found[3].decode()
    if version not in ("1.1", "1.0"):
        raise Malformed(505, "only HTTP/1.1 and HTTP/1.0 are served")
    if method == "CONNECT":
        raise Malformed(501, "CONNECT is not served: this is no proxy")
    return RequestLine(method, *_split(method, target), version)


def _split(method: str, target: bytes) -> tuple[str, str, bytes | None]:
    """Path, query and authority of a target (RFC 9112, 3.2)."""
    if target == b"*":
        if method != "OPTIONS":
            raise Malformed(400, "the request target * is for OPTIONS")
        return "*", "", None
    if b"#" in target:
        raise Malformed(400, "a request target has no fragment (#)")
    authority: bytes | None = None
    if target[:1] == b"/":
        raw, _, query = target.partition(b"?")
    else:
        found = _ABSOLUTE.fullmatch(target)
        if found is None or not is_host(found[1]):
            raise Malformed(400, "a request target is a path, or http://HOST/PATH")
        authority, raw, query = found[1], found[2] or b"/", found[3] or b""
    return _path(raw), query.decode("ascii"), authority


def _path(raw: bytes) -> str:
    if not _PATH.fullmatch(raw):
        raise Malformed(400, "the path has a character that must be percent-encoded, or a bare %")
    path = raw.decode("ascii")
    if "%" in path:
        path = _decoded(raw)
    if "." in path and not _DOTS.isdisjoint(path.split("/")):
        raise Malformed(400, 'the path has a segment "." or ".."', PATH_NOT_CANONICAL)
    return path


def _decoded(raw: bytes) -> str:
    lower = raw.lower()
    if b"%2f" in lower or b"%5c" in lower:
        raise Malformed(400, "the path has an encoded slash or backslash", PATH_NOT_CANONICAL)
    try:
        path = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(
            400, "the path is not UTF-8 when it is decoded", PATH_NOT_CANONICAL
        ) from None
    if _CONTROL.search(path):
        raise Malformed(400, "the path has an encoded control character", PATH_NOT_CANONICAL)
    return path
