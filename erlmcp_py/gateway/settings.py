"""From `[upstreams.NAME]` to what can be started, or connected to."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from erlmcp_py.client.http.address import read_address
from erlmcp_py.client.http.headers import check_headers
from erlmcp_py.client.where import AtUrl
from erlmcp_py.config import ConfigError, EnvReference, UpstreamConfig
from erlmcp_py.gateway.authorization import authorizer_of
from erlmcp_py.guards.breaker import BreakerSettings
from erlmcp_py.ports import Command


def place_of(
    name: str, upstream: UpstreamConfig, environ: Mapping[str, str] = os.environ
) -> AtUrl | Command:
    """Where an upstream is. Raises `ConfigError` that names what of it cannot be used."""
    if upstream.url:
        return _at_url(name, upstream, environ)
    command = upstream.command
    first = (command,) if isinstance(command, str) else command
    env = {
        variable: _value(name, f"env.{variable}", value, environ)
        for variable, value in upstream.env.items()
    }
    return Command(argv=(*first, *upstream.args), env=env, cwd=upstream.cwd or None)


def _at_url(name: str, upstream: UpstreamConfig, environ: Mapping[str, str]) -> AtUrl:
    def value(key: str, written: str | EnvReference) -> str:
        return _value(name, key, written, environ)

    try:
        address = read_address(upstream.url)
    except ValueError as problem:
        raise ConfigError(f"upstreams.{name}.url: {problem}") from None
    headers = {}
    for header, written in upstream.headers.items():
        key = f"headers.{header}"
        headers[header] = value(key, written)
        try:
            check_headers({header: ""})
        except ValueError as problem:
            raise ConfigError(f"upstreams.{name}.{key}: {problem}") from None
        try:
            check_headers({header: headers[header]})
        except ValueError:  # whose text would show the value
            text = "its value holds signs that no header can"
            raise ConfigError(f"upstreams.{name}.{key}: {text}") from None
    return AtUrl(address, headers, authorizer_of(name, upstream, value))


def breaker_of(upstream: UpstreamConfig) -> BreakerSettings | None:
    """When its breaker opens; None: not by itself."""
    if upstream.breaker == "off":
        return None
    return BreakerSettings(**msgspec.structs.asdict(upstream.breaker))


def check_upstreams(upstreams: Mapping[str, UpstreamConfig]) -> None:
    """Raises `ConfigError` for the first that cannot be what it says."""
    for name, upstream in upstreams.items():
        place_of(name, upstream)


def _value(name: str, key: str, value: str | EnvReference, environ: Mapping[str, str]) -> str:
    if isinstance(value, str):
        return value
    found = environ.get(value.env)
    if found is None:
        raise ConfigError(
            f"upstreams.{name}.{key}: the environment has no {value.env}; set it, or write "
            "the value itself"
        )
    return found
