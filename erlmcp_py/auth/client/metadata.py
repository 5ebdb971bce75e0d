"""The two documents of discovery, checked as they are read (RFC 9728, RFC 8414, OIDC Discovery)."""

from __future__ import annotations

from typing import Any

import msgspec

from erlmcp_py.auth.client.errors import AuthorizationError, shown
from erlmcp_py.auth.client.reading import NoDocument, read_object
from erlmcp_py.auth.client.urls import check, check_named, origin, speaks_for


class ResourceMetadata(msgspec.Struct, frozen=True):
    """What a protected resource says about itself (RFC 9728, 2)."""

    resource: str
    authorization_servers: list[str] = []
    scopes_supported: list[str] | None = None
    dpop_bound_access_tokens_required: bool = False
    dpop_signing_alg_values_supported: list[str] = []


class ServerMetadata(msgspec.Struct, frozen=True):
    """What an authorization server says about itself (RFC 8414, 2)."""

    issuer: str
    token_endpoint: str
    authorization_endpoint: str | None = None
    registration_endpoint: str | None = None
    scopes_supported: list[str] = []
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    code_challenge_methods_supported: list[str] | None = None
    dpop_signing_alg_values_supported: list[str] = []
    client_id_metadata_document_supported: bool = False
    authorization_response_iss_parameter_supported: bool = False


def read_resource(body: bytes, url: str, server: str) -> ResourceMetadata:
    """Raises AuthorizationError if it is none, or one of another resource (RFC 9728, 3.3)."""
    try:
        found = read_object(body, ResourceMetadata)
    except NoDocument as problem:
        raise AuthorizationError(f"{url}: no metadata of a protected resource: {problem}") from None
    check(found.resource, f"{url}: resource", local=True)
    if not speaks_for(found.resource, url, server):
        raise AuthorizationError(
            f"{url}: the metadata is of {shown(found.resource)}, not of {server}"
        )
    if not found.authorization_servers:
        raise AuthorizationError(f"{url}: the metadata names no authorization server")
    return found


def read_server(body: bytes, url: str, issuer: str | None, by: str) -> ServerMetadata:
    """issuer: the one it must be of, to the letter (RFC 8414, 3.3; a mix-up otherwise); None: anyone of
    the document's origin. by: the MCP server. Raises AuthorizationError.
    """
    try:
        found = read_object(body, ServerMetadata)
    except NoDocument as problem:
        raise AuthorizationError(
            f"{url}: no metadata of an authorization server: {problem}"
        ) from None
    check_named(found.issuer, f"{url}: issuer", by)
    if issuer is None:
        if origin(found.issuer) != origin(url):
            raise AuthorizationError(f"{url}: the issuer is {shown(found.issuer)}, elsewhere")
    elif found.issuer != issuer:
        raise AuthorizationError(f"{url}: the issuer is {shown(found.issuer)}, not {issuer}")
    for name in ("token_endpoint", "authorization_endpoint", "registration_endpoint"):
        endpoint = getattr(found, name)
        if endpoint is not None:
            check_named(endpoint, f"{url}: {name}", by)
            if "#" in endpoint:
                raise AuthorizationError(f"{url}: {name} has a fragment, which none may have")
    return found


def is_document(body: bytes) -> bool:
    """Whether it is a JSON object at all: servers of web pages answer 200 to everything."""
    try:
        read_object(body, dict[str, Any])
    except NoDocument:
        return False
    return True
