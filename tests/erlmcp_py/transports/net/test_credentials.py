"""What is wrong with certificates and keys is said in one line that names the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from erlmcp_py.transports.net.settings import TlsSettings
from erlmcp_py.transports.net.tls.credentials import Credentials, TlsProblem, load
from tests.erlmcp_py.transports.net.certificates import Authority, replace


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority, tmp_path: Path) -> TlsSettings:
    authority.issue(tmp_path / "node.pem", tmp_path / "node.key")
    return TlsSettings(certificate=str(tmp_path / "node.pem"), key=str(tmp_path / "node.key"))


def problem(settings: TlsSettings) -> str:
    with pytest.raises(TlsProblem) as refused:
        load(settings)
    text = str(refused.value)
    assert "\n" not in text
    return text


def test_a_good_pair_is_taken(pair: TlsSettings) -> None:
    assert load(pair).subject == "CN=node"


def test_certificate_and_key_may_be_one_file(pair: TlsSettings, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(Path(pair.certificate).read_bytes() + Path(pair.key).read_bytes())
    assert load(TlsSettings(certificate=str(both))).subject == "CN=node"


def test_files_that_are_not_there(pair: TlsSettings, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert problem(TlsSettings(certificate=missing, key=pair.key)) == (
        f"certificate {missing}: cannot be read: No such file or directory"
    )
    assert problem(TlsSettings(certificate=pair.certificate, key=missing)) == (
        f"key {missing}: cannot be read: No such file or directory"
    )
    assert "Is a directory" in problem(TlsSettings(certificate=str(tmp_path), key=pair.key))


def test_files_with_something_else_in_them(pair: TlsSettings, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("no PEM at all")
    assert f"certificate {other}: holds no certificate in PEM form" in problem(
        TlsSettings(certificate=str(other), key=pair.key)
    )
    assert f"key {other}: holds no private key in PEM form" in problem(
        TlsSettings(certificate=pair.certificate, key=str(other))
    )
    # The two exchanged:
    assert "holds no certificate" in problem(
        TlsSettings(certificate=pair.key, key=pair.certificate)
    )


def test_a_key_of_another_certificate(
    pair: TlsSettings, authority: Authority, tmp_path: Path
) -> None:
    authority.issue(tmp_path / "other.pem", tmp_path / "other.key")
    key = str(tmp_path / "other.key")
    assert problem(TlsSettings(certificate=pair.certificate, key=key)) == (
        f"key {key}: does not belong to the certificate {pair.certificate}"
    )


@pytest.mark.parametrize(
    ("since", "days", "said"), [(-30, -1, "expired on"), (1, 30, "not valid before")]
)
def test_out_of_its_time(
    pair: TlsSettings, authority: Authority, since: float, days: float, said: str
) -> None:
    authority.issue(Path(pair.certificate), Path(pair.key), since=since, days=days)
    assert f"certificate {pair.certificate}: {said}" in problem(pair)


def test_an_encrypted_key(
    pair: TlsSettings, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = pair.certificate, pair.key
    authority.issue(Path(certificate), Path(key), password=b"open sesame")
    assert "is encrypted; put its password into" in problem(pair)
    named = TlsSettings(certificate=certificate, key=key, key_password_env="NODE_KEY")
    monkeypatch.delenv("NODE_KEY", raising=False)
    assert "there is no environment variable NODE_KEY" in problem(named)
    monkeypatch.setenv("NODE_KEY", "sesame open")
    assert "or its password is wrong" in problem(named)
    monkeypatch.setenv("NODE_KEY", "open sesame")
    assert load(named).subject == "CN=node"


def test_client_certificates_need_an_authority(pair: TlsSettings, tmp_path: Path) -> None:
    wanted = TlsSettings(
        certificate=pair.certificate,
        key=pair.key,
        client_ca=str(tmp_path / "nowhere"),
        client_certificates="required",
    )
    assert re.match(r"certificate .*nowhere: cannot be read", problem(wanted))


def test_bad_files_leave_what_was_loaded(pair: TlsSettings) -> None:
    credentials = Credentials(pair)
    assert credentials.changed()
    before = credentials.load()
    assert not credentials.changed()
    replace(Path(pair.key), b"half a key")
    assert credentials.changed()
    with pytest.raises(TlsProblem):
        credentials.load()
    assert credentials.loaded is before
    assert not credentials.changed(), "the same bad files are not tried again and again"
