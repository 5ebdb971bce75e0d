"""Ports: operating-system processes owned by processes of ours (OTP: `open_port/2`).

`command` says what to start and refuses what cannot be, `port` is the process with its pipes,
`exit` how it ended, `group` who belongs to it and what they use, `ending` how all of them are
brought to an end, `warden` what becomes of them if the node is killed, `lines` how standard error
is read, `owned` which there are. It needs Linux (pidfds, /proc).
"""

from erlmcp_py.ports.command import Command, PortError
from erlmcp_py.ports.exit import Exit
from erlmcp_py.ports.group import Usage, usage
from erlmcp_py.ports.owned import programs
from erlmcp_py.ports.port import Graces, Port, PortStatistics, open_port

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
