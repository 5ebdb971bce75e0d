"""The ways to be authorized. One is chosen by whoever makes a client; the rest is found out.

All are frozen records, and none shows a secret in its repr.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from urllib.parse import urlsplit

from erlmcp_py.auth.client.guarded import Guarded

Assertion = Callable[[str], Awaitable[str]]
"""Given the issuer it is for, a fresh JWT. Called each time one is needed; nothing is kept."""


class PrivateKey(Guarded, frozen=True):
    """To sign what proves who a client is (private_key_jwt, RFC 7523). pem: PKCS #8 or SEC 1."""

    shown_fields = ("algorithm", "key_id")
    pem: str
    algorithm: str = "ES256"
    key_id: str | None = None


class Registered(Guarded, frozen=True):
    """A client that an authorization server knows. issuer: which one; without it, the first that is met
    keeps it, and no other ever gets it. method: how it authenticates; None: as the server likes.
    """

    shown_fields = ("client_id", "issuer", "method")
    client_id: str
    secret: str | None = None
    key: PrivateKey | None = None
    issuer: str | None = None
    method: str | None = None
    redirect_uri: str | None = None


class Visitor(Protocol):
    """Somebody at a browser, while an authorization lasts."""

    redirect_uri: str

    async def visit(self, url: str) -> list[tuple[str, str]]:
        """Show the page; the parameters with which the user comes back. Raises AuthorizationError."""


Receiver = Callable[[str | None], AbstractAsyncContextManager[Visitor]]
"""Gets the redirect URI that is registered, if there is one, to be on the same port again."""


class AuthorizationCode(Guarded, frozen=True):
    """For people (RFC 6749, 4.1, with PKCE). receiver: `Loopback()` or `Headless(…)`. client: registered
    beforehand; otherwise metadata_url (CIMD) is the client id where the server takes one, and where it
    does not, the client registers itself as `name` (RFC 7591).
    """

    shown_fields = ("name", "client", "metadata_url")
    receiver: Receiver
    client: Registered | None = None
    metadata_url: str | None = None
    name: str = "erlmcp-py"

    def __post_init__(self) -> None:
        if self.metadata_url is not None:
            parts = urlsplit(self.metadata_url)
            if parts.scheme != "https" or parts.path in ("", "/") or parts.fragment:
                raise ValueError(
                    f"metadata_url is {self.metadata_url!r}; it is an https: URL with a path"
                )


class ClientCredentials(Guarded, frozen=True):
    """For programs that act for themselves (RFC 6749, 4.4). client: with a secret or a key."""

    shown_fields = ("client",)
    client: Registered

    def __post_init__(self) -> None:
        if self.client.secret is None and self.client.key is None:
            raise ValueError("client credentials need a secret or a key")


class IdentityProvider(Guarded, frozen=True):
    """Where an enterprise's users sign in. id_token: the user's, for this client of the provider."""

    shown_fields = ("token_endpoint", "client_id")
    token_endpoint: str
    client_id: str
    id_token: Assertion
    secret: str | None = None


class Enterprise(Guarded, frozen=True):
    """Enterprise-managed authorization: the provider exchanges the ID token for an ID-JAG (RFC 8693), the
    authorization server that one for a token (RFC 7523). client: as the authorization server knows it.
    """

    shown_fields = ("client", "provider")
    client: Registered
    provider: IdentityProvider


class Workload(Guarded, frozen=True):
    """Workload identity: the platform's JWT is the grant (RFC 7523, 2.1). issuer: as of `Registered`."""

    shown_fields = ("client_id", "issuer")
    client_id: str
    assertion: Assertion
    issuer: str | None = None


Plan = AuthorizationCode | ClientCredentials | Enterprise | Workload


def brought_client(plan: Plan) -> Registered | None:
    """The client that is registered beforehand, which the program brings along each time."""
    return None if isinstance(plan, Workload) else plan.client


def may_use(plan: Plan, client_id: str, issuer: str) -> bool:
    """Whether what an issuer gave to a client was given to that of the plan. One that is not registered
    beforehand may be any.
    """
    client = plan if isinstance(plan, Workload) else brought_client(plan)
    if client is None:
        return True
    return client.client_id == client_id and client.issuer in (None, issuer)


class ClientInformation(Guarded, frozen=True):
    """The client as one issuer knows it. method: of authenticating at the token endpoint."""

    shown_fields = ("client_id", "method")
    client_id: str
    method: str = "none"
    secret: str | None = None
    key: PrivateKey | None = None
    redirect_uri: str | None = None
    expires_at: float = 0.0
