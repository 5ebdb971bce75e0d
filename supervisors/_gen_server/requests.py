"""Requests without waiting: how their answers are taken, one by one or from many (G16).

`send_request` sends a call and goes on; its answer comes to the mailbox of the process
that sent it. These functions take it from there. A failure is an answer too, not an exit.

    >>> import supervisors
    >>> from supervisors import GenServer, receive_response, send_request
    >>> class Doubler(GenServer):
    ...     def handle_call(self, number, from_, state):
    ...         return "reply", 2 * number, state
    >>> async def main():
    ...     doubler = await Doubler.start()
    ...     requests = supervisors.reqids_new()
    ...     for number in (1, 2, 3):
    ...         supervisors.reqids_add(send_request(doubler, number), number, requests)
    ...     answers = []
    ...     while (got := await receive_response(requests, 1.0, delete=True)) != "no_request":
    ...         (_, answer), label, _ = got
    ...         answers.append((label, answer))
    ...     return answers
    >>> supervisors.run(main)
    [(1, 2), (2, 4), (3, 6)]
"""

from __future__ import annotations

import math
from typing import Any, Literal, overload

import trio

from .._errors import Reason
from .._names import Name
from .._pid import Pid
from .._task import receive
from .calls import RequestId, abandon

Response = tuple[Literal["reply"], Any] | tuple[Literal["error"], tuple[Reason, Pid | Name]]
"""``("reply", value)`` or ``("error", (reason, server))``; server: as it was asked for."""


class RequestIds:
    """A collection of requests, each with a label of the asker's choice.

    One object that changes: what OTP's functions return is the collection they were given.
    """

    __slots__ = ("_labels",)

    def __init__(self) -> None:
        self._labels: dict[RequestId, Any] = {}

    def add(self, request: RequestId, label: Any) -> None:
        if request in self._labels:
            raise ValueError("reqids_add(): the request is in this collection already")
        self._labels[request] = label

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, request: object) -> bool:
        return request in self._labels

    def items(self) -> list[tuple[RequestId, Any]]:
        return list(self._labels.items())

    def label(self, request: RequestId, *, delete: bool) -> Any:
        return self._labels.pop(request) if delete else self._labels[request]


CollectedResponse = tuple[Response, Any, RequestIds]
"""``(response, label, collection)``."""


def reqids_new() -> RequestIds:
    """An empty collection."""
    return RequestIds()


def reqids_add(request: RequestId, label: Any, collection: RequestIds) -> RequestIds:
    """Put a request into a collection. ValueError when it is in there already."""
    collection.add(request, label)
    return collection


def reqids_size(collection: RequestIds) -> int:
    """How many requests are in a collection."""
    return len(collection)


def reqids_to_list(collection: RequestIds) -> list[tuple[RequestId, Any]]:
    """``(request, label)`` for each, oldest first."""
    return collection.items()


@overload
async def receive_response(
    request: RequestId, timeout: float = math.inf
) -> Response | Literal["timeout"]: ...


@overload
async def receive_response(
    request: RequestIds, timeout: float = math.inf, *, delete: bool
) -> CollectedResponse | Literal["timeout", "no_request"]: ...


async def receive_response(
    request: RequestId | RequestIds, timeout: float = math.inf, *, delete: bool = False
) -> Any:
    """Wait for the answer to a request; after `timeout` seconds "timeout", and it is forgotten.

    Of a collection: the next answer to any, as ``(response, label, collection)``; delete:
    whether that request leaves the collection. "no_request" when it is empty; a time-out
    forgets all that are in it. From the task process that sent the requests only.
    """
    if isinstance(request, RequestId):
        response: Any = await wait_response(request, timeout)
        if response == "timeout":
            abandon(request)
        return response
    response = await wait_response(request, timeout, delete=delete)
    if response == "timeout":
        for each, _ in reqids_to_list(request):
            abandon(each)
    return response


@overload
async def wait_response(
    request: RequestId, timeout: float = math.inf
) -> Response | Literal["timeout"]: ...


@overload
async def wait_response(
    request: RequestIds, timeout: float = math.inf, *, delete: bool
) -> CollectedResponse | Literal["timeout", "no_request"]: ...


async def wait_response(
    request: RequestId | RequestIds, timeout: float = math.inf, *, delete: bool = False
) -> Any:
    """As `receive_response`, but a time-out changes nothing: wait again."""
    if isinstance(request, RequestIds) and not len(request):
        return "no_request"
    try:
        message = await receive(lambda m: _answers(m, request), timeout=timeout)
    except trio.TooSlowError:
        return "timeout"
    if isinstance(request, RequestId):
        return check_response(message, request)
    return check_response(message, request, delete=delete)


@overload
def check_response(message: Any, request: RequestId) -> Response | Literal["no_reply"]: ...


@overload
def check_response(
    message: Any, request: RequestIds, *, delete: bool
) -> CollectedResponse | Literal["no_reply", "no_request"]: ...


def check_response(message: Any, request: RequestId | RequestIds, *, delete: bool = False) -> Any:
    """The answer that a message from the mailbox is to a request, else "no_reply"."""
    if isinstance(request, RequestIds) and not len(request):
        return "no_request"
    if not _answers(message, request):
        return "no_reply"
    tag, answered, value = message
    response = ("reply", value) if tag == "$reply" else ("error", (value, answered.dest))
    if isinstance(request, RequestIds):
        return response, request.label(answered, delete=delete), request
    return response


def _answers(message: Any, request: RequestId | RequestIds) -> bool:
    return (
        type(message) is tuple
        and len(message) == 3
        and isinstance(message[1], RequestId)
        and message[0] in ("$reply", "$error")
        and (message[1] is request if isinstance(request, RequestId) else message[1] in request)
    )
