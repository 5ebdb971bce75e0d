"""What a node is told before it starts: typed, layered, and strict about every key.

Layers, each overriding the one before: the defaults below, a profile (``config/default.toml``
unless another is given), overlay files in the order given, environment variables named
``ERLMCP__SECTION__KEY``, and options of the command line. Tables merge key by key; lists and
values replace.

A misspelt key is the worst configuration error, because the node starts and quietly does what its
operator believes to have switched off. So every layer is checked on its own, before they are merged:
an unknown or ill-typed key is a `ConfigError` that names the file (or variable), the path of the key
and what would be right. The same holds for environment variables with the node's prefix.

`default.toml` repeats the defaults with a comment each; a test holds the two equal.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_origin

import msgspec
from msgspec import Meta

PREFIX: Final = "ERLMCP__"

Table: TypeAlias = dict[str, Any]
KeyPath: TypeAlias = tuple[str, ...]

_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_TARGET: Final = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
_MEANING: Final = {
    _NAME: "up to 64 letters, digits, '-' and '_', the first a letter or digit",
    _TARGET: "MODULE:ATTR, such as examples.simple:server",
}
"""What a pattern says, for those who do not read patterns."""

Name = Annotated[str, Meta(pattern=_NAME)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=1024, le=1 << 30)]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Share = Annotated[float, Meta(gt=0, le=1)]


class ConfigError(Exception):
    """The configuration cannot be used. The message is one line for the operator."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration file."""


class NodeConfig(_Section, frozen=True, kw_only=True):
    """`[node]`: who this node is."""

    name: Name = "erlmcp"
    """Names the node in pids and its control socket; two live nodes of one user cannot share it."""


class HttpConfig(_Section, frozen=True, kw_only=True):
    """`[http]`: the streamable HTTP listener."""

    enabled: bool = True
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Port = 8080
    """0 lets the operating system choose."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may call, besides those of this machine. "*" allows every page."""
    allowed_hosts: tuple[str, ...] = ()
    """Host headers accepted besides the listener's own and localhost. "*" accepts every one."""
    body_limit: Bytes = 4 * 1024 * 1024
    """Bytes of a request body; a longer one is answered 413."""
    connections: Count = 4096
    """Open connections; one more is answered 503."""
    idle_timeout: Seconds = 75.0
    """Seconds a connection may stay open without a request."""
    resumable_answers: bool = False
    """Answer every request of a session as an event stream, so that its client can come back for an
    answer that got lost on the way; otherwise only those that take their time."""


class StdioConfig(_Section, frozen=True, kw_only=True):
    """`[stdio]`: one client on standard input and output."""

    enabled: bool = False
    line_limit: Bytes = 4 * 1024 * 1024
    """Bytes of one message."""


class SessionsConfig(_Section, frozen=True, kw_only=True):
    """`[sessions]`: sessions of clients that speak a revision up to 2025-11-25."""

    idle_timeout: Seconds = 1800.0
    """Seconds after its last request at which a session ends."""
    max: Count = 10_000
    """Sessions alive at once; one more is refused."""


class HealthConfig(_Section, frozen=True, kw_only=True):
    """`[health]`: the health monitor."""

    check_interval: Seconds = 30.0
    """Seconds between two checks of a component in order."""
    check_timeout: Seconds = 5.0
    """Seconds a component has to answer."""
    max_consecutive_failures: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Failed checks in a row that make a component unhealthy; fewer make it degraded."""
    recovery_interval: Seconds = 10.0
    """Seconds between two checks of a component that failed its last one."""
    system_check_interval: Seconds = 15.0
    """Seconds between two looks at the machine's memory."""
    memory_warning: Share = 0.85
    """Share of memory in use at which the system is degraded."""
    memory_critical: Share = 0.95
    """Share of memory in use at which the system is unhealthy."""


class ControlConfig(_Section, frozen=True, kw_only=True):
    """`[control]`: the Unix socket that `erlmcp-node attach` and the one-shot commands use."""

    enabled: bool = True
    directory: str = ""
    """Where the socket lies; empty chooses a directory that only this user can enter."""


class WatchdogConfig(_Section, frozen=True, kw_only=True):
    """`[watchdog]`: what becomes of code that holds the loop."""

    long_schedule: Seconds = 0.1
    """Seconds after which a handler that holds the loop is logged, with its stack."""
    max_run: Seconds | Literal["off"] = "off"
    """Seconds after which it is made to crash; at least `long_schedule`."""


class OsMonConfig(_Section, frozen=True, kw_only=True):
    """`[os_mon]`: alarms about the machine."""

    memory_interval: Seconds = 60.0
    """Seconds between two looks at the memory."""
    memory: Share | Literal["off"] = 0.80
    """Share of memory in use above which there is an alarm."""
    process_memory: Share | Literal["off"] = 0.05
    """Share of memory above which one process of the node is an alarm."""
    disk_interval: Seconds = 1800.0
    """Seconds between two looks at the disks."""
    disk: Share | Literal["off"] = 0.80
    """Share of a disk in use above which there is an alarm."""
    load_interval: Seconds = 60.0
    """Seconds between two looks at the load."""
    load: Annotated[float, Meta(gt=0)] | Literal["off"] = 4.0
    """Load of five minutes per processor above which there is an alarm."""


class MailboxesConfig(_Section, frozen=True, kw_only=True):
    """`[mailboxes]`: messages that may wait in the processes strangers can reach (DESIGN 2.4)."""

    server: Count = 10_000
    """Of each MCP server; one call more is answered 503, over stdio with an error."""
    session: Count = 1000
    """Of each session; one request more is answered 503."""
    sessions: Count = 10_000
    """Of the session manager; one request more is answered 503."""
    connection: Count = 5000
    """Of each HTTP connection; one message more closes it."""
    log: Count = 10_000
    """Of the log writer; further entries are dropped, audit entries never."""


class LogConfig(_Section, frozen=True, kw_only=True):
    """`[log]`: entries on standard error."""

    level: Literal["debug", "info", "warning", "error", "critical"] = "info"


class ApplicationsConfig(_Section, frozen=True, kw_only=True):
    """`[applications]`: what a node runs besides itself."""

    start: tuple[Name, ...] = ("chaos",)
    """Names from the entry-point group `erlmcp.applications`, started in this order."""
    permanent: tuple[Name, ...] = ()
    """Those of them whose end ends the node; the others end alone."""


class ServerConfig(_Section, frozen=True, kw_only=True):
    """`[[servers]]`: an MCP server written in Python."""

    name: Name
    """Served at /mcp/NAME."""
    target: Annotated[str, Meta(pattern=_TARGET)]
    """`MODULE:ATTR`, where ATTR is an `erlmcp_py.server.Server`."""


class Config(_Section, frozen=True, kw_only=True):
    """The whole configuration of a node, every default included."""

    node: NodeConfig = NodeConfig()
    http: HttpConfig = HttpConfig()
    stdio: StdioConfig = StdioConfig()
    sessions: SessionsConfig = SessionsConfig()
    health: HealthConfig = HealthConfig()
    watchdog: WatchdogConfig = WatchdogConfig()
    os_mon: OsMonConfig = OsMonConfig()
    mailboxes: MailboxesConfig = MailboxesConfig()
    control: ControlConfig = ControlConfig()
    log: LogConfig = LogConfig()
    applications: ApplicationsConfig = ApplicationsConfig()
    servers: tuple[ServerConfig, ...] = (
        ServerConfig(name="simple", target="examples.simple:server"),
        ServerConfig(name="calculator", target="examples.calculator:server"),
        ServerConfig(name="weather", target="examples.weather:server"),
    )
    """The first one is the node's default server, at /mcp."""


def default_file() -> Path:
    """The commented `default.toml`: inside an installed package, or in the source tree."""
    package = Path(__file__).parent
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
    merged: Table = {}
    for file in [default_file() if path is None else path, *overlays]:
        layer = _read(Path(file))
        _check(layer, str(file))
        merged = _merge(merged, layer)
    for variable, layer in _environment(env):
        _check(layer, f"environment variable {variable}")
        merged = _merge(merged, layer)
    if options:
        _check(dict(options), "command line")
        merged = _merge(merged, dict(options))
    config = msgspec.convert(merged, Config)
    _check_together(config)
    return config


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
        if path not in _KEYS and path not in _TABLES:
            near = _nearest(path)
            hint = f"; did you mean {PREFIX}{'__'.join(near).upper()}?" if near else ""
            raise ConfigError(f"environment variable {variable}: no such key{hint}")
        value: Any = env[variable]
        if not _KEYS.get(path):
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


def _check(layer: Table, source: str) -> None:
    """Raise `ConfigError` unless this layer alone would be a valid configuration."""
    for path in _paths(layer):
        if path not in _KEYS and path not in _TABLES:
            near = _nearest(path)
            hint = f"; did you mean {'.'.join(near)}?" if near else ""
            raise ConfigError(f"{source}: {'.'.join(path)}: no such key{hint}")
    try:
        msgspec.convert(layer, Config)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$.")
        key = where.rstrip("`")
        for pattern, meaning in _MEANING.items():
            if repr(pattern)[1:-1] in problem:
                problem = f"must be {meaning}"
        raise ConfigError(f"{source}: {key + ': ' if key else ''}{problem}") from error


def _check_together(config: Config) -> None:
    """The rules that span keys; only the merged whole can be held to them."""
    health = config.health
    if health.memory_warning >= health.memory_critical:
        raise ConfigError(
            f"health.memory_warning: {health.memory_warning} must be below "
            f"health.memory_critical, which is {health.memory_critical}"
        )
    watchdog = config.watchdog
    if watchdog.max_run != "off" and watchdog.max_run < watchdog.long_schedule:
        raise ConfigError(
            f"watchdog.max_run: {watchdog.max_run} must not be below watchdog.long_schedule, "
            f"which is {watchdog.long_schedule}"
        )
    for name in config.applications.permanent:
        if name not in config.applications.start:
            raise ConfigError(
                f"applications.permanent: {name!r} is not in applications.start; only what is "
                "started can be permanent"
            )
    seen: dict[str, str] = {}
    for server in config.servers:
        if server.name in seen:
            raise ConfigError(
                f"servers: two are named {server.name!r} ({seen[server.name]} and {server.target}); "
                "give each a name of its own"
            )
        seen[server.name] = server.target
    if not (config.http.enabled or config.stdio.enabled):
        raise ConfigError(
            "http.enabled, stdio.enabled: both are false; nobody could reach the node"
        )


def _merge(base: Table, over: Table) -> Table:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _paths(table: Table, above: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key of a document as a path; the tables of a list count as one."""
    for key, value in table.items():
        path = (*above, key)
        yield path
        for inner in value if isinstance(value, list) else (value,):
            if isinstance(inner, dict):
                yield from _paths(inner, path)


def _nearest(path: KeyPath) -> KeyPath | None:
    """The valid path most like a wrong one: same table first, then the same key elsewhere."""
    from difflib import get_close_matches

    valid = {".".join(p): p for p in (*_TABLES, *_KEYS)}
    siblings = [name for name, p in valid.items() if p[:-1] == path[:-1]]
    leaves = [name for name, p in valid.items() if p[-1] == path[-1]]
    wrong = ".".join(path)
    for candidates, cutoff in ((siblings, 0.6), (leaves, 0.0), (list(valid), 0.6)):
        found = get_close_matches(wrong, candidates, n=1, cutoff=cutoff)
        if found:
            return valid[found[0]]
    return None


def _outline(
    section: type[_Section], above: KeyPath = ()
) -> tuple[dict[KeyPath, bool], set[KeyPath]]:
    """Every key's path with whether it holds a plain string, and every table's path."""
    keys: dict[KeyPath, bool] = {}
    tables: set[KeyPath] = set()
    for field in msgspec.structs.fields(section):
        path = (*above, field.encode_name)
        is_list = isinstance(field.default, tuple) and len(field.default) > 0
        example = field.default[0] if is_list else field.default
        if isinstance(example, _Section):
            tables.add(path)
            inner_keys, inner_tables = _outline(type(example), path)
            keys |= inner_keys
            tables |= inner_tables
        else:
            several = get_origin(field.type) in (Union, UnionType)  # a number or "off"
            keys[path] = isinstance(field.default, str) and not several
    return keys, tables


_KEYS, _TABLES = _outline(Config)
