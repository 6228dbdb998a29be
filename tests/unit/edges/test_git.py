"""Reading git repositories of this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from repositories import commit_all, git, new_repository

from sbkube.edges.git import Git
from sbkube.errors import SourceUnavailable
from sbkube.models.source import Login, Repository

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="makes its repositories with git")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = new_repository(tmp_path / "work")
    (folder / "a").mkdir()
    (folder / "a/one.yaml").write_text("one: 1\n")
    commit_all(folder, "one")
    git(folder, "tag", "-am", "first", "v1")
    (folder / "a/one.yaml").write_text("one: 2\n")
    git(folder, "commit", "-qam", "two")
    git(folder, "branch", "stable")
    return folder


@pytest.fixture(params=["file URL", "path"])
def repository(work: Path, request: pytest.FixtureRequest) -> Repository:
    return Repository("r", f"file://{work}" if request.param == "file URL" else str(work))


def test_branches_tags_and_commits(work: Path, repository: Repository) -> None:
    port = Git(os.environ)
    head, first = git(work, "rev-parse", "HEAD"), git(work, "rev-parse", "v1^{commit}")
    assert port.resolve(repository, "") == port.resolve(repository, "stable") == head
    assert port.resolve(repository, "v1") == first
    assert port.resolve(repository, first) == first


def test_the_files_of_a_commit_without_its_history(work: Path, repository: Repository, tmp_path: Path) -> None:
    port = Git(os.environ)
    for revision, text in (("v1", "one: 1\n"), ("", "one: 2\n")):
        folder = tmp_path / f"out-{revision}"
        port.check_out(repository, port.resolve(repository, revision), folder)
        assert (folder / "a/one.yaml").read_text() == text
        assert not (folder / ".git").exists()


@pytest.mark.parametrize(
    ("revision", "hint"), [("nowhere", "branches: main, stable"), ("abcdef1", "all 40 digits")]
)
def test_what_is_not_there(repository: Repository, revision: str, hint: str) -> None:
    with pytest.raises(SourceUnavailable, match="has no branch or tag") as caught:
        Git(os.environ).resolve(repository, revision)
    assert hint in str(caught.value.hint)


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        Git(os.environ).resolve(Repository("r", str(tmp_path / "nothing")), "")


def test_a_link_that_leads_out_is_refused(work: Path, tmp_path: Path) -> None:
    (work / "a/passwords").symlink_to("/etc/passwd")
    commit_all(work, "link")
    port = Git(os.environ)
    repository = Repository("r", str(work))
    with pytest.raises(SourceUnavailable, match="a/passwords is a link that leads out of it"):
        port.check_out(repository, port.resolve(repository, ""), tmp_path / "out")


def test_a_login_goes_by_the_environment(work: Path, tmp_path: Path) -> None:
    """A stand-in for git writes down how it was called: no secret may be on a command line."""
    stand_in = tmp_path / "bin/git"
    stand_in.parent.mkdir()
    script = 'echo "$@" > "$SEEN"; env | grep GIT_CONFIG >> "$SEEN"; echo "fatal: no" >&2; exit 1'
    stand_in.write_text(f"#!/bin/sh\n{script}\n")
    stand_in.chmod(0o755)
    seen = tmp_path / "seen"
    environ = {"PATH": f"{stand_in.parent}:/usr/bin:/bin", "SEEN": str(seen)}
    login = Login("ann", "s3cret", ssh_key=tmp_path / "a key")
    with pytest.raises(SourceUnavailable, match=r"https://example\.com/r: no"):
        Git(environ).resolve(Repository("r", "https://example.com/r", login), "")
    arguments, *environment = seen.read_text().splitlines()
    assert arguments.endswith("ls-remote -- https://example.com/r")
    assert any("Authorization: Basic YW5uOnMzY3JldA==" in line for line in environment)


def test_without_git(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="needs the git program") as caught:
        Git({"PATH": str(tmp_path)}).resolve(Repository("r", "https://example.com/r"), "")
    assert caught.value.hint == "install git"
