"""An authorization server and the MCP server it protects, on a port of this machine.

It believes nothing: PKCE, resource, redirect URI, client authentication, assertions, DPoP proofs, nonces
and the rotation of refresh tokens are checked as the RFCs say, with PyJWT and hashlib.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import jwt
import trio
from jwt.algorithms import ECAlgorithm


class No(Exception):
    def __init__(self, error: str, text: str = "", **headers: str) -> None:
        super().__init__(error, text)
        self.error, self.text, self.headers = error, text, headers


Response = tuple[int, dict[str, str], Any]


class Authority:
    """nonces: DPoP proofs need one. needs: the scopes `/mcp` wants. lasts: expires_in. ever: 401 or 403
    for whatever comes. odd: what is answered instead, by path. log: what was asked for, as (method, path)."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.resource = f"{base}/mcp"
        self.log: list[tuple[str, str]] = []
        self.clients: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.refresh: dict[str, dict[str, Any]] = {}
        self.proofs: set[str] = set()
        self.dpop = False
        self.nonces = False
        self.nonce = "nonce-1"
        self.needs: set[str] = set()
        self.lasts = 3600
        self.ever: int | None = None
        self.methods = ["none", "client_secret_basic", "private_key_jwt"]
        self.back: dict[str, str] = {}
        self.odd: dict[str, Response] = {}

    def count(self, path: str) -> int:
        return sum(one == path for _, one in self.log)

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Response:
        path = urlsplit(target).path
        self.log.append((method, path))
        if path in self.odd:
            return self.odd[path]
        try:
            match path:
                case "/.well-known/oauth-protected-resource/mcp":
                    return 200, {}, self._resource()
                case "/.well-known/oauth-authorization-server":
                    return 200, {}, self._metadata()
                case "/register":
                    return 201, {}, self._register(json.loads(body))
                case "/authorize":
                    return (
                        302,
                        {"Location": self._authorize(dict(parse_qsl(urlsplit(target).query)))},
                        None,
                    )
                case "/token":
                    form = dict(parse_qsl(body.decode(), strict_parsing=True))
                    return 200, {}, self._token(form, headers)
                case "/mcp":
                    return self._mcp(method, headers, body)
        except No as no:
            return 400, no.headers, {"error": no.error, "error_description": no.text}
        return 404, {}, None

    def _resource(self) -> dict[str, Any]:
        return {
            "resource": self.resource,
            "authorization_servers": [self.base],
            "dpop_bound_access_tokens_required": self.dpop,
        }

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "registration_endpoint": f"{self.base}/register",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": self.methods,
            "authorization_response_iss_parameter_supported": True,
        }

    def _register(self, body: dict[str, Any]) -> dict[str, Any]:
        client = {**body, "client_id": secrets.token_hex(4)}
        self.clients[client["client_id"]] = client
        return client

    def _authorize(self, query: dict[str, str]) -> str:
        client = self.clients[query["client_id"]]
        check(query["redirect_uri"] in client["redirect_uris"], "invalid_request", "redirect_uri")
        check(query["code_challenge_method"] == "S256", "invalid_request", "PKCE")
        check(query["resource"] == self.resource, "invalid_target", "resource")
        code = secrets.token_hex(8)
        self.codes[code] = query
        back = {"code": code, "state": query["state"], "iss": self.base, **self.back}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def _token(self, form: dict[str, str], headers: dict[str, str]) -> dict[str, Any]:
        thumbprint = self._proof("POST", f"{self.base}/token", headers, None) if self.dpop else None
        client_id = self._client(form, headers)
        check(form["resource"] == self.resource, "invalid_target", "resource")
        base = {"client": client_id, "jkt": thumbprint, "scope": form.get("scope", "")}
        match form["grant_type"]:
            case "authorization_code":
                asked = self.codes.pop(form["code"], None)
                check(asked is not None, "invalid_grant", "code")
                assert asked is not None
                check(asked["client_id"] == client_id, "invalid_grant", "client")
                check(asked["redirect_uri"] == form["redirect_uri"], "invalid_grant", "redirect")
                digest = hashlib.sha256(form["code_verifier"].encode()).digest()
                made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                check(made == asked["code_challenge"], "invalid_grant", "PKCE")
                base["scope"] = asked.get("scope", "")
            case "refresh_token":
                kept = self.refresh.pop(form["refresh_token"], None)
                check(kept is not None and kept["client"] == client_id, "invalid_grant", "refresh")
                assert kept is not None
                check(kept["jkt"] == thumbprint, "invalid_grant", "another key")
                base = kept
            case "client_credentials":
                check(
                    client_id in self.keys or "secret" in self.clients[client_id], "invalid_client"
                )
            case other:
                raise No("unsupported_grant_type", other)
        token, again = secrets.token_hex(16), secrets.token_hex(16)
        self.tokens[token] = {**base, "ends": self.lasts}
        self.refresh[again] = base
        return {
            "access_token": token,
            "token_type": "Bearer" if thumbprint is None else "DPoP",
            "expires_in": self.lasts,
            "refresh_token": again,
            "scope": base["scope"],
        }

    def _client(self, form: dict[str, str], headers: dict[str, str]) -> str:
        if "client_assertion" in form:
            proof = form["client_assertion"]
            client_id = form["client_id"]
            public, algorithm = self.keys[client_id]
            claims = jwt.decode(proof, public, [algorithm], audience=self.base, issuer=client_id)
            check(claims["sub"] == client_id, "invalid_client", "sub")
            check(claims["exp"] - claims["iat"] <= 600, "invalid_client", "exp")
            self._once(claims["jti"])
            return client_id
        if "authorization" in headers:
            pair = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
            client_id, secret = map(unquote, pair.split(":"))
            check(self.clients[client_id]["secret"] == secret, "invalid_client")
            return client_id
        client_id = form["client_id"]
        check(client_id in self.clients, "invalid_client")
        check("secret" not in self.clients[client_id], "invalid_client", "a secret is wanted")
        return client_id

    def _once(self, jti: str) -> None:
        check(jti not in self.proofs, "invalid_request", "jti was used before")
        self.proofs.add(jti)

    def _proof(self, method: str, url: str, headers: dict[str, str], token: str | None) -> str:
        proof = headers.get("dpop", "")
        check(bool(proof), "invalid_dpop_proof", "none")
        head = jwt.get_unverified_header(proof)
        check(head["typ"] == "dpop+jwt" and head["alg"] == "ES256", "invalid_dpop_proof", "head")
        check("d" not in head["jwk"], "invalid_dpop_proof", "a private key")
        key: Any = ECAlgorithm.from_jwk(head["jwk"])
        claims = jwt.decode(proof, key, ["ES256"])
        check(claims["htm"] == method and claims["htu"] == url, "invalid_dpop_proof", "htm, htu")
        check(abs(claims["iat"] - time.time()) < 60, "invalid_dpop_proof", "iat")
        if token is not None:
            digest = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest())
            check(claims["ath"] == digest.rstrip(b"=").decode(), "invalid_dpop_proof", "ath")
        self._once(claims["jti"])
        if self.nonces and claims.get("nonce") != self.nonce:
            raise No("use_dpop_nonce", **{"DPoP-Nonce": self.nonce})
        parts = {name: head["jwk"][name] for name in ("crv", "kty", "x", "y")}
        return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()

    def _mcp(self, method: str, headers: dict[str, str], body: bytes) -> Response:
        named = f'resource_metadata="{self.base}/.well-known/oauth-protected-resource/mcp"'
        scheme, _, token = headers.get("authorization", "").partition(" ")
        grant = self.tokens.get(token)
        if grant is None or self.ever == 401:
            return 401, {"WWW-Authenticate": f'Bearer {named}, error="invalid_token"'}, None
        if self.dpop:
            try:
                check(scheme == "DPoP", "invalid_token", "the scheme")
                thumbprint = self._proof(method, self.resource, headers, token)
                check(thumbprint == grant["jkt"], "invalid_token", "another key")
            except No as no:
                says = f'DPoP error="{no.error}", {named}'
                return 401, {"WWW-Authenticate": says, **no.headers}, None
        lacks = self.needs - set(grant["scope"].split())
        if lacks or self.ever == 403:
            says = f'Bearer error="insufficient_scope", scope="{" ".join(sorted(self.needs))}", {named}'
            return 403, {"WWW-Authenticate": says}, None
        message = json.loads(body or b"{}")
        if "id" not in message:
            return 202, {}, None
        result: dict[str, Any] = {}
        if message["method"] == "initialize":
            result = {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {},
                "serverInfo": {"name": "guarded", "version": "1"},
            }
        return 200, {}, {"jsonrpc": "2.0", "id": message["id"], "result": result}


def check(good: bool, error: str, text: str = "") -> None:
    if not good:
        raise No(error, text)


async def _serve(authority: Authority, stream: trio.SocketStream) -> None:
    data = b""
    async with stream:
        while True:
            while b"\r\n\r\n" not in data:
                more = await stream.receive_some()
                if not more:
                    return
                data += more
            head, _, data = data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines
            }
            length = int(headers.get("content-length", 0))
            while len(data) < length:
                data += await stream.receive_some()
            body, data = data[:length], data[length:]
            method, target, _ = first.split(" ")
            status, more_headers, document = authority.answer(method, target, headers, body)
            text = b"" if document is None else json.dumps(document).encode()
            out = {"Content-Type": "application/json", "Content-Length": len(text), **more_headers}
            said = "".join(f"{name}: {value}\r\n" for name, value in out.items())
            await stream.send_all(f"HTTP/1.1 {status} X\r\n{said}\r\n".encode() + text)


@asynccontextmanager
async def authority() -> AsyncIterator[Authority]:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        made = Authority(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}")

        async def handle(stream: trio.SocketStream) -> None:
            try:
                await _serve(made, stream)
            except trio.BrokenResourceError:
                return

        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield made
        nursery.cancel_scope.cancel()
