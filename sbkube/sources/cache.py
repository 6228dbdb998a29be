"""Downloads by their digest, shared by all projects of a user; and answers of servers with their ETags.

Files come into being under another name and are renamed when they are whole, so a cut-off download is never
mistaken for a file, and several runs may share the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from sbkube.errors import SourceUnavailable

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_CHUNK = 1 << 20


def default_folder(environ: Mapping[str, str]) -> Path:
    """`SBKUBE_CACHE_DIR`, else `sbkube` in the user's cache folder (XDG Base Directory Specification)."""
    if given := environ.get("SBKUBE_CACHE_DIR"):
        return Path(given)
    home = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME") or Path.home(), ".cache")  # noqa: PTH118
    return Path(home) / "sbkube"


class Cache:
    """A folder with files by digest."""

    def __init__(self, folder: Path) -> None:
        """Nothing is created before something is put in."""
        self.folder = folder

    def find(self, digest: str) -> Path | None:
        """The file with this `sha256:…` digest, if it is here."""
        match = _DIGEST.fullmatch(digest)
        path = self.folder / "files" / match[1] if match else None
        return path if path is not None and path.is_file() else None

    def add(self, fill: Callable[[BinaryIO], None]) -> tuple[Path, str]:
        """Keep what `fill` writes; gives its place and digest. When `fill` raises, nothing is kept."""
        target = self._folder("files")
        part = self._part(target)
        try:
            with part.open("r+b") as file:
                fill(file)
                file.flush()
                digest = _digest_of(file)
            path = target / digest.removeprefix("sha256:")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path, digest

    def remember(self, name: str, facts: Mapping[str, Any]) -> None:
        """Keep facts (JSON) under a name, such as the ETag and digest last seen at a URL."""
        target = self._folder("facts")
        part = self._part(target)
        part.write_text(json.dumps(facts))
        part.replace(target / _plain(name))

    def recall(self, name: str) -> dict[str, Any]:
        """The facts kept under a name; empty when there are none, or none that can be read."""
        try:
            found = json.loads((self.folder / "facts" / _plain(name)).read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _folder(self, name: str) -> Path:
        target = self.folder / name
        try:
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise SourceUnavailable(
                f"the cache folder {target} cannot be made: {error.strerror or error}",
                hint="SBKUBE_CACHE_DIR names another",
            ) from error
        return target

    def _part(self, folder: Path) -> Path:
        try:
            descriptor, name = tempfile.mkstemp(prefix=".part-", dir=folder)
        except OSError as error:
            raise SourceUnavailable(
                f"the cache folder {folder} cannot be written: {error.strerror or error}",
                hint="SBKUBE_CACHE_DIR names another",
            ) from error
        os.close(descriptor)
        return Path(name)


def _plain(name: str) -> str:
    """A file name for any text: URLs may hold what is secret, and what no file name may hold."""
    return hashlib.sha256(name.encode()).hexdigest()


def _digest_of(file: BinaryIO) -> str:
    file.seek(0)
    total = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        total.update(chunk)
    return f"sha256:{total.hexdigest()}"


def put_in_place(work: Path, folder: Path) -> None:
    """Give a finished folder its name. Where somebody else was quicker, theirs, which holds the same, stays."""
    try:
        work.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise
