"""Where an HTTP endpoint is, and what a request line and its `Host` say about it."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import msgspec

from erlmcp_py.client.shown import shown_url


class Address(msgspec.Struct, frozen=True):
    """An absolute http: or https: URL, taken apart. target: path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """Scheme, host and port: what shares an era, credentials and connections."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host, and port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole."""
        return self.origin + self.target

    @property
    def shown(self) -> str:
        """The whole, as it is told: without what may be a secret."""
        return shown_url(self.url)

    def join(self, reference: str) -> Address:
        """What a reference (RFC 3986) that was found there points to. Raises ValueError."""
        return read_address(urljoin(self.url, reference))


_PORTS = {"http": 80, "https": 443}


def read_address(url: str) -> Address:
    """The address a URL names. Raises ValueError that says what is wrong with it."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError(f"{url!r} is no address of an HTTP server: it begins with http: or https:")
    if not parts.hostname:
        raise ValueError(f"{url!r} names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must not hold a user name or a password; send them as a header")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or any(sign <= " " or sign == "\x7f" for sign in target):
        raise ValueError(f"{url!r} has signs in its path that must be percent-encoded")
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    return Address(parts.scheme, host, parts.port or _PORTS[parts.scheme], target)
