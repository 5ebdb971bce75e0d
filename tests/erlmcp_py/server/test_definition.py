"""What a definition declares, and every way in which it can be wrong."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from msgspec import Meta

from erlmcp_py.protocol.lifecycle import ListChanged, ResourcesCapability, ServerCapabilities
from erlmcp_py.protocol.prompts import Prompt, PromptArgument
from erlmcp_py.protocol.resources import Resource, ResourceTemplate
from erlmcp_py.protocol.tools import Tool
from erlmcp_py.server import (
    Annotations,
    Context,
    Icon,
    ImageContent,
    ResourceLink,
    Server,
    TextContent,
    ToolAnnotations,
)

from .conftest import Connect


@pytest.fixture
def server() -> Server:
    return Server("test", version="1.0")


def test_a_tool(server: Server) -> None:
    @server.tool("math/add", title="Add", annotations=ToolAnnotations(read_only_hint=True))
    def add(ctx: Context, a: int, b: int = 2) -> int:
        """Add two numbers.

        Args:
            a: The first.
        """
        return a + b

    assert add(None, 1) == 3, "the function stays what it was"  # type: ignore[arg-type]
    assert server.tools["math/add"].tool == Tool(
        name="math/add",
        title="Add",
        description="Add two numbers.",
        annotations=ToolAnnotations(read_only_hint=True),
        input_schema={
            "type": "object",
            "properties": {
                "a": {"type": "integer", "description": "The first."},
                "b": {"type": "integer", "default": 2},
            },
            "required": ["a"],
            "additionalProperties": False,
        },
        output_schema={"type": "integer"},
    )
    assert server.tools["math/add"].legacy.output_schema == {
        "type": "object",
        "properties": {"result": {"type": "integer"}},
        "required": ["result"],
    }


ICONS = [Icon("https://example.com/i.png", mime_type="image/png", sizes=["48x48"], theme="dark")]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2025-11-25", "2026-07-28"])
async def test_what_people_are_shown(connect: Connect, version: str) -> None:
    server = Server(
        "shop",
        version="1.0",
        title="The shop",
        description="Sells things.",
        website_url="https://example.com",
        icons=["data:image/png;base64,aGk="],
    )
    shown: dict[str, Any] = {"title": "T", "icons": ICONS, "meta": {"com.example/rank": 1}}
    hints = Annotations(audience=["user"], priority=0.5, last_modified="2026-01-01T00:00:00Z")
    server.tool("t", annotations=ToolAnnotations(idempotent_hint=True), **shown)(no_arguments)
    server.prompt("p", **shown)(titled)
    server.resource("x:a", annotations=hints, size=3, **shown)(no_arguments)
    server.resource("x:{a}", annotations=hints, **shown)(one)

    @server.tool()
    def link() -> list[TextContent | ResourceLink]:
        return [
            TextContent("see", annotations=hints, meta={"a": 1}),
            ResourceLink("x:a", "a", icons=ICONS, annotations=hints),
        ]

    peer = await connect(server, version)
    icon = {
        "src": "https://example.com/i.png",
        "mimeType": "image/png",
        "sizes": ["48x48"],
        "theme": "dark",
    }
    lists = {"tools": "tools", "prompts": "prompts", "resources": "resources"}
    lists["resources/templates"] = "resourceTemplates"
    for method, member in lists.items():
        (first, *_) = (await peer.result(f"{method}/list"))[member]
        assert first.get("title") == ("T" if version >= "2025-06-18" else None)
        assert first.get("icons") == ([icon] if version >= "2025-11-25" else None)
        known = {"com.example/rank": 1} if version >= "2025-06-18" else None
        assert first.get("_meta") == known
        if member.startswith("resource"):
            assert first["annotations"]["audience"] == ["user"]
        if member == "resources":
            assert first["size"] == 3
        if member == "prompts":
            (argument,) = first["arguments"]
            assert argument["description"] == "Some code."
            assert argument.get("title") == ("Code" if version >= "2025-06-18" else None)
    assert (await peer.tool("link"))["content"][0]["annotations"]["priority"] == 0.5


async def test_what_people_are_shown_of_the_server(connect: Connect) -> None:
    server = Server(
        "shop",
        version="1.0",
        description="Sells things.",
        website_url="https://example.com",
        icons=["data:image/png;base64,aGk="],
    )
    server.tool()(no_arguments)
    info = (await (await connect(server)).result("server/discover"))["_meta"]
    assert info["io.modelcontextprotocol/serverInfo"] == {
        "name": "shop",
        "version": "1.0",
        "description": "Sells things.",
        "websiteUrl": "https://example.com",
        "icons": [{"src": "data:image/png;base64,aGk="}],
    }


def titled(code: Annotated[str, Meta(title="Code", description="Some code.")]) -> str:
    return code


def test_content_needs_no_output_schema(server: Server) -> None:
    @server.tool()
    def draw() -> list[ImageContent]:
        return []

    assert server.tools["draw"].tool.output_schema is None
    assert server.tools["draw"].tool.description is None


def test_resources_and_templates(server: Server) -> None:
    @server.resource("config://app", mime_type="application/json")
    def config() -> dict[str, str]:
        """The configuration."""
        return {}

    @server.resource("users://{id}/profile", name="profile")
    def user_profile(id: int) -> str:
        return str(id)

    assert server.resources["config://app"].resource == Resource(
        uri="config://app",
        name="config",
        description="The configuration.",
        mime_type="application/json",
    )
    assert server.templates["users://{id}/profile"].template == ResourceTemplate(
        uri_template="users://{id}/profile", name="profile"
    )


def test_a_prompt(server: Server) -> None:
    @server.prompt()
    def review(code: str, depth: int = 1) -> str:
        """Review code.

        Args:
            code: The code.
        """
        return code

    assert server.prompts["review"].prompt == Prompt(
        name="review",
        description="Review code.",
        arguments=[
            PromptArgument(name="code", description="The code.", required=True),
            PromptArgument(name="depth", required=False),
        ],
    )


def test_capabilities_are_what_is_defined(server: Server) -> None:
    assert server.capabilities() == ServerCapabilities(logging={})

    server.tool()(no_arguments)
    server.prompt()(one)
    server.resource("x:{a}")(one)
    server.completion("x:{a}", "a")(complete)
    assert server.capabilities() == ServerCapabilities(
        tools=ListChanged(list_changed=True),
        resources=ResourcesCapability(subscribe=True, list_changed=True),
        prompts=ListChanged(list_changed=True),
        completions={},
        logging={},
    )


def no_arguments() -> str:
    return ""


def one(a: str) -> str:
    return a


def three(a: str, b: str, c: str) -> list[str]:
    return [a, b, c]


def complete(value: str) -> list[str]:
    return [value]


def twice(define: Callable[[Server], Callable[..., Any]], function: Callable[..., Any]) -> Any:
    def both(server: Server) -> None:
        define(server)(function)
        define(server)(function)

    return both


def with_prompt(action: Callable[[Server], Any]) -> Callable[[Server], Any]:
    def after(server: Server) -> None:
        server.prompt("p")(one)
        action(server)

    return after


@pytest.mark.parametrize(
    ("define", "words"),
    [
        (twice(lambda s: s.tool("t"), one), "tool 't' is already defined at .*test_definition.py:"),
        (twice(lambda s: s.prompt("p"), one), "prompt 'p' is already defined"),
        (twice(lambda s: s.resource("x:a"), no_arguments), "resource 'x:a' is already defined"),
        (twice(lambda s: s.resource("x:{a}"), one), "resource 'x:{a}' is already defined"),
        (
            with_prompt(twice(lambda s: s.completion("p", "a"), complete)),
            "completion of 'a' in 'p' is already defined",
        ),
        (lambda s: s.tool("")(one), "tool name '': use 1 to 64"),
        (lambda s: s.tool("a b")(one), "tool name 'a b': use 1 to 64"),
        (lambda s: s.tool("a" * 65)(one), "use 1 to 64"),
        (lambda s: s.tool("a\n")(one), "use 1 to 64"),
        (lambda s: s.tool()(lambda: None), "tool name '<lambda>'"),
        (lambda s: s.prompt("ä")(one), "prompt name 'ä'"),
        (lambda s: s.resource("nowhere")(no_arguments), "no scheme"),
        (lambda s: s.resource("x:{=a}")(one), "not supported"),
        (lambda s: s.tool("t", icons=["ftp://x/y"])(one), "icon 'ftp://x/y'"),
        (lambda s: s.resource("x:a", size=-1)(no_arguments), "size must be"),
        (
            lambda s: s.resource("x:a", annotations=Annotations(priority=2))(no_arguments),
            "the priority 2 must be",
        ),
        (
            lambda s: s.resource("x:a", annotations=Annotations(audience=["me"]))(no_arguments),
            "the audience is",
        ),
        (lambda s: s.completion("q", "a")(complete), "no prompt or resource template"),
        (with_prompt(lambda s: s.completion("p", "b")(complete)), "no argument 'b'; it has a"),
    ],
)
def test_values_that_are_refused(server: Server, define: Any, words: str) -> None:
    with pytest.raises(ValueError, match=r"test_definition\.py:\d+: .*" + words):
        define(server)


@pytest.mark.parametrize(
    ("define", "words"),
    [
        (lambda s: s.tool(one), "@server.tool() with parentheses"),
        (lambda s: s.prompt(one), "@server.prompt() with parentheses"),
        (lambda s: s.resource(one), "the URI is required"),
        (lambda s: s.resource("x:a")(one), "no variables, but its handler takes a"),
        (lambda s: s.resource("x:{b}")(one), "the handler has no parameter 'b'"),
        (lambda s: s.resource("x:{a}")(three), "parameter 'b' is no variable"),
        (lambda s: s.tool("t", icons="https://x")(one), "icons must be a list"),
        (lambda s: s.tool("t", icons=[3])(one), "an icon is an Icon or its address"),
        (lambda s: s.tool("t", meta=3)(one), "meta must be a dict"),
        (lambda s: s.tool("t", meta={"a": object()})(one), "meta has no JSON form"),
        (lambda s: s.tool("t", annotations=Annotations())(one), "must be ToolAnnotations"),
        (lambda s: s.resource("x:a", annotations={})(no_arguments), "must be Annotations"),
        (lambda s: s.resource("x:{a}", size=1)(one), "no common size"),
        (with_prompt(lambda s: s.completion("p", "a")(three)), "not (a: <class 'str'>, b: "),
        (with_prompt(lambda s: s.completion("p", "a")(no_arguments)), "not ()"),
    ],
)
def test_types_that_are_refused(server: Server, define: Any, words: str) -> None:
    with pytest.raises(TypeError) as caught:
        define(server)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"name": "", "version": "1"}, "name"),
        ({"name": "x", "version": " "}, "version"),
        ({"name": 3, "version": "1"}, "name"),
        ({"name": "x", "version": "1", "page_size": 0}, "page_size"),
        ({"name": "x", "version": "1", "page_size": True}, "page_size"),
    ],
)
def test_servers_that_are_refused(arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=f"Server: {word} must be"):
        Server(**arguments)
