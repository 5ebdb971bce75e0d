"""Authorization as a client uses it: `erlmcp_py.auth.client`, with errors that are the client's own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from erlmcp_py.auth.client import AuthorizationError, Authorizations
from erlmcp_py.auth.client.authorizer import Answer
from erlmcp_py.client.errors import ClientError
from erlmcp_py.client.shown import shown_url


class NotAuthorized(ClientError):
    """The server wants an authorization, and there is none to be had. Nothing was carried out."""


class OAuth(Authorizations):
    """An `Authorizer`: `Client(url, authorizer=OAuth(plan))`. One of it for one client."""

    async def headers(self, method: str, url: str) -> Mapping[str, str]:
        """See `Authorizer`. Raises NotAuthorized."""
        try:
            return await super().headers(method, url)
        except AuthorizationError as problem:
            raise _told(problem, url) from None

    async def answered(self, answer: Answer) -> bool:
        """See `Authorizer`. Raises NotAuthorized."""
        try:
            return await super().answered(answer)
        except AuthorizationError as problem:
            raise _told(problem, answer.url) from None


def _told(problem: AuthorizationError, url: str) -> NotAuthorized:
    """url: the server's; what may be a key in it is cut, also in the places of its metadata.

    WHY without causes: the text of a callback's error may hold what the callback was given, and a traceback
    shows it. Where it was raised is said instead.
    """
    text = _server_urls(url).sub(lambda found: shown_url(found[0]), str(problem))
    first: BaseException = problem
    while first.__cause__ is not None:
        first = first.__cause__
    place = first.__traceback__
    if isinstance(first, AuthorizationError) or place is None:
        return NotAuthorized(text)
    while place.tb_next is not None:
        place = place.tb_next
    return NotAuthorized(f"{text} at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}")


def _server_urls(url: str) -> re.Pattern[str]:
    """URLs of its origin within a text, without the sign that ends a clause."""
    base = re.match(r"[^/]*//[^/?#]*", url)
    return re.compile(
        rf"{re.escape(base[0] if base else url)}[/?][^\s'\"]*[^\s'\":;,]", re.IGNORECASE
    )
