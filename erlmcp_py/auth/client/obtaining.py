"""The whole way to a token, for each plan."""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode, urlsplit

from erlmcp_py.auth.client.actions import Ask, Flow, Listen, Save, Visit, draw, now
from erlmcp_py.auth.client.discovery import Found
from erlmcp_py.auth.client.errors import AuthorizationError, TokenRefused, shown
from erlmcp_py.auth.client.exchanging import EXCHANGE, Proving, request_token
from erlmcp_py.auth.client.plans import (
    AuthorizationCode,
    ClientCredentials,
    ClientInformation,
    Enterprise,
    Plan,
    Workload,
)
from erlmcp_py.auth.client.registering import (
    at_home,
    client_key,
    known,
    preferred_redirect,
    registered,
)
from erlmcp_py.auth.client.signing import encode64
from erlmcp_py.auth.client.tokens import Grant, TokenResponse, make_grant
from erlmcp_py.auth.client.urls import check

_ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def obtain(
    plan: Plan, found: Found, scopes: frozenset[str], proving: Proving | None
) -> Flow[Grant]:
    """scopes: all that is asked for. Raises AuthorizationError."""
    match plan:
        case AuthorizationCode():
            scopes = scopes - {"offline_access"}
            if "offline_access" in found.server.scopes_supported:
                scopes = scopes | {"offline_access"}
            client, response = yield from _by_person(plan, found, scopes, proving)
        case ClientCredentials():
            client = yield from known(plan.client, found)
            form = _form("client_credentials", found, scopes)
            response = yield from _request(form, client, found, proving)
        case Enterprise():
            client = yield from known(plan.client, found)
            form = _form(_JWT_BEARER, found, scopes)
            form["assertion"] = yield from _id_jag(plan, found, scopes)
            response = yield from _request(form, client, found, proving)
        case Workload():
            yield from at_home(plan, found.server.issuer)
            client = ClientInformation(plan.client_id, "none")
            form = _form(_JWT_BEARER, found, scopes)
            form["assertion"] = yield Ask(found.server.issuer)
            response = yield from _request(form, client, found, proving)
    base = Grant(
        found.server.issuer,
        found.resource,
        client,
        found.server.token_endpoint,
        "",
        asked=scopes,
        dpop_key=None if proving is None else proving.key.pem,
    )
    return make_grant(response, base, (yield from now()), renewed=False)


def renew(grant: Grant, proving: Proving | None) -> Flow[Grant]:
    """With the refresh token (RFC 6749, 6), for the same resource. Raises TokenRefused and others."""
    assert grant.refresh_token is not None
    form = {
        "grant_type": "refresh_token",
        "refresh_token": grant.refresh_token,
        "resource": grant.resource,
    }
    response = yield from request_token(
        grant.token_endpoint, form, grant.client, grant.issuer, proving
    )
    return make_grant(response, grant, (yield from now()), renewed=True)


def _by_person(
    plan: AuthorizationCode, found: Found, scopes: frozenset[str], proving: Proving | None
) -> Flow[tuple[ClientInformation, TokenResponse]]:
    server = found.server
    if server.authorization_endpoint is None:
        raise AuthorizationError(f"{server.issuer}: there is no authorization endpoint")
    _check_pkce(found)
    redirect_uri: str = yield Listen((yield from preferred_redirect(plan, found)))
    client = yield from registered(plan, found, redirect_uri, scopes)
    verifier = encode64((yield from draw(48)))
    state = encode64((yield from draw(24)))
    form = _form("authorization_code", found, scopes)
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri,
        "code_challenge": encode64(hashlib.sha256(verifier.encode("ascii")).digest()),
        "code_challenge_method": "S256",
        "state": state,
        "resource": found.resource,
    }
    if scopes:
        query["scope"] = form["scope"]
    if "offline_access" in scopes:
        query["prompt"] = "consent"  # OpenID Connect Core, 11: without it the scope is ignored
    sign = "&" if urlsplit(server.authorization_endpoint).query else "?"
    back = yield Visit(f"{server.authorization_endpoint}{sign}{urlencode(query)}")
    code = _read_back(back, found, state)
    form |= {"code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
    form.pop("scope", None)
    try:
        response = yield from _request(form, client, found, proving)
    except TokenRefused as refused:
        if refused.error == "invalid_client":
            yield Save(client_key(server.issuer), None)  # it may have been deleted: register anew
        raise
    return client, response


def _check_pkce(found: Found) -> None:
    """A server that does not announce S256 may not check it (MCP, authorization code protection). Servers
    of 2025-03-26 need not announce anything.
    """
    methods = found.server.code_challenge_methods_supported
    if methods is None and found.legacy:
        return
    if methods is None or "S256" not in methods:
        raise AuthorizationError(
            f"{found.server.issuer}: the server does not announce PKCE with S256, so a stolen code"
            " could be used; it is not trusted"
        )


def _read_back(back: list[tuple[str, str]], found: Found, state: str) -> str:
    """The code with which the user comes back. Raises AuthorizationError."""
    server = found.server
    params = dict(back)
    if len(params) != len(back):
        raise AuthorizationError(f"{server.issuer}: the answer says something twice")
    if params.get("state") != state:
        raise AuthorizationError(f"{server.issuer}: the answer is to another request (state)")
    issuer = params.get("iss")
    if issuer is None and server.authorization_response_iss_parameter_supported:
        raise AuthorizationError(f"{server.issuer}: the answer does not say who answers (iss)")
    if issuer is not None and issuer != server.issuer:
        raise AuthorizationError(
            f"{server.issuer}: the answer comes from {shown(issuer)} (iss), another server"
        )
    if "error" in params:
        text = f"{params['error']}: {params.get('error_description', '')}".strip(": ")
        raise AuthorizationError(f"{server.issuer}: {shown(text)}")
    code = params.get("code")
    if not code:
        raise AuthorizationError(f"{server.issuer}: the answer holds no code")
    return code


def _id_jag(plan: Enterprise, found: Found, scopes: frozenset[str]) -> Flow[str]:
    provider = plan.provider
    form = _form(EXCHANGE, found, scopes)
    form |= {
        "requested_token_type": _ID_JAG,
        "audience": found.server.issuer,
        "subject_token": (yield Ask(found.server.issuer)),
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
    }
    method = "none" if provider.secret is None else "client_secret_basic"
    check(provider.token_endpoint, "token_endpoint of the provider", local=True)
    client = ClientInformation(provider.client_id, method, provider.secret)
    response = yield from request_token(provider.token_endpoint, form, client, "the provider")
    if response.issued_token_type != _ID_JAG:
        raise AuthorizationError(f"{provider.token_endpoint}: what was issued is no ID-JAG")
    return response.access_token


def _request(
    form: dict[str, str], client: ClientInformation, found: Found, proving: Proving | None
) -> Flow[TokenResponse]:
    server = found.server
    return (yield from request_token(server.token_endpoint, form, client, server.issuer, proving))


def _form(grant_type: str, found: Found, scopes: frozenset[str]) -> dict[str, str]:
    form = {"grant_type": grant_type, "resource": found.resource}
    if scopes:
        form["scope"] = " ".join(sorted(scopes))
    return form
