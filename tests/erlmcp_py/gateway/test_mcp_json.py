"""The file that people have for their desktop clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from erlmcp_py.cli.run import configure
from erlmcp_py.config import ConfigError, UpstreamConfig
from erlmcp_py.gateway.mcp_json import read_mcp_json


def test_the_file_of_a_desktop_client(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    servers = {
        "git hub": {"command": "npx", "args": ["-y", "thing"], "env": {"A": "b"}, "icon": "x"},
        "search": {"type": "http", "url": "https://h/mcp"},
        "off": {"command": "x", "disabled": True},
    }
    file.write_text(json.dumps({"mcpServers": servers, "theme": "dark"}))
    config = configure((), None, (), None, stdio=False, mcp_json=str(file))
    assert config.upstreams == {
        "git-hub": UpstreamConfig(command="npx", args=("-y", "thing"), env={"A": "b"}),
        "search": UpstreamConfig(url="https://h/mcp"),
    }
    assert config.servers == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ("[]", 'no "mcpServers"'),
        ('{"mcpServers": {}}', 'no "mcpServers"'),
        ('{"mcpServers": {"a": 1}}', "mcpServers.a: must be an object"),
        ('{"mcpServers": {"a": {}, "a": {}}}', "'a' is there twice in one object"),
        ('{"mcpServers": {"a b": {}, "a-b": {}}}', "served at /mcp/a-b, which is taken"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        read_mcp_json(str(file))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_mcp_json(str(tmp_path / "none"))


def test_what_does_not_fit_is_told_with_its_file_and_server(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    servers = {"good": {"command": "x"}, "bad": {"command": "x", "env": {"A": 1}}}
    file.write_text(json.dumps({"mcpServers": servers}))
    with pytest.raises(ConfigError) as refused:
        configure((), None, (), None, stdio=False, mcp_json=str(file))
    assert str(refused.value).startswith(f"{file}: upstreams.bad.env.A: must be a string")


def read(tmp_path: Path, entry: dict[str, Any], **environ: str) -> dict[str, Any]:
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"x": entry}}))
    return read_mcp_json(str(file), environ)["x"]


def test_headers_and_variables_in_every_text(tmp_path: Path) -> None:
    entry = {
        "type": "http",
        "url": "${BASE:-https://h}/mcp",
        "headers": {"Authorization": "Bearer ${TOKEN}", "X-Team": "${env:TEAM}"},
    }
    assert read(tmp_path, entry, TOKEN="s3", TEAM="a") == {
        "url": "https://h/mcp",
        "headers": {"Authorization": "Bearer s3", "X-Team": "a"},
    }
    program = {"command": "${P}", "args": ["--at=${D:-}", "$HOME", "${x%y}"], "env": {"A": "${P}"}}
    assert read(tmp_path, program, P="p") == {
        "command": "p",
        "args": ["--at=", "$HOME", "${x%y}"],  # what no desktop client fills in is left alone
        "env": {"A": "p"},
    }
    assert read(tmp_path, {"serverUrl": "https://h/mcp"}) == {"url": "https://h/mcp"}
    assert read(tmp_path, {"url": "https://h/mcp", "type": "sse"}) == {"url": "https://h/mcp"}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"url": "https://h", "headers": {"A": "${NO}"}}, "x: the environment has no NO; set it"),
        ({"command": "a", "env": {"A": "${input:key}"}}, "can say what ${input:key} is"),
        ({"url": "https://h", "type": "carrier-pigeon"}, "x.type: 'carrier-pigeon' is none"),
        ({"url": "https://h", "type": "stdio"}, "x: type 'stdio' needs a command"),
        ({"command": "a", "type": "http"}, "x: type 'http' needs a url"),
    ],
)
def test_entries_that_cannot_be_meant(tmp_path: Path, entry: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, entry)
    assert problem in str(refused.value)


def test_headers_get_as_far_as_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "s3")
    file = tmp_path / "mcp.json"
    entry = {"url": "https://h/mcp", "headers": {"Authorization": "Bearer ${MY_TOKEN}"}}
    file.write_text(json.dumps({"mcpServers": {"x": entry}}))
    config = configure((), None, (), None, stdio=False, mcp_json=str(file))
    assert config.upstreams["x"].headers == {"Authorization": "Bearer s3"}
