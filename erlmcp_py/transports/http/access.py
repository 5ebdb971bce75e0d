"""Who may call, and in which forms a caller speaks: the judgement of request headers.

A page in the user's browser can send requests to 127.0.0.1, and a name it controls can be
made to resolve there. Two checks stand against that: `Origin` tells which page asks (403),
`Host` which name was resolved (421). Loopback names pass by default, everything else must be
configured (MCP, Streamable HTTP, security warning).

Every verdict depends on one header value only, and clients repeat theirs on every request,
so verdicts are remembered, in tables that strangers cannot fill without bound. Nor can they make a verdict
costly: values longer than any that means something are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Generic, TypeVar

from erlmcp_py.exposure import is_loopback
from erlmcp_py.transports.net.address import UNIX

V = TypeVar("V")

_REMEMBERED: Final = 256
_LONGEST: Final = 2048  # bytes of a value that is judged; browsers' longest are a tenth of it
_WILDCARD_ADDRESSES: Final = frozenset({"", "0.0.0.0", "::"})
_HOST: Final = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|((?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+))(?::([0-9]*))?"
)


class _Verdicts(dict[bytes, V], Generic[V]):
    """Header value to verdict, computed once; emptied when full. too_long: that of what nobody reads."""

    def __init__(self, judge: Callable[[bytes], V], too_long: V) -> None:
        super().__init__()
        self._judge = judge
        self._too_long = too_long

    def __missing__(self, value: bytes) -> V:
        if len(value) > _LONGEST:
            return self._too_long
        if len(self) >= _REMEMBERED:
            self.clear()
        verdict = self[value] = self._judge(value)
        return verdict


class AccessPolicy:
    """The hosts and origins one listener serves.

    bound_host: the address the listener was told to bind; served too, unless it means "all".
    allowed_hosts: further names, each "name" for any port, "name:port", or "*" for every one.
    allowed_origins: exact origins such as "https://app.example", or "*" for every one.
    """

    __slots__ = (
        "_any_host",
        "_any_origin",
        "_hosts",
        "_origins",
        "host_served",
        "origin_allowed",
        "probe_served",
    )

    def __init__(
        self,
        bound_host: str = "127.0.0.1",
        allowed_hosts: Iterable[str] = (),
        allowed_origins: Iterable[str] = (),
    ) -> None:
        hosts = {host.lower() for host in allowed_hosts}
        if bound_host not in _WILDCARD_ADDRESSES and not bound_host.startswith(UNIX):
            hosts.add(bound_host.lower())
        self._hosts = frozenset(hosts)
        self._any_host = "*" in hosts
        self._origins = frozenset(origin.lower().rstrip("/") for origin in allowed_origins)
        self._any_origin = "*" in self._origins
        self.host_served: dict[bytes, bool] = _Verdicts(self._judge_host, False)
        """``host_served[value]``: whether a `Host` header names this listener."""
        self.origin_allowed: dict[bytes, bool] = _Verdicts(self._judge_origin, False)
        """``origin_allowed[value]``: whether a page of this `Origin` may call."""
        self.probe_served: dict[bytes, bool] = _Verdicts(self._judge_probe, False)
        """``probe_served[value]``: whether a `Host` header may ask how the node is."""

    def _judge_host(self, value: bytes) -> bool:
        if self._any_host:
            return True
        text = value.decode("latin-1").strip().lower()
        name = _host_name(text)
        return name is not None and (
            is_loopback(name) or name in self._hosts or text in self._hosts
        )

    def _judge_probe(self, value: bytes) -> bool:
        """Orchestrators probe by address, and HTTP/1.0 needs no Host; neither is what a page can
        send whose name was made to resolve here.
        """
        if not value or self.host_served[value]:
            return True
        name = _host_name(value.decode("latin-1").strip().lower())
        return name is not None and _is_address(name)

    def _judge_origin(self, value: bytes) -> bool:
        if self._any_origin:
            return True
        text = value.decode("latin-1").strip().lower()
        if text in self._origins:
            return True
        scheme, separator, authority = text.partition("://")
        if not separator or scheme not in ("http", "https"):
            return False
        name = _host_name(authority)
        return name is not None and is_loopback(name)


def is_host(value: bytes) -> bool:
    """Whether a `Host` header is ``host[:port]`` or empty (RFC 9110, 7.2; RFC 3986, 3.2.2)."""
    return len(value) <= _LONGEST and _is_host(value)


@lru_cache(_REMEMBERED)
def _is_host(value: bytes) -> bool:
    return not value or _host_name(value.decode("latin-1")) is not None


def _host_name(authority: str) -> str | None:
    """The host of ``host[:port]`` without brackets; None if it is no such thing."""
    found = _HOST.fullmatch(authority)
    return None if found is None else found[1] or found[2]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class Accepted:
    """What an `Accept` header lets a response be."""

    __slots__ = ("json", "sse")

    def __init__(self, json: bool, sse: bool) -> None:
        self.json = json
        self.sse = sse


def _judge_accept(value: bytes) -> Accepted:
    """Media ranges by precedence: exact, then type/*, then */* (RFC 9110, 12.5.1)."""
    ranges: dict[str, bool] = {}
    for part in value.decode("latin-1").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        ranges[name] = not any(_is_zero_weight(parameter) for parameter in parameters)

    def allows(media_type: str) -> bool:
        family = media_type.split("/")[0] + "/*"
        for candidate in (media_type, family, "*/*"):
            if candidate in ranges:
                return ranges[candidate]
        return False

    return Accepted(allows("application/json"), allows("text/event-stream"))


def _is_zero_weight(parameter: str) -> bool:
    name, _, weight = parameter.partition("=")
    if name.strip() != "q":
        return False
    digits = weight.strip().rstrip("0")
    return digits in ("", "0.") or weight.strip() == "0"


def _judge_content_type(value: bytes) -> bool:
    name, *parameters = (piece.strip().lower() for piece in value.decode("latin-1").split(";"))
    for parameter in parameters:
        key, _, given = parameter.partition("=")
        if key.strip() == "charset" and given.strip().strip('"') not in ("utf-8", "utf8"):
            return False
    return name == "application/json"


accepted: dict[bytes, Accepted] = _Verdicts(_judge_accept, Accepted(json=False, sse=False))
"""``accepted[value]``: what an `Accept` header allows."""

is_json: dict[bytes, bool] = _Verdicts(_judge_content_type, False)
"""``is_json[value]``: whether a `Content-Type` means JSON in UTF-8."""
