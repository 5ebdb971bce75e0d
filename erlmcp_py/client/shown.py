"""Where a server is, as it is told in logs, tables and errors: without what may be a secret.

Keys are given in arguments, and in the paths and queries of URLs. What is cut is shown as ``…``: too much
rather than too little, since nobody can get a line back out of a log.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

CUT: Final = "…"
_LONGEST: Final = 100
_SECRET: Final = re.compile(
    r"token|secret|passw|pwd|key|credential|auth|bearer|cookie|session", re.I
)
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.I)
_NAMED: Final = re.compile(r"(-{0,2}[\w.-]+)(=|:\s*)(.+)", re.S)
_TOKEN: Final = re.compile(r"(sk|pk|rk)[-_]|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|AKIA|eyJ")
_RANDOM: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[\w=~%-]{16,}")


def shown_url(url: str) -> str:
    """A URL without passwords, values of its query, its fragment, and segments of its path that look
    drawn at random.
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if at:
        name, colon, _ = user.partition(":")
        host = f"{name if colon else CUT}{colon and ':' + CUT}@{host}"
    path = "/".join(CUT if _RANDOM.fullmatch(each) else each for each in parts.path.split("/"))
    pairs = [each.partition("=") for each in parts.query.split("&") if each]
    query = "&".join(f"{name}={CUT}" if equals else CUT for name, equals, _ in pairs)
    return f"{parts.scheme}://{host}{path}{query and '?' + query}"


def shown_command(argv: Sequence[str]) -> str:
    """A command as one line, at most 100 characters of it."""
    words: list[str] = []
    secret = False  # whether the option before it has a secret for its value
    for index, word in enumerate(argv):
        is_option = word.startswith("-")
        words.append(CUT if secret and not is_option else word if index == 0 else _argument(word))
        secret = is_option and "=" not in word and _SECRET.search(word) is not None
    text = " ".join(" ".join(words).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}{CUT}"


def _argument(word: str) -> str:
    whole = _value(word)
    named = _NAMED.fullmatch(word) if whole == word else None
    if named is None:
        return whole
    name, sign, value = named.groups()
    return f"{name}{sign}{CUT if _SECRET.search(name) else _value(value)}"


def _value(text: str) -> str:
    if _TOKEN.match(text):
        return CUT
    if not _URL.match(text):
        return text
    try:
        return shown_url(text)
    except ValueError:
        return CUT  # a URL that cannot be taken apart cannot be cut either
