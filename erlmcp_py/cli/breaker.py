"""`erlmcp-node breaker`: the circuit breakers of a node, and an operator's word about one.

Exit codes: those of `oneshot`.
"""

from __future__ import annotations

import click

from erlmcp_py.cli.oneshot import ask, node_options


@click.group()
def breaker() -> None:
    """Look at circuit breakers; open, close or reset one."""


@breaker.command("list")
@node_options
def list_(name: str, as_json: bool) -> None:
    """List the breakers: how they stand, why, and what was counted."""
    ask(name, "breaker.list", as_json=as_json)


@breaker.command("open")
@click.argument("breaker")
@click.option("--reason", help="Told to those who are refused.")
@node_options
def open_(name: str, as_json: bool, breaker: str, reason: str | None) -> None:
    """Let no request through BREAKER until it is closed by hand."""
    ask(name, "breaker.open", {"breaker": breaker, "reason": reason}, as_json=as_json)


@breaker.command()
@click.argument("breaker")
@node_options
def close(name: str, as_json: bool, breaker: str) -> None:
    """Let requests through BREAKER, and forget what was counted."""
    ask(name, "breaker.close", {"breaker": breaker}, as_json=as_json)


@breaker.command()
@click.argument("breaker")
@node_options
def reset(name: str, as_json: bool, breaker: str) -> None:
    """Forget what BREAKER has counted.

    If it is open, what it guards is tried at once.
    """
    ask(name, "breaker.reset", {"breaker": breaker}, as_json=as_json)
