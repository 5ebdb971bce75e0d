"""What is signed: proofs of possession (DPoP, RFC 9449) and of being the client (RFC 7523, 3).

PyJWT and cryptography are imported when the first thing is signed.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from erlmcp_py.auth.client.errors import AuthorizationError
from erlmcp_py.auth.client.plans import PrivateKey

_LIFETIME: Final = 300
"""Seconds an assertion is good for."""


def encode64(data: bytes) -> str:
    """Base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class ProofKey:
    """A key pair of its own for the tokens of one grant (ES256)."""

    def __init__(self, pem: str | None = None) -> None:
        """pem: one that was kept. Raises AuthorizationError if it is none."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from jwt.algorithms import ECAlgorithm

        if pem is None:
            key: Any = ec.generate_private_key(ec.SECP256R1())
        else:
            try:
                key = serialization.load_pem_private_key(pem.encode(), None)
            except ValueError:
                raise AuthorizationError("the DPoP key that was kept cannot be read") from None
        self._key = key
        self._jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self.pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode("ascii")

    def proof(
        self,
        method: str,
        url: str,
        *,
        now: float,
        unique: bytes,
        nonce: str | None,
        token: str | None = None,
    ) -> str:
        """For one request (RFC 9449, 4.2). token: the access token that goes with it."""
        import jwt

        parts = urlsplit(url)
        claims: dict[str, Any] = {
            "jti": encode64(unique),
            "htm": method,
            "htu": urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")),
            "iat": int(now),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        if token is not None:
            claims["ath"] = encode64(hashlib.sha256(token.encode("ascii")).digest())
        head = {"typ": "dpop+jwt", "jwk": self._jwk}
        return jwt.encode(claims, self._key, "ES256", headers=head)


def assertion(key: PrivateKey, client_id: str, audience: str, *, now: float, unique: bytes) -> str:
    """That the sender is the client (private_key_jwt). audience: the issuer. Raises AuthorizationError."""
    import jwt

    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": int(now),
        "exp": int(now) + _LIFETIME,
        "jti": encode64(unique),
    }
    head = {} if key.key_id is None else {"kid": key.key_id}
    try:
        return jwt.encode(claims, key.pem, key.algorithm, headers=head)
    except (jwt.PyJWTError, NotImplementedError, ValueError, TypeError):
        raise AuthorizationError(
            f"the key of {client_id} cannot sign {key.algorithm}: it is not one of that algorithm"
        ) from None
