"""From a server that says 401 to the authorization server it trusts (MCP, authorization; RFC 9728, 8414).

Order: the document that the challenge names, the well-known one with the server's path in it, the one of
the root. Where there is none, the server may be one of 2025-03-26, which is its own authorization server.
"""

from __future__ import annotations

from urllib.parse import urljoin

import msgspec

from erlmcp_py.auth.client.actions import Flow, fetch
from erlmcp_py.auth.client.challenge import Challenge
from erlmcp_py.auth.client.errors import AuthorizationError
from erlmcp_py.auth.client.metadata import (
    ResourceMetadata,
    ServerMetadata,
    is_document,
    read_resource,
    read_server,
)
from erlmcp_py.auth.client.urls import (
    canonical,
    check,
    check_named,
    issuer_documents,
    origin,
    resource_documents,
)

_MOVES = 3


class Found(msgspec.Struct, frozen=True):
    """resource: what tokens are asked for (RFC 8707). scopes: what the resource supports, None if it does
    not say. legacy: a server of 2025-03-26, without resource metadata. dpop: tokens must be bound.
    """

    server: ServerMetadata
    resource: str
    scopes: frozenset[str] | None = None
    legacy: bool = False
    dpop: bool = False


def discover(url: str, challenge: Challenge) -> Flow[Found]:
    """Raises AuthorizationError."""
    metadata = yield from _resource(url, challenge.params.get("resource_metadata"))
    if metadata is None:
        server = yield from _legacy(url)
        return Found(server, canonical(url), legacy=True)
    issuer = check_named(metadata.authorization_servers[0], "the authorization server", url)
    server = yield from _server(issuer, url)
    scopes = metadata.scopes_supported
    bound = metadata.dpop_bound_access_tokens_required or challenge.scheme == "dpop"
    both = set(metadata.dpop_signing_alg_values_supported)
    both &= set(server.dpop_signing_alg_values_supported)
    return Found(
        server,
        metadata.resource,
        None if scopes is None else frozenset(scopes),
        dpop=bound or "ES256" in both,
    )


def _resource(url: str, named: str | None) -> Flow[ResourceMetadata | None]:
    places = resource_documents(url)
    if named is not None:
        check_named(named, "resource_metadata of the challenge", url)
        places = [named, *(place for place in places if place != named)]
    for place in places:
        body = yield from _document(place)
        if body is not None:
            return read_resource(body, place, url)
    if named is not None:
        raise AuthorizationError(f"{url}: the server names {named}, and there is no document")
    return None


def _server(issuer: str, by: str) -> Flow[ServerMetadata]:
    for place in issuer_documents(issuer):
        body = yield from _document(place)
        if body is not None:
            return read_server(body, place, issuer, by)
    raise AuthorizationError(f"{issuer}: the authorization server has no metadata")


def _legacy(url: str) -> Flow[ServerMetadata]:
    base = origin(url)
    check(base, "the server", local=True)
    place = f"{base}/.well-known/oauth-authorization-server"
    body = yield from _document(place)
    if body is not None:
        return read_server(body, place, None, url)
    return ServerMetadata(
        base,
        f"{base}/token",
        f"{base}/authorize",
        f"{base}/register",
        token_endpoint_auth_methods_supported=("none",),
    )


def _document(url: str) -> Flow[bytes | None]:
    """Its bytes; None where there is none. Redirects are followed inside one origin only."""
    place = url
    for _ in range(_MOVES + 1):
        answer = yield from fetch("GET", place, {"Accept": "application/json"})
        if answer.status in (301, 302, 303, 307, 308):
            there = _target(place, answer.headers.get("location", ""))
            if origin(there) != origin(url):
                raise AuthorizationError(f"{url} redirects to another origin; not followed")
            place = there
        elif answer.status == 200:
            return answer.body if is_document(answer.body) else None
        elif 400 <= answer.status < 500:
            return None
        else:
            raise AuthorizationError(f"{place}: HTTP {answer.status} instead of metadata")
    raise AuthorizationError(f"{url} redirects again and again")


def _target(place: str, location: str) -> str:
    try:
        return urljoin(place, location)
    except ValueError:
        raise AuthorizationError(f"{place} redirects to what is no URL") from None
