"""A server of somebody else, for a node of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import trio
from msgspec import Meta

from erlmcp_py.protocol.elicitation import at_url, url_elicitation_required
from erlmcp_py.server import Context, Server, TaskPolicy, ToolError
from erlmcp_py.server.interaction.question import Refused

server = Server("theirs", version="2")
server.skills(Path(__file__).parent / "skills")
_ends: list[str] = []
_visits: dict[str, int] = {}


@server.tool()
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@server.tool()
def locate(region: Annotated[str, Meta(extra_json_schema={"x-mcp-header": "Region"})]) -> str:
    """Its argument is repeated in a header."""
    return region


@server.resource("theirs://of/{name}")
def of(name: str) -> str:
    """A name."""
    return name


@server.tool()
async def wait() -> str:
    """Wait for ever."""
    _ends.append("began")
    try:
        await trio.sleep_forever()
    finally:
        _ends.append("ended")


@server.tool()
async def tell(ctx: Context) -> str:
    """Tell how far it is, and something else."""
    ctx.report_progress(1, 2)
    ctx.log("warning", "beware")
    ctx.log("debug", "details")
    ctx.report_progress(2, 2)
    return "told"


@server.tool()
def ends() -> list[str]:
    """What has become of those that wait."""
    return _ends


@server.tool()
async def greet(ctx: Context) -> str:
    """Greet somebody."""
    form = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}
    return "hello " + (await ctx.elicit(form, "your name?"))["n"]


@server.tool()
async def complete_text(ctx: Context, prompt: str) -> str:
    """Have the client's model say something."""
    return (await ctx.sample(prompt, max_tokens=7)).text


@server.tool()
async def list_roots(ctx: Context) -> list[str]:
    """The client's roots."""
    return [root.uri for root in await ctx.roots()]


@server.tool()
async def sign(ctx: Context) -> str:
    """Have a page visited, and tell when that is done."""
    await ctx.elicit_url("https://example.org/sign", "sign there", elicitation_id="e-1")
    ctx.elicitation_complete("e-1")
    return "signed"


@server.tool()
async def sign_first(ctx: Context) -> str:
    """Cannot begin before a page was visited: this is agreed to when it is asked the second time."""
    if ctx.client_info is None or _visits.get("n", 0) % 2 == 0:
        _visits["n"] = _visits.get("n", 0) + 1
        raise url_elicitation_required([at_url("sign first", "https://example.org/first", "e-2")])
    _visits["n"] += 1
    return "done"


@server.tool()
async def two_questions(ctx: Context) -> str:
    """Ask one thing after the other."""
    form = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}
    first = (await ctx.elicit(form, "first?"))["n"]
    second = (await ctx.elicit(form, "second?"))["n"]
    return f"{first} {second}"


@server.tool()
async def try_to_ask(ctx: Context) -> str:
    """What becomes of a question."""
    form = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}
    try:
        return "got " + (await ctx.elicit(form, "your name?"))["n"]
    except Refused as refused:
        return f"{refused.action}: {refused}"


@server.tool(task=TaskPolicy("optional", poll_interval=0.05))
async def work(text: str, seconds: float = 0.0) -> str:
    """Take a while."""
    await trio.sleep(seconds)
    return text


@server.tool(task=TaskPolicy("optional", poll_interval=0.05))
async def fails() -> str:
    """Fail."""
    await trio.lowlevel.checkpoint()
    raise ToolError("it did not work")


@server.tool(task=TaskPolicy("optional", poll_interval=0.05))
async def asks(ctx: Context) -> str:
    """Ask, in a task."""
    form = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}
    return "hello " + (await ctx.elicit(form, "your name?"))["n"]


ALWAYS = TaskPolicy("required", poll_interval=0.05)


@server.tool(task=ALWAYS)
async def must(text: str) -> str:
    """As a task only."""
    await trio.lowlevel.checkpoint()
    return text


@server.tool(task=ALWAYS)
async def must_ask(ctx: Context) -> str:
    """As a task only, which asks."""
    return await asks(ctx)


@server.tool(task=ALWAYS)
async def must_wait() -> str:
    """As a task only, for ever."""
    return await wait()


@server.tool(task=ALWAYS)
async def must_fail() -> str:
    """As a task only, which fails."""
    await trio.lowlevel.checkpoint()
    raise ToolError("it did not work")


@server.tool()
async def ask_and_tell(ctx: Context) -> str:
    """Tell how far it is before a question, and after it."""
    ctx.report_progress(1, 3)
    name = await asks(ctx)
    ctx.report_progress(2, 3)
    ctx.report_progress(3, 3)
    return name


@server.resource("note://one")
def note() -> str:
    """Something to watch."""
    return "noted"


@server.tool()
def change(kind: str) -> str:
    """Have something change, and back again."""
    if kind == "resource":
        server.notify_updated("note://one")
    elif kind == "tools":
        server.tool(name="more")(lambda: "more")
        server.remove_tool("more")
    elif kind == "prompts":
        server.prompt(name="more")(lambda: "more")
        server.remove_prompt("more")
    else:
        server.resource("note://more")(lambda: "more")
        server.remove_resource("note://more")
    return kind


@server.prompt()
def greeting() -> str:
    """A prompt."""
    return "hello"
