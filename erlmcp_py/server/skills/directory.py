"""A directory of skills that is served, and looked at again as it changes.

Looking costs a walk over its files; reading them again and digesting them is done only for those whose
time or size has changed. All of it blocks, so it is done in threads.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from erlmcp_py.protocol.extensions.skills import MAX_TOTAL_SIZE
from erlmcp_py.protocol.shape import NOT_CACHED, CacheHint
from erlmcp_py.server.skills.catalog import Catalog, Digests, make_catalog
from erlmcp_py.server.skills.files import Found, Parts, find_files, read_file

RECHECK: Final = 1.0
"""Seconds for which a look at the files is good."""


class SkillDirectory:
    """root: below it every directory with a `SKILL.md` is a skill. dynamic: names of those without
    digests. cache: how long clients may keep what they are told. recheck: seconds for which a look is
    good. changed: called, in the thread that looks, when the skills are others than before.

    OSError if the directory is none.
    """

    def __init__(
        self,
        root: Path,
        *,
        dynamic: Collection[str] = (),
        cache: CacheHint = NOT_CACHED,
        recheck: float = RECHECK,
        changed: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root = root.resolve(strict=True)
        if not self.root.is_dir():
            raise NotADirectoryError(f"{root} is no directory")
        self.dynamic = frozenset(dynamic)
        self.cache = cache
        self._recheck = recheck
        self._changed = changed
        self._clock = clock
        self._lock = threading.Lock()
        self._digests: Digests = {}
        self._seen: list[Found | Parts] | None = None
        self._looked = -math.inf
        self._catalog = Catalog()
        self._told: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<SkillDirectory {str(self.root)!r}>"

    def look(self) -> Catalog:
        """What is there. OSError if the directory cannot be read."""
        with self._lock:
            if self._clock() - self._looked < self._recheck:
                return self._catalog
            now = self._clock()
            seen = list(find_files(self.root))
            before = self._seen
            if seen != before:
                self._catalog = make_catalog(seen, self._read, self._digests, self.dynamic)
                kept = {found.parts for found in seen if isinstance(found, Found)}
                for parts in self._digests.keys() - kept:
                    del self._digests[parts]
                self._seen = seen
            self._looked = now
            catalog = self._catalog
        if before is not None and seen != before:
            self._changed()
        return catalog

    def news(self) -> list[str]:
        """What keeps a directory from being a skill, and was not told before."""
        problems = frozenset(self._catalog.problems)
        news, self._told = problems - self._told, problems
        return sorted(news)

    def read(self, parts: Parts) -> bytes:
        """A file of the catalog as it is now. OSError if it is not there any more."""
        return self._read(parts)

    def _read(self, parts: Parts) -> bytes:
        return read_file(self.root, parts, MAX_TOTAL_SIZE)
