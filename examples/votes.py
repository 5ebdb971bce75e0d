"""A poll whose state is a process of its own: its neighbours may crash as they like.

erlmcp-node run --server examples.votes:server
"""

from typing import Annotated, Any

from msgspec import Meta

from erlmcp_py.server import Server, ToolError
from supervisors import GenServer, call

POLL = "poll"
"""The name under which the process is found, whichever it is at the moment."""

Counts = dict[str, int]


class Poll(GenServer):
    """Counts votes. Requests: ("vote", choice) -> votes for it; ("counts",) -> all."""

    def init(self, *choices: str) -> tuple[str, Counts]:
        """No votes yet."""
        return ("ok", dict.fromkeys(choices, 0))

    def handle_call(self, request: Any, _from: Any, counts: Counts) -> tuple[Any, ...]:
        """A callback that raises has changed nothing: the state is replaced when it returns."""
        match request:
            case ("vote", choice):
                changed = {**counts, choice: counts[choice] + 1}
                return ("reply", changed[choice], changed)
            case ("counts",):
                return ("reply", counts, counts)
        raise ValueError(request)


server = Server(
    "votes",
    version="1.0.0",
    title="Votes",
    children=[Poll.child_spec("tea", "coffee", id=POLL, name=POLL)],
)

Choice = Annotated[str, Meta(description="What to vote for: tea or coffee.")]


@server.tool()
async def vote(choice: Choice) -> str:
    """Vote. Who votes for anything else crashes the poll, and all votes with it."""
    votes: int = await call(POLL, ("vote", choice))
    return f"{choice} has {votes}"


@server.tool()
async def vote_carefully(choice: Choice) -> str:
    """Vote, for what there is."""
    counts: Counts = await call(POLL, ("counts",))
    if choice not in counts:
        raise ToolError(f"vote for one of {', '.join(counts)}")
    return await vote(choice)


@server.tool()
async def result() -> Counts:
    """How it stands."""
    counts: Counts = await call(POLL, ("counts",))
    return counts


@server.tool()
async def miscount() -> None:
    """Crash while counting. The votes are in another process, and stay."""
    counts: Counts = await call(POLL, ("counts",))
    raise ArithmeticError(f"{sum(counts.values())} votes, and none of them fits")
