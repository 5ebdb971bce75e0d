from __future__ import annotations

import pytest

from erlmcp_py.config import HealthConfig
from erlmcp_py.ops.checks import memory_check
from erlmcp_py.ops.component import Failed, Limping, Passed
from erlmcp_py.ops.memory import Memory, read_memory

MEMINFO = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\n"


@pytest.fixture
def root(tmp_path):
    def write(**files: str):
        for name, text in files.items():
            file = (
                tmp_path
                / ("proc" if name == "meminfo" else "sys/fs/cgroup")
                / name.replace("_", ".")
            )
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def test_the_machine_counts_what_is_not_available(root) -> None:
    memory = read_memory(root(meminfo=MEMINFO))
    assert memory == Memory(600 * 1024, 1000 * 1024, "machine")
    assert memory.share == 0.6


def test_the_tighter_limit_counts_and_droppable_cache_does_not(root) -> None:
    cgroup = {
        "memory_max": "1000\n",
        "memory_current": "950\n",
        "memory_stat": "anon 5\ninactive_file 50\n",
    }
    assert read_memory(root(meminfo=MEMINFO, **cgroup)) == Memory(900, 1000, "cgroup")
    roomy = cgroup | {"memory_max": "1000000\n"}
    assert read_memory(root(meminfo=MEMINFO, **roomy)).scope == "machine"
    unlimited = cgroup | {"memory_max": "max\n"}
    assert read_memory(root(meminfo=MEMINFO, **unlimited)).scope == "machine"


def test_broken_figures_are_as_good_as_none(root) -> None:
    memory = read_memory(
        root(meminfo="MemTotal: much\n", memory_max="x", memory_current="", memory_stat="a")
    )
    assert memory.scope == "process"
    assert 0 < memory.share < 1


def test_this_machine_has_figures() -> None:
    assert 0 < read_memory().share < 1


@pytest.mark.parametrize(
    ("used", "outcome"), [(84, Passed), (85, Limping), (94, Limping), (95, Failed), (100, Failed)]
)
async def test_thresholds(used, outcome) -> None:
    found = await memory_check(HealthConfig(), lambda: Memory(used, 100, "cgroup"))()
    assert type(found) is outcome
    assert found.facts == {
        "memory_share": used / 100,
        "memory_used": used,
        "memory_limit": 100,
        "memory_scope": "cgroup",
    }
    if isinstance(found, Failed):
        assert found.at_once
