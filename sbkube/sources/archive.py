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
            if hasattr(tarfile, "data_filter"):
                tar.extractall(work, filter="data")
            else:
                extract_plainly(tar, work, subject)
        if folder.exists():
            shutil.rmtree(folder)
        work.replace(folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SourceUnavailable(f"the archive cannot be unpacked: {error}", subject=subject) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def extract_plainly(tar: tarfile.TarFile, folder: Path, subject: str) -> None:
    """Files and folders of an archive whose names were checked, for Python before 3.11.4, which has no filters.

    Links are refused: only a filter can tell where they lead. Raises SourceUnavailable.
    """
    for member in tar:
        target = folder / member.name
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        content = tar.extractfile(member) if member.isfile() else None
        if content is None:
            text = f'"{member.name}" in the archive is a link'
            raise SourceUnavailable(text, subject=subject, hint="use Python 3.11.4 or newer for such archives")
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
        target.chmod(0o755 if member.mode & 0o100 else 0o644)


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
