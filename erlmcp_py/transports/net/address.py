"""Where a listener stands, as people write it: ``HOST:PORT``, ``[::1]:PORT`` or ``unix:/PATH``.

Inside, an address is a host and a port; a host that begins with ``unix:`` is the path of a socket
in the file system, and its port means nothing.
"""

from __future__ import annotations

from ipaddress import IPv6Network
from typing import Final

UNIX: Final = "unix:"


def parse_address(text: str) -> tuple[str, int]:
    """Host and port; the port of a Unix socket is 0. Raises ValueError with what would be right."""
    if text.startswith(UNIX):
        if not text.startswith(f"{UNIX}/"):
            raise ValueError("must be unix:/PATH, the path absolute")
        return text, 0
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, or unix:/PATH")
    return host, int(port)


def network_of(address: str) -> str:
    """Whose limit a client's address counts for: itself, and of IPv6 its network of 64 bits, as those
    who have one have all of it. Empty of a client on a Unix socket, which has none.
    """
    host, colon, _ = address.rpartition(":")
    if not colon:
        return ""
    if host.startswith("["):
        return str(IPv6Network((host[1:-1].partition("%")[0], 64), strict=False))
    return host


def format_address(host: str, port: int) -> str:
    """The other way round: ``host:port`` with IPv6 in brackets, or ``unix:/path``."""
    if host.startswith(UNIX):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
