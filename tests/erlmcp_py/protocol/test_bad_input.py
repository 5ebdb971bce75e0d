"""Whatever arrives: a message, or the one right error (JSON-RPC 2.0; MCP, base protocol).

A second reading of the rules, slow and with the standard library's decoder, says what is right.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from erlmcp_py.protocol import jsonrpc
from erlmcp_py.protocol import types as mcp
from erlmcp_py.protocol.errors import INVALID_REQUEST, PARSE_ERROR, DecodeError, McpError
from erlmcp_py.protocol.jsonrpc import (
    MAX_DEPTH,
    ErrorResponse,
    Notification,
    Request,
    Response,
)
from erlmcp_py.protocol.meta import find_meta, read_progress_token
from erlmcp_py.protocol.methods import NOTIFICATIONS, REQUESTS

SURROGATE = "\ud800"


def depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    elif not isinstance(value, list):
        return 0
    return 1 + max(map(depth, value), default=0)


def has_surrogate(value: Any) -> bool:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return any(map(has_surrogate, value))
    return isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value)


def refuse(_constant: str) -> None:
    raise ValueError


def right(data: bytes) -> type | int:
    """The type of the message in `data`, or the code of the error it deserves."""
    everything: list[Any] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        everything.extend(map(list, pairs))  # also those that a later one of the same name hides
        return dict(pairs)

    try:
        value = json.loads(data.decode(), parse_constant=refuse, object_pairs_hook=members)
    except (ValueError, RecursionError):
        return PARSE_ERROR
    if has_surrogate([value, everything]):
        return PARSE_ERROR
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        return INVALID_REQUEST
    id = value.get("id", "absent")
    identified = type(id) in (int, str)
    if "method" in value:
        if type(value["method"]) is not str or not isinstance(value.get("params", {}), dict):
            return INVALID_REQUEST
        if depth(value.get("params")) >= MAX_DEPTH:
            return PARSE_ERROR
        if "id" not in value:
            return Notification
        return Request if identified else INVALID_REQUEST
    if "error" in value:
        error = value["error"]
        well = (
            isinstance(error, dict)
            and type(error.get("code")) is int
            and type(error.get("message")) is str
            and "result" not in value
            and (identified or id is None)
        )
        return ErrorResponse if well else INVALID_REQUEST
    well = isinstance(value.get("result"), dict) and identified and "id" in value
    return Response if well else INVALID_REQUEST


def got(data: bytes) -> type | int:
    try:
        message = jsonrpc.decode(data)
    except DecodeError as error:
        answer = jsonrpc.error_response(error.id, error)
    else:
        return type(message)
    # The error can always be sent, and is a message itself.
    assert jsonrpc.decode(jsonrpc.encode(answer)) == answer
    assert answer.error.message
    assert type(answer.id) in (int, str, type(None))
    return answer.error.code


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(
        [10**40, -(10**40), 2**63, 2**64, 1e300, 5e-324, -0.0, SURROGATE, "\0", "é😀"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
names = st.sampled_from([method.name for method in (*REQUESTS, *NOTIFICATIONS)])


def member(name: str, good: Any) -> Any:
    """The member, right, wrong, or (as None) left out."""
    return st.one_of(
        st.tuples(st.just(name), good), st.tuples(st.just(name), good | values), st.none()
    )


@st.composite
def almost(draw: Any) -> bytes:
    """A JSON-RPC message with something wrong in it, perhaps, also a member too many or twice."""
    members = draw(
        st.permutations(
            [
                draw(member("jsonrpc", st.just("2.0"))),
                draw(member("id", st.integers() | st.text(max_size=3))),
                draw(member("method", names)),
                draw(member("params", st.dictionaries(st.text(max_size=3), values, max_size=3))),
                draw(member("result", st.dictionaries(st.text(max_size=3), values, max_size=2)))
                if draw(st.booleans())
                else None,
                draw(member("error", st.just({"code": 1, "message": "m"})))
                if draw(st.booleans())
                else None,
                draw(st.none() | st.tuples(st.text(max_size=3), values)),
                draw(st.none() | st.tuples(st.sampled_from(["id", "method"]), scalars)),
            ]
        )
    )
    ascii = draw(st.booleans())
    texts = [
        f"{json.dumps(pair[0])}:{json.dumps(pair[1], ensure_ascii=ascii)}"
        for pair in members
        if pair is not None
    ]
    return ("{" + ",".join(texts) + "}").encode(errors="surrogatepass")


@st.composite
def damaged(draw: Any) -> bytes:
    """Such a message with bytes changed, cut off or put in."""
    data = bytearray(draw(almost()))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        piece = draw(
            st.binary(max_size=2)
            | st.sampled_from(
                [b"NaN", b"Infinity", b"\xff", b'"', b"\\", b"[", b"}", b"\xef\xbb\xbf"]
            )
        )
        data[place : place + draw(st.integers(0, 3))] = piece
    return bytes(data)


@settings(max_examples=600)
@given(almost() | damaged() | st.binary(max_size=30))
@example(b'{"jsonrpc":"2.0","id":1,"id":null,"method":"ping"}')
@example(b'{"jsonrpc":"2.0","id":null,"id":1,"method":"ping"}')
@example(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}')
@example(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\xc3\x28"}}')
@example(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\\ud800"}}')
@example(b'{"jsonrpc":"2.0","id":"\\udc00","method":"ping"}')
@example(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1e999}}')
@example(b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]')
def test_what_arrives_is_a_message_or_the_right_error(data: bytes) -> None:
    assert got(data) == right(data), data


@settings(max_examples=300)
@given(almost() | damaged())
def test_a_second_look_never_fails_in_another_way(data: bytes) -> None:
    try:
        message = jsonrpc.decode(data)
    except DecodeError:
        return
    if not isinstance(message, Request | Notification):
        return
    known = [m for m in (*REQUESTS, *NOTIFICATIONS) if m.name == message.method]
    looks = [lambda kind=method.params: jsonrpc.params_as(message, kind) for method in known]
    if isinstance(message, Request):
        looks += [lambda: find_meta(message), lambda: read_progress_token(message)]
    for look in looks:
        code = 0
        try:
            look()
        except McpError as error:
            code = error.code
        assert code in (0, -32602, -32022)


@given(st.integers() | st.text(st.characters(exclude_categories=["Cs"])))
@example(0)
@example("")
@example(2**64)
@example(-(10**40))
def test_ids_come_back_as_they_were(id: int | str) -> None:
    data = json.dumps({"jsonrpc": "2.0", "id": id, "method": "ping"}).encode()
    request = jsonrpc.decode(data)
    assert isinstance(request, Request)
    answer = json.loads(jsonrpc.encode(Response(request.id, mcp.EmptyResult())))
    assert (answer["id"], type(answer["id"])) == (id, type(id))


@pytest.mark.parametrize("id", [b"1.0", b"1e2", b"-0.0", b"true", b"null", b"[]", b"{}"])
def test_ids_that_are_none(id: bytes) -> None:
    assert got(b'{"jsonrpc":"2.0","method":"ping","id":%b}' % id) == INVALID_REQUEST


def call(arguments: bytes) -> bytes:
    params = b'{"name":"t","arguments":%b}' % arguments
    return b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b}' % params


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_calls_may_be_nested_so_deep_and_no_deeper(opening: bytes, closing: bytes) -> None:
    levels = MAX_DEPTH - 2  # the message and its params are levels too

    def nested(levels: int) -> bytes:
        return call(opening * levels + b"1" + closing * levels)

    assert got(nested(levels)) is Request
    with pytest.raises(DecodeError, match="nested too deeply") as caught:
        jsonrpc.decode(nested(levels + 1))
    assert (caught.value.code, caught.value.id) == (PARSE_ERROR, 1)
    assert got(nested(100_000)) == PARSE_ERROR


def test_only_brackets_outside_of_strings_are_levels() -> None:
    text = json.dumps('[{\\"' * 500)
    wide = json.dumps([[], {}, [{}]] * 500)
    assert got(call(b'{"a":%b,"b":%b}' % (text.encode(), wide.encode()))) is Request


@given(st.recursive(scalars, lambda i: st.lists(i, max_size=2), max_leaves=40), st.integers(0, 130))
def test_depth_is_counted_as_it_is(value: Any, more: int) -> None:
    for _ in range(more):
        value = [value, "]["]
    data = call(json.dumps({"a": value}).encode())
    assert got(data) == right(data)


def test_of_a_member_that_is_there_twice_the_last_one_counts_everywhere() -> None:
    data = call(b"{}").replace(b'"name":"t"', b'"name":"first","name":"last"')
    message = jsonrpc.decode(data)
    assert isinstance(message, Request)
    assert jsonrpc.params_as(message, mcp.CallToolParams).name == "last"
    meta = (
        b'{"io.modelcontextprotocol/protocolVersion":"1999-01-01",'
        b'"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
        b'"io.modelcontextprotocol/clientCapabilities":{}}'
    )
    twice = jsonrpc.decode(data.replace(b'"name":"first"', b'"_meta":%b,"name":"first"' % meta))
    assert isinstance(twice, Request)
    found = find_meta(twice)
    assert found is not None
    assert (found.version, found.target) == ("2026-07-28", "last")


@pytest.mark.parametrize("number", [b"1e999", b"-1e999"])
def test_numbers_no_float_can_hold_are_refused_where_they_are_read(number: bytes) -> None:
    message = jsonrpc.decode(call(b'{"a":%b}' % number))
    assert isinstance(message, Request)
    with pytest.raises(McpError, match="out of range"):
        jsonrpc.params_as(message, mcp.CallToolParams)


def test_huge_integers_are_integers() -> None:
    message = jsonrpc.decode(call(b'{"a":%d}' % 10**400))
    assert isinstance(message, Request)
    assert jsonrpc.params_as(message, mcp.CallToolParams).arguments == {"a": 10**400}


@given(st.text(max_size=6), st.sampled_from([mcp.SetLevelParams, mcp.CallToolParams]))
def test_errors_of_parameters_name_method_place_and_expectation(text: str, kind: Any) -> None:
    field = msgspec.structs.fields(kind)[-1].encode_name
    with pytest.raises(McpError) as caught:
        jsonrpc.params_as(jsonrpc.request(1, "some/method", {field: [text]}), kind)
    assert caught.value.message.startswith("some/method: params")
    assert "xpected" in caught.value.message or "missing required field" in caught.value.message


def test_nothing_that_is_sent_is_nan() -> None:
    sent = jsonrpc.encode(jsonrpc.notification("n", {"a": math.nan, "b": math.inf}))
    assert json.loads(sent, parse_constant=refuse)["params"] == {"a": None, "b": None}
