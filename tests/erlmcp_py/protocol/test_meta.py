"""The ladder of a modern request's `_meta`, rung by rung."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from erlmcp_py.protocol import jsonrpc
from erlmcp_py.protocol.errors import INVALID_PARAMS, UNSUPPORTED_VERSION, McpError
from erlmcp_py.protocol.meta import (
    CLIENT_CAPABILITIES,
    CLIENT_INFO,
    LOG_LEVEL,
    PROTOCOL_VERSION,
    find_meta,
    is_modern,
    read_meta,
    read_progress_token,
    read_subscription,
    read_target,
    request_meta,
    subscription_meta,
)
from erlmcp_py.protocol.types import ClientCapabilities, Implementation, RootsCapability
from erlmcp_py.protocol.versions import SUPPORTED

GOOD: dict[str, Any] = {PROTOCOL_VERSION: "2026-07-28", CLIENT_CAPABILITIES: {}}
ABSENT = msgspec.UNSET


def request(meta: Any = ABSENT, **params: Any) -> jsonrpc.Request:
    if meta is not ABSENT:
        params["_meta"] = meta
    return jsonrpc.request(1, "tools/call", params)


def test_the_least_that_is_allowed() -> None:
    meta = read_meta(request(GOOD))
    assert meta.version == "2026-07-28"
    assert meta.client_capabilities == ClientCapabilities()
    assert (meta.client_info, meta.log_level, meta.progress_token) == (None, None, None)


def test_everything_there_is() -> None:
    full = {
        **GOOD,
        CLIENT_CAPABILITIES: {"elicitation": {"form": {}}, "extensions": {"x/y": {"a": 1}}},
        CLIENT_INFO: {"name": "c", "version": "1"},
        LOG_LEVEL: "warning",
        "progressToken": 7,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    meta = read_meta(request(full, name="t"))
    assert meta.client_info == Implementation("c", "1")
    assert meta.client_capabilities.extensions == {"x/y": {"a": 1}}
    assert meta.client_capabilities.sampling is None
    assert (meta.log_level, meta.progress_token) == ("warning", 7)
    assert meta.trace == {"traceparent": full["traceparent"]}
    assert meta.target == "t"
    assert find_meta(request(full, name="t")) == meta


TARGETS = [
    ("tools/call", {"name": "t", "uri": "u"}, "t"),
    ("resources/read", {"name": "t", "uri": "u"}, "u"),
    ("tasks/get", {"taskId": "i"}, "i"),
    ("tools/list", {"name": "t"}, None),
    ("prompts/get", {"name": 5}, None),
    ("prompts/get", {}, None),
]


@pytest.mark.parametrize(("method", "params", "target"), TARGETS)
def test_the_target_is_what_mcp_name_repeats(method: str, params: Any, target: str | None) -> None:
    message = jsonrpc.request(1, method, {**params, "_meta": GOOD})
    assert read_meta(message).target == target
    assert read_target(message) == target
    assert read_target(jsonrpc.request(1, method, params)) == target


def test_trace_context_that_is_no_text_is_ignored() -> None:
    assert read_meta(request({**GOOD, "traceparent": 1, "baggage": "a=b"})).trace == {
        "baggage": "a=b"
    }
    assert read_meta(request(GOOD)).trace is None


INVALID = [
    (ABSENT, "_meta is missing"),
    (None, "_meta must be an object"),
    ([], "_meta must be an object"),
    ("x", "_meta must be an object"),
    ({}, f'"{PROTOCOL_VERSION}"] is missing'),
    ({CLIENT_CAPABILITIES: {}}, f'"{PROTOCOL_VERSION}"] is missing'),
    ({**GOOD, PROTOCOL_VERSION: 20260728}, f'"{PROTOCOL_VERSION}"] must be a string'),
    ({**GOOD, PROTOCOL_VERSION: None}, f'"{PROTOCOL_VERSION}"] must be a string'),
    ({PROTOCOL_VERSION: "2026-07-28"}, f'"{CLIENT_CAPABILITIES}"] is missing'),
    ({**GOOD, CLIENT_CAPABILITIES: None}, CLIENT_CAPABILITIES),
    ({**GOOD, CLIENT_CAPABILITIES: []}, CLIENT_CAPABILITIES),
    ({**GOOD, CLIENT_CAPABILITIES: {"sampling": True}}, "clientCapabilities.sampling"),
    ({**GOOD, LOG_LEVEL: "loud"}, "one of debug, info"),
    ({**GOOD, LOG_LEVEL: None}, "one of debug, info"),
    ({**GOOD, LOG_LEVEL: ["info"]}, "one of debug, info"),
    ({**GOOD, CLIENT_INFO: {"name": "c"}}, "version"),
    ({**GOOD, CLIENT_INFO: None}, CLIENT_INFO),
    ({**GOOD, "progressToken": 1.5}, "progressToken"),
    ({**GOOD, "progressToken": None}, "progressToken"),
]


@pytest.mark.parametrize(("meta", "word"), INVALID, ids=[str(case[0]) for case in INVALID])
def test_invalid_params(meta: Any, word: str) -> None:
    with pytest.raises(McpError) as caught:
        read_meta(request(meta))
    assert caught.value.code == INVALID_PARAMS
    assert word in caught.value.message
    assert caught.value.message.startswith("tools/call: params._meta")


def test_no_params_at_all() -> None:
    with pytest.raises(McpError, match="_meta is missing"):
        read_meta(jsonrpc.Request(1, "server/discover"))


@pytest.mark.parametrize("version", ["1999-01-01", "2025-11-25", "", "2026-07-29"])
@pytest.mark.parametrize("rest", [{CLIENT_CAPABILITIES: {}}, {}, {LOG_LEVEL: "loud"}])
def test_an_unknown_version_is_told_ours_whatever_else_is_wrong(version: str, rest: Any) -> None:
    with pytest.raises(McpError) as caught:
        read_meta(request({PROTOCOL_VERSION: version, **rest}))
    assert caught.value.code == UNSUPPORTED_VERSION
    assert caught.value.data["supported"] == list(SUPPORTED)
    assert caught.value.data["requested"] == version


ERAS = [
    (GOOD, True),
    ({PROTOCOL_VERSION: "1999-01-01"}, True),
    ({PROTOCOL_VERSION: None}, True),
    ({"progressToken": 1}, False),
    ({}, False),
    (None, False),
    ("x", False),
    (ABSENT, False),
]


@pytest.mark.parametrize(("meta", "modern"), ERAS, ids=[str(case[0]) for case in ERAS])
def test_the_version_in_meta_tells_the_era(meta: Any, modern: bool) -> None:
    message = request(meta, name="t")
    assert is_modern(message) is modern
    try:
        found = find_meta(message)
    except McpError:
        assert modern
    else:
        assert (found is not None) is modern


def test_without_params_it_is_legacy() -> None:
    assert not is_modern(jsonrpc.Request(1, "ping"))


TOKENS = [({"progressToken": "t"}, "t"), ({"progressToken": 0}, 0), ({}, None), (ABSENT, None)]


@pytest.mark.parametrize(("meta", "token"), TOKENS)
def test_legacy_progress_token(meta: Any, token: Any) -> None:
    assert read_progress_token(request(meta)) == token


def test_legacy_progress_token_without_params() -> None:
    assert read_progress_token(jsonrpc.Request(1, "ping")) is None


@pytest.mark.parametrize("token", [1.5, True, [], {}])
def test_legacy_progress_token_of_a_wrong_kind(token: Any) -> None:
    with pytest.raises(McpError) as caught:
        read_progress_token(request({"progressToken": token}))
    assert caught.value.code == INVALID_PARAMS
    assert "progressToken" in caught.value.message


def test_what_a_client_writes_is_what_a_server_reads() -> None:
    info, capabilities = Implementation("c", "1"), ClientCapabilities(roots=RootsCapability())
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    written = request_meta(
        "2026-07-28", info, capabilities, log_level="debug", progress_token=3, more=trace
    )
    read = read_meta(request(written))
    assert (read.client_info, read.client_capabilities) == (info, capabilities)
    assert (read.log_level, read.progress_token, read.trace) == ("debug", 3, trace)
    encoded = request_meta("2026-07-28", jsonrpc.raw(info), jsonrpc.raw(capabilities))
    assert read_meta(request(encoded)).client_info == info


def test_the_subscription_of_a_notification() -> None:
    tagged = jsonrpc.notification("n", {"_meta": subscription_meta("s-1")})
    assert read_subscription(tagged) == "s-1"
    for other in (None, {}, {"_meta": {}}, {"_meta": None}, {"_meta": subscription_meta([])}):
        assert read_subscription(jsonrpc.notification("n", other)) is None
