"""One attack on one connection: it is sent, and every answer judged against the strict reader."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from typing import Any, Final

import trio

from erlmcp_py import registry
from tests.attack.http import strict
from tests.attack.http.answers import Answer, Reader, Wrong
from tests.attack.http.mutation import call

PATIENCE: Final = 20.0
"""Seconds after which something hangs; idle connections live longer."""


async def dial(port: int | None = None) -> Any:
    """A socket that is connected to the listener; port: where it is, if the registry cannot be asked."""
    if port is None:
        port = (await registry.transports())["http"].info["port"]
    sock = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await sock.connect(("127.0.0.1", port))
    return sock


async def clean_request(text: str = "clean") -> None:
    """A new client is served. Raises Wrong."""
    with trio.fail_after(PATIENCE), await dial() as sock:
        await send(sock, [call(random.Random(0), text)])
        check_good(await Reader(sock).answer(), text)


def check_good(answer: Answer | None, text: str) -> None:
    """Raises Wrong unless it is the answer to `call(..., text)`."""
    try:
        assert answer is not None
        said = answer.messages[-1]["result"]["content"][0]["text"]
    except (AssertionError, LookupError, TypeError) as problem:
        raise Wrong(f"a good request, and this answer: {answer}") from problem
    if answer.status != 200 or said != text:
        raise Wrong(f"asked for {text!r}: {answer}")


async def send(sock: Any, pieces: Sequence[bytes]) -> bool:
    """Send each by itself; False if the server had enough."""
    for piece in pieces:
        view = memoryview(piece)
        try:
            while view:
                view = view[await sock.send(view) :]
        except ConnectionError:
            return False
        if len(pieces) > 1:
            await trio.lowlevel.checkpoint()
    return True


async def attack(pieces: Sequence[bytes], nonce: str) -> list[Answer]:
    """Send it and a good request behind it; the answers. Raises Wrong, or TooSlowError if it hangs.

    What the strict reader takes for a request may be refused, and that is then the last answer. The
    good one gets its own answer or none.
    """
    good = call(random.Random(0), nonce)
    stream = b"".join(pieces) + good
    requests, end = strict.read(stream)
    answers: list[Answer] = []
    wrong: list[Wrong] = []

    async def listen(sock: Any, done: trio.CancelScope) -> None:
        try:
            await _listen(Reader(sock), stream, requests, end, answers)
        except Wrong as problem:
            wrong.append(problem)
        done.cancel()

    with trio.fail_after(PATIENCE), await dial() as sock:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, sock, nursery.cancel_scope)
            nursery.start_soon(_send_all, sock, [*pieces, good], end == "unfinished")
    if wrong:
        raise wrong[0]
    _judge(requests, end, answers, good, nonce)
    return answers


def _begun(stream: bytes, requests: list[strict.Read]) -> bytes:
    """The method of the request in which the stream stops being one."""
    rest = stream[requests[-1].end if requests else 0 :]
    while rest.startswith(b"\r\n"):
        rest = rest[2:]
    return rest.partition(b" ")[0]


async def _listen(
    reader: Reader, stream: bytes, requests: list[strict.Read], end: str, answers: list[Answer]
) -> None:
    while len(answers) < len(requests) or end != "end":
        request = requests[len(answers)] if len(answers) < len(requests) else None
        method = _begun(stream, requests) if request is None else request.method
        answer = await reader.answer(bodiless=method == b"HEAD", endless=method == b"GET")
        if answer is None:
            return
        answers.append(answer)
        if len(answers) > len(requests) + 1:
            raise Wrong(f"{len(answers)} answers to {len(requests)} requests: {answers}")
        if not answer.ended:
            return
        if answer.closes:
            if rest := await reader.rest():
                raise Wrong(f"more behind the last answer: {rest[:500]!r}")
            return


async def _send_all(sock: Any, pieces: Sequence[bytes], leave: bool) -> None:
    if await send(sock, pieces) and leave:
        sock.shutdown(socket.SHUT_WR)


def _judge(
    requests: list[strict.Read], end: str, answers: list[Answer], good: bytes, nonce: str
) -> None:
    body = good.partition(b"\r\n\r\n")[2]
    whole = True
    for number, answer in enumerate(answers):
        last = number == len(answers) - 1
        if not last and (answer.closes or not answer.ended):
            raise Wrong(f"answer {number} was the last, and then came more")
        whole = whole and not answer.closes and answer.ended
        if nonce.encode() in answer.body:
            if number >= len(requests) or nonce.encode() not in requests[number].body:
                raise Wrong(f"answer {number} is that of another request")
            if requests[number].body == body and requests[number].target == b"/mcp":
                check_good(answer, nonce)
    if end == "end" and whole and len(answers) != len(requests):
        raise Wrong(
            f"{len(answers)} answers to {len(requests)} requests, and closed without a word"
        )
    if end == "refused" and whole:
        raise Wrong(f"what has no one reading got {len(answers)} answers and no refusal")
