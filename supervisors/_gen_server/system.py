"""What `sys` may ask of a GenServer, plain or async (1.7).

Code change: the callback class is looked up again by its module and qualified name, so
after ``importlib.reload`` the process goes over to the class that is loaded now, and that
class's `code_change` migrates the state. It runs while the process is suspended; when
anything fails, class and state are the old ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .._sys.hooks import CodeChangeError, Event, SystemHooks, migrated
from .reporting import shown_status

if TYPE_CHECKING:
    from .._process import Process
    from .behaviour import GenServer


class ServerHooks(SystemHooks):
    """Common to the record of a plain server and the loop of an async one."""

    __slots__ = ()

    module: GenServer
    state: Any

    def record(self) -> Process:
        """The process that this is the server of."""
        raise AssertionError("each kind of server knows its process")

    def run_module(self, module: GenServer) -> None:
        """Call the callbacks of `module` from now on."""
        raise AssertionError("each kind of server keeps its module")

    @property
    def behaviour(self) -> str:  # type: ignore[override]
        return self.module.behaviour

    def callback_module(self) -> str:
        cls = callback_class(self.module)
        return f"{cls.__module__}:{cls.__qualname__}"

    def get_state(self) -> Any:
        return self.module.system_get_state(self.state)

    def seen_state(self, state: Any) -> Any:
        return self.module.system_get_state(state)

    def transform_state(self, fn: Callable[[Any], Any]) -> Any:
        answer, state = self.module.system_replace_state(fn, self.state)
        self.replace_state(state)
        return answer

    def shown_status(self, log: list[Event]) -> dict[str, Any]:
        shown = shown_status(self.record(), self.module, self.state, None, None)
        del shown["message"], shown["reason"]
        return shown

    def change_code(self, module: Any, old_vsn: Any, extra: Any) -> None:
        before = self.module
        if before.has_parts:
            parts = before.system_parts_change
            self.replace_state(migrated(lambda: parts(module, old_vsn, self.state, extra)))
            return
        old_class = callback_class(before)
        new_class = loaded_class(old_class, module)
        self.run_module(_module_of(before, new_class))
        try:
            change = self.module.system_code_change
            self.replace_state(migrated(lambda: change(old_vsn, self.state, extra)))
        except CodeChangeError:
            self.run_module(before)
            _module_of(before, old_class)
            raise


def callback_class(module: GenServer) -> type:
    """The user's class: of the module itself, unless that stands in for another."""
    cls: type = getattr(module, "callbacks", type(module))
    return cls


def loaded_class(old: type, module: object = None) -> type:
    """The class that bears the name of `old` now.

    module: where it is to be found, when not in the module of `old`: a module, its name,
    or the class itself. A class inside a function cannot be found anew and stays.
    Raises CodeChangeError when there is no such class, or one of another kind.
    """
    if isinstance(module, type):
        new: Any = module
    else:
        if isinstance(module, ModuleType):
            new = module
        else:
            name = old.__module__ if module is None else module
            new = sys.modules.get(name) if isinstance(name, str) else None
        if new is None:
            raise CodeChangeError(("nofile", module))
        for part in old.__qualname__.split("."):
            if part == "<locals>":
                return old
            new = getattr(new, part, None)
    if not isinstance(new, type):
        raise CodeChangeError(("undef", f"{module or old.__module__}:{old.__qualname__}"))
    if getattr(new, "is_plain", None) is not getattr(old, "is_plain", None):
        raise CodeChangeError(
            ("not_supported", f"{new.__qualname__} has async callbacks where it had none, or none")
        )
    return new


def _module_of(module: GenServer, cls: type) -> GenServer:
    """The callback module for `cls`; one that stands in for a class adopts it instead."""
    adopt = getattr(module, "adopt", None)
    if adopt is not None:
        adopt(cls)
        return module
    if cls is type(module):
        return module
    found: GenServer = cls.module  # type: ignore[attr-defined]
    return found
