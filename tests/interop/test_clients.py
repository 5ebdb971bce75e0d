"""Clients that others have written against a node, in every way each of them can speak.

TypeScript SDK versions 1 and 2, the Python SDK and FastMCP, over HTTP and stdio, in both eras, and over
HTTP+SSE in the one it belongs to: what the official conformance suite does not look at, and what it does.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import pytest

from .conftest import Node
from .driving import WAYS, Driver, Told, Way
from .servers.everything import CITIES, PIXEL

pytestmark = pytest.mark.interop

SERVER = "tests.interop.servers.everything:server"
VERSIONS = {"legacy": "2025-11-25", "modern": "2026-07-28"}
LOG_LEVEL = "io.modelcontextprotocol/logLevel"
TRIES = 200
"""Rounds of asking the server until something is so."""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("everything"), "--server", SERVER)
    yield running
    assert running.stop() == 0


def config(way: Way, node: Node) -> dict[str, Any]:
    if way.transport == "http":
        return {"url": node.url("everything")}
    if way.transport == "sse":
        return {"url": node.url("everything/sse"), "sse": True}
    if way.transport == "websocket":
        url = node.url("everything/ws").replace("http", "ws", 1)
        return {"url": url, "websocket": True}
    command = [sys.executable, "-m", "erlmcp_py", "run", "--stdio", "--server", SERVER]
    return {"command": command, "env": node.env}


@pytest.fixture(scope="module", params=WAYS, ids=str)
def shared(request: pytest.FixtureRequest, everything: Node) -> Iterator[Driver]:
    driver = Driver(request.param, {**config(request.param, everything), "answers": True})
    yield driver
    assert driver.close() == 0


@pytest.fixture
def client(shared: Driver) -> Driver:
    shared.answer("accept")
    shared.forget()
    return shared


def pages(client: Driver, method: str, key: str) -> list[list[Any]]:
    """Every page of a list, by its cursors."""
    found, cursor = [], {}
    while True:
        result = client.request(method, **cursor)
        found.append(result[key])
        if "nextCursor" not in result:
            return found
        cursor = {"cursor": result["nextCursor"]}


def listed(client: Driver, method: str, key: str, by: str = "name") -> dict[str, Any]:
    return {item[by]: item for page in pages(client, method, key) for item in page}


def until(condition: Callable[[], Any]) -> None:
    assert any(condition() for _ in range(TRIES))


# --- the handshake --------------------------------------------------------------------------


def test_the_era_and_what_the_server_says_of_itself(client: Driver) -> None:
    about = client.about
    assert about["version"] == VERSIONS[client.way.era]
    server = about["server"]
    assert (server["name"], server["version"], server["title"]) == (
        "everything",
        "1.2.3",
        "Everything",
    )
    assert about["instructions"] == "Try it."
    capabilities = about["capabilities"]
    assert capabilities["tools"] == {"listChanged": True}
    assert capabilities["prompts"] == {"listChanged": True}
    assert capabilities["resources"] == {"subscribe": True, "listChanged": True}
    assert capabilities["completions"] == {}


# --- tools ----------------------------------------------------------------------------------


def test_tools_are_listed_with_everything_that_was_said_about_them(client: Driver) -> None:
    tools = listed(client, "tools/list", "tools")
    assert {"echo", "contents", "report", "hang", "greet"} <= tools.keys()
    echo = tools["echo"]
    assert (echo["title"], echo["description"]) == ("Echo", "Say it back.")
    assert echo["annotations"] == {"title": "An echo", "readOnlyHint": True}
    assert echo["inputSchema"]["properties"]["text"]["description"] == "What to say"
    assert echo["inputSchema"]["required"] == ["text"]
    assert tools["report"]["outputSchema"]["properties"]["degrees"] == {"type": "number"}
    assert "context" not in str(tools["steps"]["inputSchema"]).lower()


def test_icons(client: Driver) -> None:
    icons = [
        {
            "src": "https://example.org/icon.svg",
            "mimeType": "image/svg+xml",
            "sizes": ["any"],
        },
        {"src": "https://example.org/dark.png", "sizes": ["48x48"], "theme": "dark"},
    ]
    assert client.about["server"]["icons"] == icons
    assert listed(client, "tools/list", "tools")["echo"]["icons"] == icons
    assert listed(client, "prompts/list", "prompts")["trip"]["icons"] == icons
    resources = listed(client, "resources/list", "resources", by="uri")
    assert resources["everything://counter"]["icons"] == icons


@pytest.mark.parametrize("text", ["hi", "", "ünï€ 😀", "line\nbreak\r\n\u2028\0", "x" * 200_000])
def test_a_call_and_its_text(client: Driver, text: str) -> None:
    assert client.text("echo", text=text) == text


def test_every_kind_of_content(client: Driver) -> None:
    text, picture, sound, inside, link = client.call("contents")["content"]
    assert text["text"] == "text"
    assert picture["type"] == "image"
    assert base64.b64decode(picture["data"]) == PIXEL
    assert (sound["type"], sound["mimeType"]) == ("audio", "audio/wav")
    assert inside["resource"]["text"] == "inside"
    assert (link["type"], link["uri"]) == ("resource_link", "everything://counter")


def test_structured_output(client: Driver) -> None:
    result = client.call("report", city="Lisbon")
    report = {"city": "Lisbon", "degrees": 21.5, "tags": ["dry", "calm"]}
    assert result["structuredContent"] == report
    total = client.call("total", numbers=[1, 2, 3])["structuredContent"]
    if client.way.era == "legacy":
        assert total == {"result": 6}  # these revisions know objects only
    assert total in (6, {"result": 6})
    schema = listed(client, "tools/list", "tools")["total"]["outputSchema"]
    jsonschema_rs.validate(schema, total)


def test_errors_of_calls(client: Driver) -> None:
    for name, said in (("fail", "this did not work"), ("crash", "boom")):
        result = client.call(name)
        assert result["isError"] is True
        assert said in result["content"][0]["text"]
    for arguments in ({"text": 42}, {}, {"text": None}):
        wrong = client.call("echo", **arguments)
        assert wrong["isError"] is True
        assert "text" in wrong["content"][0]["text"]
    with pytest.raises(Told) as caught:
        client.call("no_such_tool")
    assert caught.value.code == -32602
    assert "no_such_tool" in caught.value.message
    assert client.text("echo", text="still here") == "still here"


def test_progress(client: Driver) -> None:
    assert client.call("steps", progress=True, count=3)["content"][0]["text"] == "3 steps"
    reports = [event["params"] for event in client.events if event["event"] == "progress"]
    assert reports == [{"progress": n, "total": 3, "message": f"step {n}"} for n in (1, 2, 3)]


def test_a_call_is_cancelled(client: Driver) -> None:
    def hung() -> Any:
        return client.call("hung")["structuredContent"]

    before = hung()
    id = client.start("tools/call", name="hang", arguments={})
    until(lambda: hung()["hanging"] == before["hanging"] + 1)
    client.cancel(id)
    with pytest.raises(Told):
        client.result(id)
    until(lambda: hung()["cancelled"] == before["cancelled"] + 1)
    assert hung()["hanging"] == before["hanging"]


def test_calls_at_the_same_time(client: Driver) -> None:
    ids = [
        client.start("tools/call", name="steps" if n % 2 else "echo", arguments=arguments)
        for n in range(20)
        for arguments in [{"count": n} if n % 2 else {"text": f"{n} steps"}]
    ]
    texts = [client.result(id)["content"][0]["text"] for id in reversed(ids)]
    assert texts == [f"{n} steps" for n in reversed(range(20))]


def test_log_lines_of_the_level_that_is_wanted(client: Driver) -> None:
    params: dict[str, Any] = {"name": "talk", "arguments": {}}
    if client.way.era == "modern":
        params["_meta"] = {LOG_LEVEL: "warning"}
    else:
        client.request("logging/setLevel", level="warning")
    assert client.request("tools/call", **params)["content"][0]["text"] == "said"
    lines = client.told("notifications/message")
    assert [(line["level"], line["data"]) for line in lines] == [
        ("warning", {"what": "careful"}),
        ("error", "bad"),
    ]
    assert [line["logger"] for line in lines] == ["talker", "everything"]


# --- asking ---------------------------------------------------------------------------------


def test_a_form(client: Driver) -> None:
    assert client.text("greet") == "Hello, Ada!"
    ((method, params),) = client.asked()
    assert method == "elicitation/create"
    assert params["message"] == "What is your name?"
    assert params["requestedSchema"]["properties"] == {"name": {"type": "string"}}


@pytest.mark.parametrize("action", ["decline", "cancel"])
def test_a_form_that_is_refused(client: Driver, action: str) -> None:
    client.answer(action)
    assert client.text("greet") == f"refused: {action}"


def test_a_page(client: Driver) -> None:
    assert client.text("visit") == "signed"
    ((_, params),) = client.asked()
    assert (params["mode"], params["url"]) == ("url", "https://example.org/sign")
    assert params["message"] == "Please sign."
    assert params.get("elicitationId") == (None if client.way.era == "modern" else "e-1")
    client.answer("decline")
    assert client.text("visit") == "refused: decline"


def test_sampling(client: Driver) -> None:
    assert client.text("summarize", text="a long story") == "Hi!"
    ((method, params),) = client.asked()
    assert method == "sampling/createMessage"
    assert params["maxTokens"] == 50
    message = params["messages"][0]
    content = message["content"]
    block = content[0] if isinstance(content, list) else content
    assert (message["role"], block["text"]) == ("user", "a long story")


def test_roots(client: Driver) -> None:
    assert "file:///tmp" in client.text("places")


# --- resources ------------------------------------------------------------------------------


def test_resources_and_templates(client: Driver) -> None:
    resources = listed(client, "resources/list", "resources", by="uri")
    assert resources["everything://counter"]["title"] == "A counter"
    assert resources["everything://pixel"]["mimeType"] == "image/png"
    templates = listed(client, "resources/templates/list", "resourceTemplates")
    assert templates["card"]["uriTemplate"] == "everything://cards/{name}"
    (text,) = client.request("resources/read", uri="everything://counter")["contents"]
    assert (text["uri"], text["mimeType"]) == ("everything://counter", "text/plain")
    assert text["text"].isdigit()
    (blob,) = client.request("resources/read", uri="everything://pixel")["contents"]
    assert base64.b64decode(blob["blob"]) == PIXEL
    (card,) = client.request("resources/read", uri="everything://cards/ada%20l")["contents"]
    assert card["text"].replace(" ", "") == '{"name":"adal"}'
    assert "ada l" in card["text"]


def no_resource(client: Driver) -> int:
    """The code for it; version 2 of the TypeScript SDK shows the modern one in both eras."""
    modern = client.way.era == "modern" or client.way.client == "typescript_2"
    return -32602 if modern else -32002


def test_a_resource_that_is_not_there(client: Driver) -> None:
    with pytest.raises(Told) as caught:
        client.request("resources/read", uri="everything://nothing")
    assert caught.value.code == no_resource(client)
    assert caught.value.data["uri"] == "everything://nothing"


# --- prompts and completion -----------------------------------------------------------------


def test_prompts(client: Driver) -> None:
    trip = listed(client, "prompts/list", "prompts")["trip"]
    assert trip["title"] == "Plan a trip"
    by_name = {argument["name"]: argument for argument in trip["arguments"]}
    assert (by_name["city"]["required"], by_name["style"].get("required")) == (True, False)
    prompt = client.request("prompts/get", name="trip", arguments={"city": "Lisbon"})
    (message,) = prompt["messages"]
    assert message["content"]["text"] == "Plan a cheap trip to Lisbon."
    for name, arguments in (("nothing", {}), ("trip", {})):
        with pytest.raises(Told) as caught:
            client.request("prompts/get", name=name, arguments=arguments)
        assert caught.value.code == -32602


def test_completion(client: Driver) -> None:
    def complete(ref: dict[str, str], argument: str, value: str) -> list[str]:
        result = client.request(
            "completion/complete", ref=ref, argument={"name": argument, "value": value}
        )
        values: list[str] = result["completion"]["values"]
        return values

    prompt = {"type": "ref/prompt", "name": "trip"}
    assert complete(prompt, "city", "Li") == list(CITIES[:2])
    assert complete(prompt, "style", "c") == []
    template = {"type": "ref/resource", "uri": "everything://cards/{name}"}
    assert complete(template, "name", "x") == ["x1", "x2"]
    with pytest.raises(Told) as caught:
        complete({"type": "ref/prompt", "name": "nothing"}, "city", "")
    assert caught.value.code == -32602


# --- pages ----------------------------------------------------------------------------------


def test_lists_come_in_pages(client: Driver) -> None:
    first = client.request("tools/list")
    if client.way.client == "typescript_2":  # collects them, and shows no cursor
        assert len(first["tools"]) > 4
    else:
        second = client.request("tools/list", cursor=first["nextCursor"])
        names = [tool["name"] for result in (first, second) for tool in result["tools"]]
        assert len(set(names)) == 8
    with pytest.raises(Told) as caught:
        client.request("tools/list", cursor="made up")
    assert caught.value.code == -32602


# --- changes --------------------------------------------------------------------------------


def test_a_list_that_changes(client: Driver) -> None:
    follow(client, toolsListChanged=True)

    def told() -> Any:
        client.call("grow")
        return client.told("notifications/tools/list_changed")

    until(told)
    assert not client.told("notifications/resources/updated")
    unfollow(client)


def test_a_resource_that_changes(client: Driver) -> None:
    uri = "everything://counter"
    follow(client, resourceSubscriptions=[uri])

    def told() -> Any:
        client.call("count")
        return client.told("notifications/resources/updated")

    until(told)
    assert {params["uri"] for params in client.told("notifications/resources/updated")} == {uri}
    unfollow(client, uri)


def test_subscriptions_to_nothing(client: Driver) -> None:
    uri = "everything://nothing"
    if client.way.era == "modern":
        honoured = client.request("listen", resourceSubscriptions=[uri])
        assert not honoured.get("resourceSubscriptions")
        unfollow(client)
        return
    with pytest.raises(Told) as caught:
        client.request("resources/subscribe", uri=uri)
    assert caught.value.code == no_resource(client)


def follow(client: Driver, **wanted: Any) -> None:
    """Have changes told: by a subscription, or in the legacy era as that era has it."""
    if client.way.era == "modern":
        assert client.request("listen", **wanted) == wanted
    for uri in wanted.get("resourceSubscriptions", ()):
        if client.way.era == "legacy":
            client.request("resources/subscribe", uri=uri)


def unfollow(client: Driver, uri: str | None = None) -> None:
    """From then on nothing is told; what was on its way may still come."""
    if client.way.era == "modern":
        assert client.request("unlisten") == {"ended": "local"}
    elif uri is not None:
        client.request("resources/unsubscribe", uri=uri)

    def silent() -> bool:
        client.forget()
        client.call("count")
        assert client.text("echo", text="x") == "x"
        return not client.told("notifications/resources/updated")

    until(silent)
