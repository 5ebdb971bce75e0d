"""Sessions, and the servers they deal with: no network, no clock, no chance."""

from __future__ import annotations

from typing import Any

from erlmcp_py.auth.client.actions import Fetch, Fetched
from erlmcp_py.auth.client.plans import (
    AuthorizationCode,
    Plan,
)
from erlmcp_py.auth.client.receiver import Loopback
from erlmcp_py.auth.client.session import Session

from .playing import World, answer, form

URL = "https://mcp.example/mcp"

AS = "https://as.example"

PRM = "https://mcp.example/.well-known/oauth-protected-resource/mcp"

META = f"{AS}/.well-known/oauth-authorization-server"

TOKEN = f"{AS}/token"

REGISTER = f"{AS}/register"

CIMD = "https://client.example/client.json"

BEARER = {"www-authenticate": "Bearer"}

PERSON = AuthorizationCode(Loopback())


class Tokens:
    """A token endpoint: numbers its tokens, and writes down what it was asked."""

    def __init__(self, **more: Any) -> None:
        self.more = more
        self.forms: list[dict[str, str]] = []
        self.requests: list[Fetch] = []

    def __call__(self, request: Fetch) -> Fetched:
        self.requests.append(request)
        self.forms.append(form(request))
        number = len(self.forms)
        given = {"access_token": f"secret-token-{number}", "token_type": "Bearer"}
        return answer({**given, **self.more})


def world(tokens: Tokens | None = None, *, prm: Any = None, **server: Any) -> World:
    document = {
        "issuer": AS,
        "token_endpoint": TOKEN,
        "authorization_endpoint": f"{AS}/authorize",
        "registration_endpoint": REGISTER,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        **server,
    }
    resource = {"resource": URL, "authorization_servers": [AS], **(prm or {})}
    return World(
        {
            PRM: answer(resource),
            META: answer({name: value for name, value in document.items() if value is not None}),
            TOKEN: tokens or Tokens(),
            REGISTER: answer({"client_id": "registered"}, 201),
        }
    )


def session(there: World, plan: Plan = PERSON) -> Session:
    made = Session(URL, plan)
    there.play(made.prepare())
    return made


def refuse(
    there: World, made: Session, header: str = "Bearer", status: int = 401, tries: int = 1
) -> Any:
    headers = {"www-authenticate": header}
    return there.play(made.challenged(status, headers, tries, made.serial))


def sent(made: Session, there: World) -> str | None:
    headers = made.headers("POST", URL, time=there.now, unique=b"1")
    return headers.get("Authorization")


def refreshed(**more: Any) -> tuple[World, Tokens, Session]:
    tokens = Tokens(expires_in=3600, refresh_token="refresh-one", **more)
    there = world(tokens)
    made = session(there)
    refuse(there, made)
    return there, tokens, made
