"""Who can reach a listener: this machine, or whoever has its address.

A node has tools that act. In the `dev` profile it listens where only this machine can reach it; in
`prod` it listens where it is told, and says so when nothing stands between it and the network.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from erlmcp_py.config import Config, TlsConfig


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`: a loopback address, localhost, or
    a Unix socket (``unix:/PATH``).
    """
    if host.startswith("unix:") or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def exposed(config: Config) -> list[str]:
    """What has to be said about each listener that others can reach, a line for each."""
    found = []
    if config.http.enabled:
        found.append(_exposed("http", config.http.host, config.http.tls))
    if config.tcp.enabled:
        found.append(_exposed("tcp", config.tcp.host, config.tcp.tls))
    return [line for line in found if line is not None]


def _exposed(name: str, host: str, tls: TlsConfig) -> str | None:
    missing = []
    if not tls.certificate:
        missing.append("without TLS (others can read and change what is said)")
    if tls.client_certificates != "required":
        missing.append("without authorization (whoever reaches it can call every tool)")
    if is_loopback(host) or not missing:
        return None
    return f"{name} listens on {host}, beyond this machine, {' and '.join(missing)}"
