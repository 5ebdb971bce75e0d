"""What can be wrong with a connection: the toxics of a fault proxy, as data.

The word and most of the kinds are Toxiproxy's. Each toxic acts on one direction or on both, and on
a share of the connections (`toxicity`), drawn once per connection.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

Direction = Literal["upstream", "downstream"]
"""``upstream``: what the client sends. ``downstream``: what it gets."""

UPSTREAM: Final[Direction] = "upstream"
DOWNSTREAM: Final[Direction] = "downstream"

LONGEST: Final = 86_400.0
"""Seconds a toxic may hold something."""

MOST_BYTES: Final = 2**40

_LIMITS: Final[dict[str, tuple[float, float]]] = {
    "toxicity": (0.0, 1.0),
    "share": (0.0, 1.0),
    "delay": (0.0, LONGEST),
    "jitter": (0.0, LONGEST),
    "rate": (1, MOST_BYTES),
    "size": (1, MOST_BYTES),
    "variation": (0, MOST_BYTES),
    "after": (0, MOST_BYTES),
    "spread": (0, MOST_BYTES),
}


class BadToxic(ValueError):
    """A description that makes no toxic; the text says what is wrong and what would be right."""


class _Base(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """What all have. direction: which way it acts. toxicity: share of the connections it hits."""

    direction: Literal["upstream", "downstream", "both"] = "both"
    toxicity: float = 1.0

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            if field in _LIMITS:
                low, high = _LIMITS[field]
                value = getattr(self, field)
                if not low <= value <= high:
                    raise BadToxic(
                        f"{field} of {self.kind} must be between {low:g} and {high:g}, not {value!r}"
                    )

    @property
    def kind(self) -> str:
        """What it is called."""
        return str(self.__struct_config__.tag)

    def acts(self, direction: Direction) -> bool:
        """Whether it acts on what goes in `direction`."""
        return self.direction in ("both", direction)

    def parameters(self) -> dict[str, Any]:
        """Its own fields and their values."""
        return {
            field: getattr(self, field)
            for field in self.__struct_fields__
            if field not in ("direction", "toxicity")
        }


class Latency(_Base, frozen=True, kw_only=True, tag="latency"):
    """Everything comes `delay` seconds later, give or take up to `jitter`; never out of order."""

    delay: float = 0.1
    jitter: float = 0.0


class Bandwidth(_Base, frozen=True, kw_only=True, tag="bandwidth"):
    """At most `rate` bytes per second."""

    rate: int = 10_000


class Loss(_Base, frozen=True, kw_only=True, tag="loss"):
    """A `share` of the packets is lost, as TCP shows it: all behind one waits until it was sent again.

    delay: seconds until it is, twice as long each further time that it is lost again, as TCP's
    retransmission timer does (RFC 6298, 5.5); 0.2 is the least of Linux.
    """

    share: float = 0.05
    delay: float = 0.2


class Reset(_Base, frozen=True, kw_only=True, tag="reset"):
    """Both sides get a reset (RST) once `after` bytes have passed, and up to `spread` more, by chance."""

    after: int = 0
    spread: int = 0


class HalfOpen(_Base, frozen=True, kw_only=True, tag="half_open"):
    """After `after` bytes nothing comes any more, no end either, as if the host had lost its power.

    Upstream, the node waits for a client that is gone; downstream, the client for the node; both
    ways and after 0 bytes, it is a connection that was accepted and then nothing. Without the toxic
    what was held goes on, as after a partition.
    """

    after: int = 0


class Corruption(_Base, frozen=True, kw_only=True, tag="corruption"):
    """A `share` of the bytes becomes another byte."""

    share: float = 0.001


class Slicer(_Base, frozen=True, kw_only=True, tag="slicer"):
    """Data comes in pieces of `size` bytes, give or take up to `variation`, `delay` seconds apart.

    Without a delay they leave one by one all the same, but the receiver may find several at once.
    """

    size: int = 1
    variation: int = 0
    delay: float = 0.001


class LimitData(_Base, frozen=True, kw_only=True, tag="limit_data"):
    """The connection is closed once `after` bytes have passed."""

    after: int = 0


class SlowClose(_Base, frozen=True, kw_only=True, tag="slow_close"):
    """The end of the data is told `delay` seconds later."""

    delay: float = 1.0


Toxic: TypeAlias = (
    Latency | Bandwidth | Loss | Reset | HalfOpen | Corruption | Slicer | LimitData | SlowClose
)

KINDS: Final[dict[str, type[Toxic]]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        Latency,
        Bandwidth,
        Loss,
        Reset,
        HalfOpen,
        Corruption,
        Slicer,
        LimitData,
        SlowClose,
    )
}


def toxic(kind: str, given: Mapping[str, Any]) -> Toxic:
    """The toxic that somebody typed: `given` holds fields by name. Raises `BadToxic`."""
    made = KINDS.get(kind)
    if made is None:
        raise BadToxic(f"there is no toxic {kind!r}; there are {', '.join(KINDS)}")
    for field, value in given.items():
        if field not in made.__struct_fields__:
            raise BadToxic(f"{kind} has no {field}; it has {_listed(made.__struct_fields__)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise BadToxic(f"{field} of {kind} must be a number, not {value!r}")
    try:
        return msgspec.convert({"type": kind, **given}, made)
    except msgspec.ValidationError as error:
        raise BadToxic(str(error).removesuffix(" - at `$`")) from None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
