"""What cannot be started is refused with one line that says why."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from erlmcp_py.ports import Command, PortError, open_port
from supervisors import Runtime, spawn

from .conftest import until


def refusal(**command) -> str:
    with pytest.raises(PortError) as caught:
        Command(**command).find()
    return str(caught.value)


def test_a_program_is_found_in_the_path_it_will_have(tmp_path: Path) -> None:
    program = tmp_path / "mine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    assert Command(argv=("mine",), env={"PATH": str(tmp_path)}).find() == str(program)
    assert Command(argv=("./mine",), cwd=str(tmp_path)).find() == str(program)
    assert Command(argv=(sys.executable,)).find() == sys.executable
    text = refusal(argv=("mine",), env={"PATH": "/nowhere"}, inherit_env=False)
    assert text.startswith(
        "the program 'mine' was not found on the node: PATH is /nowhere; install"
    )


def test_where_a_program_was_looked_for_is_no_part_of_what_anybody_may_be_told() -> None:
    for path, detail in (("/nowhere", "PATH is /nowhere"), ("", "PATH is empty")):
        with pytest.raises(PortError) as caught:
            Command(argv=("mine",), env={"PATH": path}).find()
        assert caught.value.text == "the program 'mine' was not found on the node"
        assert caught.value.detail == f"{detail}; install it there, or write its full path"


def test_each_fault_has_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("text")
    cwd = str(tmp_path)
    assert refusal(argv=()).startswith("a command needs a program")
    assert refusal(argv=("",)).startswith("a command needs a program")
    assert refusal(argv=("./no",), cwd=cwd) == (
        f"the program './no' was not found on the node: no such file in {cwd}"
    )
    assert refusal(argv=("/no/such",), cwd=cwd) == (
        "the program '/no/such' was not found on the node: no such file"
    )
    assert refusal(argv=(cwd,)) == f"{cwd}: is a directory, not a program"
    if os.geteuid() != 0 or not os.access(tmp_path / "plain", os.X_OK):
        assert "is not executable; chmod +x it" in refusal(argv=("./plain",), cwd=cwd)
    assert refusal(argv=("cat",), cwd="/no/dir") == (
        "the program 'cat' cannot be run on the node: there is no directory /no/dir to run it in"
    )
    for sign, words in (("\0", "holds a NUL character"), ("\ud800", "cannot be written as bytes")):
        text = refusal(argv=("cat", f"secret{sign}"))
        assert text == f"the program 'cat': argument 1 {words}"
        text = refusal(argv=("cat",), env={"A": f"secret{sign}"})
        assert text == f"the program 'cat': the variable 'A' {words}"
        assert refusal(argv=(f"cat{sign}",)).endswith(f": its name {words}")
    assert "is no name of an environment variable" in refusal(argv=("cat",), env={"A=B": "c"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("#!/no/such/interpreter\n", "the interpreter that its first line names is missing"),
        ("\x7fELF broken", "neither a binary of this machine nor a script with a #! line"),
    ],
)
async def test_what_only_the_system_finds_out(tmp_path: Path, content: str, words: str) -> None:
    program = tmp_path / "odd"
    program.write_text(content)
    program.chmod(0o700)
    said: list[str] = []

    async def owner() -> None:
        try:
            async with open_port(Command(argv=(str(program),))):
                said.append("it runs")
        except PortError as error:
            said.append(str(error))

    async with Runtime("test"):
        spawn(owner)
        await until(lambda: said, "an answer")
    assert words in said[0]
    assert str(program) in said[0]
