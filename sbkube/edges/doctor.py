"""Looking at the surroundings for `sbkube doctor`: each finding is (name, ok, text, hint)."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Mapping

from sbkube.edges import cluster, helm, kubeconfig
from sbkube.edges.access import minimal
from sbkube.edges.local import OFF
from sbkube.errors import SbkubeError
from sbkube.models.resource import ClusterInfo

Finding = tuple[str, bool, str, str]
_PROGRAMS = {
    "git": "apps of type git need it",
    "kustomize": "apps of type kustomize need it, or kubectl",
    "kubectl": "apps of type kustomize can use it",
    "sops": "only for files that are not encrypted for age",
}
_PACKAGES = {
    "pyrage": ("pyrage", "encrypted files need it: pip install 'sbkube[sops]'"),
    "psycopg": ("psycopg", "PostgreSQL needs it: pip install 'sbkube[postgres]'"),
}


def examine(path: str | None, context: str | None, environ: Mapping[str, str]) -> list[Finding]:
    """Python, kubeconfig, cluster and Helm; one broken thing does not hide the others."""
    findings: list[Finding] = [("python", True, f"{platform.python_version()} on {platform.platform()}", "")]
    try:
        access = kubeconfig.load(path, context, environ)
        text = minimal(access)
    except SbkubeError as error:
        return [*findings, *_tools(environ), _bad("kubeconfig", error), *_helm(None, environ, None)]
    findings[1:1] = _tools(environ)
    findings.append(("kubeconfig", True, f"context {access.context}, server {access.server}", ""))
    http = cluster.connect(access)
    try:
        findings.append(("cluster", True, _sentence(http.info()), ""))
    except SbkubeError as error:
        findings.append(_bad("cluster", error))
    findings.extend(_helm(text, environ, http))
    http.close()
    return findings


def _tools(environ: Mapping[str, str]) -> list[Finding]:
    """Programs and packages that only some projects need: being without them is no fault."""
    path = environ.get("PATH")
    found: list[Finding] = []
    for name, purpose in _PROGRAMS.items():
        where = shutil.which(name, path=path)
        found.append((name, True, where or f"not installed: {purpose}", ""))
    for name, (module, purpose) in _PACKAGES.items():
        there = importlib.util.find_spec(module) is not None
        found.append((name, True, "installed" if there else f"not installed: {purpose}", ""))
    allowed = environ.get("SBKUBE_ALLOW_EXEC", "").lower() not in OFF
    found.append(("commands", True, "allowed" if allowed else "refused (SBKUBE_ALLOW_EXEC)", ""))
    return found


def _sentence(info: ClusterInfo) -> str:
    kind = "sandbox (simulated Kubernetes API)" if info.sandbox else "Kubernetes"
    return f"{info.name}: {kind} {info.version}, as {info.user or 'unknown user'}"


def _helm(text: str | None, environ: Mapping[str, str], http: cluster.HttpCluster | None) -> list[Finding]:
    if text is None or http is None:
        return []
    try:
        port = helm.choose(text, prefer=environ.get("SBKUBE_HELM"), environ=environ, cluster=http)
    except SbkubeError as error:
        return [_bad("helm", error)]
    return [("helm", True, f"{port.version} ({port.name}: {port.reason})", "")]


def _bad(name: str, error: SbkubeError) -> Finding:
    return (name, False, str(error), error.hint or "")
