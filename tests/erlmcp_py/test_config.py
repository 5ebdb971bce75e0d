from __future__ import annotations

import contextlib
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlmcp_py import config as configuration
from erlmcp_py.config import Config, ConfigError, load


@pytest.fixture
def write(tmp_path):
    def write_toml(text: str, name: str = "node.toml") -> Path:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write_toml


def refused(*args, env=None, **kwargs) -> str:
    with pytest.raises(ConfigError) as caught:
        load(*args, env=env or {}, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_default_toml_is_the_defaults() -> None:
    assert load(env={}) == Config()


def test_default_toml_spells_out_every_key() -> None:
    document = tomllib.loads(configuration.default_file().read_text(encoding="utf-8"))
    assert document == msgspec.json.decode(msgspec.json.encode(Config()))


def test_layers_override_in_order(write) -> None:
    first = write("[http]\nport = 1\nhost = 'localhost'\n[node]\nname = 'a'\n", "1.toml")
    second = write("[http]\nport = 2\n", "2.toml")
    config = load(overlays=[first, second], env={"ERLMCP__NODE__NAME": "c"})
    assert (config.http.port, config.http.host, config.node.name) == (2, "localhost", "c")
    assert config.http.body_limit == Config().http.body_limit


def test_a_list_replaces_the_one_below(write) -> None:
    overlay = write("[[servers]]\nname = 'mine'\ntarget = 'my.module:server'\n")
    assert [s.name for s in load(overlays=[overlay], env={}).servers] == ["mine"]


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        ("[http]\nprot = 1\n", "http.prot", "http.port"),
        ("[htttp]\nport = 1\n", "htttp", "http"),
        ("port = 1\n", "port", "http.port"),
        ("[health]\nmemory_warn = 0.5\n", "health.memory_warn", "health.memory_warning"),
        (
            "[[servers]]\nname = 'a'\ntarget = 'a:b'\ntraget = 'c:d'\n",
            "servers.traget",
            "servers.target",
        ),
        ("[upstreams.a]\ntimout = 1\n", "upstreams.a.timout", "upstreams.a.timeout"),
    ],
)
def test_an_unknown_key_names_file_path_and_the_nearest_key(write, text, path, hint) -> None:
    file = write(text)
    assert refused(overlays=[file]) == f"{file}: {path}: no such key; did you mean {hint}?"


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        ("[http]\nport = '80'\n", "http.port", "must be a whole number, not a string"),
        ("[http]\nport = 65536\n", "http.port", "must be a whole number <= 65535, not 65536"),
        (
            "[health]\ncheck_interval = 0\n",
            "health.check_interval",
            "must be a number > 0.0, not 0",
        ),
        (
            "[log]\nlevel = 'loud'\n",
            "log.level",
            'must be "critical", "debug", "error", "info" or "warning", not "loud"',
        ),
        ("http = 1\n", "http", "must be a table, not a whole number"),
        ("[[servers]]\nname = 'a'\n", "servers[0]", "has no target, which it needs"),
        (
            "[http.tls]\nredirect_port = 'x'\n",
            "http.tls.redirect_port",
            'must be a whole number or "off"',
        ),
        (
            "[upstreams.a]\n[upstreams.b]\ntimeout = 'x'\n",
            "upstreams.b.timeout",
            "must be a number",
        ),
        ("[upstreams.b.env]\nA = 'x'\nB = 1\n", "upstreams.b.env.B", "must be a string or a table"),
        ("[upstreams.b.env]\nB = {en = 'x'}\n", "upstreams.b.env.B", "en: no such key"),
        ("[upstreams.b.rename]\na = 'c d'\n", "upstreams.b.rename.a", "must be 1 to 128 letters"),
        ("[upstreams.b]\ncommand = ['a', 1]\n", "upstreams.b.command[1]", "must be a string, not"),
        ("[upstreams.b]\n[upstreams.'a b']\n", "upstreams.a b", "must be up to 64 letters"),
        (
            "[[servers]]\nname = 'a'\ntarget = 'nocolon'\n",
            "servers[0].target",
            "must be MODULE:ATTR",
        ),
        ("[node]\nname = '../x'\n", "node.name", "must be up to 64 letters"),
    ],
)
def test_an_ill_typed_value_names_file_path_and_what_is_right(write, text, path, problem) -> None:
    file = write(text)
    assert refused(overlays=[file]).startswith(f"{file}: {path}: {problem}")


def test_broken_files_are_named(write, tmp_path) -> None:
    broken = write("[http\n")
    assert refused(overlays=[broken]).startswith(f"{broken}: not TOML: ")
    missing = tmp_path / "missing.toml"
    assert refused(overlays=[missing]) == f"{missing}: cannot be read: No such file or directory"
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# caf\xe9")
    assert refused(overlays=[latin]) == f"{latin}: not UTF-8 at byte 5"


def test_environment_values_take_the_type_of_their_key() -> None:
    config = load(
        env={
            "ERLMCP__HTTP__PORT": "9000",
            "ERLMCP__HTTP__ENABLED": "true",
            "ERLMCP__HEALTH__CHECK_INTERVAL": "1",
            "ERLMCP__NODE__NAME": "123",
            "ERLMCP__HTTP__ALLOWED_ORIGINS": '["https://a.example"]',
            "ERLMCP__SERVERS": '[{name = "s", target = "m:s"}]',
            "ERLMCP_OTHER": "not ours",
        }
    )
    assert config.http.port == 9000
    assert config.health.check_interval == 1.0
    assert config.node.name == "123"
    assert config.http.allowed_origins == ("https://a.example",)
    assert [s.target for s in config.servers] == ["m:s"]


def test_environment_errors_name_the_variable() -> None:
    assert refused(env={"ERLMCP__HTTP__PROT": "1"}) == (
        "environment variable ERLMCP__HTTP__PROT: no such key; did you mean ERLMCP__HTTP__PORT?"
    )
    assert refused(env={"ERLMCP__HTTP__PORT": "many"}) == (
        "environment variable ERLMCP__HTTP__PORT: http.port: must be a whole number, not a string"
    )
    assert refused(env={"ERLMCP__": "x"}).startswith("environment variable ERLMCP__: no such key")


def test_a_value_cannot_smuggle_in_other_keys() -> None:
    message = refused(env={"ERLMCP__HTTP__PORT": "1\n[node]\nname = 'x'"})
    assert message.startswith(
        "environment variable ERLMCP__HTTP__PORT: http.port: must be a whole number"
    )


def test_the_command_line_is_the_last_layer_and_checked_like_a_file() -> None:
    env = {"ERLMCP__HTTP__PORT": "9000"}
    assert load(env=env, options={"http": {"port": 1}}).http.port == 1
    message = refused(options={"node": {"name": "a b"}})
    assert message.startswith("command line: node.name: must be up to 64 letters")


def test_contradictions_between_layers_are_found_in_the_whole(write) -> None:
    raised = write("[health]\nmemory_warning = 0.97\n", "1.toml")
    assert refused(overlays=[raised]) == (
        "health.memory_warning: 0.97 must be below health.memory_critical, which is 0.95"
    )
    both = write("[health]\nmemory_critical = 0.99\n", "2.toml")
    assert load(overlays=[raised, both], env={}).health.memory_warning == 0.97


def test_two_servers_cannot_share_a_name() -> None:
    twice = '[{name="s", target="a:x"}, {name="s", target="b:x"}]'
    assert refused(env={"ERLMCP__SERVERS": twice}).startswith(
        "servers: two are named 's' (a:x and b:x)"
    )


def test_a_node_nobody_can_reach_is_refused() -> None:
    assert "all are false" in refused(env={"ERLMCP__HTTP__ENABLED": "false"})


@given(
    st.text(alphabet=st.characters(codec="ascii", exclude_characters="\0="), max_size=20),
    st.text(max_size=30),
)
def test_no_environment_ends_in_anything_but_a_config_or_a_config_error(key, value) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(load(env={f"ERLMCP__{key}": value}), Config)


def test_an_installed_package_finds_its_own_default_toml(tmp_path) -> None:
    root = Path(configuration.__file__).parents[2]
    build = f"from hatchling.build import build_wheel; print(build_wheel({str(tmp_path)!r}))"
    wheel = run_python(build, cwd=root).splitlines()[-1]
    zipfile.ZipFile(tmp_path / wheel).extractall(tmp_path / "site")

    found = run_python(
        "import erlmcp_py.config as c; assert c.load(env={}) == c.Config(); print(c.default_file())",
        cwd=tmp_path / "site",
    )
    assert found.strip() == str(tmp_path / "site" / "erlmcp_py" / "default.toml")


def run_python(program: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_mark_is_a_number_or_off() -> None:
    env = {"ERLMCP__WATCHDOG__MAX_RUN": "2.5", "ERLMCP__OS_MON__DISK": "off"}
    config = load(env=env)
    assert (config.watchdog.max_run, config.os_mon.disk) == (2.5, "off")
    assert load(env={"ERLMCP__WATCHDOG__MAX_RUN": "off"}).watchdog.max_run == "off"
    assert "watchdog.max_run" in refused(env={"ERLMCP__WATCHDOG__MAX_RUN": "never"})
    assert refused(env={"ERLMCP__WATCHDOG__MAX_RUN": "0.05"}) == (
        "watchdog.max_run: 0.05 must not be below watchdog.long_schedule, which is 0.1"
    )


def test_only_what_is_started_can_be_permanent() -> None:
    assert load(env={"ERLMCP__APPLICATIONS__PERMANENT": '["chaos"]'})
    assert refused(env={"ERLMCP__APPLICATIONS__PERMANENT": '["shop"]'}) == (
        "applications.permanent: 'shop' is not in applications.start; only what is started can be "
        "permanent"
    )


def test_no_server_has_the_name_of_the_way_in() -> None:
    servers = '[{name = "ws", target = "examples.simple:server"}]'
    told = refused(env={"ERLMCP__SERVERS": servers})
    assert "servers: /mcp/ws is where WebSockets are opened" in told
    off = load(env={"ERLMCP__SERVERS": servers, "ERLMCP__WEBSOCKET__ENABLED": "false"})
    assert off.servers[0].name == "ws"


def test_tcp_serves_a_server_that_there_is() -> None:
    assert "tcp.server: there is no server 'other'" in refused(env={"ERLMCP__TCP__SERVER": "other"})
    assert load(env={"ERLMCP__TCP__SERVER": "weather"}).tcp.server == "weather"


def test_tcp_stands_where_only_this_machine_reaches_it_unless_the_profile_says_otherwise() -> None:
    env = {"ERLMCP__TCP__ENABLED": "true", "ERLMCP__TCP__HOST": "0.0.0.0"}
    assert "tcp.host: '0.0.0.0' can be reached from other machines" in refused(env=env)
    assert load(env=env | {"ERLMCP__NODE__PROFILE": "prod"}).tcp.host == "0.0.0.0"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
        ("unix:/run/x.sock", True), ("0.0.0.0", False), ("::", False), ("192.168.1.2", False),
        ("node.example", False), ("localhost.example", False),
    ],
)  # fmt: skip
def test_the_dev_profile_listens_on_this_machine_only(host: str, allowed: bool) -> None:
    env = {"ERLMCP__HTTP__HOST": host}
    if allowed:
        assert load(env=env).http.host == host
    else:
        assert refused(env=env).startswith(
            f"http.host: {host!r} can be reached from other machines"
        )
    assert load(env=env | {"ERLMCP__NODE__PROFILE": "prod"}).http.host == host
    assert load(env=env | {"ERLMCP__HTTP__ENABLED": "false", "ERLMCP__STDIO__ENABLED": "true"})


def test_what_belongs_to_tls_together() -> None:
    assert refused(env={"ERLMCP__HTTP__TLS__KEY": "node.key"}).startswith(
        "http.tls.key: is set, but without http.tls.certificate nothing is encrypted"
    )
    certificate = {"ERLMCP__HTTP__TLS__CERTIFICATE": "node.pem"}
    wanted = certificate | {"ERLMCP__HTTP__TLS__CLIENT_CERTIFICATES": "required"}
    assert "needs http.tls.client_ca" in refused(env=wanted)
    assert (
        load(env=wanted | {"ERLMCP__HTTP__TLS__CLIENT_CA": "ca.pem"}).http.tls.client_ca == "ca.pem"
    )
    redirect = certificate | {"ERLMCP__HTTP__TLS__REDIRECT_PORT": "80"}
    assert load(env=redirect).http.tls.redirect_port == 80
    assert "a Unix socket has no ports" in refused(env=redirect | {"ERLMCP__HTTP__HOST": "unix:/x"})
    assert "must be unix:/PATH" in refused(env={"ERLMCP__HTTP__HOST": "unix:x"})
