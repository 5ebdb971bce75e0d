"""What can be written about upstreams, and what is said about mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from erlmcp_py.client.where import AtUrl
from erlmcp_py.config import ConfigError, EnvReference, UpstreamConfig, load
from erlmcp_py.gateway.settings import check_upstreams, place_of
from erlmcp_py.ports import Command


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "node.toml"
    file.write_text(text)
    return file


def test_a_command_its_arguments_and_where_its_variables_come_from(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[upstreams.git-hub]\ncommand = ["npx", "-y", "thing"]\ncwd = "/tmp"\n'
        'env = { TOKEN = { env = "MY_TOKEN" }, PLAIN = "x" }\n'
        '[upstreams.other]\ncommand = "uvx"\nargs = ["mcp-server-time"]\n',
    )
    config = load(overlays=[file], env={})
    assert place_of("git-hub", config.upstreams["git-hub"], {"MY_TOKEN": "s3"}) == Command(
        argv=("npx", "-y", "thing"), env={"TOKEN": "s3", "PLAIN": "x"}, cwd="/tmp"
    )
    assert place_of("other", config.upstreams["other"]) == Command(
        argv=("uvx", "mcp-server-time"), env={}
    )
    assert config.servers == ()  # our examples are not what this user wants


def test_own_servers_stay_beside_them(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[upstreams.x]\ncommand = "x"\n[[servers]]\nname = "mine"\ntarget = "m:s"\n',
    )
    assert [server.name for server in load(overlays=[file], env={}).servers] == ["mine"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[upstreams.x]\ncommand = "y"\nurl = "http://h/mcp"\n', "has both command and url"),
        ("[upstreams.x]\n", "has neither command nor url"),
        ('[upstreams.x]\nurl = "http://h"\ncwd = "/"\n', "upstreams.x.cwd: belongs to a command"),
        ('[upstreams.x]\ncommnd = "y"\n', "upstreams.x.commnd: no such key; did you mean"),
        ('[upstreams.all]\ncommand = "y"\n', "/mcp/all has a meaning of its own"),
        ('[upstreams.ws]\ncommand = "y"\n', "/mcp/ws has a meaning of its own"),
        ('[upstreams."a b"]\ncommand = "y"\n', "must be up to 64 letters"),
        ('[upstreams.x]\ncommand = "y"\ntimeout = "long"\n', "upstreams"),
        (
            '[upstreams.m]\ncommand = "y"\n[[servers]]\nname = "m"\ntarget = "m:s"\n',
            "there is a server of that name",
        ),
        ('[upstreams.x]\ncommand = "y"\n[node]\nworkers = 2\n', "node.workers: upstreams"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(overlays=[written(tmp_path, text)], env={})
    assert problem in str(refused.value)


def test_a_variable_that_is_missing_and_a_url_that_is_none() -> None:
    missing = UpstreamConfig(command="x", env={"TOKEN": EnvReference(env="NOT_THERE")})
    with pytest.raises(
        ConfigError, match=r"upstreams\.x\.env\.TOKEN: the environment has no NOT_THERE"
    ):
        place_of("x", missing, {})
    with pytest.raises(ConfigError, match=r"upstreams\.x\.url: "):
        place_of("x", UpstreamConfig(url="ftp://h"))


def test_headers_and_where_their_values_come_from(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[upstreams.web]\nurl = "https://h/mcp"\n'
        'headers = { Authorization = { env = "TOKEN" }, X-Team = "a b" }\n',
    )
    config = load(overlays=[file], env={}).upstreams["web"]
    place = place_of("web", config, {"TOKEN": "Bearer s3cret-value"})
    assert isinstance(place, AtUrl)
    assert place.headers == {"Authorization": "Bearer s3cret-value", "X-Team": "a b"}
    assert "s3cret" not in f"{place!r} {place}"


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"Host": "x"}, "upstreams.web.headers.Host: the header Host is this client's own"),
        ({"Mcp-Session-Id": "x"}, "this client's own and cannot be set"),
        ({"a b": "x"}, "upstreams.web.headers.a b: 'a b': '' is no header"),
        ({"X": "s3cret\nvalue"}, "upstreams.web.headers.X: its value holds signs"),
        ({"X": "s3cret \u20ac"}, "upstreams.web.headers.X: its value holds signs"),
        ({"X": EnvReference(env="NO")}, "upstreams.web.headers.X: the environment has no NO"),
    ],
)
def test_headers_that_cannot_be_sent(headers: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        place_of("web", UpstreamConfig(url="https://h/mcp", headers=headers), {})
    assert problem in str(refused.value)
    assert "s3cret" not in str(refused.value)


AUTH = '[upstreams.x]\nurl = "https://h/mcp"\n[upstreams.x.auth]\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[upstreams.x]\ncommand = "y"\nheaders = { a = "b" }\n', "headers: belongs to a url"),
        ('[upstreams.x]\ncommand = "y"\nauth.grant = "stored"\n', "auth: belongs to a url"),
        (f'{AUTH}grant = "stored"\nclient_idd = "x"\n', "no such key; did you mean"),
        (f'{AUTH}grant = "magic"\n', "upstreams"),
        (f'{AUTH}grant = "client_credentials"\n', "auth.client_id: is needed with grant ="),
        (
            f'{AUTH}grant = "client_credentials"\nclient_id = "me"\n',
            "auth: has no client_secret and no key",
        ),
        (
            (
                f'{AUTH}grant = "client_credentials"\nclient_id = "me"\nkey = "k"\n'
                'client_secret = "s"\n'
            ),
            "auth: has both client_secret and key",
        ),
        (
            f'{AUTH}grant = "client_credentials"\nclient_id = "me"\nkey = "/no/such.pem"\n',
            "auth.key: /no/such.pem: No such file or directory",
        ),
        (
            (
                f'{AUTH}grant = "client_credentials"\nclient_id = "me"\n'
                'client_secret = { env = "NOT_THERE" }\n'
            ),
            "upstreams.x.auth.client_secret: the environment has no NOT_THERE",
        ),
        (f'{AUTH}grant = "workload"\nclient_id = "me"\n', "auth.assertion: is needed"),
        (f'{AUTH}grant = "stored"\nclient_id = "me"\n', "auth.client_id: means nothing with"),
        (
            (
                '[upstreams.x]\nurl = "https://h/mcp"\nheaders = { authorization = "b" }\n'
                '[upstreams.x.auth]\ngrant = "stored"\n'
            ),
            "upstreams.x.headers has Authorization; choose one of them",
        ),
        (
            '[upstreams.x]\nurl = "http://h/mcp"\n[upstreams.x.auth]\ngrant = "stored"\n',
            "upstreams.x.url: the server is http://h/mcp; it must begin with https:",
        ),
    ],
)
def test_mistakes_about_credentials_are_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_upstreams(load(overlays=[written(tmp_path, text)], env={}).upstreams)
    assert problem in str(refused.value)
