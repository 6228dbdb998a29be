"""The cache: whole files by digest, and facts by name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

import pytest

from sbkube.errors import SourceUnavailable
from sbkube.sources.cache import Cache, default_folder


def test_a_file_is_found_by_its_digest(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    path, digest = cache.add(lambda file: file.write(b"hello") and None)
    assert digest == "sha256:" + hashlib.sha256(b"hello").hexdigest()
    assert cache.find(digest) == path
    assert path.read_bytes() == b"hello"
    assert cache.find("sha256:" + "0" * 64) is cache.find("") is cache.find("sha256:../../x") is None


def test_a_download_that_fails_leaves_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")

    def fill(file: BinaryIO) -> None:
        file.write(b"half")
        raise SourceUnavailable("gone")

    with pytest.raises(SourceUnavailable):
        cache.add(fill)
    assert list((tmp_path / "c/files").iterdir()) == []


def test_facts_are_kept_under_names_that_do_not_show(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    cache.remember("https://ann:pw@example.com/", {"etag": "1"})
    assert cache.recall("https://ann:pw@example.com/") == {"etag": "1"}
    assert cache.recall("https://example.com/") == {}
    [file] = (tmp_path / "c/facts").iterdir()
    file.write_text("{")
    assert cache.recall("https://ann:pw@example.com/") == {}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a file")
    with pytest.raises(SourceUnavailable, match="cannot be made") as caught:
        Cache(tmp_path / "c").add(lambda file: None)
    assert "SBKUBE_CACHE_DIR" in str(caught.value.hint)


def test_where_it_is() -> None:
    assert default_folder({"SBKUBE_CACHE_DIR": "/a"}) == Path("/a")
    assert default_folder({"XDG_CACHE_HOME": "/x", "HOME": "/h"}) == Path("/x/sbkube")
    assert default_folder({"HOME": "/h"}) == Path("/h/.cache/sbkube")
