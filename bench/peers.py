"""Is everything here that a run needs? Said before anything is measured."""

import importlib.util
import resource
import shutil
import sys
from pathlib import Path

NEEDS = {
    "kernel": ("escript", "pykka", "otpylib"),
    "scale": ("escript",),
    "http": ("erlmcp-node", "mcp"),
    "many": ("erlmcp-node", "mcp"),
    "stdio": ("erlmcp-node", "mcp"),
    "work": (),
    "rest": ("erlmcp-node", "mcp"),
}


OPEN_FILES = 10_100
"""Sockets of the largest group, with room; many systems start a shell with 1,024."""


def raise_open_files() -> bool:
    """Lift the limit of open files, for this process and its children; False if it is fixed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        return False
    if soft < OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
    return True


def missing(groups: list[str]) -> list[str]:
    """One line for everything that is not there, each saying how to get it."""
    needed = {need for group in groups for need in NEEDS[group]}
    lines = []
    if "escript" in needed and shutil.which("escript") is None:
        lines.append("Erlang is not on PATH (no `escript`); on Debian: apt-get install erlang-base")
    if "erlmcp-node" in needed and not Path(sys.executable).with_name("erlmcp-node").exists():
        lines.append(
            f"erlmcp-node is not installed beside {sys.executable}; `make bench` installs it"
        )
    lines += [
        f"the Python package {package} is not installed; `make bench` installs it"
        for package in ("pykka", "otpylib", "mcp")
        if package in needed and importlib.util.find_spec(package) is None
    ]
    if {"many", "work"} & {*groups} and not raise_open_files():
        lines.append(f"the limit of open files is below {OPEN_FILES:,} (ulimit -Hn) and fixed")
    return lines
