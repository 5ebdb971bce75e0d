"""A server within another: under which names its definitions appear there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace as with_members

from erlmcp_py.server.definition.checks import checked_name
from erlmcp_py.server.definition.entries import (
    CompletionDef,
    ListingDef,
    PromptDef,
    ResourceDef,
    TemplateDef,
    ToolDef,
)
from erlmcp_py.server.uri import is_template

if TYPE_CHECKING:
    from erlmcp_py.server.definition.catalogue import Catalogue

SEPARATORS: Final = ("_", "/", ".", "-")

_PREFIX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//)?")


@dataclass(frozen=True, slots=True, eq=False)
class Mount:
    """`inner` as it appears in `outer`: the tool ``add`` as ``prefix_add``, the resource
    ``x://a/b`` as ``x://prefix/a/b``.
    """

    outer: Catalogue
    inner: Catalogue
    prefix: str
    separator: str

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(
                f"mount: the prefix {self.prefix!r}: use the characters A-Z a-z 0-9 _ . -"
            )
        if self.separator not in SEPARATORS:
            raise ValueError(
                f"mount: the separator {self.separator!r} must be one of {' '.join(SEPARATORS)}"
            )

    def name(self, name: str) -> str:
        """A name of the inner server in the outer one."""
        return f"{self.prefix}{self.separator}{name}"

    def uri(self, uri: str) -> str:
        """The address of a resource or template in the outer server."""
        scheme = _SCHEME.match(uri)
        end = scheme.end() if scheme else 0
        return f"{uri[:end]}{self.prefix}/{uri[end:]}"

    def key(self, kind: str, key: Any) -> Any:
        """The key of a definition in the outer server."""
        if kind in ("resources", "templates"):
            return self.uri(key)
        if kind == "completions":
            ref, argument = key
            return (self.uri(ref) if is_template(ref) else self.name(ref), argument)
        return self.name(key)

    def entry(self, kind: str, definition: Any) -> Any:
        """A definition under its name in the outer server. ValueError if that is too long."""
        return _RENAMED[kind](self, definition)

    def entries(self, kind: str, definitions: Mapping[Any, Any]) -> dict[Any, Any]:
        """All definitions of a kind."""
        return {
            self.key(kind, key): self.entry(kind, definition)
            for key, definition in definitions.items()
        }


def _tool(mount: Mount, definition: ToolDef) -> ToolDef:
    name = checked_name(mount.name(definition.tool.name), definition.handler.where, "tool")
    tool = with_members(definition.tool, name=name)
    same = definition.legacy is definition.tool
    legacy = tool if same else with_members(definition.legacy, name=name)
    return replace(definition, tool=tool, legacy=legacy)


def _prompt(mount: Mount, definition: PromptDef) -> PromptDef:
    name = checked_name(mount.name(definition.prompt.name), definition.handler.where, "prompt")
    return replace(definition, prompt=with_members(definition.prompt, name=name))


def _resource(mount: Mount, definition: ResourceDef) -> ResourceDef:
    resource = definition.resource
    return replace(definition, resource=with_members(resource, uri=mount.uri(resource.uri)))


def _template(mount: Mount, definition: TemplateDef) -> TemplateDef:
    uri = mount.uri(definition.template.uri_template)
    return replace(
        definition,
        template=with_members(definition.template, uri_template=uri),
        pattern=definition.pattern.below(uri),
    )


def _listing(mount: Mount, definition: ListingDef) -> ListingDef:
    inner = definition.shown_as
    return replace(definition, shown_as=lambda uri: mount.uri(inner(uri)))


def _completion(mount: Mount, definition: CompletionDef) -> CompletionDef:
    ref, _ = mount.key("completions", (definition.ref, definition.argument))
    return replace(definition, ref=ref)


_RENAMED: Final[Mapping[str, Callable[[Mount, Any], Any]]] = {
    "tools": _tool,
    "prompts": _prompt,
    "resources": _resource,
    "templates": _template,
    "listings": _listing,
    "completions": _completion,
}
