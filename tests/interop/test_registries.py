"""Servers of the registries, several at once, behind a gateway: used by the official clients and the Inspector.

Everything, Filesystem and Memory of npm speak the revisions with sessions, Time and Git of PyPI both eras;
Everything is there a second time, over HTTP. Nobody has changed any of them.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import node as nodejs

from .conftest import Node
from .driving import ERAS, Driver, Told, Way
from .inspecting import Inspector
from .theirs.registries import NOTE, entries, has_servers, of_npm, write_mcp_json

pytestmark = pytest.mark.interop

WAYS = [Way(client, "http", era) for client, eras in ERAS.items() for era in eras]
NAMES = ("everything", "filesystem", "memory", "time", "git", "web")


class Gateway(Node):
    """A node with all of them. home: where their files are."""

    def __init__(self, home: Path, web: str) -> None:
        self.home = home
        servers = entries(home) | {"web": {"url": web}}
        super().__init__(home, "--mcp-json", str(write_mcp_json(home, servers)))

    def upstreams(self) -> dict[str, Any]:
        """How they stand, by name."""
        return {row["name"]: row for row in self.json("upstreams")}

    def wait_until_up(self) -> None:
        """Programs take their time to start, and more of it on a busy machine."""
        until = time.monotonic() + 60
        while any(row["state"] != "up" for row in self.upstreams().values()):
            assert time.monotonic() < until, f"not all of them start:\n{self.read_log()}"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Everything, over HTTP; its address."""
    has_servers()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    entry = of_npm("server-everything", "streamableHttp")
    process = subprocess.Popen(
        [entry["command"], *entry["args"]],
        env=os.environ | {"PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        assert any("listening" in line for line in process.stderr)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, web: str) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("registries"), web)
    try:
        running.wait_until_up()
        yield running
    finally:
        code = running.stop()
    assert code == 0


@pytest.fixture(scope="module", params=WAYS, ids=str)
def shared(request: pytest.FixtureRequest, gateway: Gateway) -> Iterator[Driver]:
    driver = Driver(request.param, {"url": f"{gateway.base}/mcp", "answers": True})
    yield driver
    assert driver.close() == 0


@pytest.fixture
def client(shared: Driver) -> Driver:
    shared.answer("accept")
    shared.forget()
    return shared


def test_all_are_there_under_their_names(client: Driver) -> None:
    names = {tool["name"] for tool in client.request("tools/list")["tools"]}
    assert {name.partition("_")[0] for name in names} == set(NAMES)
    assert {"everything_echo", "filesystem_read_text_file", "memory_create_entities"} <= names
    assert {"time_convert_time", "git_git_log", "web_echo"} <= names
    prompts = {prompt["name"] for prompt in client.request("prompts/list")["prompts"]}
    assert {"everything_simple-prompt", "web_simple-prompt"} <= prompts
    assert "everything: " in client.about["instructions"]


def test_each_does_what_it_is_for(client: Driver, gateway: Gateway) -> None:
    assert client.text("everything_echo", message="hä") == "Echo: hä"
    assert client.text("web_get-sum", a=2, b=3) == "The sum of 2 and 3 is 5."
    weather = client.call("everything_get-structured-content", location="Chicago")
    assert weather["structuredContent"].keys() == {"temperature", "conditions", "humidity"}
    path = str(gateway.home / "files" / "note.txt")
    assert client.text("filesystem_read_text_file", path=path) == NOTE
    moved = client.call(
        "time_convert_time",
        source_timezone="Europe/Lisbon", time="12:00", target_timezone="Asia/Tokyo",
    )  # fmt: skip
    assert "Asia/Tokyo" in json.dumps(moved)
    log = client.text("git_git_log", repo_path=str(gateway.home / "repository"))
    assert "Begin" in log


def test_what_one_client_has_noted_the_others_find(client: Driver) -> None:
    entity = {"name": str(client.way), "entityType": "client", "observations": ["was here"]}
    client.call("memory_create_entities", entities=[entity])
    graph = client.call("memory_read_graph")["structuredContent"]
    assert entity in graph["entities"]


def test_mistakes_are_told_as_the_servers_tell_them(client: Driver, gateway: Gateway) -> None:
    outside = client.call("filesystem_read_text_file", path="/etc/hostname")
    assert outside["isError"] is True
    assert "outside allowed directories" in json.dumps(outside)
    assert client.call("time_get_current_time", timezone="Nowhere")["isError"] is True
    for name in ("everything_nothing", "nothing"):
        with pytest.raises(Told) as caught:
            client.call(name)
        assert caught.value.code == -32602


def test_progress(client: Driver) -> None:
    result = client.call(
        "everything_trigger-long-running-operation", progress=True, duration=0.2, steps=4
    )
    assert "completed" in result["content"][0]["text"]
    reports = [event["params"] for event in client.events if event["event"] == "progress"]
    assert [report["progress"] for report in reports] == [1, 2, 3, 4]


@pytest.mark.parametrize("upstream", ["everything", "web"])
def test_questions(client: Driver, upstream: str) -> None:
    result = client.call(f"{upstream}_trigger-elicitation-request")
    assert "Ada" in json.dumps(result)
    sampled = client.text(f"{upstream}_trigger-sampling-request", prompt="Say hi.")
    assert '"Hi!"' in sampled
    asked = [method for method, _ in client.asked()]
    assert asked == ["elicitation/create", "sampling/createMessage"]
    assert "file:///tmp" in client.text(f"{upstream}_get-roots-list")  # asked for once, and kept
    client.answer("decline")
    refused = client.call(f"{upstream}_trigger-elicitation-request")
    assert "declined" in json.dumps(refused)


def test_resources_prompts_and_completion(client: Driver) -> None:
    uri = "demo://resource/dynamic/text/1"
    (found,) = client.request("resources/read", uri=uri)["contents"]
    assert found["uri"] == uri
    prompt = client.request(
        "prompts/get", name="everything_args-prompt", arguments={"city": "Lisbon"}
    )
    assert "Lisbon" in prompt["messages"][0]["content"]["text"]
    for name in ("everything_completable-prompt", "web_completable-prompt"):
        found = client.request(
            "completion/complete",
            ref={"type": "ref/prompt", "name": name},
            argument={"name": "department", "value": "S"},
        )
        assert found["completion"]["values"] == ["Sales", "Support"]


def test_one_that_is_killed_comes_back_and_the_others_notice_nothing(gateway: Gateway) -> None:
    way = Way("official", "http", "modern")
    client = Driver(way, {"url": f"{gateway.base}/mcp", "answers": True})
    path = str(gateway.home / "files" / "note.txt")
    before = client.call("memory_read_graph")["structuredContent"]
    for name in ("memory", "time"):
        (instance,) = gateway.upstreams()[name]["instances"]
        os.kill(instance["pid"], signal.SIGKILL)
        assert client.text("filesystem_read_text_file", path=path) == NOTE
        assert client.text("web_echo", message="still here") == "Echo: still here"
        gateway.wait_until_up()
        (another,) = gateway.upstreams()[name]["instances"]
        assert another["pid"] != instance["pid"]
    assert client.call("memory_read_graph")["structuredContent"] == before
    assert not client.call("time_get_current_time", timezone="UTC").get("isError")
    assert client.close() == 0


# --- the Inspector --------------------------------------------------------------------------


@pytest.fixture(params=["legacy", "modern"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def inspector(gateway: Gateway, url: str, era: str) -> Inspector:
    env = nodejs.environment() | gateway.env | {"HOME": str(gateway.home)}
    return Inspector([url, "--transport", "http", "--protocol-era", era], env)


@pytest.mark.parametrize("name", NAMES)
def test_the_inspector_sees_each_alone(gateway: Gateway, name: str, era: str) -> None:
    tools = inspector(gateway, gateway.url(name), era).result("tools/list")["tools"]
    assert tools


def test_the_inspector_calls_one_of_all(gateway: Gateway, era: str) -> None:
    every = inspector(gateway, f"{gateway.base}/mcp", era)
    result = every.result(
        *("tools/call", "--tool-name", "time_get_current_time", "--tool-arg", "timezone=UTC")
    )
    assert "UTC" in json.dumps(result["content"])
    templates = every.result("resources/templates/list")["resourceTemplates"]
    assert "demo://resource/dynamic/text/{resourceId}" in {
        template["uriTemplate"] for template in templates
    }
