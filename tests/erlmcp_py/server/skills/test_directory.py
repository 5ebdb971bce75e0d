"""What a directory of skills comes to, and that nothing outside of it can be had."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from erlmcp_py.protocol.extensions.skills import MAX_RESOURCES, MAX_TOTAL_SIZE
from erlmcp_py.server import Server
from erlmcp_py.server.skills.directory import SkillDirectory
from erlmcp_py.server.skills.files import read_file

MANIFEST = "---\nname: {}\ndescription: What {} is for.\n---\n\nRead on.\n"


def write(root: Path, path: str, text: str | bytes = "x") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def skill(root: Path, path: str) -> Path:
    name = path.rpartition("/")[2]
    return write(root, f"{path}/SKILL.md", MANIFEST.format(name, name))


def look(root: Path, **options: object) -> SkillDirectory:
    return SkillDirectory(root, recheck=0.0, **options)  # type: ignore[arg-type]


def test_every_file_of_a_skill_is_told_with_size_and_digest(tmp_path: Path) -> None:
    skill(tmp_path, "one")
    write(tmp_path, "one/scripts/run me.py", b"\x00\x01")
    write(tmp_path, "stray.txt")
    catalog = look(tmp_path).look()
    assert list(catalog.skills) == ["skill://one/SKILL.md"]
    entry = catalog.skills["skill://one/SKILL.md"]
    assert entry.frontmatter == {"name": "one", "description": "What one is for."}
    assert not isinstance(entry.resources, str)
    told = {file.uri: (file.digest, file.size) for file in entry.resources}
    assert told == {
        f"skill://one/{uri}": (
            "sha256:" + hashlib.sha256((tmp_path / "one" / path).read_bytes()).hexdigest(),
            (tmp_path / "one" / path).stat().st_size,
        )
        for uri, path in (("SKILL.md", "SKILL.md"), ("scripts/run%20me.py", "scripts/run me.py"))
    }
    assert set(catalog.files) == set(told)
    assert {
        uri: [child.uri for child in inside] for uri, inside in catalog.directories.items()
    } == {
        "skill://one": ["skill://one/SKILL.md", "skill://one/scripts"],
        "skill://one/scripts": ["skill://one/scripts/run%20me.py"],
    }
    types = {child.name: child.mime_type for child in catalog.directories["skill://one"]}
    assert types == {"SKILL.md": "text/markdown", "scripts": "inode/directory"}


def test_skills_may_lie_in_one_another(tmp_path: Path) -> None:
    skill(tmp_path, "team/outer")
    skill(tmp_path, "team/outer/inner")
    catalog = look(tmp_path).look()
    files = {uri: [file.uri for file in entry.resources] for uri, entry in catalog.skills.items()}  # type: ignore[union-attr]
    assert files == {
        "skill://team/outer/SKILL.md": [
            "skill://team/outer/SKILL.md",
            "skill://team/outer/inner/SKILL.md",
        ],
        "skill://team/outer/inner/SKILL.md": ["skill://team/outer/inner/SKILL.md"],
    }
    assert "skill://team" not in catalog.directories


def test_what_changes_is_read_again_and_the_rest_is_not(tmp_path: Path) -> None:
    changes: list[str] = []
    manifest = skill(tmp_path, "one")
    other = write(tmp_path, "one/b.txt", "same size")
    directory = look(tmp_path, changed=lambda: changes.append("changed"))
    first = directory.look()
    assert directory.look() is first
    before = other.stat()
    other.write_text("SAME SIZE")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    second = directory.look()
    assert changes == ["changed"]
    digests = [
        {f.uri: f.digest for f in c.skills["skill://one/SKILL.md"].resources}
        for c in (first, second)
    ]  # type: ignore[union-attr]
    assert digests[0]["skill://one/SKILL.md"] == digests[1]["skill://one/SKILL.md"]
    assert digests[0]["skill://one/b.txt"] != digests[1]["skill://one/b.txt"]
    skill(tmp_path, "two")
    manifest.unlink()
    assert list(directory.look().skills) == ["skill://two/SKILL.md"]
    assert "skill://one/b.txt" not in directory.look().files


def test_a_look_is_good_for_a_while(tmp_path: Path) -> None:
    now = 0.0
    skill(tmp_path, "one")
    directory = SkillDirectory(tmp_path, recheck=1.0, clock=lambda: now)
    assert len(directory.look().skills) == 1
    skill(tmp_path, "two")
    now = 0.9
    assert len(directory.look().skills) == 1
    now = 1.0
    assert len(directory.look().skills) == 2


def test_a_skill_that_breaks_later_is_left_out_and_told_once(tmp_path: Path) -> None:
    skill(tmp_path, "good")
    manifest = skill(tmp_path, "bad")
    directory = look(tmp_path)
    directory.look()
    assert directory.news() == []
    manifest.write_text("no frontmatter at all")
    assert list(directory.look().skills) == ["skill://good/SKILL.md"]
    assert "skill://bad/SKILL.md" not in directory.look().files
    (told,) = directory.news()
    assert told.startswith("bad: SKILL.md does not begin")
    assert directory.news() == []


@pytest.mark.parametrize("what", ["number", "size"])
def test_a_skill_that_no_host_has_to_take_is_not_served(tmp_path: Path, what: str) -> None:
    manifest = skill(tmp_path, "one")
    if what == "number":
        for number in range(MAX_RESOURCES - 1):
            write(tmp_path, f"one/{number}")
    else:
        with (tmp_path / "one/large").open("wb") as file:
            file.truncate(MAX_TOTAL_SIZE - manifest.stat().st_size)
    directory = look(tmp_path, dynamic=["one"])
    assert len(directory.look().skills) == 1
    write(tmp_path, "one/more")
    assert directory.look().skills == {}
    assert str(MAX_RESOURCES if what == "number" else MAX_TOTAL_SIZE) in directory.news()[0]


def test_what_is_dynamic_has_no_digests(tmp_path: Path) -> None:
    skill(tmp_path, "one")
    catalog = look(tmp_path, dynamic={"one"}).look()
    assert catalog.skills["skill://one/SKILL.md"].resources == "dynamic"
    assert "skill://one/SKILL.md" in catalog.files


# --- nothing from outside -------------------------------------------------------------------


def test_links_and_what_is_no_file_are_not_there(tmp_path: Path) -> None:
    secret = write(tmp_path, "outside/secret", "secret")
    skill(tmp_path, "outside/stolen")
    root = tmp_path / "skills"
    home = skill(root, "one").parent
    (home / "file-link").symlink_to(secret)
    (home / "inner-link").symlink_to(home / "SKILL.md")
    (home / "directory-link").symlink_to(tmp_path / "outside")
    (root / "stolen").symlink_to(tmp_path / "outside" / "stolen")
    os.mkfifo(home / "pipe")
    write(root, "one/.git/config")
    write(root, "one/.hidden")
    catalog = look(root).look()
    assert list(catalog.files) == ["skill://one/SKILL.md"]
    assert list(catalog.directories) == ["skill://one"]


@pytest.mark.parametrize("place", ["file", "directory"])
def test_a_link_put_in_the_place_of_what_was_found_is_not_followed(
    tmp_path: Path, place: str
) -> None:
    write(tmp_path, "outside/b.txt", "secret")
    root = tmp_path / "skills"
    skill(root, "one")
    found = write(root, "one/inner/b.txt", "public")
    directory = SkillDirectory(root, recheck=100.0)
    parts = directory.look().files["skill://one/inner/b.txt"]
    assert directory.read(parts) == b"public"
    found.unlink()
    if place == "file":
        found.symlink_to(tmp_path / "outside" / "b.txt")
    else:
        found.parent.rmdir()
        found.parent.symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=r"symbolic|Not a directory|Too many levels"):
        directory.read(parts)


def test_a_pipe_put_in_the_place_of_a_file_does_not_hold_anybody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        read_file(tmp_path, ("pipe",), 10)


def test_more_than_was_found_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, "large", "x" * 11)
    with pytest.raises(OSError, match="more than 10 bytes"):
        read_file(tmp_path, ("large",), 10)


def test_names_that_are_no_text_are_left_out(tmp_path: Path) -> None:
    skill(tmp_path, "one")
    (tmp_path / "one" / os.fsdecode(b"\xff")).touch()
    assert list(look(tmp_path).look().files) == ["skill://one/SKILL.md"]


# --- the definition -------------------------------------------------------------------------


def test_a_server_is_defined_with_good_skills_only(tmp_path: Path) -> None:
    server = Server("s", version="1")
    with pytest.raises(FileNotFoundError):
        server.skills(tmp_path / "missing")
    with pytest.raises(NotADirectoryError):
        server.skills(write(tmp_path, "file"))
    write(tmp_path, "bad/SKILL.md", "none")
    with pytest.raises(ValueError, match=r"bad: SKILL\.md does not begin"):
        server.skills(tmp_path)
    write(tmp_path, "SKILL.md", MANIFEST.format("x", "x"))
    (tmp_path / "bad/SKILL.md").unlink()
    with pytest.raises(ValueError, match="not in the root"):
        server.skills(tmp_path)
    (tmp_path / "SKILL.md").unlink()
    skill(tmp_path, "a/one")
    skill(tmp_path, "b/a/one")
    server.skills(tmp_path / "b")
    with pytest.raises(ValueError, match="served from another directory already"):
        server.skills(tmp_path)
