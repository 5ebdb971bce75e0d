"""Requests over HTTP: play them to a node one after the other, and judge each answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import trio
import trio.testing

from erlmcp_py.protocol.headers import NAMED_BY, decode_value
from erlmcp_py.protocol.jsonrpc import Notification, Request
from erlmcp_py.protocol.meta import PROTOCOL_VERSION
from erlmcp_py.protocol.versions import LATEST, LEGACY
from supervisors import Report
from tests.erlmcp_py.transports.http.client import Client, connect
from tests.fuzz import oracle
from tests.fuzz.grammar import Shot
from tests.fuzz.world import LINE_LIMIT, PATIENCE, SERVER, faults, http_node

PATHS: Final = ("/mcp", f"/mcp/{SERVER}")
HOSTS: Final = ("localhost", "127.0.0.1:1", "[::1]")
ORIGINS: Final = (None, "http://localhost:1")

Outcome = tuple[int, int | None]
"""HTTP status, and the code of the answer: `oracle.OK`; None where it does not matter or is none."""


class Heard(msgspec.Struct):
    """What came back for one request. messages: what is JSON-RPC in it, in order."""

    status: int
    headers: dict[str, str]
    messages: list[Any]


# --- playing --------------------------------------------------------------------------------


def play(shots: Sequence[Shot]) -> tuple[list[Heard], list[Report]]:
    """What comes back for each, for a good call behind them, and what the node reported."""
    heard: list[Heard] = []
    reported: list[Report] = []

    async def main() -> None:
        async with http_node() as reports:
            with trio.fail_after(PATIENCE):
                async with connect() as client:
                    session = await client.initialize()
                rest = list(shots)
                while rest:
                    async with connect() as client:
                        await _play_on(client, rest, session, heard)
                async with connect() as client:
                    answer = await client.call("echo", 1, text="still here")
                    heard.append(Heard(answer.status, answer.headers, [answer.json]))
            reported.extend(reports)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return heard, reported


async def _play_on(client: Client, rest: list[Shot], session: str, heard: list[Heard]) -> None:
    """As many as one connection takes."""
    while rest:
        shot = rest.pop(0)
        await client.send(_wire(shot, session))
        status, headers = await client.head()
        messages: list[Any] = []
        heard.append(Heard(status, headers, messages))
        if headers.get("content-type") == "text/event-stream":
            endless = shot.method == "GET"
            data = b""
            while not endless and (chunk := await client.chunk()):
                data += chunk
                messages[:] = [
                    json.loads(line[6:]) for line in data.split(b"\n") if line[:7] == b"data: {"
                ]
                method = messages[-1].get("method") if messages else None
                endless = method == "notifications/subscriptions/acknowledged"
            if endless:
                return  # which leaves it
        elif int(headers.get("content-length", 0)):
            messages.append(json.loads(await client.exactly(int(headers["content-length"]))))
        if headers.get("connection") == "close":
            assert await client.closed()
            return


def _wire(shot: Shot, session: str) -> bytes:
    headers = list(shot.headers)
    if shot.session is not None:
        headers.append(("Mcp-Session-Id", session if shot.session == "mine" else shot.session))
    if shot.body or shot.method == "POST":
        headers.append(("Content-Length", str(len(shot.body))))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{shot.method} {shot.path} HTTP/1.1\r\n{lines}\r\n".encode() + shot.body


# --- judging --------------------------------------------------------------------------------


def judge(shots: Sequence[Shot], heard: Sequence[Heard], reports: list[Report]) -> None:
    """AssertionError if something was not right."""
    assert not faults(reports), faults(reports)
    assert len(heard) == len(shots) + 1
    assert heard[-1].messages[0]["result"]["content"][0]["text"] == "still here"
    alive = True
    for shot, answer in zip(shots, heard, strict=False):
        allowed = outcomes(shot, alive)
        got = outcome(shot, answer)
        assert any(got[0] == status and code in (None, got[1]) for status, code in allowed), (
            f"{shot}\n{answer}\nnot one of {allowed}"
        )
        alive = alive and not (shot.session == "mine" and answer.status == 204)


def outcome(shot: Shot, answer: Heard) -> Outcome:
    """What came, in short; AssertionError if it is not one answer."""
    final = [m for m in answer.messages if "method" not in m]
    for message in answer.messages:
        assert message["jsonrpc"] == "2.0"
        if message.get("method") == "notifications/subscriptions/acknowledged":
            return answer.status, oracle.OK
    if not answer.messages:
        return answer.status, None
    assert len(final) == 1, answer
    reading = oracle.read(shot.body)
    code = oracle.code_of(final[0])
    id = oracle.key_of(final[0])
    assert id is None or id in reading.ids, answer
    if code == oracle.OK:
        assert id is not None
    return answer.status, code


def outcomes(shot: Shot, alive: bool) -> set[Outcome]:
    """What may come."""
    found = _outcomes(shot, alive)
    if shot.path not in PATHS:  # whether before or after the rest has been looked at
        found = {(404, None), *(o for o in found if o[1] != oracle.OK and o[0] != 204)}
    return found


def _outcomes(shot: Shot, alive: bool) -> set[Outcome]:
    headers = {name.lower(): value for name, value in shot.headers}
    version = headers.get("mcp-protocol-version")
    modern = version is not None and version not in LEGACY
    found: set[Outcome] = set()
    if headers.get("host") not in HOSTS:
        found |= {(421, None), (400, None)}
    if headers.get("origin") not in ORIGINS:
        found.add((403, None))
    if shot.method == "BREW":
        found.add((501, None))
    elif shot.method not in (("POST",) if modern else ("POST", "GET", "DELETE")):
        found.add((405, None))
    if shot.method == "POST":
        if headers.get("content-type") != "application/json":
            found.add((415, None))
        if len(shot.body) > LINE_LIMIT:
            found.add((413, None))
    accept = headers.get("accept", "*/*")
    if shot.method != "DELETE" and not _accepts(accept, both=shot.method == "POST"):
        found.add((406, None))
    if shot.method != "POST":
        known = shot.session == "mine" and alive
        return found | _without_body(shot, known) if not modern else found
    if found:
        return found
    reading = oracle.read(shot.body)
    if type(reading.kind) is int:
        return {(400, code) for code in reading.codes}
    if reading.kind is None:
        return {(400, oracle.PARSE)}
    if modern:
        return _modern(reading, headers, version or "")
    return _legacy(shot, reading, alive)


def _accepts(value: str, *, both: bool) -> bool:
    if value == "*/*":
        return True
    return "text/event-stream" in value and ("application/json" in value or not both)


def _without_body(shot: Shot, known: bool) -> set[Outcome]:
    if shot.method not in ("GET", "DELETE"):
        return set()
    if shot.session is None:
        return {(400, None)}
    if not known or shot.path != "/mcp":
        return {(404, None)}
    return {(204 if shot.method == "DELETE" else 200, None)}


def _modern(reading: oracle.Reading, headers: dict[str, str], version: str) -> set[Outcome]:
    if reading.kind not in (Request, Notification):
        return {(400, None)}
    value = reading.value
    repeated = headers.get("mcp-method") == value["method"]
    if reading.kind is Notification:
        right = repeated and version == LATEST
        return {(202, None)} if right else {(400, oracle.HEADER)}
    codes = set(oracle.modern_codes(value))
    meta = value.get("params", {}).get("_meta")
    said = meta.get(PROTOCOL_VERSION) if isinstance(meta, dict) else None
    if isinstance(said, str) and said != version:
        repeated = False
    named_by = NAMED_BY.get(value["method"])
    target = None if named_by is None else value.get("params", {}).get(named_by)
    if isinstance(target, str):
        try:
            repeated &= decode_value(headers.get("mcp-name", "\0").encode()) == target
        except ValueError:
            repeated = False
    if not repeated:
        codes = codes - {oracle.OK} | {oracle.HEADER}
    statuses = {oracle.OK: 200, oracle.NOT_FOUND: 404}
    return {(statuses.get(code, 400), code) for code in codes}


def _legacy(shot: Shot, reading: oracle.Reading, alive: bool) -> set[Outcome]:
    value = reading.value
    if reading.kind is not Request or value["method"] != "initialize":
        if shot.session is None:
            wrong_era = reading.kind is Request and oracle.says_version(value)
            return {(400, oracle.HEADER if wrong_era else oracle.INVALID)}
        if shot.session != "mine" or not alive or shot.path != "/mcp":
            return {(404, None)}
        if reading.kind is Notification and value["method"] == "notifications/cancelled":
            return {(202, None), (400, oracle.PARAMS)}
        if reading.kind is not Request:
            return {(202, None)}
    faults = (oracle.PARSE, oracle.INVALID)
    codes = oracle.legacy_codes(value, LEGACY[0])
    return {(400 if code in faults else 200, code) for code in codes}
