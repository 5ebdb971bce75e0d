"""`WWW-Authenticate` (RFC 9110, 11.6.1): several challenges, each a scheme and its parameters."""

from __future__ import annotations

import re
from typing import Final

import msgspec

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAM: Final = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')
_SCHEME: Final = re.compile(rf"({_TOKEN})(?:[ \t]+|(?=,)|$)")
_REST: Final = re.compile(r"[^,]*")
_GAP: Final = re.compile(r"[ \t,]*")
_MAX: Final = 8192


class Challenge(msgspec.Struct, frozen=True):
    """One of them. scheme: in lower case; params: by name in lower case."""

    scheme: str
    params: dict[str, str]

    @property
    def scopes(self) -> frozenset[str] | None:
        """What the `scope` parameter lists; None if there is none."""
        scope = self.params.get("scope")
        return None if scope is None else frozenset(scope.split())


def read_challenges(header: str) -> list[Challenge]:
    """What can be read of the header; what cannot is skipped."""
    text = header[:_MAX]
    found: list[Challenge] = []
    place = 0
    while (place := _end(_GAP, text, place)) < len(text):
        param = _PARAM.match(text, place)
        if param is not None and found:
            quoted = param[2]
            value = param[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found[-1].params.setdefault(param[1].lower(), value)
            place = param.end()
            continue
        scheme = _SCHEME.match(text, place)
        if scheme is not None:
            found.append(Challenge(scheme[1].lower(), {}))
            place = scheme.end()
        else:
            place = max(_end(_REST, text, place), place + 1)
    return found


def choose(challenges: list[Challenge]) -> Challenge:
    """The one that says most to an OAuth client: an error first, then where the metadata is."""
    ours = [one for one in challenges if one.scheme in ("bearer", "dpop")]
    for name in ("error", "resource_metadata", "scope"):
        for one in ours:
            if name in one.params:
                return one
    return ours[0] if ours else Challenge("", {})


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    assert found is not None
    return found.end()
