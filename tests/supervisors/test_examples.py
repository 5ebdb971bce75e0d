"""The examples in docstrings run, and whoever looks up a module finds one in it."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from inspect import isclass
from types import ModuleType

import pytest

import supervisors

ROOMS = {
    "supervisors.distribution": {"endpoint", "links", "memory", "remote", "signals", "wire"},
    "supervisors.os_mon": {"monitor", "readings"},
    "supervisors.testing": {"pytest_plugin", "simulation"},
}
"""Parts of packages that are used through the package, whose text has the example."""


def modules() -> list[ModuleType]:
    found = pkgutil.walk_packages(supervisors.__path__, "supervisors.")
    names = (module.name for module in found if not module.name.endswith("__main__"))
    return [supervisors, *map(importlib.import_module, names)]


MODULES = modules()


def is_public(module: ModuleType) -> bool:
    """Whether people import from it, rather than from the package it is a room of."""
    name = module.__name__
    rooms = (f"{package}.{room}" for package, names in ROOMS.items() for room in names)
    return not any(part.startswith("_") for part in name.split(".")) and not any(
        name == room or name.startswith(f"{room}.") for room in rooms
    )


def taught() -> list[str]:
    """Public modules, and the rooms in which public classes with callbacks or verbs live."""
    exported = (getattr(supervisors, name) for name in supervisors.__all__)
    classes = [one for one in exported if isclass(one)]
    rooms = {c.__module__ for c in classes if any(f in vars(c) for f in ("init", "start_link"))}
    rooms |= {c.__module__ for c in (supervisors.Task, supervisors.Application)}
    return sorted({m.__name__ for m in MODULES if is_public(m)} | rooms)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_run(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", taught())
def test_there_is_an_example(name: str) -> None:
    examples = doctest.DocTestParser().get_examples(importlib.import_module(name).__doc__ or "")
    assert examples
