"""Credentials for upstreams at a URL: with nobody at a browser, and told to nobody else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from erlmcp_py.auth.client import Authorizations, ClientCredentials, FileStore, Registered
from erlmcp_py.client import Answered, ConnectError, NotAuthorized
from erlmcp_py.config import AuthConfig, EnvReference, UpstreamConfig
from erlmcp_py.gateway import instance
from erlmcp_py.gateway.authorization import Stored, authorizer_of
from erlmcp_py.protocol.errors import McpError
from supervisors import Backoff, CallExit, Pid, exit_signal, sys, which_children
from tests.erlmcp_py.auth.client.authority import Authority, authority

from .upstreams import OLD, Gateway, gateway, program, said

SECRET = "s3cret-value-of-ours"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be connected to is tried again without a pause worth waiting for."""
    monkeypatch.setattr(instance, "PAUSE", Backoff(first=0.01, factor=2.0, limit=0.1))


def plain(_key: str, value: str | EnvReference) -> str:
    assert isinstance(value, str)
    return value


def credentials() -> AuthConfig:
    return AuthConfig(grant="client_credentials", client_id="me", client_secret=SECRET)


async def asked(authorizer: Any, there: Authority) -> int:
    """The status of a request that an authorizer has part in."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
    for tries in range(1, 5):
        given = await authorizer.headers("POST", there.resource)
        lower = {name.lower(): value for name, value in given.items()}
        status, headers, _ = there.answer("POST", "/mcp", lower, body)
        heard = {name.lower(): value for name, value in headers.items()}
        answer = Answered("POST", there.resource, status, heard, tries)
        if not await authorizer.answered(answer):
            return status
    raise AssertionError("it was sent again and again")


async def test_the_credentials_of_the_node() -> None:
    async with authority() as there:
        there.clients["me"] = {"secret": SECRET}
        upstream = UpstreamConfig(url=there.resource, auth=credentials())
        authorizer = authorizer_of("web", upstream, plain)
        assert await asked(authorizer, there) == 200
        assert there.count("/authorize") == 0
        assert SECRET not in repr(authorizer)


async def test_an_upstream_that_wants_tokens_is_served() -> None:
    async with authority() as there:
        there.clients["me"] = {"secret": SECRET}
        upstreams = {
            "web": UpstreamConfig(url=there.resource, auth=credentials(), pool=2),
            "without": UpstreamConfig(url=there.resource, restarts=1),
        }
        async with gateway(upstreams) as node:
            async with node.at("web", mode="legacy") as client:
                assert client.hello.server_info.name == "guarded"
            with pytest.raises(ConnectError, match="HTTP 401"), trio.fail_after(20):
                while True:
                    async with node.at("without", mode="legacy"):
                        pass
        assert there.count("/authorize") == 0


async def test_what_a_person_has_obtained_is_found_also_while_the_node_runs(tmp_path: Path) -> None:
    async with authority() as there:
        there.clients["me"] = {"secret": SECRET}
        stored = Stored(there.resource, str(tmp_path))
        for _ in range(2):
            with pytest.raises(NotAuthorized, match="nobody to ask here; obtain them with erlmcp-"):
                await asked(stored, there)
        login = ClientCredentials(Registered("me", SECRET))
        assert await asked(Authorizations(login, store=FileStore(tmp_path)), there) == 200
        assert await asked(stored, there) == 200


async def test_the_platforms_assertion_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "jwt"
    auth = AuthConfig(
        grant="workload", client_id="me", assertion=str(file), issuer="https://issuer"
    )
    upstream = UpstreamConfig(url="http://127.0.0.1:9/mcp", auth=auth)
    authorizer: Any = authorizer_of("web", upstream, plain)
    assert authorizer._plan.issuer == "https://issuer"
    read = authorizer._plan.assertion
    for text in ("one", "two"):
        file.write_text(f"{text}\n")
        assert await read("https://issuer") == text
    file.unlink()
    with pytest.raises(Exception, match=r"the assertion .*/jwt: No such file or directory"):
        await read("https://issuer")


@asynccontextmanager
async def echoing(refuse: bool) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that repeats what it was sent in its refusals; its address, and what it was sent."""
    heard: list[str] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            data = b""
            while b"\r\n\r\n" not in data:
                more = await stream.receive_some()
                if not more:
                    return
                data += more
            head = data.partition(b"\r\n\r\n")[0].decode()
            heard.append(head)
            text = " ".join(head.splitlines()) if refuse else "no"
            out = f"HTTP/1.1 500 X\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
            await stream.send_all(f"{out}Connection: close\r\n\r\n{text}".encode())

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(partial(trio.serve_listeners, serve, listeners))
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/mcp", heard
        nursery.cancel_scope.cancel()


async def refusal(node: Gateway, name: str) -> str:
    """What a client is told that comes while an upstream cannot be reached."""
    with trio.fail_after(20):
        while True:
            try:
                async with node.at(name, mode="legacy"):
                    pass
            except ConnectError as problem:
                if "HTTP 500" in str(problem):
                    return str(problem)
            await trio.sleep(0.02)


async def below(supervisor: Any) -> list[Pid]:
    """All processes below a supervisor."""
    found = []
    for child in await which_children(supervisor):
        if isinstance(child.pid, Pid):
            found.append(child.pid)
            if child.type == "supervisor":
                found += await below(child.pid)
    return found


async def status(pid: Pid) -> str:
    """What a process shows of itself; nothing if it is none that can be asked."""
    try:
        return repr(await sys.get_status(pid, 0.3))
    except CallExit:
        return ""


async def test_secrets_are_sent_where_they_belong_and_told_nowhere(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with echoing(refuse=True) as (url, heard):
        web = UpstreamConfig(
            url=f"{url}?key={SECRET}", headers={"X-Key": f"Bearer {SECRET}"}, restarts=1
        )
        old = program(OLD, env={"TOKEN": SECRET}, restarts=1000)
        async with gateway({"web": web, "old": old}, log="debug") as node, node.at("old") as client:
            told = [await refusal(node, "web")]
            assert f"X-Key: Bearer {SECRET}" in heard[0]
            for pid in await below("upstream_old"):
                told.append(await status(pid))
                exit_signal(pid, "a bad day")
                with trio.fail_after(20):
                    while True:
                        try:
                            told.append(said(await client.call_tool("echo", {})))
                            break
                        except McpError as problem:
                            told.append(str(problem))
                            await trio.sleep(0.02)
            told.append(repr(await sys.get_status("server_web")))
    told.append(capfd.readouterr().err)
    assert "a bad day" in told[-1]
    assert "HTTP 500" in told[-1]
    assert [text for text in told if SECRET in text] == []
