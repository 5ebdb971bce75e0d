"""The certificates of the node's listeners: which they show, and reading them again."""

from __future__ import annotations

from typing import Any

from erlmcp_py import registry
from erlmcp_py.console.command import Command, CommandError, Context
from supervisors import CallExit, call

_TIMEOUT = 8.0
"""Seconds a keeper has to read its files."""


async def tls(_context: Context, _args: dict[str, Any]) -> list[dict[str, Any]]:
    """What each listener with TLS shows."""
    return await _ask("facts")


async def reload(_context: Context, _args: dict[str, Any]) -> list[dict[str, Any]]:
    """Have each listener read its files now; open connections go on with what they have."""
    return await _ask("reload")


async def _ask(request: str) -> list[dict[str, Any]]:
    """`problem` is None, or why the certificate before it is still in use."""
    rows = []
    for name, entry in sorted((await registry.transports()).items()):
        if not entry.info.get("tls"):
            continue
        keeper = f"{name}_certificates"
        problem = None
        try:
            status, told = await call(keeper, request, _TIMEOUT)
            if status == "error":
                problem = told
                status, told = await call(keeper, "facts", _TIMEOUT)
        except CallExit as error:
            raise CommandError("crashed", f"{keeper} does not answer: {error}") from None
        rows.append({"listener": name, **(told if status == "ok" else {}), "problem": problem})
    return rows


CERTIFICATES = (
    Command("tls", "the certificates that listeners show", tls),
    Command("tls.reload", "read certificates and keys again", reload, readonly=False),
)
