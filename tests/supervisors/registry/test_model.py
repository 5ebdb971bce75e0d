"""Random registrations and ends, compared with a list of entries."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import supervisors as otp
from supervisors import GenServer, Registry, RegistryError


class Member(GenServer):
    """Does in its own name what it is asked to."""

    def init(self) -> Any:
        return "ok", None

    def handle_call(self, request: Any, from_: Any, state: Any) -> Any:
        function, *args = request
        try:
            return "reply", function(*args), state
        except RegistryError as refused:
            return "reply", refused.reason, state


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["register", "register", "unregister", "some", "end"]),
        st.integers(0, 3),
        st.sampled_from("xyz"),
    ),
    max_size=40,
)


@pytest.mark.parametrize("kind", ["unique", "duplicate"])
@given(steps=STEPS, partitions=st.integers(1, 3))
def test_a_registry_is_a_list_of_entries(
    kind: Literal["unique", "duplicate"], steps: list[tuple[str, int, str]], partitions: int
) -> None:
    async def body() -> None:
        registry = await Registry.start_link(keys=kind, partitions=partitions)
        members = [await Member.start() for _ in range(4)]
        model: list[tuple[str, Any, int]] = []
        for value, (step, number, key) in enumerate(steps):
            pid = members[number]
            match step:
                case "register":
                    holders = [p for k, p, _ in model if k == key]
                    got = await otp.call(pid, (Registry.register, registry, key, value))
                    if kind == "unique" and holders:
                        assert got == ("already_registered", holders[0])
                    else:
                        assert got is registry
                        model.append((key, pid, value))
                case "unregister":
                    await otp.call(pid, (Registry.unregister, registry, key))
                    model = [e for e in model if e[:2] != (key, pid)]
                case "some":
                    odd = (Registry.unregister_match, registry, key, lambda v: v % 2)
                    await otp.call(pid, odd)
                    model = [e for e in model if e[:2] != (key, pid) or e[2] % 2 == 0]
                case "end":
                    otp.exit(pid, "kill")
                    members[number] = await Member.start()
                    model = [e for e in model if e[1] is not pid]
            assert sorted(Registry.select(registry)) == sorted(model)
            assert Registry.count(registry) == len(model)
            for key_ in "xyz":
                entries = sorted((p, v) for k, p, v in model if k == key_)
                assert sorted(Registry.lookup(registry, key_)) == entries
            for pid in members:
                own = sorted(k for k, p, _ in model if p is pid)
                assert sorted(Registry.keys(registry, pid)) == own  # type: ignore[type-var]

    otp.run(body)


def test_a_process_without_entries_carries_nothing() -> None:
    async def body() -> None:
        registry = await Registry.start_link()
        member = await Member.start()
        process = member._process
        assert process is not None
        for _ in range(3):
            await otp.call(member, (Registry.register, registry, "k", 1))
            assert len(process.more().monitored_by) == 1
            await otp.call(member, (Registry.unregister, registry, "k"))
            assert not process.more().monitored_by

    otp.run(body)
