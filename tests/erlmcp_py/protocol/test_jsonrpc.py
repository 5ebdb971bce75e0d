"""JSON-RPC: what is a message, what is refused and how, and that nothing is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.protocol import jsonrpc
from erlmcp_py.protocol.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    DecodeError,
    EncodeError,
    McpError,
)
from erlmcp_py.protocol.jsonrpc import ErrorObject, ErrorResponse, Notification, Request, Response
from erlmcp_py.protocol.types import CallToolParams, CallToolResult, RequestParams, TextContent


def wire(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


DEEP = b'{"jsonrpc":"2.0","id":1,"method":"x","params":' + b"[" * 200_000 + b"]" * 200_000 + b"}"

REFUSED = [
    # what arrives, code, id of the answer, a word of the message
    (b"", PARSE_ERROR, None, "truncated"),
    (b"{", PARSE_ERROR, None, "truncated"),
    (b'{"jsonrpc":"2.0",}', PARSE_ERROR, None, "malformed"),
    (b"[1,", PARSE_ERROR, None, "truncated"),
    (b"not json", PARSE_ERROR, None, "malformed"),
    (b"\xef\xbb\xbf{}", PARSE_ERROR, None, "malformed"),
    (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', PARSE_ERROR, None, "utf-8"),
    (wire(id=1, method="x", params={"a": "\ud800"}), PARSE_ERROR, None, "Parse error"),
    (wire(id=1, method="x") + b" {}", PARSE_ERROR, None, "trailing"),
    (DEEP, PARSE_ERROR, None, "nested too deeply"),
    (b"[" * 200_000, PARSE_ERROR, None, "nested too deeply"),
    (b"[]", INVALID_REQUEST, None, "batches"),
    (b"[" + wire(id=1, method="ping") + b"]", INVALID_REQUEST, None, "batches"),
    (b'"ping"', INVALID_REQUEST, None, "JSON object"),
    (b"null", INVALID_REQUEST, None, "JSON object"),
    (b"{}", INVALID_REQUEST, None, '"jsonrpc" is missing'),
    (b'{"id":3,"method":"ping"}', INVALID_REQUEST, 3, '"jsonrpc" is missing'),
    (b'{"jsonrpc":"1.0","id":"a","method":"x"}', INVALID_REQUEST, "a", '"jsonrpc" is "1.0"'),
    (b'{"jsonrpc":2.0,"id":"a","method":"x"}', INVALID_REQUEST, "a", '"jsonrpc" is 2.0'),
    (wire(id=None, method="x"), INVALID_REQUEST, None, '"id" is null'),
    (wire(id=True, method="x"), INVALID_REQUEST, None, '"id" is true'),
    (wire(id=1.0, method="x"), INVALID_REQUEST, None, '"id" is 1.0'),
    (wire(id=[1], method="x"), INVALID_REQUEST, None, '"id" is [1]'),
    (wire(id=1, method=7), INVALID_REQUEST, 1, '"method" is 7'),
    (wire(id=1, method=None), INVALID_REQUEST, 1, '"method" is null'),
    (wire(id=1, method="x", params=[1]), INVALID_REQUEST, 1, '"params" must be an object'),
    (wire(id=1, method="x", params=None), INVALID_REQUEST, 1, '"params" must be an object'),
    (wire(method="x", params="p"), INVALID_REQUEST, None, '"params" must be an object'),
    (wire(id=1), INVALID_REQUEST, 1, 'no "method"'),
    (wire(id=1, result=4), INVALID_REQUEST, 1, '"result" must be an object'),
    (wire(result={}), INVALID_REQUEST, None, '"id" is missing'),
    (wire(id=None, result={}), INVALID_REQUEST, None, '"id" is null'),
    (wire(id=1, result={}, error={"code": 1, "message": "m"}), INVALID_REQUEST, 1, "both"),
    (wire(id=1, error={"code": "1", "message": "m"}), INVALID_REQUEST, 1, "$.code"),
    (wire(id=1, error={"code": 1}), INVALID_REQUEST, 1, "message"),
    (wire(id=1.5, error={"code": 1, "message": "m"}), INVALID_REQUEST, None, '"id" is 1.5'),
]


@pytest.mark.parametrize(
    ("data", "code", "id", "word"), REFUSED, ids=[repr(case[0][:60]) for case in REFUSED]
)
def test_refused(data: bytes, code: int, id: str | int | None, word: str) -> None:
    with pytest.raises(DecodeError) as caught:
        jsonrpc.decode(data)
    assert (caught.value.code, caught.value.id) == (code, id)
    assert word in caught.value.message


def test_a_long_wrong_value_is_cut_short_in_the_message() -> None:
    with pytest.raises(DecodeError) as caught:
        jsonrpc.decode(wire(id=["x" * 10_000], method="m"))
    assert len(caught.value.message) < 120


def test_request_keeps_params_raw() -> None:
    message = jsonrpc.decode(b' {"jsonrpc":"2.0","id":0,"method":"m","params": {"a" : 1e2} } \n')
    assert isinstance(message, Request)
    assert (message.id, message.method) == (0, "m")
    assert message.params is not None
    assert bytes(message.params) == b'{"a" : 1e2}'


def test_text_is_read_like_bytes() -> None:
    assert jsonrpc.decode('{"jsonrpc":"2.0","method":"m"}') == Notification("m")


def test_absent_params_stay_absent() -> None:
    assert jsonrpc.decode(wire(id="1", method="m")) == Request("1", "m", None)
    assert jsonrpc.encode(Request("1", "m")) == b'{"jsonrpc":"2.0","id":"1","method":"m"}'


def test_an_error_without_a_readable_id_has_none_on_the_wire() -> None:
    refused = jsonrpc.error_response(None, McpError(PARSE_ERROR, "Parse error"))
    encoded = jsonrpc.encode(refused)
    assert json.loads(encoded) == {
        "jsonrpc": "2.0",
        "error": {"code": PARSE_ERROR, "message": "Parse error"},
    }
    assert jsonrpc.decode(encoded) == refused
    assert jsonrpc.decode(wire(id=None, error={"code": PARSE_ERROR, "message": "Parse error"})) == (
        refused
    )


def test_error_data_is_kept() -> None:
    sent = jsonrpc.error_response(9, McpError(-32022, "no", {"supported": ["a"], "requested": "b"}))
    assert jsonrpc.decode(jsonrpc.encode(sent)) == sent


PARAMS_REFUSED = [
    (None, "`name`"),
    ({}, "`name`"),
    ({"name": 5}, "params.name: Expected"),
    ({"name": "t", "arguments": []}, "params.arguments: Expected"),
    ({"name": "t", "_meta": 1}, "params._meta: Expected"),
]


@pytest.mark.parametrize(("params", "where"), PARAMS_REFUSED)
def test_params_that_do_not_fit(params: Any, where: str) -> None:
    request = jsonrpc.request(1, "tools/call", params)
    with pytest.raises(McpError) as caught:
        jsonrpc.params_as(request, CallToolParams)
    assert caught.value.code == INVALID_PARAMS
    assert caught.value.message.startswith("tools/call: ")
    assert where in caught.value.message


def test_params_absent_count_as_empty() -> None:
    assert jsonrpc.params_as(Request(1, "ping"), RequestParams) == RequestParams()


def test_params_that_are_no_unicode_are_a_parse_error_with_the_id() -> None:
    data = b'{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"\xff"}}'
    with pytest.raises(DecodeError) as caught:
        jsonrpc.decode(data)
    assert (caught.value.code, caught.value.id) == (PARSE_ERROR, 8)


def cycle() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize("value", [object(), "\ud800", cycle(), {(1, 2): 3}])
def test_what_has_no_json_form(value: Any) -> None:
    result = CallToolResult([TextContent("t")], structured_content=value)
    with pytest.raises(EncodeError) as caught:
        jsonrpc.encode(Response(4, result))
    assert (caught.value.code, caught.value.id) == (INTERNAL_ERROR, 4)
    with pytest.raises(EncodeError):
        jsonrpc.raw(value)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
json_objects = st.dictionaries(st.text(), json_values, max_size=4)
ids = st.text() | st.integers()


@given(ids, st.text(), st.none() | json_objects)
def test_request_round_trip(id: str | int, method: str, params: Any) -> None:
    back = jsonrpc.decode(jsonrpc.encode(jsonrpc.request(id, method, params)))
    assert isinstance(back, Request)
    assert (back.id, back.method) == (id, method)
    assert type(back.id) is type(id)
    assert (None if back.params is None else msgspec.json.decode(back.params)) == params


@given(st.text(), st.none() | json_objects)
def test_notification_round_trip(method: str, params: Any) -> None:
    back = jsonrpc.decode(jsonrpc.encode(jsonrpc.notification(method, params)))
    assert isinstance(back, Notification)
    assert back.method == method
    assert (None if back.params is None else msgspec.json.decode(back.params)) == params


@given(ids, json_objects)
def test_response_round_trip(id: str | int, result: Any) -> None:
    back = jsonrpc.decode(jsonrpc.encode(Response(id, result)))
    assert isinstance(back, Response)
    assert back.id == id
    assert msgspec.json.decode(back.result) == result


@given(st.none() | ids, st.integers(), st.text(), json_values)
def test_error_round_trip(id: str | int | None, code: int, message: str, data: Any) -> None:
    sent = ErrorResponse(id=id, error=ErrorObject(code, message, data))
    assert jsonrpc.decode(jsonrpc.encode(sent)) == sent


def refusal(data: bytes) -> DecodeError | None:
    """The error that decoding ends with, None if there is a message."""
    try:
        message = jsonrpc.decode(data)
    except DecodeError as refused:
        return refused
    assert isinstance(message, Request | Notification | Response | ErrorResponse)
    return None


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_message_or_a_decode_error(data: bytes) -> None:
    refused = refusal(data)
    assert refused is None or refused.code in (PARSE_ERROR, INVALID_REQUEST)


members = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | json_values,
        "id": json_values,
        "method": st.text() | json_values,
        "params": json_values,
        "result": json_values,
        "error": json_values | st.fixed_dictionaries({"code": json_values, "message": json_values}),
    },
)


@given(members)
def test_near_misses_keep_a_valid_id(message: dict[str, Any]) -> None:
    id = message.get("id")
    refused = refusal(json.dumps(message).encode())
    if refused is not None:
        assert refused.code == INVALID_REQUEST
        assert refused.id == (id if type(id) in (int, str) else None)
