"""Where a path of the project file begins: in the project's folder, or in a git repository (`${repos.NAME}/…`)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from sbkube.apps.base import RenderContext
from sbkube.errors import Place, RenderError

_IN_REPOSITORY = re.compile(r"\$\{repos\.([^}/]+)\}/?(.*)")
_OLDER = re.compile(r"\./repos/([^/]+)/?(.*)")  # an older spelling, where no such folder exists


@dataclass(frozen=True, slots=True)
class Base:
    """`path` is relative to `folder`; `prefix` begins the names of its files in records."""

    folder: Path
    path: str
    prefix: str = ""

    @property
    def target(self) -> Path:
        """What is meant."""
        return self.folder / self.path

    def name(self, path: Path) -> str:
        """A file's name in records: the same on every machine."""
        return self.prefix + project_name(path, self.folder)


def project_name(path: Path, folder: Path) -> str:
    """A file's name relative to a folder, with forward slashes."""
    return Path(os.path.relpath(path, folder)).as_posix()


def base_of(text: str, context: RenderContext, place: Place | None) -> Base:
    """What a path in the project file is relative to.

    Raises SourceUnavailable for a repository that is not there, RenderError for a path that leads out of it.
    """
    match = _IN_REPOSITORY.fullmatch(text)
    if match is None:
        older = _OLDER.fullmatch(text)
        if older is None or (context.folder / "repos" / older[1]).exists():
            return Base(context.folder, text)
        match = older
    name, path = match[1], match[2]
    tree = context.catalogue.tree(name, place)
    if not (tree.path / path).resolve().is_relative_to(tree.path.resolve()):
        raise RenderError(f'"{text}" leads out of the repository', place=place, hint="remove the ..")
    return Base(tree.path, path, f"repos/{name}/")
