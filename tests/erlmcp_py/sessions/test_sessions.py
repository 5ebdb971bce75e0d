"""Sessions survive what kills their processes, and end when nobody uses them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from erlmcp_py import sessions
from erlmcp_py.protocol.jsonrpc import ErrorResponse, Response, notification, request
from erlmcp_py.protocol.lifecycle import ClientCapabilities, Implementation, InitializeParams
from erlmcp_py.sessions import SessionLimits, SessionsSupervisor, SessionStore
from erlmcp_py.sessions.session import SessionStatistics
from supervisors import (
    Pid,
    Runtime,
    call,
    cast,
    exit_signal,
    is_alive,
    monitor,
    receive,
    spawn,
    stop,
    whereis,
)

PARAMS = InitializeParams("2025-11-25", ClientCapabilities(), Implementation("c", "1"))


@contextlib.asynccontextmanager
async def tree(
    limits: SessionLimits | None = None, store: SessionStore | None = None
) -> AsyncIterator[SessionStore]:
    """A runtime with the sessions' tree; the caller's code is no process."""
    store = SessionStore() if store is None else store
    async with Runtime():
        started = trio.Event()

        async def parent() -> None:
            await SessionsSupervisor.start_link(
                store, limits or SessionLimits(), name="sessions_sup"
            )
            started.set()
            await trio.sleep_forever()

        spawn(parent)
        await started.wait()
        yield store


async def kill(pid: Pid) -> None:
    """Kill and wait until it is gone."""
    gone = trio.Event()

    async def witness() -> None:
        monitor(pid)
        exit_signal(pid, "kill")
        await receive()
        gone.set()

    spawn(witness)
    await gone.wait()


async def test_a_session_is_found_by_its_id() -> None:
    async with tree():
        record, pid = await sessions.create("simple", PARAMS, "2025-11-25")
        assert await sessions.find(record.id) == pid
        view = await call(pid, ("view",))
        assert (view.id, view.server, view.version) == (record.id, "simple", "2025-11-25")
        assert view.client_info == PARAMS.client_info
        assert await sessions.find("unknown") is None
        assert len(record.id) >= 32
        assert all(0x21 <= ord(c) <= 0x7E for c in record.id)


async def test_a_killed_session_comes_back_under_its_id() -> None:
    async with tree():
        record, pid = await sessions.create(None, PARAMS, "2025-11-25")
        await kill(pid)
        again = await sessions.find(record.id)
        assert again is not None
        assert again != pid
        assert (await call(again, ("view",))).id == record.id
        assert (await sessions.statistics()).lost == 1


async def test_sessions_outlive_their_manager() -> None:
    async with tree():
        record, pid = await sessions.create(None, PARAMS, "2025-11-25")
        manager = whereis("sessions")
        assert manager is not None
        await kill(manager)
        assert await sessions.find(record.id) == pid
        assert is_alive(pid)


async def test_sessions_come_back_when_the_pool_was_killed() -> None:
    async with tree():
        record, pid = await sessions.create(None, PARAMS, "2025-11-25")
        pool = whereis("session_pool")
        assert pool is not None
        await kill(pool)
        again = await sessions.find(record.id)
        assert again is not None
        assert again != pid
        assert is_alive(again)


async def test_sessions_come_back_in_a_new_tree_with_the_same_store() -> None:
    async with tree() as store:
        record, _ = await sessions.create("simple", PARAMS, "2025-06-18")
    async with tree(store=store):
        pid = await sessions.find(record.id)
        assert pid is not None
        assert (await call(pid, ("view",))).version == "2025-06-18"


async def test_two_who_look_for_an_absent_session_revive_one_process() -> None:
    async with tree() as store:
        record, _ = await sessions.create("simple", PARAMS, "2025-06-18")
    async with tree(store=store):
        found: list[Pid | None] = []

        async def look() -> None:
            found.append(await sessions.find(record.id))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(look)
        assert len(found) == 5
        assert found[0] is not None
        assert set(found) == {found[0]}


async def test_a_deleted_session_is_gone_for_good() -> None:
    async with tree():
        record, pid = await sessions.create(None, PARAMS, "2025-11-25")
        assert await sessions.delete(record.id)
        assert not await sessions.delete(record.id)
        assert await sessions.find(record.id) is None
        await trio.testing.wait_all_tasks_blocked()
        assert not is_alive(pid)
        assert (await sessions.statistics()).open == 0


async def test_the_sessions_of_a_server_end_with_it() -> None:
    async with tree():
        gone = [(await sessions.create("a", PARAMS, "2025-11-25"))[0].id for _ in range(3)]
        others = [(await sessions.create(of, PARAMS, "2025-11-25"))[0].id for of in ("b", None)]
        assert await sessions.delete_of("a") == 3
        assert [await sessions.find(id) for id in gone] == [None] * 3
        assert await sessions.delete_of(None) == 1
        assert await sessions.find(others[0]) is not None
        assert await sessions.find(others[1]) is None


async def test_the_limit_refuses_and_frees_again() -> None:
    async with tree(SessionLimits(max=2)):
        first, _ = await sessions.create(None, PARAMS, "2025-11-25")
        await sessions.create(None, PARAMS, "2025-11-25")
        with pytest.raises(sessions.SessionLimit):
            await sessions.create(None, PARAMS, "2025-11-25")
        await sessions.delete(first.id)
        await sessions.create(None, PARAMS, "2025-11-25")
        numbers = await sessions.statistics()
        assert (numbers.created, numbers.refused, numbers.deleted) == (3, 1, 1)


async def test_idle_sessions_end_and_used_ones_do_not(autojump_clock: object) -> None:
    async with tree(SessionLimits(idle_timeout=1800.0)):
        idle, idle_pid = await sessions.create(None, PARAMS, "2025-11-25")
        used, used_pid = await sessions.create(None, PARAMS, "2025-11-25")
        for _ in range(4):
            await trio.sleep(600)
            assert await sessions.find(used.id) == used_pid
        assert await sessions.find(idle.id) is None
        assert not is_alive(idle_pid)
        assert (await sessions.statistics()).expired == 1


async def test_a_session_with_a_call_in_flight_is_not_idle(autojump_clock: object) -> None:
    async with tree(SessionLimits(idle_timeout=60.0)):
        record, pid = await sessions.create(None, PARAMS, "2025-11-25")
        connection = spawn(trio.sleep_forever)
        cast(pid, ("started", 7, connection))
        await trio.sleep(600)
        assert is_alive(pid)
        cast(pid, ("finished", 7))
        await trio.sleep(30)
        assert is_alive(pid)
        await trio.sleep(600)
        assert await sessions.find(record.id) is None


async def test_the_session_answers_set_level() -> None:
    async with tree():
        _, pid = await sessions.create(None, PARAMS, "2025-11-25")
        assert (await call(pid, ("view",))).log_level is None
        good = await call(pid, ("answer", request(1, "logging/setLevel", {"level": "warning"})))
        assert isinstance(good, Response)
        assert (await call(pid, ("view",))).log_level == "warning"
        bad = await call(pid, ("answer", request(2, "logging/setLevel", {"level": "loud"})))
        assert isinstance(bad, ErrorResponse)
        assert bad.error.code == -32602


async def connection(inbox: list[object]) -> None:
    while True:
        inbox.append(await receive())


async def test_a_call_can_be_cancelled_from_elsewhere() -> None:
    async with tree():
        _, pid = await sessions.create(None, PARAMS, "2025-11-25")
        inbox: list[object] = []
        waiting = spawn(connection, inbox)
        cast(pid, ("started", 7, waiting))
        cast(pid, ("started", "x", waiting))
        cast(pid, ("cancel", 7, "no more use"))
        cast(pid, ("cancel", 8, "unknown"))
        await trio.testing.wait_all_tasks_blocked()
        assert inbox == [("cancelled", 7, "no more use")]
        assert await call(pid, ("statistics",)) == SessionStatistics(1, 0, 0, 0)


async def test_the_end_of_a_session_cancels_its_calls() -> None:
    async with tree():
        record, pid = await sessions.create(None, PARAMS, "2025-11-25")
        inbox: list[object] = []
        cast(pid, ("started", 7, spawn(connection, inbox)))
        await sessions.delete(record.id)
        await trio.testing.wait_all_tasks_blocked()
        assert inbox == [("cancelled", 7, "the session ended")]


async def test_notifications_go_to_one_open_stream() -> None:
    async with tree():
        _, pid = await sessions.create(None, PARAMS, "2025-11-25")
        changed = notification("notifications/tools/list_changed")
        cast(pid, ("notify", changed))
        first: list[object] = []
        second: list[object] = []
        stream = spawn(connection, first)
        cast(pid, ("attach", stream, False))
        cast(pid, ("attach", spawn(connection, second), False))
        cast(pid, ("notify", changed))
        await trio.testing.wait_all_tasks_blocked()
        assert (first, second) == ([("notify", changed)], [])
        await kill(stream)
        cast(pid, ("notify", changed))
        await trio.testing.wait_all_tasks_blocked()
        assert second == [("notify", changed)]
        assert await call(pid, ("statistics",)) == SessionStatistics(0, 1, 1, 0)


async def test_a_dead_connection_leaves_its_session() -> None:
    async with tree():
        _, pid = await sessions.create(None, PARAMS, "2025-11-25")
        waiting = spawn(connection, [])
        cast(pid, ("started", 7, waiting))
        cast(pid, ("attach", waiting, False))
        assert await call(pid, ("statistics",)) == SessionStatistics(1, 1, 0, 0)
        await kill(waiting)
        assert await call(pid, ("statistics",)) == SessionStatistics(0, 0, 0, 0)


async def test_the_tree_stops_in_order() -> None:
    async with tree():
        _, pid = await sessions.create(None, PARAMS, "2025-11-25")
        top = whereis("sessions_sup")
        assert top is not None
        await stop(top, "shutdown", math.inf)
        assert not is_alive(pid)
        assert whereis("sessions") is None


async def test_one_who_is_told_to_revive_a_session_and_ends_over_it_is_replaced() -> None:
    async with tree():
        record, pid = await sessions.create(None, PARAMS, "2025-11-25")
        pool = whereis("session_pool")
        assert pool is not None
        await kill(pool)
        await wait_all_tasks_blocked()
        assert not is_alive(pid)
        told = trio.Event()

        async def reviver() -> None:
            answer = await call("sessions", ("lookup", record.id))
            assert answer == ("revive", record)
            told.set()
            await trio.sleep_forever()

        first = spawn(reviver)
        await told.wait()
        async with trio.open_nursery() as nursery:
            found: list[Pid | None] = []

            async def look() -> None:
                found.append(await sessions.find(record.id))

            nursery.start_soon(look)
            await wait_all_tasks_blocked()
            await kill(first)
        assert found[0] is not None
        assert is_alive(found[0])
        assert await sessions.find(record.id) == found[0]
