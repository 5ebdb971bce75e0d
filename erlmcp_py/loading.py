"""From names in the configuration to objects: servers as MODULE:ATTR, applications by entry point.

Everything is loaded before the first process starts, so that a typing error ends in one line and
not in a supervisor that tries again and gives up.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final

from erlmcp_py.config import ConfigError, ServerConfig
from erlmcp_py.server import Server
from supervisors import Application

APPLICATIONS: Final = "erlmcp.applications"
"""Entry-point group; each entry is a `supervisors.Application`, its class or an instance."""


def load_servers(configured: Iterable[ServerConfig]) -> dict[str, Server]:
    """The servers by their names in the node. Raises `ConfigError` naming what cannot be loaded."""
    return {server.name: load_server(server.target) for server in configured}


def load_server(target: str) -> Server:
    """Import `MODULE:ATTR`, also from the current directory. Raises `ConfigError`."""
    module_name, separator, attribute = target.partition(":")
    if not (separator and module_name and attribute):
        raise ConfigError(f"server {target!r}: must be MODULE:ATTR, such as examples.simple:server")
    if module_name.endswith(".py") or "/" in module_name:
        meant = f"{Path(module_name).stem}:{attribute}"
        raise ConfigError(
            f"server {target!r}: MODULE is a module's name, not a file's; in its directory: {meant}"
        )
    found: Any = _import(module_name, target)
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ConfigError(
                f"server {target!r}: {module_name} has no {name!r}{_hint(name, found)}"
            ) from None
    if not isinstance(found, Server):
        raise ConfigError(
            f"server {target!r}: is a {type(found).__name__}, not an erlmcp_py.server.Server"
        )
    return found


def name_servers(targets: Iterable[str]) -> list[dict[str, str]]:
    """`[[servers]]` tables that name each target as its `Server` calls itself, made fit for a path.

    Raises `ConfigError` for one that cannot be loaded.
    """
    named = []
    for target in targets:
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", load_server(target).info.name).strip("-_")[:64]
        named.append({"name": name or "server", "target": target})
    return named


def load_application(name: str) -> Application:
    """An installed application. Raises `ConfigError`."""
    installed = {entry.name: entry for entry in entry_points(group=APPLICATIONS)}
    if name not in installed:
        known = ", ".join(sorted(installed)) or "none"
        raise ConfigError(f"applications.start: {name!r} is not installed; installed: {known}")
    try:
        found: Any = installed[name].load()
        application = found() if isinstance(found, type) else found
    except Exception as error:
        raise ConfigError(
            f"applications.start: {name!r} cannot be loaded: {_where(error)}"
        ) from error
    if not isinstance(application, Application):
        raise ConfigError(
            f"applications.start: {name!r} is a {type(application).__name__}, "
            "not a supervisors.Application"
        )
    return application


def _import(module_name: str, target: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise ConfigError(
                f"server {target!r}: there is no module {error.name!r}, neither in {here} nor installed"
            ) from None
        raise ConfigError(f"server {target!r}: {_where(error)}") from error
    except SystemExit as error:
        raise ConfigError(
            f"server {target!r}: {module_name} ends the program when it is imported ({_where(error)}); "
            'put that behind: if __name__ == "__main__"'
        ) from error
    except Exception as error:
        raise ConfigError(f"server {target!r}: {_where(error)}") from error


def _hint(name: str, module: object) -> str:
    servers = [key for key, value in vars(module).items() if isinstance(value, Server)]
    near = get_close_matches(name, servers, n=1, cutoff=0.0)
    return f"; did you mean {near[0]!r}?" if near else ""


def _where(error: BaseException) -> str:
    """What was raised and in which line of whose file, as one line."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}:{error.lineno})"
    frames = extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}{place}" if text else f"{type(error).__name__}{place}"
