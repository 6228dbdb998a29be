"""Who we are towards an API server: tokens, passwords, token files that are read again, exec plugins."""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sbkube.edges import process
from sbkube.edges.access import Access, ExecPlugin
from sbkube.edges.dialling import Pair
from sbkube.errors import ClusterForbidden

REREAD = 60.0  # seconds between two readings of a token file, as client-go does
EARLY = 10.0  # seconds before the end of its life at which a credential is replaced
PATIENCE = 120.0  # seconds for a plugin, which may ask the user something


@dataclass(frozen=True, slots=True)
class Credential:
    """`authorization` is the header's value, or ""; `pair` a client certificate that a plugin gave."""

    authorization: str = field(default="", repr=False)
    pair: Pair | None = field(default=None, repr=False)


class Credentials(Protocol):
    """Safe for use from several threads."""

    def current(self) -> Credential:
        """What to send now."""

    def renew(self, refused: Credential) -> bool:
        """After a 401 for `refused`: tells whether there is (by now) another credential to try."""


def of(access: Access, wall: Callable[[], float] = time.time) -> Credentials:
    """The credentials of an access, in kubectl's order: token file, token, password, plugin, certificate alone."""
    auth = access.auth
    if auth.token_file:
        return TokenFile(Path(auth.token_file), wall)
    if auth.token:
        return Fixed(Credential(f"Bearer {auth.token}"))
    if auth.username:
        pair = base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
        return Fixed(Credential(f"Basic {pair}"))
    if auth.plugin is not None:
        return Plugin(access, auth.plugin, wall)
    return Fixed(Credential())


class Fixed:
    """Nothing changes."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def current(self) -> Credential:
        """Always the same."""
        return self._credential

    def renew(self, refused: Credential) -> bool:
        """There is no other."""
        return False


class _Changing:
    """A credential that is fetched, kept until `_until`, and fetched again after a refusal."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self._kept: Credential | None = None
        self._until = 0.0

    def current(self) -> Credential:
        """The kept one, or a new one when its time is over."""
        with self._lock:
            if self._kept is None or self._wall() >= self._until:
                self._kept, self._until = self._fetch()
            return self._kept

    def renew(self, refused: Credential) -> bool:
        """Fetch again, unless another thread has done so since."""
        with self._lock:
            if self._kept is None or self._kept == refused:
                self._kept, self._until = self._fetch()
            return self._kept != refused

    def _fetch(self) -> tuple[Credential, float]:
        raise AssertionError("each kind of credential says how it is fetched")


class TokenFile(_Changing):
    """A token that somebody else (kubelet, a CI runner) keeps fresh in a file."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        super().__init__(wall)
        self._path = path

    def _fetch(self) -> tuple[Credential, float]:
        try:
            token = self._path.read_text().strip()
        except OSError as error:
            raise ClusterForbidden(
                f"token file {self._path} cannot be read: {error.strerror}",
                hint="check that it is mounted and readable",
            ) from error
        return Credential(f"Bearer {token}"), self._wall() + REREAD


class Plugin(_Changing):
    """A program that prints an ExecCredential."""

    def __init__(self, access: Access, plugin: ExecPlugin, wall: Callable[[], float]) -> None:
        super().__init__(wall)
        self._access = access
        self._plugin = plugin

    def _fetch(self) -> tuple[Credential, float]:
        status = self._status(self._run())
        expiry = status.get("expirationTimestamp")
        until = self._instant(expiry) - EARLY if isinstance(expiry, str) else float("inf")
        token = status.get("token") or ""
        certificate, key = status.get("clientCertificateData") or "", status.get("clientKeyData") or ""
        if not token and not (certificate and key):
            raise self._failed("gave neither a token nor a certificate with its key")
        return Credential(
            f"Bearer {token}" if token else "", Pair(certificate, key) if certificate else None
        ), until

    def _run(self) -> bytes:
        plugin = self._plugin
        interactive = plugin.interactive != "Never" and sys.stdin is not None and sys.stdin.isatty()
        if plugin.interactive == "Always" and not interactive:
            raise self._failed("wants a terminal and there is none")
        info = json.dumps(self._question(interactive))
        environ = dict(self._access.environ) | dict(plugin.env) | {"KUBERNETES_EXEC_INFO": info}
        done = process.run(
            process.Command(
                (plugin.command, *plugin.args),
                env=environ,
                timeout=PATIENCE,
                terminal=interactive,
                install_hint=plugin.install_hint,
            )
        )
        if done.ended == "timeout":
            raise self._failed(f"gave no answer within {PATIENCE:.0f} s")
        if not done.ok:
            raise self._failed(f"ended with code {done.code}: {done.complaint or 'no message'}")
        return done.stdout

    def _question(self, interactive: bool) -> dict[str, Any]:
        spec: dict[str, Any] = {"interactive": interactive}
        if self._plugin.cluster_info:
            tls = self._access.tls
            authority = tls.ca_data or (Path(tls.ca_file).read_text() if tls.ca_file else "")
            spec["cluster"] = {"server": self._access.server, "insecure-skip-tls-verify": tls.insecure}
            if authority:
                spec["cluster"]["certificate-authority-data"] = base64.b64encode(authority.encode()).decode()
            if tls.server_name:
                spec["cluster"]["tls-server-name"] = tls.server_name
        return {"apiVersion": self._plugin.api_version, "kind": "ExecCredential", "spec": spec}

    def _status(self, output: bytes) -> Mapping[str, Any]:
        try:
            answer = json.loads(output)
        except ValueError as error:
            raise self._failed("printed something that is not JSON") from error
        status = answer.get("status") if isinstance(answer, dict) else None
        if not isinstance(status, dict):
            raise self._failed("printed no ExecCredential with a status")
        if answer.get("apiVersion") != self._plugin.api_version:
            raise self._failed(f"answered in {answer.get('apiVersion')}, not in {self._plugin.api_version}")
        return status

    def _instant(self, text: str) -> float:
        try:
            return datetime.fromisoformat(text).astimezone(UTC).timestamp()
        except ValueError as error:
            raise self._failed(f"gave an expirationTimestamp that is no time: {text}") from error

    def _failed(self, what: str) -> ClusterForbidden:
        return ClusterForbidden(
            f"the credential plugin {self._plugin.command} {what}",
            subject=f"context {self._access.context}",
            hint="log in again, or run the plugin by hand to see what it needs",
        )
