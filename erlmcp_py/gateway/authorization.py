"""How the node comes by tokens for an upstream at a URL, with nobody at a browser (`erlmcp_py.auth.client`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from erlmcp_py.client import Answered, Authorizer, NotAuthorized, OAuth
from erlmcp_py.client.shown import shown_url
from erlmcp_py.config import AuthConfig, ConfigError, UpstreamConfig

if TYPE_CHECKING:
    from erlmcp_py.auth.client import Plan
    from erlmcp_py.auth.client.plans import Visitor

_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "client_credentials": ("client_id",),
    "workload": ("client_id", "assertion"),
    "stored": (),
}
_MAY_HAVE: Final[Mapping[str, frozenset[str]]] = {
    "client_credentials": frozenset(
        {"client_id", "client_secret", "key", "key_id", "algorithm", "issuer", "store", "dpop"}
    ),
    "workload": frozenset({"client_id", "assertion", "issuer", "store", "dpop"}),
    "stored": frozenset({"store"}),
}

Value = Callable[[str, Any], str]
"""The text that a key of `[upstreams.NAME]` has, given its name and what is written there."""


def authorizer_of(name: str, upstream: UpstreamConfig, value: Value) -> Authorizer | None:
    """None: nobody is asked for tokens. Raises `ConfigError`."""
    auth = upstream.auth
    if auth is None:
        return None
    where = f"upstreams.{name}.auth"
    _check(where, auth)
    if any(each.lower() == "authorization" for each in upstream.headers):
        raise ConfigError(
            f"{where}: upstreams.{name}.headers has Authorization; choose one of them"
        )
    from erlmcp_py.auth.client import AuthorizationError
    from erlmcp_py.auth.client.urls import check

    try:
        check(upstream.url, "the server", local=True)
    except AuthorizationError as problem:
        raise ConfigError(f"upstreams.{name}.url: {problem}") from None
    if auth.grant == "stored":
        return Stored(upstream.url, auth.store or None)
    plan = _workload(auth) if auth.grant == "workload" else _credentials(where, auth, value)
    return _oauth(plan, auth.store or None, dpop=auth.dpop)


def _check(where: str, auth: AuthConfig) -> None:
    for key in _NEEDS[auth.grant]:
        if not getattr(auth, key):
            raise ConfigError(f"{where}.{key}: is needed with grant = {auth.grant!r}")
    for key in AuthConfig.__struct_fields__:
        is_default = key == "grant" or getattr(auth, key) == getattr(_DEFAULT, key)
        if not is_default and key not in _MAY_HAVE[auth.grant]:
            raise ConfigError(f"{where}.{key}: means nothing with grant = {auth.grant!r}")


_DEFAULT: Final = AuthConfig(grant="stored")


def _oauth(plan: Plan, store: str | None, *, dpop: bool) -> OAuth:
    from erlmcp_py.auth.client import FileStore

    return OAuth(plan, store=None if store is None else FileStore(store), dpop=dpop)


def _credentials(where: str, auth: AuthConfig, value: Value) -> Plan:
    from erlmcp_py.auth.client import ClientCredentials, PrivateKey, Registered

    if bool(auth.client_secret) == bool(auth.key):
        problem = (
            "has both client_secret and key" if auth.key else "has no client_secret and no key"
        )
        raise ConfigError(f"{where}: {problem}; one of them proves who the client is")
    if auth.key:
        try:
            pem = Path(auth.key).read_text(encoding="ascii")
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or "is no PEM"
            raise ConfigError(f"{where}.key: {auth.key}: {reason}") from None
        key = PrivateKey(pem, auth.algorithm, auth.key_id or None)
        client = Registered(auth.client_id, key=key, issuer=auth.issuer or None)
    else:
        secret = value("auth.client_secret", auth.client_secret)
        client = Registered(auth.client_id, secret=secret, issuer=auth.issuer or None)
    return ClientCredentials(client)


def _workload(auth: AuthConfig) -> Plan:
    import trio

    from erlmcp_py.auth.client import AuthorizationError, Workload

    file = Path(auth.assertion)

    async def assertion(_issuer: str) -> str:
        """The platform puts a new one there before the old one expires."""
        try:
            return (await trio.to_thread.run_sync(file.read_text)).strip()
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or "is no text"
            raise AuthorizationError(f"the assertion {file}: {reason}") from None

    return Workload(auth.client_id, assertion, auth.issuer or None)


class Stored:
    """Tokens that a person has obtained with `erlmcp-node client URL info --auth`, renewed from then on.

    WHY it begins anew after each failure: what is in the store is read once, and whoever reads that
    somebody has to log in does so while the node runs.
    """

    def __init__(self, url: str, store: str | None) -> None:
        self._url = url
        self._store = store
        self._inner = self._begin()

    def _begin(self) -> OAuth:
        from erlmcp_py.auth.client import AuthorizationCode
        from erlmcp_py.auth.client.store import token_directory

        return _oauth(
            AuthorizationCode(_Nobody(self._url)), self._store or str(token_directory()), dpop=False
        )

    async def headers(self, method: str, url: str) -> Mapping[str, str]:
        """See `Authorizer`. Raises NotAuthorized."""
        try:
            return await self._inner.headers(method, url)
        except NotAuthorized:
            self._inner = self._begin()
            raise

    async def answered(self, answer: Answered) -> bool:
        """See `Authorizer`. Raises NotAuthorized."""
        try:
            return await self._inner.answered(answer)
        except NotAuthorized:
            self._inner = self._begin()
            raise


class _Nobody:
    """Stands where somebody at a browser would be waited for."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self, _redirect_uri: str | None) -> _Nobody:
        return self

    async def __aenter__(self) -> Visitor:
        from erlmcp_py.auth.client import AuthorizationError

        raise AuthorizationError(
            f"{shown_url(self._url)}: there are no tokens for it, and nobody to ask here; obtain them "
            "with erlmcp-node client URL info --auth"
        )

    async def __aexit__(self, *_: object) -> None:
        """Was never entered."""
