"""A request of a session or a task that another worker keeps: its connection is moved there.

The request has been read to its end by then, so it is written down once more for the other worker, as
plain as HTTP allows. A client that has sent the beginning of its next request already stays, and is told
404, which makes it open a new session: what the parser has seen of half a request cannot be had back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import trio

from erlmcp_py.protocol.jsonrpc import Request
from erlmcp_py.transports.http.plans import Deliver, EndSession, Invoke, OpenStream, Plan, PostSse
from erlmcp_py.transports.http.request import HttpRequest
from erlmcp_py.workers.company import Letter

if TYPE_CHECKING:
    from erlmcp_py.transports.http.connection import Connection

_FRAMING: Final = (b"content-length", b"transfer-encoding", b"expect")


async def moved(connection: Connection, http: HttpRequest, plan: Plan) -> bool:
    """Whether the connection is somebody else's now, and this process has nothing more to do."""
    kept = _kept(plan)
    company = connection.config.company
    worker = None if company is None or kept is None else company.elsewhere(kept)
    if company is None or worker is None:
        return False
    wire = connection.wire
    await wire.flush()
    descriptor = wire.descriptor
    if descriptor is None or wire.gone:
        return False
    letter = Letter(connection.config.name, connection.peer)
    try:
        taken = await company.hand_over(worker, descriptor, letter, write_down(http))
    except trio.TooSlowError:
        taken = True  # nobody knows, and two must not answer: closing it is what remains
    wire.gone |= taken
    return taken


def _kept(plan: Plan) -> str | None:
    """The id of what the request is about, if it is something that one worker keeps."""
    match plan:
        case Deliver() | OpenStream() | EndSession() | PostSse():
            return plan.session
        case Invoke(request=Request(method=method), meta=meta) if method.startswith("tasks/"):
            return meta.target
    return None


def write_down(http: HttpRequest) -> bytes:
    """The request as bytes that are read as the same request."""
    target = quote(http.path, safe="/-._~!$&'()*+,;=:@").encode("ascii")
    if http.query:
        target += b"?" + http.query.encode("latin-1")
    lines = [b"%s %s HTTP/%s" % (http.method.encode(), target, http.version.encode())]
    lines += [name + b": " + value for name, value in http.headers.items() if name not in _FRAMING]
    if http.body or http.method == "POST":
        lines.append(b"content-length: %d" % len(http.body))
    return b"\r\n".join([*lines, b"", http.body])
