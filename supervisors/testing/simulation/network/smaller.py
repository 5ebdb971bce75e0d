"""Plans of several nodes that are smaller than a given one, the boldest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .plan import Member, NetworkPlan, Station


def smaller(plan: NetworkPlan) -> Iterator[NetworkPlan]:
    """Fewer nodes and workers, plainer ones, no delay."""
    for station in plan.stations:
        if len(plan.stations) > 2:
            yield _of(plan, tuple(one for one in plan.stations if one is not station))
    for index, station in enumerate(plan.stations):
        for members in _fewer(station.members):
            yield _of(plan, _with(plan, index, replace(station, members=members)))
        for at, member in enumerate(station.members):
            for plainer in _plainer(member):
                members = (*station.members[:at], plainer, *station.members[at + 1 :])
                changed = _with(plan, index, replace(station, members=members))
                yield replace(plan, stations=changed)
    if plan.delay:
        yield replace(plan, delay=0.0)


def _fewer(members: tuple[Member, ...]) -> Iterator[tuple[Member, ...]]:
    if len(members) > 1:
        for member in members:
            yield tuple(one for one in members if one is not member)


def _plainer(member: Member) -> Iterator[Member]:
    if member.kind != "plain":
        yield replace(member, kind="plain")
    if not member.traps:
        yield replace(member, traps=True)


def _with(plan: NetworkPlan, index: int, station: Station) -> tuple[Station, ...]:
    return (*plan.stations[:index], station, *plan.stations[index + 1 :])


def _of(plan: NetworkPlan, stations: tuple[Station, ...]) -> NetworkPlan:
    """The plan for these nodes, without the faults of others."""
    there = {f"{station.node}/{member.id}" for station in stations for member in station.members}
    faults = tuple(fault for fault in plan.faults if fault.target in there and fault.other in there)
    return replace(plan, stations=stations, faults=faults)
