"""MCP on a TCP connection or a Unix socket: a client each, both eras, a process per connection.

`settings` is what a listener is told, `connection` serves one client. The sockets are those of `net`, the
cutting into messages is `framing`'s, what is said is a `conversation`.
"""

from erlmcp_py.transports.tcp.connection import child_spec
from erlmcp_py.transports.tcp.settings import TcpSettings

__all__ = ["TcpSettings", "child_spec"]
