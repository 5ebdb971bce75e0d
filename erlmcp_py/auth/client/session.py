"""The authorization of one client at one MCP server: what is sent with a request, and what a refusal means.

Pure: the flows ask for what they need by `actions`. Whoever runs them runs one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from erlmcp_py.auth.client.actions import Flow, Hold, Release, Save, load, now
from erlmcp_py.auth.client.challenge import Challenge, choose, read_challenges
from erlmcp_py.auth.client.discovery import Found, discover
from erlmcp_py.auth.client.errors import (
    AuthorizationError,
    NotAccepted,
    TokenRefused,
    shown,
    without,
)
from erlmcp_py.auth.client.exchanging import Proving, read_nonce
from erlmcp_py.auth.client.obtaining import obtain, renew
from erlmcp_py.auth.client.plans import Plan, brought_client, may_use
from erlmcp_py.auth.client.registering import client_key
from erlmcp_py.auth.client.signing import ProofKey
from erlmcp_py.auth.client.tokens import Grant, secrets_of
from erlmcp_py.auth.client.urls import canonical, check, origin

MAX_STEPS: Final = 2
"""How often the same scopes are asked for again because of a 403."""
_MAX_SETS: Final = 64
_MAX_NONCES: Final = 16
_REFRESH_OVER: Final = frozenset(
    [
        "invalid_grant",
        "invalid_client",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
    ]
)
"""Errors after which a refresh token is of no more use."""


class Session:
    """url: of the MCP server. dpop: bind the tokens even where nobody asks for it.

    serial: changes with every grant, so that a refusal of an old token is told from one of the new.
    """

    def __init__(self, url: str, plan: Plan, *, dpop: bool = False) -> None:
        check(url, "the server", local=True)
        self.url = url
        self.serial = 0
        self.grant: Grant | None = None
        self._plan = plan
        self._dpop = dpop
        self._nonces: dict[str, str] = {}
        self._key: ProofKey | None = None
        self._steps: dict[frozenset[str], int] = {}
        self._restored = False

    def ready(self, time: float) -> bool:
        """Whether `headers` can be had without `prepare`."""
        grant = self.grant
        return self._restored and (
            grant is None or grant.refresh_token is None or not grant.expired(time)
        )

    def headers(self, method: str, url: str, *, time: float, unique: bytes) -> dict[str, str]:
        """What to send with a request; nothing while there is no token that is worth it."""
        grant = self.grant
        if grant is None or (grant.expired(time) and grant.refresh_token is None):
            return {}
        if grant.dpop_key is None:
            return {"Authorization": f"Bearer {grant.access_token}"}
        nonce = self._nonces.get(origin(url))
        proof = self._proof_key(grant.dpop_key).proof(
            method, url, now=time, unique=unique, nonce=nonce, token=grant.access_token
        )
        return {"Authorization": f"DPoP {grant.access_token}", "DPoP": proof}

    def seen(self, url: str, headers: Mapping[str, str]) -> None:
        """A response came, of whatever status: it may bring the next nonce (RFC 9449, 8.2)."""
        nonce = read_nonce(headers)
        if nonce is not None and self._key is not None:
            if len(self._nonces) >= _MAX_NONCES:
                self._nonces.clear()
            self._nonces[origin(url)] = nonce

    def prepare(self) -> Flow[None]:
        """Take what was kept, and renew what has expired. Raises AuthorizationError."""
        if not self._restored:
            grant = yield from self._kept()
            if grant is not None:
                self._take(grant)
            self._restored = True
        time = yield from now()
        grant = self.grant
        if grant is None or grant.refresh_token is None or not grant.expired(time):
            return
        try:
            yield from self._renew(grant)
        except AuthorizationError:
            assert grant.expires_at is not None
            if time >= grant.expires_at:
                raise

    def challenged(
        self, status: int, headers: Mapping[str, str], tries: int, serial: int
    ) -> Flow[bool]:
        """A request was refused. True: send it again. tries: how often it was sent; serial: when the
        headers were made. Raises AuthorizationError where more tries would lead nowhere.
        """
        challenge = choose(read_challenges(headers.get("www-authenticate", "")))
        error = challenge.params.get("error")
        if self.grant is not None and serial != self.serial:
            return True  # somebody else's refusal has brought a new token meanwhile
        if status == 403:
            return (yield from self._step_up(challenge, error))
        if error == "use_dpop_nonce" and self._key is not None and read_nonce(headers):
            return True
        yield from self._begin(challenge, tries)
        return True

    def _begin(self, challenge: Challenge, tries: int) -> Flow[None]:
        grant = self.grant
        if tries > 1 and grant is not None and not grant.renewed:
            why = challenge.params.get("error_description", challenge.params.get("error", ""))
            why = shown(without(why, secrets_of(grant)))
            text = f"{self.url}: the server refuses the token that {grant.issuer} has just given"
            raise NotAccepted(f"{text}: {why}" if why else text)
        found = yield from discover(self.url, challenge)
        same = grant is not None and grant.issuer == found.server.issuer
        renewable = same and grant is not None and grant.refresh_token is not None
        if renewable and grant is not None and tries == 1:
            at_home = msgspec.structs.replace(grant, token_endpoint=found.server.token_endpoint)
            if (yield from self._renew(at_home)):
                return
        scopes = challenge.scopes
        if scopes is None:
            scopes = found.scopes or frozenset()
        if same and grant is not None:
            scopes |= grant.asked
        yield from self._obtain(found, scopes)

    def _step_up(self, challenge: Challenge, error: str | None) -> Flow[bool]:
        grant = self.grant
        if error != "insufficient_scope" or grant is None:
            return False
        wanted = challenge.scopes or frozenset()
        named = shown(without(" ".join(sorted(wanted)), secrets_of(grant)))
        if wanted <= grant.scopes:
            raise AuthorizationError(
                f"{self.url}: the server wants the scopes {named!r}, which the token has already"
            )
        steps = self._steps.get(wanted, 0)
        if steps >= MAX_STEPS or len(self._steps) >= _MAX_SETS:
            raise AuthorizationError(
                f"{self.url}: the scopes {named!r} were asked for {steps} times and are not given"
            )
        self._steps[wanted] = steps + 1
        found = yield from discover(self.url, challenge)
        scopes = wanted | grant.asked if grant.issuer == found.server.issuer else wanted
        yield from self._obtain(found, scopes)
        return True

    def _obtain(self, found: Found, scopes: frozenset[str]) -> Flow[None]:
        proving = None
        if self._dpop or found.dpop:
            self._key = self._key or ProofKey()
            proving = Proving(self._key, self._nonces)
        grant = yield from obtain(self._plan, found, scopes, proving)
        yield from self._keep(grant)

    def _renew(self, grant: Grant) -> Flow[bool]:
        """With the refresh token. False: that is over, and the grant has lost it and its token; what it
        was asked for stays known. Also False if the server refuses in words of its own; then nothing is
        lost, since it may be the endpoint that is wrong.
        """
        yield Hold(self._place)
        renewed = yield from self._renew_alone(grant)
        yield Release()
        return renewed

    def _renew_alone(self, grant: Grant) -> Flow[bool]:
        time = yield from now()
        if (yield from self._renewed_elsewhere(grant, time)):
            return True  # ours would be used twice
        proving = None
        if grant.dpop_key is not None:
            proving = Proving(self._proof_key(grant.dpop_key), self._nonces)
        try:
            renewed = yield from renew(grant, proving)
        except TokenRefused as refused:
            if refused.error not in _REFRESH_OVER:
                if not refused.is_final:
                    raise
                return False
            if (yield from self._renewed_elsewhere(grant, time)):
                return True  # meanwhile, which is why ours is over
            if refused.error == "invalid_client":
                yield Save(client_key(grant.issuer), None)  # it was deleted there: register anew
            over = msgspec.structs.replace(grant, refresh_token=None, expires_at=time)
            yield from self._keep(over)
            return False
        yield from self._keep(renewed)
        return True

    def _renewed_elsewhere(self, grant: Grant, time: float) -> Flow[bool]:
        """Whether another process has kept a newer one, which is now taken."""
        kept = yield from self._kept()
        if kept is None or kept.issuer != grant.issuer or kept.expired(time):
            return False
        if kept.access_token == grant.access_token:
            return False
        self._take(msgspec.structs.replace(kept, renewed=True))  # it may have been refused there
        return True

    def _keep(self, grant: Grant) -> Flow[None]:
        self._take(grant)
        yield Save(self._place, msgspec.json.encode(self._with_secrets(grant, brought=False)))

    def _take(self, grant: Grant) -> None:
        self.grant = grant
        self.serial += 1

    def _kept(self) -> Flow[Grant | None]:
        body = yield from load(self._place)
        if body is None:
            return None
        try:
            grant = msgspec.json.decode(body, type=Grant)
        except msgspec.DecodeError:
            return None  # of another version: ask anew
        if not may_use(self._plan, grant.client.client_id, grant.issuer):
            return None  # two clients of one server may share a store
        return self._with_secrets(grant, brought=True)

    def _with_secrets(self, grant: Grant, *, brought: bool) -> Grant:
        """With the client's secret and key that the program has brought along, or without: nobody has
        asked to have those written down, and the next time they may be others.
        """
        known = brought_client(self._plan)
        if known is None:
            return grant
        secret, key = (known.secret, known.key) if brought else (None, None)
        client = msgspec.structs.replace(grant.client, secret=secret, key=key)
        return msgspec.structs.replace(grant, client=client)

    @property
    def _place(self) -> str:
        return f"grant {canonical(self.url)}"

    def _proof_key(self, pem: str) -> ProofKey:
        if self._key is None or self._key.pem != pem:
            self._key = ProofKey(pem)
        return self._key
