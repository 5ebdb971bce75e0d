"""The client under test of the official suite: ``python -m tests.conformance.client URL``.

The suite starts it for every scenario with the scenario's name, the revision and what the scenario
needs to know in the environment. What it does is what the scenario wants to see, with the public API only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from erlmcp_py.client import Client, ClientError

SCENARIO: Final = os.environ["MCP_CONFORMANCE_SCENARIO"]
REVISION: Final = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "")
CONTEXT: Final[dict[str, Any]] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")

LAST_OF_THE_SESSIONS: Final = "2025-11-25"
TIMEOUT: Final = 80.0
CALLBACK: Final = "http://127.0.0.1:3999/callback"
"""Never connected to: the authorization server's redirect is read, not followed."""
METADATA: Final = "https://conformance-test.local/client-metadata.json"
"""The client id metadata document, as the suite names it."""


def show(value: object) -> None:
    """For whoever reads what a scenario has left."""
    sys.stdout.write(f"{value}\n")


async def visit(url: str) -> str:
    """Stand in for the user and the browser: where the authorization server sends them."""
    import httpx2

    async with httpx2.AsyncClient() as browser:
        return str((await browser.get(url, follow_redirects=False)).headers["location"])


def authorizer() -> Any:
    """The grant that the scenario is about."""
    from erlmcp_py.auth.client import (
        AuthorizationCode,
        ClientCredentials,
        Enterprise,
        Headless,
        IdentityProvider,
        PrivateKey,
        Registered,
        Workload,
    )
    from erlmcp_py.client import OAuth

    def known(key: PrivateKey | None = None) -> Registered:
        return Registered(CONTEXT["client_id"], CONTEXT.get("client_secret"), key)

    async def given(name: str) -> str:
        return str(CONTEXT[name])

    if "client-credentials" in SCENARIO:
        key = None
        if "private_key_pem" in CONTEXT:
            key = PrivateKey(CONTEXT["private_key_pem"], CONTEXT.get("signing_algorithm", "ES256"))
        return OAuth(ClientCredentials(known(key)))
    if "enterprise" in SCENARIO:
        provider = IdentityProvider(
            CONTEXT["idp_token_endpoint"],
            CONTEXT["idp_client_id"],
            lambda _audience: given("idp_id_token"),
        )
        return OAuth(Enterprise(known(), provider))
    if "wif" in SCENARIO:
        return OAuth(Workload(CONTEXT["client_id"], lambda _audience: given("valid_jwt")))
    registered = known() if "client_id" in CONTEXT else None
    return OAuth(AuthorizationCode(Headless(CALLBACK, visit), registered, METADATA))


async def tried(call: Awaitable[object]) -> None:
    """Some answers of the suite are wrong on purpose."""
    try:
        show(await call)
    except ClientError as problem:
        show(repr(problem))


async def authorized(client: Client) -> None:
    """Whatever there is, called; twice where the authorization changes in between."""
    tools = await client.list_tools()
    for _ in range(2 if "migration" in SCENARIO else 1):
        for tool in tools:
            await tried(client.call_tool(tool.name))


async def skills(client: Client) -> None:
    """Read all, unless the scenario wants to see that listing reads none."""
    for skill in await client.skills.list():
        if "no-prefetch" not in SCENARIO:
            await tried(client.skills.read(skill))


async def rounds(client: Client) -> None:
    """Requests of several rounds."""
    for name in ("echo_state", "unrelated", "no_state", "no_result_type"):
        await tried(client.call_tool(f"test_mrtr_{name}"))


async def all_tools(client: Client) -> None:
    """Every tool that is not hidden, and what else has a name in a header."""
    for tool in await client.list_tools():
        required = tool.input_schema.get("required", [])
        await tried(client.call_tool(tool.name, dict.fromkeys(required, "x")))
    if SCENARIO == "http-standard-headers":
        for resource in await client.list_resources():
            await client.read_resource(resource.uri)
        for prompt in await client.list_prompts():
            await client.get_prompt(prompt.name)


async def given_calls(client: Client) -> None:
    """What the context says."""
    await client.list_tools()
    for call in CONTEXT.get("toolCalls", []):
        await tried(client.call_tool(call["name"], call.get("arguments") or {}))


async def schema(client: Client) -> None:
    """Send back a schema as it came."""
    tools = await client.list_tools()
    found = next(tool for tool in tools if tool.name == "json_schema_2020_12_tool")
    await client.call_tool("json_schema_echo", {"schema": found.input_schema})


def call_of(name: str, **arguments: Any) -> Callable[[Client], Awaitable[None]]:
    """Calls one tool."""

    async def play(client: Client) -> None:
        await client.list_tools()
        show(await client.call_tool(name, arguments))

    return play


async def listing(client: Client) -> None:
    """Enough for scenarios about the beginning."""
    show([tool.name for tool in await client.list_tools()])


PLAYS: Final[dict[str, Callable[[Client], Awaitable[None]]]] = {
    "auth/": authorized,
    "sep-2640": skills,
    "sep-2322": rounds,
    "tools_call": call_of("add_numbers", a=1, b=2),
    "elicitation": call_of("test_client_elicitation_defaults"),
    "sse-retry": call_of("test_reconnection"),
    "http-custom-headers": given_calls,
    "http-": all_tools,
    "json-schema-2020-12-preservation": schema,
}
"""How the name of a scenario begins -> what is done; the first that fits."""


async def main() -> None:
    """Connect as the scenario wants it, and play."""
    options: dict[str, Any] = {"timeout": TIMEOUT}
    if SCENARIO.startswith("auth/"):
        options["authorizer"] = authorizer()
    if SCENARIO.startswith("elicitation"):
        options["elicit"] = lambda _question: {}
    elif SCENARIO.startswith("sep-2322"):
        options["elicit"] = lambda _question: {"confirmed": True}
    elif SCENARIO == "request-metadata":  # it wants to see what is declared, and asks nothing
        options["elicit"] = options["sample"] = lambda _question: {}
        options["roots"] = list
    mode = "legacy" if REVISION and REVISION <= LAST_OF_THE_SESSIONS else "auto"
    if SCENARIO == "json-schema-ref-no-deref":
        mode = "legacy"  # the scenario's server speaks nothing else
    elif SCENARIO.startswith("sep-2640"):
        mode = "auto"  # skills are of the newest revision, whichever the suite is at
    play = next((play for name, play in PLAYS.items() if SCENARIO.startswith(name)), listing)
    with trio.fail_after(TIMEOUT):
        async with Client(sys.argv[-1], mode=mode, **options) as client:  # type: ignore[arg-type]
            await play(client)


if __name__ == "__main__":
    trio.run(main)
