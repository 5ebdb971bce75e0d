"""What ends an attempt to be authorized. No text here ever holds a token, a code or a secret."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, quote_plus


class AuthorizationError(Exception):
    """There is no authorization: says at whom it failed, and why."""


class TokenRefused(AuthorizationError):
    """A token endpoint said no (RFC 6749, 5.2). error: its code, such as `invalid_grant`; status: of HTTP."""

    def __init__(self, text: str, error: str, status: int) -> None:
        super().__init__(text)
        self.error = error
        self.status = status

    @property
    def is_final(self) -> bool:
        """Whether the same request would be refused later as well."""
        return self.status < 500 and self.status not in (408, 425, 429)


class NotAccepted(AuthorizationError):
    """The MCP server does not accept what its authorization server has just given."""


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with "…" in the place of secrets, however they were written when they were sent."""
    forms = {form for one in secrets for form in (one, quote(one, ""), quote_plus(one))}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) > 3:
            text = text.replace(form, "…")
    return text


def shown(text: str, limit: int = 200) -> str:
    """What a stranger sent, fit for one line of a message."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:limit]).strip()
