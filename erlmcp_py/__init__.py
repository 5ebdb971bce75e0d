"""The MCP node: servers written in Python, kept alive by an OTP supervision tree.

Floors, from the ground up: `protocol`; `config`, `telemetry`, `guards`, `auth`, `sessions`;
`server`, `client`, `registry`; `transports`; `ops`, `console`; `node`, `cli`. A module imports its
own floor or lower ones, never upwards.
"""

__version__ = "0.1.0"
