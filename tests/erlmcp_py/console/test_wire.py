from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.console.wire import (
    Error,
    Event,
    Failure,
    Ok,
    Request,
    WireError,
    decode_reply,
    decode_request,
    encode,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.text(min_size=1), st.dictionaries(st.text(), json_values), st.text(), st.text())
def test_a_request_comes_back_as_it_was(
    command: str, args: dict[str, object], session: str, who: str
) -> None:
    request = Request(command, args, session, who)
    line = encode(request)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_request(line) == request


@given(json_values)
def test_an_answer_comes_back_as_it_was(value: object) -> None:
    for reply in (Ok(value), Event(value), Error(Failure("code", "words"))):
        assert decode_reply(encode(reply)) == reply


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"tree\n", "not a console request"),
        (b"[]\n", "not a console request"),
        (b"{}\n", '"command" is missing'),
        (b'{"command": 1}\n', "not a console request"),
        (b'{"command": "ps", "args": []}\n', "not a console request"),
        (b'{"command": "ps", "arg": {}}\n', "arg"),
        (b"\xff\xfe\n", "not a console request"),
    ],
)
def test_what_is_no_request_is_refused_with_a_reason(line: bytes, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint):
        decode_request(line)


def test_an_answer_needs_one_of_three_keys() -> None:
    with pytest.raises(WireError, match="none of"):
        decode_reply(b"{}\n")
