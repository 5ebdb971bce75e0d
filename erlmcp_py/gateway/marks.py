"""Which instance of an upstream has asked: a mark on the `requestState` that a client brings back.

What an upstream keeps in a state may make sense to the instance only that wrote it, so where there are
several, the state says which one that was. The mark is no secret: whoever changes it chooses another
instance, which refuses a state that is not its own as it would refuse any.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from erlmcp_py.protocol.jsonrpc import raw

_MARKED: Final = re.compile(r"erlmcp-py:([1-9][0-9]{0,8}):(.*)", re.DOTALL)
_value = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode


def mark(result: Raw, number: int) -> Raw:
    """The result, with the mark of this instance on its state, if it has one."""
    if b'"requestState"' not in bytes(result):
        return result
    members = _members(result)
    state = _value(members["requestState"]) if "requestState" in members else None
    if not isinstance(state, str):
        return result
    return raw({**members, "requestState": f"erlmcp-py:{number}:{state}"})


def read(params: Mapping[str, Any]) -> tuple[int | None, Mapping[str, Any]]:
    """The number of the instance that the parameters of a request name, if any, and they without its mark."""
    state = params.get("requestState")
    text = _value(state) if isinstance(state, Raw) else state
    found = _MARKED.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None, params
    return int(found[1]), {**params, "requestState": found[2]}
