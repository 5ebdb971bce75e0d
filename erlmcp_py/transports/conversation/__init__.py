"""One MCP client on a two-way channel of messages, both eras, whatever carries the messages.

`conversation` takes the client's messages and the mailbox of the process that serves it, `calls` are
its requests at work, `handshake` says under which circumstances a request runs, `listening` is what the
client is told of changes, `memory` is what a process that takes over has to know. None of them knows
bytes or descriptors: a transport hands in whole messages and a function that writes one::

    talk = Conversation(limits, memory, write, transport="lines", server=None, client="lines 7")
    talk.take_over()
    while True:
        for line in lines_that_came:
            if talk.crowded:
                ...                         # read the mailbox: answers in it make room; advance
            await talk.take(line)
        await talk.advance()                # requests that waited for room
        talk.handle(await receive())        # answers, notifications, questions; then write

The transport owns the process: it reads its mailbox, and gives every message that is not its own to
`handle`. At the end of the input it calls `finish` until that answers True; when the client is gone,
`abandon`; when it is itself stopped, `say_goodbye` before that.
"""

from erlmcp_py.transports.conversation.conversation import Conversation, Limits
from erlmcp_py.transports.conversation.memory import Memory

__all__ = ["Conversation", "Limits", "Memory"]
