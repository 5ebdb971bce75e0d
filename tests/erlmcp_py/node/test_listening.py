"""Where a node listens, as a user meets it: TLS, Unix sockets, and addresses that others can reach."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.erlmcp_py.node.conftest import Start
from tests.erlmcp_py.transports.http.client import modern_call
from tests.erlmcp_py.transports.net.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path)
    made.issue(tmp_path / "node.pem", tmp_path / "node.key")
    return made


def tls(directory: Path, **more: Any) -> str:
    file = directory / "tls.toml"
    keys = {"certificate": f"{directory}/node.pem", "key": f"{directory}/node.key", **more}
    lines = (f"{key} = {json.dumps(value)}" for key, value in keys.items())
    file.write_text("[http.tls]\n" + "\n".join(lines))
    return str(file)


def call(connection: http.client.HTTPConnection) -> Any:
    request = modern_call("echo", text="Hello", path="/mcp/simple")
    headers = request["headers"] | {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Host": "localhost",
    }
    connection.request("POST", request["path"], json.dumps(request["body"]), headers)
    answer = connection.getresponse()
    return json.loads(answer.read())["result"]["content"][0]["text"], answer


def one_shot(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "erlmcp_py", *words],
        env=os.environ | {"ERLMCP__CONTROL__DIRECTORY": str(directory / "control")},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_https_and_new_certificates_while_it_runs(
    start: Start, tmp_path: Path, authority: Authority
) -> None:
    program = start("--http", "127.0.0.1:0", "--config", tls(tmp_path, redirect_port=0))
    port = int(program.until(r"https://127\.0\.0\.1:(\d+)/mcp/simple").group(1))
    program.until("attach: ")
    context = authority.client_context()
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    result, answer = call(connection)
    assert result == "Hello"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    (row,) = json.loads(one_shot(tmp_path, "tls", "--json").stdout)
    assert (row["listener"], row["subject"], row["problem"]) == ("http", "CN=node", None)

    authority.issue(tmp_path / "node.pem", tmp_path / "node.key", "renewed")
    (row,) = json.loads(one_shot(tmp_path, "tls", "reload", "--json").stdout)
    assert row["subject"] == "CN=renewed"
    assert call(connection)[0] == "Hello"

    (tmp_path / "node.key").write_text("no key")
    done = one_shot(tmp_path, "tls", "reload", "--json")
    (row,) = json.loads(done.stdout)
    assert (done.returncode, row["subject"]) == (1, "CN=renewed")
    assert "holds no private key" in row["problem"]
    connection.close()
    program.process.send_signal(signal.SIGTERM)
    code, _, err = program.finish()
    assert code == 0, err
    assert "holds no private key" in err


def test_a_certificate_that_cannot_be_used_stops_the_start(
    start: Start, tmp_path: Path, authority: Authority
) -> None:
    authority.issue(tmp_path / "node.pem", tmp_path / "node.key", since=-9, days=-2)
    code, out, err = start("--http", "127.0.0.1:0", "--config", tls(tmp_path)).finish()
    assert (code, out) == (2, "")
    assert re.fullmatch(
        rf"erlmcp-node: http: tls: certificate {tmp_path}/node.pem: expired on .*; renew it",
        err.splitlines()[-1],
    )


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def test_a_unix_socket(start: Start) -> None:
    with TemporaryDirectory() as directory:
        path = f"{directory}/s"
        program = start("--http", f"unix:{path}")
        program.until(re.escape(f"unix:{path}  http://localhost/mcp/simple"))
        program.until("attach: ")
        with closing(UnixConnection(path)) as connection:
            assert call(connection)[0] == "Hello"
        code, _, err = start("--http", f"unix:{path}", "--name", "other").finish()
        assert code == 2
        assert f"erlmcp-node: http: somebody serves {path} already" in err
        program.process.send_signal(signal.SIGTERM)
        assert program.finish()[0] == 0
        assert not Path(path).exists()
        # A node that was killed leaves its socket; the next one takes the place.
        killed = start("--http", f"unix:{path}")
        killed.until("attach: ")
        killed.process.kill()
        killed.process.communicate()
        assert Path(path).exists()
        again = start("--http", f"unix:{path}")
        again.until("attach: ")
        with closing(UnixConnection(path)) as connection:
            assert call(connection)[0] == "Hello"


def test_the_dev_profile_stays_on_its_machine(start: Start) -> None:
    code, _, err = start("--http", "0.0.0.0:0").finish()
    assert code == 2
    assert "http.host: '0.0.0.0' can be reached from other machines" in err
    assert 'node.profile = "prod"' in err


def test_the_prod_profile_says_what_is_missing(
    start: Start, tmp_path: Path, authority: Authority
) -> None:
    program = start("--http", "0.0.0.0:0", ERLMCP__NODE__PROFILE="prod")
    said = program.until("WARNING: (.*)").group(1)
    assert said.startswith("http listens on 0.0.0.0, beyond this machine, without TLS")
    program.until("attach: ")
    status = json.loads(one_shot(tmp_path, "status", "--json").stdout)
    assert status["exposed"] == [said]
    program.process.send_signal(signal.SIGTERM)
    _, _, err = program.finish()
    assert re.search(rf" warning .*{re.escape(said)}", err)

    safe = tls(tmp_path, client_ca=str(authority.path), client_certificates="required")
    program = start("--http", "0.0.0.0:0", "--config", safe, ERLMCP__NODE__PROFILE="prod")
    while "attach: " not in (line := program.process.stdout.readline()):  # type: ignore[union-attr]
        assert "WARNING" not in line
    port = json.loads(one_shot(tmp_path, "status", "--json").stdout)["transports"]["http"]["port"]
    with closing(
        http.client.HTTPSConnection("localhost", port, context=authority.client_context())
    ) as client:
        client.connect()  # with TLS 1.3 the client has finished before it is judged, and a request
        with pytest.raises(ssl.SSLError, match="required"):  # on its way could cost it the alert
            client.sock.recv(1)
