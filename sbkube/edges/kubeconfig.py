"""Kubeconfig files, read and merged as kubectl does.

The rules are those of client-go's `clientcmd`: the first file that names a cluster, user or context wins; relative
paths are relative to the file they stand in; an explicit path stands alone. Everything wrong is ClusterUnreachable
with the file's name and a way out.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sbkube.edges import proxies
from sbkube.edges.access import Access, Auth, ExecPlugin, Tls, minimal
from sbkube.errors import ClusterUnreachable, Place

__all__ = ["Access", "Auth", "ExecPlugin", "Tls", "contexts", "in_cluster", "load", "minimal"]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
NOTHING = ("", "null", "~", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A cluster, user or context of a file."""

    name: str
    data: Mapping[str, Any]
    file: Path

    def text(self, key: str) -> str:
        value = self.data.get(key, "")
        return value if isinstance(value, str) and value not in NOTHING else ""

    def flag(self, key: str) -> bool:
        return self.text(key).lower() == "true"

    def path(self, key: str) -> str:
        """A file that this entry names, which must be readable."""
        value = self.text(key)
        if not value:
            return ""
        path = self.file.parent / Path(value).expanduser()
        if not os.access(path, os.R_OK):
            raise _wrong(self.file, f"{self.name}: {key} names {path}, which cannot be read")
        return str(path)

    def pem(self, key: str) -> str:
        """Base64 data as the PEM text it stands for."""
        try:
            return base64.b64decode("".join(self.text(key).split()), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _wrong(self.file, f"{self.name}: {key} is not base64 of PEM text") from error

    def part(self, key: str) -> Mapping[str, Any]:
        value = self.data.get(key)
        return value if isinstance(value, Mapping) else {}


@dataclass(slots=True)
class _Merged:
    """All files together."""

    files: list[Path] = field(default_factory=list)
    current: str = ""
    clusters: dict[str, _Entry] = field(default_factory=dict)
    users: dict[str, _Entry] = field(default_factory=dict)
    contexts: dict[str, _Entry] = field(default_factory=dict)


def load(path: str | None, context: str | None, environ: Mapping[str, str]) -> Access:
    """The cluster to talk to: `path`, else `KUBECONFIG`, else `~/.kube/config`, else the pod we run in.

    `context` None means the file's current one. `environ` also gives proxies and the environment of exec plugins.
    Raises ClusterUnreachable when there is no such file, context, cluster or user, or one makes no sense.
    """
    files = _candidates(path, environ)
    merged = _merge([file for file in files if _there(file)])
    if not merged.files:
        if path is None and context is None and environ.get("KUBERNETES_SERVICE_HOST"):
            return in_cluster(environ)
        raise _missing(files, path)
    return _resolve(merged, context, environ)


def contexts(path: str | None, environ: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """The names of all contexts, and the current one ("" when none is set)."""
    merged = _merge([file for file in _candidates(path, environ) if _there(file)])
    return tuple(sorted(merged.contexts)), merged.current


def in_cluster(environ: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Access:
    """The cluster of the pod we run in, as its service account."""
    host = environ.get("KUBERNETES_SERVICE_HOST", "")
    port = environ.get("KUBERNETES_SERVICE_PORT") or "443"
    token, authority, namespace = folder / "token", folder / "ca.crt", folder / "namespace"
    if not host or not token.is_file():
        raise ClusterUnreachable(
            f"no service account token in {folder}", hint="set automountServiceAccountToken, or give --kubeconfig"
        )
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Access(
        server=server,
        context="in-cluster",
        cluster="in-cluster",
        namespace=namespace.read_text().strip() if namespace.is_file() else "",
        tls=Tls(ca_file=str(authority) if authority.is_file() else ""),
        auth=Auth(token_file=str(token)),
        proxy=proxies.from_environment(server, environ),
        origin=str(folder),
        environ=tuple(environ.items()),
    )


def _candidates(path: str | None, environ: Mapping[str, str]) -> list[Path]:
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if path:
        if path.startswith("~/") and home:
            return [Path(home) / path[2:]]
        return [Path(path).absolute()]
    named = [part for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if named:
        return [Path(part).absolute() for part in named]
    return [(Path(home) if home else Path.home()) / ".kube" / "config"]


def _there(file: Path) -> bool:
    return file.exists() and not file.is_dir()  # a pipe (`<(command)`) is as good as a file


def _missing(files: Sequence[Path], path: str | None) -> ClusterUnreachable:
    names = ", ".join(str(file) for file in files)
    hint = (
        "check the path"
        if path
        else "give --kubeconfig or set KUBECONFIG, or try --sandbox for a simulated cluster"
    )
    return ClusterUnreachable(f"no kubeconfig at {names}", hint=hint)


def _wrong(file: Path, message: str, hint: str = "") -> ClusterUnreachable:
    return ClusterUnreachable(message, place=Place(str(file)), hint=hint or f"correct {file}")


def _merge(files: Sequence[Path]) -> _Merged:
    merged = _Merged()
    for file in files:
        document = _read(file)
        merged.files.append(file)
        current = document.get("current-context", "")
        merged.current = merged.current or ("" if current in NOTHING else str(current))
        for kind, key in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
            into: dict[str, _Entry] = getattr(merged, kind)
            for entry in _entries(document, kind, key, file):
                into.setdefault(entry.name, entry)
    return merged


def _read(file: Path) -> Mapping[str, Any]:
    """One file, every scalar as text: names like `on` or `1.10` must stay what they are."""
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        document = yaml.load(file.read_bytes(), loader)
    except OSError as error:
        raise _wrong(file, f"cannot be read: {error.strerror}", "check its permissions") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        problem = getattr(error, "problem", None) or "not YAML"
        raise ClusterUnreachable(
            f"not a kubeconfig: {problem}", place=Place(str(file), line), hint=f"correct {file}"
        ) from error
    if document in (None, *NOTHING):
        return {}
    if not isinstance(document, dict):
        raise _wrong(file, "not a kubeconfig: a mapping is expected")
    return document


def _entries(document: Mapping[str, Any], kind: str, key: str, file: Path) -> list[_Entry]:
    listed = document.get(kind)
    if listed is None or listed in NOTHING:
        return []
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise _wrong(file, f"`{kind}` must be a list of mappings")
    found = []
    for item in listed:
        data = item.get(key)
        found.append(_Entry(str(item.get("name", "")), data if isinstance(data, dict) else {}, file))
    return found


def _resolve(merged: _Merged, wanted: str | None, environ: Mapping[str, str]) -> Access:
    file = merged.files[0]
    name = wanted or merged.current
    known = ", ".join(sorted(merged.contexts)) or "none"
    if not name:
        raise _wrong(file, "no current-context is set", f"give --context; known contexts: {known}")
    context = merged.contexts.get(name)
    if context is None:
        raise _wrong(file, f'no context "{name}"', f"known contexts: {known}")
    cluster = _named(merged.clusters, context, "cluster")
    user = _named(merged.users, context, "user") if context.text("user") else _Entry("", {}, context.file)
    server = cluster.text("server").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise _wrong(cluster.file, f'cluster "{cluster.name}": server "{server}" is not an http(s) URL')
    return Access(
        server=server,
        context=name,
        cluster=cluster.name,
        user=user.name,
        namespace=context.text("namespace"),
        tls=_tls(cluster, user),
        auth=_auth(user),
        proxy=cluster.text("proxy-url") or proxies.from_environment(server, environ),
        origin=str(context.file),
        environ=tuple(environ.items()),
    )


def _named(entries: Mapping[str, _Entry], context: _Entry, kind: str) -> _Entry:
    name = context.text(kind)
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise _wrong(
            context.file, f'context "{context.name}" names {kind} "{name}", which is not there', f"known: {known}"
        )
    return entries[name]


def _tls(cluster: _Entry, user: _Entry) -> Tls:
    tls = Tls(
        ca_file=cluster.path("certificate-authority") if not cluster.text("certificate-authority-data") else "",
        ca_data=cluster.pem("certificate-authority-data"),
        cert_file=user.path("client-certificate") if not user.text("client-certificate-data") else "",
        cert_data=user.pem("client-certificate-data"),
        key_file=user.path("client-key") if not user.text("client-key-data") else "",
        key_data=user.pem("client-key-data"),
        insecure=cluster.flag("insecure-skip-tls-verify"),
        server_name=cluster.text("tls-server-name"),
    )
    if bool(tls.cert_file or tls.cert_data) != bool(tls.key_file or tls.key_data):
        raise _wrong(user.file, f'user "{user.name}" needs both client-certificate and client-key, or neither')
    if tls.insecure and (tls.ca_file or tls.ca_data):
        # kubectl refuses this too: one of the two is a mistake, and guessing could switch verification off.
        raise _wrong(cluster.file, f'cluster "{cluster.name}" has a CA and insecure-skip-tls-verify; remove one')
    return tls


def _auth(user: _Entry) -> Auth:
    provider = user.part("auth-provider")
    if provider:
        raise _wrong(
            user.file,
            f'user "{user.name}" uses the auth-provider "{provider.get("name", "")}", gone since Kubernetes 1.26',
            "use the exec plugin of your cloud (gke-gcloud-auth-plugin, kubelogin, aws eks get-token)",
        )
    groups = user.data.get("as-groups")
    return Auth(
        token=user.text("token"),
        token_file=user.path("tokenFile"),
        username=user.text("username"),
        password=user.text("password"),
        plugin=_plugin(user) if user.part("exec") else None,
        impersonate=user.text("as"),
        impersonate_groups=tuple(groups) if isinstance(groups, list) else (),
        impersonate_uid=user.text("as-uid"),
    )


def _plugin(user: _Entry) -> ExecPlugin:
    spec = _Entry(user.name, user.part("exec"), user.file)
    version, command = spec.text("apiVersion"), spec.text("command")
    if version not in EXEC_VERSIONS:
        raise _wrong(
            user.file,
            f'user "{user.name}": exec apiVersion "{version}" is not supported',
            f"use {' or '.join(EXEC_VERSIONS)}; a newer release of the plugin writes it",
        )
    if not command:
        raise _wrong(user.file, f'user "{user.name}": exec has no command')
    if os.sep in command:  # a path, relative to the file it stands in; a bare name is looked up in PATH
        command = str(user.file.parent / Path(command).expanduser())
    args, env = spec.data.get("args"), spec.data.get("env")
    return ExecPlugin(
        command=command,
        args=tuple(args) if isinstance(args, list) else (),
        env=tuple((str(e["name"]), str(e.get("value", ""))) for e in env) if isinstance(env, list) else (),
        api_version=version,
        install_hint=" ".join(spec.text("installHint").split()),
        interactive=spec.text("interactiveMode") or "IfAvailable",
        cluster_info=spec.flag("provideClusterInfo"),
    )
