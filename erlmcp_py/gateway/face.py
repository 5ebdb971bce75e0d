"""What clients see of upstreams: of one by itself, or of all of them together.

Together, the names of tools, prompts and resources begin with that of their upstream, ``NAME_``, or with
another prefix; which tools there are for clients, and what they are called, is the matter of `naming`. URIs
stay as they are, because results refer to them. Where two upstreams offer the same, the first one in
the configuration has it, and the collision is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec
import trio
from msgspec import Raw
from msgspec.structs import replace

from erlmcp_py import __version__
from erlmcp_py.client import Hello
from erlmcp_py.gateway.errors import unavailable
from erlmcp_py.gateway.extensions import core_tasks, extensions
from erlmcp_py.gateway.following import MAX_FOLLOWED
from erlmcp_py.gateway.kinds import MEMBERS, Kind
from erlmcp_py.gateway.naming import NamedKind
from erlmcp_py.gateway.tables import Route, Table, Tables
from erlmcp_py.gateway.tasks import unknown_task
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.protocol import refusals
from erlmcp_py.protocol.errors import McpError, refused, resource_not_found
from erlmcp_py.protocol.extensions.skills import SKILLS, ListSkillsResult
from erlmcp_py.protocol.jsonrpc import raw
from erlmcp_py.protocol.lifecycle import (
    DiscoverResult,
    Implementation,
    InitializeResult,
    ListChanged,
    ResourcesCapability,
    ServerCapabilities,
)
from erlmcp_py.protocol.prompts import ListPromptsResult
from erlmcp_py.protocol.resources import ListResourcesResult, ListResourceTemplatesResult
from erlmcp_py.protocol.shape import shape_result
from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.protocol.tools import ListToolsResult
from erlmcp_py.protocol.versions import SUPPORTED, Era, negotiate_legacy
from erlmcp_py.server.scope import Scope

MARK: Final = "erlmcp-py/upstreams"
"""In `_meta` of a list: which upstreams are not there now, or have another one that cannot be read, since when
and why."""
LEARNT: Final = "learnt"
"""Cast to the process of a face when one of its upstreams has said what it offers."""
PAGE: Final = 1000
"""Entries of one page."""
HONOURING: Final = 3.0
"""Seconds that a subscription waits for upstreams that have to say what they offer; whoever asks for it waits
for 5 s at most."""

_RESULTS: Final[Mapping[Kind, Any]] = {
    "tools": ListToolsResult,
    "resources": ListResourcesResult,
    "templates": ListResourceTemplatesResult,
    "prompts": ListPromptsResult,
    "skills": ListSkillsResult,
}


_object = msgspec.json.Decoder(dict[str, Raw]).decode


class Face:
    """Of these upstreams under this name; together: whether names are prefixed."""

    def __init__(self, name: str, upstreams: tuple[Upstream, ...], *, together: bool) -> None:
        self.name = name
        self.upstreams = upstreams
        self.together = together
        self.is_removed = False
        """Whether it is to be served no more."""
        self._tables = Tables(name, together=together)
        self._awaited: set[str] = set()
        """Resources that clients want to hear of and that may be of an upstream which is not known yet."""

    def take(self, upstreams: tuple[Upstream, ...]) -> None:
        """Be of these from now on."""
        self.upstreams = upstreams
        self._tables.forget()

    # --- who it is ----------------------------------------------------------------------

    async def known(self) -> None:
        """Wait until there is something to show. Raises McpError if one alone has never answered."""
        async with trio.open_nursery() as nursery:
            for upstream in self.upstreams:
                nursery.start_soon(partial(upstream.known, alone=not self.together))
        only = None if self.together else self.upstreams[0]
        if only is not None and only.hello is None:
            raise unavailable(only.unavailable_text(only.config.timeout))

    @property
    def is_known(self) -> bool:
        """Whether nobody has to be waited for."""
        return all(each.hello is not None or each.is_down for each in self.upstreams) and any(
            each.hello is not None for each in self.upstreams
        )

    @property
    def info(self) -> Implementation:
        """Who it says it is."""
        hello = None if self.together else self.upstreams[0].hello
        if hello is not None and hello.server_info is not None:
            return hello.server_info
        return Implementation(self.name, __version__)

    def _hellos(self) -> list[Hello]:
        return [each.hello for each in self.upstreams if each.hello is not None]

    @property
    def has_skills(self) -> bool:
        """Whether there are any for clients of 2026-07-28."""
        return SKILLS in (extensions(self._hellos()) or {})

    def has_core_tasks(self, version: str) -> bool:
        """Whether clients of this revision may have calls run as tasks."""
        return core_tasks(self._hellos(), version) is not None

    def capabilities(self) -> ServerCapabilities:
        """What is offered to clients of every revision, of all that can be passed through."""
        offered = [each.capabilities for each in self._hellos()]
        resources = [each.resources for each in offered if each.resources is not None]
        watched = any(each.subscribe for each in resources)
        return ServerCapabilities(
            tools=ListChanged(list_changed=True) if _any(offered, "tools") else None,
            prompts=ListChanged(list_changed=True) if _any(offered, "prompts") else None,
            resources=(
                ResourcesCapability(subscribe=watched or None, list_changed=True)
                if resources
                else None
            ),
            completions={} if _any(offered, "completions") else None,
            logging={} if _any(offered, "logging") else None,
        )

    def _instructions(self) -> str | None:
        told = [
            (each.name, each.hello.instructions)
            for each in self.upstreams
            if each.hello is not None and each.hello.instructions
        ]
        if not self.together:
            return told[0][1] if told else None
        return "\n\n".join(f"{name}: {text}" for name, text in told) or None

    def initialize(self, wanted: str) -> InitializeResult:
        """The answer to a client that asks for this revision."""
        version = negotiate_legacy(wanted)
        return InitializeResult(
            protocol_version=version,
            capabilities=replace(self.capabilities(), tasks=core_tasks(self._hellos(), version)),
            server_info=self.info,
            instructions=self._instructions(),
        )

    def discover(self) -> DiscoverResult:
        """The answer to `server/discover`."""
        return DiscoverResult(
            supported_versions=list(SUPPORTED),
            capabilities=replace(self.capabilities(), extensions=extensions(self._hellos())),
            instructions=self._instructions(),
        )

    def honoured(self, wanted: SubscriptionFilter, *, hopeful: bool = False) -> SubscriptionFilter:
        """The part of `wanted` of which clients will be told. hopeful: of what may come from upstreams that
        have not said yet what they offer, too.
        """
        offered = self.capabilities()
        resources = offered.resources
        hope = hopeful and any(each.hello is None for each in self.upstreams)
        uris = wanted.resource_subscriptions
        if uris is not None:
            can = hope or (resources is not None and resources.subscribe)
            uris = [uri for uri in uris if self._follow(uri, hope=hope)] if can else None
        return SubscriptionFilter(
            tools_list_changed=wanted.tools_list_changed if hope or offered.tools else None,
            prompts_list_changed=wanted.prompts_list_changed if hope or offered.prompts else None,
            resources_list_changed=wanted.resources_list_changed if hope or resources else None,
            resource_subscriptions=uris,
        )

    async def honoured_soon(self, wanted: SubscriptionFilter) -> SubscriptionFilter:
        """As `honoured`, when the upstreams have been started and have had time to say what they offer."""
        with trio.move_on_after(HONOURING), suppress(McpError):  # it may be down, and come later
            await self.known()
        return self.honoured(wanted, hopeful=True)

    def _follow(self, uri: str, *, hope: bool = False) -> bool:
        try:
            upstream = self.resource(uri, "modern")
        except McpError:
            return hope and self._await(uri)
        if not self.together and upstream.hello is None and not hope:
            return False
        return upstream.follow(uri)

    def _await(self, uri: str) -> bool:
        """Whether this one is followed as soon as somebody has it; see `look`."""
        if self.is_known or len(self._awaited) >= MAX_FOLLOWED:
            return False
        self._awaited.add(uri)
        return True

    # --- lists --------------------------------------------------------------------------

    def listing(self, kind: Kind, cursor: str | None, scope: Scope) -> Any:
        """A page, as the client's revision has it. Raises McpError -32602 for a cursor not of ours."""
        start = 0
        if cursor is not None:
            if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 9:
                raise refused(
                    refusals.INVALID_PARAMS, f"the cursor {cursor!r} is none of this list"
                )
            start = int(cursor)
        entries = self._table(kind).entries
        shown = entries[start : start + PAGE]
        following = str(start + PAGE) if start + PAGE < len(entries) else None
        result = _RESULTS[kind](
            **{_attribute(kind): []}, next_cursor=following, meta=self._marks(kind) or None
        )
        shaped = shape_result(result, scope.era, scope.version, server_info=raw(self.info))
        document = _object(msgspec.json.encode(shaped))
        document[MEMBERS[kind]] = raw([_fitted(kind, owner, one, scope) for owner, one in shown])
        return raw(document)

    def _marks(self, kind: Kind) -> dict[str, Any]:
        """Of whom this list may be another one by now: who is not there, or cannot be asked for it."""
        marks: dict[str, Any] = {}
        for each in self.upstreams:
            outdated = each.outdated.get(kind)
            if each.is_missing:
                standing = each.standing()
                marks[each.name] = _mark(standing.state, standing.since_text, standing.reason)
            elif outdated is not None:
                marks[each.name] = _mark("outdated", outdated.since_text, outdated.reason)
        return {MARK: marks} if marks else {}

    def look(self) -> None:
        """Something has been learnt: what was waited for is followed. Once all is known that will be, report
        what is wrong with it.
        """
        self._awaited = {uri for uri in self._awaited if not self._follow(uri)}
        if all(each.hello is not None for each in self.upstreams):
            self._awaited.clear()
        if self.is_known:
            self._table("tools")

    def _table(self, kind: Kind) -> Table:
        return self._tables.of(kind, self.upstreams)

    # --- where requests go --------------------------------------------------------------

    def tool(self, name: str) -> Route:
        """Raises McpError -32602 for a tool that nobody has."""
        return self._route("tools", name, refusals.TOOL_NOT_FOUND, "Unknown tool")

    def prompt(self, name: str) -> Route:
        """Raises McpError -32602 for a prompt that nobody has."""
        return self._route("prompts", name, refusals.PROMPT_NOT_FOUND, "Unknown prompt")

    def _route(self, kind: NamedKind, name: str, refusal: Any, text: str) -> Route:
        route = self._table(kind).routes.get(name)
        if route is not None:
            return route
        for upstream in self.upstreams:
            own = self._unlisted(upstream, kind, name)
            if own is not None:
                return Route(upstream, own)
        raise refused(refusal, f"{text}: {name}", code=-32602)

    def _unlisted(self, upstream: Upstream, kind: NamedKind, name: str) -> str | None:
        """What it may be called there although it is on no list: alone, as it knows best what it has;
        together, if it has never been seen, as what begins with its name is meant for it.
        """
        if not self.together:
            return None if upstream.names.is_strict(kind) else name
        bare = upstream.names.unprefixed(name) if upstream.hello is None else None
        return None if bare is None else upstream.names.guessed(kind, bare)

    def resource(self, uri: str, era: Era) -> Upstream:
        """Whose resource this is. Raises McpError if nobody's."""
        if not self.together:
            return self.upstreams[0]
        route = self._table("resources").routes.get(uri)
        if route is not None:
            return route.upstream
        for text, found in self._table("templates").routes.items():
            if text == uri or self._tables.matches(text, uri):
                return found.upstream
        for text, found in self._table("skills").routes.items():
            if f"{uri}/".startswith(text.removesuffix("SKILL.md")):
                return found.upstream
        raise resource_not_found(uri, era)

    def skill(self, uri: str) -> Upstream:
        """Who has this skill, or directory of skills. Raises McpError if nobody."""
        upstream = self.resource(uri, "modern")
        if upstream.hello is not None and SKILLS not in (extensions([upstream.hello]) or {}):
            raise resource_not_found(uri, "modern")
        return upstream

    def of_task(self, id: str) -> Upstream:
        """Who has the task that a client calls so. Raises McpError if nobody."""
        name = id.partition(".")[0]
        for upstream in self.upstreams:
            if upstream.name == name:
                return upstream
        raise unknown_task(id)


def _mark(state: str, since: str, reason: str | None) -> dict[str, Any]:
    return {"state": state, "since": since, "reason": reason}


def _any(offered: list[ServerCapabilities], member: str) -> bool:
    return any(getattr(each, member) is not None for each in offered)


def _attribute(kind: Kind) -> str:
    return "resource_templates" if kind == "templates" else kind


def _fitted(kind: Kind, owner: Upstream, entry: Raw, scope: Scope) -> Raw:
    """The entry itself, if the upstream speaks the client's revision; else what that one knows of it."""
    assert owner.hello is not None
    if owner.hello.version == scope.version:
        return entry
    page = _page_of(kind, entry)
    if page is None:
        return entry  # it cannot be read, so it is not ours to change
    shaped = shape_result(page, scope.era, scope.version)
    return raw(getattr(shaped, _attribute(kind))[0])


def _page_of(kind: Kind, entry: Raw) -> Any:
    try:
        return msgspec.json.decode(
            b'{"%b":[%b]}' % (MEMBERS[kind].encode(), bytes(entry)), type=_RESULTS[kind]
        )
    except ValueError:
        return None
