"""The program of a worker process: calls functions by their names, one at a time.

Requests come on standard input, ``(module, name, keywords)``; answers go to standard output:
``("returned", value)``, ``("raised", exception, traceback)``. What handlers print goes to standard
error. When the node is gone, whatever the reason, its end of the pipe closes, and this process ends
at once, in the middle of a call if need be.
"""

from __future__ import annotations

import importlib
import os
import queue
import threading
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

from erlmcp_py.server.workers.frames import HEADER, Lost, pack, unpack


def main() -> None:
    """Serve until standard input ends."""
    requests, answers = _take_pipes()
    waiting: queue.SimpleQueue[tuple[str, str, dict[str, Any]]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, waiting.put), daemon=True).start()
    while True:
        answer = _answer(*waiting.get())
        answers.write(answer)
        answers.flush()


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output, out of the reach of handlers."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _read(requests: BinaryIO, put: Callable[[Any], None]) -> None:
    while True:
        header = requests.read(HEADER.size)
        if len(header) < HEADER.size:
            os._exit(0)
        (size,) = HEADER.unpack(header)
        body = requests.read(size)
        if len(body) < size:
            os._exit(0)
        put(unpack(body))


def _answer(module: str, name: str, keywords: dict[str, Any]) -> bytes:
    try:
        target: Any = importlib.import_module(module)
        for part in name.split("."):
            target = getattr(target, part)
        return pack(("returned", target(**keywords)))
    except BaseException as error:  # noqa: BLE001 - it is raised again in the node
        return _raised(error)


def _raised(error: BaseException) -> bytes:
    told = "".join(traceback.format_exception(error))
    try:
        packed = pack(("raised", error, told))
        unpack(packed[HEADER.size :])
    except Exception:  # noqa: BLE001 - pickling runs code of the exception's class
        packed = pack(("raised", Lost(f"{type(error).__name__}: {error}"), told))
    return packed


if __name__ == "__main__":
    main()
