"""Nothing is refused but by an entry of the catalogue.

The source is read, not run: every place that makes an error, an HTTP answer of 400 and more, or what a
reader of requests raises, has to name an entry, or to stand in the list of those that refuse nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from erlmcp_py.protocol import errors, refusals
from erlmcp_py.protocol.refusals import TABLE, Refusal

ROOT = Path(__file__).parents[3] / "erlmcp_py"

NO_REFUSALS = {
    ("protocol/errors.py", "refused"): "makes the error of an entry",
    ("protocol/elicitation.py", "url_elicitation_required"): "asks for something",
    ("server/process.py", "handle_cast"): "of a cancelled call, and never sent (MCP: cancellation)",
    ("server/interaction/pages.py", "send_to_pages"): "asks for something, in older words",
    ("server/methods/tasks.py", "_outcome"): "the error that the task's handler came to",
    ("server/tasks/courier.py", "was_cancelled"): "the outcome of a task that its client cancelled",
    ("gateway/passing.py", "_translated"): "the upstream's own refusal",
    ("gateway/turns.py", "_sent_to_pages"): "the upstream's own refusal",
    ("gateway/asking.py", "*"): "answers an upstream, whose client the gateway is",
    ("gateway/caller.py", "*"): "answers an upstream, whose client the gateway is",
    ("gateway/questions.py", "*"): "answers an upstream, whose client the gateway is",
    ("gateway/parked.py", "enter"): "answers an upstream, whose client the gateway is",
    ("gateway/parked.py", "put"): "answers an upstream, whose client the gateway is",
    (
        "gateway/process.py",
        "handle_cast",
    ): "of a cancelled call, and never sent (MCP: cancellation)",
    ("cli/client/person.py", "*"): "a client, which is asked what it does not answer",
}
"""(file, function) -> why it makes errors that are no refusals."""

CLIENTS = ("client/", "auth/client/", "cli/client/")
"""They are told errors and pass them on to their callers; what they answer servers, those refuse."""

ERRORS = {"McpError", "DecodeError"}
_STATUS_OF_ANSWER = 400


def calls() -> Iterator[tuple[str, str, ast.Call, str]]:
    """(file, function around it, call, name of what is called) of the whole package."""
    for path in sorted(ROOT.rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        yield from _within(ast.parse(path.read_text("utf-8")), where, "")


def _within(node: ast.AST, where: str, around: str) -> Iterator[tuple[str, str, ast.Call, str]]:
    for child in ast.iter_child_nodes(node):
        inside = around
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            named = child.name
            inside = around if named.startswith("__") else named
        if isinstance(child, ast.Call):
            called = child.func
            if isinstance(called, ast.Name):
                yield where, around, child, called.id
            elif isinstance(called, ast.Attribute):
                yield where, around, child, called.attr
        yield from _within(child, where, inside)


CALLS = list(calls())


def entry_of(node: ast.expr) -> Refusal | None:
    """The entry that an expression names: a constant of the catalogue; None of a variable."""
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    found = getattr(refusals, name, None)
    return found if isinstance(found, Refusal) else None


def number(node: ast.expr | None) -> int | None:
    found = node.value if isinstance(node, ast.Constant) else None
    return found if isinstance(found, int) else None


def argument(call: ast.Call, name: str) -> ast.expr | None:
    return next((word.value for word in call.keywords if word.arg == name), None)


def test_errors_are_made_of_entries() -> None:
    strangers = [
        f"{where}:{call.lineno}"
        for where, around, call, name in CALLS
        if name in ERRORS
        and (where, around) not in NO_REFUSALS
        and (where, "*") not in NO_REFUSALS
        and not where.startswith(CLIENTS)
        and not (name == "DecodeError" and where == "protocol/jsonrpc.py")  # has one by default
    ]
    assert strangers == [], "make these by `errors.refused`, or say why they refuse nothing"


def test_the_list_of_exceptions_is_not_longer_than_it_must() -> None:
    made = {(where, around) for where, around, _, name in CALLS if name in ERRORS}
    files = {where for where, _ in made}
    for where, around in NO_REFUSALS:
        assert where in files, where
        assert around == "*" or (where, around) in made, (where, around)


def test_http_answers_of_400_and_more_are_made_of_entries() -> None:
    strangers = [
        f"{where}:{call.lineno}"
        for where, _, call, name in CALLS
        if name in ("Answer", "response")
        and where.startswith("transports/")
        and call.args
        and (number(call.args[0]) or 0) >= _STATUS_OF_ANSWER
    ]
    assert strangers == []


@pytest.mark.parametrize("what", ["refused", "refusal"])
def test_an_entry_is_said_with_a_code_and_a_status_of_its_own(what: str) -> None:
    seen = 0
    for where, around, call, name in CALLS:
        if name != what or around in ("refused", "refusal"):
            continue
        if where.startswith(("ports/", "console/")):
            continue  # of another kind: no request of MCP is refused there
        entry = entry_of(call.args[0])
        place = f"{where}:{call.lineno}"
        if entry is None:
            assert isinstance(call.args[0], ast.Name | ast.Attribute | ast.Call), place
            continue
        seen += 1
        status = number(argument(call, "status"))
        assert status is None or status in entry.statuses, place
        code = argument(call, "code")
        if isinstance(code, ast.Name):
            assert getattr(errors, code.id, entry.error) in entry.errors, place
    assert seen > 5


def test_what_is_malformed_is_said_with_a_status_of_its_entry() -> None:
    seen = 0
    for where, _, call, name in CALLS:
        if name not in ("Malformed", "_refuse") or not where.startswith("transports/http/"):
            continue
        status = number(call.args[0]) if call.args else None
        if status is None:
            continue
        seen += 1
        entry = entry_of(call.args[2]) if len(call.args) > 2 else refusals.PROTOCOL_ERROR
        assert entry is not None, f"{where}:{call.lineno}"
        assert status in entry.statuses, f"{where}:{call.lineno}"
    assert seen > 20


def test_the_table_knows_all_its_constants() -> None:
    constants = [value for value in vars(refusals).values() if isinstance(value, Refusal)]
    assert constants == list(TABLE.values())
