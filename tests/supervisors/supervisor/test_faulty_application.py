"""A child that cannot start, seen from the start of its application (supervisor_SUITE)."""

from __future__ import annotations

from typing import Any

import pytest

import supervisors as otp
from supervisors import Application, GenServer, Stack, Supervisor, SupFlags, application


class Faulty(GenServer):
    def init(self) -> Any:
        return an_undefined_function("argument")  # type: ignore[name-defined]  # noqa: F821


class Fine(GenServer):
    pass


class Tree(Supervisor):
    def init(self) -> Any:
        return SupFlags(), [Fine.child_spec(name="fine"), Faulty.child_spec(id="faulty")]


class FaultyApplication(Application):
    name = "app_faulty"

    async def start(self, type: str, args: Any) -> Any:
        return await Tree.start_link(name="tree")


@pytest.mark.otp("supervisor", "faulty_application_shutdown")
def test_its_error_comes_up_and_nothing_is_left(as_process) -> None:
    async def main() -> None:
        app = FaultyApplication()
        with pytest.raises(otp.ApplicationError) as refused:
            await application.start(app)
        match refused.value.reason:
            case (("shutdown", ("failed_to_start_child", "faulty", (error, stack))), call):
                assert str(error) == "name 'an_undefined_function' is not defined"
                assert type(stack) is Stack
                assert "test_faulty_application.py" in str(stack)
                assert call[1:] == ("start", ("normal", app.args))
            case other:
                pytest.fail(f"refused with {other!r}")
        assert (otp.whereis("tree"), otp.whereis("fine")) == (None, None)
        assert await application.which_applications() == []

    as_process(main)
