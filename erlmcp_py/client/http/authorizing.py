"""The place of authorization: who adds headers to requests and looks at every response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

MAX_TRIES: Final = 4
"""How often one request is sent, however often an authorizer wants it again."""


class Answered(msgspec.Struct, frozen=True):
    """A response, as far as an authorizer cares. tries: how often this request has been sent.

    body: its beginning, of 401 and 403 only.
    """

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    tries: int
    body: bytes = b""


class Authorizer(Protocol):
    """Of one client; called from the tasks of its requests, several at a time."""

    async def headers(self, method: str, url: str) -> Mapping[str, str]:
        """What is to be sent with a request (HTTP method, absolute URL), such as `Authorization`.

        Raises ClientError if that cannot be had; the request fails with it.
        """

    async def answered(self, answer: Answered) -> bool:
        """A response came (401 and 403 are what matters; nonces may be in any). True: send the request
        once more, with new headers; only after 401 and 403. Raises ClientError to end it.
        """
