"""Which stage of a request a stack belongs to.

A frame belongs to the stage whose place it is found at; the innermost frame that has a stage decides.
What serves many (the standard library, `supervisors`) has none, and counts for whoever called it.
"""

from collections.abc import Sequence

Frame = tuple[str, str]
"""File and qualified name of a function."""

STAGES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("read", "take bytes from the socket", ("erlmcp_py/transports/net/wire.py Wire.read",)),
    ("parse", "HTTP: head, headers, body", ("erlmcp_py/transports/http/request",)),
    (
        "decode",
        "JSON to a typed message",
        ("erlmcp_py/protocol/jsonrpc.py decode", "erlmcp_py/protocol/jsonrpc.py params_as"),
    ),
    (
        "decide",
        "path, host, origin, media types, `_meta`, mirrored headers",
        (
            "erlmcp_py/transports/http/endpoint.py",
            "erlmcp_py/transports/http/access.py",
            "erlmcp_py/transports/http/mirrored.py",
            "erlmcp_py/protocol/meta.py",
            "erlmcp_py/protocol/headers.py",
            "erlmcp_py/protocol/versions.py",
        ),
    ),
    (
        "lookup",
        "name of the server to its process",
        ("erlmcp_py/transports/http/calling.py find_server", "erlmcp_py/registry.py"),
    ),
    (
        "dispatch",
        "to the server's process and back: call, mailbox, bookkeeping of the call",
        (
            "erlmcp_py/transports/http/exchange.py",
            "erlmcp_py/transports/http/calling.py",
            "erlmcp_py/transports/outlet.py",
            "erlmcp_py/server/",
        ),
    ),
    (
        "validate",
        "arguments by the input schema, the result by the output schema",
        (
            "erlmcp_py/server/schema.py",
            "erlmcp_py/server/validation.py",
            "erlmcp_py/server/results.py",
        ),
    ),
    ("handler", "the tool itself", ("bench/mcp/ours.py",)),
    (
        "encode",
        "answer to JSON and to an HTTP response",
        (
            "erlmcp_py/protocol/jsonrpc.py",
            "erlmcp_py/protocol/shape",
            "erlmcp_py/transports/http/response.py",
            "erlmcp_py/transports/http/answering.py",
        ),
    ),
    (
        "write",
        "give bytes to the socket",
        (
            "erlmcp_py/transports/net/wire.py Wire.flush",
            "erlmcp_py/transports/net/wire.py Wire.write",
        ),
    ),
    (
        "connection",
        "the connection's own loop and counters",
        ("erlmcp_py/transports/http/connection.py", "erlmcp_py/transports/net/"),
    ),
    ("loop", "trio: epoll, rescheduling, cancellation", ("/trio/",)),
)
"""Name, what it is, and places: a part of a file's path, or all of it, a blank and a function."""

UNKNOWN = "other"


def stage_of(stack: Sequence[Frame]) -> str:
    """The stage of a stack, innermost frame first."""
    for file, function in stack:
        best = ("", 0)
        for name, _, places in STAGES:
            for place in places:
                path, _, wanted = place.partition(" ")
                # The longest place wins: a function before its file, a file before its directory.
                fits = path in file and (not wanted or function == wanted)
                if fits and len(place) > best[1]:
                    best = (name, len(place))
        if best[0]:
            return best[0]
    return UNKNOWN
