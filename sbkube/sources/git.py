"""Files of git repositories at a commit, kept in the cache: a commit never changes."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from sbkube.errors import SourceUnavailable
from sbkube.models.source import Repository
from sbkube.ports import GitPort
from sbkube.sources.cache import put_in_place
from sbkube.sources.downloads import Downloads


class GitTrees:
    """Checked-out commits by repository."""

    def __init__(self, git: GitPort, downloads: Downloads) -> None:
        self._git = git
        self._downloads = downloads

    def resolve(self, repository: Repository) -> str:
        """The commit that the repository's revision means now; raises SourceUnavailable."""
        if self._downloads.offline:
            raise SourceUnavailable(
                f"{repository.url} is not pinned, and --offline forbids to ask for its commit",
                hint="run once without --offline",
            )
        return self._git.resolve(repository, repository.revision)

    def tree(self, repository: Repository, commit: str) -> Path:
        """The folder with the files of a commit; raises SourceUnavailable."""
        name = hashlib.sha256(repository.url.encode()).hexdigest()[:16]
        folder = self._downloads.cache.folder / "git" / name / commit
        if folder.is_dir():
            return folder
        if self._downloads.offline:
            raise SourceUnavailable(
                f"commit {commit[:12]} of {repository.url} is not in the cache, and --offline forbids to fetch it",
                hint="run once without --offline",
            )
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        work = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
        try:
            self._git.check_out(repository, commit, work)
            put_in_place(work, folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return folder
