"""Carrying out a negotiation on a link: what the pure machine wants sent is sent."""

from __future__ import annotations

import math
from typing import TypeVar

import msgspec
import trio

from erlmcp_py.client.calls import Call
from erlmcp_py.client.errors import BadAnswer, ConnectError, HttpStatus, RequestTimeout
from erlmcp_py.client.identity import Identity
from erlmcp_py.client.link import Hello, Link
from erlmcp_py.client.negotiation import (
    DISCOVER_TIMEOUT,
    Agreed,
    Discover,
    Events,
    Failed,
    Initialize,
    Negotiation,
    Step,
)
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.jsonrpc import ErrorResponse
from erlmcp_py.protocol.lifecycle import DiscoverResult, Implementation, InitializeResult
from erlmcp_py.protocol.meta import SERVER_INFO
from erlmcp_py.protocol.notifications import INITIALIZED
from erlmcp_py.protocol.results import InvalidResult, result_as
from erlmcp_py.protocol.versions import era_of

T = TypeVar("T")


class TryEvents(Exception):
    """The server may speak the HTTP+SSE transport of 2024-11-05."""


async def agree(
    link: Link, machine: Negotiation, identity: Identity, timeout: float, *, silent: bool
) -> Hello:
    """Find out what the server speaks, and greet it. Raises ConnectError, ConnectionLost, TryEvents.

    timeout: seconds for an answer. silent: whether an older server may say nothing to
    `server/discover`.
    """
    step = machine.start()
    hello: Hello | None = None
    while True:
        if isinstance(step, Agreed):
            assert hello is not None
            if step.era == "legacy":
                await link.tell(INITIALIZED, None)
            return hello
        if isinstance(step, Failed):
            raise ConnectError(step.text)
        if isinstance(step, Events):
            raise TryEvents(step.text)
        if isinstance(step, Initialize):
            patience = timeout
        else:
            patience = min(timeout, DISCOVER_TIMEOUT) if silent else timeout
        link.version, link.era = step.version, era_of(step.version)
        hello, step = await _ask(link, step, machine, identity, patience)


async def _ask(
    link: Link,
    step: Discover | Initialize,
    machine: Negotiation,
    identity: Identity,
    patience: float,
) -> tuple[Hello | None, Step]:
    discovering = isinstance(step, Discover)
    method = "server/discover" if discovering else "initialize"
    call = Call(method, {} if discovering else identity.handshake(step.version))
    try:
        try:
            answer = await _within(link, call, patience)
        except RequestTimeout as problem:
            return None, machine.silent(str(problem))
        if isinstance(answer, ErrorResponse):
            error = answer.error
            return None, machine.refused(McpError(error.code, error.message, error.data))
        if discovering:
            found = result_as(answer, DiscoverResult, method)
            following = machine.discovered(found.supported_versions)
            if isinstance(following, Agreed):
                link.version = following.version
            return _discovered(found, link.version), following
        shaken = result_as(answer, InitializeResult, method)
        following = machine.initialized(shaken.protocol_version)
        link.version = shaken.protocol_version
        return _shaken(shaken), following
    except InvalidResult as problem:
        return None, machine.failed(str(problem))
    except BadAnswer as problem:
        return None, machine.failed(str(problem))
    except HttpStatus as problem:
        return None, machine.failed(str(problem), problem.status)


async def _within(link: Link, call: Call, seconds: float):  # type: ignore[no-untyped-def]
    if seconds == math.inf:
        return await link.send(call)
    with trio.move_on_after(seconds):
        return await link.send(call)
    raise RequestTimeout(f"no answer to {call.method} within {seconds:g} s")


def _discovered(found: DiscoverResult, version: str) -> Hello:
    info = (found.meta or {}).get(SERVER_INFO)
    try:
        named = None if info is None else msgspec.convert(info, Implementation)
    except msgspec.ValidationError:
        named = None  # it is a courtesy, and not worth a connection
    return Hello(
        era="modern",
        version=version,
        server_info=named,
        capabilities=found.capabilities,
        instructions=found.instructions,
        versions=tuple(found.supported_versions),
    )


def _shaken(found: InitializeResult) -> Hello:
    return Hello(
        era="legacy",
        version=found.protocol_version,
        server_info=found.server_info,
        capabilities=found.capabilities,
        instructions=found.instructions,
        versions=(found.protocol_version,),
    )
