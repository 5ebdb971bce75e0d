"""`erlmcp-node inspect MODULE:ATTR`."""

from __future__ import annotations

import pytest

from erlmcp_py.cli.client.drawing import type_text

from .calls import as_json, run

WEATHER = "examples.weather:server"


def test_everything_a_server_offers_is_shown() -> None:
    result = run("inspect", WEATHER)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "Weather (weather 1.0.0)"
    assert lines[1].startswith("revisions: 2026-07-28, 2025-11-25, ")
    assert (
        "forecast city: string The forecast for the next days, first the one for tomorrow." in lines
    )
    assert "days?: integer = 3" in lines
    assert "-> list of Weather" in lines
    assert "weather://cities application/json The cities this server knows." in lines
    assert "weather://{city}/current application/json The weather in a city now." in lines
    assert any(line.startswith("plan_day city Ask for a plan") for line in lines)
    assert "activity?" in lines
    assert "weather://{city}/current city" in lines


def test_a_choice_and_capabilities() -> None:
    result = run("inspect", "examples.calculator:server")
    assert 'operator: "*" | "**" | "+" | "-" | "/"' in result.stdout
    assert "tools (listChanged)" in result.stdout


def test_json_has_the_schemas() -> None:
    offer = as_json("inspect", WEATHER)
    tools = {tool["name"]: tool for tool in offer["tools"]}
    assert tools["forecast"]["inputSchema"]["properties"]["days"]["maximum"] == 3
    assert tools["current_weather"]["outputSchema"]["type"] == "object"
    assert {"ref": "plan_day", "argument": "city"} in offer["completions"]
    assert offer["server"]["title"] == "Weather"
    assert [one["uriTemplate"] for one in offer["resourceTemplates"]] == [
        "weather://{city}/current"
    ]


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("examples.weather:CITIES", "is a dict, not an erlmcp_py.server.Server"),
        ("examples.weather:serve", "did you mean 'server'?"),
        ("nowhere:server", "there is no module 'nowhere'"),
        ("nowhere", "must be MODULE:ATTR"),
        ("./greeter.py:server", "not a file's; in its directory: greeter:server"),
        ("greeter.py:server", "not a file's; in its directory: greeter:server"),
        ("ftp://nowhere/mcp", "'ftp' is none of http, https, tcp, unix, ws, wss"),
    ],
)
def test_a_wrong_target_is_exit_code_2_and_one_line(target: str, problem: str) -> None:
    result = run("inspect", target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({}, "any"),
        ({"type": ["integer", "null"]}, "integer | null"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"type": "array", "items": {"$ref": "#/$defs/City"}}, "list of City"),
        ({"$ref": "#/$defs/Color"}, '"red" | "blue"'),
        ({"$ref": "#/$defs/Loop"}, "any"),
        ({"const": 3}, "3"),
    ],
)
def test_types_in_a_few_words(schema: dict[str, object], text: str) -> None:
    definitions = {
        "City": {"type": "object", "title": "City"},
        "Color": {"enum": ["red", "blue"]},
        "Loop": {"$ref": "#/$defs/Loop"},
    }
    assert type_text(schema, {"$defs": definitions}) == text
