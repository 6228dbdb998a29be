"""Files that only their owner can read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sbkube.api.private_files import write_private
from sbkube.errors import UsageError


def test_a_file_that_others_could_read_becomes_private(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("old")
    file.chmod(0o644)
    (tmp_path / "link").symlink_to(file)
    write_private(tmp_path / "link", "new", "report")
    assert file.read_text() == "new" and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["/", ".", "file/below", "no/such/folder"])
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UsageError, match="the plan cannot be written"):
        write_private(tmp_path / name, "new", "plan")
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_text() == "kept"
