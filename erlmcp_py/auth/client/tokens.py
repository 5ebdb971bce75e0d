"""Tokens, and what is kept with them to renew them."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from erlmcp_py.auth.client.errors import AuthorizationError
from erlmcp_py.auth.client.guarded import Guarded
from erlmcp_py.auth.client.plans import ClientInformation
from erlmcp_py.auth.client.reading import NoDocument, read_object

SKEW: Final = 30.0
"""Seconds before its end at which a token counts as expired; a tenth of its life if that is less."""
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,65536}")


class TokenResponse(Guarded, frozen=True):
    """What a token endpoint answers (RFC 6749, 5.1; RFC 8693, 2.2.1)."""

    access_token: str
    token_type: str
    expires_in: float | str | None = None
    refresh_token: str | None = None
    scope: str | None = None
    issued_token_type: str | None = None


class Grant(Guarded, frozen=True):
    """What one issuer has granted for one resource. scopes: granted; asked: what was asked for, which
    stays the base of every later request (step-up is a union). expires_at: seconds since 1970, None if
    not said. renewed: by a refresh token, not by the whole way. dpop_key: PEM; the tokens are bound to it.
    """

    shown_fields = ("issuer", "resource", "scopes", "expires_at")
    issuer: str
    resource: str
    client: ClientInformation
    token_endpoint: str
    access_token: str
    refresh_token: str | None = None
    scopes: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    obtained_at: float = 0.0
    expires_at: float | None = None
    renewed: bool = False
    dpop_key: str | None = None

    def expired(self, now: float) -> bool:
        """Whether it is not worth sending any more."""
        if self.expires_at is None:
            return False
        skew = min(SKEW, (self.expires_at - self.obtained_at) / 10)
        return now >= self.expires_at - skew


def secrets_of(grant: Grant) -> list[str]:
    """What a server may not have repeated."""
    found = (grant.access_token, grant.refresh_token, grant.client.secret)
    return [secret for secret in found if secret]


def read_response(body: bytes, endpoint: str) -> TokenResponse:
    """Raises AuthorizationError, without a word of the body in it."""
    try:
        found = read_object(body, TokenResponse)
        lasts = None if found.expires_in is None else float(found.expires_in)
    except (NoDocument, ValueError):
        raise AuthorizationError(f"{endpoint}: the answer is no token response") from None
    for token in (found.access_token, found.refresh_token):
        if token is not None and not _TOKEN.fullmatch(token):
            raise AuthorizationError(f"{endpoint}: the token has signs that no header may hold")
    if lasts is not None and not 0 < lasts < 1e10:
        raise AuthorizationError(f"{endpoint}: expires_in is no number of seconds to come")
    return msgspec.structs.replace(found, expires_in=lasts)


def make_grant(response: TokenResponse, base: Grant, now: float, *, renewed: bool) -> Grant:
    """The grant that a response makes of what was asked. A refresh token that is not replaced stays."""
    lasts = response.expires_in
    assert lasts is None or isinstance(lasts, float)
    scopes = base.asked if response.scope is None else frozenset(response.scope.split())
    return msgspec.structs.replace(
        base,
        access_token=response.access_token,
        refresh_token=response.refresh_token or (base.refresh_token if renewed else None),
        scopes=base.scopes if renewed and response.scope is None else scopes,
        obtained_at=now,
        expires_at=None if lasts is None else now + lasts,
        renewed=renewed,
    )
