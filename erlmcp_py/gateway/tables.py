"""What upstreams offer as clients find it: the lists as they are shown, and where names and URIs lead.

They are made when what is offered has changed and somebody asks. What is wrong with it is reported once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from erlmcp_py.gateway.kinds import KINDS, Kind
from erlmcp_py.gateway.naming import NamedKind
from erlmcp_py.gateway.upstream import Upstream
from erlmcp_py.protocol.headers import KEYWORD, MirroredParameter, mirrored_parameters
from erlmcp_py.protocol.jsonrpc import raw
from erlmcp_py.server.uri import UriTemplate, compile_template
from erlmcp_py.telemetry.log import log


class _Naming(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    uri: str = ""
    uri_template: str = ""


class _Schema(msgspec.Struct, frozen=True, rename="camel"):
    input_schema: dict[str, Any]


_naming = msgspec.json.Decoder(_Naming).decode
_schema = msgspec.json.Decoder(_Schema).decode
_object = msgspec.json.Decoder(dict[str, Raw]).decode


class Route(msgspec.Struct, frozen=True):
    """Where a name leads: the upstream, and what the thing is called there. mirrored: arguments of a tool
    that `Mcp-Param-…` headers repeat.
    """

    upstream: Upstream
    name: str
    mirrored: tuple[MirroredParameter, ...] = ()


class Table:
    """One list: its entries as they are shown, with their upstreams, and where their names lead."""

    def __init__(self) -> None:
        self.entries: list[tuple[Upstream, Raw]] = []
        self.routes: dict[str, Route] = {}


class Tables:
    """Of a face: its name, and whether upstreams are together there."""

    def __init__(self, name: str, *, together: bool) -> None:
        self._name = name
        self._together = together
        self._made: dict[Kind, Table] = {}
        self._serials: tuple[int, ...] = ()
        self._reported: set[str] = set()
        self._templates: dict[str, UriTemplate | None] = {}

    def forget(self) -> None:
        """They are of other upstreams from now on."""
        self._serials = ()

    def of(self, kind: Kind, upstreams: tuple[Upstream, ...]) -> Table:
        """As it is now."""
        serials = tuple(each.serial for each in upstreams)
        if serials != self._serials:
            self._serials = serials
            self._templates.clear()
            self._made = {each: self._make(each, upstreams) for each in KINDS}
            if not self._together:
                self._report_names(upstreams[0])
        return self._made.get(kind) or Table()

    def matches(self, template: str, uri: str) -> bool:
        """Whether the template stands for this URI, as far as it can be read."""
        if template not in self._templates:
            try:
                self._templates[template] = compile_template(template, any_path=True)
            except ValueError as problem:
                self._report(f"the template {template!r} cannot be read: {problem}")
                self._templates[template] = None
        compiled = self._templates[template]
        return compiled is not None and compiled.match(uri) is not None

    def _make(self, kind: Kind, upstreams: tuple[Upstream, ...]) -> Table:
        table = Table()
        for upstream in upstreams:
            if kind == "tools" or kind == "prompts":
                self._add_named(table, kind, upstream)
            else:
                self._add_located(table, kind, upstream)
        return table

    def _add_named(self, table: Table, kind: NamedKind, upstream: Upstream) -> None:
        """Tools or prompts, under the names that clients have for them."""
        offered = [(naming.name, entry) for naming, entry in self._read(kind, upstream)]
        called = upstream.names.called(kind, [own for own, _ in offered])
        for own, entry in offered:
            if own not in called:
                continue
            name = upstream.names.prefixed(called[own]) if self._together else called[own]
            mirrored = self._mirrored(upstream, entry) if kind == "tools" else ()
            if self._is_first(table, kind, name, Route(upstream, own, mirrored)):
                table.entries.append((upstream, entry if name == own else _renamed(entry, name)))

    def _add_located(self, table: Table, kind: Kind, upstream: Upstream) -> None:
        """What is found by its URI."""
        for naming, entry in self._read(kind, upstream):
            uri = naming.uri or naming.uri_template
            if self._is_first(table, kind, uri, Route(upstream, uri)):
                if self._together and kind != "skills":
                    entry = _renamed(entry, upstream.names.prefixed(naming.name))
                table.entries.append((upstream, entry))

    def _read(self, kind: Kind, upstream: Upstream) -> Iterator[tuple[_Naming, Raw]]:
        for entry in upstream.lists.get(kind, ()):
            try:
                yield _naming(entry), entry
            except ValueError as problem:
                self._report(f"{upstream.name}: one of its {kind} cannot be read: {problem}")

    def _is_first(self, table: Table, kind: Kind, key: str, route: Route) -> bool:
        """Whether nobody before has it; otherwise that is reported."""
        held = table.routes.setdefault(key, route)
        if held.upstream is route.upstream:
            return True
        self._report(
            f"{key!r} of {kind} is offered by {held.upstream.name} and "
            f"{route.upstream.name}; {held.upstream.name} has it"
        )
        return False

    def _report_names(self, upstream: Upstream) -> None:
        if upstream.hello is None:
            return
        tools, prompts = (
            {naming.name for naming, _ in self._read(kind, upstream)}
            for kind in ("tools", "prompts")
        )
        for problem in upstream.names.problems(tools, prompts):
            self._report(f"upstreams.{upstream.name}.{problem}")

    def _mirrored(self, upstream: Upstream, tool: Raw) -> tuple[MirroredParameter, ...]:
        if KEYWORD.encode() not in bytes(tool):
            return ()
        try:
            return mirrored_parameters(_schema(tool).input_schema)
        except ValueError as problem:
            self._report(
                f"{upstream.name}: headers of one of its tools cannot be checked: {problem}"
            )
            return ()

    def _report(self, text: str) -> None:
        if text not in self._reported and len(self._reported) < 10_000:
            self._reported.add(text)
            log("warning", f"upstreams, served as {self._name}: {text}")


def _renamed(entry: Raw, name: str) -> Raw:
    return raw({**_object(entry), "name": raw(name)})
