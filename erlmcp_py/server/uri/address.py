"""What an address must look like."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

MAX_LENGTH: Final = 8192
"""Longest URI or template, in characters."""

_ALLOWED: Final = re.compile(r"[!#$&'()*+,\-./0-9:;=?@A-Z_a-z~%\[\]]*")


def is_template(text: str) -> bool:
    """Whether a resource's address has variables."""
    return "{" in text or "}" in text


def check_uri(text: str) -> None:
    """ValueError unless `text` is an absolute URI without variables."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"URI of {len(text)} characters; at most {MAX_LENGTH} are allowed")
    if not _ALLOWED.fullmatch(text):
        raise ValueError(f"{text!r} has characters that a URI must percent-encode")
    try:
        scheme = urlsplit(text).scheme
    except ValueError as error:
        raise ValueError(f"{text!r} is not a URI: {error}") from None
    if not scheme:
        raise ValueError(f"{text!r} has no scheme; write for example 'config://{text}'")
