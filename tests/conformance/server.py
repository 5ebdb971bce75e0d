"""The server that the official conformance suite tests: every feature it asks about, public API only.

What each tool, resource and prompt has to do is laid down by the suite's scenarios, down to the
words. Run it with ``erlmcp-node run --server tests.conformance.server:server``.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import trio
from msgspec import Meta

from erlmcp_py.server import (
    Context,
    Elicit,
    EmbeddedResource,
    Roots,
    Sample,
    Server,
    TaskPolicy,
    TextContent,
    TextResourceContents,
    ToolError,
    audio,
    image,
)

server = Server(
    "conformance",
    version="1.0.0",
    title="Conformance fixture",
    instructions="Every tool does what one scenario of the conformance suite expects.",
)

PAUSE = 0.05
"""Seconds between two notifications of a tool that sends several."""


def _png() -> bytes:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\x00\xff\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", pixel), chunk(b"IEND", b""))
    )


def _wav() -> bytes:
    """A hundredth of a second of A4."""
    rate, count = 8000, 80
    samples = b"".join(
        struct.pack("<h", int(20000 * math.sin(2 * math.pi * 440 * n / rate))) for n in range(count)
    )
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(samples)) + samples
    return struct.pack("<4sI", b"RIFF", len(body)) + body


PNG, WAV = _png(), _wav()


# --- tools: content -------------------------------------------------------------------------


@server.tool()
def test_simple_text() -> str:
    """Answer with a text."""
    return "This is a simple text response for testing."


@server.tool()
def test_image_content() -> Any:
    """Answer with a picture."""
    return image(PNG)


@server.tool()
def test_audio_content() -> Any:
    """Answer with a sound."""
    return audio(WAV)


@server.tool()
def test_embedded_resource() -> Any:
    """Answer with a resource."""
    return EmbeddedResource(
        TextResourceContents(
            uri="test://embedded-resource",
            mime_type="text/plain",
            text="This is an embedded resource content.",
        )
    )


@server.tool()
def test_multiple_content_types() -> list[Any]:
    """Answer with a text, a picture and a resource."""
    return [
        TextContent("Multiple content types test:"),
        image(PNG),
        EmbeddedResource(
            TextResourceContents(
                uri="test://mixed-content-resource",
                mime_type="application/json",
                text='{"test":"data","value":123}',
            )
        ),
    ]


@server.tool()
def test_error_handling() -> str:
    """Fail on purpose."""
    raise ToolError("This tool intentionally returns an error for testing")


# --- tools: a schema of its own -------------------------------------------------------------

CONTACT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


@server.tool(input_schema=CONTACT)
def json_schema_2020_12_tool(**contact: Any) -> str:
    """Tool with JSON Schema 2020-12 features."""
    return f"{contact.get('name', 'somebody')} can be reached"


# --- tools: notifications -------------------------------------------------------------------


@server.tool()
async def test_tool_with_logging(ctx: Context) -> str:
    """Log three lines."""
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        ctx.log("info", line)
        await trio.sleep(PAUSE)
    return "Logged three lines."


@server.tool()
async def test_logging_tool(ctx: Context) -> str:
    """Log one line, for those who want it."""
    ctx.log("info", "This is a log line.")
    return "Logged one line, if you wanted it."


@server.tool()
async def test_tool_with_progress(ctx: Context) -> str:
    """Report progress three times."""
    for progress in (0, 50, 100):
        ctx.report_progress(progress, 100, f"{progress} of 100")
        await trio.sleep(PAUSE)
    return "Progressed to the end."


@server.tool()
async def test_reconnection(ctx: Context) -> str:
    """Let go of the client in the middle of the call."""
    ctx.close_stream(retry=0.5)
    await trio.sleep(0.1)
    return "Reconnection test completed successfully."


# --- tools: asking the client ---------------------------------------------------------------


class Contact(msgspec.Struct):
    """How can we reach you?"""

    username: Annotated[str, Meta(description="Your user name")]
    email: Annotated[str, Meta(description="Your e-mail address")]


class UserName(msgspec.Struct):
    """What is your name?"""

    name: str


class Colour(msgspec.Struct):
    """What is your favourite colour?"""

    color: str


class Confirmation(msgspec.Struct):
    """Do you confirm?"""

    ok: bool


class UserContext(msgspec.Struct):
    """What context should the prompt use?"""

    context: str


DEFAULTS = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {
            "type": "string",
            "enum": ["active", "inactive", "pending"],
            "default": "active",
        },
        "verified": {"type": "boolean", "default": True},
    },
}
_TITLED = [{"const": f"value{n}", "title": f"Option {n}"} for n in (1, 2, 3)]
ENUMS = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": _TITLED},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option 1", "Option 2", "Option 3"],
        },
        "untitledMulti": {
            "type": "array",
            "items": {"type": "string", "enum": ["option1", "option2", "option3"]},
        },
        "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
    },
}


@server.tool()
async def test_sampling(ctx: Context, prompt: str) -> str:
    """Have the client's model answer the prompt."""
    return f"LLM response: {(await ctx.sample(prompt, max_tokens=100)).text}"


@server.tool()
async def test_elicitation(ctx: Context, message: str) -> str:
    """Ask for a user name and an address."""
    contact = await ctx.elicit(Contact, message)
    return f"User response: {contact.username} <{contact.email}>"


@server.tool()
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Ask with defaults of every kind."""
    return f"Elicitation completed: {await ctx.elicit(DEFAULTS, 'Please review these values.')}"


@server.tool()
async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Ask with choices of every kind."""
    return f"Elicitation completed: {await ctx.elicit(ENUMS, 'Please choose.')}"


@server.tool()
async def test_missing_capability(ctx: Context) -> str:
    """Needs a client that can sample."""
    return (await ctx.sample("Anything.")).text


@server.tool()
async def test_streaming_elicitation(ctx: Context) -> str:
    """Report progress, then ask."""
    ctx.report_progress(1, 2)
    return f"Hello, {(await ctx.elicit(UserName)).name}!"


@server.tool()
async def test_input_required_result_elicitation(ctx: Context) -> str:
    """One round with a form."""
    return f"Hello, {(await ctx.elicit(UserName, key='user_name')).name}!"


@server.tool()
async def test_input_required_result_sampling(ctx: Context) -> str:
    """One round with the client's model."""
    question = "What is the capital of France?"
    return (await ctx.sample(question, max_tokens=100, key="capital_question")).text


@server.tool()
async def test_input_required_result_list_roots(ctx: Context) -> str:
    """One round with the client's roots."""
    return f"Roots: {', '.join(root.uri for root in await ctx.roots(key='client_roots'))}"


@server.tool()
async def test_input_required_result_request_state(ctx: Context) -> str:
    """One round whose state must come back."""
    begun = await ctx.once("begun", lambda: True)
    confirmed = await ctx.elicit(Confirmation, key="confirm")
    return f"state-ok: {begun} {confirmed.ok}"


@server.tool()
async def test_input_required_result_multiple_inputs(ctx: Context) -> str:
    """One round with three questions."""
    answers = await ctx.ask(
        user_name=Elicit(UserName),
        greeting=Sample(messages="Generate a greeting.", max_tokens=50),
        client_roots=Roots(),
    )
    return f"{answers['greeting'].text} {answers['user_name'].name}: {len(answers['client_roots'])}"


@server.tool()
async def test_input_required_result_multi_round(ctx: Context) -> str:
    """Two rounds."""
    name = (await ctx.elicit(UserName, key="step1")).name
    colour = (await ctx.elicit(Colour, key="step2")).color
    return f"{name} likes {colour}."


@server.tool()
async def test_input_required_result_tampered_state(ctx: Context) -> str:
    """One round whose state must not be changed."""
    return f"confirmed: {(await ctx.elicit(Confirmation, key='confirm')).ok}"


@server.tool()
async def test_input_required_result_capabilities(ctx: Context) -> str:
    """Ask only what this client can answer."""
    wanted = {
        "user_name": Elicit(UserName),
        "greeting": Sample(messages="Generate a greeting.", max_tokens=50),
    }
    able = {key: asking for key, asking in wanted.items() if ctx.can(asking)}
    answers = await ctx.ask(**able)
    return f"Answered: {', '.join(answers)}"


# --- tools: changes -------------------------------------------------------------------------


@server.tool()
def test_trigger_tool_change() -> str:
    """Add a tool and take it away again."""

    def test_passing_tool() -> str:
        """Here for a moment."""
        return "I was here."

    server.tool()(test_passing_tool)
    server.remove_tool("test_passing_tool")
    return "The list of tools has changed, twice."


@server.tool()
def test_trigger_prompt_change() -> str:
    """Add a prompt and take it away again."""

    def test_passing_prompt() -> str:
        """Here for a moment."""
        return "I was here."

    server.prompt()(test_passing_prompt)
    server.remove_prompt("test_passing_prompt")
    return "The list of prompts has changed, twice."


# --- tools: tasks ---------------------------------------------------------------------------


class Deletion(msgspec.Struct):
    """Do you want to delete the file?"""

    confirm: bool


class OtherName(msgspec.Struct):
    """And what is the other's name?"""

    name: str


@server.tool()
def greet(name: str) -> str:
    """Say hello; never as a task."""
    return f"Hello, {name}!"


@server.tool(task="optional", timeout=120)
async def slow_compute(ctx: Context, seconds: float, label: str = "") -> str:
    """Take a while."""
    ctx.status(f"computing {label}".strip())
    await trio.sleep(seconds)
    return f"Computed for {seconds:g} s. {label}".strip()


@server.tool(task="required")
async def failing_job() -> str:
    """Work for a moment, and fail."""
    await trio.sleep(1)
    raise ToolError("This job fails on purpose.")


@server.tool(task="required")
async def protocol_error_job() -> str:
    """Crash."""
    await trio.sleep(PAUSE)
    raise RuntimeError("This job crashes on purpose.")


@server.tool(task="optional")
async def confirm_delete(ctx: Context, filename: str) -> str:
    """Delete a file, if that is really meant."""
    agreed = (await ctx.elicit(Deletion, f"Delete {filename}?")).confirm
    return f"Deleted {filename}." if agreed else f"Kept {filename}."


@server.tool(task="optional")
async def multi_input(ctx: Context) -> str:
    """Ask two things at once."""
    names = await ctx.ask(first=Elicit(UserName), second=Elicit(OtherName))
    return f"Hello, {names['first'].name} and {names['second'].name}!"


@server.tool(task=TaskPolicy("required", asks_first=True))
async def test_tool_with_task(ctx: Context) -> str:
    """Ask first, then go on as a task."""
    name = (await ctx.elicit(UserName, key="user_name")).name
    await ctx.begin_task()
    return f"Hello, {name}!"


# --- tools: schemas and headers -------------------------------------------------------------


@server.tool()
def test_x_mcp_header(
    region: Annotated[str, Meta(extra_json_schema={"x-mcp-header": "Region"})] = "",
) -> str:
    """Its argument is repeated in a header."""
    return f"region: {region}"


# --- resources ------------------------------------------------------------------------------


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """A picture."""
    return PNG


@server.resource("test://watched-resource", mime_type="text/plain")
def watched_resource() -> str:
    """A resource to subscribe to."""
    return "This is the content of the watched resource."


@server.resource("test://template/{id}/data", mime_type="application/json")
def template_data(id: str) -> dict[str, Any]:
    """Data by id."""
    return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


server.skills(Path(__file__).with_name("skills"))


# --- prompts and completion -----------------------------------------------------------------


@server.prompt()
def test_simple_prompt() -> str:
    """A prompt without arguments."""
    return "This is a simple prompt for testing."


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A prompt with two arguments.

    Args:
        arg1: The first.
        arg2: The second.
    """
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> list[Any]:  # noqa: N803 - the suite's name
    """A prompt with a resource in it.

    Args:
        resourceUri: Of the resource.
    """
    contents = TextResourceContents(
        uri=resourceUri,
        mime_type="text/plain",
        text="Embedded resource content for testing.",
    )
    return [EmbeddedResource(contents), "Please process the embedded resource above."]


@server.prompt()
def test_prompt_with_image() -> list[Any]:
    """A prompt with a picture in it."""
    return [image(PNG), "Please analyze the image above."]


@server.prompt()
async def test_input_required_result_prompt(ctx: Context) -> str:
    """A prompt that asks."""
    return f"Use this context: {(await ctx.elicit(UserContext, key='user_context')).context}"


@server.completion("test_prompt_with_arguments", "arg1")
@server.completion("test_prompt_with_arguments", "arg2")
def complete_argument(value: str) -> list[str]:
    """Places that begin with what has been typed."""
    return [place for place in ("paris", "park", "party") if place.startswith(value)]
