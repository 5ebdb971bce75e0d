"""Plays a world to a flow: documents by URL, what a person answers, what is kept; writes down all that
the flow asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from erlmcp_py.auth.client.actions import (
    Ask,
    Draw,
    Fetch,
    Fetched,
    Flow,
    Listen,
    Load,
    Now,
    Save,
    Visit,
)
from erlmcp_py.auth.client.errors import AuthorizationError

NOT_FOUND = Fetched(404)
REDIRECT_URI = "http://127.0.0.1:4711/callback"


def answer(document: Any, status: int = 200, **headers: str) -> Fetched:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fetched(status, named, msgspec.json.encode(document))


Page = Fetched | Callable[[Fetch], Fetched]


class World:
    """back: what a person comes back with, given the query of the page they were shown."""

    def __init__(self, pages: Mapping[str, Page] | None = None, now: float = 1_000_000.0) -> None:
        self.pages: dict[str, Page] = dict(pages or {})
        self.kept: dict[str, bytes] = {}
        self.now = now
        self.fetched: list[Fetch] = []
        self.visited: list[dict[str, str]] = []
        self.back: Callable[[dict[str, str]], list[tuple[str, str]]] = lambda query: [
            ("code", "the-code"),
            ("state", query["state"]),
        ]
        self.assertion = "the.assertion.jwt"
        self._drawn = 0

    def play(self, flow: Flow[Any]) -> Any:
        try:
            action = next(flow)
            while True:
                try:
                    value = self._do(action)
                except AuthorizationError as problem:
                    action = flow.throw(problem)
                else:
                    action = flow.send(value)
        except StopIteration as end:
            return end.value

    @property
    def urls(self) -> list[str]:
        return [one.url for one in self.fetched]

    def forms(self, url: str) -> list[dict[str, str]]:
        return [form(one) for one in self.fetched if one.url == url]

    def _do(self, action: Any) -> Any:
        match action:
            case Fetch(url=url):
                self.fetched.append(action)
                page = self.pages.get(url, NOT_FOUND)
                return page(action) if callable(page) else page
            case Now():
                return self.now
            case Draw(size):
                self._drawn += 1
                return self._drawn.to_bytes(2, "big") * (size // 2)
            case Load(key):
                return self.kept.get(key)
            case Save(key, None):
                self.kept.pop(key, None)
            case Save(key, value):
                self.kept[key] = value
            case Ask():
                return self.assertion
            case Listen():
                return REDIRECT_URI
            case Visit(url):
                query = dict(parse_qsl(urlsplit(url).query))
                self.visited.append(query)
                return self.back(query)
        return None


def form(request: Fetch) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode()))
