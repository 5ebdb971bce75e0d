"""Which programs there are, and whose: for those who draw the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisors import Pid

if TYPE_CHECKING:
    from erlmcp_py.ports.port import Port

_owned: dict[Pid, list[Port]] = {}


def add(owner: Pid, port: Port) -> None:
    """It has been opened."""
    _owned.setdefault(owner, []).append(port)


def remove(owner: Pid, port: Port) -> None:
    """It has ended."""
    ports = _owned[owner]
    ports.remove(port)
    if not ports:
        del _owned[owner]


def programs() -> dict[Pid, tuple[Port, ...]]:
    """The ports that are open, by their owners; the oldest first."""
    return {owner: tuple(ports) for owner, ports in _owned.items()}
