"""Whether our parser's reading of a stream is the only one there is."""

from __future__ import annotations

from urllib.parse import unquote

from erlmcp_py.transports.http.request import Fault, HttpRequest
from tests.attack.http import strict


def disagreement(stream: bytes, events: list[HttpRequest | Fault]) -> str | None:
    """In which way the strict reader sees the stream otherwise; None if it does not.

    We may refuse more than it does; never take what it refuses, or take it for something else.
    """
    requests, end = strict.read(stream)
    ours = [event for event in events if isinstance(event, HttpRequest)]
    faults = [event for event in events if isinstance(event, Fault)]
    if len(ours) > len(requests):
        return f"request {len(requests)} was accepted; the strict reader: {end}"
    for number, (mine, theirs) in enumerate(zip(ours, requests, strict=False)):
        if difference := _difference(mine, theirs):
            return f"request {number}: {difference}"
    if not faults and len(ours) < len(requests):
        return f"request {len(ours)} is whole, and neither accepted nor refused"
    return None


def _difference(ours: HttpRequest, theirs: strict.Read) -> str | None:
    fields: dict[bytes, bytes] = {}
    for name, value in theirs.fields:
        fields[name] = fields[name] + b", " + value if name in fields else value
    if ours.version == "1.0" and b"host" not in fields:
        fields |= {b"host": ours.headers[b"host"]} if b"host" in ours.headers else {}
    pairs = [
        (ours.method, theirs.method.decode()),
        (ours.version, theirs.version.decode()),
        (ours.body, theirs.body),
        (ours.keep_alive, theirs.keep_alive),
        (ours.headers, fields),
    ]
    target = theirs.target.decode()
    if not target.startswith(("/", "*")):
        authority, _, rest = target.partition("://")[2].partition("/")
        authority, mark, query = authority.partition("?")
        target = f"/{mark}{query}" if mark else "/" + rest
    path, _, query = target.partition("?")
    pairs += [(ours.path, unquote(path, errors="strict")), (ours.query, query)]
    wrong = [pair for pair in pairs if pair[0] != pair[1]]
    return f"{wrong[0][0]!r} is {wrong[0][1]!r} to the strict reader" if wrong else None
