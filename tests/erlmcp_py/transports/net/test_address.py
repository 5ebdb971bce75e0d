"""Addresses as people write them."""

from __future__ import annotations

import pytest

from erlmcp_py.transports.net.address import format_address, parse_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("[::1]:0", "::1", 0),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_there_and_back(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)
    assert format_address(host, port) == text


def test_a_path() -> None:
    assert parse_address("unix:/run/x.sock") == ("unix:/run/x.sock", 0)
    assert format_address("unix:/run/x.sock", 0) == "unix:/run/x.sock"


@pytest.mark.parametrize(
    "text", ["", "8080", ":8080", "a:b", "::1:80", "h:65536", "h:٣", "unix:", "unix:x.sock"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be .*unix:/PATH"):
        parse_address(text)
