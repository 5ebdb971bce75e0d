"""Authorization as a client uses it: `erlmcp_py.auth.client`, with errors that are the client's own."""

from __future__ import annotations

from collections.abc import Mapping

from erlmcp_py.auth.client import AuthorizationError, Authorizations
from erlmcp_py.auth.client.authorizer import Answer
from erlmcp_py.client.errors import ClientError


class NotAuthorized(ClientError):
    """The server wants an authorization, and there is none to be had. Nothing was carried out."""


class OAuth(Authorizations):
    """An `Authorizer`: `Client(url, authorizer=OAuth(plan))`. One of it for one client."""

    async def headers(self, method: str, url: str) -> Mapping[str, str]:
        """See `Authorizer`. Raises NotAuthorized."""
        try:
            return await super().headers(method, url)
        except AuthorizationError as problem:
            raise NotAuthorized(str(problem)) from problem

    async def answered(self, answer: Answer) -> bool:
        """See `Authorizer`. Raises NotAuthorized."""
        try:
            return await super().answered(answer)
        except AuthorizationError as problem:
            raise NotAuthorized(str(problem)) from problem
