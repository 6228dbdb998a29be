"""From what a deployment was made: git remote, commit, branch, dirty or not, and the CI job if there is one."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from sbkube.edges.process import Command, run
from sbkube.errors import ToolMissing

# Where CI systems say which job is running.
_JOB_URLS = ("CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL")
_SECONDS = 5.0


def describe(folder: Path, environ: Mapping[str, str]) -> dict[str, str | bool]:
    """What identifies the source of a project folder; without git its host and absolute path."""
    found: dict[str, str | bool] = {"host": socket.gethostname(), "path": str(folder.resolve())}
    if job := _job(environ):
        found["job"] = job
    try:
        top = _git(folder, environ, "rev-parse", "--show-toplevel")
        if top:
            found |= _repository(folder, environ, Path(top))
    except ToolMissing:
        pass  # git is not needed to deploy
    return found


def _repository(folder: Path, environ: Mapping[str, str], top: Path) -> dict[str, str | bool]:
    commit = _git(folder, environ, "rev-parse", "--verify", "-q", "HEAD")
    found: dict[str, str | bool] = {
        "branch": _git(folder, environ, "symbolic-ref", "-q", "--short", "HEAD"),
        "dirty": bool(_git(folder, environ, "status", "--porcelain", "--", ".")),
    }
    if commit:
        found["commit"] = commit
    if remote := _git(folder, environ, "config", "--get", "remote.origin.url"):
        found["remote"] = without_password(remote)
        found["path"] = str(folder.resolve().relative_to(top.resolve()))
    return found


def identity(origin: Mapping[str, object]) -> str:
    """What two checkouts of one project have in common: remote and path in it, else host and path."""
    if origin.get("remote"):
        return f"{origin['remote']} ({origin.get('path', '')})"
    return f"{origin['host']}:{origin['path']}" if origin.get("path") else ""


def without_password(url: str) -> str:
    """A URL without user and password; other spellings (`git@host:path`) as they are."""
    parts = urlsplit(url)
    if not parts.scheme or "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _job(environ: Mapping[str, str]) -> str:
    if environ.get("GITHUB_RUN_ID"):
        names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
        server, repository, number = (environ.get(n, "") for n in names)
        return f"{server}/{repository}/actions/runs/{number}"
    found = next((environ[name] for name in _JOB_URLS if environ.get(name)), "")
    return without_password(urlunsplit(urlsplit(found)._replace(query="", fragment="")))


def _git(folder: Path, environ: Mapping[str, str], *words: str) -> str:
    env = {**environ, "GIT_OPTIONAL_LOCKS": "0"}
    done = run(Command(("git", "-C", str(folder), *words), env=env, timeout=_SECONDS))
    return done.output.strip() if done.ok else ""
