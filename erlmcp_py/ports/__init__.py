"""Ports: operating-system processes owned by processes of ours (OTP: `open_port/2`).

`command` says what to start and refuses what cannot be, `opening` starts it, `port` is the process
with its `pipes`, `stdout` and `stderr` (in `lines`), `exit` how it ended, `family` who belongs to it,
`group` what they use, `ending` how all of them are brought to an end, `warden` what becomes of them if
the node is killed, `owned` which there are. It needs Linux (pidfds, /proc).
"""

from erlmcp_py.ports.command import Command, PortError
from erlmcp_py.ports.exit import Exit
from erlmcp_py.ports.group import Usage, usage
from erlmcp_py.ports.opening import open_port
from erlmcp_py.ports.owned import programs
from erlmcp_py.ports.port import Graces, Port, PortStatistics

__all__ = [
    "Command",
    "Exit",
    "Graces",
    "Port",
    "PortError",
    "PortStatistics",
    "Usage",
    "open_port",
    "programs",
    "usage",
]
