"""A step of a handler that must not happen twice, and its result in the form that survives."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import msgspec


async def run_step(step: Callable[[], Any]) -> tuple[Any, msgspec.Raw]:
    """The result of `step` (awaited if it has to be) as JSON reads it back, and the JSON.

    In either era, so that a handler sees the same whether the step has just run or ran in an
    earlier round. TypeError if the result has no JSON form.
    """
    value = step()
    if inspect.isawaitable(value):
        value = await value
    encoded = msgspec.json.encode(value)
    return msgspec.json.decode(encoded), msgspec.Raw(encoded)
