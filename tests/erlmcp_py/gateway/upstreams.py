"""Small programs that are upstreams, and nodes that have them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio

from erlmcp_py import registry
from erlmcp_py.application import start_node
from erlmcp_py.client import Client
from erlmcp_py.config import Config, HttpConfig, LogConfig, UpstreamConfig
from erlmcp_py.parts import Parts
from erlmcp_py.server import Server
from erlmcp_py.telemetry.log import set_level
from erlmcp_py.tree import child_specs
from supervisors import Runtime, application

HEAD = """
import json, os, signal, sys, time
def say(message):
    sys.stdout.write((message if isinstance(message, str) else json.dumps(message)) + "\\n")
    sys.stdout.flush()
def tell(method, **params):
    say({"jsonrpc": "2.0", "method": method, "params": params})
def answer(asked, result):
    say({"jsonrpc": "2.0", "id": asked["id"], "result": result})
def refuse(asked, code, text="no"):
    say({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": code, "message": text}})
def text(value):
    return {"content": [{"type": "text", "text": str(value)}]}
print("hello from standard error", file=sys.stderr, flush=True)
SCHEMA = {"type": "object", "properties": {"how": {"enum": ["a", 1, None]}}, "x-mine": {"k": [1.5]}}
TOOLS = [{"name": name, "inputSchema": SCHEMA, "x-vendor": 7} for name in
    ("echo", "pid", "die", "garbage", "hang", "slow", "grow", "eat", "ask", "log", "touch", "never", "count")]
GROWN, NEVER = [], []
CAPABILITIES = {"tools": {"listChanged": True}, "resources": {"subscribe": True}, "prompts": {},
    "completions": {}, "logging": {}}
"""
OLD = (
    HEAD
    + """
WAITING = {}
for line in sys.stdin:
    asked = json.loads(line)
    method, params = asked.get("method"), asked.get("params", {})
    if method is None:
        answer(WAITING.pop(asked["id"]), text(json.dumps(asked.get("result", asked.get("error")))))
    elif method == "initialize":
        answer(asked, {"protocolVersion": "2025-06-18", "capabilities": CAPABILITIES,
            "serverInfo": {"name": "old", "version": "3"}, "instructions": "be kind"})
    elif method == "ping":
        answer(asked, {})
    elif method == "tools/list":
        answer(asked, {"tools": TOOLS + GROWN})
    elif method == "prompts/list":
        answer(asked, {"prompts": [{"name": "hi"}]})
    elif method == "prompts/get":
        answer(asked, {"messages": [{"role": "user", "content": {"type": "text", "text": params["name"]}}]})
    elif method == "resources/list":
        answer(asked, {"resources": [{"uri": "mem://one", "name": "one"}]})
    elif method == "resources/templates/list":
        answer(asked, {"resourceTemplates": [{"uriTemplate": "mem://of/{x}", "name": "of"}]})
    elif method == "resources/read":
        if params["uri"] == "mem://none":
            refuse(asked, -32002, "there is none")
        else:
            answer(asked, {"contents": [{"uri": params["uri"], "text": "read"}]})
    elif method in ("resources/subscribe", "resources/unsubscribe", "logging/setLevel"):
        answer(asked, {})
    elif method == "completion/complete":
        answer(asked, {"completion": {"values": [params["argument"]["value"] + "!"]}})
    elif method == "tools/call":
        name, arguments = params["name"], params.get("arguments", {})
        if name == "echo":
            answer(asked, text(json.dumps(arguments)))
        elif name == "pid":
            answer(asked, text(os.getpid()))
        elif name == "die":
            print("my last words", file=sys.stderr, flush=True)
            os._exit(7)
        elif name == "garbage":
            for _ in range(200):
                say("no json at all")
        elif name == "hang":
            time.sleep(3600)
        elif name == "never":
            NEVER.append(asked)
        elif name == "count":
            answer(asked, text(len(NEVER)))
        elif name == "slow":
            token = params["_meta"]["progressToken"]
            tell("notifications/progress", progressToken=token, progress=1, total=2)
            tell("notifications/progress", progressToken=token, progress=2, total=2)
            answer(asked, text("done"))
        elif name == "grow":
            GROWN.append({"name": "more", "inputSchema": {"type": "object"}})
            tell("notifications/tools/list_changed")
            answer(asked, text("grown"))
        elif name == "eat":
            EATEN = bytearray(os.urandom(1 << 20)) * 200
            answer(asked, text("full"))
        elif name == "ask":
            WAITING["q"] = asked
            say({"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params":
                {"message": "your name?", "requestedSchema": {"type": "object", "properties": {"n": {"type": "string"}}}}})
        elif name == "log":
            tell("notifications/message", level="warning", data="beware")
            tell("notifications/message", level="debug", data="details")
            answer(asked, text("logged"))
        elif name == "touch":
            tell("notifications/resources/updated", uri="mem://one")
            answer(asked, text("touched"))
        else:
            refuse(asked, -32602, "no such tool")
    elif "id" in asked:
        refuse(asked, -32601)
"""
)
EXITS = 'import sys; print("no licence", file=sys.stderr); sys.exit(4)'


def program(code: str, **further: Any) -> UpstreamConfig:
    return UpstreamConfig(command=(sys.executable, "-c", code), **further)


def said(result: Any) -> str:
    """The text of a result."""
    return str(result.content[0].text)


class Gateway:
    """A running node. at: a client of one of its servers."""

    def __init__(self, port: int) -> None:
        self.port = port

    def at(self, name: str | None = None, **options: Any) -> Client:
        path = "/mcp" if name is None else f"/mcp/{name}"
        return Client(f"http://127.0.0.1:{self.port}{path}", **options)

    def by_socket(self, name: str, **options: Any) -> Client:
        """A client over one connection both ways, as standard input and output and TCP are, too."""
        return Client.websocket(f"ws://127.0.0.1:{self.port}/mcp/{name}/ws", **options)


@asynccontextmanager
async def gateway(
    upstreams: Mapping[str, UpstreamConfig],
    servers: Mapping[str, Server] | None = None,
    log: str = "critical",
) -> AsyncIterator[Gateway]:
    """A node with these upstreams."""
    config = msgspec.structs.replace(
        Config(),
        http=HttpConfig(port=0),
        log=LogConfig(level=log),
        servers=(),
        upstreams=dict(upstreams),
    )
    async with Runtime("test"):
        set_level(config.log.level)
        with trio.fail_after(10):
            await start_node(child_specs(config, Parts(servers or {}, None, lambda _: None)))
            info = (await registry.transports())["http"].info
        try:
            yield Gateway(info["port"])
        finally:
            with trio.CancelScope(shield=True):
                await application.stop_all()
