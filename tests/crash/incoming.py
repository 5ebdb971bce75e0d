"""What comes in on a stream, byte by byte."""

from __future__ import annotations

import trio


class Closed(Exception):
    """The connection ended before what was waited for was complete."""


class Incoming:
    """The client's end of one connection. peer: the name it has in the node."""

    def __init__(self, stream: trio.SocketStream, peer: str) -> None:
        self.stream = stream
        self.peer = peer
        self.buffer = b""
        """What has come, and nobody has taken."""
        self.whole_at = trio.current_time()
        """When something last came, or it was opened."""

    async def exactly(self, count: int) -> bytes:
        """So many bytes. Raises `Closed`."""
        while len(self.buffer) < count:
            await self._more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    async def until(self, mark: bytes) -> bytes:
        """What comes before a mark. Raises `Closed`."""
        while mark not in self.buffer:
            await self._more()
        taken, _, self.buffer = self.buffer.partition(mark)
        return taken

    async def _more(self) -> None:
        try:
            data = await self.stream.receive_some(65536)
        except trio.BrokenResourceError:
            data = b""
        if not data:
            raise Closed
        self.buffer += data
        self.whole_at = trio.current_time()
