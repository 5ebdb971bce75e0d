"""How the upstreams stand, as operators are told: figures of each, its programs, and how the last ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal

import msgspec
import trio

from erlmcp_py import registry
from erlmcp_py.config import ALL
from erlmcp_py.gateway.face import Face
from erlmcp_py.gateway.instance import Instance
from erlmcp_py.gateway.journal import Journal, Kind
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.ports.group import Usage, usage
from supervisors import whereis


class Past(msgspec.Struct, frozen=True):
    """Something that has happened. at: when, ISO 8601. ago: seconds. pid: of the program it happened to,
    None for what has none. text: what it was.
    """

    at: str
    ago: float
    pid: int | None
    text: str


class InstanceRow(msgspec.Struct, frozen=True):
    """One connection of an upstream, and its program if it has one. pid: the operating system's. memory:
    bytes of all its processes.
    """

    number: int
    state: str
    reason: str | None
    pid: int | None
    restarts: int
    failures: int
    in_flight: int
    memory: int | None


class UpstreamRow(msgspec.Struct, frozen=True):
    """One upstream. since: when its state began, ISO 8601; seconds: how long ago. where: its command or
    URL, without secrets. reason: why it is not up. pid: of its first program that runs. restarts:
    connections made after one was lost. waiting: requests that have no instance yet. requests, errors,
    lost, p50, p99: see `latency.Figures`. breaker: its state, and why it is not closed. last_failure: when and why it was lost or could not be started;
    last_exit: how the last program that ended did so.
    """

    name: str
    kind: Literal["program", "url"]
    where: str
    state: str
    since: str
    seconds: float
    reason: str | None
    pid: int | None
    restarts: int
    failures: int
    in_flight: int
    waiting: int
    memory: int | None
    requests: int
    errors: int
    lost: int
    p50: float | None
    p99: float | None
    breaker: str
    breaker_reason: str | None
    last_failure: Past | None
    last_exit: Past | None
    instances: tuple[InstanceRow, ...]


async def served() -> dict[str, Upstream]:
    """Those that are served now, in the order of the configuration."""
    found: dict[str, Upstream] = {}
    if whereis(registry.NAME) is None:
        return found  # the parent of several workers serves nothing itself
    servers = (await registry.servers()).values()
    faces = [entry.server for entry in servers if isinstance(entry.server, Face)]
    for face in sorted(faces, key=lambda one: one.name != ALL):
        for upstream in face.upstreams:
            found.setdefault(upstream.name, upstream)
    return found


async def rows(upstreams: Iterable[Upstream], now: float) -> list[UpstreamRow]:
    """How they stand. now: seconds since the epoch."""
    shown = list(upstreams)
    every = [instance for upstream in shown for instance in upstream.instances]
    pids = [standing.pid for each in every if (standing := each.standing()).pid is not None]
    # One look at /proc for all, in a thread: a busy machine takes its time for it.
    used = await trio.to_thread.run_sync(usage, pids) if pids else {}
    return [_row(each, used, now) for each in shown]


def _row(upstream: Upstream, used: Mapping[int, Usage], now: float) -> UpstreamRow:
    standing, figures = upstream.standing(), upstream.meter.figures()
    asleep = standing.state == "asleep"
    instances = tuple(_instance_row(each, used, asleep=asleep) for each in upstream.instances)
    weights = [each.memory for each in instances if each.memory is not None]
    journals = [each.journal for each in upstream.instances]
    return UpstreamRow(
        name=upstream.name,
        kind="url" if upstream.config.url else "program",
        where=upstream.where,
        state=standing.state,
        since=_iso(standing.since),
        seconds=max(0.0, now - standing.since),
        reason=standing.reason,
        pid=standing.pid,
        restarts=standing.restarts,
        failures=standing.failures,
        in_flight=standing.in_flight,
        waiting=upstream.waiting,
        memory=sum(weights) if weights else None,
        requests=figures.requests,
        errors=figures.errors,
        lost=figures.lost,
        p50=figures.p50,
        p99=figures.p99,
        breaker=upstream.breaker.state,
        breaker_reason=upstream.breaker.why or None,
        last_failure=_latest(journals, "failed", now),
        last_exit=_latest(journals, "ended", now),
        instances=instances,
    )


def _instance_row(instance: Instance, used: Mapping[int, Usage], *, asleep: bool) -> InstanceRow:
    standing = instance.standing()
    usage = None if standing.pid is None else used.get(standing.pid)
    return InstanceRow(
        instance.number,
        "asleep" if asleep else standing.state,
        None if asleep else standing.reason,
        standing.pid,
        standing.restarts,
        standing.failures,
        standing.in_flight,
        None if usage is None else usage.memory,
    )


def _latest(journals: Iterable[Journal], kind: Kind, now: float) -> Past | None:
    lines = [journal.last[kind] for journal in journals if kind in journal.last]
    if not lines:
        return None
    line = max(lines, key=lambda one: one.at)
    return Past(_iso(line.at), max(0.0, now - line.at), line.pid, line.text)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
