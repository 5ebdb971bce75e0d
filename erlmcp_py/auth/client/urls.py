"""URLs of resources, issuers and their metadata: the canonical form, and which may be fetched at all."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from erlmcp_py.auth.client.errors import AuthorizationError, shown

_PORTS = {"http": 80, "https": 443}
_MAX_URL = 2048
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def canonical(url: str) -> str:
    """The URI of an MCP server as RFC 8707 wants it: scheme and host in lower case, no port that goes
    without saying, no fragment, no lone slash (MCP, canonical server URI).
    """
    parts = urlsplit(url)
    path = "" if parts.path == "/" and not parts.query else parts.path
    return origin(url) + path + (f"?{parts.query}" if parts.query else "")


def origin(url: str) -> str:
    """Scheme, host and port. Raises AuthorizationError if the URL has none."""
    parts = _split(url)
    assert parts.hostname is not None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port
    return f"{parts.scheme}://{host}" + (
        "" if port is None or port == _PORTS[parts.scheme] else f":{port}"
    )


def is_loopback(url: str) -> bool:
    """Whether the URL names this machine, and says so without being resolved."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check(url: str, what: str, *, local: bool) -> str:
    """The URL, if it may be fetched or shown: https; http only on this machine, and only if `local`, that
    is if the MCP server is on this machine too. WHY: what a server of the network names must not make
    us talk to services of this machine. Raises AuthorizationError.
    """
    parts = _split(url, what)
    near = is_loopback(url)
    if near and not local:
        raise AuthorizationError(f"{what} is {shown(url)}, on this machine; the server is not")
    if parts.scheme != "https" and not near:
        raise AuthorizationError(f"{what} is {shown(url)}; it must begin with https:")
    return url


def check_named(url: str, what: str, by: str) -> str:
    """The same for what another URL has named: it leads no further inside than that one is itself. WHY:
    a server of the network could have us knock at doors that only we can reach. Names are not resolved;
    behind one that leads inside, somebody would need its certificate. Raises AuthorizationError.
    """
    there = _place(_split(url, what))
    if there < _place(_split(by)):
        where = "on this machine" if there == _HERE else "in a private network"
        raise AuthorizationError(f"{what} is {shown(url)}, {where}; the server is not")
    return check(url, what, local=is_loopback(by))


_HERE, _INSIDE, _OUTSIDE = range(3)


def _place(parts: SplitResult) -> int:
    """How far away a host is, by what it is called."""
    name = (parts.hostname or "").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return _HERE
    address = _address(name)
    if address is None:
        return _OUTSIDE
    if address.is_loopback or address.is_unspecified:
        return _HERE
    return _OUTSIDE if address.is_global and not address.is_multicast else _INSIDE


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None for what is none; also of what only the system's resolver takes for one, such as 127.1."""
    try:
        found = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(name))
        except OSError:
            return None
    if isinstance(found, ipaddress.IPv6Address):
        if found in _NAT64:
            return ipaddress.IPv4Address(found.packed[-4:])
        return found.ipv4_mapped or found.sixtofour or found
    return found


def _split(url: str, what: str = "the URL") -> SplitResult:
    text = shown(url)
    if len(url) > _MAX_URL or not url.isascii() or any(s <= " " or s == "\x7f" for s in url):
        raise AuthorizationError(f"{what} is {text!r}, which is no URL")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise AuthorizationError(f"{what} is {text!r}, which is no URL") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise AuthorizationError(f"{what} is {text!r}, which is no address of an HTTP server")
    if parts.username is not None or parts.password is not None:
        raise AuthorizationError(f"{what} holds a user name or a password")
    return parts


def covers(resource: str, server: str) -> bool:
    """Whether the resource of a metadata document is this server, or the part of its origin it is in."""
    mine, named = urlsplit(canonical(server)), urlsplit(canonical(resource))
    if origin(resource) != origin(server) or named.query not in ("", mine.query):
        return False
    path = named.path.rstrip("/")
    return mine.path.rstrip("/") == path or mine.path.startswith(f"{path}/")


def speaks_for(resource: str, place: str, server: str) -> bool:
    """Whether metadata that lies at a place may say which resource this server is. Of the whole that the
    server is a part of only the well-known places speak: who has a part of a host would be given tokens
    for all of it otherwise (RFC 9728, 3.3).
    """
    if not covers(resource, server):
        return False
    named, mine, known = (urlsplit(url).path.rstrip("/") for url in (resource, server, place))
    return named == mine or known.startswith("/.well-known/oauth-protected-resource")


def resource_documents(server: str) -> list[str]:
    """Where the metadata of a resource may lie: its path put behind the well-known one, then the root
    (RFC 9728, 3.1; MCP).
    """
    return _inserted(server, "oauth-protected-resource")


def issuer_documents(issuer: str) -> list[str]:
    """Where the metadata of an issuer may lie, in MCP's order (RFC 8414, 3.1; OIDC Discovery, 4.1)."""
    path = urlsplit(issuer).path.rstrip("/")
    base = origin(issuer)
    found = [f"{base}/.well-known/oauth-authorization-server{path}"]
    found.append(f"{base}/.well-known/openid-configuration{path}")
    if path:
        found.append(f"{base}{path}/.well-known/openid-configuration")
    return found


def _inserted(url: str, name: str) -> list[str]:
    parts = urlsplit(url)
    root = f"{origin(url)}/.well-known/{name}"
    path = parts.path.rstrip("/")
    rest = path + (f"?{parts.query}" if parts.query else "")
    return [root + rest, root] if rest else [root]
