"""Taking a message back out of a mailbox: what `demonitor(flush=True)` needs (P10).

WHY a module: the two kinds of mailbox keep mail differently. A task process has a deque of
messages; a callback process has a list that grows and one that is being walked by an
iterator, from which only what the iterator has not reached may go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._callback import CallbackProcess
from ._process import INFO, Envelope, Process
from ._task import TaskProcess


def take_back(process: Process, match: Callable[[Any], bool]) -> bool:
    """Remove the first waiting message that `match` accepts; whether there was one.

    Only plain messages are looked at, never calls and casts.
    """
    if isinstance(process, TaskProcess):
        for at, message in enumerate(process.mailbox):
            if match(message):
                del process.mailbox[at]
                return True
        return False
    if not isinstance(process, CallbackProcess):
        return False
    if process.box is not None and process.batch is not None:
        left: int = process.batch.__length_hint__()  # type: ignore[attr-defined]
        if _take_from(process.box, len(process.box) - left, match):
            return True
    return process.mailbox is not None and _take_from(process.mailbox, 0, match)


def _take_from(box: list[Any], start: int, match: Callable[[Any], bool]) -> bool:
    for at in range(start, len(box)):
        entry = box[at]
        if type(entry) is Envelope and entry.kind == INFO and match(entry.body):
            del box[at]
            return True
    return False
