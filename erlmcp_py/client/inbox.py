"""What a server says that is no answer: news for the program, and questions.

One for a client, whatever connections it has had. News are handed on at once, in order, on the
connection's own stack; a handler that raises is reported and changes nothing for anybody else. A question
gets a process of its own, so the connection reads on while a user thinks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from erlmcp_py.client.calls import Call, OnLog
from erlmcp_py.client.errors import ConnectionLost
from erlmcp_py.client.handlers import Answerer
from erlmcp_py.client.identity import encode_error, encode_result
from erlmcp_py.protocol import notifications as names
from erlmcp_py.protocol.errors import INTERNAL_ERROR, McpError
from erlmcp_py.protocol.jsonrpc import Notification, Request, RequestId, params_as
from erlmcp_py.protocol.notifications import (
    CancelledParams,
    LoggingMessageParams,
    ProgressParams,
    ProgressToken,
)
from erlmcp_py.protocol.subscriptions import LISTEN
from supervisors import Pid, WarningReport, current_runtime, exit_signal, spawn

MAX_QUESTIONS: Final = 100
"""Questions of one server that may wait for their answers; more are refused."""

OnNotification = Callable[[Notification], object]
Reply = Callable[[bytes], object]

_decode = msgspec.json.Decoder().decode


class Inbox:
    """See the module. on_log: gets `notifications/message`; on_notification: every notification that
    comes, before anybody else does.
    """

    def __init__(
        self, handlers: Answerer, on_log: OnLog | None, on_notification: OnNotification | None
    ) -> None:
        self.handlers = handlers
        self.on_notification = on_notification
        self._on_log = on_log
        self._listeners: dict[str, list[Callable[[Notification], object]]] = {}
        self._asked: dict[tuple[object, RequestId], Pid] = {}

    def listen(self, method: str, listener: Callable[[Notification], object]) -> None:
        """Have every notification of that name handed on."""
        self._listeners.setdefault(method, []).append(listener)

    def unlisten(self, method: str, listener: Callable[[Notification], object]) -> None:
        """The contrary of `listen`."""
        self._listeners[method].remove(listener)

    # --- news ---------------------------------------------------------------------------

    def notified(
        self,
        message: Notification,
        link: object,
        find: Callable[[ProgressToken], Call | None],
        call: Call | None = None,
    ) -> None:
        """A notification came. find: the call that a progress token belongs to. call: that on whose
        stream it came, if it has one.
        """
        if self.on_notification is not None:
            self._hand(self.on_notification, message)
        try:
            if message.method == names.PROGRESS:
                progress = params_as(message, ProgressParams)
                meant = find(progress.progress_token)
                if meant is not None:
                    self._hand(meant.progressed, progress)
            elif message.method == names.MESSAGE:
                on_log = self._on_log if call is None or call.on_log is None else call.on_log
                if on_log is not None:
                    self._hand(on_log, params_as(message, LoggingMessageParams))
            elif message.method == names.CANCELLED:
                self._withdrawn(link, params_as(message, CancelledParams).request_id, find)
        except McpError as problem:
            report(f"the server sent a malformed {message.method}", str(problem))
            return
        for listener in tuple(self._listeners.get(message.method, ())):
            self._hand(listener, message)

    def _hand(self, handler: Callable[[Any], object], value: Any) -> None:
        try:
            handler(value)
        except Exception as error:  # noqa: BLE001 -- a program's own handler
            report("a handler of notifications failed", repr(error))

    # --- questions ----------------------------------------------------------------------

    def asked(
        self,
        request: Request,
        link: object,
        version: str,
        reply: Reply,
        waiting: Sequence[Call] = (),
        call: Call | None = None,
    ) -> None:
        """A request of a server. reply: sends the answer; in the process that answers. waiting: the calls
        that may need it, whose time stands still. call: that on whose stream it came, if it has one.
        """
        if request.method == "ping":
            reply(encode_result(request.id, {}))
            return
        key = (link, request.id)
        if len(self._asked) >= MAX_QUESTIONS or key in self._asked:
            text = (
                "too many questions wait for an answer" if key not in self._asked else "id is used"
            )
            reply(encode_error(request.id, INTERNAL_ERROR, text))
            return
        handlers = self.handlers if call is None or call.answerer is None else call.answerer
        self._asked[key] = spawn(
            self._answer,
            request,
            key,
            version,
            reply,
            handlers,
            waiting if call is None else (call,),
            label=f"answers {request.method}",
        )

    async def _answer(
        self,
        request: Request,
        key: tuple[object, RequestId],
        version: str,
        reply: Reply,
        handlers: Answerer,
        waiting: Sequence[Call],
    ) -> None:
        answer = encode_error(request.id, INTERNAL_ERROR, "the client was interrupted")
        for call in waiting:
            call.hold()
        try:
            params = {} if request.params is None else _decode(request.params)
            result = await handlers.answer(request.method, params, version)
            answer = encode_result(request.id, result)
        except McpError as error:
            answer = encode_error(request.id, error.code, error.message, error.data)
        except Exception as error:  # noqa: BLE001 -- a program's own handler
            report(f"the handler of {request.method} failed", repr(error))
            text = f"the client failed to answer {request.method}: {type(error).__name__}"
            answer = encode_error(request.id, INTERNAL_ERROR, text)
        finally:
            for call in waiting:
                call.release()
            # False: the server has withdrawn the question, or its connection is gone.
            if self._asked.pop(key, None) is not None:
                reply(answer)

    def _withdrawn(
        self, link: object, id: RequestId | None, find: Callable[[ProgressToken], Call | None]
    ) -> None:
        """A question of the server's, or (2026-07-28) a subscription of ours, which it tears down."""
        if id is None:
            return
        pid = self._asked.pop((link, id), None)
        if pid is not None:
            exit_signal(pid, "kill")
        call = find(id)
        if call is not None and call.method == LISTEN:
            call.settle(ConnectionLost("the server has ended the subscription"))

    def forget(self, link: object) -> None:
        """The connection is gone, and with it whoever wants to know."""
        for key in [key for key in self._asked if key[0] is link]:
            exit_signal(self._asked.pop(key), "kill")


def report(text: str, detail: str) -> None:
    """Tell whoever subscribes to the runtime's reports."""
    current_runtime().reports.emit(WarningReport(None, f"client: {text}", {"detail": detail}))
