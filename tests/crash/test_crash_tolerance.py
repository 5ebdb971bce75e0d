"""Random kills in virtual time, from fixed seeds; `make crashes N=10000` plays more of them."""

from __future__ import annotations

from typing import Any

import pytest

from erlmcp_py.server.at_work import AtWork
from erlmcp_py.server.interaction.peer import PeerQuestions
from erlmcp_py.server.tasks.manager import TaskManager
from erlmcp_py.sessions.session import Session
from erlmcp_py.transports.conversation import Conversation
from erlmcp_py.transports.conversation.listening import Listening
from erlmcp_py.transports.net.wire import Wire
from erlmcp_py.transports.stdio.channel import Channel
from erlmcp_py.transports.tcp.connection import _Pump as TcpPump
from tests.crash.oracle import Violation
from tests.crash.play import play


@pytest.mark.parametrize("seed", [11, 126])
def test_whatever_is_killed_each_request_has_its_end_and_nothing_leaks(seed: int) -> None:
    oracle = play(seed, 70).oracle
    assert oracle.injected.total() >= 70
    assert oracle.endings["answered"] > 200
    assert oracle.endings["closed"] > 0
    assert not oracle.open


def test_a_seed_takes_the_same_course_again() -> None:
    first, second = (play(11, 30).oracle for _ in range(2))
    assert [(kill.kind, kill.at) for kill in first.kills] == [
        (kill.kind, kill.at) for kill in second.kills
    ]
    assert first.endings == second.endings


def _found(what: str, seeds: int = 12) -> None:
    with pytest.raises(Violation, match=what):
        for seed in range(seeds):
            play(seed, 60)


class TestWhatWouldBeFound:
    """The simulation is worth something only if it notices."""

    def test_requests_that_a_restarted_transport_forgets(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def forget(self: Conversation) -> None:
            self._memory.unanswered.clear()
            take_over(self)

        take_over = Conversation.take_over
        monkeypatch.setattr(Conversation, "take_over", forget)
        _found("hangs")

    def test_an_answer_that_is_written_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write = Channel.write

        def twice(self: Channel, line: bytes) -> None:
            write(self, line)
            if b"restarted" in line:
                write(self, line)

        monkeypatch.setattr(Channel, "write", twice)
        _found("nobody waits for")

    def test_answers_that_a_client_waits_for_who_says_no_more(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(TcpPump, "answered", lambda _self: True)
        _found("excuses closed")

    def test_changes_that_a_connection_does_not_tell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Listening, "_tell", lambda _self, _subscription, _announcement: None)
        _found("TcpClient.* was not told|WebSocketClient.* was not told")

    def test_calls_that_end_with_the_process_of_their_session(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        terminate = Session.terminate
        monkeypatch.setattr(
            Session, "terminate", lambda self, _reason, state: terminate(self, "normal", state)
        )
        _found("without an answer", seeds=36)

    def test_calls_that_are_never_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        end = AtWork._end

        def keep(self: AtWork, pid: Any) -> Any:
            running = end(self, pid)
            self.keys[running.scope.key] = pid
            return running

        monkeypatch.setattr(AtWork, "_end", keep)
        _found("books were|crashed by itself|excuses")

    def test_tasks_that_a_new_manager_forgets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def forget(self: TaskManager, _look: Any, state: Any) -> tuple[Any, ...]:
            return ("noreply", state)

        monkeypatch.setattr(TaskManager, "handle_continue", forget)
        _found("does not end|books were")

    def test_sockets_that_stay_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        kept: list[Any] = []
        close = Wire.close

        def keep(self: Wire) -> None:
            kept.append(self._socket.dup())
            close(self)

        monkeypatch.setattr(Wire, "close", keep)
        _found("descriptors|hangs|Bad file descriptor")
        for sock in kept:
            sock.close()

    def test_a_neighbour_that_falls_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ask = PeerQuestions._one

        async def fragile(self: PeerQuestions, own: Any, question: Any) -> Any:
            if len(getattr(self, "_version", "")) and hash(own) % 3 == 0:
                raise RuntimeError("for no reason")
            return await ask(self, own, question)

        monkeypatch.setattr(PeerQuestions, "_one", fragile)
        _found("excuses refused|crashed by itself")
