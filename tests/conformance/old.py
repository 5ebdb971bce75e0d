"""A server that has never heard of 2026-07-28: a node behind a proxy that lets nothing of that revision in.

Whoever asks in it is told what servers of the older revisions say to a version they do not know, and
has to begin with `initialize`. All else passes as it is, event by event.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

MODERN = "2026-07-28"
REFUSAL = {
    "jsonrpc": "2.0",
    "id": None,
    "error": {"code": -32000, "message": f"Bad Request: Unsupported protocol version: {MODERN}"},
}
_OF_THE_CONNECTION = {"connection", "transfer-encoding", "content-length", "host", "keep-alive"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    netloc = ""

    def do_POST(self) -> None:
        """Pass it on, or refuse it."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.headers.get("MCP-Protocol-Version") == MODERN:
            refusal = json.dumps(REFUSAL).encode()
            self.send_response(400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(refusal)))
            self.end_headers()
            self.wfile.write(refusal)
            return
        with contextlib.closing(HTTPConnection(self.netloc)) as server:
            kept = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _OF_THE_CONNECTION
            }
            server.request(self.command, self.path, body or None, kept)
            with contextlib.suppress(ConnectionError):  # the client has gone, and so does this
                self._hand_back(server.getresponse())

    do_GET = do_DELETE = do_POST  # noqa: N815

    def _hand_back(self, response: HTTPResponse) -> None:
        self.send_response(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Connection", "close")  # whose end is that of the body
        self.end_headers()
        while data := response.read1(65536):
            self.wfile.write(data)
            self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def grown_old(url: str) -> Iterator[str]:
    """The address of a server like that at `url`, but for the revision it does not know."""
    place = urlsplit(url)
    handler = type("Handler", (_Handler,), {"netloc": place.netloc})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{place.path}"
        finally:
            server.shutdown()
            thread.join()
