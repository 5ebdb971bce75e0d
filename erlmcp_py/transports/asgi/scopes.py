"""From the scope of an ASGI server to the head of a request.

What a host passes on was read by its own parser, and the framing is its business. What means more than one
thing to whoever reads the headers is refused here as on a socket of our own, and so is what is too long.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from erlmcp_py.protocol.refusals import INVALID_HEADER, TOO_LARGE
from erlmcp_py.transports.http.malformed import Malformed
from erlmcp_py.transports.http.request import SINGLE, HttpLimits, HttpRequest
from erlmcp_py.transports.net.address import format_address

Scope = MutableMapping[str, Any]


def prefix(scope: Scope) -> str:
    """The path at which the application is mounted, without a slash at its end."""
    root: str = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    return root if path == root or path.startswith(root + "/") else ""


def peer(scope: Scope) -> str:
    """Who calls, as the host says."""
    client = scope.get("client")
    return "unknown" if client is None else format_address(client[0], client[1] or 0)


def read_head(scope: Scope, limits: HttpLimits) -> HttpRequest:
    """The request without its body. Raises Malformed."""
    query: bytes = scope.get("query_string", b"")
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if len(raw) + len(query) + 1 > limits.max_target:
        text = f"the request target is longer than {limits.max_target} bytes"
        raise Malformed(414, text, TOO_LARGE)
    headers, size = {}, len(raw) + len(query)
    for number, (name, value) in enumerate(scope["headers"]):
        size += len(name) + len(value) + 4
        if number >= limits.max_headers:
            raise Malformed(431, f"more than {limits.max_headers} header lines", TOO_LARGE)
        if size > limits.max_head:
            text = f"the request head is larger than {limits.max_head} bytes"
            raise Malformed(431, text, TOO_LARGE)
        name, value = name.lower(), bytes(value)
        if name not in headers:
            headers[name] = value
        elif name in SINGLE:
            title = name.decode("latin-1").title()
            raise Malformed(400, f"more than one {title} header", INVALID_HEADER)
        else:
            headers[name] += b", " + value
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and (len(announced) > 19 or int(announced) > limits.max_body):
        raise too_large(limits)
    path = scope["path"].removeprefix(prefix(scope))
    return HttpRequest(
        scope["method"], path, query.decode("latin-1"), headers, b"", True, scope["http_version"]
    )


def too_large(limits: HttpLimits) -> Malformed:
    """A body."""
    return Malformed(413, f"the body is larger than {limits.max_body} bytes", TOO_LARGE)
