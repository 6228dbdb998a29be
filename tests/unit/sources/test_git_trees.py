"""Commits in the cache, also when several ask for one at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sbkube.models.source import Repository
from sbkube.sources.cache import Cache, put_in_place
from sbkube.sources.git import GitTrees

COMMIT = "c" * 40


class Git:
    """Two check-outs end at the same moment."""

    def __init__(self) -> None:
        self.together = threading.Barrier(2, timeout=20)

    def check_out(self, repository: Repository, commit: str, folder: Path) -> None:
        (folder / "file").write_text(commit)
        self.together.wait()


def test_two_who_want_one_commit_at_once_both_get_it(tmp_path: Path) -> None:
    downloads: Any = SimpleNamespace(offline=False, cache=Cache(tmp_path))
    git: Any = Git()
    trees = GitTrees(git, downloads)
    repository: Any = SimpleNamespace(url="https://example.com/r.git")
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: trees.tree(repository, COMMIT), range(2)))
    assert found[0] == found[1] and (found[0] / "file").read_text() == COMMIT
    assert [path.name for path in found[0].parent.iterdir()] == [COMMIT]


def test_a_folder_that_cannot_be_put_in_place_is_said(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(OSError, match="nowhere"):
        put_in_place(work, tmp_path / "nowhere" / "folder")
