"""Running a child's start function inside the supervisor (rule V3)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import trio

from .._errors import Ignore, SelfExit, StartError, Throw, reason_of, unwrap
from .._pid import Pid
from .plan import Failed, Ignored, Started, StartOutcome
from .spec import StartFunction


async def call_start(start: StartFunction) -> StartOutcome:
    """What calling a start function comes to; nothing it raises gets past here.

    A pid, or a pair of a pid and anything, means started; `Ignore` means ignored;
    `StartError(reason)` fails with that reason. A raise fails with ``("EXIT", reason)``,
    any other value with itself, as OTP's ``catch apply(M, F, A)`` has it.
    """
    function, args = start
    try:
        returned = function(*args)
        if isinstance(returned, Awaitable):
            returned = await returned
    except (trio.Cancelled, SelfExit, KeyboardInterrupt, GeneratorExit):
        raise  # the end of the supervisor itself
    except BaseException as error:
        if _holds_cancelled(error):
            raise
        return _failed(unwrap(error))
    return _read(returned)


def _read(returned: Any) -> StartOutcome:
    if isinstance(returned, Pid):
        return Started(returned, returned)
    if type(returned) is tuple and len(returned) == 2 and isinstance(returned[0], Pid):
        return Started(returned[0], returned)
    return Failed(returned)


def _failed(error: BaseException) -> StartOutcome:
    if isinstance(error, Ignore):
        return Ignored()
    if isinstance(error, StartError):
        return Failed(error.reason)
    if isinstance(error, Throw):
        return _read(error.value)
    return Failed(("EXIT", reason_of(error)[1]))


def _holds_cancelled(error: BaseException) -> bool:
    return isinstance(error, BaseExceptionGroup) and error.subgroup(trio.Cancelled) is not None
