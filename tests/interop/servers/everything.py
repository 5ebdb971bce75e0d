"""A server with something of everything, for clients that others have written."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import trio
from msgspec import Meta

from erlmcp_py.server import (
    Context,
    EmbeddedResource,
    Icon,
    Refused,
    ResourceLink,
    Server,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
    ToolError,
    audio,
    image,
)

ICONS = [
    Icon(src="https://example.org/icon.svg", mime_type="image/svg+xml", sizes=["any"]),
    Icon(src="https://example.org/dark.png", sizes=["48x48"], theme="dark"),
]

server = Server(
    "everything",
    version="1.2.3",
    title="Everything",
    instructions="Try it.",
    page_size=4,
    icons=ICONS,
)

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


PAUSE = 0.02
"""Seconds between two notifications."""


class State:
    """What the tools have done, for the tests that ask."""

    count = 0
    hanging = 0
    cancelled = 0


# --- content and errors ---------------------------------------------------------------------


@server.tool(
    title="Echo",
    annotations=ToolAnnotations(read_only_hint=True, title="An echo"),
    icons=ICONS,
)
def echo(text: Annotated[str, Meta(description="What to say")]) -> str:
    """Say it back."""
    return text


@server.tool()
def contents() -> list[Any]:
    """One of each kind of content."""
    return [
        TextContent("text"),
        image(PIXEL),
        audio(b"RIFF....WAVE"),
        EmbeddedResource(TextResourceContents(uri="everything://embedded", text="inside")),
        ResourceLink(uri="everything://counter", name="counter"),
    ]


@server.tool()
def fail() -> str:
    """Fail as tools do."""
    raise ToolError("this did not work")


@server.tool()
def crash() -> str:
    """Fail as no tool should."""
    raise RuntimeError("boom")


class Report(msgspec.Struct):
    """The weather somewhere."""

    city: str
    degrees: float
    tags: list[str]


@server.tool()
def report(city: str) -> Report:
    """A structured result."""
    return Report(city, 21.5, ["dry", "calm"])


@server.tool()
def total(numbers: list[int]) -> int:
    """A structured result that is no object."""
    return sum(numbers)


# --- progress, logging, cancellation --------------------------------------------------------


@server.tool()
async def steps(ctx: Context, count: int) -> str:
    """Report progress."""
    for step in range(1, count + 1):
        ctx.report_progress(step, count, f"step {step}")
        # TypeScript's clients lose a report that comes in one piece with the answer.
        await trio.sleep(PAUSE)
    return f"{count} steps"


@server.tool()
async def talk(ctx: Context) -> str:
    """Log a line of each of three levels."""
    ctx.log("debug", "fine")
    ctx.log("warning", {"what": "careful"}, logger="talker")
    ctx.log("error", "bad")
    return "said"


@server.tool(timeout=600.0)
async def hang() -> str:
    """Wait for ever."""
    State.hanging += 1
    try:
        await trio.sleep_forever()
    finally:
        State.hanging -= 1
        State.cancelled += 1
    return "never"


@server.tool()
def hung() -> dict[str, int]:
    """How many calls of `hang` there are, and were."""
    return {"hanging": State.hanging, "cancelled": State.cancelled}


# --- asking ---------------------------------------------------------------------------------


class Name(msgspec.Struct):
    """What is your name?"""

    name: str


@server.tool()
async def greet(ctx: Context) -> str:
    """Ask for a name."""
    try:
        return f"Hello, {(await ctx.elicit(Name)).name}!"
    except Refused as refused:
        return f"refused: {refused.action}"


@server.tool()
async def visit(ctx: Context) -> str:
    """Send the user to a page."""
    try:
        await ctx.elicit_url("https://example.org/sign", "Please sign.", elicitation_id="e-1")
    except Refused as refused:
        return f"refused: {refused.action}"
    return "signed"


@server.tool()
async def summarize(ctx: Context, text: str) -> str:
    """Have the client's model say something."""
    return (await ctx.sample(text, max_tokens=50)).text


@server.tool()
async def places(ctx: Context) -> list[str]:
    """The client's roots."""
    return [root.uri for root in await ctx.roots()]


# --- changes --------------------------------------------------------------------------------


@server.tool()
def count() -> int:
    """Add one to the counter, and tell who follows it."""
    State.count += 1
    server.notify_updated("everything://counter")
    return State.count


@server.tool()
def grow() -> str:
    """Add a tool and take it away again."""

    def passing() -> str:
        """Here for a moment."""
        return "I was here."

    server.tool()(passing)
    server.remove_tool("passing")
    return "grown"


# --- resources, prompts, completion ---------------------------------------------------------


@server.resource("everything://counter", mime_type="text/plain", title="A counter", icons=ICONS)
def counter() -> str:
    """How often `count` was called."""
    return str(State.count)


@server.resource("everything://pixel", mime_type="image/png")
def pixel() -> bytes:
    """A picture."""
    return PIXEL


@server.resource("everything://cards/{name}", mime_type="application/json")
def card(name: str) -> dict[str, str]:
    """A card."""
    return {"name": name}


CITIES = ("Lisbon", "Liverpool", "London")


@server.prompt(title="Plan a trip", icons=ICONS)
def trip(city: str, style: str = "cheap") -> str:
    """A trip.

    Args:
        city: Where to.
        style: How.
    """
    return f"Plan a {style} trip to {city}."


@server.completion("trip", "city")
def complete_city(value: str) -> list[str]:
    """Cities that begin with what has been typed."""
    return [city for city in CITIES if city.startswith(value)]


@server.completion("everything://cards/{name}", "name")
def complete_card(value: str) -> list[str]:
    """Names of cards."""
    return [f"{value}1", f"{value}2"]
