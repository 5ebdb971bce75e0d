"""Requests to token endpoints: how the client authenticates, DPoP and its nonces, and what "no" means."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from erlmcp_py.auth.client.actions import Flow, draw, fetch, now
from erlmcp_py.auth.client.errors import AuthorizationError, TokenRefused, shown, without
from erlmcp_py.auth.client.guarded import Guarded
from erlmcp_py.auth.client.plans import ClientInformation
from erlmcp_py.auth.client.reading import NoDocument, read_object
from erlmcp_py.auth.client.signing import ProofKey, assertion
from erlmcp_py.auth.client.tokens import TokenResponse, read_response
from erlmcp_py.auth.client.urls import origin

NO_CODE = "no error code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_PUBLIC = ("grant_type", "scope", "resource", "redirect_uri", "client_id", "audience")


class Refusal(Guarded, frozen=True):
    """The body of an error of a token or registration endpoint (RFC 6749, 5.2)."""

    error: str = NO_CODE
    error_description: str = ""


class Proving(Guarded, frozen=True):
    """What DPoP needs at one issuer: the key, and the last nonce of each origin."""

    key: ProofKey
    nonces: dict[str, str]


def request_token(
    endpoint: str,
    form: dict[str, str],
    client: ClientInformation,
    issuer: str,
    proving: Proving | None = None,
) -> Flow[TokenResponse]:
    """Raises TokenRefused, AuthorizationError. A nonce that is asked for is used once, then it is an
    error (RFC 9449, 8).
    """
    for attempt in (1, 2):
        headers, fields = yield from authenticate(client, issuer)
        headers["Accept"] = "application/json"
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        sent = {**form, **fields}
        place = origin(endpoint)
        if proving is not None:
            headers["DPoP"] = proving.key.proof(
                "POST",
                endpoint,
                now=(yield from now()),
                unique=(yield from draw(16)),
                nonce=proving.nonces.get(place),
            )
        answer = yield from fetch("POST", endpoint, headers, urlencode(sent).encode("ascii"))
        nonce = read_nonce(answer.headers)
        if proving is not None and nonce is not None:
            proving.nonces[place] = nonce
        refusal = read_refusal(answer.body)
        if 200 <= answer.status < 300 and refusal.error == NO_CODE:
            given = read_response(answer.body, endpoint)
            return _bound(given, endpoint, proving, exchanged=form["grant_type"] == EXCHANGE)
        if refusal.error == "use_dpop_nonce" and nonce is not None and attempt == 1:
            continue
        break
    raise TokenRefused(
        f"{endpoint}: HTTP {answer.status}, {_clean(refusal, sent, headers, client)}",
        refusal.error,
        answer.status,
    )


def authenticate(
    client: ClientInformation, issuer: str
) -> Flow[tuple[dict[str, str], dict[str, str]]]:
    """Headers and form fields that say who asks. Raises AuthorizationError."""
    if client.method == "client_secret_basic":
        pair = f"{quote(client.client_id, '')}:{quote(client.secret or '', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, {}
    if client.method == "client_secret_post":
        return {}, {"client_id": client.client_id, "client_secret": client.secret or ""}
    if client.method == "private_key_jwt" and client.key is not None:
        signed = assertion(
            client.key,
            client.client_id,
            issuer,
            now=(yield from now()),
            unique=(yield from draw(16)),
        )
        fields = {"client_assertion_type": _JWT_BEARER, "client_assertion": signed}
        return {}, {"client_id": client.client_id, **fields}
    if client.method == "none":
        return {}, {"client_id": client.client_id}
    raise AuthorizationError(f"{issuer}: {shown(client.method)} is no way we can authenticate")


def choose_method(supported: Sequence[str], *, secret: bool, key: bool) -> str | None:
    """How a client with these means authenticates at a server that takes those; None: not at all."""
    able = ["private_key_jwt"] * key
    able += ["client_secret_basic", "client_secret_post"] * secret
    if not able:
        able = ["none"]
    return next((method for method in able if method in supported), None)


def read_refusal(body: bytes) -> Refusal:
    """What can be made of the body of an error."""
    try:
        return read_object(body, Refusal)
    except NoDocument:
        return Refusal()


def read_nonce(headers: Mapping[str, str]) -> str | None:
    """The next nonce (RFC 9449, 8.1), if there is one; what cannot be one is no reason to fail."""
    nonce = headers.get("dpop-nonce", "")
    good = nonce.isascii() and nonce.isprintable() and 0 < len(nonce) <= 1024
    return nonce if good else None


def _clean(
    refusal: Refusal, sent: dict[str, str], headers: dict[str, str], client: ClientInformation
) -> str:
    """The error and its description; a server that echoes our secrets does not get them into a log."""
    text = f"{refusal.error}: {refusal.error_description}".strip(": ")
    secrets = [value for name, value in sent.items() if name not in _PUBLIC]
    secrets += [client.secret or "", headers.get("DPoP", "")]
    secrets += headers.get("Authorization", "").split()[1:]
    return shown(without(text, secrets))


def _bound(
    response: TokenResponse, endpoint: str, proving: Proving | None, *, exchanged: bool
) -> TokenResponse:
    """Checks the type: a token that is not bound must not pass for one that is. exchanged: it may be one
    that is no access token at all (RFC 8693, 2.2.1).
    """
    kind = response.token_type.lower()
    wanted = "bearer" if proving is None else "dpop"
    if kind not in (wanted, "n_a" if exchanged else wanted):
        raise AuthorizationError(
            f"{endpoint}: the token is of type {shown(response.token_type)}, not {wanted}"
        )
    return response
