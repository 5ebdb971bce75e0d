"""Any value as a bounded JSON value, without running the value's own code.

The state of a process can be anything: a gigabyte of rows, a cycle, an object whose
``__repr__`` raises or never returns. What the console shows of it must cost little
and must not touch the process it looks at. So nothing here calls a method of a
user's class: built-in containers are walked with the built-in types' own methods, and
objects show the attributes they store, read past whatever their class makes of them.

=====================  ==========================================
a value                its projection
=====================  ==========================================
None, bool, str        itself (a long str is cut)
int, float             itself; as text where JSON has no form
bytes                  ``"<12 bytes: 68656c6c6f>"``
Pid                    ``"<node.12.0>"``
list, tuple, deque     a list
dict                   an object, keys as text
set, frozenset         ``{"<set>": [...]}``
enum member            ``"Color.RED"``
exception              ``{"<ValueError>": [args]}``
Struct, dataclass      ``{"<Point>": {"x": 1, "y": 2}}``
other object           the same with its attributes
class, function        ``"<function module.name>"``
anything opaque        ``"<module.Class>"``
=====================  ==========================================
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import math
from collections import deque
from collections.abc import Iterator
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
)
from typing import Any

import msgspec

from supervisors import Pid


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a value is shown.

    depth: levels of nesting. items: elements of one container. text: characters of one
    string. total: values altogether.
    """

    depth: int = 6
    items: int = 50
    text: int = 500
    total: int = 2000


GLANCE = Bounds(depth=3, items=8, text=120, total=60)
"""For one message in a trace or one reason in a list."""


@dataclasses.dataclass(frozen=True, slots=True)
class Projection:
    """A projected `value`; `truncated` when the bounds left something out."""

    value: Any
    truncated: bool


def project(value: object, bounds: Bounds | None = None) -> Projection:
    """`value` within `bounds`; never raises, whatever the value is."""
    walk = _Walk(bounds or Bounds())
    shown = walk.any(value, 0)
    return Projection(shown, walk.truncated)


def type_name(kind: type) -> str:
    """`module.Class`, the module left out for built-ins."""
    name = type.__getattribute__(kind, "__qualname__")
    module = kind.__dict__.get("__module__", "builtins")
    return f"{name}" if module == "builtins" or not isinstance(module, str) else f"{module}.{name}"


class _Walk:
    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.left = bounds.total
        self.truncated = False

    def any(self, value: object, depth: int) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self.text(str(value))
        if kind is int or kind is float:
            return number(value)  # type: ignore[arg-type]  # narrowed by kind
        if kind is Pid:
            return str(value)
        self.left -= 1
        if self.left < 0 or depth >= self.bounds.depth:
            self.truncated = True
            return f"<{type_name(kind)} …>"
        return self.composite(value, kind, depth + 1)

    def composite(self, value: Any, kind: type, depth: int) -> Any:
        if issubclass(kind, enum.Enum):
            return f"{kind.__qualname__}.{object.__getattribute__(value, '_name_')}"
        fields = field_names(kind)
        if fields is not None:
            return {f"<{kind.__qualname__}>": dict(self.fields(value, fields, depth))}
        if issubclass(kind, dict):
            return dict(self.pairs(dict.items(value), dict.__len__(value), depth))
        if issubclass(kind, list):
            return self.sequence(list.__iter__(value), list.__len__(value), depth)
        if issubclass(kind, tuple):
            return self.sequence(tuple.__iter__(value), tuple.__len__(value), depth)
        if issubclass(kind, deque):
            return self.sequence(deque.__iter__(value), deque.__len__(value), depth)
        if issubclass(kind, set):
            shown = self.sequence(set.__iter__(value), set.__len__(value), depth)
            return {f"<{kind.__qualname__}>": shown}
        if issubclass(kind, frozenset):
            shown = self.sequence(frozenset.__iter__(value), frozenset.__len__(value), depth)
            return {f"<{kind.__qualname__}>": shown}
        if issubclass(kind, bytes | bytearray):
            return self.bytes(value)
        if issubclass(kind, str):
            return self.text(str.__str__(value))
        if issubclass(kind, int):
            return number(int.__int__(value))
        if issubclass(kind, float):
            return number(float.__float__(value))
        if issubclass(kind, BaseException):
            arguments = BaseException.__getattribute__(value, "args")
            return {f"<{kind.__qualname__}>": self.sequence(iter(arguments), len(arguments), depth)}
        if issubclass(kind, type | FunctionType | MethodType | BuiltinFunctionType):
            return self.text(outline(value, kind))
        held = stored(value, kind)
        if not held:
            return f"<{type_name(kind)}>"
        return {f"<{kind.__qualname__}>": dict(self.pairs(held.items(), len(held), depth))}

    def text(self, value: str) -> str:
        cut = value if len(value) <= self.bounds.text else value[: self.bounds.text]
        if cut is not value:
            self.truncated = True
            cut += f"… (+{len(value) - self.bounds.text} characters)"
        return cut.encode("utf-8", "backslashreplace").decode("utf-8")

    def bytes(self, value: bytes | bytearray) -> str:
        held = memoryview(value)
        length = len(held)
        shown = held[:16].hex()
        if length > 16:
            self.truncated = True
            shown += "…"
        return f"<{length} bytes: {shown}>"

    def sequence(self, values: Iterator[Any], length: int, depth: int) -> list[Any]:
        shown = [self.any(value, depth) for value in itertools.islice(values, self.bounds.items)]
        if length > len(shown):
            self.truncated = True
            shown.append(f"… (+{length - len(shown)} more)")
        return shown

    def pairs(self, pairs: Any, length: int, depth: int) -> Iterator[tuple[str, Any]]:
        for key, value in itertools.islice(pairs, self.bounds.items):
            shown = self.any(key, depth)
            yield shown if isinstance(shown, str) else str(shown), self.any(value, depth)
        if length > self.bounds.items:
            self.truncated = True
            yield "…", f"+{length - self.bounds.items} more"

    def fields(
        self, value: object, names: tuple[str, ...], depth: int
    ) -> Iterator[tuple[str, Any]]:
        for name in names:
            try:
                held = object.__getattribute__(value, name)
            except Exception:  # noqa: BLE001  a property in the field's place runs user code
                held = "<unreadable>"
            yield name, self.any(held, depth)


def field_names(kind: type) -> tuple[str, ...] | None:
    """The declared fields of a Struct, dataclass or named tuple; None for other classes."""
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    if issubclass(kind, tuple):
        names = kind.__dict__.get("_fields")
        return names if isinstance(names, tuple) else None
    return None


def outline(value: Any, kind: type) -> str:
    """A class or function in a word or two."""
    if issubclass(kind, type):
        return f"<class {type_name(value)}>"
    return f"<function {value.__module__}.{value.__qualname__}>"


def stored(value: object, kind: type) -> dict[str, Any]:
    """The attributes an object of an ordinary class stores, in its dict and its slots.

    They are read with the descriptors Python itself made; a property in their place, which
    would be user code, is passed over.
    """
    found: dict[str, Any] = {}
    for base in type.mro(kind):
        for name, member in base.__dict__.items():
            if name == "__dict__" and isinstance(member, GetSetDescriptorType):
                held = member.__get__(value)
                found |= {key: held[key] for key in dict.keys(held) if isinstance(key, str)}
            elif isinstance(member, MemberDescriptorType):
                try:
                    found.setdefault(name, member.__get__(value))
                except AttributeError:
                    found.setdefault(name, "<unset>")
    return found


def number(value: int | float) -> Any:
    """`value`, or text for it where JSON has no number: huge, infinite, not a number."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if -(2**63) <= value < 2**63:
        return value
    return f"<int of {value.bit_length()} bits>"
