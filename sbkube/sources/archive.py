"""Unpacking archives that came from elsewhere: nothing outside of the folder, no devices, and no bombs."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from sbkube.errors import SourceUnavailable

MAX_BYTES = 256 << 20  # of all files together
MAX_FILES = 20_000


def unpack(archive: Path, folder: Path, *, subject: str) -> None:
    """Unpack a .tar or .tar.gz into `folder`, which appears only when all of it is there.

    `subject` names the archive in errors. Raises SourceUnavailable for what is broken, too large or leads outside.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".unpack-", dir=folder.parent))
    try:
        with tarfile.open(archive) as tar:
            _check(tar, subject)
            tar.extractall(work, filter="data")
        if folder.exists():
            shutil.rmtree(folder)
        work.replace(folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SourceUnavailable(f"the archive cannot be unpacked: {error}", subject=subject) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check(tar: tarfile.TarFile, subject: str) -> None:
    """Look at every name before anything is written."""
    total = 0
    for count, member in enumerate(tar):
        total += member.size
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise SourceUnavailable(f'"{member.name}" in the archive leads outside of it', subject=subject)
        if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
            raise SourceUnavailable(f'"{member.name}" in the archive is no file or folder', subject=subject)
        if total > MAX_BYTES or count >= MAX_FILES:
            raise SourceUnavailable(
                f"the archive holds more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB", subject=subject
            )
