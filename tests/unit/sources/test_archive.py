"""Unpacking on a Python without filters: the same files, and no links."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from sbkube.errors import SourceUnavailable
from sbkube.sources.archive import extract_plainly


def _archive(*members: tuple[tarfile.TarInfo, bytes]) -> tarfile.TarFile:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    stream.seek(0)
    return tarfile.open(fileobj=stream)


def _member(name: str, mode: int = 0o644, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.type, info.linkname, info.uid = mode, kind, link, 12345
    return info


def test_files_and_folders_are_ours_whatever_the_archive_says(tmp_path: Path) -> None:
    members = (
        (_member("chart", 0o777, tarfile.DIRTYPE), b""),
        (_member("chart/values.yaml", 0o666), b"a: 1"),
        (_member("chart/deep/run.sh", 0o6755), b"#!/bin/sh"),
    )
    with _archive(*members) as tar:
        extract_plainly(tar, tmp_path, "web")
    files = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert {name: path.read_bytes() for name, path in files.items()} == {
        "chart/values.yaml": b"a: 1",
        "chart/deep/run.sh": b"#!/bin/sh",
    }
    assert {name: path.stat().st_mode & 0o7777 for name, path in files.items()} == {
        "chart/values.yaml": 0o644,
        "chart/deep/run.sh": 0o755,
    }
    assert {path.stat().st_uid for path in files.values()} == {tmp_path.stat().st_uid}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_are_refused(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "outside").write_text("kept")
    with (
        _archive((_member("link", kind=kind, link="outside"), b"")) as tar,
        pytest.raises(SourceUnavailable, match="is a link"),
    ):
        extract_plainly(tar, tmp_path, "web")
    assert not (tmp_path / "link").exists()
