"""The file that people have for their desktop clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from erlmcp_py.cli.run import configure
from erlmcp_py.config import ConfigError, UpstreamConfig, check_served
from erlmcp_py.gateway.mcp_json import read_mcp_json


def test_the_file_of_a_desktop_client(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    servers = {
        "git hub": {
            "command": "npx",
            "args": ["-y", "thing"],
            "env": {"A": "b"},
            "icon": "x",
            "trust": True,
        },
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
        ("[]", 'none of "mcpServers", "servers", "context_servers" with a server'),
        ('{"mcpServers": {}}', 'none of "mcpServers", "servers", "context_servers" with a server'),
        ('{"mcpServers": {"a": {}}, "servers": {}}', "has both mcpServers and servers; leave one"),
        ('{"mcpServers": {"a": {}}, "mcp": {"allowed": 1}}', "mcp.allowed: must be a list"),
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
    servers = {"good": {"command": "x"}, "bad": {"command": "x", "env": {"A": True}}}
    file.write_text(json.dumps({"mcpServers": servers}))
    with pytest.raises(ConfigError) as refused:
        configure((), None, (), None, stdio=False, mcp_json=str(file))
    assert str(refused.value).startswith(f"{file}: upstreams.bad.env.A: must be a string")


def test_a_file_in_which_all_are_disabled_does_not_bring_our_examples(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"off": {"command": "x", "disabled": True}}}))
    config = configure((), None, (), None, stdio=False, mcp_json=str(file))
    assert config.servers == ()
    with pytest.raises(ConfigError, match="servers: there is none"):
        check_served(config)


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
        (
            {"url": "https://h", "headers": {"A": "${NO}"}},
            "x.headers.A: the environment has no NO; set it",
        ),
        ({"command": "a", "env": {"A": "${input:key}"}}, "can say what ${input:key} is"),
        ({"url": "https://h", "type": "carrier-pigeon"}, "x.type: 'carrier-pigeon' is none"),
        ({"url": "https://h", "type": "stdio"}, "x: type 'stdio' needs a command"),
        ({"command": "a", "type": "http"}, "x: type 'http' needs a url"),
        ({"url": "https://h", "httpUrl": "https://i"}, "x: has both url and httpUrl; leave one"),
        ({"command": "a", "comand": "b"}, "x.comand: no such key; known are command, args, env,"),
        (
            {"command": "a", "timeout": 60},
            "x.timeout: is seconds to some clients and milliseconds to",
        ),
        (
            {"url": "https://h", "oauth": {"clientId": "x"}},
            "and say it in [upstreams.x.auth] of a file",
        ),
        (
            {"url": "https://h", "headersHelper": "x"},
            "x.headersHelper: no program is run for headers",
        ),
        (
            {"command": "a", "sandboxEnabled": True},
            "x.sandboxEnabled: a node runs programs as they are",
        ),
        (
            {"source": "extension", "settings": {}},
            "x.source: 'extension' is none that is known here",
        ),
        (
            {"source": "custom", "settings": {"a": 1}},
            "x.settings: is for an extension of the editor",
        ),
        ({"command": "a", "disabled": "yes"}, "x.disabled: must be true or false"),
        (
            {"command": "a", "env": {"A": "$KEY"}},
            "x.env.A: $NAME is a variable to some clients and a",
        ),
        (
            {"command": "a", "args": ["${workspaceFolder}"]},
            "only known to a file in one of .cursor,",
        ),
        (
            {"command": "a", "args": ["${file:/k}"]},
            "x.args: nobody here can say what ${file:/k} is",
        ),
        (
            {"command": "a", "envFile": ".env"},
            "x.envFile: .env: it is relative to nobody knows what",
        ),
        (
            {"command": "a", "envFile": "/no/such"},
            "x.envFile: /no/such: cannot be read: No such file",
        ),
        ({"command": "a", "envFile": 1}, "x.envFile: must be the path of a file"),
        (
            {"command": "a", "tools": []},
            "x.tools: names no tool; leave it out for all, or say disabled",
        ),
        ({"command": "a", "excludeTools": "b"}, "x.excludeTools: must be a list of names of tools"),
        (
            {"command": "a", "tools": ["b"], "includeTools": ["b"]},
            "has both tools and includeTools",
        ),
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


VSCODE = """
{
    // asked for once, and kept by the editor
    "inputs": [{"type": "promptString", "id": "key", "description": "Key"}],
    "servers": {
        "local": {
            "type": "stdio", "command": "node",
            "args": ["${workspaceFolder}/a.js", "${workspaceFolderBasename}${/}b", "// no comment, ]"],
            "env": {"PORT": 80, "A": "mine"}, /* ,} */
            "envFile": "${workspaceFolder}/.env", "dev": {"watch": "*.js"},
            "sandboxEnabled": false,
        },
        "remote": {"type": "http", "url": "https://h/mcp", "headers": {"A": "${env:KEY}"}}, // last
    },
}
"""


def test_the_file_of_vs_code(tmp_path: Path) -> None:
    """Comments, trailing commas, what is known of the workspace by the file's place, a file of variables."""
    place = tmp_path / "work" / ".vscode"
    place.mkdir(parents=True)
    (place.parent / ".env").write_text("# keys\n\nexport A=theirs\nB = 'two words'\nC=\n")
    file = place / "mcp.json"
    file.write_text(VSCODE)
    work = place.parent
    assert read_mcp_json(str(file), {"KEY": "k"}) == {
        "local": {
            "command": "node",
            "args": [f"{work}/a.js", "work/b", "// no comment, ]"],
            "env": {"A": "mine", "B": "two words", "C": "", "PORT": "80"},
        },
        "remote": {"url": "https://h/mcp", "headers": {"A": "k"}},
    }
    file.write_text(VSCODE.replace("${env:KEY}", "${input:key}"))
    with pytest.raises(ConfigError, match=r"servers.remote.headers.A: nobody here can say what"):
        read_mcp_json(str(file), {})
    (work / ".env").write_text("A=1\nsecret")
    with pytest.raises(ConfigError, match=r"servers.local.envFile: .*: line 2 is no NAME=VALUE"):
        read_mcp_json(str(file), {"KEY": "k"})


def test_the_place_of_a_mistake_is_that_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text('{ // one\n/* two\nthree */ "mcpServers": {"a": nil}}')
    with pytest.raises(ConfigError, match="line 3 column 30"):
        read_mcp_json(str(file))


def test_the_settings_of_gemini_and_zed(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    servers = {
        "one": {"httpUrl": "https://h/mcp", "includeTools": ["a[b]"], "excludeTools": ["c*"]},
        "two": {"command": "a", "trust": True, "description": "x"},
        "three": {"command": "a"},
    }
    choice = {"allowed": ["one", "two"], "excluded": ["two"]}
    file.write_text(json.dumps({"mcpServers": servers, "mcp": choice, "ui": {}}))
    assert read_mcp_json(str(file)) == {
        "one": {"url": "https://h/mcp", "allow": ["a[[]b]"], "deny": ["c[*]"]}
    }
    servers = {
        "one": {"source": "custom", "command": "a", "args": ["${userHome}"], "enabled": True},
        "two": {"source": "custom", "command": "a", "enabled": False},
    }
    file.write_text(json.dumps({"context_servers": servers, "theme": "One"}))
    assert read_mcp_json(str(file), {"HOME": "/me"}) == {"one": {"command": "a", "args": ["/me"]}}


def test_keys_of_cline_roo_and_copilot(tmp_path: Path) -> None:
    assert read(tmp_path, {"command": "a", "autoApprove": ["b"], "disabledTools": ["b"]}) == {
        "command": "a",
        "deny": ["b"],
    }
    assert read(tmp_path, {"type": "streamable-http", "url": "https://h", "alwaysAllow": []}) == {
        "url": "https://h"
    }
    assert read(tmp_path, {"type": "local", "command": "a", "tools": ["*"]}) == {
        "command": "a",
        "allow": ["*"],
    }


def test_what_it_cannot_say_is_said_beside_it(tmp_path: Path) -> None:
    """As the errors say: in a file of our own, by the same name."""
    file, more = tmp_path / "mcp.json", tmp_path / "more.toml"
    file.write_text(json.dumps({"mcpServers": {"x": {"command": "a"}}}))
    more.write_text("[upstreams.x]\ntimeout = 300.0\n")
    config = configure((str(more),), None, (), None, stdio=False, mcp_json=str(file))
    assert config.upstreams == {"x": UpstreamConfig(command="a", timeout=300.0)}
