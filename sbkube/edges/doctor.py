"""Looking at the surroundings for `sbkube doctor`: each finding is (name, ok, text, hint)."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from sbkube.edges import cluster, helm, kubeconfig
from sbkube.edges.access import minimal
from sbkube.errors import SbkubeError
from sbkube.models.resource import ClusterInfo

Finding = tuple[str, bool, str, str]


def examine(path: str | None, context: str | None, environ: Mapping[str, str]) -> list[Finding]:
    """Python, kubeconfig, cluster and Helm; one broken thing does not hide the others."""
    findings: list[Finding] = [("python", True, f"{platform.python_version()} on {platform.platform()}", "")]
    try:
        access = kubeconfig.load(path, context, environ)
        text = minimal(access)
    except SbkubeError as error:
        return [*findings, _bad("kubeconfig", error), *_helm(None, environ, None)]
    findings.append(("kubeconfig", True, f"context {access.context}, server {access.server}", ""))
    http = cluster.connect(access)
    try:
        findings.append(("cluster", True, _sentence(http.info()), ""))
    except SbkubeError as error:
        findings.append(_bad("cluster", error))
    findings.extend(_helm(text, environ, http))
    http.close()
    return findings


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
