"""Bytes to lines of text that have a longest length."""

from __future__ import annotations

from collections.abc import Callable


class Lines:
    """Splits what it is fed and hands each line, without its newline, to `take`.

    Of a line longer than `limit` bytes the beginning is handed on, with an ellipsis, and the rest is
    dropped, so that a program that prints no newlines costs no memory. Bytes that are no UTF-8 are
    replaced.
    """

    __slots__ = ("_begun", "_limit", "_skipping", "_take")

    def __init__(self, take: Callable[[str], object], limit: int) -> None:
        self._take = take
        self._limit = limit
        self._begun = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> None:
        """Hand on the lines that `data` completes."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._add(piece)
            if not self._skipping:
                self._hand_on("")
            self._skipping = False
        self._add(rest)

    def finish(self) -> None:
        """Hand on what stands without a newline."""
        if self._begun:
            self._hand_on("")

    def _add(self, piece: bytes) -> None:
        if self._skipping:
            return
        self._begun += piece[: self._limit + 1 - len(self._begun)]
        if len(self._begun) > self._limit:
            del self._begun[self._limit :]
            self._skipping = True
            self._hand_on("…")

    def _hand_on(self, end: str) -> None:
        line = self._begun.removesuffix(b"\r").decode("utf-8", "replace") + end
        self._begun.clear()
        self._take(line)
