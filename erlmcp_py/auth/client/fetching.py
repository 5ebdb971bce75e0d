"""The HTTP requests of authorization: bounded in time and size, never redirected, no cookies."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import trio

from erlmcp_py.auth.client.actions import Fetch, Fetched
from erlmcp_py.auth.client.errors import AuthorizationError, shown
from erlmcp_py.auth.client.urls import origin

if TYPE_CHECKING:
    import httpx2

TIMEOUT: Final = 30.0
"""Seconds for a request and its response."""
MAX_BODY: Final = 256 * 1024
"""Bytes of a metadata document or a token response."""


class Fetcher:
    """A context; the connections end with it."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._client: httpx2.AsyncClient | None = None

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def fetch(self, wanted: Fetch) -> Fetched:
        """Raises AuthorizationError."""
        import httpx2

        if self._client is None:
            verify = True if self._tls is None else self._tls
            # http: goes to this machine only, and there is no proxy on the way to it. Nor is there TLS; a
            # context that trusts nobody saves the time to make one.
            nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            direct = {"http://": httpx2.AsyncHTTPTransport(verify=nobody)}
            self._client = httpx2.AsyncClient(verify=verify, timeout=TIMEOUT, mounts=direct)
        place = origin(wanted.url)
        try:
            with trio.fail_after(TIMEOUT):
                return await _fetch(self._client, wanted, place)
        except trio.TooSlowError:
            raise AuthorizationError(f"{place}: no answer within {TIMEOUT:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
            why = shown(str(problem)) or type(problem).__name__
            raise AuthorizationError(f"{place}: no answer: {why}") from None


async def _fetch(client: httpx2.AsyncClient, wanted: Fetch, place: str) -> Fetched:
    body = bytearray()
    headers = {**wanted.headers, "Accept-Encoding": "identity"}
    content = wanted.body if wanted.method == "POST" else None
    too_long = False
    async with client.stream(
        wanted.method, wanted.url, headers=headers, content=content, follow_redirects=False
    ) as response:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise AuthorizationError(f"{place}: the answer is compressed, unasked")
        # Cancelled, not left: generators inside the library that are left behind are not closed.
        with trio.CancelScope() as scope:
            async for data in response.aiter_raw():
                too_long = too_long or len(body) + len(data) > MAX_BODY
                if too_long:
                    scope.cancel()
                else:
                    body += data
        client.cookies.clear()
        if too_long:
            raise AuthorizationError(f"{place}: the answer is longer than {MAX_BODY} bytes")
        found = {name.lower(): value for name, value in response.headers.items()}
        return Fetched(response.status_code, found, bytes(body))
