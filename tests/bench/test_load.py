"""What the load generators send and how they judge answers."""

import json
import os
import socket
import subprocess
import sys
import threading

import pytest

from bench.mcp import wire
from bench.mcp.framing import FRAMINGS
from bench.mcp.http_load import Connection, Load, split_response
from bench.mcp.process import cpu_seconds, family, percentile, resident_mib, taking_turns
from bench.mcp.workers import listening

WHOLE = b"HTTP/1.1 200 OK\r\nMcp-Session-Id: AbC\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_every_request_is_json_of_one_length(era):
    template = wire.template(era)
    first, last = (template % n for n in (wire.FIRST_ID, 9_999_999))
    assert len(first) == len(last)
    assert json.loads(last)["id"] == 9_999_999
    assert ("_meta" in json.loads(first)["params"]) == (era == "modern")


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_response_is_recognised_when_it_is_whole(cut):
    assert split_response(WHOLE[:cut]) is None
    assert split_response(WHOLE + WHOLE[:cut]) == (
        200,
        b"HTTP/1.1 200 OK\r\nMcp-Session-Id: AbC\r\nContent-Length: 4",
        b"body",
        WHOLE[:cut],
    )


@pytest.mark.parametrize("cut", range(len(CHUNKED)))
def test_response_in_chunks_is_recognised_when_it_is_whole(cut):
    assert split_response(CHUNKED[:cut]) is None
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
    assert split_response(CHUNKED + CHUNKED[:cut]) == (200, head, b"body", CHUNKED[:cut])


def test_response_without_a_length_is_refused():
    with pytest.raises(RuntimeError, match="needs a Content-Length or chunks"):
        split_response(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")


def from_server(framing, message):
    """As our client frames it, but for the mask, which a server's frames do not have."""
    if framing != "websocket":
        return FRAMINGS[framing].frame(message)
    size = len(message)
    if size < 126:
        return bytes((0x81, size)) + message
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + message
    return b"\x81\x7f" + size.to_bytes(8, "big") + message


@pytest.mark.parametrize("framing", FRAMINGS)
def test_messages_are_split_wherever_they_are_cut(framing):
    messages = [b"a", b"{}" * 62, b"x" * 126, b"y" * 70_000]
    data = b"".join(from_server(framing, message) for message in messages)
    ends = [len(b"".join(from_server(framing, m) for m in messages[: n + 1])) for n in range(4)]
    for cut in [*range(400), ends[2] + 9, ends[2] + 10, ends[3] - 1, ends[3]]:
        whole, rest = FRAMINGS[framing].split(data[:cut])
        assert whole == [m for m, end in zip(messages, ends, strict=True) if end <= cut]
        assert rest == data[max([0, *(end for end in ends if end <= cut)]) : cut]


def test_events_are_messages():
    event = b'event: message\r\nid: 1\r\ndata: {"a":1}\r\n\r\n'
    assert wire.messages(event + b": comment\n\ndata: {}\n\n") == [b'{"a":1}', b"{}"]
    assert wire.messages(b"{}") == [b"{}"]


def test_progress_is_part_of_a_right_answer():
    told = b'data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n'
    last = b"data: " + answer() + b"\n\n"
    assert wire.is_right(told + last, 7, wire.CASES["report"])
    assert not wire.is_right(last, 7, wire.CASES["report"])


def answer(**changes):
    message = {"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": "42"}]}}
    return json.dumps({**message, **changes}, separators=(",", ":")).encode()


def test_only_the_right_answer_counts():
    assert wire.is_right(answer(), 7)
    assert wire.looks_right(answer())
    assert not wire.is_right(answer(), 8)
    wrong = {"content": [{"type": "text", "text": "42"}], "isError": True}
    assert not wire.is_right(answer(result=wrong), 7)
    assert not wire.looks_right(answer(result=wrong))
    assert not wire.looks_right(answer(result={"content": [{"type": "text", "text": "41"}]}))


def test_percentile_is_a_value_that_was_measured():
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)
    assert percentile([3.0], 0.99) == 3.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_process_figures_are_those_of_the_process():
    assert 1 < resident_mib(os.getpid()) < 10_000
    assert 0 < cpu_seconds(os.getpid()) < 100_000


def test_family_is_a_process_and_all_below_it():
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        while len(family(child.pid)) < 2:
            assert child.poll() is None
        assert {child.pid} < {*family(os.getpid())}
        child.communicate(b"\n")


def test_listening_sockets_of_a_port_are_counted():
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as first:
        port = first.getsockname()[1]
        assert listening(port) == 1
        with socket.create_server(("127.0.0.1", port), reuse_port=True):
            assert listening(port) == 2
            with socket.create_connection(("127.0.0.1", port)):
                assert listening(port) == 2
    assert listening(port) == 0


def test_who_takes_turns_is_on_one_core_and_then_where_it_was():
    mine = os.sched_getaffinity(0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        theirs = os.sched_getaffinity(other.pid)
        with taking_turns(other.pid):
            assert os.sched_getaffinity(0) == os.sched_getaffinity(other.pid)
            assert len(os.sched_getaffinity(0)) == 1
        assert (os.sched_getaffinity(0), os.sched_getaffinity(other.pid)) == (mine, theirs)
        with taking_turns(other.pid):
            other.kill()
            other.wait()
    assert os.sched_getaffinity(0) == mine


@pytest.mark.parametrize("right", [True, False])
def test_one_connection_asks_one_by_one_and_judges_every_answer(right):
    case = wire.CASES["add"]
    answers = []

    def serve(listener):
        peer = listener.accept()[0]
        with peer:
            while asked := peer.recv(65536):
                id = json.loads(asked.rpartition(b"\r\n\r\n")[2])["id"]
                text = case.answer if right else "41"
                body = json.dumps({"id": id, "result": {"content": [{"text": text}]}}).encode()
                whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
                answers.append(id)
                peer.send(whole[:20])
                peer.send(whole[20:])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        connection = Connection(listener.getsockname()[1])
        connection.head = b"POST / HTTP/1.1\r\n\r\n"
        load = Load([connection], "modern", case)
        took, marks = load.run(0.01)
        connection.socket.close()
        thread.join()
    assert took > 0
    assert marks == []
    assert len(load.latencies) == len(set(answers)) >= 1
    assert load.errors == (0 if right else len(answers))
