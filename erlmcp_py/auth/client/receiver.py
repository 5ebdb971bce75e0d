"""How the user comes back from the authorization server: to a port of this machine, or by other means."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import trio

from erlmcp_py.auth.client.errors import AuthorizationError
from erlmcp_py.auth.client.plans import Visitor

WAIT: Final = 300.0
"""Seconds a user has."""
_PATH: Final = "/callback"
_MAX_HEAD: Final = 16 * 1024
_MAX_CONNECTIONS: Final = 16
_READ_WAIT: Final = 10.0
_PAGE: Final = """<!doctype html><meta charset="utf-8"><title>{0}</title>
<body style="font-family:sans-serif;margin:4em"><h1>{0}</h1><p>{1}</p>
"""

Open = Callable[[str], Awaitable[None]]


async def open_browser(url: str) -> None:
    """In the user's own browser. Raises AuthorizationError if there is none."""
    import webbrowser

    if not await trio.to_thread.run_sync(webbrowser.open, url, abandon_on_cancel=True):
        raise AuthorizationError("no browser could be started; authorize with Headless instead")


class Loopback:
    """A listener on 127.0.0.1 while an authorization lasts (RFC 8252, 7.3). open: shows the page."""

    def __init__(self, open: Open = open_browser) -> None:
        self._open = open

    def __call__(self, preferred: str | None) -> AbstractAsyncContextManager[Visitor]:
        """See `plans.Receiver`."""
        return self._listening(preferred)

    @asynccontextmanager
    async def _listening(self, preferred: str | None) -> AsyncIterator[Visitor]:
        with _listen(preferred) as listener:
            yield _Listening(listener, self._open)


class Headless:
    """visit: is given the page's URL and answers with the URL the user was sent back to, as a whole."""

    def __init__(self, redirect_uri: str, visit: Callable[[str], Awaitable[str]]) -> None:
        self.redirect_uri = redirect_uri
        self._visit = visit

    def __call__(self, preferred: str | None) -> AbstractAsyncContextManager[Visitor]:  # noqa: ARG002
        """See `plans.Receiver`."""
        return self._visiting()

    @asynccontextmanager
    async def _visiting(self) -> AsyncIterator[Visitor]:
        yield self

    async def visit(self, url: str) -> list[tuple[str, str]]:
        """See `plans.Visitor`."""
        with trio.move_on_after(WAIT):
            back = await self._visit(url)
            if back.partition("?")[0] != self.redirect_uri.partition("?")[0]:
                raise AuthorizationError(
                    f"the user came back to another place than {self.redirect_uri}"
                )
            return parse_qsl(urlsplit(back).query, keep_blank_values=True, max_num_fields=50)
        raise AuthorizationError(f"the user did not come back within {WAIT:g} s")


class _Listening:
    """A `Visitor`."""

    def __init__(self, listener: trio.socket.SocketType, open: Open) -> None:
        self._listener = listener
        self._open = open
        self._host = f"127.0.0.1:{listener.getsockname()[1]}"
        self.redirect_uri = f"http://{self._host}{_PATH}"
        self._back: list[tuple[str, str]] | None = None
        self._state: str | None = None
        """Of the request that is under way. WHY it is looked at here: a page of an earlier attempt, or of
        a stranger who tries ports, must not end this one.
        """

    async def visit(self, url: str) -> list[tuple[str, str]]:
        """See `plans.Visitor`."""
        with trio.move_on_after(WAIT):
            async with trio.open_nursery() as nursery:
                self._state = dict(parse_qsl(urlsplit(url).query)).get("state")
                nursery.start_soon(self._accept, nursery)
                await self._open(url)
                await trio.sleep_forever()
        if self._back is None:
            raise AuthorizationError(f"the user did not come back within {WAIT:g} s")
        return self._back

    async def _accept(self, nursery: trio.Nursery) -> None:
        busy = trio.Semaphore(_MAX_CONNECTIONS)
        while True:
            await busy.acquire()
            connected, _ = await self._listener.accept()
            nursery.start_soon(self._serve, trio.SocketStream(connected), busy, nursery)

    async def _serve(
        self, stream: trio.SocketStream, busy: trio.Semaphore, nursery: trio.Nursery
    ) -> None:
        # Browsers open connections they may never use: each has its time, and none holds the others up.
        try:
            with trio.move_on_after(_READ_WAIT):
                async with stream:
                    back = await self._answer(stream)
                if back is not None and self._back is None:
                    self._back = back
                    nursery.cancel_scope.cancel()
        except (OSError, trio.BrokenResourceError):
            return  # that browser has gone; it, or another, may come again
        finally:
            busy.release()

    async def _answer(self, stream: trio.SocketStream) -> list[tuple[str, str]] | None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = await stream.receive_some(4096)
            head += data
            if not data or len(head) > _MAX_HEAD:
                return None
        back = _read(head.decode("latin-1"), self._host)
        if not isinstance(back, str) and ("state", self._state) not in back:
            back = "400 Bad Request"
        if isinstance(back, str):
            await stream.send_all(_response(back, "Nothing to see here", "This is no answer."))
            return None
        refused = any(name == "error" for name, _ in back)
        title = "Not authorized" if refused else "Authorized"
        await stream.send_all(_response("200 OK", title, "You may close this page."))
        return back


def _read(head: str, host: str) -> list[tuple[str, str]] | str:
    """The parameters; a status line for what is no answer of an authorization server."""
    first, *lines = head.split("\r\n")
    method, _, rest = first.partition(" ")
    target = rest.rpartition(" ")[0]
    hosts = [line[5:].strip() for line in lines if line[:5].lower() == "host:"]
    if hosts != [host]:
        return "421 Misdirected Request"
    if method != "GET":
        return "405 Method Not Allowed"
    if target.partition("?")[0] != _PATH:
        return "404 Not Found"
    try:
        params = parse_qsl(target.partition("?")[2], keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return "400 Bad Request"
    names = {name for name, _ in params}
    return params if "state" in names and names & {"code", "error"} else "400 Bad Request"


def _response(status: str, title: str, text: str) -> bytes:
    page = _PAGE.format(title, text).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n"
        f"Content-Length: {len(page)}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n\r\n"
    )
    return head.encode("ascii") + page


def _listen(preferred: str | None) -> trio.socket.SocketType:
    """On the port that is registered, if it is free; a new registration is made otherwise."""
    port = 0
    if preferred is not None and urlsplit(preferred).hostname == "127.0.0.1":
        port = urlsplit(preferred).port or 0
    for wanted in dict.fromkeys((port, 0)):
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            plain.bind(("127.0.0.1", wanted))
            plain.listen(_MAX_CONNECTIONS)
        except OSError as problem:
            plain.close()
            if wanted == 0:
                raise AuthorizationError(f"127.0.0.1: no port to listen on: {problem}") from None
        else:
            return trio.socket.from_stdlib_socket(plain)
    raise AssertionError("unreachable")
