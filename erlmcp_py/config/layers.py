"""Files, variables and options, checked one by one and laid over each other."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from erlmcp_py.config.keys import KEYS, TABLES, nearest, paths, shape
from erlmcp_py.config.together import check_together
from erlmcp_py.config.values import ConfigError, Table
from erlmcp_py.config.whole import Config

PREFIX: Final = "ERLMCP__"


def default_file() -> Path:
    """The commented `default.toml`: inside an installed package, or in the source tree."""
    package = Path(__file__).parents[1]
    installed = package / "default.toml"
    return installed if installed.exists() else package.parent / "config" / "default.toml"


def load(
    path: str | os.PathLike[str] | None = None,
    overlays: Iterable[str | os.PathLike[str]] = (),
    env: Mapping[str, str] = os.environ,
    options: Mapping[str, Any] | None = None,
) -> Config:
    """Read, check and merge every layer.

    `path` is the profile (None: the shipped one); `overlays` follow in order, then `env`;
    `options` is what the command line says, a table like a file's, and wins.
    Raises `ConfigError` for a file that cannot be read, for TOML that does not parse, for a key that
    does not exist, has the wrong type or is out of range, and for values that contradict each other.
    """
    profile = default_file() if path is None else path
    layers = [(str(file), _read(Path(file))) for file in (profile, *overlays)]
    layers += [(f"environment variable {name}", layer) for name, layer in _environment(env)]
    if options:
        layers.append(("command line", dict(options)))
    merged: Table = {}
    for source, layer in layers:
        check(layer, source)
        merged = _merge(merged, layer)
    named = any("upstreams" in layer for _, layer in layers[1:])  # even if none is left of them
    if named and path is None and _only_examples(layers):
        merged["servers"] = []  # who names upstreams does not want our examples beside them
    config = msgspec.convert(merged, Config)
    check_together(config)
    return config


def _only_examples(layers: list[tuple[str, Table]]) -> bool:
    """Whether nobody but the shipped profile, the first layer, names servers."""
    return not any("servers" in layer for _, layer in layers[1:])


def _read(file: Path) -> Table:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not TOML: {error}") from error


def _environment(env: Mapping[str, str]) -> Iterator[tuple[str, Table]]:
    """One layer per variable, in the order of their names."""
    for variable in sorted(v for v in env if v.startswith(PREFIX)):
        path = tuple(part.lower() for part in variable.removeprefix(PREFIX).split("__"))
        if shape(path) not in KEYS and shape(path) not in TABLES:
            near = nearest(path)
            hint = f"; did you mean {PREFIX}{'__'.join(near).upper()}?" if near else ""
            raise ConfigError(f"environment variable {variable}: no such key{hint}")
        value: Any = env[variable]
        if not KEYS.get(shape(path)):
            value = _parse_value(value)
        for part in reversed(path):
            value = {part: value}
        yield variable, value


def _parse_value(text: str) -> Any:
    """`8080`, `true`, `["a"]` are what TOML says; anything else is a string."""
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return table["value"] if len(table) == 1 else text


def check(layer: Table, source: str) -> None:
    """Raise `ConfigError` unless this layer alone would be a valid configuration."""
    for path in paths(layer):
        if shape(path) not in KEYS and shape(path) not in TABLES:
            near = nearest(path)
            hint = f"; did you mean {'.'.join(near)}?" if near else ""
            raise ConfigError(f"{source}: {'.'.join(path)}: no such key{hint}")
    try:
        msgspec.convert(layer, Config)
    except msgspec.ValidationError as error:
        from erlmcp_py.config.wrong import explain

        raise ConfigError(f"{source}: {explain(layer, error)}") from error


def _merge(base: Table, over: Table) -> Table:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]
    return merged
