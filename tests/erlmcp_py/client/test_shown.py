"""What is told of where a server is: enough to know it by, and no secret."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.client import Client, ConnectError
from erlmcp_py.client.shown import shown_command, shown_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://search.example/mcp", "https://search.example/mcp"),
        ("http://127.0.0.1:8080/mcp/simple", "http://127.0.0.1:8080/mcp/simple"),
        ("https://h/mcp?api_key=s3cret&mode=fast", "https://h/mcp?api_key=…&mode=…"),
        ("https://h/mcp?s3cret", "https://h/mcp?…"),
        ("https://h/api/NTk3ZjJhYjE4OGE3Zg==/mcp", "https://h/api/…/mcp"),
        ("postgresql://bob:s3cret@db:5432/shop", "postgresql://bob:…@db:5432/shop"),
        ("https://s3cret@h/mcp", "https://…@h/mcp"),
        ("https://h/mcp#s3cret", "https://h/mcp"),
    ],
)
def test_urls(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("npx -y @scope/server-github", "npx -y @scope/server-github"),
        ("uvx mcp-server-time --local-timezone=UTC", "uvx mcp-server-time --local-timezone=UTC"),
        ("serve --token s3cret --port 8", "serve --token … --port 8"),
        ("serve --api-key=s3cret -v", "serve --api-key=… -v"),
        ("serve --password -v", "serve --password -v"),
        ("docker run -e TOKEN=s3cret image", "docker run -e TOKEN=… image"),
        ("serve postgresql://bob:s3cret@db/shop", "serve postgresql://bob:…@db/shop"),
        ("serve --at=https://h/mcp?k=s3cret", "serve --at=https://h/mcp?k=…"),
        ("serve ghp_s3cret", "serve …"),
        ("serve http://[s3cret", "serve …"),
    ],
)
def test_commands(command: str, shown: str) -> None:
    assert shown_command(command.split()) == shown


def test_headers_code_and_length() -> None:
    assert shown_command(["x", "--header", "Authorization: Bearer s3"]) == (
        "x --header Authorization: …"
    )
    assert shown_command(["python", "-c", "import this\nprint(1)"]) == (
        "python -c import this print(1)"
    )
    assert shown_command(["x", "y" * 200]) == "x " + "y" * 97 + "…"


@given(st.text(), st.lists(st.text(), max_size=4))
def test_whatever_stands_there(program: str, arguments: list[str]) -> None:
    text = shown_command([program, *arguments])
    assert len(text) <= 100
    assert "\n" not in text


@given(st.sampled_from(["--token", "--api-key", "--db-password", "-secret"]), st.integers(0))
def test_what_follows_such_an_option_is_never_told(option: str, number: int) -> None:
    secret = f"hush{number}"
    assert secret not in shown_command(["x", option, secret, "y"])
    assert secret not in shown_command(["x", f"{option}={secret}", "y"])


def test_a_client_tells_no_more_of_its_place() -> None:
    assert str(Client("https://h/mcp?key=s3cret").where) == "https://h/mcp?key=…"
    assert str(Client.stdio("serve", "--token", "s3cret").where) == "serve --token …"


async def test_errors_of_a_server_at_such_a_url_do_not_tell_it() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]

    async def refuse(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, refuse, listeners)
        with trio.fail_after(20), pytest.raises(ConnectError) as caught:
            async with Client(f"http://127.0.0.1:{port}/mcp?key=s3cret"):
                pass
        nursery.cancel_scope.cancel()
    assert "HTTP 503" in str(caught.value)
    assert f"http://127.0.0.1:{port}/mcp?key=…" in str(caught.value)
    assert "s3cret" not in str(caught.value)
