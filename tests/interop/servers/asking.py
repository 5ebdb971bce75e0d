"""A server that cannot do anything without asking."""

from __future__ import annotations

import msgspec
import trio

from erlmcp_py.server import Context, Elicit, Refused, Roots, Sample, Server

server = Server("asking", version="1.0")

STEPS: list[str] = []


class Name(msgspec.Struct):
    """What is your name?"""

    name: str


class Confirmation(msgspec.Struct):
    """Are you sure?"""

    ok: bool


@server.tool()
async def greet(ctx: Context) -> str:
    """Ask for a name and use it."""
    return f"Hello, {(await ctx.elicit(Name)).name}!"


@server.tool()
async def order(ctx: Context) -> str:
    """Two questions and a step that must not happen twice."""
    name = await ctx.elicit(Name)
    number = await ctx.once("book", _book)
    sure = await ctx.elicit(Confirmation, f"Book {number} for {name.name}?")
    return f"{name.name} {number} {sure.ok}"


async def _book() -> int:
    await trio.lowlevel.checkpoint()
    STEPS.append("booked")
    return len(STEPS)


@server.tool()
async def everything(ctx: Context) -> str:
    """Three questions at once."""
    got = await ctx.ask(name=Elicit(Name), line=Sample(messages="Greet."), roots=Roots())
    return f"{got['name'].name}, {got['line'].text} {[root.uri for root in got['roots']]}"


@server.tool()
async def careful(ctx: Context) -> str:
    """Take a refusal for an answer."""
    try:
        await ctx.elicit(Name)
    except Refused as refused:
        return f"refused: {refused.action}"
    return "given"


@server.tool(timeout=0.5)
async def patient(ctx: Context) -> str:
    """May take half a second, but not while the user thinks."""
    return (await ctx.elicit(Name)).name


@server.prompt()
async def letter(ctx: Context) -> str:
    """A prompt that asks."""
    return f"Write to {(await ctx.elicit(Name)).name}"


@server.resource("asking://name")
async def name(ctx: Context) -> str:
    """A resource that asks."""
    return (await ctx.elicit(Name)).name
