"""How the processes of tests live, and hearing how they ended."""

from __future__ import annotations

from typing import Any

from supervisors import Ref, receive


def raises(error: BaseException) -> Any:
    """A callback, or a request that is called by one, that raises `error`."""

    def fn(*_: Any) -> Any:
        raise error

    return fn


async def down_of(ref: Ref) -> Any:
    """The reason that the DOWN of a monitor tells."""
    return (await receive(lambda m: m[0] == "DOWN" and m[1] is ref))[4]
