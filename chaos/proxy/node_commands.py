"""What the proxies add to the console of the node: ``chaos proxy start|list|set|remove|stop``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.proxy import supervisor
from chaos.proxy.place import ProxySettings, is_loopback
from chaos.proxy.pool import ProxyStatistics
from chaos.proxy.supervisor import ProxyError
from chaos.proxy.toxics import KINDS, BadToxic, toxic
from erlmcp_py.console.command import Arg, ArgType, Command, CommandError, Context
from erlmcp_py.transports.net.address import parse_address

PARAMETERS: Mapping[str, tuple[ArgType, str]] = {
    "delay": (
        "float",
        "seconds: of latency, slow_close, between slices, until a lost packet comes",
    ),
    "jitter": ("float", "seconds by which latency varies, up and down"),
    "rate": ("int", "bytes per second of bandwidth"),
    "share": ("float", "of packets lost, of bytes corrupted, 0 to 1"),
    "after": ("int", "bytes that pass before reset, half_open or limit_data"),
    "spread": ("int", "further bytes that pass before a reset, by chance"),
    "size": ("int", "bytes of a slice"),
    "variation": ("int", "bytes by which slices vary, up and down"),
    "toxicity": ("float", "share of the connections that the toxic hits, 0 to 1"),
}
"""What toxics are described by besides their direction: type and help."""

_NAME = Arg("name", "of the proxy", required=True)


async def start(_: Context, args: dict[str, Any]) -> ProxyStatistics:
    """Start a proxy."""
    upstream, listen = _address(args, "upstream"), _address(args, "listen")
    if not is_loopback(listen[0]):
        raise CommandError(
            "forbidden",
            f"a proxy listens on a port of this machine only (127.0.0.1, ::1), not on {listen[0]}: "
            "who connects to it is past what guards the node",
        )
    settings = ProxySettings(name=args["name"], upstream=upstream, listen=listen, seed=args["seed"])
    try:
        return await supervisor.start(settings)
    except ProxyError as problem:
        raise _refused(problem) from None


async def list_(_: Context, _args: dict[str, Any]) -> list[ProxyStatistics]:
    """All proxies, with their toxics and counts."""
    found = []
    for name in await supervisor.names():
        try:
            found.append(await supervisor.statistics(name))
        except ProxyError:
            continue  # stopped, or restarting, since it was listed
    return found


async def set_(_: Context, args: dict[str, Any]) -> ProxyStatistics:
    """Set a toxic, or change it."""
    fields = ("direction", *PARAMETERS)
    given = {field: args[field] for field in fields if args[field] is not None}
    try:
        made = toxic(args["toxic"], given)
    except BadToxic as problem:
        raise CommandError("bad_argument", str(problem)) from None
    try:
        await supervisor.set_toxic(args["name"], made, args["as"])
        return await supervisor.statistics(args["name"])
    except ProxyError as problem:
        raise _refused(problem) from None


async def remove(_: Context, args: dict[str, Any]) -> ProxyStatistics:
    """Take toxics away."""
    try:
        removed = await supervisor.remove_toxic(args["name"], args["toxic"])
        after = await supervisor.statistics(args["name"])
    except ProxyError as problem:
        raise _refused(problem) from None
    if not removed and args["toxic"] is not None:
        there = ", ".join(after.toxics) or "none"
        raise CommandError(
            "unknown_target", f"proxy {args['name']} has no toxic {args['toxic']!r}; it has {there}"
        )
    return after


async def stop(_: Context, args: dict[str, Any]) -> dict[str, str]:
    """Stop a proxy."""
    try:
        await supervisor.stop(args["name"])
    except ProxyError as problem:
        raise _refused(problem) from None
    return {"stopped": args["name"]}


def _address(args: dict[str, Any], field: str) -> tuple[str, int]:
    try:
        return parse_address(args[field])
    except ValueError as problem:
        raise CommandError("bad_argument", f"{field} {problem}, not {args[field]!r}") from None


def _refused(problem: ProxyError) -> CommandError:
    codes = {"unknown_proxy": "unknown_target", "bad_name": "bad_argument"}
    return CommandError(codes.get(problem.code, problem.code), str(problem))


COMMANDS = (
    Command(
        "chaos.proxy.start",
        "start a TCP proxy that can spoil what passes",
        start,
        (
            _NAME,
            Arg("upstream", "HOST:PORT or unix:/PATH it forwards to", required=True),
            Arg("listen", "HOST:PORT it listens on; port 0 takes any", default="127.0.0.1:0"),
            Arg("seed", "what is left to chance follows from it", "int", default=0),
        ),
        readonly=False,
        deadline=20.0,
    ),
    Command("chaos.proxy.list", "the proxies, their toxics and counts", list_),
    Command(
        "chaos.proxy.set",
        "have a proxy spoil what passes from now on",
        set_,
        (
            _NAME,
            Arg("toxic", "what kind", required=True, choices=tuple(KINDS)),
            Arg("direction", "which way", choices=("upstream", "downstream", "both")),
            *(Arg(name, help, type) for name, (type, help) in PARAMETERS.items()),
            Arg(
                "as", "what to call it, for remove and for several of a kind; its kind if not given"
            ),
        ),
        readonly=False,
    ),
    Command(
        "chaos.proxy.remove",
        "take one toxic away, or all",
        remove,
        (_NAME, Arg("toxic", "what it is called; all if not given")),
        readonly=False,
    ),
    Command(
        "chaos.proxy.stop",
        "stop a proxy and close its connections",
        stop,
        (_NAME,),
        readonly=False,
    ),
)
