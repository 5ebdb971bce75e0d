"""Names of what the node serves: MCP servers, transports, and which transport means which server.

One process that monitors everything it names, so a name never leads to a dead pid for longer
than the death takes to be told. Names are the contract, pids are not: a binding and the
default server are names, and hold again as soon as a restarted process has registered.

WHY its tables are read past it: every request of every client looks a server up, and a call to a process
costs ten times what a look into a table does. Only the process writes, and what it has answered to is in
the tables. A pid whose process has ended is none, whether the registry has heard of its end yet or not.

WHY `lookup_soon`: between the crash of a server and the registration of its successor there
are some hundred microseconds without a pid. A request that falls into them waits there, for
a name that was seen alive before, instead of failing with "no such server".
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from supervisors import (
    CallExit,
    GenServer,
    Pid,
    call,
    demonitor,
    is_alive,
    monitor,
    reply,
    send_after,
    whereis,
)
from supervisors import self as own_pid

NAME: Final = "registry"
PATIENCE: Final = 1.0
"""Seconds a request waits for a server that is being restarted."""


class RegistryError(Exception):
    """A registration or binding the registry refuses; the message says why."""


class ServerDown(RegistryError):
    """The server is known, but no process of it came back in time."""


class UnknownServer(RegistryError):
    """No server of that name was ever registered."""


class ServerEntry(msgspec.Struct, frozen=True):
    """A registered MCP server: its process and its definition (a `server.Server`)."""

    name: str
    pid: Pid
    server: Any


class TransportEntry(msgspec.Struct, frozen=True):
    """A registered transport.

    info: what it says about itself, such as ``{"kind": "http", "host": …, "port": …}``.
    server: name of the server it is bound to, None for the node's default server.
    """

    name: str
    pid: Pid
    info: dict[str, Any]
    server: str | None = None


class _Tables:
    """The registry's state."""

    def __init__(self) -> None:
        self.servers: dict[str, ServerEntry] = {}
        self.transports: dict[str, TransportEntry] = {}
        self.bindings: dict[str, str] = {}
        self.default: str | None = None
        self.seen: set[str] = set()
        self.watched: dict[Any, tuple[str, str]] = {}
        self.waiting: dict[str, list[Any]] = {}

    def chosen(self, transport: str | None, name: str | None) -> str | None:
        """The name meant by an optional name on a transport."""
        if name is not None:
            return name
        return self.bindings.get(transport or "", self.default)


_tables: dict[Pid, _Tables] = {}
"""Of each registry that runs, by its process; those that ended go when the next one begins."""


class Registry(GenServer):
    """The process; call it through the functions of this module."""

    def init(self) -> tuple[Any, ...]:
        """Start empty: whoever is to be found registers."""
        for ended in [pid for pid in _tables if not is_alive(pid)]:
            del _tables[ended]
        tables = _tables[own_pid()] = _Tables()
        return ("ok", tables)

    def handle_call(self, request: Any, from_: Any, state: _Tables) -> tuple[Any, ...]:
        """Requests are tuples that begin with the name of a function of this module."""
        match request:
            case ("chosen", transport):
                return ("reply", (state.bindings.get(transport or ""), state.default), state)
            case ("lookup_soon", transport, name, patience):
                return self._lookup_soon(transport, name, patience, from_, state)
            case ("register_server", name, pid, server):
                return ("reply", self._register_server(name, pid, server, state), state)
            case ("register_transport", name, pid, info):
                return ("reply", self._register_transport(name, pid, info, state), state)
            case ("unregister", kind, name):
                return ("reply", self._unregister(kind, name, state), state)
            case ("bind", transport, server):
                if server is None:
                    state.bindings.pop(transport, None)
                else:
                    state.bindings[transport] = server
                return ("reply", None, state)
            case ("set_default", name):
                state.default = name
                return ("reply", None, state)
            case ("servers",):
                return ("reply", dict(state.servers), state)
            case ("transports",):
                bound = {
                    name: msgspec.structs.replace(entry, server=state.bindings.get(name))
                    for name, entry in state.transports.items()
                }
                return ("reply", bound, state)
            case ("default",):
                return ("reply", state.default, state)
        return (
            "reply",
            RegistryError(f"the registry does not know the request {request!r}"),
            state,
        )

    def handle_info(self, message: Any, state: _Tables) -> tuple[Any, ...]:
        """DOWN of something registered, or the end of somebody's patience."""
        match message:
            case ("DOWN", ref, "process", _, _):
                kind, name = state.watched.pop(ref, ("", ""))
                if kind == "server":
                    del state.servers[name]
                elif kind == "transport":
                    del state.transports[name]
            case ("impatient", name, from_):
                waiting = state.waiting.get(name, [])
                if from_ in waiting:
                    waiting.remove(from_)
                    reply(from_, ServerDown(f"the server {name!r} is down"))
        return ("noreply", state)

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        """Show names and pids instead of the tables."""
        state = status.get("state")
        if not isinstance(state, _Tables):
            return status
        shown = {
            "servers": {name: entry.pid for name, entry in state.servers.items()},
            "transports": {name: entry.pid for name, entry in state.transports.items()},
            "bindings": dict(state.bindings),
            "default": state.default,
            "waiting": {name: len(callers) for name, callers in state.waiting.items()},
        }
        return {**status, "state": shown}

    def _register_server(
        self, name: str, pid: Pid, server: Any, state: _Tables
    ) -> RegistryError | None:
        present = state.servers.get(name)
        if present is not None and present.pid != pid and is_alive(present.pid):
            return RegistryError(f"the server name {name!r} belongs to {present.pid}")
        self._watch("server", name, pid, state)
        state.servers[name] = ServerEntry(name, pid, server)
        state.seen.add(name)
        if state.default is None:
            state.default = name
        for from_ in state.waiting.pop(name, ()):
            reply(from_, pid)
        return None

    def _register_transport(
        self, name: str, pid: Pid, info: dict[str, Any], state: _Tables
    ) -> RegistryError | None:
        present = state.transports.get(name)
        if present is not None and present.pid != pid and is_alive(present.pid):
            return RegistryError(f"the transport name {name!r} belongs to {present.pid}")
        self._watch("transport", name, pid, state)
        state.transports[name] = TransportEntry(name, pid, dict(info))
        return None

    def _watch(self, kind: str, name: str, pid: Pid, state: _Tables) -> None:
        self._unwatch(kind, name, state)
        state.watched[monitor(pid)] = (kind, name)

    def _unwatch(self, kind: str, name: str, state: _Tables) -> None:
        for ref in [ref for ref, entry in state.watched.items() if entry == (kind, name)]:
            demonitor(ref, flush=True)
            del state.watched[ref]

    def _unregister(self, kind: str, name: str, state: _Tables) -> bool:
        self._unwatch(kind, name, state)
        if kind == "server":
            state.seen.discard(name)
            return state.servers.pop(name, None) is not None
        return state.transports.pop(name, None) is not None

    def _lookup_soon(
        self, transport: str | None, name: str | None, patience: float, from_: Any, state: _Tables
    ) -> tuple[Any, ...]:
        chosen = state.chosen(transport, name)
        if chosen is None or chosen not in state.seen:
            return ("reply", None, state)
        entry = state.servers.get(chosen)
        if entry is not None and is_alive(entry.pid):
            return ("reply", entry.pid, state)
        state.waiting.setdefault(chosen, []).append(from_)
        send_after(patience, own_pid(), ("impatient", chosen, from_))
        return ("noreply", state)


async def register_server(name: str, pid: Pid, server: Any) -> None:
    """Name a server process; the first one becomes the default unless one was set.

    Registering again with the same pid replaces the definition. Raises RegistryError if the
    name belongs to another live process.
    """
    _raise(await call(NAME, ("register_server", name, pid, server)))


async def register_transport(name: str, pid: Pid, info: dict[str, Any]) -> None:
    """Name a transport process. Raises RegistryError if another live one has the name."""
    _raise(await call(NAME, ("register_transport", name, pid, info)))


async def unregister_server(name: str) -> bool:
    """Forget a server, so that nobody waits for its return; False if it was not registered."""
    return bool(await call(NAME, ("unregister", "server", name)))


async def unregister_transport(name: str) -> bool:
    """Forget a transport; False if it was not registered. Its binding stays."""
    return bool(await call(NAME, ("unregister", "transport", name)))


async def bind(transport: str, server: str | None) -> None:
    """Say which server a transport means where none is named; None: the default server."""
    await call(NAME, ("bind", transport, server))


async def set_default(name: str | None) -> None:
    """Choose the node's default server, registered or not yet."""
    await call(NAME, ("set_default", name))


async def default() -> str | None:
    """Name of the default server; None before any server was registered."""
    return await call(NAME, ("default",))  # type: ignore[no-any-return]


async def lookup(name: str | None = None, *, transport: str | None = None) -> Pid | None:
    """The live process of a server; name None: the one `transport` is bound to, else the default.

    None also while it is being restarted, or the registry is.
    """
    return at_hand(name, transport)


def at_hand(name: str | None, transport: str | None) -> Pid | None:
    """What `lookup` says, without a wait."""
    registry = whereis(NAME)
    tables = None if registry is None else _tables.get(registry)
    if tables is None:
        return None
    entry = tables.servers.get(tables.chosen(transport, name) or "")
    return entry.pid if entry is not None and is_alive(entry.pid) else None


async def lookup_soon(
    name: str | None = None, *, transport: str | None = None, patience: float = PATIENCE
) -> Pid | None:
    """As `lookup`, but waits up to `patience` seconds for a server that was seen before.

    None: no such server was ever registered. Raises ServerDown when it did not come back.
    """
    found = await call(NAME, ("lookup_soon", transport, name, patience), patience + 5.0)
    if isinstance(found, ServerDown):
        raise found
    return found  # type: ignore[no-any-return]


async def find(name: str | None = None, *, transport: str | None = None) -> Pid:
    """The process of a server, for a request that has to have one; names as in `lookup`.

    Raises UnknownServer; ServerDown when it does not come back in time, or the registry is itself
    being restarted.
    """
    pid = at_hand(name, transport)
    if pid is not None:
        return pid
    try:
        pid = await lookup_soon(name, transport=transport)
        if pid is None:
            raise UnknownServer(await _why_unknown(name, transport))
    except CallExit:
        raise ServerDown("the registry is being restarted") from None
    return pid


async def _why_unknown(name: str | None, transport: str | None) -> str:
    if name is not None:
        return f"there is no server {name!r}"
    bound, default = await call(NAME, ("chosen", transport))
    if bound is not None:
        return f"the transport {transport!r} is bound to the server {bound!r}, which is not there"
    if default is not None:
        return f"the default server of this node is {default!r}, which is not there"
    return "this node has no default server"


async def servers() -> dict[str, ServerEntry]:
    """All live servers by name."""
    return await call(NAME, ("servers",))  # type: ignore[no-any-return]


async def transports() -> dict[str, TransportEntry]:
    """All live transports by name, with what they are bound to."""
    return await call(NAME, ("transports",))  # type: ignore[no-any-return]


def _raise(refusal: RegistryError | None) -> None:
    if refusal is not None:
        raise refusal
