"""The tree of one proxy, and the supervisor of all.

::

    chaos_proxies (simple_one_for_one 5/60)
    └── chaos_proxy_NAME (rest_for_one 10/60)
        ├── chaos_proxy_NAME_connections   toxics; one linked process per connection
        └── acceptor                       accepts

The connections' process also owns the listening socket: it closes it when it is stopped. A crash
of either leaves it open, as it lies in the child spec (`Place`), and with it the toxics.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import trio

from chaos.proxy.connection import close_with_reset
from chaos.proxy.place import Place, ProxySettings
from chaos.proxy.pool import Connections, ProxyStatistics
from chaos.proxy.toxics import Toxic
from erlmcp_py.transports.net.address import format_address
from supervisors import (
    CallExit,
    ChildSpec,
    Pid,
    StartError,
    Supervisor,
    SupervisorError,
    SupFlags,
    WarningReport,
    call,
    current_runtime,
    is_alive,
    process_info,
    set_label,
    spawn_link,
    start_child,
    terminate_child,
    whereis,
    which_children,
)
from supervisors import self as own_pid

PROXIES: Final = "chaos_proxies"
"""The registered name of the supervisor of all proxies."""

PROXIES_MOST: Final = 64

_PREFIX: Final = "chaos_proxy_"
_NAME: Final = re.compile(r"[a-z0-9_-]{1,40}")
_BATCH: Final = 64
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE: Final = 0.1


class ProxyError(Exception):
    """A proxy that cannot be started, or that is not there; the text says why.

    code: ``unknown_proxy``, ``bad_name``, ``name_taken``, ``too_many`` or ``cannot_start``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Proxy(Supervisor):
    """One proxy."""

    def init(self, place: Place) -> tuple[SupFlags, list[ChildSpec]]:
        """Connections, acceptor."""
        pool = _pool(place.name)
        return SupFlags("rest_for_one", 10, 60), [
            replace(Connections.child_spec(place, id=pool, name=pool), type="supervisor"),
            ChildSpec("acceptor", (_start_acceptor, (place,))),
        ]


class Proxies(Supervisor):
    """All proxies; a child is started with ``[place]``."""

    def init(self) -> tuple[SupFlags, list[ChildSpec]]:
        """Permanent: a proxy that breaks comes back, with its toxics."""
        spec = ChildSpec("proxy", (_start_proxy, ()), type="supervisor")
        return SupFlags("simple_one_for_one", 5, 60), [spec]


def child_spec(settings: ProxySettings) -> ChildSpec:
    """A proxy as a child of a tree of one's own. Its id is its name."""
    return ChildSpec(settings.name, (_start_proxy, (Place(settings),)), type="supervisor")


async def start(settings: ProxySettings) -> ProxyStatistics:
    """Start a proxy below `Proxies`. Raises `ProxyError`."""
    name = settings.name
    if not _NAME.fullmatch(name):
        raise ProxyError(
            "bad_name",
            f"{name!r} cannot name a proxy; give at most 40 of a to z, 0 to 9, - and _",
        )
    if whereis(_PREFIX + name) is not None:
        raise ProxyError("name_taken", f"there is a proxy {name!r} already; stop it first")
    if len(await which_children(PROXIES)) >= PROXIES_MOST:
        raise ProxyError("too_many", f"there are {PROXIES_MOST} proxies already, which is the most")
    try:
        await start_child(PROXIES, [Place(settings)])
    except SupervisorError as failed:
        raise ProxyError("cannot_start", _why(failed.reason)) from None
    return await statistics(name)


async def stop(name: str) -> None:
    """Stop a proxy of `Proxies`, its connections with it. Raises `ProxyError`."""
    pid = whereis(_PREFIX + name)
    if pid is None:
        raise await _unknown(name)
    await terminate_child(PROXIES, pid)


async def names() -> list[str]:
    """The proxies below `Proxies`."""
    found = []
    for child in await which_children(PROXIES):
        info = process_info(child.pid) if isinstance(child.pid, Pid) else None
        if info is not None and info.registered_name is not None:
            found.append(info.registered_name.removeprefix(_PREFIX))
    return sorted(found)


async def statistics(name: str) -> ProxyStatistics:
    """What can be said about a proxy now. Raises `ProxyError`."""
    return await _ask(name, ("statistics",))  # type: ignore[no-any-return]


async def set_toxic(proxy: str, toxic: Toxic, name: str | None = None) -> None:
    """Have a toxic act from now on, on open connections too, in the place of the one that has its
    name, which is its kind unless said otherwise. Raises `ProxyError`.
    """
    if await _ask(proxy, ("set", name or toxic.kind, toxic)) == "too_many":
        raise ProxyError("too_many", f"proxy {proxy!r} has as many toxics as it can; remove one")


async def remove_toxic(proxy: str, name: str | None = None) -> int:
    """Take a toxic away, or all of them; how many there were. Raises `ProxyError`."""
    return await _ask(proxy, ("remove", name))  # type: ignore[no-any-return]


async def _ask(name: str, request: Any) -> Any:
    try:
        return await call(_pool(name), request)
    except CallExit as failed:
        if failed.cause != "noproc":
            raise
    raise await _unknown(name)


async def _unknown(name: str) -> ProxyError:
    known: Iterable[str] = await names() if whereis(PROXIES) is not None else ()
    there = f"there are {', '.join(known)}" if known else "there are none"
    return ProxyError("unknown_proxy", f"there is no proxy {name!r}; {there}")


def _pool(name: str) -> str:
    return f"{_PREFIX}{name}_connections"


def _why(reason: Any) -> str:
    match reason:
        case ("port_in_use", host, port):
            return f"{format_address(host, port)} is in use; choose another port, or 0 for any"
        case ("port_forbidden", host, port):
            return f"this user may not listen on {format_address(host, port)}"
        case ("address_not_available", host, port):
            return f"{format_address(host, port)} is no address of this machine"
        case ("unknown_host", host, text):
            return f"{host} is not known: {text}"
        case ("cannot_listen", host, port, text):
            return f"cannot listen on {format_address(host, port)}: {text}"
        case ("upstream_is_itself", host, port):
            return f"{format_address(host, port)} would forward to itself"
    return f"it did not start: {reason!r}"


async def _start_proxy(place: Place) -> Pid:
    try:
        return await Proxy.start_link(place, name=_PREFIX + place.name)
    except StartError as failed:
        match failed.reason:
            case ("shutdown", ("failed_to_start_child", _, reason)):
                raise StartError(reason) from None
        raise


def _start_acceptor(place: Place) -> Pid:
    return spawn_link(_accept, place)


async def _accept(place: Place) -> None:
    """The acceptor's life: hand every connection to the pool, in batches."""
    set_label(f"proxy {place.name} acceptor")
    about = process_info(own_pid())
    supervisor = None if about is None else about.parent
    try:
        with place.socket() as listening:
            while True:
                await trio.lowlevel.wait_readable(listening)
                try:
                    await _accept_batch(listening, place)
                except OSError as problem:
                    if problem.errno not in _EXHAUSTED:
                        raise
                    await _breathe(place, problem)
    finally:
        # The tree above was killed, or the runtime closes: nobody stops the socket's owner.
        if supervisor is None or not is_alive(supervisor):
            place.close()


async def _accept_batch(listening: socket.socket, place: Place) -> None:
    for _ in range(_BATCH):
        try:
            client, address = listening.accept()
        except BlockingIOError:
            return
        except ConnectionError:
            continue  # the client had gone before it was its turn
        try:
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = format_address(address[0], address[1])
            started = await call(_pool(place.name), ("start", client, peer))
        except BaseException:
            client.close()
            raise
        if started is None:
            close_with_reset(client)


async def _breathe(place: Place, problem: OSError) -> None:
    text = f"proxy {place.name} cannot accept: {problem.strerror}; trying again in {_PAUSE} s"
    details = {"errno": problem.errno, "proxy": place.name}
    current_runtime().reports.emit(WarningReport(own_pid(), text, details))
    await trio.sleep(_PAUSE)
