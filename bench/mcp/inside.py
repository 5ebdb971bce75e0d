"""What the node's own code costs, without sockets: one JSON line.

    python -m bench.mcp.inside protocol|subscriptions

protocol: `us`, processor time of a small modern `tools/call`: decode, `_meta`, headers, dispatch to
the server's process and back, validation, encode. Best of 15 rounds of 3,000.
subscriptions: `ms`, processor time from a change until 10,000 subscriptions of ten clients have their
line, as standard input and output has them. Best of 10 changes.
"""

import argparse
import json
from time import process_time
from typing import Any

import trio

from erlmcp_py import subscriptions
from erlmcp_py.protocol import jsonrpc, meta
from erlmcp_py.protocol.subscriptions import SubscriptionFilter
from erlmcp_py.server.process import Dispatch, ServerProcess
from erlmcp_py.server.scope import Scope
from erlmcp_py.transports.conversation.listening import Listening
from erlmcp_py.transports.http.mirrored import check_mirrored
from supervisors import Pid, call, receive, run, spawn
from supervisors import self as own_pid

from . import wire
from .ours import server

HEADERS = {
    b"mcp-protocol-version": wire.MODERN.encode(),
    b"mcp-method": b"tools/call",
    b"mcp-name": b"add",
}
SUBSCRIPTIONS, CLIENTS = 10_000, 10


def _nowhere(_notification: object) -> None:
    raise RuntimeError("the measured tool does not notify")


async def _protocol() -> dict[str, float]:
    pid = await ServerProcess.start(server, "bench")
    body = wire.template("modern") % 7

    async def once() -> bytes:
        request = jsonrpc.decode(body)
        assert isinstance(request, jsonrpc.Request)
        told = meta.read_meta(request)
        check_mirrored(HEADERS, request, told.target)
        scope = Scope(
            era="modern",
            version=told.version,
            key=(pid, request.id),
            notify=_nowhere,
            client_info=told.client_info,
            client_capabilities=told.client_capabilities,
            log_level=told.log_level,
        )
        return jsonrpc.encode(await call(pid, Dispatch(request, scope)))

    answer = await once()
    if not wire.is_right(answer, 7):
        raise RuntimeError(f"a wrong answer: {answer!r}")
    return {"us": await _best(once, 15, 3000) * 1e6}


async def _best(once: Any, rounds: int, times: int) -> float:
    seconds = []
    for _ in range(rounds):
        began = process_time()
        for _ in range(times):
            await once()
        seconds.append((process_time() - began) / times)
    return min(seconds)


class _Crowd:
    """Clients that take their lines; `told` when all have."""

    def __init__(self) -> None:
        self.lines = 0
        self.told = trio.Event()

    def write(self, _line: bytes) -> None:
        self.lines += 1
        if self.lines == SUBSCRIPTIONS:
            self.told.set()

    async def client(self) -> None:
        listening = Listening(own_pid(), self.write)
        wanted = SubscriptionFilter(resource_subscriptions=["bench:changing"])
        for id in range(SUBSCRIPTIONS // CLIENTS):
            listening.open(id, "bench", wanted)
        while True:
            listening.handle(await receive())


async def _subscriptions() -> dict[str, float]:
    await subscriptions.Subscriptions.start_link(name=subscriptions.NAME)
    crowd = _Crowd()
    clients: list[Pid] = [spawn(crowd.client) for _ in range(CLIENTS)]
    while (await subscriptions.statistics()).subscriptions < SUBSCRIPTIONS:  # noqa: ASYNC110
        await trio.sleep(0.05)
    spent = []
    for _ in range(10):
        crowd.lines, crowd.told = 0, trio.Event()
        began = process_time()
        subscriptions.publish("bench", subscriptions.Change("updated", "bench:changing"))
        await crowd.told.wait()
        spent.append(process_time() - began)
    assert len(clients) == CLIENTS
    return {"ms": min(spent) * 1000}


MEASURES = {"protocol": _protocol, "subscriptions": _subscriptions}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.mcp.inside")
    parser.add_argument("what", choices=MEASURES)
    print(json.dumps(run(MEASURES[parser.parse_args().what], log=False)))
