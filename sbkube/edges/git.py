"""Git repositories, read by the `git` program: it knows ssh, proxies and the user's credential helpers."""

from __future__ import annotations

import base64
import os
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sbkube.edges.process import Command, run
from sbkube.errors import SourceUnavailable, ToolMissing
from sbkube.models.source import Login, Repository, shown

_SECONDS = 600.0
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHORT = re.compile(r"[0-9a-f]{7,39}")
_HINT = "look at the URL, the login and the network"


class Git:
    """The GitPort."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def resolve(self, repository: Repository, revision: str) -> str:
        """See `sbkube.ports.GitPort`."""
        if _COMMIT.fullmatch(revision):
            return revision
        refs = self._refs(repository)
        names = [f"refs/heads/{revision}", f"refs/tags/{revision}^{{}}", f"refs/tags/{revision}", revision]
        found = next((refs[name] for name in (names if revision else ["HEAD"]) if name in refs), None)
        if found is None:
            short = _SHORT.fullmatch(revision)
            raise SourceUnavailable(
                f'{shown_url(repository.url)} has no branch or tag "{revision}"',
                hint="give all 40 digits of the commit" if short else _branches(refs),
            )
        return found

    def check_out(self, repository: Repository, commit: str, folder: Path) -> None:
        """See `sbkube.ports.GitPort`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._git(repository, folder, "init", "-q")
        try:
            self._git(repository, folder, "fetch", "-q", "--depth", "1", "--", repository.url, commit)
        except SourceUnavailable:
            # Some servers hand out only what a branch or tag points to: then everything is fetched.
            self._git(repository, folder, "fetch", "-q", "--tags", "--", repository.url, "+refs/heads/*:refs/x/*")
        self._git(repository, folder, "checkout", "-q", "--detach", commit)
        shutil.rmtree(folder / ".git", ignore_errors=True)
        _refuse_links_outside(folder, repository)

    def _refs(self, repository: Repository) -> dict[str, str]:
        output = self._git(repository, Path.cwd(), "ls-remote", "--", repository.url)
        pairs = (line.split("\t", 1) for line in output.splitlines() if "\t" in line)
        return {name: commit for commit, name in pairs}

    def _git(self, repository: Repository, folder: Path, *words: str) -> str:
        command = Command(
            ("git", "-c", "core.hooksPath=/dev/null", "-C", str(folder), *words),
            env={**self._environ, **_quiet(repository)},
            timeout=_SECONDS,
            secrets=(repository.login.password,),
            install_hint="install git",
        )
        try:
            done = run(command)
        except ToolMissing as missing:
            raise SourceUnavailable(
                f"{shown_url(repository.url)} needs the git program: {missing.message}", hint=missing.hint
            ) from missing
        if not done.ok:
            reason = done.complaint.removeprefix("fatal: ") or f"git ended with {done.code}"
            raise SourceUnavailable(f"{shown_url(repository.url)}: {reason}", hint=_HINT)
        return done.output


def shown_url(url: str) -> str:
    """A repository's URL as people may see it."""
    return shown(url) if urlsplit(url).scheme in {"http", "https"} else url


def _branches(refs: Mapping[str, str]) -> str:
    names = sorted(name.removeprefix("refs/heads/") for name in refs if name.startswith("refs/heads/"))
    return "branches: " + ", ".join(names[:8]) if names else "it has no branches"


def _quiet(repository: Repository) -> dict[str, str]:
    return {"GIT_TERMINAL_PROMPT": "0", **_trust(repository.login), **_credentials(repository)}


def _trust(login: Login) -> dict[str, str]:
    env = {}
    if login.ssh_key is not None:
        env["GIT_SSH_COMMAND"] = f"ssh -i {shlex.quote(str(login.ssh_key))} -o IdentitiesOnly=yes -o BatchMode=yes"
    if login.ca_file is not None:
        env["GIT_SSL_CAINFO"] = str(login.ca_file)
    if login.insecure:
        env["GIT_SSL_NO_VERIFY"] = "true"
    return env


def _credentials(repository: Repository) -> dict[str, str]:
    """User and password by the environment, where no other user of the machine can read them."""
    login = repository.login
    if not login.username or urlsplit(repository.url).scheme not in {"http", "https"}:
        return {}
    pair = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{repository.url}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {pair}",
    }


def _refuse_links_outside(folder: Path, repository: Repository) -> None:
    """A link that leads out of the repository could make any file of this machine part of a deployment."""
    top = folder.resolve()
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            item = Path(path, name)
            if item.is_symlink() and not item.resolve().is_relative_to(top):
                raise SourceUnavailable(
                    f"{shown_url(repository.url)}: {item.relative_to(folder)} is a link that leads out of it",
                    hint="remove the link from the repository",
                )
