"""What a changed configuration comes to."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py.config import Config, HttpConfig, HttpTlsConfig, LogConfig, UpstreamConfig
from erlmcp_py.gateway.changes import (
    ANEW,
    LIVE,
    Changes,
    UpstreamChanges,
    compare,
    compare_upstreams,
    effective,
)

UPSTREAMS = st.dictionaries(
    st.sampled_from("abcde"),
    st.builds(
        UpstreamConfig,
        command=st.sampled_from(["x", "y"]),
        args=st.sampled_from([(), ("1",)]),
        timeout=st.sampled_from([1.0, 2.0]),
        restarts=st.sampled_from([1, 2]),
    ),
)


def test_every_key_either_counts_at_once_or_needs_another_program() -> None:
    assert set(UpstreamConfig.__struct_fields__) == LIVE | ANEW
    assert not LIVE & ANEW


@given(UPSTREAMS, UPSTREAMS)
def test_each_upstream_is_in_one_place_and_what_differs_is_in_some(
    running: dict[str, UpstreamConfig], wanted: dict[str, UpstreamConfig]
) -> None:
    found = compare_upstreams(running, wanted)
    named = [*found.added, *found.removed, *found.anew, *found.adjusted]
    assert len(named) == len(set(named))
    for name in running.keys() | wanted.keys():
        assert (name in named) == (running.get(name) != wanted.get(name))


@given(UPSTREAMS, UPSTREAMS)
def test_what_it_says_makes_the_one_of_the_other(
    running: dict[str, UpstreamConfig], wanted: dict[str, UpstreamConfig]
) -> None:
    found = compare_upstreams(running, wanted)
    made = {name: one for name, one in running.items() if name not in found.removed}
    for name, keys in (found.anew | found.adjusted).items():
        taken = {key: getattr(wanted[name], key) for key in keys}
        made[name] = msgspec.structs.replace(made[name], **taken)
    made |= {name: wanted[name] for name in found.added}
    assert made == wanted
    stay = [name for name in made if name not in found.added]
    assert found.reordered == (stay != [name for name in wanted if name in stay])


@given(UPSTREAMS, UPSTREAMS)
def test_only_what_its_program_was_started_with_starts_it_anew(
    running: dict[str, UpstreamConfig], wanted: dict[str, UpstreamConfig]
) -> None:
    found = compare_upstreams(running, wanted)
    assert all(ANEW & set(keys) for keys in found.anew.values())
    assert all(LIVE.issuperset(keys) for keys in found.adjusted.values())
    for names in (found.anew, found.adjusted):
        assert list(names) == [name for name in wanted if name in names]


def test_the_rest_is_named_by_its_key_and_waits_but_for_the_level_of_the_log() -> None:
    running = Config()
    wanted = msgspec.structs.replace(
        running,
        http=HttpConfig(port=9, tls=HttpTlsConfig(minimum="1.3")),
        log=LogConfig(level="debug"),
        servers=(),
        upstreams={"x": UpstreamConfig(command="x")},
    )
    found = compare(running, wanted)
    assert found == Changes(
        upstreams=UpstreamChanges(added=("x",)),
        applied=("log.level",),
        pending=("http.port", "http.tls.minimum", "servers"),
    )
    then = effective(running, wanted)
    assert then == msgspec.structs.replace(
        running, log=LogConfig(level="debug"), upstreams=wanted.upstreams
    )
    assert compare(then, wanted) == Changes(pending=found.pending)


@given(UPSTREAMS)
def test_what_is_the_same_changes_nothing(upstreams: dict[str, UpstreamConfig]) -> None:
    config = msgspec.structs.replace(Config(), upstreams=upstreams)
    assert not compare(config, config)
