"""A plain listener beside one with TLS: it tells every client where the same thing is, encrypted.

308 keeps method and body (RFC 9110, 15.4.9). Only hosts that the other listener serves are sent
anywhere, so nobody can be led to a place of a stranger's choosing.
"""

from __future__ import annotations

from urllib.parse import quote

from erlmcp_py import registry
from erlmcp_py.guards import tally
from erlmcp_py.protocol import refusals
from erlmcp_py.transports.http.access import AccessPolicy
from erlmcp_py.transports.http.plans import Answer, refusal
from erlmcp_py.transports.http.request import Fault, HttpLimits, HttpRequest, RequestParser
from erlmcp_py.transports.http.response import TEXT, response
from erlmcp_py.transports.http.settings import ListenerConfig
from erlmcp_py.transports.net import supervisor as net
from erlmcp_py.transports.net.protocol import Connection, Protocol
from erlmcp_py.transports.net.settings import ListenerSettings
from erlmcp_py.transports.net.wire import Wire
from supervisors import ChildSpec

_LIMITS = HttpLimits(max_body=64 * 1024)


def child_spec(config: ListenerConfig, port: int, descriptor: int | None = None) -> ChildSpec:
    """The spec of the listener on `port` that sends clients to the listener of `config`.

    descriptor: of a socket that listens there already.
    """
    name = f"{config.name}_redirect"
    settings = ListenerSettings(
        name=name,
        host=config.host,
        port=port,
        # Workers share a listener that was opened for them; this one each opens for itself.
        reuse_port=config.company is not None,
        descriptor=descriptor,
        gate=None if descriptor is None else config.gate,
        max_connections=config.max_connections,
        idle_timeout=config.idle_timeout,
        backlog=config.backlog,
    )
    policy = AccessPolicy(config.host, config.allowed_hosts)

    def connect(wire: Wire, peer: str, settings: ListenerSettings) -> Redirection:
        return Redirection(wire, peer, settings, config.name, policy)

    return net.child_spec(settings, Protocol("http redirect", connect))


class Redirection(Connection):
    """One client, until it has been told often enough. to: the listener with TLS."""

    __slots__ = ("_policy", "_to")

    def __init__(
        self, wire: Wire, peer: str, settings: ListenerSettings, to: str, policy: AccessPolicy
    ) -> None:
        super().__init__(wire, peer, settings)
        self._to = to
        self._policy = policy

    async def serve(self) -> None:
        """Answer every request alike."""
        parser, wire = RequestParser(_LIMITS), self.wire
        while not (parser.closed or wire.gone):
            data = await wire.read()
            if not data:
                return
            for event in parser.feed(data):
                self.begin()
                if isinstance(event, HttpRequest):
                    answer = await self._answer(event)
                    keep, version, method = event.keep_alive, event.version, event.method
                else:
                    assert isinstance(event, Fault)
                    answer = refusal(event.entry, event.reason, status=event.status)
                    keep, version, method = False, "1.1", ""
                if answer.refusal is not None:
                    tally.count(answer.refusal)
                wire.write(
                    response(
                        answer.status,
                        answer.body,
                        content_type=answer.content_type,
                        headers=answer.headers,
                        keep_alive=keep,
                        head_only=method == "HEAD",
                        version=version,
                    )
                )
                self.end()
            await wire.flush()
        await wire.linger()

    async def _answer(self, http: HttpRequest) -> Answer:
        host = http.headers.get(b"host", b"")
        if not self._policy.host_served[host]:
            text = f"this node does not serve the host {host.decode('latin-1')!r}"
            return refusal(refusals.URI_OUT_OF_BOUNDS, text)
        target = (await registry.transports()).get(self._to)
        if target is None:
            return refusal(refusals.UNAVAILABLE, "this node is being restarted")
        name = host.decode("latin-1").strip()
        if not name.endswith("]"):
            before, colon, _ = name.rpartition(":")
            name = before if colon else name
        port = target.info["port"]
        authority = name if port == 443 else f"{name}:{port}"
        query = f"?{http.query}" if http.query else ""
        location = f"https://{authority}{quote(http.path, safe=_PATH)}{query}"
        there = location.encode("latin-1")
        return Answer(308, b"this node speaks TLS: %b\n" % there, TEXT, ((b"Location", there),))


_PATH = "/:@!$&'()*+,;=~"
"""What may stand in a path as it is (RFC 3986, 3.3)."""
