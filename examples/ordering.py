"""A café that asks its guests: forms, a number that is given once, a word from the guest's model.

erlmcp-node call examples.ordering:server order
erlmcp-node run --server examples.ordering:server
"""

from itertools import count
from typing import Annotated, Literal

from msgspec import Meta, Struct

from erlmcp_py.server import Context, Refused, Sample, Server, ToolError

server = Server(
    "ordering",
    version="1.0.0",
    title="Café",
    instructions="Call order; whoever sits in front of you is asked what it shall be.",
)

PRICES = {"coffee": 3.2, "tea": 2.8, "cake": 4.5}


class Wish(Struct):
    """What shall it be?"""

    item: Literal["coffee", "tea", "cake"]
    count: Annotated[int, Meta(ge=1, le=10)] = 1
    takeaway: bool = False


class Payment(Struct):
    """Do you want to pay now?"""

    tip: Annotated[float, Meta(ge=0, le=100)] = 0.0


class Receipt(Struct, frozen=True):
    """An order that was taken."""

    number: int
    item: str
    count: int
    total: float


numbers = count(1)
taken: list[Receipt] = []


@server.tool()
async def order(ctx: Context) -> Receipt:
    """Take an order; the guest is asked what it shall be, and for the tip."""
    wish = await ctx.elicit(Wish)
    price = PRICES[wish.item] * wish.count
    # In 2026-07-28 the handler begins again after each answer; the number stays the same.
    number = await ctx.once("number", lambda: next(numbers))
    try:
        payment = await ctx.elicit(Payment, f"That is {price:.2f} EUR. A tip with it?")
    except Refused as refused:
        raise ToolError(f"order {number} was not paid for and is cancelled") from refused
    receipt = Receipt(number, wish.item, wish.count, round(price + payment.tip, 2))
    taken.append(receipt)
    return receipt


@server.tool()
async def recommend(ctx: Context, mood: str) -> str:
    """Recommend something; the guest's own model is asked, if it can be.

    Args:
        mood: How the guest feels.
    """
    question = Sample(messages=f"Coffee, tea or cake for somebody who feels {mood}? One word.")
    if not ctx.can(question):
        return "cake"
    return (await ctx.sample(question.messages, max_tokens=5)).text
