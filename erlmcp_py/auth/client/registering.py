"""Who the client is at an issuer: known beforehand, by a metadata document, or registered now.

In that order (MCP, client registration approaches). What one issuer gave is never shown to another; the
URL of a metadata document is nobody's secret and goes to all.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from erlmcp_py.auth.client.actions import Flow, Save, fetch, load, now
from erlmcp_py.auth.client.discovery import Found
from erlmcp_py.auth.client.errors import AuthorizationError, shown
from erlmcp_py.auth.client.exchanging import choose_method, read_refusal
from erlmcp_py.auth.client.guarded import Guarded
from erlmcp_py.auth.client.plans import AuthorizationCode, ClientInformation, Registered, Workload
from erlmcp_py.auth.client.reading import NoDocument, read_object


class _Answer(Guarded, frozen=True):
    """RFC 7591, 3.2.1."""

    client_id: str
    client_secret: str | None = None
    client_secret_expires_at: float = 0
    token_endpoint_auth_method: str | None = None


def client_key(issuer: str) -> str:
    """Under which the registration at an issuer is kept."""
    return f"client {issuer}"


def known(client: Registered, found: Found) -> Flow[ClientInformation]:
    """A client registered beforehand, at its own issuer. Raises AuthorizationError at any other."""
    issuer = found.server.issuer
    yield from at_home(client, issuer)
    has_secret, has_key = client.secret is not None, client.key is not None
    method = client.method or choose_method(
        found.server.token_endpoint_auth_methods_supported, secret=has_secret, key=has_key
    )
    if method is None:
        raise AuthorizationError(
            f"{issuer}: the token endpoint takes none of the ways {client.client_id} can authenticate"
        )
    return ClientInformation(
        client.client_id, method, client.secret, client.key, client.redirect_uri
    )


def at_home(client: Registered | Workload, issuer: str) -> Flow[None]:
    """Raises AuthorizationError if the client belongs to another issuer."""
    pin = f"issuer of {client.client_id}"
    home = client.issuer
    if home is None:
        kept = yield from load(pin)
        home = issuer if kept is None else kept.decode()
        if kept is None:
            yield Save(pin, issuer.encode())
    if home != issuer:
        raise AuthorizationError(
            f"the client {client.client_id} belongs to {home}; the server now names {issuer},"
            " where another registration is needed"
        )


def preferred_redirect(plan: AuthorizationCode, found: Found) -> Flow[str | None]:
    """The redirect URI the issuer knows us by, if it does."""
    if plan.client is not None:
        return plan.client.redirect_uri
    kept = yield from _kept(found.server.issuer)
    return None if kept is None else kept.redirect_uri


def registered(
    plan: AuthorizationCode, found: Found, redirect_uri: str, scopes: frozenset[str]
) -> Flow[ClientInformation]:
    """Raises AuthorizationError where there is no way to be known."""
    server = found.server
    if plan.client is not None:
        return (yield from known(plan.client, found))
    if plan.metadata_url is not None and server.client_id_metadata_document_supported:
        return ClientInformation(plan.metadata_url, "none")
    kept = yield from _kept(server.issuer)
    if kept is not None and kept.redirect_uri == redirect_uri:
        time = yield from now()
        if not kept.expires_at or time < kept.expires_at:
            return kept
    if server.registration_endpoint is None:
        raise AuthorizationError(
            f"{server.issuer}: clients cannot register themselves; register one there and give its id"
        )
    return (yield from _register(plan, found, redirect_uri, scopes))


def _register(
    plan: AuthorizationCode, found: Found, redirect_uri: str, scopes: frozenset[str]
) -> Flow[ClientInformation]:
    server = found.server
    endpoint = server.registration_endpoint
    assert endpoint is not None
    supported = server.token_endpoint_auth_methods_supported
    able = ("none", "client_secret_basic", "client_secret_post")
    method = next((one for one in able if one in supported), "none")
    parts = urlsplit(redirect_uri)
    web = parts.scheme == "https"
    body = {
        "client_name": plan.name,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
        "application_type": "web" if web else "native",
    }
    if scopes:
        body["scope"] = " ".join(sorted(scopes))
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    answer = yield from fetch("POST", endpoint, headers, msgspec.json.encode(body))
    if not 200 <= answer.status < 300:
        refusal = read_refusal(answer.body)
        text = shown(f"{refusal.error}: {refusal.error_description}".strip(": "))
        raise AuthorizationError(f"{endpoint}: HTTP {answer.status}, {text}")
    try:
        given = read_object(answer.body, _Answer)
    except NoDocument:
        raise AuthorizationError(f"{endpoint}: the answer is no registration") from None
    fallback = method if given.client_secret is not None or method == "none" else "none"
    client = ClientInformation(
        given.client_id,
        given.token_endpoint_auth_method or fallback,
        given.client_secret,
        redirect_uri=redirect_uri,
        expires_at=given.client_secret_expires_at,
    )
    if not client.client_id or not client.client_id.isprintable():
        raise AuthorizationError(f"{endpoint}: the client id is none")
    if client.method.startswith("client_secret") and not client.secret:
        raise AuthorizationError(f"{endpoint}: {client.method} was chosen, but no secret given")
    yield Save(client_key(server.issuer), msgspec.json.encode(client))
    return client


def _kept(issuer: str) -> Flow[ClientInformation | None]:
    body = yield from load(client_key(issuer))
    if body is None:
        return None
    try:
        return msgspec.json.decode(body, type=ClientInformation)
    except msgspec.DecodeError:
        return None  # of another version: register anew
