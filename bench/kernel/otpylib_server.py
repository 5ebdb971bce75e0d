"""otpylib's `gen_server.call`, the same counter: ``python -m bench.kernel.otpylib_server call N``."""

import asyncio
import json
import sys
from time import perf_counter
from typing import Any

from otpylib import gen_server, process
from otpylib.gen_server.data import NoReply, Reply
from otpylib.module import GEN_SERVER, OTPModule
from otpylib.runtime import set_runtime
from otpylib.runtime.backends.asyncio_backend.backend import AsyncIOBackend

NAME = "counter"
"""Its calls reach only processes that have a name."""


class Counter(metaclass=OTPModule, behavior=GEN_SERVER, version="1.0.0"):
    async def init(self, _args: Any) -> int:
        return 0

    async def handle_call(self, request: Any, _caller: Any, count: int) -> tuple[Any, int]:
        if request == "increment":
            return Reply(count + 1), count + 1
        return Reply(count), count

    async def handle_cast(self, _request: Any, count: int) -> tuple[Any, int]:
        return NoReply(), count + 1

    async def handle_info(self, _message: Any, count: int) -> tuple[Any, int]:
        return NoReply(), count

    async def terminate(self, _reason: Any, _count: int) -> None:
        return None


async def calls(n: int) -> dict[str, float]:
    await gen_server.start(Counter, None, name=NAME)
    for _ in range(n // 20):
        await gen_server.call(NAME, "increment")
    before = await gen_server.call(NAME, "value")
    start = perf_counter()
    for _ in range(n):
        await gen_server.call(NAME, "increment")
    seconds = perf_counter() - start
    assert await gen_server.call(NAME, "value") - before == n
    return {"per_second": n / seconds}


async def run(n: int) -> dict[str, float]:
    backend = AsyncIOBackend()
    await backend.initialize()
    set_runtime(backend)
    result: asyncio.Future[dict[str, float]] = asyncio.get_running_loop().create_future()

    async def body() -> None:
        try:
            result.set_result(await calls(n))
        except Exception as error:  # noqa: BLE001 - whatever it is, the figure is missing
            result.set_exception(error)

    await process.spawn(body, mailbox=True)
    return await result


def main() -> None:
    step, n = sys.argv[1:]
    if step != "call":
        raise SystemExit(f"unknown step {step!r}; there is only 'call'")
    print(json.dumps(asyncio.run(run(int(n)))))


if __name__ == "__main__":
    main()
