"""What a project's references mean: a chart of a repository, an OCI artifact, a URL; fetched and pinned."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sbkube.errors import ConfigError, Place, RenderError, SbkubeError, SourceUnavailable
from sbkube.models.source import ANONYMOUS, Login, Pinned, Repository, WebAnswer, WebRequest, shown
from sbkube.ports import GitPort
from sbkube.sources.cache import Cache
from sbkube.sources.downloads import Downloads
from sbkube.sources.git import GitTrees
from sbkube.sources.helm_repo import HelmRepo
from sbkube.sources.lockfile import FILE_NAME as LOCK
from sbkube.sources.lockfile import LockFile
from sbkube.sources.oci import Registry
from sbkube.sources.problems import did_you_mean
from sbkube.sources.versions import VersionSyntaxError
from sbkube.sources.yaml_reader import digest as content_digest


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is here: `name` says where it is from, `version` what it turned out to be."""

    path: Path
    digest: str
    name: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Repositories:
    """The named places of a project's settings."""

    helm: Mapping[str, Repository]
    oci: Mapping[str, Repository]
    git: Mapping[str, Repository]


class _NoWeb:
    def get(self, request: WebRequest, into: BinaryIO) -> WebAnswer:
        raise SourceUnavailable(f"nothing can be fetched here, and {request.url} would have to be")


class _NoGit:
    def resolve(self, repository: Repository, revision: str) -> str:
        raise SourceUnavailable(f"nothing can be fetched here, and {repository.url} would have to be")

    def check_out(self, repository: Repository, commit: str, folder: Path) -> None:
        raise SourceUnavailable(f"nothing can be fetched here, and {repository.url} would have to be")


class Catalogue:
    """Fetches by reference. Safe for use from several threads."""

    def __init__(
        self,
        repositories: Repositories,
        downloads: Downloads,
        lock: LockFile,
        git: GitPort,
        logins: Callable[[str], Login],
    ) -> None:
        """`logins` gives what docker knows of a registry host."""
        self._repositories = repositories
        self._downloads = downloads
        self._git = GitTrees(git, downloads)
        self._logins = logins
        self.lock = lock

    @classmethod
    def empty(cls) -> Catalogue:
        """One without repositories that fetches nothing, for projects that have everything in their folder."""
        downloads = Downloads(_NoWeb(), Cache(Path(os.devnull)), offline=True)
        lock = LockFile(Path(os.devnull, LOCK))
        return cls(Repositories({}, {}, {}), downloads, lock, _NoGit(), lambda _: ANONYMOUS)

    def chart(self, reference: str, wanted: str, place: Place | None = None) -> Fetched:
        """The archive of `repo/chart`, `oci://…` or `https://….tgz` in the version (or range) `wanted`.

        Raises SourceUnavailable at `place`.
        """
        try:
            return self._chart(reference, wanted)
        except SbkubeError as error:
            error.place = error.place or place
            raise

    def knows(self, name: str) -> bool:
        """Whether charts may come from a repository or registry of this name."""
        return name in self._repositories.helm or name in self._repositories.oci

    def versions(self, reference: str, place: Place | None = None) -> list[str]:
        """Every version of the chart that a reference means; [] where it names one archive.

        Raises SourceUnavailable at `place`.
        """
        try:
            return self._versions(reference)
        except SbkubeError as error:
            error.place = error.place or place
            raise

    def _versions(self, reference: str) -> list[str]:
        name, _, chart = reference.partition("/")
        if reference.startswith("oci://"):
            return Registry(reference, ANONYMOUS, self._downloads, self._logins).tags()
        if name in self._repositories.oci:
            registry = self._repositories.oci[name]
            url = f"{registry.url.rstrip('/')}/{chart}"
            return Registry(url, registry.login, self._downloads, self._logins).tags()
        if name in self._repositories.helm:
            found = HelmRepo(self._repositories.helm[name], self._downloads).versions(chart)
            return [line.version for line in found]
        return []

    def _chart(self, reference: str, wanted: str) -> Fetched:
        if reference.startswith("oci://"):
            return self._oci(reference, ANONYMOUS, wanted)
        if reference.startswith(("https://", "http://")):
            return self._archive(reference)
        name, _, chart = reference.partition("/")
        if name in self._repositories.oci:
            registry = self._repositories.oci[name]
            return self._oci(f"{registry.url.rstrip('/')}/{chart}", registry.login, wanted)
        if name in self._repositories.helm:
            return self._indexed(self._repositories.helm[name], chart, wanted)
        known = [*self._repositories.helm, *self._repositories.oci]
        hint = f"settings: helm_repos: {name}: https://…"
        raise ConfigError(
            f'"{reference}" is no folder here, and "{name}" is neither in helm_repos nor in oci_registries',
            hint=did_you_mean(name, known, noun="repositories") if known else hint,
        )

    def from_repository(self, url: str, chart: str, wanted: str, place: Place | None = None) -> Fetched:
        """A dependency as a Chart.yaml names it: by URL, or by `@name` or `alias:name` of a repository.

        Raises SourceUnavailable at `place`.
        """
        try:
            return self._dependency(url, chart, wanted)
        except SbkubeError as error:
            error.place = error.place or place
            raise

    def _dependency(self, url: str, chart: str, wanted: str) -> Fetched:
        if url.startswith("oci://"):
            return self._oci(f"{url.rstrip('/')}/{chart}", ANONYMOUS, wanted)
        for prefix in ("@", "alias:"):
            if url.startswith(prefix):
                return self._chart(f"{url.removeprefix(prefix)}/{chart}", wanted)
        same = (r for r in self._repositories.helm.values() if r.url.rstrip("/") == url.rstrip("/"))
        return self._indexed(next(same, Repository("", url)), chart, wanted)

    def tree(self, name: str, place: Place | None = None) -> Fetched:
        """The files of a git repository by its name, at its commit; raises SourceUnavailable at `place`."""
        repository = self._repositories.git.get(name)
        if repository is None:
            raise SourceUnavailable(
                f'there is no git repository "{name}"',
                place=place,
                hint=did_you_mean(name, self._repositories.git, noun="in settings.git_repos and apps of type git"),
            )
        try:
            pin = self.lock.find(repository.url, repository.revision)
            commit = pin.found if pin else self._git.resolve(repository)
            folder = self._git.tree(repository, commit)
            self.lock.keep(Pinned(repository.url, repository.revision, commit))
        except SbkubeError as error:
            error.place = error.place or place
            raise
        return Fetched(folder, commit, repository.url, commit)

    def file(
        self, url: str, digest: str = "", headers: Mapping[str, str] | None = None, place: Place | None = None
    ) -> Fetched:
        """A file from the web that has `digest` (`sha256:…`), else as it is there now: then it is asked for anew.

        Raises SourceUnavailable at `place`.
        """
        try:
            if digest:
                return Fetched(*self._downloads.file(url, digest, headers=headers), shown(url))
            return Fetched(*self._downloads.renewed(url, headers=headers), shown(url))
        except SbkubeError as error:
            error.place = error.place or place
            raise

    def downloaded(self, path: Path) -> bool:
        """Whether a file holds what was downloaded once, and nobody has changed since."""
        return self._downloads.cache.find(content_digest(path.read_bytes())) is not None

    def _indexed(self, repository: Repository, chart: str, wanted: str) -> Fetched:
        source = f"{repository.url.rstrip('/')}/{chart}"
        repo = HelmRepo(repository, self._downloads)
        pin = self.lock.find(source, wanted)
        if pin is not None and (kept := self._downloads.cache.find(pin.digest)):
            return self._pinned(pin, kept, pin.digest)
        try:
            line = repo.choose(chart, pin.found if pin else wanted)
        except VersionSyntaxError as error:
            raise RenderError(
                str(error), hint='write a version, or a range such as "^1.2" or ">=1.2 <3"'
            ) from None
        path, digest = repo.fetch(line)
        return self._pinned(Pinned(source, wanted, line.version, digest), path, digest)

    def _oci(self, url: str, login: Login, wanted: str) -> Fetched:
        pin = self.lock.find(url, wanted)
        if pin is not None and (kept := self._downloads.cache.find(pin.digest)):
            return self._pinned(pin, kept, pin.digest)
        registry = Registry(url, login, self._downloads, self._logins)
        tag = pin.found if pin else registry.choose(wanted)
        path, digest = registry.chart(tag)
        return self._pinned(Pinned(url, wanted, tag, digest), path, digest)

    def _archive(self, url: str) -> Fetched:
        pin = self.lock.find(shown(url), "")
        path, digest = self._downloads.file(url, pin.digest if pin else "")
        return self._pinned(Pinned(shown(url), "", shown(url).rpartition("/")[2], digest), path, digest)

    def _pinned(self, pin: Pinned, path: Path, digest: str) -> Fetched:
        self.lock.keep(pin)
        return Fetched(path, digest, pin.source, pin.found)
