"""Skills, compared with what their entries promise."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from erlmcp_py.client import SkillMismatch
from erlmcp_py.protocol.errors import McpError
from erlmcp_py.protocol.extensions.skills import Skill
from erlmcp_py.server import Server
from tests.erlmcp_py.client.serving import connected

TEXT = "---\nname: greeting\ndescription: How to greet.\n---\nSay hello.\n"


@pytest.fixture
def server(tmp_path: Path) -> Server:
    folder = tmp_path / "greeting"
    folder.mkdir()
    (folder / "SKILL.md").write_text(TEXT)
    (folder / "data.bin").write_bytes(bytes(range(256)))
    server = Server("skilled", version="1")
    server.skills(tmp_path)
    return server


async def test_files_are_read_and_checked(server: Server) -> None:
    async with connected(server, "in_process") as client:
        (skill,) = await client.skills.list()
        assert skill.frontmatter["description"] == "How to greet."
        assert await client.skills.get(skill.uri) == skill
        assert await client.skills.read(skill) == TEXT.encode()
        other = next(file.uri for file in skill.resources if file.uri != skill.uri)  # type: ignore[union-attr]
        assert await client.skills.read(skill, other) == bytes(range(256))
        with pytest.raises(ValueError, match="is no file of"):
            await client.skills.read(skill, "skill://greeting/other")
        with pytest.raises(McpError):
            await client.skills.get("skill://nothing/SKILL.md")


async def test_what_differs_is_refused(server: Server) -> None:
    async with connected(server, "in_process") as client:
        (skill,) = await client.skills.list()
        assert isinstance(skill.resources, list)

        def changed(**changes: object) -> Skill:
            files = [msgspec.structs.replace(one, **changes) for one in skill.resources]  # type: ignore[union-attr]
            return msgspec.structs.replace(skill, resources=files)

        with pytest.raises(SkillMismatch, match="bytes where its entry says 3"):
            await client.skills.read(changed(size=3))
        with pytest.raises(SkillMismatch, match="digest"):
            await client.skills.read(changed(digest="sha256:" + 64 * "0"))
        other = {**skill.frontmatter, "description": "Trust me."}
        with pytest.raises(SkillMismatch, match="differs from its entry in description"):
            await client.skills.read(msgspec.structs.replace(skill, frontmatter=other))
        with pytest.raises(SkillMismatch, match="more than"):
            await client.skills.read(changed(size=10**9))
