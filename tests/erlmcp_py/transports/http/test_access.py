"""Which hosts, origins and media types a listener lets through."""

from __future__ import annotations

import pytest

from erlmcp_py.transports.http.access import AccessPolicy, accepted, is_host, is_json


@pytest.mark.parametrize(
    ("host", "served"),
    [
        (b"localhost", True),
        (b"LOCALHOST:8080", True),
        (b"app.localhost:1", True),
        (b"127.0.0.1:8080", True),
        (b"127.9.9.9", True),
        (b"[::1]:8080", True),
        (b"[::1]", True),
        (b"10.1.2.3:8080", True),
        (b"mcp.example", True),
        (b"mcp.example:99", True),
        (b"other.example:8443", True),
        (b"other.example", False),
        (b"evil.example", False),
        (b"localhost.evil.example", False),
        (b"127.0.0.1.evil.example", False),
        (b"localhost:80@evil.example", False),
        (b"", False),
        (b"[::1", False),
        (b"[::1]x", False),
        (b"localhost:http", False),
        (b"0.0.0.0:8080", False),
    ],
)
def test_hosts(host: bytes, served: bool) -> None:
    policy = AccessPolicy("10.1.2.3", ["MCP.example", "other.example:8443"])
    assert policy.host_served[host] is served
    assert policy.host_served[host] is served


def test_a_wildcard_address_is_no_name() -> None:
    assert not AccessPolicy("0.0.0.0").host_served[b"0.0.0.0"]
    assert AccessPolicy("0.0.0.0", ["*"]).host_served[b"anything"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (b"http://localhost:3000", True),
        (b"https://127.0.0.1", True),
        (b"http://[::1]:5", True),
        (b"https://app.example", True),
        (b"https://app.example:444", False),
        (b"http://app.example", False),
        (b"http://evil.example", False),
        (b"http://localhost.evil.example", False),
        (b"null", False),
        (b"file://localhost", False),
        (b"http://evil.example/.localhost", False),
        (b"http://evil.example#.localhost", False),
        (b"http://localhost@evil.example", False),
        (b"http://localhost, http://evil.example", False),
        (b"", False),
    ],
)
def test_origins(origin: bytes, allowed: bool) -> None:
    assert AccessPolicy(allowed_origins=["https://app.example/"]).origin_allowed[origin] is allowed


def test_every_origin() -> None:
    assert AccessPolicy(allowed_origins=["*"]).origin_allowed[b"null"]


@pytest.mark.parametrize(
    ("value", "json", "sse"),
    [
        (b"application/json, text/event-stream", True, True),
        (b"text/event-stream,application/json;q=0.5", True, True),
        (b"*/*", True, True),
        (b"application/*", True, False),
        (b"Text/Event-Stream", False, True),
        (b"application/json;q=0, */*", False, True),
        (b"application/json;q=0.001", True, False),
        (b"application/json; q=0.000", False, False),
        (b"text/html", False, False),
        (b"", False, False),
    ],
)
def test_accept(value: bytes, json: bool, sse: bool) -> None:
    assert (accepted[value].json, accepted[value].sse) == (json, sse)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (b"application/json", True),
        (b"Application/JSON; charset=UTF-8", True),
        (b'application/json;charset="utf-8"', True),
        (b"application/json; charset=latin-1", False),
        (b"application/json-rpc", False),
        (b"text/plain", False),
        (b"", False),
    ],
)
def test_content_type(value: bytes, verdict: bool) -> None:
    assert is_json[value] is verdict


def test_what_is_longer_than_anything_that_means_something_is_not_looked_at() -> None:
    policy = AccessPolicy(allowed_hosts=["*"], allowed_origins=["*"])
    long = b"localhost, " * 1000
    assert not policy.host_served[long]
    assert not policy.origin_allowed[long]
    assert not policy.probe_served[long]
    assert not is_json[b"application/json;" + long]
    assert not accepted[b"*/*, " * 1000].json
    assert not policy.host_served
    assert b"*/*, " * 1000 not in accepted


@pytest.mark.parametrize(
    ("host", "right"),
    [
        (b"", True),
        (b"localhost:", True),
        (b"a_b.example:80", True),
        (b"[::1]:80", True),
        (b"%C3%A9.example", True),
        (b"[localhost]", False),
        (b"::1", False),
        (b"a:b", False),
        (b"a, b", False),
        (b"u@a", False),
        (b"a/b", False),
        (b"a" * 3000, False),
    ],
)
def test_what_is_a_host(host: bytes, right: bool) -> None:
    assert is_host(host) is right


def test_strangers_cannot_fill_the_memory_of_verdicts() -> None:
    policy = AccessPolicy()
    for number in range(1000):
        assert not policy.host_served[b"h%d.example" % number]
    assert len(policy.host_served) <= 256
