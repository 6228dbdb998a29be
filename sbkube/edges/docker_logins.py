"""Logins that `docker login` and `helm registry login` have left: their files, and their credential helpers."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sbkube.edges.process import Command, run
from sbkube.errors import ToolMissing
from sbkube.models.source import ANONYMOUS, Login

_SECONDS = 15.0
_HUB = "https://index.docker.io/v1/"


class DockerLogins:
    """Reads the files once, when first asked."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._files: list[dict[str, Any]] | None = None

    def __call__(self, host: str) -> Login:
        """The login for a registry host; an anonymous one if there is none."""
        if self._files is None:
            self._files = [found for path in self._paths() if (found := _read(path))]
        names = [host, f"https://{host}", *([_HUB] if host.endswith("docker.io") else [])]
        for config in self._files:
            for name in names:
                helper = (config.get("credHelpers") or {}).get(name) or config.get("credsStore")
                entry = (config.get("auths") or {}).get(name)
                login = self._asked(str(helper), name) if helper else None
                if login is not None or (login := _stored(entry)) is not None:
                    return login
        return ANONYMOUS

    def _paths(self) -> list[Path]:
        home = Path(self._environ.get("HOME") or Path.home())
        docker = Path(self._environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
        config = Path(self._environ.get("XDG_CONFIG_HOME") or home / ".config")
        helm = self._environ.get("HELM_REGISTRY_CONFIG")
        return [Path(helm) if helm else config / "helm" / "registry" / "config.json", docker]

    def _asked(self, helper: str, host: str) -> Login | None:
        """By the protocol of docker's credential helpers: the host on standard input, JSON on standard output."""
        program = f"docker-credential-{os.path.basename(helper)}"  # noqa: PTH119 - no path may be named there
        command = Command((program, "get"), env=self._environ, stdin=host.encode(), timeout=_SECONDS)
        try:
            done = run(command)
            found = json.loads(done.output) if done.ok else None
        except (ToolMissing, ValueError):
            return None
        return Login(str(found["Username"]), str(found["Secret"])) if isinstance(found, dict) else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _stored(entry: Any) -> Login | None:
    if not isinstance(entry, dict):
        return None
    if entry.get("username"):
        return Login(str(entry["username"]), str(entry.get("password") or ""))
    try:
        user, colon, password = base64.b64decode(str(entry.get("auth") or "")).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Login(user, password) if colon else None
