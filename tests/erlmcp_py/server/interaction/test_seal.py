"""`requestState` is readable by nobody else, unchangeable, and good for one thing."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.protocol.errors import INVALID_PARAMS, McpError
from erlmcp_py.server.interaction.seal import KEY_SIZE, MAX_STATE, StateSealer, bind

KEY, OTHER = b"k" * KEY_SIZE, b"o" * KEY_SIZE


@given(st.binary(max_size=2000), st.binary(max_size=40))
def test_what_was_sealed_comes_back(state, binding):
    sealer = StateSealer()
    assert sealer.open(sealer.seal(state, binding, expires=10.0), binding, now=10.0) == state


@given(st.data())
def test_any_change_of_any_bit_is_refused(data):
    sealer = StateSealer((KEY,))
    text = sealer.seal(b'{"a":1}', b"it", expires=10.0)
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    position = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[position // 8] ^= 1 << position % 8
    changed = base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()
    with pytest.raises(McpError, match="not one that this server gave"):
        sealer.open(changed, b"it", now=0.0)


@pytest.mark.parametrize(
    "text", ["", "x", "AQ", "é", "not base64!", "A" * 100, "A" * (MAX_STATE + 1), "AQ" * 60]
)
def test_nonsense_is_refused_with_the_code_for_bad_params(text):
    with pytest.raises(McpError) as caught:
        StateSealer().open(text, b"", now=0.0)
    assert caught.value.code == INVALID_PARAMS


def test_a_suffix_is_a_change():
    sealer = StateSealer()
    with pytest.raises(McpError):
        sealer.open(sealer.seal(b"s", b"it", expires=10.0) + "-TAMPERED", b"it", now=0.0)


def test_it_is_bound():
    sealer = StateSealer()
    with pytest.raises(McpError):
        sealer.open(sealer.seal(b"s", b"one", expires=10.0), b"another", now=0.0)


def test_it_expires():
    sealer = StateSealer()
    text = sealer.seal(b"s", b"it", expires=10.0)
    assert sealer.open(text, b"it", now=10.0) == b"s"
    with pytest.raises(McpError, match="expired"):
        sealer.open(text, b"it", now=10.1)


def test_the_state_cannot_be_read():
    assert b"secret" not in base64.urlsafe_b64decode(
        StateSealer().seal(b"secret", b"", expires=1.0) + "=="
    )


def test_a_rotated_key_still_opens_and_a_foreign_one_does_not():
    text = StateSealer((KEY,)).seal(b"s", b"it", expires=10.0)
    assert StateSealer((OTHER, KEY)).open(text, b"it", now=0.0) == b"s"
    with pytest.raises(McpError):
        StateSealer((OTHER,)).open(text, b"it", now=0.0)


def test_a_state_that_could_not_be_taken_back_is_not_given():
    with pytest.raises(ValueError, match="at most"):
        StateSealer().seal(b"s" * MAX_STATE, b"", expires=1.0)


@pytest.mark.parametrize("keys", [(), (b"short",), (KEY, b"")])
def test_bad_keys_are_refused(keys):
    with pytest.raises(ValueError, match="32 bytes"):
        StateSealer(keys)


def test_parts_of_a_binding_do_not_run_into_one_another():
    different = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", None), ("abc", ""), (None, "abc")]
    assert len({bind(*parts) for parts in different}) == len(different)
