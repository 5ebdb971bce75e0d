"""From a way to a client."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from erlmcp_py import __version__
from erlmcp_py.cli.client.aside import Aside
from erlmcp_py.cli.client.nodes import NotServed, url_of
from erlmcp_py.cli.client.person import Person
from erlmcp_py.cli.client.way import Way
from erlmcp_py.client import Authorizer, Client, Options
from erlmcp_py.loading import load_server
from erlmcp_py.protocol.lifecycle import Implementation
from erlmcp_py.transports.framing import FRAMINGS, Name

AT_THE_BROWSER = 300.0
"""Seconds that every request has more if it may take an authorization, which a person does."""
_SCHEMES = frozenset({"http", "https", "ws", "wss", "tcp", "unix"})


class BadWay(Exception):
    """The command line names no server, or not how to reach it; one line."""


def make_client(way: Way, person: Person, aside: Aside, *, tasks: bool = False) -> Client:
    """A client that has not been opened yet. tasks: calls may become tasks.

    Raises `BadWay`, ConfigError for a server of this process that cannot be loaded.
    """
    options: Options = {
        "mode": way.era,
        "timeout": patience(way),
        "elicit": person.elicit,
        "on_log": person.logged,
        "log_level": way.log_level,
        "tasks": tasks,
        "info": Implementation("erlmcp-node", __version__),
        "followed": True,  # what a lost connection means is said by what fails for it
    }
    if way.roots:
        options["roots"] = way.roots
    if way.sample:
        options["sample"] = person.sample
    headers = _headers(way)
    if way.program:
        _no_http(way)
        heard = aside.say if way.verbose else None
        return Client.stdio(*way.program, on_stderr=heard, **options)
    try:
        return _at(way, headers, aside, options)
    except ValueError as problem:
        raise BadWay(str(problem)) from None


def _at(way: Way, headers: dict[str, str], aside: Aside, options: Options) -> Client:
    target = way.target
    if "@" in target and ":" not in target:
        try:
            target = url_of(target)
        except NotServed as problem:
            raise BadWay(str(problem)) from None
    match target.partition(":")[0]:
        case "http" | "https":
            made = Client(target, headers=headers, authorizer=_oauth(way, aside), **options)
        case "ws" | "wss":
            made = Client.websocket(
                target, headers=headers, authorizer=_oauth(way, aside), **options
            )
        case "tcp":
            _no_http(way)
            host, port, framing = _read_tcp(target)
            made = Client.tcp(host, port, framing=framing, **options)
        case "unix":
            _no_http(way)
            path = target.removeprefix("unix:").removeprefix("//")
            if not path:
                raise BadWay(f"{target!r} names no socket; write unix:/PATH")
            made = Client.unix(path, **options)
        case scheme if "://" in target:
            known = ", ".join(sorted(_SCHEMES))
            raise BadWay(f"{target!r}: {scheme!r} is none of {known}")
        case _:
            _no_http(way)
            made = Client.in_process(load_server(target), **options)
    return made


def patience(way: Way) -> float:
    """Seconds for a request."""
    return way.timeout + (AT_THE_BROWSER if way.auth else 0.0)


def is_module(way: Way) -> bool:
    """Whether the server is one of this process."""
    scheme = way.target.partition(":")[0]
    return not (way.program or "@" in way.target or scheme in _SCHEMES)


def _no_http(way: Way) -> None:
    for option, given in (
        ("--header", way.headers),
        ("--token-env", way.token_env),
        ("--auth", way.auth),
    ):
        if given:
            raise BadWay(f"{option} belongs to a URL")


def _headers(way: Way) -> dict[str, str]:
    headers = {}
    for text in way.headers:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or not (name + value).isprintable():
            raise BadWay(f"--header {text}: must be NAME:VALUE")
        headers[name.strip()] = value.strip()
    if way.token_env is not None:
        token = os.environ.get(way.token_env, "")
        if not token or not token.isascii() or not token.isprintable():
            raise BadWay(f"--token-env {way.token_env}: the variable holds no token")
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _read_tcp(target: str) -> tuple[str, int, Name]:
    parts = urlsplit(target)
    port = parts.port  # ValueError says what is wrong with it
    if not parts.hostname or port is None or parts.path not in ("", "/"):
        raise BadWay(f"{target!r} is no address; write tcp://HOST:PORT")
    if not parts.query:
        return parts.hostname, port, "newline"
    for name in FRAMINGS:
        if parts.query == f"framing={name}":
            return parts.hostname, port, name
    raise BadWay(f"{target!r}: after the ? may stand framing=newline or framing=length")


def _oauth(way: Way, aside: Aside) -> Authorizer | None:
    if not way.auth:
        return None
    if way.token_env is not None:
        raise BadWay("--auth and --token-env: name one of them")
    from erlmcp_py.auth.client import AuthorizationCode, FileStore, Loopback
    from erlmcp_py.auth.client.store import token_directory
    from erlmcp_py.client import OAuth

    async def show(url: str) -> None:
        aside.say(f"To be authorized, open this page in a browser of this machine:\n{url}")

    plan = AuthorizationCode(Loopback(show), name="erlmcp-node")
    return OAuth(plan, store=FileStore(token_directory()))
