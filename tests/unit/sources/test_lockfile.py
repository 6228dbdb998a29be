"""The lock file: read, kept, written, and refused when it is broken or when the world has moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbkube.errors import PlanRefused, ProjectError, SourceUnavailable
from sbkube.models.source import Pinned
from sbkube.sources.lockfile import LockFile

PIN = Pinned("https://charts.example.com/web", "^1", "1.2.0", "sha256:" + "a" * 64)
OTHER = Pinned("oci://example.com/db", "", "3.0.0", "sha256:" + "b" * 64)


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    lock = LockFile(tmp_path / "sbkube.lock")
    assert lock.find(PIN.source, "^1") is None
    assert not lock.save(whole=True), "a project without sources gets no lock file"
    lock.keep(PIN)
    lock.keep(OTHER)
    assert lock.changed
    assert lock.save(whole=True)
    again = LockFile(tmp_path / "sbkube.lock", locked=True)
    assert again.find(PIN.source, "^1") == PIN
    assert again.find(OTHER.source, "") == OTHER
    again.keep(PIN)
    assert not again.changed
    assert again.save(whole=True), "what nobody uses any more goes"
    assert "oci://" not in (tmp_path / "sbkube.lock").read_text()
    assert not again.save(whole=False)


def test_a_part_of_the_project_leaves_the_rest_alone(tmp_path: Path) -> None:
    lock = LockFile(tmp_path / "sbkube.lock")
    lock.keep(OTHER)
    lock.save(whole=True)
    lock = LockFile(tmp_path / "sbkube.lock")
    lock.keep(PIN)
    lock.save(whole=False)
    assert LockFile(tmp_path / "sbkube.lock").find(OTHER.source, "") == OTHER


def test_content_that_changed_under_its_version_is_refused(tmp_path: Path) -> None:
    lock = LockFile(tmp_path / "sbkube.lock")
    lock.keep(PIN)
    lock.save(whole=True)
    with pytest.raises(SourceUnavailable, match="is not what it was") as caught:
        LockFile(tmp_path / "sbkube.lock").keep(Pinned(PIN.source, PIN.wanted, PIN.found, "sha256:" + "c" * 64))
    assert "sbkube.lock" in str(caught.value.hint)


def test_a_missing_pin_is_refused_when_locked(tmp_path: Path) -> None:
    with pytest.raises(PlanRefused, match=r"does not pin https://charts\.example\.com/web \^1"):
        LockFile(tmp_path / "sbkube.lock", locked=True).find(PIN.source, "^1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no lock file"),
        ("[]", "no lock file"),
        ("version: 2\nsources: []", "version 2 of the lock file is not known"),
        ("version: 1\nsources: [1]", "an entry wants"),
        ("version: 1\nsources: [{source: a, wrong: b, found: c}]", "an entry wants"),
        ("version: [", "expected"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "sbkube.lock").write_text(text)
    with pytest.raises(ProjectError) as caught:
        LockFile(tmp_path / "sbkube.lock")
    assert says in str(caught.value)
    assert "sbkube.lock" in str(caught.value)
