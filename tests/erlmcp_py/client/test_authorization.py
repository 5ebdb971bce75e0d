"""A client that is authorized: what it sends where, how often it asks, and what it tells of it."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Mapping

import pytest
import trio
import trio.testing

from erlmcp_py.auth.client import (
    ClientCredentials,
    Plan,
    Registered,
    Workload,
)
from erlmcp_py.client import Answered, Client, ClientError, HttpStatus, NotAuthorized, OAuth
from supervisors import current_runtime, exit_signal
from tests.erlmcp_py.auth.client.authority import Authority, authority
from tests.erlmcp_py.auth.client.test_flows import person
from tests.erlmcp_py.client.bad import DISCOVERED, Asked, http_server, result

SECRET = "s3cret-value-of-ours"
DONE = {"resultType": "complete", "content": []}


class Lender:
    """An authorizer that lends another token with every request."""

    def __init__(self, longer: int = 1) -> None:
        self.lent = 0
        self._longer = longer

    async def headers(self, method: str, url: str) -> Mapping[str, str]:
        self.lent += 1
        return {"Authorization": f"Bearer {self._longer * SECRET}{self.lent}"}

    async def answered(self, answer: Answered) -> bool:
        return False


def refusal(text: str, status: int) -> bytes:
    head = f"HTTP/1.1 {status} No\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
    return f"{head}\r\n{text}".encode()


# --- what is told -----------------------------------------------------------------------


async def test_a_token_that_was_replaced_meanwhile_is_not_told_either() -> None:
    another = trio.Event()

    async def slow(asked: Asked) -> bytes:
        await another.wait()
        return refusal(f"not {asked.headers['authorization']}", 500)

    def behave(asked: Asked) -> bytes | Awaitable[bytes | None]:
        if asked.method == "server/discover":
            return result(asked, DISCOVERED)
        if asked.message["params"]["name"] == "slow":
            return slow(asked)
        another.set()
        return result(asked, DONE)

    async with http_server(behave) as (url, seen), Client(url, authorizer=Lender()) as client:

        async def one() -> None:
            with pytest.raises(HttpStatus, match=r"HTTP 500.*not …") as caught:
                await client.call_tool("slow")
            assert SECRET not in str(caught.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            while len(seen) < 2:
                await trio.testing.wait_all_tasks_blocked(0.01)
            await client.call_tool("quick")


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_a_long_token_that_is_repeated_is_not_told_in_part(status: int) -> None:
    def behave(asked: Asked) -> bytes:
        if asked.method == "server/discover":
            return result(asked, DISCOVERED)
        return refusal(f"not {asked.headers['authorization']}", status)

    async with http_server(behave) as (url, _), Client(url, authorizer=Lender(400)) as client:
        with pytest.raises(HttpStatus, match=f"HTTP {status}.*not …") as caught:
            await client.call_tool("x")
        assert SECRET not in str(caught.value)


async def refused(there: Authority, plan: Plan) -> str:
    """The traceback of a client that is not let in."""
    oauth = OAuth(plan)
    await oauth.headers("POST", there.resource)
    challenge = Answered("POST", there.resource, 401, {"www-authenticate": "Bearer"}, 1)
    with pytest.raises(NotAuthorized) as caught:
        await oauth.answered(challenge)
    return "".join(traceback.format_exception(caught.value))


async def test_what_a_callbacks_error_says_is_in_no_traceback() -> None:
    async def platform(_: str) -> str:
        raise KeyError(SECRET)

    async with authority() as there:
        told = await refused(there, Workload("me", platform))
    assert SECRET not in told
    assert "failed: KeyError at " in told
    assert f"{__file__}:" in told


@pytest.mark.parametrize("secret", ["?key=hidden1hidden2hidden3", "/hidden1hidden2hidden3"])
@pytest.mark.parametrize("resource", ["https://elsewhere.example", 7])
async def test_a_key_in_the_servers_url_is_not_told(secret: str, resource: object) -> None:
    async with authority() as there:
        there.resource += secret
        path = "/.well-known/oauth-protected-resource/mcp"
        document = {"resource": resource, "authorization_servers": [there.base]}
        there.odd[path] = there.odd[path + secret] = 200, {}, document
        told = await refused(there, person())
        assert f"{there.base}{path}" in told
    assert "hidden" not in told
    assert ": the metadata is of" in told or ": no metadata of" in told


@pytest.mark.parametrize("known", [SECRET, "another"])
async def test_a_refusal_is_told_without_the_secret(known: str) -> None:
    async with authority() as there:
        there.clients["me"] = {"secret": known}
        there.odd["/token"] = 400, {}, {"error": "no", "error_description": f"not {SECRET}"}
        told = await refused(there, ClientCredentials(Registered("me", SECRET)))
    assert SECRET not in told
    assert "no: not …" in told


async def test_no_report_and_no_repr_shows_a_token() -> None:
    reports: list[object] = []
    async with authority() as there:
        oauth = OAuth(person())
        async with Client(there.resource, mode="legacy", authorizer=oauth) as client:
            current_runtime().reports.subscribe(reports.append)
            pid = client.connection_pid()
            assert pid is not None
            exit_signal(pid, "a bad day")
            while client.status().connections < 2:
                await trio.sleep(0.01)
            await client.ping()
            there.ever = 401
            with pytest.raises(ClientError, match="just given"):
                await client.ping()
            told = repr([reports, client, client.status(), oauth, vars(oauth)])
        secrets = [*there.tokens, *there.refresh, *there.codes]
    assert "a bad day" in told
    assert len(secrets) >= 4
    assert [secret for secret in secrets if secret in told] == []
