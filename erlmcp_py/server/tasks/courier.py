"""Bringing the questions of a task to a client of 2025-11-25, on the stream of its `tasks/result`.

That revision has no `tasks/update`: its server asks by requests of its own, and a client that reads
"input_required" calls `tasks/result` to be asked (MCP 2025-11-25, tasks). Of two such calls one
brings a question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio
from msgspec import Raw
from msgspec.structs import replace

import supervisors
from erlmcp_py.protocol.errors import INTERNAL_ERROR, McpError, refused
from erlmcp_py.protocol.input import InputRequest, method_of
from erlmcp_py.protocol.jsonrpc import ErrorObject, Message, raw
from erlmcp_py.protocol.meta import RELATED_TASK
from erlmcp_py.protocol.refusals import RESOURCE_NOT_FOUND
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.protocol.wire import RequestParams
from erlmcp_py.server.interaction.question import Refused
from erlmcp_py.server.tasks.book import Pending, TaskBook
from erlmcp_py.server.tasks.record import TaskRecord
from erlmcp_py.sessions.asks import Ask, Withdraw
from supervisors import CallExit, Pid

Send = Callable[[Message], bool]


async def outcome_of(book: TaskBook, id: str, peer: Pid | None, send: Send) -> TaskRecord:
    """The record when the task has ended; meanwhile its questions are put to the client, if there is
    a way to it. Raises McpError if the task is forgotten before.
    """
    asker = supervisors.self()
    async with trio.open_nursery() as nursery:
        while True:
            record = book.get(id)
            if record is None:
                raise unknown_task(id)
            if record.ended:
                nursery.cancel_scope.cancel()
                return record
            if peer is not None:
                for key, request in record.questions.items():
                    pending = book.pending(id).get(key)
                    if pending is not None and not pending.carried:
                        pending.carried = True
                        nursery.start_soon(
                            _carry, book, record, key, request, pending, asker, peer, send
                        )
            await book.change(id)


async def _carry(
    book: TaskBook,
    record: TaskRecord,
    key: str,
    request: InputRequest,
    pending: Pending,
    asker: Pid,
    peer: Pid,
    send: Send,
) -> None:
    ticket = object()
    ask = Ask(asker, ticket, method_of(request), _params_of(request, record), send)
    try:
        kind, value = await supervisors.call(peer, ask, float("inf"))
    except CallExit:
        return  # the way is lost; the client may come by another
    except trio.Cancelled:
        supervisors.cast(peer, Withdraw(ticket, "the answer is not needed any more"))
        raise
    finally:
        pending.carried = False
    if kind == "result":
        problem = book.answer(record.id, {key: value}).get(key)
        if problem is not None:
            text = f"the client's answer to {ask.method} cannot be used: {problem}"
            book.refuse(record.id, key, Refused("error", text))
    elif kind == "error":
        error: ErrorObject = value
        text = f"the client refused {ask.method}: {error.message} ({error.code})"
        book.refuse(record.id, key, Refused("error", text))


def related(record: TaskRecord) -> dict[str, Any]:
    """The `_meta` of what belongs to a task."""
    return {RELATED_TASK: {"taskId": record.id}}


def unknown_task(id: str) -> McpError:
    """-32602: there is no such task, or no longer, or it is somebody else's."""
    return refused(RESOURCE_NOT_FOUND, f"Unknown task: {id!r}")


def was_cancelled(record: TaskRecord) -> McpError:
    """The outcome of a task that was cancelled: there is none."""
    return McpError(INTERNAL_ERROR, f"The task {record.id!r} was cancelled")


def _params_of(request: InputRequest, record: TaskRecord) -> Raw:
    params = RequestParams() if request.params is None else request.params
    meta = {**(params.meta or {}), **related(record)}
    return raw(replace(fit(params, record.version), meta=meta))
