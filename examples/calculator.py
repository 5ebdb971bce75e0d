"""A calculator: structured results, arguments with constraints, progress, a prompt.

erlmcp-node run --server examples.calculator:server
"""

import math
from typing import Annotated, Literal

import trio
from msgspec import Meta, Struct

from erlmcp_py.server import Context, Server, ToolAnnotations, ToolError

server = Server("calculator", version="1.0.0", title="Calculator")

PURE = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)


class Result(Struct, frozen=True):
    """What was computed, and how it reads."""

    expression: str
    value: float


class Summary(Struct, frozen=True):
    """Statistics of a list of numbers."""

    count: int
    mean: float
    minimum: float
    maximum: float


@server.tool(annotations=PURE)
def calculate(left: float, operator: Literal["+", "-", "*", "/", "**"], right: float) -> Result:
    """Apply an arithmetic operator to two numbers.

    Args:
        left: The number before the operator.
        operator: The operation.
        right: The number after the operator.
    """
    try:
        value = _OPERATIONS[operator](left, right)
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        raise ToolError(f"{left} {operator} {right} has no value: {error}") from error
    return Result(f"{left:g} {operator} {right:g}", value)


_OPERATIONS = {
    "+": float.__add__,
    "-": float.__sub__,
    "*": float.__mul__,
    "/": float.__truediv__,
    "**": math.pow,
}


@server.tool(annotations=PURE)
def summarize(numbers: Annotated[list[float], Meta(min_length=1, max_length=10_000)]) -> Summary:
    """Count, mean, minimum and maximum of some numbers.

    Args:
        numbers: At least one number.
    """
    return Summary(len(numbers), math.fsum(numbers) / len(numbers), min(numbers), max(numbers))


@server.tool(annotations=PURE)
async def factorial(ctx: Context, n: Annotated[int, Meta(ge=0, le=500)]) -> str:
    """The factorial of a whole number, with all its digits; reports progress on the way.

    Args:
        n: A whole number from 0 to 500.
    """
    product = 1
    for factor in range(1, n + 1):
        product *= factor
        if factor % 50 == 0:
            ctx.report_progress(factor, n, f"multiplied up to {factor}")
            await trio.lowlevel.checkpoint()
    return str(product)


@server.prompt()
def explain(expression: str, audience: Literal["child", "student", "engineer"] = "student") -> str:
    """Ask for an explanation of a calculation.

    Args:
        expression: The calculation, as one would write it.
        audience: For whom.
    """
    return f"Explain step by step, for a {audience}, how to work out {expression}."
