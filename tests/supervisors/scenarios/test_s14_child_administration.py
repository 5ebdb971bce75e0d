"""S14: the administration calls and their exact answers."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import ChildSpec, SupervisorError

from .harness import Scenario, answer, counts, golden, play
from .terms import ErlangError


async def undefined() -> None:
    raise ErlangError("undef")


async def one() -> int:
    return 1


def check(specs: Any, auto_shutdown: Any = None) -> Any:
    try:
        otp.check_childspecs(specs, auto_shutdown)
    except SupervisorError as fault:
        return "error", fault.reason
    return "ok"


async def why_not(sup: otp.Pid, spec: ChildSpec) -> Any:
    with pytest.raises(SupervisorError) as caught:
        await otp.start_child(sup, spec)
    reason, refused = caught.value.reason
    assert refused is spec
    return reason


async def s14(s: Scenario) -> None:
    """Every call, in the right and in the wrong state of its child."""
    sup = await s.sup([s.spec("a")], intensity=9)

    def say(what: str, term: Any) -> None:
        s.event("obs", what, term)

    async def start(spec: ChildSpec) -> Any:
        return await answer(otp.start_child(sup, spec), with_value=True)

    async def restart(id: str) -> Any:
        return await answer(otp.restart_child(sup, id), with_value=True)

    async def terminate(id: str) -> Any:
        return await answer(otp.terminate_child(sup, id))

    async def delete(id: str) -> Any:
        return await answer(otp.delete_child(sup, id))

    say("start_dup_running", await start(s.spec("a")))
    say("terminate_unknown", await terminate("nope"))
    say("delete_running", await delete("a"))
    say("restart_running", await restart("a"))
    say("terminate", await terminate("a"))
    say("terminate_again", await terminate("a"))
    say("which", await s.kids(sup))
    say("count", await counts(sup))
    say("start_dup_stopped", await start(s.spec("a")))
    say("restart", await restart("a"))
    say("terminate2", await terminate("a"))
    say("delete", await delete("a"))
    say("restart_deleted", await restart("a"))
    say("start_temp", await start(s.spec("t", restart="temporary")))
    say("terminate_temp", await terminate("t"))
    say("delete_temp", await delete("t"))
    s.plan["i"] = lambda _: "ignore"
    say("start_ignore", await start(s.spec("i")))
    say("start_ignore_temp", await start(ChildSpec("i2", s.spec("i").start, "temporary")))
    say("which", await s.kids(sup))
    say("count", await counts(sup))
    s.plan["e"] = lambda _: ("stop", "nope")
    say("start_error", await why_not(sup, s.spec("e")))
    say("start_undef", await why_not(sup, ChildSpec("u", (undefined, ()))))
    say("start_badret", await why_not(sup, ChildSpec("v", (one, ()))))
    say("which", await s.kids(sup))
    await otp.start_child(sup, s.spec("f", restart="transient"))
    spec = await otp.get_childspec(sup, "f")
    shown = [("id", spec.id), ("restart", spec.restart), ("shutdown", round(spec.shutdown * 1000))]
    shown += [("significant", spec.significant), ("start", "mfa"), ("type", spec.type)]
    say("get_childspec", shown)
    say("get_childspec_unknown", await answer(otp.get_childspec(sup, "nope")))
    for key, change, auto_shutdown in (
        ("ok", {}, None),
        ("restart", {"restart": "maybe_"}, None),
        ("shutdown", {"shutdown": -1}, None),
        ("type", {"type": "robot"}, None),
        ("mfa", {"start": "here"}, None),
        ("unknown_key_is_ignored", {"zzz": 1}, None),
        ("significant_never", {"significant": True, "restart": "transient"}, "never"),
        ("significant_permanent", {"significant": True}, "any_significant"),
    ):
        specs = [{"id": "x", "start": (one, ()), **change}]
        say("check", (key, check(specs, auto_shutdown)))
    say("check", ("no_id", check([{"start": (one, ())}])))
    say("check", ("no_start", check([{"id": "x"}])))
    say("check", ("duplicate", check([s.spec("x"), s.spec("x")])))
    say("check", ("not_a_list", check("x")))


@pytest.mark.otp("supervisor", "child_adm")
@pytest.mark.otp("supervisor", "sup_start_ignore_temporary_child_start_child")
@pytest.mark.otp("supervisor", "sup_start_child_returns_error")
async def test_as_erlang_does(autojump_clock: Any) -> None:
    assert await play(s14) == golden("s14_child_admin")
