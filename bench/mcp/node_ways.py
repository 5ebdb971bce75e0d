"""How our node is told to serve what it does not serve by itself, and whether it can.

Each `Way` names the key of the configuration, or the option of `erlmcp-node run`, that a node must know;
one that does not is reported as not available, and the rows stay in the report.
"""

import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from erlmcp_py.config import Config

from .framing import upgrade


@dataclass(frozen=True, slots=True)
class Way:
    """keys: of the configuration, as `section.key`. option: of the command line. env: what is set, where
    ``{port}``, ``{certificate}`` and ``{key}`` are filled in."""

    keys: tuple[str, ...] = ()
    option: str = ""
    env: Mapping[str, str] = field(default_factory=dict)

    def lacking(self) -> str:
        """Why it is not available; "" if it is."""
        for key in self.keys:
            section: object = Config()
            for part in key.split("."):
                if part not in getattr(section, "__struct_fields__", ()):
                    return f"the configuration has no {key}"
                section = getattr(section, part)
        if self.option and self.option not in _options():
            return f"`erlmcp-node run` has no {self.option}"
        return ""


def lacks_websocket(port: int, path: str) -> str:
    """Why a running node has no WebSocket at `path`; "" if it has."""
    with socket.create_connection(("127.0.0.1", port), timeout=5.0) as connection:
        connection.sendall(upgrade(path, f"127.0.0.1:{port}"))
        status = connection.recv(4096)[9:12].decode()
    return "" if status == "101" else f"the upgrade at {path} is answered with {status}"


def _options() -> str:
    node = str(Path(sys.executable).with_name("erlmcp-node"))
    done = subprocess.run([node, "run", "--help"], capture_output=True, text=True, check=True)
    return done.stdout


TCP = {
    framing: Way(
        ("tcp.enabled", "tcp.port", "tcp.framing"),
        env={
            "ERLMCP__TCP__ENABLED": "true",
            "ERLMCP__TCP__PORT": "{port}",
            "ERLMCP__TCP__FRAMING": framing,
        },
    )
    for framing in ("newline", "length")
}
TLS = Way(
    ("http.tls.certificate", "http.tls.key"),
    env={"ERLMCP__HTTP__TLS__CERTIFICATE": "{certificate}", "ERLMCP__HTTP__TLS__KEY": "{key}"},
)
WORKERS = Way(option="--workers")
