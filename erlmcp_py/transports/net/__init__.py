"""Sockets: what every network transport needs and none of them should write again.

From small to large: `address` reads and writes addresses, `door` is the listening descriptor that
outlives its processes, `wire` one connected socket, `protocol` what a transport adds, `pool` the
connections of one listener with their limit and their reaper, `listener` the owner of the door and
the acceptor, `supervisor` the tree that holds them together, `settings` what a listener is told.

A protocol is plugged in with three things::

    class LineSettings(ListenerSettings, frozen=True, kw_only=True):    # 1. what it is told
        name: str = "lines"

    class LineConnection(Connection):                                   # 2. one client
        async def serve(self) -> None:                                  #    until either side closes
            while data := await self.wire.read():
                self.begin()                                            #    a request is complete
                self.wire.write(data.upper())
                self.end()                                              #    it is answered
                await self.wire.flush()

    settings = LineSettings(port=0)                                     # 3. the spec of its listener
    protocol = Protocol("lines", LineConnection, turned_away=lambda why: b"no")
    spec = child_spec(settings, protocol)

The connection runs as a process of its own, linked to the pool: it may crash, be killed or be
reaped at any moment, and nobody else notices. `begin` and `end` are what the reaper goes by: a
connection without a request for `idle_timeout`, or one whose client does not take what it was sent,
is closed. `say_goodbye` is called when the listener is stopped.
"""
