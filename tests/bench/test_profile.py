"""A sample of a stack belongs to the stage of the innermost function that has one."""

import pytest

from bench.profile import __main__ as profile
from bench.profile.stages import STAGES, UNKNOWN, stage_of
from bench.worker import ROOT

LOOP = ("/x/site-packages/trio/_core/_run.py", "unrolled_run")
SERVE = ("/x/erlmcp_py/transports/http/connection.py", "Connection.serve")
FIND = ("/x/erlmcp_py/transports/http/calling.py", "find_server")
CALL = ("/x/erlmcp_py/transports/http/calling.py", "call_server")
KERNEL = ("/x/supervisors/_gen_server/calls.py", "call")
SCHEMA = ("/x/erlmcp_py/server/schema.py", "Arguments.parse")
HANDLE = ("/x/erlmcp_py/server/process.py", "ServerProcess.handle_call")
FLUSH = ("/x/erlmcp_py/transports/net/wire.py", "Wire.flush")
STRANGER = ("<string>", "__init__")


@pytest.mark.parametrize(
    ("stack", "stage"),
    [
        ([LOOP], "loop"),
        ([SERVE, LOOP], "connection"),
        ([FLUSH, SERVE, LOOP], "write"),
        ([KERNEL, FIND, SERVE, LOOP], "lookup"),
        ([KERNEL, CALL, SERVE, LOOP], "dispatch"),
        ([STRANGER, SCHEMA, HANDLE, KERNEL, CALL, SERVE, LOOP], "validate"),
        ([STRANGER], UNKNOWN),
    ],
)
def test_innermost_function_with_a_stage_decides(stack, stage):
    assert stage_of(stack) == stage


def test_every_place_is_in_the_repository():
    for _, _, places in STAGES:
        for place in places:
            path, _, function = place.partition(" ")
            if path.startswith("/"):
                continue
            files = [*ROOT.glob(path + "*"), *ROOT.glob(path + "/*")]
            assert files, f"{path} is gone"
            if function:
                name = function.rpartition(".")[2]
                assert f"def {name}(" in (ROOT / path).read_text(), f"{place} is gone"


def test_table_shares_out_all_of_the_time():
    result = {"cpu_us": 100.0, "per_second": 10.0}
    samples = [(3, [FLUSH, SERVE]), (1, [STRANGER])]
    text = profile.table(10, result, samples, 0.5)
    assert "| write | give bytes to the socket | 75.0 | 75% |" in text
    assert "| other | what no stage claims | 25.0 | 25% |" in text
    assert "50.0 µs of them in the system; 4 samples" in text


def test_page_is_written_between_its_marks(tmp_path, monkeypatch):
    page = tmp_path / "performance.md"
    monkeypatch.setattr(profile, "PAGE", page)
    page.write_text(f"before\n{profile.BEGIN}\nold\n{profile.END}\nafter\n")
    profile.write("new")
    assert page.read_text() == f"before\n{profile.BEGIN}\nnew\n{profile.END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(RuntimeError, match="to write between"):
        profile.write("new")
