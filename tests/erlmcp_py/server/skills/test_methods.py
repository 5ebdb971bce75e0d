"""Skills as clients see them: lists, entries, directories and files."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from erlmcp_py.protocol.shape import CacheHint
from erlmcp_py.server import Server
from supervisors import WarningReport
from tests.erlmcp_py.server.conftest import Connect

from .test_directory import skill, write

HINT = CacheHint(ttl_ms=60_000, scope="public")


def make(root: Path, **options: Any) -> Server:
    server = Server("s", version="1", page_size=2)
    server.skills(root, recheck=0.0, cache=HINT, **options)
    return server


async def all_pages(peer: Any, method: str, member: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page = await peer.result(method, params)
    while True:
        found += page[member]
        if "nextCursor" not in page:
            return found
        page = await peer.result(method, params | {"cursor": page["nextCursor"]})


async def test_a_host_can_verify_all_it_reads(connect: Connect, tmp_path: Path) -> None:
    for name in ("one", "two", "team/three"):
        skill(tmp_path, name)
    write(tmp_path, "one/data.bin", b"\x00\xff")
    write(tmp_path, "one/notes.txt", "für dich")
    peer = await connect(make(tmp_path))
    first = await peer.result("skills/list")
    assert (first["ttlMs"], first["cacheScope"], len(first["skills"])) == (60_000, "public", 2)
    skills = await all_pages(peer, "skills/list", "skills")
    assert [entry["frontmatter"]["name"] for entry in skills] == ["one", "three", "two"]
    for entry in skills:
        got = await peer.result("skills/get", {"uri": entry["uri"]})
        assert got["skill"] == entry
        assert (got["ttlMs"], got["cacheScope"]) == (60_000, "public")
        for file in entry["resources"]:
            read = await peer.result("resources/read", {"uri": file["uri"]})
            (contents,) = read["contents"]
            data = (
                contents["text"].encode()
                if "text" in contents
                else base64.b64decode(contents["blob"])
            )
            assert len(data) == file["size"]
            assert "sha256:" + hashlib.sha256(data).hexdigest() == file["digest"]
            assert (read["ttlMs"], contents["uri"]) == (60_000, file["uri"])


async def test_manifests_are_listed_among_the_resources(connect: Connect, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        skill(tmp_path, name)
    server = make(tmp_path)

    @server.resource("a:b")
    def own() -> str:
        """A resource of its own."""
        return "own"

    for version in ("2026-07-28", "2025-11-25"):
        peer = await connect(server, version)
        listed = await all_pages(peer, "resources/list", "resources")
        assert [resource["uri"] for resource in listed] == [
            "a:b",
            *(f"skill://{name}/SKILL.md" for name in ("one", "three", "two")),
        ]
        assert {k: listed[1][k] for k in ("name", "description", "mimeType")} == {
            "name": "one",
            "description": "What one is for.",
            "mimeType": "text/markdown",
        }
        read = await peer.result("resources/read", {"uri": "skill://one/SKILL.md"})
        assert read["contents"][0]["mimeType"] == "text/markdown"


async def test_directories_are_read_page_by_page(connect: Connect, tmp_path: Path) -> None:
    skill(tmp_path, "one")
    for name in ("a.md", "b.md", "c/d.md"):
        write(tmp_path, f"one/{name}")
    (tmp_path / "one/empty").mkdir()
    peer = await connect(make(tmp_path))
    children = await all_pages(peer, "resources/directory/read", "resources", uri="skill://one")
    assert {child["name"]: child.get("mimeType") for child in children} == {
        "SKILL.md": "text/markdown",
        "a.md": "text/markdown",
        "b.md": "text/markdown",
        "c": "inode/directory",
        "empty": "inode/directory",
    }
    empty = await peer.result("resources/directory/read", {"uri": "skill://one/empty"})
    assert empty["resources"] == []
    first = await peer.result("resources/directory/read", {"uri": "skill://one"})
    foreign = {"uri": "skill://one/c", "cursor": first["nextCursor"]}
    assert (await peer.error("resources/directory/read", foreign))["code"] == -32602


OUTSIDE = [
    "skill://one",
    "skill://one/",
    "skill://one/missing",
    "skill://one/../../outside",
    "skill://one/%2e%2e/%2e%2e/outside",
    "skill://one/..%2f..%2foutside",
    "skill://one//SKILL.md",
    "skill:///etc/passwd",
    "skill://../outside",
    "skill://one/SKILL.md\x00",
    "SKILL.md",
]


@pytest.mark.parametrize("uri", OUTSIDE)
async def test_no_address_leads_outside(connect: Connect, tmp_path: Path, uri: str) -> None:
    write(tmp_path, "outside", "secret")
    skill(tmp_path / "skills", "one")
    peer = await connect(make(tmp_path / "skills"))
    for method in ("resources/read", "skills/get"):
        assert (await peer.error(method, {"uri": uri}))["code"] == -32602
    if uri != "skill://one":
        error = await peer.error("resources/directory/read", {"uri": uri})
        assert error["code"] == -32602


async def test_what_is_there_now_is_served(connect: Connect, tmp_path: Path) -> None:
    skill(tmp_path, "one")
    peer = await connect(make(tmp_path))
    assert len((await peer.result("skills/list"))["skills"]) == 1
    skill(tmp_path, "two")
    assert len((await peer.result("skills/list"))["skills"]) == 2
    (tmp_path / "one/SKILL.md").unlink()
    uri = {"uri": "skill://one/SKILL.md"}
    assert (await peer.error("skills/get", uri))["code"] == -32602
    assert (await peer.error("resources/read", uri))["code"] == -32602


async def test_what_cannot_be_served_is_reported(connect: Connect, tmp_path: Path) -> None:
    manifest = skill(tmp_path, "one")
    peer = await connect(make(tmp_path))
    manifest.write_text("nothing")
    assert (await peer.result("skills/list"))["skills"] == []
    (warning,) = [r for r in peer.reports if isinstance(r, WarningReport)]
    assert "is not served: one: SKILL.md does not begin" in warning.text


async def test_it_is_declared_in_the_era_that_has_it(connect: Connect, tmp_path: Path) -> None:
    skill(tmp_path, "one")
    server = make(tmp_path)
    capabilities = (await (await connect(server)).result("server/discover"))["capabilities"]
    assert capabilities["extensions"] == {"io.modelcontextprotocol/skills": {"directoryRead": True}}
    assert capabilities["resources"]
    for method in ("skills/list", "skills/get", "resources/directory/read"):
        error = await (await connect(server, "2025-11-25")).error(method, {"uri": "x"})
        assert error["code"] == -32601
        other = await (await connect(Server("none", version="1"))).error(method, {"uri": "x"})
        assert other["code"] == -32601
