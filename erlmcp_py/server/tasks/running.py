"""The process of a task: it runs the handler and writes down what comes of it.

It belongs to a supervisor, not to the server process or to the connection that began it, so what
happens to them does not matter to it. It is never restarted: nobody knows how far it had come.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import supervisors
from erlmcp_py.protocol.errors import McpError, refused
from erlmcp_py.protocol.jsonrpc import RequestId
from erlmcp_py.protocol.refusals import INTERNAL_ERROR
from erlmcp_py.server.call import Call
from erlmcp_py.server.context import Context
from erlmcp_py.server.failures import answer_to, describe_reason
from erlmcp_py.server.interaction.rounds import Carried
from erlmcp_py.server.running import run_handler
from erlmcp_py.server.scope import Scope
from erlmcp_py.server.tasks.book import TaskBook
from erlmcp_py.server.tasks.questions import TaskQuestions
from supervisors import Pid


@dataclass(frozen=True, slots=True)
class Job:
    """A tool call to be run as a task. scope: of the request that began it; nothing of it leads to the
    client any more.
    """

    call: Call
    scope: Scope
    request_id: RequestId
    server_name: str
    carried: Carried = field(default_factory=Carried)


class TaskHandle:
    """What the `Context` of a task knows of it."""

    __slots__ = ("_book", "id")

    def __init__(self, book: TaskBook, id: str) -> None:
        self._book = book
        self.id = id

    def say(self, message: str) -> None:
        """Tell how far it is; on the loop's thread."""
        self._book.say(self.id, message)


async def start_task(book: TaskBook, id: str) -> Pid:
    """Start the process of a task."""
    return supervisors.spawn_link(run_task, book, id, label=f"task {id}")


async def run_task(book: TaskBook, id: str) -> None:
    """The life of the process."""
    job = book.take(id, supervisors.self())
    if job is None:
        return  # it was cancelled, or a manager that fell had begun it
    call = job.call
    supervisors.set_label(f"task {call.name} {id}")
    name = call.handler.context_name
    if name is not None:
        questions = None
        if call.handler.mode != "inline":
            questions = TaskQuestions(book, id, job.carried)
        call.context = call.keywords[name] = Context(
            job.scope,
            job.request_id,
            None,
            job.server_name,
            questions,
            TaskHandle(book, id),
            call.state,
        )
    try:
        value = await run_handler(call, book.threads)
        if isinstance(value, Exception):
            value = answer_to(value, call, job.scope.era)
        book.finish(id, value)
    except Exception as error:
        reason = error.reason if isinstance(error, supervisors.Exit) else error
        book.finish(id, failure(call.name, reason))
        raise
    finally:
        if call.context is not None:
            call.context.close()


def failure(tool: str, reason: object) -> McpError:
    """What has become of a task whose process did not bring it to its end."""
    return refused(INTERNAL_ERROR, f"Tool {tool!r} crashed: {describe_reason(reason)}")
