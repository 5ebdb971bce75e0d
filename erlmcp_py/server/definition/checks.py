"""What must hold of every definition. Errors name the place of the handler."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from erlmcp_py.protocol.content import Annotations, Icon
from erlmcp_py.protocol.wire import Json
from erlmcp_py.server.lifespan import Lifespan
from erlmcp_py.server.signature import Handler
from supervisors import ChildSpec, SupervisorError, check_childspecs

Icons = Sequence[Icon | str]
"""Pictures for user interfaces; a string is the `src` of an `Icon`."""

_NAME: Final = re.compile(r"[A-Za-z0-9_./-]{1,64}")
_ICON: Final = re.compile(r"(https?://|data:).+")


def checked_name(name: str, where: str, what: str) -> str:
    """`name`, if every client can say it."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{where}: {what} name {name!r}: use 1 to 64 of the characters A-Z a-z 0-9 _ . / -"
        )
    return name


def function_name(handler: Handler) -> str:
    """What a function is called, for want of a given name."""
    function = handler.function
    return str(getattr(function, "__name__", type(function).__name__))


def refuse_bare(decorator: str, name: object) -> None:
    """TypeError if a decorator was used without its parentheses."""
    if name is not None and not isinstance(name, str):
        raise TypeError(f"write @server.{decorator}() with parentheses")


def refuse_duplicate(known: dict[Any, Any], key: Any, what: str, where: str) -> None:
    """ValueError with both places if `key` is taken."""
    if key in known:
        raise ValueError(f"{where}: {what} is already defined at {known[key].handler.where}")


def checked_icons(icons: Icons | None, where: str) -> list[Icon] | None:
    """`Icon`s; None if there are none. ValueError for an address that no client may load."""
    if icons is None:
        return None
    if isinstance(icons, str):
        raise TypeError(f"{where}: icons must be a list, not {icons!r}")
    made = [Icon(icon) if isinstance(icon, str) else icon for icon in icons]
    for icon in made:
        if not isinstance(icon, Icon):
            raise TypeError(f"{where}: an icon is an Icon or its address, not {icon!r}")
        if not _ICON.match(icon.src):
            raise ValueError(f"{where}: icon {icon.src!r}: write an https: or data: address")
    return made or None


def checked_meta(meta: Json | None, where: str) -> Json | None:
    """`meta`, if it is an object with a JSON form."""
    if meta is None:
        return None
    if not isinstance(meta, dict):
        raise TypeError(f"{where}: meta must be a dict, not {meta!r}")
    try:
        msgspec.json.encode(meta)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{where}: meta has no JSON form: {error}") from None
    return dict(meta)


def checked_annotations(annotations: Annotations | None, where: str) -> Annotations | None:
    """`annotations`, if they are within their limits."""
    if annotations is None:
        return None
    if not isinstance(annotations, Annotations):
        raise TypeError(f"{where}: annotations must be Annotations, not {annotations!r}")
    priority = annotations.priority
    if priority is not None and not 0 <= priority <= 1:
        raise ValueError(f"{where}: the priority {priority!r} must be from 0 to 1")
    unknown = [role for role in annotations.audience or () if role not in ("user", "assistant")]
    if unknown:
        raise ValueError(f"{where}: the audience is 'user' or 'assistant', not {unknown[0]!r}")
    return annotations


def checked_lifespan(lifespan: Lifespan | None) -> Lifespan | None:
    """`lifespan`, if it can be called with a server."""
    if lifespan is not None and not callable(lifespan):
        raise TypeError(
            f"Server: lifespan must be an async context manager called with the server, not {lifespan!r}"
        )
    return lifespan


def checked_children(children: Iterable[ChildSpec]) -> tuple[ChildSpec, ...]:
    """Child specs, each valid and with an id of its own."""
    try:
        return check_childspecs(list(children))
    except SupervisorError as error:
        raise ValueError(f"Server: children: {error}") from None


def listed(names: Iterable[str]) -> str:
    """Names for a message."""
    return ", ".join(names) or "none"
