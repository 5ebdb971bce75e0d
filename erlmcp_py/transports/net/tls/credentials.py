"""Certificates and keys from files, checked, as the context that new connections are given.

WHY checked here and not left to OpenSSL: it says "key values mismatch" or nothing at all. An operator
wants to know which file is meant, and that the certificate has been expired since Tuesday.

A pair that is being replaced is two files for a moment, of which one is old: `Credentials.load` then
fails, keeps what it had, and the next look finds both.
"""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from erlmcp_py.transports.net.settings import TlsSettings

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_VERIFY: Final = {
    "off": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}

Stamp = tuple[tuple[int, int, int] | None, ...]
"""Of each file: inode, size and time of its last change in ns; None where it cannot be found."""


class TlsProblem(Exception):
    """The files cannot be used; the message is one line that names the file and what is wrong."""


class Loaded(msgspec.Struct, frozen=True):
    """What is in use: the context, whose certificate it is, and from when to when it is valid (UTC)."""

    context: ssl.SSLContext
    subject: str
    not_before: datetime
    not_after: datetime


class Credentials:
    """The credentials of one listener; outlives its processes, as the door does.

    alpn: the protocols a client may choose from, in TLS's terms.
    """

    __slots__ = ("_alpn", "_stamp", "loaded", "settings")

    def __init__(self, settings: TlsSettings, alpn: tuple[str, ...] = ()) -> None:
        self.settings = settings
        self._alpn = alpn
        self._stamp: Stamp | None = None
        self.loaded: Loaded | None = None

    @property
    def context(self) -> ssl.SSLContext:
        """For the next connection. Raises TlsProblem before anything was loaded."""
        if self.loaded is None:
            raise TlsProblem("no certificate has been loaded")
        return self.loaded.context

    def changed(self) -> bool:
        """Whether the files are others than those that were last tried, good or bad."""
        return self._stamp != _stamp(self.settings)

    def load(self) -> Loaded:
        """Read the files; from now on new connections get what is in them.

        Raises TlsProblem, and what was in use stays in use. Blocks for as long as reading takes, and
        a fraction of a second where a key is encrypted.
        """
        self._stamp = _stamp(self.settings)
        self.loaded = load(self.settings, self._alpn)
        return self.loaded


def load(settings: TlsSettings, alpn: tuple[str, ...] = ()) -> Loaded:
    """Read and check the files, and make a context of them. Raises TlsProblem."""
    certificate = Path(settings.certificate)
    key = Path(settings.key or settings.certificate)
    leaf = _read_certificates(certificate)[0]
    now = datetime.now(UTC)
    if leaf.not_valid_after_utc <= now:
        raise TlsProblem(
            f"certificate {certificate}: expired on {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC; "
            "renew it"
        )
    if leaf.not_valid_before_utc > now:
        raise TlsProblem(
            f"certificate {certificate}: not valid before "
            f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; is the clock right?"
        )
    password = _password(settings)
    _check_key(leaf, certificate, key, password)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.minimum]
    # A client that renegotiates again and again would cost a handshake each time.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if alpn:
        context.set_alpn_protocols(list(alpn))
    try:
        # OpenSSL would ask on the terminal if it were given no password for an encrypted key.
        context.load_cert_chain(certificate, key, lambda: password or b"")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise TlsProblem(f"certificate {certificate}, key {key}: {reason}") from error
    if settings.client_certificates != "off":
        ca = Path(settings.client_ca)
        _read_certificates(ca)
        try:
            context.load_verify_locations(ca)
        except (OSError, ValueError) as error:
            raise TlsProblem(f"client_ca {ca}: {getattr(error, 'reason', error)}") from error
        context.verify_mode = _VERIFY[settings.client_certificates]
    return Loaded(
        context,
        leaf.subject.rfc4514_string() or "(no subject)",
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
    )


def _read(what: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsProblem(f"{what} {path}: cannot be read: {error.strerror}") from error


def _read_certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read("certificate", path))
    except ValueError as error:
        raise TlsProblem(
            f"certificate {path}: holds no certificate in PEM form; it begins with "
            "-----BEGIN CERTIFICATE-----"
        ) from error


def _password(settings: TlsSettings) -> bytes | None:
    variable = settings.key_password_env
    if not variable:
        return None
    try:
        return os.environ[variable].encode()
    except KeyError:
        raise TlsProblem(f"key_password_env: there is no environment variable {variable}") from None


def _check_key(
    leaf: x509.Certificate, certificate: Path, path: Path, password: bytes | None
) -> None:
    data = _read("key", path)
    try:
        try:
            key = serialization.load_pem_private_key(data, None)
        except TypeError:  # it is encrypted
            if password is None:
                raise TlsProblem(
                    f"key {path}: is encrypted; put its password into an environment variable and "
                    "name that in key_password_env"
                ) from None
            key = serialization.load_pem_private_key(data, password)
    except ValueError as error:
        hint = "" if password is None else ", or its password is wrong"
        raise TlsProblem(f"key {path}: holds no private key in PEM form{hint}") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise TlsProblem(f"key {path}: does not belong to the certificate {certificate}")


def _stamp(settings: TlsSettings) -> Stamp:
    stamps: list[tuple[int, int, int] | None] = []
    for name in (settings.certificate, settings.key, settings.client_ca):
        try:
            about = Path(name).stat() if name else None
        except OSError:
            about = None
        stamps.append(about and (about.st_ino, about.st_size, about.st_mtime_ns))
    return tuple(stamps)
