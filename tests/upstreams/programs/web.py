"""The same over HTTP (2026-07-28): ``python web.py NAME PORT DIRECTORY``."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, PORT, DIRECTORY = sys.argv[1:]
LISTED = {"ttlMs": 0, "cacheScope": "private"}
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("who", "garbage", "reset")]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_words):
        """It has no log."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method, params, id = asked["method"], asked.get("params") or {}, asked.get("id")
        name = params.get("name") if method == "tools/call" else None
        if id is None:
            self.reply(202, b"")
        elif name == "reset":
            self.close_connection = True
        elif name == "garbage":
            self.reply(200, b"this is no message")
        else:
            message = {"jsonrpc": "2.0", "id": id, **self.outcome(method, params)}
            self.reply(200, json.dumps(message).encode())

    def outcome(self, method, params):
        if method == "tools/call":
            token = params.get("arguments", {}).get("token")
            me = {"name": NAME, "pid": os.getpid(), "startup": 0.0, "token": token}
            result = {"content": [{"type": "text", "text": json.dumps(me)}]}
        elif method == "tools/list":
            result = {"tools": TOOLS, **LISTED}
        elif method == "server/discover":
            result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, **LISTED}
        else:
            return {"error": {"code": -32601, "message": f"Method not found: {method}"}}
        return {"result": {"resultType": "complete", **result}}

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class Web(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Web(("127.0.0.1", int(PORT)), Handler).serve_forever()
