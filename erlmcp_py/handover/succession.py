"""The heir's side in the life of a node: ask before the tree is started, take over when it could serve."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import trio

from erlmcp_py.application import ROOT
from erlmcp_py.config import Config, ConfigError
from erlmcp_py.console import place
from erlmcp_py.console.service import Console
from erlmcp_py.handover import giver, heir
from erlmcp_py.handover.heir import CannotReplace, Heir
from erlmcp_py.listening import listeners
from erlmcp_py.ops.health import report
from erlmcp_py.telemetry.log import log
from supervisors import start_child

_WELL_WITHIN: Final = 30.0
_LOOK_EVERY: Final = 0.02


async def ask(config: Config) -> Heir | None:
    """What the node of this name has for this one; None if there is none. Raises `ConfigError`."""
    try:
        directory = Path(config.control.directory or place.default_directory())
        return await heir.ask(config.node.name, directory, _places(config))
    except (CannotReplace, place.PlaceError) as problem:
        raise ConfigError(str(problem)) from None


def _places(config: Config) -> dict[str, tuple[str, int]]:
    """Where this node wants to listen."""
    places = {}
    for name in listeners(config):
        if name == "http_redirect":
            port = config.http.tls.redirect_port
            assert port != "off"
            places[name] = (config.http.host, port)
        else:
            section = config.http if name == "http" else config.tcp
            places[name] = (section.host, section.port)
    return places


async def succeed(config: Config, asked: Heir, console: Console) -> None:
    """Take over, once this node is well. Raises `ConfigError`; then the other one goes on."""
    await _until_well()
    try:
        await asked.take()
    except CannotReplace as problem:
        raise ConfigError(str(problem)) from None
    log("info", f"node {config.node.name} takes over from process {asked.giver}")
    await start_child(ROOT, console.child_spec())
    key = asked.inheritance.key
    await start_child(ROOT, giver.child_spec(asked.claim, listeners(config), key))


async def _until_well() -> None:
    found = await report()
    with trio.move_on_after(_WELL_WITHIN):
        while found.status == "unknown":
            await trio.sleep(_LOOK_EVERY)
            found = await report()
    if not found.ready:
        ill = [f"{each.id} is {each.status}" for each in found.components if _not_well(each.status)]
        raise ConfigError(f"the new node is not well ({', '.join(ill)}); the one that runs goes on")


def _not_well(status: str) -> bool:
    """Whether it stands in the way of serving."""
    return status not in ("healthy", "degraded")
