"""What a client may send that nobody should: strategies for messages, lines, and HTTP requests.

Everything begins as a good request of some revision. Then members are dropped, replaced, added or
said twice, the id becomes something else, the text is damaged; the headers of HTTP likewise.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from erlmcp_py.protocol.meta import CLIENT_CAPABILITIES, CLIENT_INFO, LOG_LEVEL, PROTOCOL_VERSION
from erlmcp_py.protocol.versions import LATEST, LEGACY
from tests.erlmcp_py.protocol.test_bad_input import scalars, values
from tests.fuzz.world import CURSORS, LINE_LIMIT, PROMPT, RESOURCE, SERVER, STATES, TEMPLATE, TOOLS

ACCEPT = "application/json, text/event-stream"
DEEP = 200

INFO = {"name": "fuzz", "version": "0"}
ABLE: dict[str, Any] = {"elicitation": {}, "sampling": {}, "roots": {}}

some = st.sampled_from
maybe = some([True, False, False])
rarely = some([True] + [False] * 9)

versions = some([*LEGACY, LATEST, "1999-01-01", "", "2026-07-29", "é"])
names = some([*TOOLS, "no_such_tool", ""])
uris = some(
    [
        RESOURCE,
        TEMPLATE.format(id=7),
        "fuzz://nothing",
        "",
        "no uri",
        "fuzz://items/x",
        "fuzz://items/%ZZ",
    ]
)
ids = (
    st.integers(-5, 5)
    | some(["", "a", "1", "é😀", "x" * 200])
    | some([0, 2**53 + 1, 2**63, 2**64, 10**40, -(10**40)])
)
ids_of_nobody = st.none() | st.booleans() | st.floats(allow_nan=False) | values
cursors = st.none() | some(CURSORS) | st.text(max_size=5)
arguments = {
    "echo": st.fixed_dictionaries({"text": st.text(max_size=4)}),
    "later": st.fixed_dictionaries({"seconds": some([0, 0.01, 1, 1e9, 1e308])}),
}


def _lists(draw: Any) -> dict[str, Any]:
    cursor = draw(cursors)
    return {} if cursor is None else {"cursor": cursor}


def _call(draw: Any) -> dict[str, Any]:
    name = draw(names)
    params: dict[str, Any] = {"name": name}
    if name in arguments:
        params["arguments"] = draw(arguments[name])
    if draw(rarely):
        params["requestState"] = draw(some(STATES))
    if draw(rarely):
        answer = {"action": "accept", "content": {"name": "Ada"}}
        params["inputResponses"] = {"elicit-1": draw(st.just(answer) | values)}
    return params


def _listen(draw: Any) -> dict[str, Any]:
    wanted: dict[str, Any] = {"toolsListChanged": True}
    if draw(maybe):
        wanted["resourceSubscriptions"] = [draw(uris)]
    return {"notifications": wanted}


PARAMS: dict[str, Any] = {
    "tools/list": _lists,
    "resources/list": _lists,
    "resources/templates/list": _lists,
    "prompts/list": _lists,
    "tools/call": _call,
    "resources/read": lambda draw: {"uri": draw(uris)},
    "resources/subscribe": lambda draw: {"uri": draw(uris)},
    "resources/unsubscribe": lambda draw: {"uri": draw(uris)},
    "prompts/get": lambda draw: {"name": draw(some([PROMPT, "x"])), "arguments": {"name": "Ada"}},
    "completion/complete": lambda draw: {
        "ref": draw(
            some(
                [{"type": "ref/prompt", "name": PROMPT}, {"type": "ref/resource", "uri": TEMPLATE}]
            )
        ),
        "argument": {"name": "name", "value": "A"},
    },
    "logging/setLevel": lambda draw: {"level": draw(some(["debug", "error"]))},
    "initialize": lambda draw: {
        "protocolVersion": draw(versions),
        "capabilities": draw(some([{}, ABLE])),
        "clientInfo": INFO,
    },
    "server/discover": lambda _draw: {},
    "ping": lambda _draw: {},
    "subscriptions/listen": _listen,
    "tasks/get": lambda _draw: {"taskId": "nobody"},
    "no/such": lambda _draw: {},
    "": lambda _draw: {},
}
methods = some(["tools/call"] * 6 + [*PARAMS])
NOTICES: dict[str, Any] = {
    "notifications/cancelled": lambda draw: {"requestId": draw(ids)},
    "notifications/initialized": lambda _draw: {},
    "notifications/progress": lambda draw: {"progressToken": draw(ids), "progress": 1},
    "notifications/roots/list_changed": lambda _draw: {},
    "notifications/no_such": lambda _draw: {},
}
notices = some([*NOTICES])


def meta(draw: Any, era: str) -> dict[str, Any]:
    """`_meta` as that era has it."""
    found: dict[str, Any] = {}
    if era == "modern":
        found[PROTOCOL_VERSION] = draw(versions) if draw(rarely) else LATEST
        found[CLIENT_CAPABILITIES] = draw(some([{}, ABLE]))
        if draw(maybe):
            found[CLIENT_INFO] = INFO
        if draw(maybe):
            found[LOG_LEVEL] = "info"
    if draw(maybe):
        found["progressToken"] = draw(ids)
    return found


@st.composite
def messages(draw: Any, era: str) -> dict[str, Any]:
    """A good message: mostly a request, else a notification, a response, an error."""
    kind = draw(st.integers(0, 9))
    if kind < 7:
        method = draw(methods)
        params = PARAMS[method](draw)
        about = meta(draw, era)
        if about:
            params["_meta"] = about
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": draw(ids), "method": method}
        return {**message, "params": params} if params or draw(maybe) else message
    if kind < 9:
        method = draw(notices)
        return {"jsonrpc": "2.0", "method": method, "params": NOTICES[method](draw)}
    if draw(maybe):
        return {"jsonrpc": "2.0", "id": draw(ids), "error": {"code": -1, "message": "no"}}
    return {"jsonrpc": "2.0", "id": draw(ids), "result": {}}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a value."""
    if isinstance(value, dict):
        keys: Any = list(value)
    elif isinstance(value, list):
        keys = range(len(value))
    else:
        return
    for key in keys:
        yield value, key
        yield from places(value[key])


def change(draw: Any, message: dict[str, Any]) -> None:
    """One thing about the message becomes different."""
    found = list(places(message))
    if not found:
        return
    container, key = found[draw(st.integers(0, len(found) - 1))]
    how = draw(st.integers(0, 4))
    if how == 0:
        del container[key]
    elif how == 1:
        container[key] = draw(values)
    elif how == 2:
        container[key] = [container[key]]
    elif how == 3 and isinstance(container, dict):
        container[draw(st.text(max_size=3))] = draw(scalars)
    elif "id" in message:
        message["id"] = draw(ids_of_nobody)


def text_of(draw: Any, message: dict[str, Any]) -> bytes:
    """The message as JSON, perhaps with a member that is there twice."""
    text = json.dumps(message, ensure_ascii=draw(st.booleans()))
    if message and draw(rarely):
        key = draw(some([*message]))
        first = f"{json.dumps(key)}:{json.dumps(draw(values))}"
        text = "{" + first + "," + text[1:]
    return text.encode(errors="surrogatepass")


PIECES = [
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"\xff",
    b"\xed\xa0\x80",
    b'"\\ud800"',
    b'"',
    b"\\",
    b"{",
    b"]",
    b"\xef\xbb\xbf",
    b"\0",
    b"[" * DEEP + b"]" * DEEP,
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
]


def damage(draw: Any, data: bytes) -> bytes:
    """Bytes cut off, changed, or put in."""
    how = draw(st.integers(0, 6))
    place = draw(st.integers(0, len(data)))
    if how == 0:
        return data[:place]
    if how == 1:
        return b"[" + data + b"]"
    if how == 2:
        return data + data
    if how == 3:
        return data + b" " * LINE_LIMIT
    width = draw(st.integers(0, 3))
    return data[:place] + draw(some(PIECES)) + data[place + width :]


@st.composite
def bodies(draw: Any, era: str, *, right: bool = False) -> bytes:
    """The text of a message; right: without anything wrong about its form."""
    message = copy.deepcopy(draw(messages(era)))  # its parts may be the grammar's own
    if right:
        return json.dumps(message).encode()
    for _ in range(draw(some([0, 1, 1, 1, 2, 3]))):
        change(draw, message)
    data = text_of(draw, message)
    return damage(draw, data) if draw(rarely) else data


@st.composite
def lines(draw: Any) -> bytes:
    """A line on standard input; of whichever era, or nothing at all."""
    if draw(rarely):
        return draw(
            some([b"", b" \t", b"\r", b"null", b"[]", b"{}", b'""', b"x" * (2 * LINE_LIMIT)])
        )
    era, right = draw(some(["legacy", "modern"])), draw(maybe)
    line: bytes = draw(bodies(era, right=right))
    return line.replace(b"\n", b" ")


# --- HTTP -----------------------------------------------------------------------------------

Header = tuple[str, str]
texts = some(
    ["", "x", "application/json", "text/html", "*/*", "é", "=?base64?eA==?=", "=?base64?!?="]
)


HEADERS = {
    "modern": ["Host", "Origin", "Accept", "Content-Type", "Mcp-Param-X"]
    + ["Mcp-Method", "Mcp-Name", "MCP-Protocol-Version"] * 3,
    "legacy": ["Host", "Origin", "Accept", "Content-Type", "Last-Event-ID"]
    + ["Mcp-Session-Id", "MCP-Protocol-Version"] * 2,
}


class Shot:
    """One HTTP request. session: whether to say the session's id ("mine"), another, or none."""

    def __init__(
        self, method: str, path: str, headers: list[Header], session: str | None, body: bytes
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.session = session
        self.body = body

    def __repr__(self) -> str:
        return f"Shot({self.method!r}, {self.path!r}, {self.headers!r}, {self.session!r}, {self.body!r})"


def mirrored(body: bytes) -> list[Header]:
    """The headers that a client of the modern era makes of its message."""
    try:
        message = json.loads(body)
        method = message["method"]
        params = message.get("params", {})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    found: list[Header] = []
    if _sayable(method):
        found.append(("Mcp-Method", method))
    if isinstance(params, dict):
        meta = params.get("_meta")
        version = meta.get(PROTOCOL_VERSION) if isinstance(meta, dict) else None
        if _sayable(version):
            found.append(("MCP-Protocol-Version", version))
        key = {"resources/read": "uri", "tasks/get": "taskId"}.get(str(method), "name")
        if method in ("tools/call", "prompts/get", "resources/read", "tasks/get"):
            name = params.get(key)
            if _sayable(name):
                found.append(("Mcp-Name", name))
    return found


def _sayable(value: Any) -> bool:
    return (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and value == value.strip()
    )


@st.composite
def shots(draw: Any) -> Shot:
    """A request of which one part is wrong, mostly."""
    era = draw(some(["legacy", "modern", "modern"]))
    wrong = draw(some(["body", "body", "headers", "headers", "address", "nothing", "all"]))
    method, path = "POST", "/mcp"
    if wrong in ("address", "all"):
        method = draw(some(["POST", "GET", "DELETE", "PUT", "OPTIONS", "BREW"]))
        path = draw(some(["/mcp", f"/mcp/{SERVER}", "/mcp/nobody", "/mcp/", "/mcp/a/b", "/x"]))
    body = b""
    if method == "POST":
        body = draw(bodies(era, right=wrong not in ("body", "all")))
    headers: dict[str, str | None] = {
        "Host": "localhost",
        "Accept": ACCEPT if method == "POST" else "text/event-stream",
        "Content-Type": "application/json" if method == "POST" else None,
    }
    session = None
    if era == "modern":
        headers["MCP-Protocol-Version"] = LATEST
        headers |= dict(mirrored(body))
    else:
        headers["MCP-Protocol-Version"] = draw(some([None, LEGACY[0]]))
        session = "mine"
    if wrong in ("headers", "all"):
        name = draw(some(HEADERS[era]))
        if name == "Mcp-Session-Id":
            session = draw(some(["nobody", "", None]))
        elif name == "MCP-Protocol-Version":
            headers[name] = draw(st.none() | versions.filter(str.isascii))
        elif name == "Host":
            headers[name] = draw(some(["evil.example", "127.0.0.1:1", "[::1]", "", "a b"]))
        elif name == "Origin":
            headers[name] = draw(some(["http://evil.example", "http://localhost:1", "null"]))
        else:
            headers[name] = draw(st.none() | texts)
    pairs = [(name, value) for name, value in headers.items() if value is not None]
    return Shot(method, path, pairs, session, body)
