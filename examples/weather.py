"""Weather of some cities: data shipped as JSON, resource templates, completion, progress.

erlmcp-node run --server examples.weather:server
"""

from importlib.resources import files
from typing import Annotated

import msgspec
import trio
from msgspec import Meta, Struct

from erlmcp_py.server import Context, ResourceNotFound, Server, ToolError

server = Server("weather", version="1.0.0", title="Weather")


class Weather(Struct, frozen=True):
    """Conditions at one time."""

    temperature_c: float
    humidity_percent: float
    wind_kmh: float
    sky: str


class City(Struct, frozen=True):
    """A city, its weather now and its forecast, day by day."""

    country: str
    current: Weather
    forecast: list[Weather]


DATA = files("examples").joinpath("weather.json").read_bytes()
CITIES = msgspec.json.decode(DATA, type=dict[str, City])
Name = Annotated[str, Meta(description="Name of the city, in English.")]
Days = Annotated[int, Meta(ge=1, le=3)]


@server.tool()
def current_weather(city: Name) -> Weather:
    """The weather in a city now."""
    return _city(city).current


@server.tool()
async def forecast(ctx: Context, city: Name, days: Days = 3) -> list[Weather]:
    """The forecast for the next days, first the one for tomorrow.

    Args:
        days: How many days.
    """
    found = _city(city).forecast[:days]
    for day in range(1, len(found) + 1):
        await trio.sleep(0.01)
        ctx.report_progress(day, len(found), f"day {day}")
    return found


@server.resource("weather://cities", mime_type="application/json")
def cities() -> list[str]:
    """The cities this server knows."""
    return sorted(CITIES)


@server.resource("weather://{city}/current", mime_type="application/json")
def current(city: str) -> Weather:
    """The weather in a city now."""
    if city not in CITIES:
        raise ResourceNotFound(city)
    return CITIES[city].current


@server.prompt()
def plan_day(city: str, activity: str = "a walk") -> str:
    """Ask for a plan for the day that suits the weather.

    Args:
        city: Where.
        activity: What one would like to do.
    """
    now = _city(city).current
    return f"{city} has {now.temperature_c} °C, {now.sky}. Plan a day there with {activity}."


@server.completion("plan_day", "city")
@server.completion("weather://{city}/current", "city")
def complete_city(value: str) -> list[str]:
    """Cities that begin with what has been typed."""
    return [name for name in sorted(CITIES) if name.casefold().startswith(value.casefold())]


def _city(name: str) -> City:
    if name not in CITIES:
        raise ToolError(f"unknown city {name!r}; known are {', '.join(sorted(CITIES))}")
    return CITIES[name]
