"""What a client says about itself: its name, its version, and what it can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from erlmcp_py import __version__
from erlmcp_py.client.calls import Call
from erlmcp_py.protocol.jsonrpc import RequestId, raw
from erlmcp_py.protocol.lifecycle import (
    ClientCapabilities,
    Implementation,
    InitializeParams,
    LogLevel,
)
from erlmcp_py.protocol.meta import (
    CLIENT_CAPABILITIES,
    CLIENT_INFO,
    LOG_LEVEL,
    PROGRESS_TOKEN,
    PROTOCOL_VERSION,
)
from erlmcp_py.protocol.revisions import fit
from erlmcp_py.protocol.wire import Json

DEFAULT_INFO: Final = Implementation("erlmcp-py", __version__, title="erlmcp-py client")

_encode = msgspec.json.Encoder().encode


class Identity:
    """Of one client. log_level: the least severe lines it wants; None: none at all."""

    def __init__(
        self, info: Implementation, capabilities: ClientCapabilities, log_level: LogLevel | None
    ) -> None:
        self.info = info
        self.capabilities = capabilities
        self.log_level = log_level
        self._info = raw(info)
        self._capabilities = raw(capabilities)

    def handshake(self, version: str) -> Json:
        """The parameters of `initialize`."""
        params = InitializeParams(version, self.capabilities, self.info)
        fitted: Json = msgspec.to_builtins(fit(params, version))
        return fitted

    def modern_meta(self, version: str, call: Call) -> dict[str, Any]:
        """`_meta` of a request of 2026-07-28."""
        meta: dict[str, Any] = {
            PROTOCOL_VERSION: version,
            CLIENT_CAPABILITIES: self._capabilities
            if call.capabilities is None
            else call.capabilities,
            CLIENT_INFO: self._info,
        }
        level = self.log_level if call.log_level is None else call.log_level
        if level is not None:
            meta[LOG_LEVEL] = level
        return meta


def encode_call(call: Call, meta: dict[str, Any]) -> bytes:
    """The request as a line of JSON. meta: what the era wants there; empty: nothing.

    TypeError for arguments that JSON cannot say.
    """
    if call.on_progress is not None:
        meta[PROGRESS_TOKEN] = call.id
    if call.meta is not None:
        meta = {**call.meta, **meta}
    params: Mapping[str, Any] = {**call.params, "_meta": meta} if meta else call.params
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": call.id, "method": call.method}
    if params:
        message["params"] = params
    return _encode(message)


def encode_notification(method: str, params: Any) -> bytes:
    """A notification as a line of JSON; params None: it has none."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        message["params"] = params
    return _encode(message)


def encode_result(id: RequestId, result: Any) -> bytes:
    """A response of ours."""
    return _encode({"jsonrpc": "2.0", "id": id, "result": result})


def encode_error(id: RequestId, code: int, message: str, data: Any = None) -> bytes:
    """A refusal of ours."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return _encode({"jsonrpc": "2.0", "id": id, "error": error})


NO_PARAMS: Final = Raw(b"{}")
