"""How to reach one cluster, as values: what a kubeconfig comes down to once context, user and proxy are chosen."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """A program that prints credentials, as client.authentication.k8s.io describes it."""

    command: str
    args: tuple[str, ...] = field(default=(), repr=False)
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    api_version: str = "client.authentication.k8s.io/v1"
    install_hint: str = ""
    interactive: str = "IfAvailable"  # Never, IfAvailable or Always
    cluster_info: bool = False


@dataclass(frozen=True, slots=True)
class Tls:
    """Trust and client certificate. `*_data` is PEM text and wins over the file of the same name."""

    ca_file: str = ""
    ca_data: str = field(default="", repr=False)
    cert_file: str = ""
    cert_data: str = field(default="", repr=False)
    key_file: str = ""
    key_data: str = field(default="", repr=False)
    insecure: bool = False
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class Auth:
    """Who we are. `token_file` is read again from time to time and wins over `token`."""

    token: str = field(default="", repr=False)
    token_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    plugin: ExecPlugin | None = None
    impersonate: str = ""
    impersonate_groups: tuple[str, ...] = ()
    impersonate_uid: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """One cluster as one user. `proxy` is what applies after NO_PROXY; `origin` is the file that says so."""

    server: str
    context: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = ""
    tls: Tls = Tls()
    auth: Auth = Auth()
    proxy: str = field(default="", repr=False)  # may hold a password
    origin: str = ""
    environ: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # for exec plugins


def minimal(access: Access) -> str:
    """A kubeconfig (JSON, which is YAML) with only this cluster and user, for Helm and child processes.

    It holds credentials: write it with mode 0600.
    """
    name = access.context or "sbkube"
    context = {"cluster": name, "user": name, "namespace": access.namespace}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": _cluster(access)}],
        "users": [{"name": name, "user": _user(access)}],
        "contexts": [{"name": name, "context": _kept(context)}],
    }
    return json.dumps(document, indent=1)


def _kept(entries: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if value}


def _encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


def _cluster(access: Access) -> dict[str, Any]:
    tls = access.tls
    return _kept(
        {
            "server": access.server,
            "certificate-authority": "" if tls.ca_data else tls.ca_file,
            "certificate-authority-data": _encoded(tls.ca_data),
            "insecure-skip-tls-verify": tls.insecure,
            "tls-server-name": tls.server_name,
            "proxy-url": access.proxy,
        }
    )


def _user(access: Access) -> dict[str, Any]:
    tls, auth = access.tls, access.auth
    return _kept(
        {
            "client-certificate": "" if tls.cert_data else tls.cert_file,
            "client-certificate-data": _encoded(tls.cert_data),
            "client-key": "" if tls.key_data else tls.key_file,
            "client-key-data": _encoded(tls.key_data),
            "token": auth.token,
            "tokenFile": auth.token_file,
            "username": auth.username,
            "password": auth.password,
            "as": auth.impersonate,
            "as-uid": auth.impersonate_uid,
            "as-groups": list(auth.impersonate_groups),
            "exec": _plugin(auth.plugin),
        }
    )


def _plugin(plugin: ExecPlugin | None) -> dict[str, Any] | None:
    if plugin is None:
        return None
    return {
        "apiVersion": plugin.api_version,
        "command": plugin.command,
        "args": list(plugin.args),
        "env": [{"name": name, "value": value} for name, value in plugin.env],
        "interactiveMode": plugin.interactive,
        "provideClusterInfo": plugin.cluster_info,
        "installHint": plugin.install_hint,
    }
