"""`erlmcp-node call`, to a server of its own process."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from .calls import ASKING, SIMPLE, as_json, at_terminal, run

__all__ = ["at_terminal"]

ROOT = Path(__file__).parents[3]

FORMS = '''
from typing import Annotated, Literal
from msgspec import Meta, Struct
from erlmcp_py.server import Context, Server, image

server = Server("forms", version="1")

class Guest(Struct):
    """Who comes, and when?"""
    email: Annotated[str, Meta(extra_json_schema={"format": "email"})]
    page: Annotated[str, Meta(extra_json_schema={"format": "uri"})]
    day: Annotated[str, Meta(extra_json_schema={"format": "date"})]
    at: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]

@server.tool()
async def invite(ctx: Context) -> Guest:
    return await ctx.elicit(Guest)

class Order(Struct):
    """What shall it be?"""
    item: Literal["tea", "cake"]
    count: Annotated[int, Meta(ge=1, le=9)] = 1
    sweet: bool = False
    note: str | None = None

@server.tool()
async def order(ctx: Context) -> Order:
    return await ctx.elicit(Order)

@server.tool()
async def visit(ctx: Context) -> str:
    await ctx.elicit_url("https://example.org/pay", "Please pay.")
    return "on the way"

@server.tool()
async def think(ctx: Context) -> str:
    return (await ctx.sample("Think!")).text

@server.tool()
def picture() -> list:
    return [image(b"\\x89PNG\\r\\n\\x1a\\n1234"), "and \\x1b[31mred"]

@server.tool()
async def chatty(ctx: Context) -> None:
    ctx.log("debug", "not wanted")
    ctx.log("warning", {"disk": "full"})
    ctx.report_progress(1, 4)
    ctx.report_progress(2.5, None, "more than half")
'''


@pytest.fixture
def forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server in the current directory, as an author has it."""
    (tmp_path / "forms.py").write_text(FORMS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "forms", raising=False)
    return "forms:server"


def test_the_result_is_on_stdout_and_the_exit_code_0() -> None:
    result = run("call", SIMPLE, "echo", "text=hello there")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "hello there\n", "")


def test_arguments_go_by_the_schema() -> None:
    words = ["left=2", "operator=**", "right:=10"]
    result = as_json("call", "examples.calculator:server", "calculate", *words)
    assert result["structuredContent"] == {"expression": "2 ** 10", "value": 1024}


def test_a_failed_tool_is_exit_code_1_with_its_text_on_stderr() -> None:
    result = run("call", SIMPLE, "refuse", "wish=fly")
    assert result.exit_code == 1
    assert (result.stdout, result.stderr) == ("", "I cannot fly; try echo instead\n")
    assert run("call", SIMPLE, "echo", "txt=a").exit_code == 1


def test_of_a_crash_the_stack_is_shown() -> None:
    result = run("call", SIMPLE, "crash")
    assert result.exit_code == 1
    assert "raise RuntimeError(message)" in result.stderr
    assert result.stderr.endswith("Tool 'crash' crashed: RuntimeError: as you wished\n")


def test_a_failed_tool_as_json() -> None:
    result = run("call", SIMPLE, "refuse", "wish=fly", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["isError"] is True


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([SIMPLE, "ecko"], "the server has no tool 'ecko'; did you mean 'echo'?"),
        (["examples.simple:sever", "echo"], "did you mean 'server'?"),
        (["examples.nothing:server", "echo"], "there is no module 'examples.nothing'"),
        (["examples.simple", "echo"], "must be MODULE:ATTR"),
        ([SIMPLE, "block", "seconds=long"], "seconds: 'long' is no number"),
        ([SIMPLE, "echo", "hello"], "'hello': write key=value, or key:=JSON"),
        (["--header", "none", SIMPLE, "echo"], "must be NAME:VALUE"),
        (["--header", "a:b", SIMPLE, "echo"], "--header belongs to a URL"),
    ],
)
def test_without_a_result_the_exit_code_is_2_and_one_line_says_why(
    words: list[str], problem: str
) -> None:
    result = run("call", *words)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert (result.stdout, result.stderr.count("\n")) == ("", 1)


def test_progress_and_logs_are_on_stderr(forms: str) -> None:
    result = run("call", forms, "chatty")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [
        'warning: {"disk":"full"}',
        "progress 1 of 4",
        "progress 2.5: more than half",
    ]
    assert "error" not in run("call", forms, "chatty", "--log-level", "error").stderr


def test_what_is_no_text_is_described_and_escapes_are_made_visible(forms: str) -> None:
    result = run("call", forms, "picture")
    assert result.stdout == "[image image/png, 12 bytes; --json shows them]\nand \\x1b[31mred\n"


def test_without_a_terminal_questions_are_declined() -> None:
    result = run("call", ASKING, "greet", answers="y\nAda\n")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "What is your name?",
        "(declined: standard input is no terminal)",
        "the user declined: What is your name?",
    ]


@pytest.mark.usefixtures("at_terminal")
def test_questions_are_asked_and_the_call_goes_on() -> None:
    result = run("call", ASKING, "order", answers="y\nAda\ny\nyes\n")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Ada ")
    assert result.stdout.endswith(" True\n")


@pytest.mark.usefixtures("at_terminal")
def test_a_field_is_asked_again_until_it_fits(forms: str) -> None:
    answers = ["y", "coffee", "cake", "0", "many", "3", "perhaps", "yes", ""]
    result = run("call", forms, "order", "--json", answers="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert "not one of cake, tea" in result.stderr
    assert "not a whole number" in result.stderr
    assert "not yes or no" in result.stderr
    order = json.loads(result.stdout)["structuredContent"]
    assert order == {"item": "cake", "count": 3, "sweet": True, "note": None}


@pytest.mark.usefixtures("at_terminal")
def test_what_has_a_format_is_asked_for_in_it(forms: str) -> None:
    good = ["ada@example.org", "https://example.org", "2026-07-28", "2026-07-28T09:30:00Z"]
    bad = ["ada", "example", "28.7.", "noon"]
    answers = ["y", *(each for pair in zip(bad, good, strict=True) for each in pair)]
    result = run("call", forms, "invite", "--json", answers="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert list(json.loads(result.stdout)["structuredContent"].values()) == good
    for hint in ("an email address", "a URI", "a date such as", "a time such as"):
        assert f"  not {hint}" in result.stderr


@pytest.mark.usefixtures("at_terminal")
def test_defaults_are_taken_with_enter(forms: str) -> None:
    result = run("call", forms, "order", "--json", answers="\ntea\n\n\n\n")
    order = json.loads(result.stdout)["structuredContent"]
    assert order == {"item": "tea", "count": 1, "sweet": False, "note": None}


@pytest.mark.usefixtures("at_terminal")
@pytest.mark.parametrize(("answers", "told"), [("n\n", "declined"), ("y\n", "closed")])
def test_one_may_decline_or_go(forms: str, answers: str, told: str) -> None:
    result = run("call", forms, "order", answers=answers)
    assert result.exit_code == 1
    assert f"the user {told}" in result.stderr


@pytest.mark.usefixtures("at_terminal")
def test_a_page_is_agreed_to(forms: str) -> None:
    result = run("call", forms, "visit", answers="y\n")
    assert (result.exit_code, result.stdout) == (0, "on the way\n")
    assert "https://example.org/pay" in result.stderr
    assert run("call", forms, "visit", answers="n\n").exit_code == 1


def test_a_model_is_not_at_hand(forms: str) -> None:
    result = run("call", forms, "think")
    assert result.exit_code == 2
    assert "sampling" in result.stderr


def test_at_a_real_terminal() -> None:
    person, tool = pty.openpty()
    try:
        os.write(person, b"y\nAda\n")
        done = subprocess.run(
            [sys.executable, "-m", "erlmcp_py", "call", ASKING, "greet"],
            stdin=tool, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(person)
        os.close(tool)
    assert (done.returncode, done.stdout) == (0, "Hello, Ada!\n"), done.stderr


LIFE = """
from contextlib import asynccontextmanager
from erlmcp_py.server import Context, Server
from supervisors import GenServer, call

class Keeper(GenServer):
    def init(self):
        return ("ok", 7)
    def handle_call(self, request, from_, state):
        return ("reply", state, state)

@asynccontextmanager
async def opened(server):
    server.log = ["opened"]
    yield "open"
    with open("closed", "w") as file:
        file.write(" ".join(server.log))

@asynccontextmanager
async def broken(server):
    raise ConnectionError("no database")
    yield

server = Server(
    "life", version="1", lifespan=opened, children=[Keeper.child_spec(id="k", name="keeper")]
)
closed = Server("closed", version="1", lifespan=broken)
namesake = Server("registry", version="1")

@namesake.tool()
def hello() -> str:
    return "hello"

@server.tool()
async def look(ctx: Context[str]) -> str:
    return f"{ctx.state} {await call('keeper', 'get')}"
"""


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "life.py").write_text(LIFE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "life", raising=False)
    return "life"


def test_a_server_has_its_company_with_it_and_ends_in_order(life: str) -> None:
    assert run("call", f"{life}:server", "look").stdout == "open 7\n"
    assert Path("closed").read_text() == "opened"


def test_a_server_that_does_not_start(life: str) -> None:
    result = run("call", f"{life}:closed", "look")
    assert result.exit_code == 2
    assert "ConnectionError: no database" in result.stderr.splitlines()[-1]


def test_a_server_may_be_called_as_a_part_of_the_node(life: str) -> None:
    assert run("call", f"{life}:namesake", "hello").stdout == "hello\n"
